"""For every parameter a value that is not its default, so that tests need no list of parameters."""

from typing import Any

from cvtune_nb.files import PIN
from cvtune_nb.parameters import PARAMETERS, Parameter


def another(parameter: Parameter) -> Any:
    """A value that the parameter may have, other than its default."""
    if parameter.scale == "menu":
        return next(choice for choice in parameter.choices if choice != parameter.default)
    if parameter.scale == "policies":
        return "none"
    if parameter.scale == "remedy":
        return "balanced"
    if parameter.scale == "name":
        return "resnet50"
    if parameter.scale == "file":
        return f"/nowhere/own.safetensors{PIN}{'0' * 64}"
    if parameter.scale == "objective":
        return "macro-f1"
    if parameter.scale == "run":
        return "003-resnet18-224"
    if parameter.scale == "text":
        return "[0.01]*2 + [0.001]"
    return parameter.high if parameter.low == parameter.default else parameter.low


OTHERS: dict[str, Any] = {name: another(parameter) for name, parameter in PARAMETERS.items()}
