"""Which photos annotation files mean: one file that lists many, or one file for each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cvtune_nb.data.layout import folded
from cvtune_nb.detection.pairing import (
    Claim,
    Photos,
    Place,
    by_name,
    by_place,
    listed,
    names_of,
    parents,
    replaced,
    split_path,
    splits_in,
    stem_of,
    what_of,
    words_of,
)
from cvtune_nb.detection.raw_annotation import Folder, Found, Mark

# -- one file that lists many photos --------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """An entry of the list of images; size is 0, 0 where it is not stated."""

    where: str
    name: str
    size: tuple[float, float]


def claims_of_list(folder: Folder, file: str, images: Iterable[Listed], classes: frozenset[str]) -> list[Claim]:
    """The photos that a JSON file means."""
    photos, images = folder.photos, list(images)
    stated = {image.where: names_of(image.name, folder.root.name) for image in images}
    places = _places_of(photos, file)

    def lying_in(folders: Sequence[str], first: slice) -> Place:
        return lambda where: photos.first(folders, stated[where][first])

    fitting: list[tuple[str, ...]] = []
    for names in (slice(0, 1), slice(0, None)):  # as it stands, and only where that finds none without its beginning
        if not any(fitting):
            fitting = by_place(list(stated), [lying_in(folders, names) for folders in places])
    found_there = any(fitting)
    if not found_there:
        fitting = by_name(photos, list(stated.values()), split_path(file)[0], splits_in(file))
    claims = []
    for image, fits in zip(images, fitting, strict=True):
        elsewhere = () if fits else photos.anywhere((stated[image.where] or [image.name])[-1])
        claims.append(Claim(file, image.where, image.name, fits, not found_there, elsewhere, classes=classes))
    return claims


def _places_of(photos: Photos, file: str) -> list[list[str]]:
    """The folders that file names in a JSON file may be relative to, the most likely first."""
    folder, stem = split_path(file)[0], PurePosixPath(file).stem
    said, splits = f" {' '.join(words_of(folded(stem)))} ", splits_in(file)
    last = {inside: words[-1] for inside in photos.folders if (words := what_of(inside))}
    longest = max((len(words) for words in last.values() if f" {words} " in said), default=0)
    alike = [inside for inside, words in last.items() if f" {words} " in said and len(words) == longest]
    same = [inside for inside, words in last.items() if len(splits) == 1 and splits_in(words) == splits]
    return [*([parent] for parent in parents(folder)), list(photos.mirrors(folder)), alike, same]


# -- one file for each photo ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnFile:
    """What an annotation file about one photo states.

    filename, folder: of its photo; boxes: where, label, sides; wrong: where, kind and words of those that can't be
    read.
    """

    path: str
    filename: str
    folder: str
    size: tuple[float, float]
    boxes: list[tuple[str, str, tuple[float, float, float, float]]]
    wrong: list[tuple[str, str, str]]

    @property
    def stem(self) -> str:
        """Its own name without extension."""
        return PurePosixPath(self.path).stem

    @property
    def name(self) -> str:
        """What it calls its photo."""
        return self.filename or self.stem

    @property
    def agrees(self) -> bool:
        """Whether it is called like the photo that it names."""
        last = split_path(self.filename.replace("\\", "/"))[1]
        return not last or folded(self.stem) in (folded(last), folded(stem_of(last)))


def read_own_files(
    folder: Folder, files: Sequence[str], opened: Callable[[Found, str, bytes], OwnFile | None]
) -> Found:
    """Read files that are about one photo each.

    Parameters
    ----------
    folder
        Where they and the photos are.
    files
        Their paths.
    opened
        What one states, from its path and content; None, and a problem, where it can't be read.
    """
    found, lying = Found(), defaultdict(list)
    for file in files:
        content = (folder.root / file).read_bytes()
        if not content.strip():
            found.wrong(file, "", "", "empty file", "the file is empty; delete it, or export it again")
        elif stated := opened(found, file, content):
            lying[split_path(file)[0]].append(stated)
    for where, group in lying.items():
        for file, claim in zip(group, _claims_of_own_files(folder, where, group), strict=True):
            found.claims.append(claim)
            found.marks += [Mark(claim, line, label, sides, file.size) for line, label, sides in file.boxes]
            for problem in file.wrong:
                found.lose(claim, *problem)
    return found


def _claims_of_own_files(folder: Folder, where: str, group: Sequence[OwnFile]) -> list[Claim]:
    """The photos that the XML files in one folder mean."""
    photos = folder.photos
    names = {file.path: names_of(file.filename, folder.root.name) for file in group}
    files = {file.path: file for file in group}

    def lying_in(*folders: str) -> Place:
        def place(path: str) -> list[str]:
            stated = photos.first(folders, names[path])
            own = [photo for inside in folders for photo in photos.labelled(inside, files[path].stem)]
            return list(stated or own) if set(stated) & set(own) or not stated else [*stated, *own]

        return place

    def as_stated(path: str) -> tuple[str, ...]:
        stated = files[path].folder
        return photos.first(parents(where), [f"{stated}/{name}" for name in names[path]]) if stated else ()

    images = replaced(where, "annotations", "JPEGImages")
    fitting = by_place(list(files), [lying_in(where), lying_in(images), lying_in(*photos.mirrors(where))])
    if not any(fitting):
        stated = [as_stated(path) for path in files]
        named = by_name(photos, [[*names[file.path], file.stem] for file in group], where, splits_in(where))
        return [
            Claim(file.path, "", file.name, there or elsewhere, not there)
            for file, there, elsewhere in zip(group, stated, named, strict=True)
        ]
    agreeing = {fits[0] for file, fits in zip(group, fitting, strict=True) if file.agrees and len(fits) == 1}
    fitting = [
        fits if file.agrees else tuple(photo for photo in fits if photo not in agreeing) or fits
        for file, fits in zip(group, fitting, strict=True)
    ]
    doubt = any(len(fits) > 1 for file, fits in zip(group, fitting, strict=True) if not file.agrees)
    claims = []
    for file, fits in zip(group, fitting, strict=True):
        words = ""
        if doubt and fits and not file.agrees:
            words = (
                f"it may be about {listed(fits)}, for files in {where or 'this folder'} are called like other "
                "photos than they name: mend <filename>"
            )
        elsewhere = () if fits else photos.anywhere((names[file.path] or [file.stem])[-1])
        claims.append(Claim(file.path, "", file.name, fits, elsewhere=elsewhere, doubt=words))
    return claims
