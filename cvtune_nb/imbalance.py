"""Classes of very different size: how far from balance they are, and the remedies that training has for it.

To add one: a row in REMEDIES, and what it means for a loss (`Remedy.weights`, `Remedy.prior`) or for the photos drawn.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import ArrayLike

from cvtune_nb.errors import InputError

NONE, BALANCED, SQUARE_ROOT, OWN, SAMPLING, LOGITS = (
    "none",
    "balanced",
    "square-root",
    "weights",
    "sampling",
    "logit-adjustment",
)
REMEDIES = MappingProxyType(
    {
        NONE: "every photo counts the same, so large classes count most",
        BALANCED: "class weights: the photos of every class together count the same",
        SQUARE_ROOT: "class weights that go half that way: the square roots of the balanced ones",
        SAMPLING: "balanced sampling: every epoch shows each class equally often, the photos of small ones repeatedly",
        LOGITS: "logit adjustment: training expects large classes to be likelier, so that the answers need not",
        OWN: "class weights of your own, such as weights:lemon=3,lime=1.5; all others are 1",
    }
)
"""By name, what each means. Menon and others 2021, "Long-tail learning via logit adjustment"."""
WITHOUT_VALUES = tuple(name for name in REMEDIES if name != OWN)
FORMS = f"{', '.join(WITHOUT_VALUES)} ({LOGITS}:1.5 for another strength than 1), or {OWN}:CLASS=NUMBER,..."
TAU = 4.0
"""The strongest logit adjustment; Menon and others look at up to 2 or so."""
UNBALANCED = 3.0
"""Largest class over smallest class, in training photos, from which remedies are worth measuring
(docs/measurements.md, "Remedies for imbalance")."""
_WEIGHT = re.compile(r"(?P<label>[^=,]+)=(?P<weight>[\d.]+(e-?\d+)?)")


@dataclass(frozen=True)
class Remedy:
    """What is done about classes of different size.

    Attributes
    ----------
    name
        One of REMEDIES.
    tau
        Strength of logit adjustment: how much of the logarithm of the classes' shares is added.
    own
        Classes and their weights, of OWN.
    """

    name: str = NONE
    tau: float = 1.0
    own: tuple[tuple[str, float], ...] = ()

    @property
    def text(self) -> str:
        """As it is typed, and kept with runs."""
        if self.name == OWN:
            named = (f"{quote(label, safe=SAFE)}={weight:g}" for label, weight in self.own)
            return f"{OWN}:{','.join(named)}"
        return f"{LOGITS}:{self.tau:g}" if self.name == LOGITS and self.tau != 1 else self.name

    def weights(self, counts: Mapping[str, int]) -> np.ndarray | None:
        """How much a photo of each class counts in the loss, (classes,); None: all the same.

        On average over all training photos that is 1, so that learning rate and C mean what they mean without.

        Parameters
        ----------
        counts
            Training photos by class, at least one of each.
        """
        if self.name == OWN:
            own = dict(self.own)
            given = np.array([own.get(label, 1.0) for label in counts])
        elif self.name in (BALANCED, SQUARE_ROOT):
            given = np.array(list(counts.values()), float) ** (-1.0 if self.name == BALANCED else -0.5)
        else:
            return None
        of_class = np.array(list(counts.values()), float)
        return given * (of_class.sum() / (given @ of_class))

    def weights_of_svm(self, counts: Mapping[str, int], adjustable: bool) -> np.ndarray | None:
        """The same for an SVM, which draws no photos: balanced weights are what balanced sampling is on average.

        Parameters
        ----------
        counts
            As in `weights`.
        adjustable
            Whether `prior` can be taken from its decision values. Where it can't, photos of each class count by the
            power -tau of its share, which aims at the same answers (Menon and others 2021, section 3).
        """
        if self.name == LOGITS and not adjustable:
            of_class = np.array(list(counts.values()), float)
            given = of_class**-self.tau
            return given * (of_class.sum() / (given @ of_class))
        return (Remedy(BALANCED) if self.name == SAMPLING else self).weights(counts)

    def require(self, classes: Sequence[str]) -> None:
        """Raises InputError where own weights name a class that there is not."""
        if unknown := [label for label, _ in self.own if label not in classes]:
            raise InputError(f"imbalance is {self.text!r}: there is no class {unknown[0]!r}, but {', '.join(classes)}")

    def prior(self, counts: Mapping[str, int]) -> np.ndarray | None:
        """What is added to the logits in training, and not when the classifier is used, (classes,); None: nothing.

        counts: as in `weights`.
        """
        return self.tau * log_shares(counts) if self.name == LOGITS else None


SAFE = " ()+&'!#:;@/"


def remedy_of(text: str) -> Remedy:
    """The remedy that is meant. Raises InputError where it is none of FORMS."""
    text = text.strip()
    if text in WITHOUT_VALUES:
        return Remedy(text)
    name, _, values = text.partition(":")
    if name == LOGITS:
        try:
            tau = float(values)
        except ValueError:
            tau = math.nan
        if not 0 < tau <= TAU:
            raise InputError(f"imbalance is {text!r}: the strength is a number above 0 and at most {TAU:g}")
        return Remedy(LOGITS, tau)
    if name == OWN:
        own: dict[str, float] = {}
        for part in values.split(","):
            if not (match := _WEIGHT.fullmatch(part.strip())):
                raise InputError(f"imbalance is {text!r}: {part.strip()!r} is not of the form CLASS=NUMBER")
            label, weight = unquote(match["label"].strip()), _number(match["weight"])
            if not 0.001 <= weight <= 1000:
                raise InputError(f"imbalance is {text!r}: a weight is a number from 0.001 to 1000")
            own[label] = weight
        return Remedy(OWN, own=tuple(own.items()))
    raise InputError(f"imbalance is {text!r}: choose {FORMS}")


def log_shares(counts: Mapping[str, int]) -> np.ndarray:
    """The logarithm of each class's share of the training photos, (classes,); counts: at least one of each."""
    of_class = np.array(list(counts.values()), float)
    return np.log(of_class / of_class.sum())


def counted(labels: ArrayLike, classes: Sequence[str]) -> dict[str, int]:
    """How many of the labels (n,) are of each class."""
    given = np.asarray(labels)
    return {label: int(np.equal(given, label).sum()) for label in classes}


@dataclass(frozen=True)
class Balance:
    """How far training photos are from the same number in every class.

    Attributes
    ----------
    largest, smallest
        Names of classes.
    counts
        Training photos by class.
    """

    counts: Mapping[str, int]

    @property
    def largest(self) -> str:
        """The class of most photos."""
        return max(self.counts, key=lambda label: self.counts[label])

    @property
    def smallest(self) -> str:
        """The class of fewest photos."""
        return min(self.counts, key=lambda label: self.counts[label])

    @property
    def ratio(self) -> float:
        """Largest over smallest class, which counts as one photo where it has none; 1 for none."""
        return self.counts[self.largest] / max(1, self.counts[self.smallest]) if self.counts else 1.0

    @property
    def effective_classes(self) -> float:
        """How many classes of the same size would be as varied: the exponential of the entropy (Hill 1973)."""
        shares = np.array([count for count in self.counts.values() if count], float)
        shares /= max(1.0, shares.sum())
        return float(np.exp(-(shares @ np.log(shares)))) if len(shares) else 0.0

    @property
    def unbalanced(self) -> bool:
        """Whether the largest class is more than UNBALANCED times the smallest."""
        return len(self.counts) > 1 and self.ratio > UNBALANCED

    def __str__(self) -> str:
        large, small = self.largest, self.smallest
        return (
            f'class "{large}" has {self.counts[large]} training photos, "{small}" {self.counts[small]} '
            f"({self.ratio:.1f} times as many); by their sizes the {len(self.counts)} classes are as varied as "
            f"{self.effective_classes:.1f} of one size"
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
