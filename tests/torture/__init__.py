"""The torture folder: one file of every broken or odd kind that turns up among people's photos, and what must become
of it. Made here from nothing, the same bytes every time; no download.

Each kind is one of three: a photo that is read and shows `shows`; a file that is left out, with `reason` in
skipped.csv and `remedy` in the audit's suggestion; or one that only a file manager put there, which is passed over.
"""

import sys
from pathlib import Path

from tests.torture import jpeg, names, not_photos, other_formats, png  # noqa: F401 - each enters its kinds
from tests.torture.kinds import KINDS, REPLACE

__all__ = ["KINDS", "REPLACE", "make_torture"]


def make_torture(directory: Path, classes: tuple[str, ...]) -> dict[str, str]:
    """Write every kind into the class folders in turn; returns the path of each, as manifest.csv and skipped.csv must
    have it. Kinds that this system can't have (no such names, no such files) are missing."""
    paths = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        label = classes[number % len(classes)]
        try:
            kind.make(directory / label)
        except (OSError, NotImplementedError, UnicodeError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        paths[name] = f"{label}/{kind.listed}"
    return paths
