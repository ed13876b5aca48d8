"""Which photo does an annotation file mean? First by where the file lies, then by a name that only one photo has."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from PIL import Image

from cvtune_nb.data.file_types import BESIDE_JPEG
from cvtune_nb.data.layout import folded
from cvtune_nb.data.split_names import split_of

OF_FILES = {
    "images",
    "image",
    "imgs",
    "img",
    "jpegimages",
    "photos",
    "photo",
    "pictures",
    "pics",
    "frames",
    "labels",
    "label",
    "annotations",
    "annotation",
    "annots",
    "annot",
    "anns",
    "ann",
    "boxes",
    "bboxes",
    "xml",
    "xmls",
    "txt",
    "json",
    "jsons",
    "jpg",
    "jpeg",
    "jpgs",
    "png",
    "voc",
    "pascal",
    "coco",
    "yolo",
    "yolov5",
    "yolov8",
    "darknet",
    "data",
    "dataset",
    "files",
    "raw",
    "original",
    "originals",
    "all",
    "final",
    "export",
    "gt",
    "bbox",
    "detection",
}
"""Words in the names of folders that say what kind of files lie there: labels/train and train/images are one place."""

ABSOLUTE = re.compile(r"^(/|[A-Za-z]:/|[a-z]+://)")
"""A path or address on another machine, of which only the end says something here."""


@dataclass(frozen=True)
class Claim:
    """A photo that an annotation file is about.

    Attributes
    ----------
    where
        Where in the file it is stated.
    name
        What the file calls it.
    fitting
        The photos that it may mean; one where all is well.
    by_name
        Whether it was found by its name only.
    elsewhere
        Where nothing fits, photos of this name in other folders.
    doubt
        Why none is taken although it fits.
    classes
        The classes that the file is about; None: all.
    """

    file: str
    where: str
    name: str
    fitting: tuple[str, ...] = ()
    by_name: bool = False
    elsewhere: tuple[str, ...] = ()
    doubt: str = ""
    classes: frozenset[str] | None = None


class Photos:
    """Photos, to be found by folder and name.

    Paths are relative to one root, with forward slashes. Capitals and Unicode forms matter only where photos differ in
    nothing else.
    """

    def __init__(self, paths: Iterable[str], unusable: Mapping[str, str] | None = None):
        """Index the photos.

        `unusable`: path -> reason of photos that can't be read; they are found only where nothing else fits.
        """
        self.unusable = dict(unusable or {})
        self._names: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._stems: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._anywhere: dict[str, set[str]] = defaultdict(set)
        self.folders: dict[str, list[str]] = {}
        """Every folder with photos in it or below it: its photos, not those below."""
        for path in [*paths, *self.unusable]:
            folder, name = split_path(path)
            self._names[folded(folder), folded(name)].append(path)
            self._stems[folded(folder), folded(stem_of(name))].append(path)
            self._anywhere[folded(name)].add(path)
            self._anywhere[folded(stem_of(name))].add(path)
            for parent in parents(folder):
                self.folders.setdefault(parent, [])
            self.folders[folder].append(path)
        self._mirrors: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._loose: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for folder in sorted(self.folders):
            self._mirrors[what_of(folder)].append(folder)
            self._loose[what_of(folder, loosely=True)].append(folder)

    def within(self, folder: str, name: str) -> tuple[str, ...]:
        """The photos in `folder` that are called `name`: with its extension, else without, else with another one."""
        for table, wanted in ((self._names, name), (self._stems, name), (self._stems, stem_of(name))):
            if fitting := table.get((folded(folder), folded(wanted))):
                return self._best(fitting, folder, wanted)
        return ()

    def first(self, folders: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
        """The photos in one of `folders` that are called as the first of `names` (or paths) that is there."""
        folders = list(folders)
        for name in names:
            inside, last = split_path(name)
            places = dict.fromkeys(posixpath.normpath(joined(folder, inside)) for folder in folders)
            if fitting := [photo for place in places for photo in self.within(place.removeprefix("."), last)]:
                return tuple(fitting)
        return ()

    def labelled(self, folder: str, stem: str) -> tuple[str, ...]:
        """The photos in `folder` whose name without extension is `stem`, else whose whole name is."""
        for table in (self._stems, self._names):
            if fitting := table.get((folded(folder), folded(stem))):
                return self._best(fitting, folder, stem)
        return ()

    def anywhere(self, name: str) -> tuple[str, ...]:
        """All photos whose path ends in `name`, with its extension or without."""
        folder, last = split_path(name)
        fitting = self._anywhere.get(folded(last)) or self._anywhere.get(folded(stem_of(last)), set())
        ends = f"/{folded(folder)}" if folder else ""
        return self._usable([path for path in sorted(fitting) if f"/{folded(split_path(path)[0])}".endswith(ends)])

    def mirrors(self, folder: str) -> list[str]:
        """The folders that are the same place as `folder` but for the words that name the kind of files."""
        return self._mirrors.get(what_of(folder)) or self._loose.get(what_of(folder, loosely=True), [])

    def _best(self, fitting: list[str], folder: str, wanted: str) -> tuple[str, ...]:
        """Those that need no folding, if any, and of these those that can be used, if any."""
        exact = [
            path
            for path in fitting
            if split_path(path)[0] == folder and wanted in (split_path(path)[1], stem_of(split_path(path)[1]))
        ]
        return self._usable(exact or fitting)

    def _usable(self, fitting: list[str]) -> tuple[str, ...]:
        """Without what cannot be meant beside others: no photos, and what a camera stores beside a JPEG."""
        return tuple([path for path in fitting if not self._passed_over(path)] or fitting)

    def _passed_over(self, path: str) -> bool:
        reason = self.unusable.get(path, "")
        return reason.startswith("not a photo") or (bool(reason) and PurePosixPath(path).suffix.lower() in BESIDE_JPEG)


Place = Callable[[str], Sequence[str]]
"""The photos that the annotation file with this path means, if this is the place where its photos lie."""


def by_place(files: Sequence[str], places: Sequence[Place]) -> list[tuple[str, ...]]:
    """The photos of annotation files that lie together, looked up in one place.

    That is the first of the places where most of them are found. A photo that is missing there is missing, even if
    another place has one of that name.
    """
    best: list[tuple[str, ...]] = [() for _ in files]
    for place in places:
        found = [tuple(place(file)) for file in files]
        if sum(map(bool, found)) > sum(map(bool, best)):
            best = found
        if all(best):
            break
    return best


def by_name(photos: Photos, names: Sequence[Sequence[str]], folder: str, splits: set[str]) -> list[tuple[str, ...]]:
    """The photos of the annotation files in one folder, wherever they are, by name.

    Parameters
    ----------
    photos
        All photos.
    names
        For each annotation file the names its photo may have; the first that exists counts.
    folder
        Where the annotation files are.
    splits
        Splits the photos may belong to. Photos in folders of another split, or of an altogether different name, don't
        count: labels/a says nothing about b.
    """
    fitting = [next((there for name in each if (there := photos.anywhere(name))), ()) for each in names]
    words = set(what_of(folder))

    def goes_with(path: str) -> bool:
        there = split_path(path)[0]
        theirs, other = splits_in(there), set(what_of(there))
        return bool((splits & theirs or not (splits and theirs)) and (words <= other or other <= words))

    return [tuple(path for path in each if goes_with(path)) for each in fitting]


def names_of(stated: str, root: str) -> list[str]:
    """What `stated` may be relative to some folder here, the most likely first.

    `stated` is a file name or path in an annotation file. Of a path on another machine, every end is tried; of others,
    what remains without folders that name the kind of files, the root, or the folder above.
    """
    parts = [part for part in stated.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts:
        return []
    elsewhere = bool(ABSOLUTE.match(stated.replace("\\", "/")))
    names = ["/".join(parts)]
    while len(parts) > 1 and (elsewhere or parts[0] in ("..", root) or not what_of(parts[0])):
        parts = parts[1:]
        names.append("/".join(parts))
    return names


def settled(claims: Sequence[Claim]) -> tuple[dict[Claim, str], dict[Claim, str]]:
    """The photo of each claim, and why the others have none.

    Of several photos that fit by place, those with a file of their own are meant by that one. What was found by its
    name only must not lie where files in another folder have found theirs by their place.
    """
    sure: set[str] = set()
    files_of: dict[str, set[str]] = defaultdict(set)
    for claim in claims:
        if len(claim.fitting) == 1 and not claim.by_name:
            sure.add(claim.fitting[0])
            files_of[_folder(claim.fitting[0])].add(_folder(claim.file))
    paths, reasons = {}, {}
    for claim in claims:
        fitting = claim.fitting
        if len(fitting) > 1 and not claim.by_name:
            fitting = tuple(path for path in fitting if path not in sure) or fitting
        if claim.doubt:
            reasons[claim] = claim.doubt
        elif len(fitting) > 1:
            reasons[claim] = f"{len(fitting)} photos fit, {listed(fitting)}: rename one, or take it away"
        elif not fitting:
            reasons[claim] = f"there is no such photo{_elsewhere(claim)}"
        elif claim.by_name and (fitting[0] in sure or files_of[_folder(fitting[0])] - {_folder(claim.file)}):
            reasons[claim] = f"there is no such photo here, and those beside {fitting[0]} have files of their own"
        else:
            paths[claim] = fitting[0]
    return paths, reasons


def _folder(path: str) -> str:
    return split_path(path)[0]


def _elsewhere(claim: Claim) -> str:
    if not claim.elsewhere:
        return ""
    are = "are" if len(claim.elsewhere) > 1 else "is"
    return f" where it should lie ({listed(claim.elsewhere)} {are} called so: put the two side by side if it is meant)"


def listed(paths: Sequence[str], most: int = 5) -> str:
    """A few paths, as a part of a sentence."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more


# -- names and folders ----------------------------------------------------------------------------------------


def split_path(path: str) -> tuple[str, str]:
    """Folder ("" for the root) and name."""
    folder, _, name = path.rpartition("/")
    return folder, name


def parents(folder: str) -> list[str]:
    """`folder` and all above it, the root ("") last."""
    found = [folder]
    while folder:
        folder = split_path(folder)[0]
        found.append(folder)
    return found


def joined(folder: str, inside: str) -> str:
    """The path of `inside`, a path or "", in `folder`."""
    return f"{folder}/{inside}" if folder and inside else folder or inside


def replaced(folder: str, word: str, by: str) -> str:
    """A folder with another name for the last of its parts that is called `word`.

    Parameters
    ----------
    folder
        With forward slashes.
    word, by
        The name to replace, in lower case, and the new one.
    """
    parts = folder.split("/")
    for place in reversed(range(len(parts))):
        if folded(parts[place]) == word:
            return "/".join([*parts[:place], by, *parts[place + 1 :]])
    return folder


def stem_of(name: str) -> str:
    """`name` without the extension of a photo; img.2 has none."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in _extensions() else name


@lru_cache(1)
def _extensions() -> frozenset[str]:
    Image.init()
    return frozenset({*Image.EXTENSION, *BESIDE_JPEG, ".avif", ".jxl"})


def what_of(folder: str, loosely: bool = False) -> tuple[str, ...]:
    """What the folders of a path say besides the kind of files in them.

    ("train",) for images/train, train/labels and train_images. loosely: val and validation count as the same.
    """
    said = []
    for part in folder.split("/"):
        words = [word for word in words_of(folded(part)) if word not in OF_FILES]
        if loosely:
            words = [split_of(word) + "".join(re.findall(r"\d", word)) if split_of(word) else word for word in words]
        if words:
            said.append(" ".join(words))
        elif not re.search(r"[^\W_]", part) and part:
            said.append(folded(part))
    return tuple(said)


def splits_in(path: str) -> set[str]:
    """The splits that the words of a path name."""
    return {split for word in words_of(path) if (split := split_of(word))}


def words_of(name: str) -> list[str]:
    """The letters and digits of a name or path between its other signs."""
    return re.findall(r"[^\W_]+", name)
