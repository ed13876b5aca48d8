"""How good each way to combine is, judged by photos that it was not chosen on (cross-fitting)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from cvtune_nb.classification.combining.chooser import Chooser
from cvtune_nb.classification.combining.combination import KINDS, SINGLE
from cvtune_nb.classification.combining.pool import Asked, milliseconds
from cvtune_nb.classification.combining.selection import folds_of, log_loss
from cvtune_nb.metrics import Z95, Paired
from cvtune_nb.objectives import Objective, Score


@dataclass(frozen=True)
class Judged:
    """What each way to combine says of n validation photos.

    Attributes
    ----------
    objective
        What counts.
    truth
        Class ids (n,).
    groups
        Of the photos; None: each is alone.
    chances
        Probabilities (n, classes) by kind, each photo judged by what was chosen without it and its group.
    """

    objective: Objective
    truth: np.ndarray
    groups: pd.Series | None
    chances: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, chooser: Chooser, labels: pd.Series, groups: pd.Series | None) -> Self:
        """Let the chooser choose once without each fold of the photos.

        A kind that comes out in some folds only is the single classifier in the others.

        Parameters
        ----------
        chooser
            Of n photos.
        labels, groups
            Of the same.
        """
        fold, found = folds_of(labels, groups), dict[str, np.ndarray]()
        numbers = np.unique(fold)
        chosen = {n: chooser.choose(np.flatnonzero(fold != n) if len(numbers) > 1 else fold) for n in numbers}
        for kind in KINDS:
            if not any(kind in parts for parts in chosen.values()):
                continue
            for number, parts in chosen.items():
                rows = np.flatnonzero(fold == number)
                chances = chooser.chances(parts.get(kind, parts[SINGLE]), rows)
                found.setdefault(kind, np.zeros((len(fold), chances.shape[1])))[rows] = chances
        return cls(chooser.objective, chooser.truth, groups, found)

    def of_kind(self, kind: str) -> np.ndarray:
        """Its probabilities; those of the single classifier for a kind that came out in no fold."""
        return self.chances.get(kind, self.chances[SINGLE])

    def value(self, kind: str) -> float:
        """What counts, of a kind."""
        return self.objective.value(self.truth, self.of_kind(kind))

    def measure(self, kind: str) -> Score:
        """The same with its interval."""
        return self.objective.measure(self.truth, self.of_kind(kind), self.groups)

    def compare(self, kind: str) -> Paired:
        """A kind against the best single classifier, photo by photo."""
        return self.objective.compare(self.truth, self.of_kind(SINGLE), self.of_kind(kind), self.groups)

    def best(self, kinds: Iterable[str]) -> str:
        """The one of these kinds, none worse than the single classifier, that is best by what counts.

        Of those within one standard error of the best (Breiman and others 1984, "Classification and regression trees")
        it is the one of the lowest log loss, which is less noisy than the share of right answers.
        """
        known = [kind for kind in kinds if not self.worse(kind)]
        top = max(known, key=lambda kind: self.objective.merit(self.value(kind)))
        losses = {kind: log_loss(self.of_kind(kind), self.truth) for kind in known}
        return min((kind for kind in known if self._as_good(kind, top)), key=losses.__getitem__)

    def worse(self, kind: str, shift: float = 0.0) -> bool:
        """Whether a kind is worse than the single classifier; shift: as for `score`."""
        return self.compare(kind).difference + (shift if self.objective.HIGHER_IS_BETTER else -shift) < 0

    def _as_good(self, kind: str, other: str) -> bool:
        apart = self.objective.compare(self.truth, self.of_kind(other), self.of_kind(kind), self.groups)
        return apart.difference >= -(apart.high - apart.low) / (2 * Z95)

    def score(self, kind: str, shift: float, best_of_all: bool) -> Score:
        """What is said of the kind that was chosen.

        Parameters
        ----------
        kind
            Which.
        shift
            How much better the network itself is than its parts were when it was chosen.
        best_of_all
            Whether it was chosen as the best kind, which is corrected for (objectives.best_of).
        """
        whole = self.measure(kind)
        if best_of_all:
            of_best = self.objective.best_of(self.truth, self.chances, self.groups)
            worse = min if self.objective.HIGHER_IS_BETTER else max  # a choice never makes it better
            shift += worse(0.0, of_best.expected - of_best.found)
        most = 1.0 if whole.share else math.inf
        value, low, high = (min(most, max(0.0, each + shift)) for each in (whole.value, whole.low, whole.high))
        return replace(whole, value=value, low=low, high=high)

    def table(self, networks: Mapping[str, Asked], megabytes: Mapping[str, float]) -> pd.DataFrame:
        """Combination.kinds, but for what was chosen.

        Parameters
        ----------
        networks
            By kind, each with a photo as it is shown (1, height, width, 3).
        megabytes
            Of their weights.
        """
        taken, rows = milliseconds(networks), []
        for kind in networks:
            score, apart = self.measure(kind), self.compare(kind)
            rows.append(
                {
                    "kind": kind,
                    **{name: getattr(score, name) for name in ("value", "low", "high")},
                    "difference": apart.difference,
                    "difference_low": apart.low,
                    "difference_high": apart.high,
                    "p": apart.p,
                    "milliseconds": taken[kind],
                    "times": taken[kind] / taken[SINGLE],
                    "megabytes": megabytes[kind],
                }
            )
        return pd.DataFrame(rows)
