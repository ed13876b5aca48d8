"""Boxes that a person draws, corrects or removes: an append-only journal in the workspace.

Annotation files stay as they are; a photo that was drawn on has the boxes of the journal instead of theirs.
"""

from collections.abc import Sequence
from pathlib import Path

from cvtune_nb.errors import InputError
from cvtune_nb.files import append_json_lines, read_json_lines
from cvtune_nb.workspace import Workspace, now

Drawn = tuple[str, float, float, float, float]
"""Label; left, top, width, height as fractions (0..1) of the upright photo."""


def journal(workspace: Workspace) -> Path:
    """Where they are written down."""
    return workspace.folder / "detection" / "boxes.jsonl"


def draw(workspace: Workspace, path: str, sha256: str, boxes: Sequence[Drawn]) -> None:
    """Write down that the photo has exactly these boxes from now on.

    Parameters
    ----------
    workspace
        Whose journal it is.
    path, sha256
        The photo.
    boxes
        Label; left, top, width, height as fractions (0..1). None: there is nothing to find in the photo.

    Raises
    ------
    InputError
        For a box without a label, and for one that is not inside the photo.
    """
    rounded = []
    for label, *sides in boxes:
        left, top, width, height = (round(float(side), 5) for side in sides)
        if not str(label).strip():
            raise InputError(f"a box of {path} has no label: choose or type one")
        if min(left, top) < 0 or min(width, height) <= 0 or max(left + width, top + height) > 1.001:
            raise InputError(f"a box of {path} is not inside the photo ({left}, {top}, {width}, {height}): shares 0..1")
        rounded.append([str(label).strip(), left, top, width, height])
    _write(workspace, path, sha256, {"action": "draw", "boxes": rounded})


def undo(workspace: Workspace, path: str, sha256: str) -> None:
    """Take back what was last drawn on a photo; where nothing is left, its boxes are those of the files again.

    Parameters
    ----------
    workspace
        Whose journal it is.
    path, sha256
        The photo.
    """
    _write(workspace, path, sha256, {"action": "undo"})


def _write(workspace: Workspace, path: str, sha256: str, what: dict) -> None:
    append_json_lines(journal(workspace), {"time": now(), "sha256": sha256, "path": path, **what})


def drawn(workspace: Workspace) -> dict[str, list[Drawn]]:
    """The boxes of every photo that was drawn on, by its sha256."""
    stacks: dict[str, list[list[Drawn]]] = {}
    for line in read_json_lines(journal(workspace)):
        stack = stacks.setdefault(line["sha256"], [])
        if line["action"] == "draw":
            stack.append([tuple(box) for box in line["boxes"]])
        elif stack:
            stack.pop()
    return {key: stack[-1] for key, stack in stacks.items() if stack}
