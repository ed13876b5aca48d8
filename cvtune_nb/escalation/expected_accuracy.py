"""What to expect of a rung before it is run, by what counts, based on frozen features and the runs so far.

Errors are those of accuracy, or what is lost by another objective (advice.losses). How far fine-tuning lowers them, and
how sure that is, was measured for accuracy and is taken for other objectives, too, until runs here say more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pandas as pd
from scipy.stats import norm

from cvtune_nb.advice.cross_validation import cached
from cvtune_nb.advice.losses import on_svm
from cvtune_nb.classification import Run, load_run, runs
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import objective_in
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Z95
from cvtune_nb.models import backbones
from cvtune_nb.objectives import ACCURACY, Counted, Objective
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace, photos_id

LIFT = 0.75
"""Errors of a fine-tuned network over those of the SVM on its frozen features, before any run here tells
(docs/measurements.md, "Errors that fine-tuning leaves")."""
PIXELS = 0.75
"""Errors after doubling the image size over those before, where no features tell
(docs/measurements.md, "Errors at twice the image size")."""
SETS, RUNGS, UNKNOWN = 0.35, 0.2, 0.2
"""Standard deviations of log(errors) in these predictions: of LIFT from set to set, of runs on one set, and of
what PIXELS and ImageNet's accuracies say where no features tell (docs/measurements.md, "Accuracies expected of
rungs")."""
START = 0.2
"""Errors of the SVM where nothing at all is known: only the order of the rungs depends on it."""


@dataclass(frozen=True)
class ExpectedAccuracy:
    """Accuracy to expect on validation (0 to 1), or the value of what counts, with the 95% interval low..high.

    counted: what counts.
    """

    accuracy: float
    low: float
    high: float
    counted: Counted = ACCURACY

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """From what `to_dict` gave."""
        return cls(known["accuracy"], known["low"], known["high"], Counted.from_dict(known))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"accuracy": self.accuracy, "low": self.low, "high": self.high, **self.counted.to_dict()}

    def __str__(self) -> str:
        if self.counted.share:
            return f"{self.accuracy:.1%} ({self.low:.0%} to {self.high:.0%})"
        return f"{self.accuracy:.3f} ({self.low:.3f} to {self.high:.3f})"

    def better_than(self, best: float) -> float:
        """How far it may be expected to be better than `best` (Jones and others 1998, expected improvement)."""
        spread = max(1e-6, (self.high - self.low) / (2 * Z95))
        z = (self.accuracy - best) / spread
        z = z if self.counted.higher_is_better else -z
        return float(spread * (z * norm.cdf(z) + norm.pdf(z)))

    def at_most(self, best: float) -> float:
        """How far the better end of its interval is from `best`; 0 where it is worse."""
        return max(0.0, self.high - best if self.counted.higher_is_better else best - self.low)


class Normal(NamedTuple):
    """A normal distribution."""

    mean: float
    spread: float


def expected_accuracies(
    workspace: Workspace, configs: Sequence[Config], compute: bool = False, progress: Progress = silent
) -> list[ExpectedAccuracy]:
    """What accuracy to expect of each config, or of another objective, where the workspace has one.

    Parameters
    ----------
    workspace : Workspace
        Where photos and runs are.
    configs : sequence of Config
        Those to estimate.
    compute : bool
        Compute features that are not in the cache; otherwise what is missing is estimated from networks and image sizes
        that are there.
    progress : Progress
        Called with the fraction done and words.

    Raises
    ------
    InputError
        When a class has too few photos.
    """
    photos, objective = workspace.photos(), objective_in(workspace)
    done = _finished(workspace, photos)
    known: dict[FeatureSpec, float] = {}
    for spec in map(FeatureSpec.of, [*configs, *(run.config for run in done)]):
        if spec not in known and (compute or cached(workspace, photos, spec)):
            known[spec] = on_svm(workspace, photos, spec, objective, progress).smoothed
    lift = lift_of(done, known, int((photos["split"] == "validation").sum()), objective)
    return [expected_of(FeatureSpec.of(config), known, lift, Counted.of(objective)) for config in configs]


def lift_of(
    done: Sequence[Run], known: dict[FeatureSpec, float], photos: int, objective: Objective | None = None
) -> Normal:
    """What fine-tuning makes of the errors on this data set: before any run here as elsewhere, then as these say.

    The mean of a normal distribution with a normal prior (Gelman and others 2013, "Bayesian data analysis", 2.5). That
    some validation photos are harder than others is the same for all runs on them: it is in the prior's spread.

    Parameters
    ----------
    done
        The runs so far.
    known
        Errors of the SVM on features.
    photos
        How many validation photos there are.
    objective
        What counts; None: accuracy.
    """
    wrong = LIFT * (sum(known.values()) / len(known) if known else START)
    prior = SETS**2 + max(0.0, 1 - wrong) / (wrong * photos + 0.5)  # of the logarithm of a count
    seen = [
        math.log(max(lost, 0.5 / run.counts[1]) / _frozen(FeatureSpec.of(run.config), known))
        for run in done
        if (lost := _lost(run, objective)) is not None
    ]
    precision = 1 / prior + len(seen) / RUNGS**2
    mean = (math.log(LIFT) / prior + sum(seen) / RUNGS**2) / precision
    return Normal(mean, math.sqrt(1 / precision))


def _lost(run: Run, objective: Objective | None) -> float | None:
    """1 minus a share, or the loss or cost itself; None where that can't be told of the run."""
    if objective is None:
        return 1 - run.validation.value
    score = run.score(objective)
    return None if score is None else 1 - score.value if score.share else score.value


def expected_of(
    spec: FeatureSpec, known: dict[FeatureSpec, float], lift: Normal, counted: Counted = ACCURACY
) -> ExpectedAccuracy:
    """What to expect of a run that starts from such features.

    Parameters
    ----------
    spec
        The features.
    known
        Errors of the SVM on features.
    lift
        What `lift_of` gives.
    counted
        What counts.
    """
    spread = math.hypot(lift.spread, RUNGS, 0.0 if spec in known else UNKNOWN)
    return of_errors(_frozen(spec, known) * math.exp(lift.mean), spread, counted)


def of_errors(wrong: float, spread: float, counted: Counted = ACCURACY) -> ExpectedAccuracy:
    """What follows from the errors to expect.

    Parameters
    ----------
    wrong
        1 minus a share, or a loss or cost itself.
    spread
        Standard deviation of its logarithm.
    counted
        What counts.
    """
    worst, middle, best = (wrong * math.exp(sign * Z95 * spread) for sign in (1, 0, -1))
    if not counted.share:
        return ExpectedAccuracy(middle, best, worst, counted)
    low, middle, high = (1 - min(1.0, lost) for lost in (worst, middle, best))
    return ExpectedAccuracy(middle, low, high, counted)


def _finished(workspace: Workspace, photos: pd.DataFrame) -> list[Run]:
    """The runs that ran to their end on just these photos and labels."""
    known, wanted = runs(workspace), photos_id(photos)
    loaded = [load_run(workspace, name) for name in known.loc[known["state"] == "done", "run"]]
    return [run for run in loaded if run.data_id == wanted and run.config.epochs and len(run.history)]


def _frozen(spec: FeatureSpec, known: dict[FeatureSpec, float]) -> float:
    """Errors of the SVM on such features: measured, or estimated from the nearest ones that were."""
    if spec in known:
        return known[spec]
    if not known:
        return START * _factor(spec, FeatureSpec("efficientnet_lite0"))
    nearest = min(known, key=lambda other: abs(math.log(_factor(spec, other))))
    return known[nearest] * _factor(spec, nearest)


def _factor(spec: FeatureSpec, other: FeatureSpec) -> float:
    """Errors on one kind of features over those on another.

    What a better network leaves of them is taken from its ImageNet errors (Kornblith and others 2019, "Do better
    ImageNet models transfer better?": they go together).
    """
    known = [backbones.KNOWN.get(name) for name in (spec.backbone, other.backbone)]
    wrong = [1 - entry.imagenet for entry in known if entry and entry.imagenet]
    networks = wrong[0] / wrong[1] if len(wrong) == 2 else 1.0
    return networks * PIXELS ** math.log2(spec.image_size / other.image_size)
