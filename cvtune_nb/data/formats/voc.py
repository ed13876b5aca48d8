"""Pascal VOC: lists of photos for each class in ImageSets/Main."""

import re
from collections.abc import Iterator
from pathlib import Path

from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import Format, Stated, files_of
from cvtune_nb.errors import InputError

SPLITS = {"train": "train", "val": "validation", "test": "test", "trainval": "train"}
"""What the names of lists end in. Photos of trainval are also in train or val, as a rule."""
LIST = re.compile(rf"(?P<label>.+)_(?P<part>{'|'.join(SPLITS)})")
"""The name of a list; train.txt and its like name photos, but no class."""


class Voc(Format):
    """cat_train.txt, cat_val.txt ...: lines with the name of a photo and 1 (shows a cat), -1, or 0 (hard to tell)."""

    name, title = "voc", "Pascal VOC"
    own_folders = frozenset({"jpegimages", "annotations", "imagesets", "segmentationclass", "segmentationobject"})

    def find(self, tree: Folder) -> list[Path]:
        """The lists of classes, those of trainval behind the others."""
        lists = [path for path in files_of(tree, ".txt") if path.parent.name == "Main" and LIST.fullmatch(path.stem)]
        return sorted(lists, key=lambda path: path.stem.endswith("_trainval"))

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The classes of each photo, which are spread over the lists."""
        photos: dict[tuple[Path, str], dict[str, tuple[Path, str]]] = {}
        splits: dict[tuple[Path, str], str] = {}
        for file in files:
            name = LIST.fullmatch(file.stem)
            assert name, "as found"
            for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                words = line.split()
                if not words:
                    continue
                if len(words) != 2 or words[1] not in ("1", "-1", "0"):
                    raise InputError(
                        f"{file} line {number}: {line!r} is not the name of a photo and 1, 0 or -1: correct it"
                    )
                photo = file.parent, words[0]
                splits.setdefault(photo, SPLITS[name["part"]])
                shown = photos.setdefault(photo, {})
                if words[1] == "1":
                    shown.setdefault(name["label"], (file, f"line {number}"))
        for (folder, photo), shown in photos.items():
            file, place = next(iter(shown.values()), (folder / "lists of classes", ""))
            yield Stated(file, place, (f"../../JPEGImages/{photo}",), tuple(shown), splits[folder, photo])
