"""Small pictures of photos, whatever has become of their files."""

from pathlib import Path
from typing import BinaryIO

from cvtune_nb.data import thumbnail
from cvtune_nb.workspace import Workspace

SIDE = 120
"""Longest side of a thumbnail, in pixels."""


def small(workspace: Workspace, file: Path | BinaryIO, side: int = SIDE) -> bytes:
    """A thumbnail as JPEG; nothing for a photo that can't be read any more.

    Parameters
    ----------
    workspace
        For its levels of black and white.
    file
        The photo.
    side
        Pixels of the longest side.
    """
    try:
        return thumbnail(file, side, workspace.levels)
    except (OSError, ValueError):
        return b""
