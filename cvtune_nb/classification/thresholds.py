"""Thresholds of single classes: from which probability on a class is the answer, to find enough of it or be right."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import beta

from cvtune_nb import metrics
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import decided

RECALL, PRECISION = "recall", "precision"
ROUNDS = 20
"""Passes over the targets: each threshold depends on the others only where two classes claim one photo."""
DRAWS = 200
"""Bootstrap samples for what to expect: its mean is then good to a tenth of the spread of one sample."""
OVERALL = ("", "accuracy", math.nan, math.nan)
"""What stands in the row of all classes, in place of a target."""
_FORM = re.compile(r"(?P<label>.+):(?P<kind>recall|precision)=(?P<value>[\d.]+)")


@dataclass(frozen=True)
class Target:
    """What the answers of one class shall reach.

    Attributes
    ----------
    label
        The class.
    kind
        RECALL: the share of its photos that is found; PRECISION: the share of its answers that is right.
    value
        Above 0 and below 1.
    """

    label: str
    kind: str
    value: float

    def __str__(self) -> str:
        return f"{self.label}:{self.kind}={self.value:g}"

    @classmethod
    def of(cls, text: str, classes: Sequence[str]) -> "Target":
        """From CLASS:recall=.9 or CLASS:precision=.95. Raises InputError where it is neither, or for a class unknown.

        Parameters
        ----------
        text
            As typed.
        classes
            Names of the classes there are.
        """
        match = _FORM.fullmatch(text.strip())
        if not match:
            raise InputError(f"target is {text!r}: write CLASS:recall=.9 or CLASS:precision=.95")
        if match["label"] not in classes:
            raise InputError(f"target is {text!r}: there is no class {match['label']!r}, but {', '.join(classes)}")
        try:
            value = float(match["value"])
        except ValueError:
            value = 0.0
        if not 0 < value < 1:
            raise InputError(f"target is {text!r}: choose a {match['kind']} above 0 and below 1")
        return cls(match["label"], match["kind"], value)


def thresholds_for(
    truth: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    targets: Sequence[Target],
    costs: np.ndarray | None = None,
    groups: ArrayLike | None = None,
) -> np.ndarray:
    """Thresholds by which the targets are met on photos like these.

    How the answers follow them: export.predict.decided. Found so that a further photo meets a recall target with at
    least that probability, whatever the network: the quantile of n photos is taken among n + 1 (split conformal
    prediction: Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2023, "Conformal prediction: a gentle
    introduction"). A precision counts one wrong answer more than there is, for the same reason. Where photos belong
    together it is a further group: among so many groups + 1, with the photos of all pooled (Dunn, Wasserman and Ramdas
    2022, "Distribution-free prediction sets for two-layer hierarchical models"). How often targets are met so:
    docs/measurements.md, "Thresholds of single classes".

    Parameters
    ----------
    truth
        Class ids (n,) of photos that the network was not trained on.
    probabilities
        Of each class (n, classes).
    classes
        Their names.
    targets
        At most one of each class.
    costs
        Of mistakes (classes, classes), a row for each true class, where the answers without a threshold follow these.
    groups
        The group of each photo where some belong together.

    Returns
    -------
    array
        Thresholds (classes,); NaN where a class has none.

    Raises
    ------
    InputError
        There are too few photos of the class for this recall, no threshold reaches this precision, or two targets can't
        be met at once.
    """
    ids, given, names = np.asarray(truth, int), np.asarray(probabilities, float), list(classes)
    own = np.arange(len(ids)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    columns = [names.index(target.label) for target in targets]
    if len(set(columns)) < len(columns):
        raise InputError("targets name a class twice: give each class one target")
    limits = np.full(len(names), math.nan)
    limits[columns] = 0.5
    for _ in range(ROUNDS):
        before = limits.copy()
        for column, target in zip(columns, targets, strict=True):
            limits[column] = _threshold(ids == column, _scores(given, limits, column), target, own)
        if np.allclose(limits, before, rtol=1e-6, equal_nan=True):
            break
    _require_met(ids, decided(given, limits, costs), names, targets)
    return limits


def _require_met(truth: np.ndarray, answers: np.ndarray, classes: Sequence[str], targets: Sequence[Target]) -> None:
    """Raises InputError where one target can't be met because of another."""
    met = _reached(truth, answers, classes, targets)
    short = [
        f"{target} ({value:.2f})" for target, (value, _) in zip(targets, met, strict=False) if value < target.value
    ]
    if short:
        raise InputError(
            f"not all of {', '.join(map(str, targets))} can be met at once: {', '.join(short)} is what is left on the "
            "validation photos: lower one of them"
        )


def expected(
    truth: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    targets: Sequence[Target],
    costs: np.ndarray | None = None,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> pd.DataFrame:
    """What thresholds for these targets change, as it may be expected on other photos.

    Thresholds are chosen on each of DRAWS bootstrap samples and judged on the photos that were not drawn, as
    metrics.best_of judges a choice of runs; the width of the intervals is that of as many photos as there are. The
    recall that a threshold has on other photos follows a Beta distribution (Vovk 2012, "Conditional validity of
    inductive conformal predictors"), which is exact where no other class has one. Where photos belong together whole
    groups are drawn, and a group counts as one photo.

    Parameters
    ----------
    truth, probabilities, classes, targets, costs
        As for `thresholds_for`.
    seed
        Of the samples.
    groups
        As for `thresholds_for`.

    Returns
    -------
    DataFrame
        A row for each target, and one for the accuracy over all classes (label ""): label, kind, target, threshold,
        before (with answers without thresholds), found (on these photos), expected, low, high, photos. NaN where
        there is none.
    """
    ids, given, names = np.asarray(truth, int), np.asarray(probabilities, float), list(classes)
    limits, without = thresholds_for(ids, given, classes, targets, costs, groups), decided(given, None, costs)
    of_photo = np.arange(len(ids)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    members = np.split(np.argsort(of_photo, kind="stable"), np.cumsum(np.bincount(of_photo))[:-1])
    random, judged = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        units = random.integers(len(members), size=len(members))
        drawn = np.concatenate([members[unit] for unit in units])
        out = np.setdiff1d(np.arange(len(ids)), drawn)
        again = None if groups is None else np.repeat(np.arange(len(units)), [len(members[unit]) for unit in units])
        try:
            own = thresholds_for(ids[drawn], given[drawn], classes, targets, costs, again)
        except InputError:  # too few photos of a class were drawn
            continue
        answers = decided(given[out], own, costs)
        judged.append([share for share, _ in _reached(ids[out], answers, classes, targets)])
    means = np.nanmean(judged, axis=0) if judged else np.full(len(targets) + 1, math.nan)
    answers = decided(given, limits, costs)
    reached = zip(_reached(ids, without, classes, targets), _reached(ids, answers, classes, targets), strict=True)
    rows = []
    for target, mean, ((before, _), (found, photos)) in zip([*targets, None], means, reached, strict=True):
        if target and target.kind == RECALL:
            units = len(np.unique(of_photo[ids == names.index(target.label)]))
            about = _of_recall(units, target.value, mean if len(targets) > 1 else None)
        elif photos and math.isfinite(mean):
            counted = answers == names.index(target.label) if target else np.ones(len(ids), bool)
            own = None if groups is None else of_photo[counted]
            share = metrics.alike(
                metrics.share(round(mean * photos), photos), metrics.rate((answers == ids)[counted], own)
            )
            about = mean, share.low, share.high
        else:
            about = math.nan, math.nan, math.nan
        named = (target.label, target.kind, target.value, limits[names.index(target.label)]) if target else OVERALL
        rows.append((*named, before, found, *about, photos))
    columns = ["label", "kind", "target", "threshold", "before", "found", "expected", "low", "high", "photos"]
    return pd.DataFrame(rows, columns=columns)


def _of_recall(units: int, target: float, judged: float | None) -> tuple[float, float, float]:
    """What recall to expect of a threshold that was chosen on so many photos, or groups, with its 95% interval.

    judged: what the bootstrap samples gave, which counts where other classes claim the same photos; it is low, because
    a sample has fewer different photos, so the interval reaches down to it and not less far up.
    """
    missed = _missed(units, target)
    of = beta(units + 1 - missed, missed)
    low, mean, high = of.ppf(0.025), of.mean(), of.ppf(0.975)
    if judged is None or math.isnan(judged):
        return mean, low, high
    return judged, max(0.0, low + min(0.0, judged - mean)), high


def _missed(units: int, target: float) -> int:
    """How many of the photos, or groups, of a class may be missed for a recall."""
    return math.floor((units + 1) * (1 - target) + 1e-9)


def _reached(
    truth: np.ndarray, answers: np.ndarray, classes: Sequence[str], targets: Sequence[Target]
) -> list[tuple[float, int]]:
    """Recall or precision of each target, and the accuracy, each with the photos that it counts; NaN of none."""
    right, found = truth == answers, []
    for target in targets:
        counted = (truth if target.kind == RECALL else answers) == list(classes).index(target.label)
        found.append((float(right[counted].mean()) if counted.any() else math.nan, int(counted.sum())))
    return [*found, (float(right.mean()) if len(right) else math.nan, len(right))]


def _ratios(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many times its threshold each class reaches (n, classes); 0 where it has none."""
    return np.where(np.isnan(thresholds), 0.0, probabilities / np.where(np.isnan(thresholds), 1.0, thresholds))


def _scores(probabilities: np.ndarray, thresholds: np.ndarray, column: int) -> np.ndarray:
    """Of each photo (n,), the largest threshold of this class by which it would be the answer."""
    others = thresholds.copy()
    others[column] = math.nan
    return probabilities[:, column] / np.maximum(1.0, _ratios(probabilities, others).max(1))


def _threshold(of_class: np.ndarray, scores: np.ndarray, target: Target, groups: np.ndarray) -> float:
    ranked, units = np.sort(scores[of_class]), len(np.unique(groups[of_class]))
    if target.kind == RECALL:
        if not _missed(units, target.value):
            need = math.ceil(1 / (1 - target.value) - 1e-9) - 1
            among, groups_of = (f" in {units} groups", " groups") if units < len(ranked) else ("", "")
            raise InputError(
                f"{len(ranked)} validation photos{among} of {target.label!r} are too few for a recall of "
                f"{target.value:g}: it takes {need}{groups_of}, or choose a lower recall"
            )
        # the groups that may be missed, less the further one, as a share of the photos of all groups
        missed = math.floor(((units + 1) * (1 - target.value) - 1) / units * len(ranked) + 1e-9)
        return max(float(ranked[missed]), float(np.finfo(np.float32).tiny))
    more = len(groups) / len(np.unique(groups))  # wrong answers than there are: those of a group
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(of_class[order])
    reached = right / (np.arange(len(order)) + 1 + more) >= target.value
    last = np.append(scores[order][1:] != scores[order][:-1], True)  # photos of one score are on the same side
    if not (reached & last).any():
        raise InputError(
            f"no threshold of {target.label!r} reaches a precision of {target.value:g} on the {len(ranked)} validation "
            "photos of it: choose a lower precision, or add photos"
        )
    return float(scores[order][np.flatnonzero(reached & last)[-1]])
