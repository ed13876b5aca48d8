"""A least-squares SVM that says of each photo what it would say had it not seen it, nor its copies, in closed form."""

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dsyrk

from cvtune_nb.data.rows import Rows
from cvtune_nb.files import Progress, silent

LANDMARKS = 2_000
"""Photos that the others are described by. They cost 0.15 GB of memory."""

BLOCK = 1_024
"""Photos that are looked at together."""


class View:
    """Features as the model sees them, a part at a time: the judges' mean taken off, each row of length 1."""

    def __init__(self, features: Rows | np.ndarray, judges: np.ndarray):
        inside = np.flatnonzero(judges)
        self.features = features
        sums = [np.sum(features[rows], axis=0, dtype=np.float64) for rows in blocks(inside)]
        self.mean = np.sum(sums, axis=0) / max(len(inside), 1)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Float64 (len(rows), width)."""
        x = np.asarray(self.features[rows], dtype=np.float64) - self.mean
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def leave_one_out(
    view: View,
    labels: np.ndarray,
    groups: np.ndarray,
    judges: np.ndarray,
    classes: int,
    landmarks: int = LANDMARKS,
    progress: Progress = silent,
) -> np.ndarray:
    """What a least-squares SVM says of each photo when that photo's whole group is left out.

    K is the RBF kernel, as wide as the median distance; L L' that of the landmarks; row i of Z = K L'^-1 describes
    photo i. Ridge regression on Z has the hat matrix H = Z (Z'Z + I)^-1 Z', and the residual of a left-out group B is
    (I - H_BB)^-1 times its residual when it is not left out (exact but for the mean of Y and the landmarks, which
    still count everyone; Cawley and Talbot 2004, An, Liu and Venkatesh 2007). With every judge a landmark this is
    regression with the full kernel. Memory: 8 bytes x (6 landmarks^2 + n classes); time: n x landmarks^2.

    Parameters
    ----------
    view : View
        Features of the photos.
    labels, groups, judges : numpy.ndarray
        Class, group of copies (int) and whether it judges (bool) of each photo, (n,).
    classes : int
        How many there are.
    landmarks : int
        Photos that the others are described by.
    progress : Progress
        Called with the fraction done and words.

    Returns
    -------
    numpy.ndarray
        (n, classes), about -1 for no and +1 for yes.
    """
    inside = np.flatnonzero(judges)
    drawn = _draw(inside, labels, landmarks)
    known = view[drawn]
    squared = _squared_distances(known, known)
    scale = _median(squared)
    gram = np.exp(np.divide(squared, -scale, out=squared), out=squared)
    gram.flat[:: len(gram) + 1] += 1e-8  # copies among the landmarks would make it singular
    # LAPACK works in place on columns only: .T is the same symmetric matrix, laid out so
    root = cholesky(gram.T, lower=True, overwrite_a=True, check_finite=False)

    def described(rows: np.ndarray) -> np.ndarray:
        kernel = _squared_distances(view[rows], known)
        kernel = np.exp(np.divide(kernel, -scale, out=kernel), out=kernel)
        return solve_triangular(root, kernel.T, lower=True, overwrite_b=True, check_finite=False).T

    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    mean = targets[inside].mean(axis=0)
    products, sums = np.eye(len(drawn)).T, np.zeros((len(drawn), classes))
    for number, rows in enumerate(parts := blocks(inside)):
        progress(0.4 * number / len(parts), "judging labels")
        z = described(rows)
        products = dsyrk(1.0, z.T, beta=1.0, c=products, lower=True, overwrite_c=True)  # products + z'z
        sums += z.T @ (targets[rows] - mean)
    factor = cholesky(products, lower=True, overwrite_a=True, check_finite=False)
    weights = cho_solve((factor, True), sums)

    scores = np.empty((len(labels), classes))
    for number, members in enumerate(parts := _whole_groups(groups)):
        progress(0.4 + 0.5 * number / len(parts), "judging labels")
        rows = np.concatenate(members)
        z = described(rows)
        said = mean + z @ weights
        solved = solve_triangular(factor, z.T, lower=True, overwrite_b=True, check_finite=False).T
        residuals = np.where(judges[rows, None], targets[rows] - said, 0.0)
        weight = np.square(solved).sum(axis=1)[:, None]
        scores[rows] = said - residuals * weight / (1 - weight)
        start = 0
        for group in members:
            at = slice(start, start := start + len(group))
            held = judges[group]
            if len(group) > 1 and held.any():
                hat = solved[at] @ solved[at][held].T
                residual = np.linalg.solve(np.eye(held.sum()) - hat[held], residuals[at][held])
                scores[group] = said[at] - hat @ residual
    return scores


def _draw(inside: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows `inside`, in their order (fixed seed).

    As many of each class as there are, but no more of a large class than it takes, so that small ones are
    represented too.
    """
    if len(inside) <= count:
        return inside
    order = np.random.default_rng(0).permutation(inside)
    turn = pd.Series(order).groupby(labels[order]).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:count]])


def blocks(rows: np.ndarray) -> list[np.ndarray]:
    """The rows in parts of BLOCK."""
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]


def _whole_groups(groups: np.ndarray) -> list[list[np.ndarray]]:
    """The row numbers of each group, about BLOCK rows at a time."""
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    at = np.cumsum([len(group) for group in members]) // BLOCK
    cuts = [0, *(np.flatnonzero(np.diff(at)) + 1), len(members)]
    return [members[first:last] for first, last in pairwise(cuts)]


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Between rows of length 1."""
    products = x @ y.T
    products *= -2
    products += 2
    return np.maximum(products, 0, out=products)


def _median(squared: np.ndarray) -> float:
    """The median of the distances between different photos; from every k-th row, so that it costs little."""
    rows = squared[:: max(1, len(squared) // 1000)]
    apart = rows[rows > 1e-9]  # a photo is 0 away from itself, give or take rounding
    return float(np.median(apart)) if apart.size else 1.0
