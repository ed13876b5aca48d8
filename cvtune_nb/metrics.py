"""How good is it, and how sure can one be? Accuracies with intervals, confusion, paired comparisons."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from scipy.stats import t as student

Z95 = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""

CERTAIN, PROBABLE = 0.05, 0.2
"""Two-sided p values below which a difference counts as certain (the usual convention, Fisher 1925), and a gain as
probable: if gains and losses were equally likely beforehand, it is real with a probability of about 1 - p / 2, 90% or
more, which the IPCC calls "very likely" (Mastrandrea and others 2010, guidance on the treatment of uncertainties)."""


@dataclass(frozen=True)
class Accuracy:
    """Fraction of n photos that were right, with its 95% Wilson interval low..high (Wilson 1927).

    groups: in how many groups they are, where some belong together (`clustered`); 0 where each is alone.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int = 0

    def __str__(self) -> str:
        among = f" in {self.groups} groups" if self.groups else ""
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}, {self.n} photos{among})"

    @property
    def interval(self) -> list[float]:
        """[low, high]."""
        return [self.low, self.high]

    def to_dict(self) -> dict[str, float]:
        """The fields as plain values; groups only where there are some."""
        return {name: value for name, value in asdict(self).items() if name != "groups" or value}


def share(right: int, n: int) -> Accuracy:
    """`right` of `n` as an Accuracy; n = 0 gives 0 with the interval 0..1."""
    if n == 0:
        return Accuracy(0.0, 0.0, 1.0, 0)
    p = right / n
    return Accuracy(p, *_wilson(p, n), int(n))


def _wilson(p: float, n: float) -> tuple[float, float]:
    """The 95% interval of a fraction p of n photos, n > 0 (Wilson 1927)."""
    z2 = Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half))


def accuracy(truth: ArrayLike, predicted: ArrayLike, groups: ArrayLike | None = None) -> Accuracy:
    """Fraction of `predicted` that equals `truth`.

    Parameters
    ----------
    truth, predicted
        Labels of n photos, in the same order.
    groups
        The group of each where photos belong together, for an interval that allows for that.
    """
    right = np.asarray(truth) == np.asarray(predicted)
    return share(int(right.sum()), right.size) if groups is None else clustered(right, groups)


def confusion(truth: Iterable[str], predicted: Iterable[str], classes: Iterable[str]) -> pd.DataFrame:
    """Counts of photos: a row for each true class, a column for each predicted one.

    Parameters
    ----------
    truth, predicted
        Labels of n photos, in the same order.
    classes
        The labels that have a row and a column, in this order.
    """
    counts = pd.crosstab(pd.Series(list(truth), name="true"), pd.Series(list(predicted), name="predicted"))
    return counts.reindex(index=list(classes), columns=list(classes), fill_value=0)


def per_class(truth: ArrayLike, predicted: ArrayLike, classes: Iterable[str]) -> pd.DataFrame:
    """Precision and recall of each class.

    Parameters
    ----------
    truth, predicted
        Labels of n photos, in the same order.
    classes
        Labels to report on, in the order of the rows.

    Returns
    -------
    DataFrame
        label,photos,precision,recall,low,high: low..high is the 95% interval of the recall. The precision of a class
        that was never predicted is 0.
    """
    true_labels, predicted_labels = np.asarray(truth), np.asarray(predicted)
    rows = []
    for label in classes:
        of_class, called_so = np.equal(true_labels, label), np.equal(predicted_labels, label)
        recall = share(int((of_class & called_so).sum()), int(of_class.sum()))
        precision = (of_class & called_so).sum() / max(1, called_so.sum())
        rows.append((label, recall.n, float(precision), recall.value, recall.low, recall.high))
    return pd.DataFrame(rows, columns=["label", "photos", "precision", "recall", "low", "high"])


class Verdict(StrEnum):
    """What may be said of the second of two classifiers, beside the first."""

    WORSE = "worse"
    NO_DIFFERENCE = "no reliable difference"
    PROBABLY_BETTER = "probably better, not yet certain"
    BETTER = "better"


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same photos: accuracy of the second minus the first, and how sure one can be of it.

    low..high is the 95% interval of the difference, p the exact McNemar p value.
    """

    difference: float
    low: float
    high: float
    p: float
    words: str

    @property
    def verdict(self) -> Verdict:
        """What may be said of the second."""
        return _verdict(self.difference, self.p)


def paired(right_first: ArrayLike, right_second: ArrayLike) -> Paired:
    """Compare which of the same n photos each got right.

    By an exact McNemar test (McNemar 1947) and the Wald interval with Agresti and Min's (2005) correction of half a
    photo in each cell.
    """
    first, second = np.asarray(right_first, bool), np.asarray(right_second, bool)
    if first.shape != second.shape:
        raise ValueError("paired needs the same photos for both")
    n, gained, lost = first.size, int((~first & second).sum()), int((first & ~second).sum())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    difference = (gained - lost) / max(1, n)
    g, loss, m = gained + 0.5, lost + 0.5, n + 2
    half = Z95 * math.sqrt(g + loss - (g - loss) ** 2 / m) / m
    low, high = max(-1.0, (g - loss) / m - half), min(1.0, (g - loss) / m + half)
    verdict = _verdict(difference, p)
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        words = f"{abs(difference) * 100:.1f} points {verdict} (p = {p:.2g})"
    else:
        words = f"{verdict} ({difference * 100:+.1f} points, p = {p:.2g}, {n} photos)"
    return Paired(difference, low, high, p, words)


def smallest_difference(discordant: float, photos: int) -> float:
    """The smallest difference of two accuracies that so many photos can show.

    That is where McNemar's test (1947) begins to find one: of b photos that one model alone gets right and c that the
    other does, (b - c)^2 / (b + c) is more than 1.96^2. With d the share of both among n photos, the difference
    (b - c) / n is more than 1.96 sqrt(d / n); and b + c is at least 1.96^2.

    Parameters
    ----------
    discordant
        Share of the photos that exactly one of both gets right.
    photos
        How many there are.
    """
    return max(Z95 * math.sqrt(discordant / photos), Z95**2 / photos)


def _verdict(difference: float, p: float) -> Verdict:
    if p < CERTAIN:
        return Verdict.BETTER if difference > 0 else Verdict.WORSE
    return Verdict.PROBABLY_BETTER if p < PROBABLE and difference > 0 else Verdict.NO_DIFFERENCE


@dataclass(frozen=True)
class Chosen:
    """The best of several runs on the photos that it was chosen on.

    Attributes
    ----------
    found
        Its accuracy there, which flatters it.
    expected, low, high
        What to expect on other photos, with the 95% interval.
    words
        Both.
    """

    run: str
    found: float
    expected: float
    low: float
    high: float
    words: str


def best_of(right: pd.DataFrame, draws: int = 1_000, seed: int = 0) -> Chosen:
    """The best of k runs, with its accuracy corrected for having been chosen.

    In each of `draws` bootstrap samples of the photos the best run is chosen on the photos that were drawn and judged
    on those that were not (Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions
    for efficient and accurate cross-validation"). How far off it is with and without the correction:
    docs/measurements.md, "The best of several runs".

    Parameters
    ----------
    right
        A row for each of n photos, a column for each of k runs, True where the run was right. Ties: the first run.
    draws
        Number of bootstrap samples.
    seed
        Of the random numbers.

    Raises
    ------
    ValueError
        Without a photo or a run.
    """
    answers = right.to_numpy(dtype=float)
    n, k = answers.shape
    if not n or not k:
        raise ValueError("best_of needs at least one photo and one run")
    best = int(answers.mean(0).argmax())
    found, random, judged = float(answers[:, best].mean()), np.random.default_rng(seed), []
    for _ in range(draws):
        drawn = np.bincount(random.integers(n, size=n), minlength=n)
        if (out := drawn == 0).any():
            judged.append(answers[out, (drawn @ answers).argmax()].mean())
    whole = share(round(found * n), n)
    expected = float(np.mean(judged)) if judged and k > 1 else found
    # as wide as the interval of one run, about what is expected of the chosen one
    low, high = (max(0.0, min(1.0, end - found + expected)) for end in whole.interval)
    words = f"{expected:.1%} ({low:.1%} to {high:.1%}) may be expected of {right.columns[best]} on other photos"
    if k > 1:
        words += f", not the {found:.1%} found here: it was chosen as the best of {k} on these {n} photos"
    return Chosen(str(right.columns[best]), found, expected, low, high, words)


def gap(history: pd.DataFrame, counts: tuple[int, int]) -> pd.DataFrame:
    """Train minus validation accuracy by epoch: epoch,gap,low,high, all but the epoch -1..1.

    low..high is the 95% interval of Agresti and Caffo (2000), a Wald interval with one right and one wrong photo added
    to each side, which holds even where all training photos are right.

    history: columns epoch,train_accuracy,validation_accuracy. counts: photos that these two were measured on.
    """
    parts = [history[f"{name}_accuracy"].to_numpy(dtype=float) for name in ("train", "validation")]
    p, q = ((part * n + 1) / (n + 2) for part, n in zip(parts, counts, strict=True))
    half = Z95 * np.sqrt(p * (1 - p) / (counts[0] + 2) + q * (1 - q) / (counts[1] + 2))
    found = parts[0] - parts[1]
    low = np.maximum(-1.0, np.minimum(found, p - q - half))
    high = np.minimum(1.0, np.maximum(found, p - q + half))
    return pd.DataFrame({"epoch": history["epoch"].to_numpy(dtype=int), "gap": found, "low": low, "high": high})


def opened(gaps: pd.DataFrame) -> int | None:
    """The epoch in which the gap opened, or None: from then on it is above 0 with its interval and wider than at first.

    gaps: what `gap` gives.
    """
    if gaps.empty:
        return None
    open_ = (gaps["low"] > 0) & (gaps["gap"] > gaps["gap"].iloc[0] + 1e-9)
    still = open_[::-1].cummin()[::-1]
    return int(gaps.loc[still, "epoch"].iloc[0]) if still.any() else None


def gap_in_words(gaps: pd.DataFrame) -> str:
    """For example "the gap opened in epoch 3: train is 12.0 points (8.1 to 16.2) above validation".

    gaps: what `gap` gives, at least one row.
    """
    first, last, epoch = gaps.iloc[0], gaps.iloc[-1], opened(gaps)
    size = f"{last['gap'] * 100:.1f} points ({last['low'] * 100:.1f} to {last['high'] * 100:.1f})"
    if last["low"] <= 0:
        return f"no gap beyond chance: train minus validation is {size}"
    if epoch is not None and first["low"] <= 0:
        return f"the gap opened in epoch {epoch}: train is {size} above validation"
    before = f"{first['gap'] * 100:.1f}"
    if epoch is not None:
        return f"the gap, {before} points at the start, opened further in epoch {epoch}: {size}"
    return f"train is {size} above validation" + (f", not more than at the start ({before})" if len(gaps) > 1 else "")


BINS = 15
"""Equal steps of confidence in which calibration is measured (Guo and others 2017)."""


def reliability(confidence: ArrayLike, right: ArrayLike) -> pd.DataFrame:
    """How often answers of about the same confidence (0..1, the largest probability) are right.

    A row for each of BINS steps that holds any: confidence (mean),accuracy,low,high (95% Wilson interval),photos.
    """
    confidences, correct = np.asarray(confidence, float), np.asarray(right, bool)
    bins, rows = np.minimum((confidences * BINS).astype(int), BINS - 1), []
    for number in range(BINS):
        inside = np.equal(bins, number)
        if inside.any():
            found = share(int(correct[inside].sum()), int(inside.sum()))
            rows.append((float(confidences[inside].mean()), found.value, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "photos"])


def calibration_error(table: pd.DataFrame) -> float:
    """Expected calibration error, 0..1: mean distance of confidence and accuracy (Naeini and others 2015).

    It is never 0, even for perfect probabilities: about .01 to .03 on a few hundred photos.
    table: what `reliability` gives.
    """
    apart = (table["confidence"] - table["accuracy"]).abs()
    return float((apart * table["photos"]).sum() / max(1, table["photos"].sum()))


def coverage(confidence: ArrayLike, right: ArrayLike) -> pd.DataFrame:
    """What a threshold below which the model is not sure costs and brings.

    A row for each threshold: threshold (0 to .99),coverage (fraction of photos still answered),accuracy (of these, its
    95% interval low,high),answered (photos).
    """
    confidences, correct = np.asarray(confidence, float), np.asarray(right, bool)
    rows = []
    for threshold in np.arange(100) / 100:
        answered = np.greater_equal(confidences, threshold)
        found = share(int(correct[answered].sum()), int(answered.sum()))
        part = float(answered.mean()) if len(correct) else 0.0
        rows.append((threshold, part, found.value, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["threshold", "coverage", "accuracy", "low", "high", "answered"])


# -- photos that belong together --------------------------------------------------------------------------------


def cross_validated(right: ArrayLike, folds: int, groups: ArrayLike | None = None) -> Accuracy:
    """The accuracy over all photos, each answered by a model that was trained without its fold.

    Models of different folds have most of their training photos in common, so their mistakes are not independent. The
    variance is that of independent photos times 1 + folds / (folds - 1), as Nadeau and Bengio (2003, "Inference for the
    generalization error") propose: the Wilson interval of so many photos less. How often it holds:
    docs/measurements.md, "Intervals of cross-validation".

    Parameters
    ----------
    right
        Which photos were right (n,).
    folds
        How many folds there were, 2 or more.
    groups
        The group of each (n,), where some belong together.
    """
    answers = np.asarray(right, dtype=float)
    found = share(int(answers.sum()), answers.size) if groups is None else clustered(answers, groups)
    if groups is not None and found.groups:
        width = found.high - found.low  # the interval of fewer photos is as much wider as its root says
        independent = share(int(answers.sum()), answers.size)
        fewer = answers.size * min(1.0, ((independent.high - independent.low) / width) ** 2)
    else:
        fewer = float(answers.size)
    low, high = _wilson(found.value, fewer / (1 + folds / (folds - 1)))
    return Accuracy(found.value, low, high, found.n, found.groups)


def clustered(right: ArrayLike, groups: ArrayLike) -> Accuracy:
    """The accuracy on n photos of which those of one group, such as frames of a scene, are right or wrong together.

    Wilson's interval for the effective number of photos (Rao and Scott 1992, "A simple method for the analysis of
    clustered binary data"): as many independent photos as have the variance that is found between groups, by the ratio
    estimator (Cochran 1977), with the t distribution of as few groups (Korn and Graubard 1998). Where all photos are
    right, or none, a group counts as one photo. How often it holds: docs/measurements.md, "Intervals of groups".

    Parameters
    ----------
    right
        Which photos were right (n,).
    groups
        The group of each (n,); where all are alone this is `share`.
    """
    answers = np.asarray(right, dtype=float)
    hits, sizes = _by_group(answers, groups)
    whole = share(int(answers.sum()), answers.size)
    if len(sizes) == answers.size:
        return whole
    if len(sizes) < 2:
        return Accuracy(whole.value, 0.0, 1.0, whole.n, len(sizes))
    n, p = answers.size, whole.value
    variance = _ratio_variance(hits - p * sizes, n)
    effective = min(n, p * (1 - p) / variance) if variance else n if 0 < p < 1 else n**2 / (sizes**2).sum()
    effective *= (Z95 / float(student.ppf(0.975, len(sizes) - 1))) ** 2
    low, high = _wilson(p, effective)
    return Accuracy(p, low, high, n, len(sizes))


def paired_groups(first: ArrayLike, second: ArrayLike, groups: ArrayLike) -> tuple[float, float, float]:
    """(difference, low, high): how much more often the second is right, of photos that are right or wrong in groups.

    low..high is the 95% interval of the ratio estimator over groups (Cochran 1977) with the t distribution.

    Parameters
    ----------
    first, second
        How often each of n photos was right, 0 to 1.
    groups
        The group of each photo.
    """
    apart = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    totals, sizes = _by_group(apart, groups)
    if len(sizes) < 2:
        return float(apart.mean()) if apart.size else 0.0, -1.0, 1.0
    mean = float(apart.mean())
    half = float(student.ppf(0.975, len(sizes) - 1)) * math.sqrt(_ratio_variance(totals - mean * sizes, apart.size))
    return mean, max(-1.0, mean - half), min(1.0, mean + half)


def _by_group(values: np.ndarray, groups: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the values of each group, and its size."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    return np.bincount(codes, weights=values), np.bincount(codes)


def _ratio_variance(residuals: np.ndarray, n: int) -> float:
    """Variance of a mean over n photos, of what the sum of each group lies above its expectation."""
    return float((residuals**2).sum() * len(residuals) / (len(residuals) - 1) / n**2)
