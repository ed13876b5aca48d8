"""Data sets that torchvision knows by name: downloaded once, and written down as a table of photos."""

import csv
import http.client
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, replacing, write_text

PREFIX = "torchvision:"
Rows = Iterator[tuple[Path, str]]
"""Each photo's file and its label."""


@dataclass(frozen=True)
class Known:
    """How a data set of torchvision is read.

    Attributes
    ----------
    parts
        What torchvision calls train, validation and test; "" for photos that are not divided.
    rows
        Gives the photos of a part, from torchvision's data set, the folder it was downloaded to, and the part.
    argument
        What a part is asked for by.
    """

    parts: Mapping[str, Any]
    rows: Callable[[Any, Path, Any], Rows]
    argument: str = "split"


def in_files(dataset: Any, folder: Path, part: str) -> Rows:  # noqa: ARG001 - they lie wherever it says
    """The photos of one that opens them with a loader, which here gives the path back."""
    dataset.loader = Path
    for number in range(len(dataset)):
        file, label = dataset[number]
        yield file, _name(dataset, label)


def of_pets(dataset: Any, folder: Path, part: str) -> Rows:
    """The photos of OxfordIIITPet, which has no loader: its lists have lines of NAME CLASS SPECIES BREED."""
    root = folder / "oxford-iiit-pet"
    for line in (root / "annotations" / f"{part}.txt").read_text(encoding="utf-8").splitlines():
        name, number, *_ = line.split()
        yield root / "images" / f"{name}.jpg", _name(dataset, int(number) - 1)


def of_digits(dataset: Any, folder: Path, part: bool) -> Rows:
    """The photos of MNIST and its like, which lie in one file: written as PNG, which loses nothing."""
    place = folder / ("train" if part else "test")
    for number, (pixels, label) in enumerate(zip(dataset.data.numpy(), dataset.targets.tolist(), strict=True)):
        file = place / f"{number:05d}.png"
        if not file.exists():
            with replacing(file) as written:
                Image.fromarray(pixels).save(written, "PNG")
        yield file, _name(dataset, label)


ALL_THREE = {"train": "train", "validation": "val", "test": "test"}
DIGITS = Known({"train": True, "test": False}, of_digits, "train")
SETS: dict[str, Known] = {
    "OxfordIIITPet": Known({"train": "trainval", "test": "test"}, of_pets),
    "Food101": Known({"train": "train", "test": "test"}, in_files),
    "Flowers102": Known(ALL_THREE, in_files),
    "DTD": Known(ALL_THREE, in_files),
    "FGVCAircraft": Known(ALL_THREE, in_files),
    "RenderedSST2": Known(ALL_THREE, in_files),
    "Country211": Known({**ALL_THREE, "validation": "valid"}, in_files),
    "Imagenette": Known({"train": "train", "validation": "val"}, in_files),
    "EuroSAT": Known({"": ""}, in_files),
    "SUN397": Known({"": ""}, in_files),
    "MNIST": DIGITS,
    "FashionMNIST": DIGITS,
    "KMNIST": DIGITS,
}
"""Those whose files are photos, or arrays without code in them."""
PICKLED = {"cifar10", "cifar100"}
"""Those whose files are pickles, in lower case."""


def torchvision_table(data: str, home: Path, progress: Progress) -> Path:
    """The table of a data set's photos, with path, label and split; made, and what it needs downloaded, on first use.

    Parameters
    ----------
    data
        PREFIX and the name of one of SETS.
    home
        The folder in which each data set gets a folder of its own.
    progress
        Called before each part; may raise Stopped.

    Raises
    ------
    InputError
        The name is not known, or its files can neither be downloaded nor read.
    """
    asked = data.removeprefix(PREFIX)
    if asked.lower() in PICKLED:
        raise InputError(
            f"{data} is kept in pickles, which can hold code and are never loaded here: get it as a folder of photos, "
            "or as Parquet files, and give these"
        )
    name = next((name for name in SETS if name.lower() == asked.lower()), "")
    if not name:
        raise InputError(f"{data} is not a data set that is known by name: choose {', '.join(SETS)}, or give a folder")
    folder = home / "torchvision" / name
    table = folder / f"{name}.csv"
    if not table.exists():
        text = io.StringIO(newline="")
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["path", "label", "split"])
        try:
            for number, (split, part) in enumerate(SETS[name].parts.items()):
                progress(number / len(SETS[name].parts), f"getting {name}: {split or 'photos'}")
                for file, label in _part(name, folder, part):
                    lines.writerow([file.relative_to(folder).as_posix(), label, split])
        except (
            OSError,
            RuntimeError,
            ValueError,
            http.client.HTTPException,
            tarfile.TarError,
            zipfile.BadZipFile,
        ) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{name} can't be had ({why}): check the connection, or put its files, as torchvision.datasets.{name} "
                f"has them, into {folder}"
            ) from None
        write_text(table, text.getvalue())
    return table


def _part(name: str, folder: Path, part: Any) -> Rows:
    from torchvision import datasets  # it brings torch, which takes seconds

    known = SETS[name]
    asked = {known.argument: part} if part != "" else {}
    folder.mkdir(parents=True, exist_ok=True)
    return known.rows(getattr(datasets, name)(root=str(folder), download=True, **asked), folder, part)


def _name(dataset: Any, number: int) -> str:
    """What a class is called; the first of its names where it has several."""
    name = dataset.classes[number]
    return str(name[0] if isinstance(name, tuple | list) else name)
