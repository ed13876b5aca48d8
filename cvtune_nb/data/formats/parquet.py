"""Parquet files with photos in them, as data sets of Hugging Face are kept."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from cvtune_nb.data.csv_file import LABEL_COLUMNS, PHOTOS
from cvtune_nb.data.formats.packed import Packed, below, left_beside, relative
from cvtune_nb.data.layout import Layout, composed, in_words, laid_out
from cvtune_nb.data.split_names import split_of
from cvtune_nb.data.table import SEVERAL
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.quiet import quiet

BYTES, PATH = ".bytes", ".path"
"""Fields of a photo: its content, and what its file was called."""
A_TIME = 64
"""Photos between two reports of progress."""


class Parquet(Packed):
    """A column of photos and one of labels, whose names stand in the file where they are numbers."""

    name, title = "parquet", "Parquet files"

    def find(self, source: Path) -> list[Path]:
        """All that are called so."""
        return below(source, ".parquet")

    def unpack(self, files: list[Path], source: Path, into: Path, progress: Progress) -> Layout:
        """A folder of photos for each file; the split is in its name, or in that of its folder."""
        found, columns, left_out = [], [], left_beside(source, files)
        for number, file in enumerate(files):
            place = relative(file, source).with_suffix("")
            split = split_of(re.split(r"-\d", place.name)[0]) or split_of(place.parent.name)
            (into / place).mkdir(parents=True, exist_ok=True)
            for row, (content, name, label, others) in enumerate(_rows(file)):
                if row % A_TIME == 0:
                    progress(number / len(files), f"unpacking {file.name}: {row:,} photos")
                if content is None or not label:
                    what = "it has no label" if content is not None else "it holds no photo"
                    left_out.append((f"{relative(file, source).as_posix()} row {row + 1}", label, what))
                    continue
                path = place / f"{row:06d}{_suffix(content, name)}"
                (into / path).write_bytes(content)
                found.append((path.as_posix(), composed(label), split))
                columns.append(others)
        layout = laid_out(into, found, left_out, [f"{len(files)} {self.title}"], self.name)
        return replace(layout, columns=pd.DataFrame(columns, dtype=str).fillna(""))


def _rows(file: Path) -> Iterator[tuple[bytes | None, str, str, dict[str, str]]]:
    """Content and name of the photo, label, and the other columns as text, of each row."""
    try:
        with quiet():
            import fastparquet
    except ImportError:
        raise InputError(
            f"{file} is a Parquet file: install what reads it, with pip install 'cvtune-nb[parquet]'"
        ) from None
    try:
        opened = fastparquet.ParquetFile(str(file))
        names = list(opened.columns)
        features = _features(opened.key_value_metadata)
    except (ValueError, OSError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(f"{file} can't be read as Parquet ({error}): copy or download it again") from None
    photo, label = _photo_column(file, names, features), _label_column(file, names, features)
    classes = features.get(label, {}).get("names")
    content, path = photo + BYTES * (photo + BYTES in names), photo + PATH
    others = [name for name in names if "." not in name and name != photo]
    for group in opened.iter_row_groups(columns=[*others, *{content, *({path} & {*names})}]):
        for row in group.to_dict("records"):
            value = row[content]
            text = {name: str(row[name]) for name in others if _is_scalar(row[name])}
            said = _label(file, row[label], classes)
            yield value if isinstance(value, bytes) else None, str(row.get(path) or ""), said, text


def _features(metadata: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What Hugging Face says of each column."""
    try:
        return json.loads(metadata.get("huggingface", "{}")).get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        return {}


def _photo_column(file: Path, names: list[str], features: dict[str, dict[str, Any]]) -> str:
    found = [name.removesuffix(BYTES) for name in names if name.endswith(BYTES)]
    found = found or [name for name in names if name.lower() in ("image", "img", "photo", "picture", "bytes")]
    found = [name for name in found if features.get(name, {}).get("_type") == "Image"] or found
    if len(found) != 1:
        what = f"several columns of photos, {in_words(found)}" if found else "no column of photos"
        raise InputError(
            f"{file} has {what} (it has {', '.join(names)}): leave one, called image, with the content of its files"
        )
    return found[0]


def _label_column(file: Path, names: list[str], features: dict[str, dict[str, Any]]) -> str:
    found = [name for name in names if re.sub(r"[\W_]+", "", name.casefold()) in LABEL_COLUMNS]
    found = [name for name in found if name == "label"] or found
    found = found or [name for name in names if features.get(name, {}).get("_type") == "ClassLabel"]
    if len(found) != 1:
        what = f"several columns that may be the label, {in_words(found)}" if found else "no column label"
        raise InputError(f"{file} has {what} (it has {', '.join(names)}): call the right one label")
    return found[0]


def _label(file: Path, value: Any, classes: list[str] | None) -> str:
    """The label of a row, "" where it has none."""
    if isinstance(value, list):
        if len(value) > 1:
            raise InputError(f"{file} gives a photo several labels, {in_words(map(str, value))}: {SEVERAL}")
        value = value[0] if value else None
    if not _is_scalar(value):
        return ""
    if classes and not isinstance(value, str):
        return classes[int(value)] if 0 <= int(value) < len(classes) else ""
    return str(value)


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, bytes | list | dict) and bool(pd.notna(value))


def _suffix(content: bytes, name: str) -> str:
    """The extension of a photo: that of its file, else what it is."""
    suffix = Path(name).suffix.lower()
    if suffix in PHOTOS:
        return suffix
    try:
        with Image.open(io.BytesIO(content)) as photo:
            return f".{(photo.format or 'bin').lower()}"
    except (OSError, ValueError, Image.DecompressionBombError):
        return ".bin"  # opening it says what is wrong
