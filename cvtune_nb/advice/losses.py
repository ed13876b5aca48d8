"""What an SVM on frozen features, or the model at hand, loses by what counts: of accuracy, its mistakes.

Every prediction of a gain is based on it: what halves the SVM's loss is taken to halve that of the model at hand.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cvtune_nb.advice.cross_validation import chances_by_photo, judged, right_by_photo
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import Answers
from cvtune_nb.data.groups import groups_at
from cvtune_nb.files import Progress, silent
from cvtune_nb.objectives import USUAL, Objective
from cvtune_nb.objectives.resampling import drawn
from cvtune_nb.workspace import Workspace

RESAMPLES = 1_000
"""Bootstrap samples of the photos behind every interval."""
A_TIME = 100
"""Of them that are weighed at a time."""


@dataclass(frozen=True)
class Losses:
    """What is lost on n photos: 1 minus a share, or a loss or cost itself.

    Attributes
    ----------
    paths
        Of the photos.
    totals
        The loss times the sum of the weights, for each of b weightings of the photos (b, n): how often each counts.
        Returns (b,).
    merit
        What counts on all of them, each once, so that larger is better.
    share
        Whether that is a share of 1.
    groups
        The group of each where some belong together, else None.
    mistake
        What one mistake counts, in the unit of the totals.
    """

    paths: pd.Index
    totals: Callable[[np.ndarray], np.ndarray]
    merit: float
    share: bool = True
    groups: np.ndarray | None = None
    mistake: float = 1.0

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def mean(self) -> float:
        """The loss on all of them."""
        return 1 - self.merit if self.share else -self.merit

    @property
    def smoothed(self) -> float:
        """The loss with half a mistake added, so that there is always some."""
        return self.mean + 0.5 * self.mistake / len(self)


def of_mistakes(right: pd.Series, photos: pd.DataFrame | None = None) -> Losses:
    """Those of accuracy.

    Parameters
    ----------
    right
        How often each photo is right (0 to 1), by path.
    photos
        Of the workspace, whose groups intervals allow for; None: all photos are alone.
    """
    wrong, paths = 1 - right.to_numpy(), pd.Index(right.index)
    groups = None if photos is None else groups_at(photos, paths)
    return Losses(paths, lambda weights: weights @ wrong, float(right.mean()), groups=groups)


def of_answers(objective: Objective, draws: Sequence[Answers]) -> Losses:
    """Those of an objective, the mean over several answers to the same photos."""
    statistics = [objective.statistic(each.truth(objective), each.chances.to_numpy(float)) for each in draws]

    def totals(weights: np.ndarray) -> np.ndarray:
        value = np.mean([statistic(weights) for statistic in statistics], axis=0)
        return weights.sum(1) * (1 - value if objective.SHARE else value)

    values = [objective.value(each.truth(objective), each.chances.to_numpy(float)) for each in draws]
    groups = None if draws[0].groups is None else draws[0].groups.to_numpy()
    merit, paths = objective.merit(float(np.mean(values))), draws[0].labels.index
    return Losses(paths, totals, merit, objective.SHARE, groups, objective.mistake)


def on_svm(
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    objective: Objective,
    progress: Progress = silent,
    fraction: float = 1.0,
    taught: pd.Series | None = None,
) -> Losses:
    """What a linear SVM loses, cross-validated on the train and validation photos.

    Parameters
    ----------
    workspace, photos, spec, progress, fraction, taught
        As for cross_validation.right_by_photo.
    objective
        What counts.

    Raises
    ------
    InputError
        When there are too few photos of a class, or the features can't be had.
    """
    how = {} if taught is None else {"taught": taught}
    if objective.text == USUAL:
        return of_mistakes(right_by_photo(workspace, photos, spec, progress, fraction, **how), photos)
    return of_answers(objective, svm_answers(workspace, photos, spec, objective, progress, fraction, taught))


def svm_answers(
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    objective: Objective,
    progress: Progress = silent,
    fraction: float = 1.0,
    taught: pd.Series | None = None,
) -> list[Answers]:
    """What such SVMs say of the photos, once for each draw. Arguments and errors as for `on_svm`."""
    found = chances_by_photo(workspace, photos, spec, progress, fraction, taught)
    rows = judged(photos)
    labels, columns = pd.Series(rows["label"].to_numpy(), index=rows["path"]), list(objective.classes)
    own = groups_at(photos, labels.index)
    groups = None if own is None else pd.Series(own, index=labels.index)
    return [Answers(labels, pd.DataFrame(one, index=labels.index, columns=columns), groups) for one in found]


def without(answers: Iterable[Answers], paths: Sequence[str]) -> list[Answers]:
    """The same of the other photos."""
    return [each.on(each.labels.index.difference(paths, sort=False)) for each in answers]


def resampled(*losses: Losses) -> np.ndarray:
    """Losses (RESAMPLES, len(losses)) on the same bootstrap samples of n photos, with half a mistake added to each.

    Of photos that belong together whole groups are drawn.
    """
    half = 0.5 * np.array([each.mistake for each in losses])
    return np.concatenate(
        [
            (np.stack([each.totals(weights) for each in losses], axis=1) + half) / (weights.sum(1, keepdims=True) + 1)
            for weights in _drawn(len(losses[0]), losses[0].groups)
        ]
    )


def _drawn(n: int, groups: np.ndarray | None) -> Iterator[np.ndarray]:
    """How often each of n photos is in each bootstrap sample (b, n), in parts."""
    if groups is not None:
        yield from drawn(n, groups=groups)
        return
    random = np.random.default_rng(0)
    for first in range(0, RESAMPLES, A_TIME):
        draws = [random.integers(n, size=n) for _ in range(min(A_TIME, RESAMPLES - first))]
        yield np.stack([np.bincount(one, minlength=n) for one in draws]).astype(float)
