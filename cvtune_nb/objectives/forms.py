"""How objectives are typed, whatever the classes are."""

import re
from urllib.parse import unquote

from cvtune_nb.errors import InputError

NAMES = ("accuracy", "balanced-accuracy", "macro-f1", "log-loss")
"""Those that need no more than their name."""
USUAL = "accuracy"
FORMS = f"{', '.join(NAMES)}, recall:CLASS@PRECISION (recall:lemon@.9) or costs:A>B=COST,... (costs:lemon>lime=5)"
_RECALL = re.compile(r"recall:(?P<label>.+)@(?P<precision>[\d.]+)")
_COST = re.compile(r"(?P<true>[^>=,]+)>(?P<answer>[^>=,]+)=(?P<cost>[\d.]+(e[-+]?\d+)?)")


def checked(text: str) -> str:
    """The text of an objective, whatever the classes are. Raises InputError where it has no such form."""
    text = text.strip()
    if text not in NAMES:
        named_in(text)
    return text


def named_in(text: str) -> tuple[str, float] | list[tuple[str, str, float]]:
    """What a text that is none of NAMES names: a class and its precision, or classes and what to mix them up costs."""
    if match := _RECALL.fullmatch(text):
        try:
            precision = float(match["precision"])
        except ValueError:
            precision = 0.0
        if not 0 < precision <= 1:
            raise InputError(f"objective is {text!r}: the precision is above 0 and at most 1")
        return match["label"], precision
    if not text.startswith("costs:"):
        raise InputError(f"objective is {text!r}: choose {FORMS}")
    found = []
    for part in map(str.strip, text.removeprefix("costs:").split(",")):
        if not (named := _COST.fullmatch(part)):
            raise InputError(f"objective is {text!r}: {part!r} is not of the form A>B=COST")
        true, answer = (unquote(named[key]) for key in ("true", "answer"))
        if true == answer:
            raise InputError(f"objective is {text!r}: {true!r} taken for itself is right, and costs nothing")
        try:
            found.append((true, answer, float(named["cost"])))
        except ValueError:
            raise InputError(f"objective is {text!r}: {named['cost']!r} is no number") from None
    return found
