"""Exports from strangers: looked at before anything in them is used."""

import atexit
import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message

from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Model, kind_named, photo  # of cvtune_nb.data it would bring pandas
from cvtune_nb.export.variants import VARIANTS, file_of

LARGEST = 4_000_000_000
"""Bytes of an export once unpacked; the largest known backbone has 240 MB of weights, in five forms."""
MOST_FILES = 100
LARGEST_SIDE = 10_000
"""Pixels of a photo's short side once it is scaled."""
DOMAINS = {"", "ai.onnx", "com.microsoft"}
"""Where the operators of our models come from: ONNX itself, and ONNX Runtime's for 8-bit numbers."""
LARGEST_RATIO = 100
"""Bytes of a file over those it takes in the zip (docs/measurements.md, "Files of an export")."""
HASHES = "hashes.json"
ELEMENTS = {"uint8": onnx.TensorProto.UINT8, "int64": onnx.TensorProto.INT64, "float32": onnx.TensorProto.FLOAT}
"""How ONNX calls what inputs and outputs are made of."""
_TEXT = 10_000_000
"""Bytes of the largest JSON file that is read."""


def checked(place: str | Path, into: Path | None = None) -> Path:
    """The folder of an export that may be used: `place` itself, or what is unpacked from it where it is a zip.

    Checked before anything is loaded: names, sizes and kinds of the files, their hashes (hashes.json), that the ONNX
    files read no other files and have no operators of unknown origin, and that inputs, outputs and labels are those of
    the export's kind.

    Parameters
    ----------
    place
        A folder or a zip.
    into
        Where a zip is unpacked; by default a temporary folder that goes when this program ends.

    Raises
    ------
    InputError
        Says which file is wrong.
    """
    place = Path(place).expanduser()
    if place.is_file():
        return _unpacked(place, into)
    if not (place / "model.onnx").is_file():
        raise InputError(f"{place} holds no model.onnx: give the folder or the zip that `cvtune export` made")
    _require_complete(place, place)
    return place


def write_hashes(folder: Path) -> None:
    """hashes.json: the SHA-256 of every other file in `folder`."""
    files = sorted(file for file in folder.iterdir() if file.name != HASHES)
    text = json.dumps({"format": 1, "sha256": {file.name: _sha256(file) for file in files}}, indent=2)
    (folder / HASHES).write_text(text + "\n", encoding="utf-8")


def write_zip(folder: Path, file: Path) -> None:
    """Everything in `folder` as the zip `file`."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for inside in sorted(folder.iterdir()):
            packed.write(inside, inside.name)


def _unpacked(file: Path, into: Path | None) -> Path:
    try:
        with zipfile.ZipFile(file) as packed:
            entries = packed.infolist()
            _require_harmless(file, entries)
            name = f"cvtune-export-{_sha256(file)[:16]}"
            folder = into or _temporary() / name
            if into is None and folder.is_dir():
                return folder
            folder.parent.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{name}."))
            try:
                for entry in entries:
                    _copy(packed, entry, aside / entry.filename, file)
                _require_complete(aside, file)
                aside.rename(folder)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{file} is not a complete zip ({error}): fetch or make it again") from None
    return folder


@cache
def _temporary() -> Path:
    """A folder that goes when this program ends."""
    folder = Path(tempfile.mkdtemp(prefix="cvtune-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _require_harmless(file: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if not _plain(entry.filename) or kind not in (0, stat.S_IFREG):
            raise InputError(
                f"{file} is no export: it has an entry called {entry.filename[:80]!r}, and an export has only plain "
                "files in no folder; nothing was unpacked"
            )
        if entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1_000):
            raise InputError(
                f"{file} was not unpacked: {entry.filename} would grow to {entry.file_size / 1e6:,.0f} MB from "
                f"{entry.compress_size / 1e6:.1f} MB, as only bombs do"
            )
    if len(entries) > MOST_FILES or len(set(names)) < len(names) or sum(e.file_size for e in entries) > LARGEST:
        raise InputError(
            f"{file} was not unpacked: an export has at most {MOST_FILES} files, each once, and "
            f"{LARGEST / 1e9:.0f} GB in all"
        )


def _plain(name: str) -> bool:
    """Whether an export may have a file of that name: no folders inside, nothing hidden."""
    return re.fullmatch(r"\w[\w.-]*", name) is not None


def _copy(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, file: Path) -> None:
    """Unpack one file, and not a byte more than the zip says it has."""
    left = entry.file_size
    with packed.open(entry) as source, to.open("xb") as target:
        while block := source.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise InputError(f"{file} was not unpacked: {entry.filename} is larger than the zip says")
            target.write(block)


def _require_complete(folder: Path, place: Path) -> None:
    """What hashes.json says is there and unchanged, it names every model, and every model is one."""
    hashes = _object(folder / HASHES, place).get("sha256")
    if not isinstance(hashes, dict) or "model.onnx" not in hashes:
        raise InputError(f"{place} is incomplete ({HASHES} does not name model.onnx): export it again")
    for name, expected in hashes.items():
        file = folder / name
        if not _plain(name) or file.is_symlink() or not file.is_file():
            raise InputError(f"{place} is incomplete (no plain file {name[:80]!r} in it): export it again")
        if _sha256(file) != expected:
            raise InputError(
                f"{file.name} in {place} is not the file that was exported (its hash differs): fetch or export it again"
            )
    about = _object(folder / "labels.json", place)
    try:
        kind = kind_named(about, place)
    except ValueError as error:
        raise InputError(str(error)) from None
    models = [file_of(name) for name in ("fp32", *VARIANTS) if (folder / file_of(name)).exists()]
    if lacking := [name for name in (*kind.FILES, *models) if name not in hashes]:
        raise InputError(f"{place} is incomplete ({HASHES} does not name {lacking[0]}): export it again")
    labels = about.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels) or not labels:
        raise InputError(f"{place} is incomplete (labels.json holds no list of labels): export it again")
    for name in models:
        _require_model(folder / name, place, labels, kind)


def _require_model(file: Path, place: Path, labels: list[str], kind: type[Model]) -> None:
    if why := _wrong_with(file, labels, kind):
        raise InputError(f"{file.name} in {place} can't be used ({why}): take an export from someone you trust")


def _wrong_with(file: Path, labels: list[str], kind: type[Model]) -> str:
    """Why an ONNX file is no model of that kind, whole in itself, with these labels; "" when it is one."""
    try:
        proto = onnx.load(str(file), load_external_data=False)
    except (DecodeError, ValueError) as error:
        return f"no ONNX: {str(error)[:80]}"
    for part in _inside(proto):
        if isinstance(part, onnx.TensorProto) and (part.external_data or part.data_location == part.EXTERNAL):
            where = next((entry.value for entry in part.external_data if entry.key == "location"), "?")
            return f"it would read another file, {where[:80]!r}"
        if isinstance(part, onnx.NodeProto | onnx.FunctionProto) and part.domain not in DOMAINS:
            return f"operators of unknown origin: {part.domain[:80]!r}"
    graph = proto.graph
    later = kind.LATER_OUTPUTS if len(graph.output) > len(kind.OUTPUTS) else ()
    outputs = kind.OUTPUTS + later
    for part, values, expected in (("input", graph.input, kind.INPUTS), ("output", graph.output, outputs)):
        found, names = ([value.name for value in values], [name for name, _, _ in expected])
        if found != names:
            return f"its {part} is {', '.join(found)[:80]}, not {', '.join(names)}"
    notes, why = _notes(proto, labels, kind)
    if why:
        return why
    if kind.LATER_OUTPUTS and bool(later) != any(entry.key == "known_below" for entry in proto.metadata_props):
        return "its notes are missing or damaged"
    sizes = {"labels": len(labels), "image_size": notes["image_size"]}
    values = [*graph.input, *graph.output]
    for value, (name, element, shape) in zip(values, kind.INPUTS + outputs, strict=True):
        if value.type.tensor_type.elem_type != ELEMENTS[element]:
            return f"{name} must be {element}"
        found = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        wanted = [sizes.get(size) if isinstance(size, str) else size for size in shape]
        if len(found) != len(wanted) or any(w not in (None, f) for f, w in zip(found, wanted, strict=True)):
            return f"{name} must have the shape ({', '.join(map(str, shape))})"
    return ""


def _notes(proto: onnx.ModelProto, labels: list[str], kind: type[Model]) -> tuple[dict[str, Any], str]:
    """The notes of a model, and why they are not those of that kind with these labels, or ""."""
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    try:
        notes = {key: json.loads(texts[key]) for key in kind.NOTES}
        sizes, threshold = photo.both(notes["image_size"]), _number(notes.get("threshold", 0))
        sides, least = photo.both(notes.get("short_side", sizes)), _number(json.loads(texts.get("known_below", "0")))
        padding = json.loads(texts.get("padding", "[0, 0, 0]"))
        if not isinstance(padding, list) or any(type(one) is not int for one in (*sizes, *sides, *padding)):
            raise TypeError("no whole numbers")
        sensible = all(1 <= size <= side <= LARGEST_SIDE for size, side in zip(sizes, sides, strict=True))
        sensible &= 0 <= threshold <= 1 and 0 <= least <= 1
        if (limits := json.loads(texts.get("thresholds", "null"))) is not None:
            sensible &= isinstance(limits, list) and len(limits) == len(labels)
            sensible &= sensible and all(one is None or 0 < _number(one) <= 1 for one in limits)
        if "costs" in texts:
            costs = np.array([[_number(one) for one in row] for row in json.loads(texts["costs"])], float)
            sensible &= costs.shape == (len(labels),) * 2 and bool(np.isfinite(costs).all())
        sensible &= len(padding) == 3 and min(padding) >= 0 and max(padding) <= 255
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        return {}, "its notes are missing or damaged"
    if (framing := texts.get("framing", "crop")) not in photo.FRAMINGS:
        return {}, f"it frames photos in a way that is not known here: {framing[:80]!r}"
    if not sensible:
        return {}, "its sizes make no sense"
    return notes, "" if notes["labels"] == labels else "its labels are not those of labels.json"


def _number(value: object) -> float:
    """A number of JSON. Raises TypeError for anything else, whatever Python would make of it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)


def _inside(message: Message) -> Iterator[Message]:
    """The message and every message in it: graphs within graphs, whatever holds them."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                yield from _inside(part)


def _object(file: Path, place: Path) -> dict:
    """The JSON object in a file of moderate size."""
    try:
        if file.stat().st_size > _TEXT:
            raise ValueError("too large")
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{place} is incomplete ({file.name}: {why[:80]}): export it again") from None
    return found if isinstance(found, dict) else {}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
