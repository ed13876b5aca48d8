"""Parts that panels are made of: controls, a gallery, a photo grid, a box editor. They know no notebook."""

from pathlib import Path


def script(*names: str) -> str:
    """The JavaScript of a widget, from files that lie beside it: functions that several widgets use come first."""
    return "\n".join((Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8") for name in names)
