"""From the text of an objective to the objective, and back."""

from collections.abc import Sequence
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike

from cvtune_nb.errors import InputError
from cvtune_nb.objectives.forms import named_in
from cvtune_nb.objectives.kinds import (
    BalancedAccuracy,
    Costs,
    LogLoss,
    MacroF1,
    OverallAccuracy,
    RecallAtPrecision,
)
from cvtune_nb.objectives.objective import Objective

PLAIN: dict[str, type[Objective]] = {
    "accuracy": OverallAccuracy,
    "balanced-accuracy": BalancedAccuracy,
    "macro-f1": MacroF1,
    "log-loss": LogLoss,
}


def objective_of(text: str, classes: Sequence[str]) -> Objective:
    """The objective that is meant.

    Parameters
    ----------
    text
        One of PLAIN; recall:CLASS@PRECISION; or costs:A>B=COST,..., where to take a photo of class A for class B
        costs COST, and every mistake that is not named costs 1. In names of costs, ">", "=", "," and "%" are written
        as in addresses (%3E, %3D, %2C, %25).
    classes
        Names of the classes, in the order of the columns of probabilities.

    Raises
    ------
    InputError
        It is none of these, or names a class that there is not.
    """
    names, text = tuple(classes), text.strip()
    if text in PLAIN:
        return PLAIN[text](text, names)
    named = named_in(text)
    if isinstance(named, tuple):
        label, precision = named
        return RecallAtPrecision(text, names, _id_of(label, names, text), precision)
    matrix = 1 - np.eye(len(names))
    for true, answer, cost in named:
        matrix[_id_of(true, names, text), _id_of(answer, names, text)] = cost
    return Costs(text, names, tuple(map(tuple, matrix.tolist())))


def costs_in_words(matrix: ArrayLike, classes: Sequence[str]) -> str:
    """The text of these costs (classes, classes): the mistakes that don't cost 1; "costs:A>B=1" where all do."""
    costs, names = np.asarray(matrix, float), [quote(name, safe=" ()+&'!#:;@/") for name in classes]
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
    own = [pair for pair in pairs if costs[pair] != 1] or pairs[:1]
    return "costs:" + ",".join(f"{names[a]}>{names[b]}={costs[a, b]:g}" for a, b in own)


def _id_of(label: str, classes: tuple[str, ...], text: str) -> int:
    if label not in classes:
        raise InputError(f"objective is {text!r}: there is no class {label!r}, but {', '.join(classes)}")
    return classes.index(label)
