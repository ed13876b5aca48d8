"""What a trained detector finds and misses on photos that it did not learn from, and what to change next."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cvtune_nb.advice import Finding
from cvtune_nb.classification import best_run as best_classifier
from cvtune_nb.classification.svm import baseline_predictions
from cvtune_nb.detection.anchors import LEAST_PIXELS, sides_in_pixels, suggested_size
from cvtune_nb.detection.average_precision import Scores, against_threshold, best_threshold, judged, scores
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.inference import detections
from cvtune_nb.detection.model import load_best
from cvtune_nb.detection.pixels import pictures
from cvtune_nb.detection.run import DetectorRun, load_run, runs
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy, paired, share
from cvtune_nb.models.networks import device
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS
from cvtune_nb.runs.provenance import groups_of

ENOUGH_BOXES = 100
"""Boxes of a class on training photos below which more are asked for: 2018's rule for photos of a class."""
RISING = 0.01
"""Gain of average precision in the last quarter of the epochs from which more epochs are advised."""
CONFUSED = 0.1
"""Share of a class's boxes that are taken for one other class from which the two are named."""
ONE_SIDED = 3.0
"""How many times as many missed as wrong (or the other way round) at the best threshold make a finding."""
OURS = "our own rule (detection.evaluation)"


@dataclass(frozen=True)
class Verdict:
    """run; on: which split it was measured on; part, detections: photos, boxes and what was found; scores;
    by_threshold: scores.against_threshold; threshold: with the highest f1; judged: scores.judged at it; left_out:
    photos of the split that are not counted, and notes: why, a sentence each."""

    run: DetectorRun
    on: str
    part: Part
    detections: pd.DataFrame
    scores: Scores
    by_threshold: pd.DataFrame
    threshold: float
    judged: pd.DataFrame
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind of scores.KINDS came, at the threshold."""
        return {str(kind): int(count) for kind, count in self.judged["kind"].value_counts().items()}

    @property
    def words(self) -> str:
        """For example "validation: AP 0.512, AP50 0.874 (95% interval 0.81 to 0.92), 55 photos ..."."""
        low, high = self.scores.ap50_interval
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        return (
            f"{self.on}: AP {self.scores.ap:.3f}, AP50 {self.scores.ap50:.3f} (95% interval {low:.3f} to {high:.3f}), "
            f"{self.scores.photos} photos, {self.scores.boxes} boxes; at threshold {self.threshold:g}: {counts}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "on": self.on,
            **self.scores.to_dict(),
            "threshold": self.threshold,
            "counts": self.counts,
            "left_out": self.left_out,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Fair:
    """The photos and boxes of a split by which a run may be judged; left_out: how many photos are not among them, and
    notes: why, a sentence each."""

    part: Part
    left_out: int
    notes: tuple[str, ...]


def fairly(dataset: Dataset, run: DetectorRun, on: str) -> Fair:
    """What a run may be judged by on a split: on test photos that it has not seen, nor copies of them; on the
    validation photos that it was measured on, where their boxes are still the same. Photos with objects of other
    classes than its own are left out."""
    part, present, notes = dataset.part(on), dataset.provenance, []
    foreign = part.boxes.loc[~part.boxes["label"].isin(run.classes), "path"].nunique()
    photos = part.photos[~part.photos["path"].isin(part.boxes.loc[~part.boxes["label"].isin(run.classes), "path"])]
    if on == "test":
        unseen = run.provenance.unseen(photos, present, groups_of(dataset.workspace))
        photos, notes = unseen.photos, [unseen.words]
    elif not run.provenance.comparable(present) and run.provenance.photos is not None:
        measured = run.provenance.photos.query("split == 'validation'").drop(columns="split")
        same = present.photos.merge(measured, on=["sha256", "label"])
        photos = photos[photos["sha256"].isin(same["sha256"])]
    if foreign:
        notes.append(f"{foreign} {on} photos with objects of classes that it does not know: not counted")
    kept = part.boxes[part.boxes["path"].isin(photos["path"])].reset_index(drop=True)
    left_out = len(part.photos) - len(photos)
    return Fair(Part(photos.reset_index(drop=True), kept), left_out, tuple(filter(None, notes)))


def verdict(
    dataset: Dataset,
    run: DetectorRun,
    on: str = "validation",
    seen: pd.DataFrame | None = None,
    threshold: float | None = None,
) -> Verdict:
    """Of the run's best epoch on validation; or of what was `seen` on another split, with a threshold that was chosen
    on validation. Only photos count by which it may be judged (`fairly`)."""
    fair, seen = fairly(dataset, run, on), run.detections() if seen is None else seen
    part, seen = fair.part, seen[seen["path"].isin(fair.part.photos["path"])]
    table = against_threshold(part, seen)
    chosen = best_threshold(table) if threshold is None else threshold
    return Verdict(
        run,
        on,
        part,
        seen,
        scores(part, seen, run.classes),
        table,
        chosen,
        judged(part, seen, chosen),
        fair.left_out,
        fair.notes,
    )


def verdict_on_test(dataset: Dataset, chosen: Verdict, progress: Progress = silent) -> Verdict:
    """Of the same run on the test photos that it has not seen, with the threshold that was chosen on validation. Raises
    InputError where there are none."""
    run, part = chosen.run, fairly(dataset, chosen.run, "test").part
    require_tested(dataset, run)
    seen = pictures(dataset.workspace, part.photos, run.config.image_size, progress)
    network = load_best(run).to(device())
    found = detections(network, part.photos, seen, run.classes, progress)
    return verdict(dataset, run, "test", found, chosen.threshold)


def require_tested(dataset: Dataset, run: DetectorRun) -> None:
    """Raises InputError where there is no test photo by which the run may be judged."""
    fair = fairly(dataset, run, "test")
    if fair.part.photos.empty:
        why = "; ".join(fair.notes) or "there are no test photos"
        raise InputError(f"run {run.id} can't be measured on the test set ({why}): add test photos, or train again")


@dataclass(frozen=True)
class Beside:
    """A detector as a classifier of whole photos, by its surest box, beside the best classifier of the workspace on the
    same validation photos: both accuracies, and in words which serves better."""

    detector: Accuracy
    classifier: Accuracy
    words: str


def beside_classifier(dataset: Dataset, found: Verdict) -> Beside | None:
    """The comparison on photos that both were measured on; None where the workspace has no classifier, or none of its
    classes is one that is detected. A photo in which nothing is found is wrong."""
    space = dataset.workspace
    known = baseline_predictions(space) if (space.folder / "manifest.csv").exists() else None
    name = "the SVM"
    if known is not None and (best := best_classifier(space)) is not None:
        name, known = best.id, best.predictions()
    if known is None or found.on != "validation":
        return None
    known = known[known["label"].isin(found.run.classes) & known["path"].isin(found.part.photos["path"])]
    if known.empty:
        return None
    surest = found.detections.sort_values("score", ascending=False).drop_duplicates("path")
    told = dict(zip(surest["path"], surest["label"], strict=True))
    ours = [told.get(path) == label for path, label in zip(known["path"], known["label"], strict=True)]
    theirs = (known["label"] == known["predicted"]).tolist()
    compared = paired(theirs, ours)
    sides = f"its surest box names {sum(ours)} of {len(ours)} validation photos right, {name} {sum(theirs)}"
    better = (
        "the detector serves better here"
        if compared.low > 0
        else ("the classifier serves better here, and is simpler" if compared.high < 0 else compared.words)
    )
    return Beside(share(sum(ours), len(ours)), share(sum(theirs), len(theirs)), f"as a classifier, {sides}: {better}")


def findings(dataset: Dataset, found: Verdict) -> list[Finding]:
    """What to change next, the most important first."""
    if found.run.history.empty:  # nothing was learned that could be judged
        return _diverged(dataset, found)
    rules = (_diverged, _few_boxes, _small_objects, _rising, _confused, _one_sided, _crowded, _noise)
    return [finding for rule in rules for finding in rule(dataset, found)]


def _diverged(_: Dataset, found: Verdict) -> list[Finding]:
    config = found.run.config
    if found.run.state != "diverged":
        return []
    rate = max(PARAMETERS["learning_rate"].low, float(f"{config.learning_rate / 10:.2g}"))
    evidence = f"the loss became infinite with learning rate {config.learning_rate:g}"
    return [Finding("diverged", "Training ran away", evidence, "2018's guide", {"learning_rate": rate})]


def _few_boxes(dataset: Dataset, found: Verdict) -> list[Finding]:
    counts = dataset.part("train").boxes["label"].value_counts()
    few = [(label, int(counts.get(label, 0))) for label in found.run.classes if counts.get(label, 0) < ENOUGH_BOXES]
    if not few:
        return []
    words = ", ".join(f"{label} {count}" for label, count in few[:6])
    return [
        Finding(
            "few-boxes",
            "Some classes have few boxes: draw more",
            f"on training photos {words} (rule: under {ENOUGH_BOXES})",
            "2018's guide asks for 100 photos a class",
        )
    ]


def _small_objects(dataset: Dataset, found: Verdict) -> list[Finding]:
    train, size = dataset.part("train"), found.run.config.image_size
    side = pd.Series(sides_in_pixels(train.boxes, train.photos, size).prod(axis=1) ** 0.5)
    by_class = side.groupby(train.boxes["label"].to_numpy()).median()
    small = by_class[by_class < LEAST_PIXELS]
    larger = (size * 4 // 3 + 31) // 32 * 32
    wanted, words = suggested_size(train.boxes, train.photos)
    if small.empty or larger > max(wanted, photos_side(train.photos)) or larger > PARAMETERS["image_size"].high:
        return []
    names = ", ".join(f"{label} {pixels:.0f} pixels" for label, pixels in small.items())
    change = {"image_size": int(larger)}
    if found.run.config.batch_size > 1:
        change |= {"batch_size": found.run.config.batch_size // 2, "learning_rate": found.run.config.learning_rate / 2}
    return [
        Finding(
            "small-objects",
            "Objects are small at this image size: look closer",
            f"the median side at {size} pixels is: {names} (rule: under {LEAST_PIXELS}); {words}",
            OURS,
            change,
        )
    ]


def photos_side(photos: pd.DataFrame) -> float:
    """The longer side, in pixels, that half of photos (width, height) reach."""
    return float(photos[["width", "height"]].max(axis=1).median())


def _rising(_: Dataset, found: Verdict) -> list[Finding]:
    history = found.run.history
    if len(history) < 4 or found.run.state != "done":
        return []
    last = history["validation_ap"].tail(max(2, len(history) // 4))
    gain = last.iloc[-1] - last.iloc[0]
    if found.run.best_epoch < history["epoch"].iloc[-1] or gain < RISING:
        return []
    epochs = min(PARAMETERS["epochs"].high, 2 * found.run.config.epochs)
    return [
        Finding(
            "rising",
            "It was still getting better: double the epochs",
            f"average precision rose by {gain:.3f} in the last {len(last)} epochs",
            OURS,
            {"epochs": int(epochs)},
        )
    ]


def _confused(_: Dataset, found: Verdict) -> list[Finding]:
    mixed = found.judged[found.judged["kind"] == "other class"]
    counts = found.part.boxes["label"].value_counts()
    pairs = mixed.groupby(["true", "label"]).size().sort_values(ascending=False)
    named = [(true, label, int(n)) for (true, label), n in pairs.items() if n >= 3 and n / counts[true] >= CONFUSED]
    return [
        Finding(
            "confused",
            f"{true} is taken for {label}",
            f"{n} of {counts[true]} boxes on {found.on}; look at "
            "them below: a wrong label, or boxes that need more photos of both",
            OURS,
        )
        for true, label, n in named[:2]
    ]


def _one_sided(_: Dataset, found: Verdict) -> list[Finding]:
    count = found.counts
    missed, wrong = len(found.part.boxes) - count.get("found", 0), count.get("nothing there", 0)
    evidence = f"at threshold {found.threshold:g} {missed} missed, {wrong} of nothing, on {found.on}"
    if missed > 10 and missed >= ONE_SIDED * max(1, wrong):
        return [
            Finding(
                "missed",
                "It misses more than it makes up",
                f"{evidence}; look whether what it misses was drawn alike everywhere, or is small",
                OURS,
            )
        ]
    if wrong > 10 and wrong >= ONE_SIDED * max(1, missed):
        return [
            Finding(
                "made-up",
                "It makes up more than it misses",
                f"{evidence}; look whether boxes are missing in the photos, and add photos without objects",
                OURS,
            )
        ]
    return []


def _crowded(dataset: Dataset, found: Verdict) -> list[Finding]:
    fullest = int(dataset.part("train").boxes.groupby("path").size().max())
    config = found.run.config
    if fullest * 3 <= config.proposals:
        return []
    proposals = min(PARAMETERS["proposals"].high, -(-fullest * 3 // 50) * 50)
    return [
        Finding(
            "crowded",
            "The fullest photos need more proposals",
            f"{fullest} boxes in one photo, {config.proposals} places that are looked at (rule: under 3 a box)",
            OURS,
            {"proposals": int(proposals)},
        )
    ]


def _noise(dataset: Dataset, found: Verdict) -> list[Finding]:
    """The best other run, when the two can't be told apart."""
    table, own = runs(dataset), found.run.provenance
    table = table[(table["run"] != found.run.id) & (table["best_epoch"] > 0)]
    same = [name for name in table["run"] if load_run(dataset, name).provenance.comparable(own)]
    if not same or found.on != "validation":
        return []
    best = table[table["run"].isin(same)].sort_values("validation_ap").iloc[-1]
    low, high = found.scores.ap_interval
    if not low <= best["validation_ap"] <= high:
        return []
    return [
        Finding(
            "noise",
            f"No difference to {best['run']} that you could rely on",
            f"average precision {found.scores.ap:.3f} ({low:.3f} to {high:.3f}), there {best['validation_ap']:.3f}",
            "bootstrap over photos (Efron 1979)",
        )
    ]
