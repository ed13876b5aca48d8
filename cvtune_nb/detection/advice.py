"""What to change next about a detector: the rules, in the order in which their findings are shown.

To add one: a class, and its name in RULES.
"""

from dataclasses import dataclass

import pandas as pd

from cvtune_nb.advice import Rule
from cvtune_nb.advice.next_values import rate
from cvtune_nb.detection.anchors import LEAST_PIXELS, sides_in_pixels, suggested_size
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.evaluation import Verdict
from cvtune_nb.detection.run import DetectorRun, load_run, runs
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS
from cvtune_nb.runs.finding import Finding

ENOUGH_BOXES = 100
"""Boxes of a class on training photos below which more are asked for: 2018's rule for photos of a class."""
RISING = 0.01
"""Gain of average precision in the last quarter of the epochs from which more epochs are advised."""
CONFUSED = 0.1
"""Fraction of a class's boxes that are taken for one other class from which the two are named."""
ONE_SIDED = 3.0
"""How many times as many missed as wrong (or the other way round) at the best threshold make a finding."""
OURS = "our own rule"


@dataclass(frozen=True)
class DetectorCase:
    """What the rules look at.

    The photos and boxes, what a run finds and misses, and the table of the other runs (detection.runs) that may be
    compared with it.
    """

    dataset: Dataset
    found: Verdict
    others: pd.DataFrame

    @property
    def run(self) -> DetectorRun:
        """The run that was judged."""
        return self.found.run

    @property
    def config(self) -> DetectorConfig:
        """Its parameters."""
        return self.found.run.config

    @property
    def missed(self) -> int:
        """Boxes that were not found."""
        return len(self.found.part.boxes) - self.found.counts.get("found", 0)

    @property
    def made_up(self) -> int:
        """Detections of nothing."""
        return self.found.counts.get("nothing there", 0)


class Diverged(Rule[DetectorCase]):
    """The loss became infinite."""

    code = "diverged"
    when = "the loss is not finite"
    source = "2018's guide"

    def look(self, case: DetectorCase) -> Finding | None:
        """A tenth of the rate."""
        if case.run.state != "diverged":
            return None
        evidence = f"the loss became infinite with learning rate {case.config.learning_rate:g}"
        return self.finding("Training ran away", evidence, learning_rate=rate(case.config.learning_rate / 10))


class FewBoxes(Rule[DetectorCase]):
    """Some classes have few boxes."""

    code = "few-boxes"
    when = f"a class has fewer than {ENOUGH_BOXES} boxes on training photos"
    source = "2018's guide asks for 100 photos a class"

    def look(self, case: DetectorCase) -> Finding | None:
        """Which, and how many they have."""
        counts = case.dataset.part("train").boxes["label"].value_counts()
        few = [(label, counts.get(label, 0)) for label in case.run.classes if counts.get(label, 0) < ENOUGH_BOXES]
        if not few:
            return None
        words = ", ".join(f"{label} {count}" for label, count in few[:6])
        evidence = f"on training photos {words} (rule: under {ENOUGH_BOXES})"
        return self.finding("Some classes have few boxes: draw more", evidence)


class SmallObjects(Rule[DetectorCase]):
    """Objects are small at the image size of the run."""

    code = "small-objects"
    when = f"the median box of a class is under {LEAST_PIXELS} pixels, and the photos have more pixels than were used"
    source = OURS

    def look(self, case: DetectorCase) -> Finding | None:
        """Larger photos, with minibatch and learning rate halved together."""
        train, size = case.dataset.part("train"), case.config.image_size
        side = pd.Series(sides_in_pixels(train.boxes, train.photos, size).prod(axis=1) ** 0.5)
        by_class = side.groupby(train.boxes["label"].to_numpy()).median()
        small = by_class[by_class < LEAST_PIXELS]
        larger = (size * 4 // 3 + 31) // 32 * 32
        wanted, words = suggested_size(train.boxes, train.photos)
        half = float(train.photos[["width", "height"]].max(axis=1).median())  # half of the photos reach it
        if small.empty or larger > max(wanted, half) or larger > PARAMETERS["image_size"].high:
            return None
        names = ", ".join(f"{label} {pixels:.0f} pixels" for label, pixels in small.items())
        change: dict[str, int | float] = {"image_size": int(larger)}
        if case.config.batch_size > 1:
            change |= {"batch_size": case.config.batch_size // 2, "learning_rate": rate(case.config.learning_rate / 2)}
        return self.finding(
            "Objects are small at this image size: look closer",
            f"the median side at {size} pixels is: {names} (rule: under {LEAST_PIXELS}); {words}",
            **change,
        )


class Rising(Rule[DetectorCase]):
    """It was still getting better when it ended."""

    code = "rising"
    when = "the last epoch is the best, and average precision rose in the last quarter of the epochs"
    source = OURS

    def look(self, case: DetectorCase) -> Finding | None:
        """Twice the epochs."""
        history = case.run.history
        if len(history) < 4 or case.run.state != "done":
            return None
        last = history["validation_ap"].tail(max(2, len(history) // 4))
        gain = last.iloc[-1] - last.iloc[0]
        if case.run.best_epoch < history["epoch"].iloc[-1] or gain < RISING:
            return None
        return self.finding(
            "It was still getting better: double the epochs",
            f"average precision rose by {gain:.3f} in the last {len(last)} epochs",
            epochs=int(min(PARAMETERS["epochs"].high, 2 * case.config.epochs)),
        )


class Confused(Rule[DetectorCase]):
    """A class is taken for another."""

    code = "confused"
    when = "a tenth of a class's boxes, and 3 or more, are taken for one other class"
    source = OURS

    def look(self, case: DetectorCase) -> Finding | None:
        """The two classes; and the next two where there are any."""
        mixed = case.found.judged[case.found.judged["kind"] == "other class"]
        counts = case.found.part.boxes["label"].value_counts()
        pairs = mixed.groupby(["true", "label"]).size().sort_values(ascending=False)
        named = [(true, label, n) for (true, label), n in pairs.items() if n >= 3 and n / counts[true] >= CONFUSED]
        if not named:
            return None
        first, *more = [(f"{true} is taken for {label}", f"{n} of {counts[true]} boxes") for true, label, n in named]
        also = "".join(f", and {title}: {boxes}" for title, boxes in more[:1])
        return self.finding(
            first[0],
            f"{first[1]} on {case.found.on}{also}; look at them below: a wrong label, or boxes that need more photos "
            "of both",
        )


class Missed(Rule[DetectorCase]):
    """It misses far more than it makes up."""

    code = "missed"
    when = f"{ONE_SIDED:g} times as many boxes are missed as detections are of nothing"
    source = OURS

    def look(self, case: DetectorCase) -> Finding | None:
        """Look at what it misses."""
        if case.missed <= 10 or case.missed < ONE_SIDED * max(1, case.made_up):
            return None
        words = "look whether what it misses was drawn alike everywhere, or is small"
        return self.finding("It misses more than it makes up", f"{_both(case)}; {words}")


class MadeUp(Rule[DetectorCase]):
    """It makes up far more than it misses."""

    code = "made-up"
    when = f"{ONE_SIDED:g} times as many detections are of nothing as boxes are missed"
    source = OURS

    def look(self, case: DetectorCase) -> Finding | None:
        """Look whether boxes are missing."""
        if case.made_up <= 10 or case.made_up < ONE_SIDED * max(1, case.missed):
            return None
        words = "look whether boxes are missing in the photos, and add photos without objects"
        return self.finding("It makes up more than it misses", f"{_both(case)}; {words}")


def _both(case: DetectorCase) -> str:
    return f"at threshold {case.found.threshold:g} {case.missed} missed, {case.made_up} of nothing, on {case.found.on}"


class Crowded(Rule[DetectorCase]):
    """The fullest photos need more proposals."""

    code = "crowded"
    when = "the fullest training photo has more boxes than a third of the proposals"
    source = OURS

    def look(self, case: DetectorCase) -> Finding | None:
        """Three proposals a box."""
        fullest, proposals = int(case.dataset.part("train").boxes.groupby("path").size().max()), case.config.proposals
        if fullest * 3 <= proposals:
            return None
        return self.finding(
            "The fullest photos need more proposals",
            f"{fullest} boxes in one photo, {proposals} places that are looked at (rule: under 3 a box)",
            proposals=int(min(PARAMETERS["proposals"].high, -(-fullest * 3 // 50) * 50)),
        )


class Noise(Rule[DetectorCase]):
    """The best other run is as good."""

    code = "noise"
    when = "the average precision of the best other run lies in this one's interval"
    source = "bootstrap over photos (Efron 1979)"

    def look(self, case: DetectorCase) -> Finding | None:
        """Which run that is."""
        if case.others.empty or case.found.on != "validation":
            return None
        best = case.others.sort_values("validation_ap").iloc[-1]
        low, high = case.found.scores.ap_interval
        if not low <= best["validation_ap"] <= high:
            return None
        precision = f"average precision {case.found.scores.ap:.3f} ({low:.3f} to {high:.3f})"
        return self.finding(
            f"No reliable difference from {best['run']}", f"{precision}, there {best['validation_ap']:.3f}"
        )


DIVERGED = Diverged()

RULES: tuple[Rule[DetectorCase], ...] = (
    DIVERGED,
    FewBoxes(),
    SmallObjects(),
    Rising(),
    Confused(),
    Missed(),
    MadeUp(),
    Crowded(),
    Noise(),
)


def case_of(dataset: Dataset, found: Verdict) -> DetectorCase:
    """The case of a verdict.

    Runs on other photos or boxes can't be compared with its run, and are left out.
    """
    table, own = runs(dataset), found.run.provenance
    table = table[(table["run"] != found.run.id) & (table["best_epoch"] > 0)]
    same = [name for name in table["run"] if load_run(dataset, name).provenance.comparable(own)]
    return DetectorCase(dataset, found, table[table["run"].isin(same)])


def advise(dataset: Dataset, found: Verdict) -> list[Finding]:
    """What the rules say, the most pressing first; of a run that failed to learn only whether it diverged."""
    case = case_of(dataset, found)
    rules = RULES if len(found.run.history) else (DIVERGED,)
    return [finding for rule in rules if (finding := rule.speak(case)) is not None]
