"""Which photos several classifiers agree about, the same number of each class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Agreement:
    """What the classifiers say of n photos.

    Attributes
    ----------
    classes
        Names of the classes.
    mean
        Mean probabilities (n, classes).
    answers
        By classifier: the class id of each photo (n,).
    """

    classes: list[str]
    mean: np.ndarray
    answers: dict[str, np.ndarray]

    @classmethod
    def of(cls, classes: list[str], chances: Mapping[str, np.ndarray]) -> "Agreement":
        """That of classifiers by name, with probabilities (n, classes) of each."""
        answers = {name: each.argmax(1) for name, each in chances.items()}
        return cls(classes, np.mean(list(chances.values()), axis=0), answers)

    @property
    def labels(self) -> np.ndarray:
        """The likeliest class of each photo, (n,) of text."""
        return np.array(self.classes, dtype=object)[self.mean.argmax(1)]

    @property
    def probability(self) -> np.ndarray:
        """Its mean probability, (n,)."""
        return self.mean.max(1)

    @property
    def agree(self) -> np.ndarray:
        """Whether all classifiers say that class, bool (n,)."""
        best = self.mean.argmax(1)
        return np.all([answer == best for answer in self.answers.values()], axis=0)

    def in_words(self) -> list[str]:
        """Who says the likeliest class, for each photo."""
        best, names = self.mean.argmax(1), list(self.answers)
        said = np.array([self.answers[name] == best for name in names])
        return [", ".join(name for name, agrees in zip(names, row, strict=True) if agrees) for row in said.T]

    def chosen(self, least: float, most: int) -> np.ndarray:
        """The rows to label, the surest first: where all agree, from the probability `least`, at most `most` a class.

        Parameters
        ----------
        least
            Mean probability, 0 to 1.
        most
            Photos a class.
        """
        fits = np.flatnonzero(self.agree & (self.probability >= least))
        order = pd.Series(fits[np.argsort(-self.probability[fits], kind="stable")], dtype=int)
        return order[order.groupby(self.labels[order]).cumcount() < most].to_numpy()


def most_of_a_class(labels: pd.Series, times: float) -> int:
    """How many photos of a class may be labelled by machine, at least 1.

    labels: those of the training photos; times: of what classes have in the median.
    """
    return max(1, round(times * float(labels.value_counts().median())))
