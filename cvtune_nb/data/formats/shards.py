"""WebDataset: a folder of shards, which are tars of photos and their labels."""

import tarfile
from pathlib import Path, PurePosixPath

from cvtune_nb.data.archive import TARS, unpack
from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import read_format
from cvtune_nb.data.formats.packed import Packed, below, left_beside, relative
from cvtune_nb.data.formats.webdataset import WebDataset
from cvtune_nb.data.layout import Layout
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress

SAID_IN = {".cls", ".json"}
LOOKED_AT = 6
"""Entries that show whether a tar is a shard."""


class Shards(Packed):
    """train-0000.tar, train-0001.tar ...: each becomes a folder of its name."""

    name, title = "webdataset", "shards of a WebDataset"

    def find(self, source: Path) -> list[Path]:
        """Tars that begin with a sample. A single tar is unpacked as every archive is."""
        return [path for path in below(source, *TARS) if _is_shard(path)] if source.is_dir() else []

    def unpack(self, files: list[Path], source: Path, into: Path, progress: Progress) -> Layout:
        """As archives are, safely, one after the other."""
        for number, file in enumerate(files):
            progress(number / len(files), f"unpacking shards: {number} of {len(files)}")
            place = relative(file, source)
            unpack(file, into / place.with_name(place.name.partition(".tar")[0]))
        samples = WebDataset()
        found = read_format(samples, samples.find(Folder(into)), into)
        if found is None:
            raise InputError(f"{source} has shards whose samples say no class: add NAME.cls to each NAME.jpg")
        return found.with_left_out(left_beside(source, files))


def _is_shard(file: Path) -> bool:
    """Whether two of the first entries are called alike, and one of them says a class."""
    try:
        with tarfile.open(file) as opened:
            names = [PurePosixPath(member.name) for member, _ in zip(opened, range(LOOKED_AT), strict=False)]
    except (tarfile.TarError, OSError, EOFError):
        return False
    photos = {name.with_suffix("") for name in names if name.suffix.lower() not in SAID_IN | {""}}
    return any(name.suffix.lower() in SAID_IN and name.with_suffix("") in photos for name in names)
