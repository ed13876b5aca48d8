"""labelme: a JSON file beside each photo; its flags are the labels."""

from collections.abc import Iterator
from pathlib import Path

from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import LOOKED_AT, Format, Stated, begins, beside_photos, json_of
from cvtune_nb.errors import InputError


class Labelme(Format):
    """Where one JSON file beside a photo is labelme's all are, so that a broken one is named."""

    name, title = "labelme", "labelme"

    def find(self, tree: Folder) -> list[Path]:
        """JSON files that are called like the photo beside them."""
        files = beside_photos(tree, ".json")
        return files if any(_is_labelme(begins(file)) for file in files[:LOOKED_AT]) else []

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The flags that are set."""
        for file in files:
            content = json_of(file)
            flags = content.get("flags") if isinstance(content, dict) else None
            if not isinstance(flags, dict):
                raise InputError(f"{file} has no flags, as labelme's files have: write it again with labelme")
            name = content.get("imagePath") or file.stem
            labels = tuple(str(label) for label, is_set in flags.items() if is_set)
            yield Stated(file, "", (str(name), file.stem), labels)


def _is_labelme(text: str) -> bool:
    return '"flags"' in text and ('"imagePath"' in text or '"shapes"' in text)
