"""The choice of a combination on some of the validation photos: a soup, an interpolation, a weighted mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from cvtune_nb.classification.calibration import temperature
from cvtune_nb.classification.combining.combination import INTERPOLATION, LARGER, MEAN, MIRRORED, SINGLE, SOUP
from cvtune_nb.classification.combining.ingredients import START, Blend
from cvtune_nb.classification.combining.pool import Look, Pool
from cvtune_nb.classification.combining.selection import log_loss, mean, shrunk_weights
from cvtune_nb.errors import InputError
from cvtune_nb.objectives import Objective

GRID = (0.25, 0.5, 0.75)
"""Shares of the best epoch that are tried between it and the start (Wortsman and others 2022, "Robust fine-tuning of
zero-shot models")."""
MOST_NETWORKS, MOST_MEGABYTES = 3, 300
"""Of a mean, at most: docs/measurements.md, "Combining classifiers"."""
LOOKS = {MEAN: 0, MIRRORED: 1, LARGER: 3}
"""How each kind of mean asks its networks (Pool.looks)."""


@dataclass(frozen=True)
class Part:
    """One network of a combination, and how it is asked; its weight is divided evenly over its passes."""

    blend: Blend
    look: Look
    temperature: float
    weight: float


class Chooser:
    """Chooses among the classifiers of a pool.

    Parameters
    ----------
    pool
        What they say of n validation photos.
    names
        Ids of the classifiers, the best first.
    truth
        Class ids (n,).
    objective
        What counts.
    most_networks
        Of a mean.
    weigh
        Weights of the members of a mean (as selection.shrunk_weights).

    Attributes
    ----------
    left_out
        What could not be tried and why, a sentence each.
    """

    def __init__(
        self,
        pool: Pool,
        names: Sequence[str],
        truth: np.ndarray,
        objective: Objective,
        most_networks: int,
        weigh: Callable[[np.ndarray], np.ndarray] = shrunk_weights,
    ):
        self.pool, self.truth, self.objective, self.most_networks = pool, truth, objective, most_networks
        self.weigh, self.left_out = weigh, list[str]()
        self.singles = [Blend.equal([name]) for name in names]
        self.looks = {blend: pool.looks(blend) for blend in self.singles}

    def choose(self, rows: np.ndarray) -> dict[str, list[Part]]:
        """The best single classifier and what can be made of it, by kind, judged by these photos alone.

        A kind that can't be made of them, or that there was no time to measure, is missing.
        """
        known = [blend for blend in self.singles if self._plain(blend) is not None]
        known.sort(key=lambda blend: self._rank(blend, rows), reverse=True)
        averages = {SOUP: self._soup(known, rows), INTERPOLATION: self._interpolation(known, rows)}
        means = {kind: self._mean(known, rows, number) for kind, number in LOOKS.items()}
        found = {kind: [self._part(blend, rows)] for kind, blend in averages.items() if blend}
        found |= {kind: parts for kind, parts in means.items() if parts}
        return {SINGLE: [self._part(known[0], rows)], **found}

    def chances(self, parts: Sequence[Part], rows: np.ndarray) -> np.ndarray:
        """Probabilities (len(rows), classes) of a combination."""
        asked = [(part, self._logits(part.blend, part.look)) for part in parts]
        logits = [each[rows] for _, passes in asked for each in passes]
        warmth = [part.temperature for part, passes in asked for _ in passes]
        return mean(logits, warmth, [part.weight / len(passes) for part, passes in asked for _ in passes])

    # -- what one kind is made of ---------------------------------------------------------------------------------

    def _soup(self, known: Sequence[Blend], rows: np.ndarray) -> Blend | None:
        """The best greedy soup: weights are taken in, the best first, as long as the average is not worse."""
        soups, done = [], set[str]()
        for single in known:
            name = single.shares[0][0]
            kin = [each for each in self.pool.ingredients.alike(name) if Blend.equal([each]) in known]
            if name in done or not kin:
                continue
            done.update(kin)
            names = [*kin, *self.pool.ingredients.checkpoints(name)]
            ranked = [each for each in names if self._plain(Blend.equal([each])) is not None]
            ranked.sort(key=lambda each: self._rank(Blend.equal([each]), rows), reverse=True)
            chosen = ranked[:1]
            for each in ranked[1:]:
                trial = Blend.equal([*chosen, each])
                if (
                    self._plain(trial) is not None
                    and self._rank(trial, rows)[0] >= self._rank(Blend.equal(chosen), rows)[0]
                ):
                    chosen.append(each)
            if len(chosen) > 1:
                soups.append(Blend.equal(chosen))
        return max(soups, key=lambda each: self._rank(each, rows), default=None)

    def _interpolation(self, known: Sequence[Blend], rows: np.ndarray) -> Blend | None:
        """The best point between the start of the best run that has one and its best epoch."""
        names = [blend.shares[0][0] for blend in known]
        name = next((each for each in names if self.pool.ingredients.has_start(each)), None)
        if name is None:
            return None
        tried = [Blend(((name, share), (name + START, 1 - share))) for share in GRID]
        try:
            measured = [blend for blend in tried if self._plain(blend) is not None]
        except InputError as error:  # the weights that it began with are gone
            self.left_out = [f"No interpolation: the start of {name} can't be made again ({error})."]
            return None
        return max(measured, key=lambda each: self._rank(each, rows), default=None)

    def _mean(self, known: Sequence[Blend], rows: np.ndarray, look: int) -> list[Part]:
        """The networks of the lowest log loss with their weights, the heaviest first; none where nothing is new.

        Parameters
        ----------
        known
            Single classifiers, the best first.
        rows
            Of the photos to choose on.
        look
            The number of the look of each, of those with fewer the last.
        """
        members = sorted(known, key=lambda blend: self._loss(blend, rows))[: self.most_networks]
        asked = [(blend, self._looks(blend)[: look + 1][-1]) for blend in members]
        if len(asked) < 2 and asked[0][1] == self._looks(asked[0][0])[0]:
            return []
        if any(len(self._logits(*each)) < len(each[1].passes) for each in asked):
            return []  # there was no time to measure them
        parts = [self._part(blend, rows, shown) for blend, shown in asked]
        weights = self.weigh(np.array([self._likelihoods(part, rows) for part in parts]))
        weighted = [replace(part, weight=float(weight)) for part, weight in zip(parts, weights, strict=True)]
        return sorted(weighted, key=lambda part: part.weight, reverse=True)

    # -- what was measured ------------------------------------------------------------------------------------------

    def _looks(self, blend: Blend) -> list[Look]:
        if blend not in self.looks:
            self.looks[blend] = self.pool.looks(blend)
        return self.looks[blend]

    def _plain(self, blend: Blend) -> np.ndarray | None:
        """Logits as the classifier was trained."""
        return self.pool.logits(blend, self._looks(blend)[0].shown)

    def _passes(self, blend: Blend, look: Look) -> list[np.ndarray | None]:
        return [self.pool.logits(blend, look.shown, mirrored) for mirrored in look.passes]

    def _logits(self, blend: Blend, look: Look) -> list[np.ndarray]:
        return [each for each in self._passes(blend, look) if each is not None]

    def _part(self, blend: Blend, rows: np.ndarray, look: Look | None = None) -> Part:
        """A network alone, calibrated on these photos."""
        look = look or self._looks(blend)[0]
        plain = self._logits(blend, look)[0]
        return Part(blend, look, temperature(plain[rows], self.truth[rows]), 1.0)

    def _likelihoods(self, part: Part, rows: np.ndarray) -> np.ndarray:
        """The probability that one network gives to the true classes, (len(rows),)."""
        return self.chances([part], rows)[np.arange(len(rows)), self.truth[rows]]

    def _loss(self, blend: Blend, rows: np.ndarray) -> float:
        """The log loss of a network on these photos, calibrated."""
        return log_loss(self.chances([self._part(blend, rows)], rows), self.truth[rows])

    def _rank(self, blend: Blend, rows: np.ndarray) -> tuple[float, float]:
        """How good a network is on these photos: by what counts, then by log loss."""
        plain = self._plain(blend)
        assert plain is not None  # only what was measured is ranked
        chances = softmax(plain[rows], axis=1)
        return self.objective.merit(self.objective.value(self.truth[rows], chances)), -log_loss(
            chances, self.truth[rows]
        )
