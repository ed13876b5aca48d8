"""What each preset will cost and is expected to reach, before anything is begun."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.advice.cross_validation import judged, right_by_photo
from cvtune_nb.advice.losses import svm_answers
from cvtune_nb.classification import predict_cost
from cvtune_nb.classification.baseline import SVM_SECONDS
from cvtune_nb.classification.candidates import Speeds
from cvtune_nb.classification.combining.chooser import MOST_NETWORKS
from cvtune_nb.classification.features import FeatureSpec, missing
from cvtune_nb.classification.objective import measure, objective_in
from cvtune_nb.console import duration
from cvtune_nb.data.groups import groups_at
from cvtune_nb.data.pixels import needed_bytes
from cvtune_nb.errors import InputError
from cvtune_nb.escalation.expected_accuracy import LIFT, ExpectedAccuracy, of_errors
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Z95
from cvtune_nb.models import backbones
from cvtune_nb.objectives import USUAL, Counted, Objective
from cvtune_nb.parameters import Config
from cvtune_nb.pipeline.planner import EXPORT_SECONDS, Planner
from cvtune_nb.pipeline.presets import TRIALS, Preset
from cvtune_nb.runs.cost import DECODE_SECONDS
from cvtune_nb.workspace import Workspace

SAMPLED = 400
"""Photos whose features are computed for the accuracy to expect, where not all are there: seconds on any machine."""
OF_A_CLASS = 10
"""Of each class at least so many, where there are: an SVM is cross-validated on them."""
PASSES = 54
"""Over the validation photos that combining the best six classifiers takes at most: nine each
(combining.search.expected_seconds)."""
AUDIT_SECONDS = 0.01
"""Of the audit, a photo, beside the features: a guess (docs/measurements.md, "Presets: expected and reached")."""
FORMS = 5
"""Times the weights of a network that an export takes on disk: it has them in several forms."""
LEARNING = 0.2
"""Errors fall with this power of the training photos, where only a sample is looked at: a guess (docs/measurements.md,
"Presets: expected and reached")."""
BEST = 0.93
"""Errors that `best` leaves over those of `good`: a guess (docs/measurements.md, "Presets: expected and reached")."""
SPREADS = {"quick": 0.12, "good": 0.3, "best": 0.35}
"""Standard deviation of log(errors) in what is expected, beside that of the photos that are counted: a guess
(docs/measurements.md, "Presets: expected and reached")."""


@dataclass(frozen=True)
class Offer:
    """A preset, what it costs here, and what it is expected to reach on the test photos.

    Attributes
    ----------
    preset
        What is done.
    seconds, disk_megabytes, download_megabytes
        What it takes: never more than its budget; 0 of what is there already.
    expected
        None where it can't be known; `why` says why.
    why
        What the expectation rests on, or why there is none.
    whole_seconds
        What all of it would take without a budget.
    """

    preset: Preset
    seconds: float
    disk_megabytes: float
    download_megabytes: float
    expected: ExpectedAccuracy | None
    why: str
    whole_seconds: float = 0.0

    @property
    def cost(self) -> str:
        """For example "about 6 min, 0.5 GB of disk, nothing to download"."""
        fetched = f"{self.download_megabytes:.0f} MB to download" if self.download_megabytes else "nothing to download"
        cut = f" (its budget; all of it would take {duration(self.whole_seconds)})" if self.cut else ""
        return f"about {duration(self.seconds)}{cut}, {self.disk_megabytes / 1000:.1f} GB of disk, {fetched}"

    @property
    def cut(self) -> bool:
        """Whether not all of it fits into the budget."""
        return self.whole_seconds > self.seconds

    @property
    def accuracy(self) -> str:
        """For example "accuracy 91.0% (85% to 95%) expected on test photos, judged from ..."; of what counts."""
        fits = " if all of it fits" if self.cut else ""
        if not self.expected:
            return self.why
        return f"{self.expected.counted.label} {self.expected} expected on test photos{fits}, {self.why}"

    @property
    def words(self) -> str:
        """All of it in a line."""
        return f"{self.preset.name} ({self.preset.meaning}): {self.cost}; {self.accuracy}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        values = {name: getattr(self, name) for name in ("seconds", "disk_megabytes", "download_megabytes", "why")}
        return {"preset": self.preset.name, **values, "expected": self.expected and self.expected.to_dict()}


def offers(
    workspace: Workspace,
    config: Config,
    presets: Iterable[Preset],
    budget: float = math.inf,
    progress: Progress = silent,
) -> Iterator[Offer]:
    """What each of some presets costs and is expected to reach, one after the other.

    The features of a sample of the photos are computed where there are none, and steps of training are tried.

    Parameters
    ----------
    workspace, config
        The photos, and what is trained first.
    presets
        Cheapest first.
    budget
        Seconds, where less is given than a preset may take by itself.
    progress
        Called with the fraction done and what is under way.

    Raises
    ------
    InputError
        The network can't be used with these photos.
    """
    plan = _Plan(workspace, config, progress)
    objective = objective_in(workspace)
    errors, why = _errors(workspace, FeatureSpec.of(config), objective, progress)
    for preset in presets:
        seconds, disk, download = plan.of(preset)
        yield Offer(
            preset,
            min(seconds, preset.budget, budget),
            disk,
            download,
            None if errors is None else _expected(workspace, errors, objective, preset.name),
            why,
            seconds,
        )


class _Plan(Planner):
    """The costs of steps, added up."""

    def __init__(self, workspace: Workspace, config: Config, progress: Progress):
        self.workspace, self.config, self.progress = workspace, config, progress
        self.deadline, self.impossible = time.monotonic() + 30 * 24 * 3600, {}

    def of(self, preset: Preset) -> tuple[float, float, float]:
        """Seconds, megabytes of disk, megabytes to download."""
        space, spec, photos = self.workspace, FeatureSpec.of(self.config), self.workspace.photos()
        spec.require_usable(photos)
        todo, n = missing(space, spec, photos["sha256"].tolist()), len(photos)
        seconds = EXPORT_SECONDS + AUDIT_SECONDS * n + SVM_SECONDS * n * photos["label"].nunique()
        speeds = Speeds(space, [spec], self.progress)
        seconds += len(todo) * (DECODE_SECONDS + 1 / speeds.of(spec))
        disk = needed_bytes(space, photos, spec.preprocessing) / 1e6 + FORMS * backbones.megabytes(spec.backbone)
        networks = {(spec.backbone, spec.weights)}
        if not preset.steps:
            return seconds, disk, self._fetched(networks)
        usual = predict_cost(space, self.config, self.progress)
        if "train" in preset.steps:
            seconds, disk = seconds + usual.seconds, disk + usual.disk_megabytes
        if "escalate" in preset.steps:
            for rung in filter(self.possible, self.higher_rungs()):
                more = predict_cost(space, rung, self.progress)
                seconds, disk = seconds + more.seconds, disk + more.disk_megabytes
                networks.add((rung.backbone, rung.weights))
        if "sweep" in preset.steps:
            seconds, disk = seconds + TRIALS * usual.seconds, disk + TRIALS * usual.disk_megabytes
        if "combine" in preset.steps:
            seconds += PASSES * int((photos["split"] == "validation").sum()) / speeds.of(spec)
            seconds += (MOST_NETWORKS - 1) * EXPORT_SECONDS
        return seconds, disk, self._fetched(networks)

    @staticmethod
    def _fetched(networks: Iterable[tuple[str, str]]) -> float:
        """Megabytes to download."""
        return sum(each.megabytes for network in networks if (each := backbones.download(*network)))


class _Errors(NamedTuple):
    """What an SVM on frozen features loses: 1 minus a share, or a loss or cost itself.

    spread: standard deviation of its logarithm, by the n photos that it was counted on.
    """

    wrong: float
    spread: float
    n: int


def _errors(
    workspace: Workspace, spec: FeatureSpec, objective: Objective, progress: Progress
) -> tuple[_Errors | None, str]:
    """The errors of the SVM by what counts, None where they can't be known; and what that rests on."""
    photos = workspace.photos()
    try:
        used = judged(photos)
        sample = used
        if len(used) > SAMPLED and missing(workspace, spec, used["sha256"].tolist()):
            each = (used["label"].value_counts() * SAMPLED / len(used)).round().clip(lower=OF_A_CLASS).astype(int)
            some = [rows.sample(min(len(rows), each[label]), random_state=0) for label, rows in used.groupby("label")]
            sample = pd.concat(some).sort_index()
        (value, worst), n = _lost(workspace, sample, spec, objective, progress), len(sample)
    except InputError as error:
        return None, f"what it reaches can't be known beforehand: {error}"
    wrong = (value * n + 0.5 * objective.mistake) / (n + 1)
    spread = math.log(max(worst, wrong) / wrong) / Z95
    growth = (n / len(used)) ** LEARNING
    return _Errors(
        wrong * growth, spread / math.sqrt(growth), n
    ), f"judged from an SVM cross-validated on {n} of {len(used)} photos"


def _lost(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, objective: Objective, progress: Progress
) -> tuple[float, float]:
    """What the SVM loses on these photos, and the worse end of its interval, which allows for groups."""
    if objective.text == USUAL:
        right = right_by_photo(workspace, photos, spec, progress)
        found = metrics.rate(right, groups_at(photos, right.index))
        return 1 - found.value, 1 - found.low
    score = measure(objective, svm_answers(workspace, photos, spec, objective, progress)[0])
    return (1 - score.value, 1 - score.low) if score.share else (score.value, score.high)


def _expected(workspace: Workspace, errors: _Errors, objective: Objective, preset: str) -> ExpectedAccuracy:
    """What to expect on the test photos, with what counting so few of them adds to its interval."""
    wrong = errors.wrong * {"quick": 1.0, "good": LIFT, "best": LIFT * BEST}[preset]
    test = max(1, int((workspace.photos()["split"] == "test").sum()))
    chance = errors.spread * math.sqrt(errors.wrong / wrong * (1 + errors.n / test))  # fewer errors are less sure
    return of_errors(wrong, math.hypot(SPREADS[preset], chance), Counted.of(objective))


def table(made: Iterable[Offer]) -> pd.DataFrame:
    """preset, what it does, what it costs, and what it is expected to reach: a row each."""
    rows = [(one.preset.name, one.preset.meaning, one.cost, one.accuracy) for one in made]
    return pd.DataFrame(rows, columns=["preset", "what it does", "cost", "accuracy"])
