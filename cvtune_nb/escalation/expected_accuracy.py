"""What accuracy to expect of a rung before it is run, based on frozen features and the runs so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from scipy.stats import norm

from cvtune_nb.advice.cross_validation import cached, right_by_photo
from cvtune_nb.classification import Run, load_run, runs
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Z95
from cvtune_nb.models import backbones
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
    """Accuracy to expect on validation (0 to 1), with the 95% interval low..high."""

    accuracy: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.accuracy:.1%} ({self.low:.0%} to {self.high:.0%})"

    def better_than(self, best: float) -> float:
        """How far it may be expected to exceed the accuracy `best` (Jones and others 1998, expected improvement)."""
        spread = max(1e-6, (self.high - self.low) / (2 * Z95))
        z = (self.accuracy - best) / spread
        return float(spread * (z * norm.cdf(z) + norm.pdf(z)))


class Normal(NamedTuple):
    """A normal distribution."""

    mean: float
    spread: float


def expected_accuracies(
    workspace: Workspace, configs: Sequence[Config], compute: bool = False, progress: Progress = silent
) -> list[ExpectedAccuracy]:
    """What accuracy to expect of each config.

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
    photos = workspace.photos()
    done = _finished(workspace, photos)
    known: dict[FeatureSpec, float] = {}
    for spec in map(FeatureSpec.of, [*configs, *(run.config for run in done)]):
        if spec not in known and (compute or cached(workspace, photos, spec)):
            right = right_by_photo(workspace, photos, spec, progress)
            known[spec] = (1 - right.mean()) + 0.5 / len(right)
    lift = lift_of(done, known, int((photos["split"] == "validation").sum()))
    return [expected_of(FeatureSpec.of(config), known, lift) for config in configs]


def lift_of(done: Sequence[Run], known: dict[FeatureSpec, float], photos: int) -> Normal:
    """What fine-tuning makes of the errors on this data set: before any run here as elsewhere, then as these say.

    The mean of a normal distribution with a normal prior (Gelman and others 2013, "Bayesian data analysis", 2.5). That
    some validation photos are harder than others is the same for all runs on them: it is in the prior's spread.
    """
    wrong = LIFT * (sum(known.values()) / len(known) if known else START)
    prior = SETS**2 + (1 - wrong) / (wrong * photos + 0.5)  # of the logarithm of a count
    seen = [
        math.log(max(1 - run.validation.value, 0.5 / run.counts[1]) / _frozen(FeatureSpec.of(run.config), known))
        for run in done
    ]
    precision = 1 / prior + len(seen) / RUNGS**2
    mean = (math.log(LIFT) / prior + sum(seen) / RUNGS**2) / precision
    return Normal(mean, math.sqrt(1 / precision))


def expected_of(spec: FeatureSpec, known: dict[FeatureSpec, float], lift: Normal) -> ExpectedAccuracy:
    """The accuracy to expect of a run that starts from such features."""
    spread = math.hypot(lift.spread, RUNGS, 0.0 if spec in known else UNKNOWN)
    wrong = _frozen(spec, known) * math.exp(lift.mean)
    low, middle, high = (1 - min(1.0, wrong * math.exp(sign * Z95 * spread)) for sign in (1, 0, -1))
    return ExpectedAccuracy(middle, low, high)


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
