"""WebDataset: samples whose parts are called alike, 000.jpg beside 000.cls or 000.json, in shards that are tars."""

from collections.abc import Iterator
from pathlib import Path

from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import LOOKED_AT, Format, Stated, beside_photos, json_of
from cvtune_nb.errors import InputError

KEYS = ("cls", "label", "class", "class_name", "label_name")
"""Where a sample's JSON says its class, the first that is there."""


class WebDataset(Format):
    """What was in shards; `packed_shards` unpacks these."""

    name, title = "webdataset", "WebDataset"

    def find(self, tree: Folder) -> list[Path]:
        """.cls files beside photos, else JSON files that say a class."""
        if classes := beside_photos(tree, ".cls"):
            return classes
        files = beside_photos(tree, ".json")
        return files if any(map(_says_class, files[:LOOKED_AT])) else []

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The class of each sample."""
        for file in files:
            label = _in_json(file) if file.suffix.lower() == ".json" else _in_text(file)
            yield Stated(file, "", (file.stem,), (label,) if label else ())


def _in_text(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{file} is no text: it should hold the class of its sample; write the shard again") from None
    if any(line.strip() for line in lines[1:]):
        raise InputError(f"{file} has several lines: it should hold the class of its sample; write the shard again")
    return lines[0].strip()


def _in_json(file: Path) -> str:
    content = json_of(file)
    if not isinstance(content, dict):
        raise InputError(f"{file} is no JSON object: it should hold the class of its sample; write the shard again")
    value = next((content[key] for key in KEYS if key in content), "")
    return str(value) if isinstance(value, str | int) else ""


def _says_class(file: Path) -> bool:
    try:
        return bool(_in_json(file))
    except InputError:
        return False
