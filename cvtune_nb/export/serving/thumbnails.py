"""Thumbnails of the photos in a gallery."""

import contextlib
import zipfile
from pathlib import Path

LARGEST = 100_000
"""Bytes of a thumbnail (docs/measurements.md, "Files of an export")."""


class Thumbnails:
    """Those in thumbnails.zip of an export's folder: N.jpg for row N of its index; none where there is no such file."""

    def __init__(self, folder: Path):
        self.packed = None
        with contextlib.suppress(OSError, zipfile.BadZipFile):
            self.packed = zipfile.ZipFile(folder / "thumbnails.zip")

    def jpeg(self, number: str) -> bytes | None:
        """The thumbnail of the photo with that number; None where there is none.

        Nothing is decompressed: ours are stored as they are, and what is not was not written by us.
        """
        if self.packed is None:
            return None
        try:
            entry = self.packed.getinfo(f"{number}.jpg")
            stored = entry.compress_type == zipfile.ZIP_STORED and entry.file_size <= LARGEST
            return self.packed.read(entry) if stored else None
        except (KeyError, OSError, EOFError, RuntimeError, zipfile.BadZipFile):
            return None
