"""Labels from folders: one for each class, with or without train, validation and test parts above or below them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cvtune_nb.data import walk
from cvtune_nb.data.folder_tree import Folder, unwrapped
from cvtune_nb.data.layout import OUTSIDE, Layout, alike, composed, in_words, laid_out, photos_in_words
from cvtune_nb.data.split_names import SPLIT_WORDS, label_and_split, only_filler, split_of, splits_of
from cvtune_nb.errors import InputError

OPPOSITES = {"valid": "invalid", "training": "match"}
"""Classes that are called like a split, by what their opposite is called."""

CLASSES = "--layout classes (in notebook 00: Layout)"


@dataclass
class Reading:
    """One reading of a tree of folders.

    (label, split) of folders and single files, why other folders are left out, and why single files in a folder are.
    """

    taken: dict[Path, tuple[str, str]] = field(default_factory=dict)
    passed: dict[Path, str] = field(default_factory=dict)
    loose: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kind: str = ""


def read_folders(tree: Folder, layout: str = "") -> Layout:
    """The photos in the folders of `tree`, each file used or listed with its reason.

    layout: one of LAYOUTS but csv, or "" to recognise it. Raises InputError where the folders have several readings, or
    none.
    """
    root, top = tree.path, unwrapped(tree)
    reading = {"": _recognised, "classes": _as_classes, "splits": partial(_as_splits, asked=True), "names": _by_names}[
        layout
    ](top)
    found: list[tuple[str, str, str]] = []
    left_out: list[tuple[str, str, str]] = []
    _account(tree, root, reading, found, left_out)
    notes = reading.notes
    if top.path != root:
        notes = [f"the folder that holds it all: {top.path.relative_to(root).as_posix()}", *notes]
    return laid_out(root, found, left_out, notes, reading.kind)


# -- what the folders mean ------------------------------------------------------------------------------------


def _recognised(top: Folder) -> Reading:
    names = [folder.name for folder in top.full]
    splits = splits_of(names)
    if joined := _labels_in_names(top, names):
        return joined
    whole = {name for name in names if split_of(name)}
    bases = {alike(label_and_split(name)[0]) for name in splits if name not in whole}
    if len(bases) > 1 or (bases and whole):
        raise InputError(
            f"{top.path} has folders for the parts of some classes, {in_words(splits)}, but not of all: rename them "
            f"so that all are alike, or say that each folder is a class with {CLASSES}"
        )
    beside = [folder for folder in top.full if folder.name not in splits]
    stated = [label_and_split(name)[1] for name in names]
    if not splits and all(stated) and "train" in stated and len(set(stated)) > 1:  # cats_train beside dogs_test
        raise _ambiguous(top, names, [])
    if not splits:
        return _class_first(top) or _as_classes(top)
    if not beside:
        if "train" not in splits.values():
            raise _no_train(top, splits) if len(splits) > 1 else _ambiguous(top, splits, beside)
        return _as_splits(top)
    return _splits_beside_others(top, splits, beside)


def _splits_beside_others(top: Folder, splits: dict[str, str], beside: list[Folder]) -> Reading:
    """Folders that are called like splits among others: either parts, or classes that happen to be called so."""
    parts = [folder for folder in top.full if folder.name in splits]
    labelled = {splits[folder.name] for folder in parts if _within(folder, splits[folder.name]).full}
    if "train" in labelled and len(set(splits.values())) > 1:
        return _as_splits(top)
    if len(parts) == 1 and not _doubtful(top.full):
        reading = _as_classes(top)
        reading.notes.append(f"the folder {parts[0].name} is a class, not a split")
        return reading
    raise _ambiguous(top, splits, beside)


def _doubtful(folders: list[Folder]) -> list[Folder]:
    """Of class folders side by side, those that may be parts of the photos.

    They are called like splits, and not for what they show, as train among vehicles is, or valid beside invalid.
    """
    called = [folder for folder in folders if split_of(folder.name)]
    if len(called) == 1 and len(folders) > 1:
        name, split = called[0].name.lower(), split_of(called[0].name)
        is_a_word = name == "train" or OPPOSITES.get(name) in {folder.name.lower() for folder in folders}
        if is_a_word and not _within(called[0], split).full:
            return []
    return called


def _ambiguous(top: Folder, splits: Iterable[str], beside: list[Folder]) -> InputError:
    others = f" beside {in_words(folder.name for folder in beside)}" if beside else ""
    return InputError(
        f"{top.path} has {in_words(splits)}{others}, which can be parts of the photos or classes: say which with "
        f"--layout splits or {CLASSES}"
    )


def _no_train(top: Folder, splits: dict[str, str]) -> InputError:
    return InputError(
        f"{top.path} has the parts {in_words(splits)} but none to train with: add a folder train, or say that each "
        f"folder is a class with {CLASSES}"
    )


def _as_classes(top: Folder) -> Reading:
    """Each folder is a class."""
    forms = Counter(composed(folder.name) for folder in top.full)
    notes = [
        f"the folders called {name!r} in two Unicode forms are one class" for name, count in forms.items() if count > 1
    ]
    return Reading({folder.path: (composed(folder.name), "") for folder in top.full}, notes=notes, kind="classes")


def _as_splits(top: Folder, asked: bool = False) -> Reading:
    """The folders are parts with class folders in them; others are left out.

    asked: the person said so, and whatever lies in a part is a class.
    """
    splits = splits_of(folder.name for folder in top.full)
    parts = {folder: splits[folder.name] for folder in top.full if folder.name in splits}
    parts = dict(sorted(parts.items(), key=lambda part: list(SPLIT_WORDS).index(part[1])))
    if "train" not in splits.values():
        raise (
            _no_train(top, splits)
            if splits
            else InputError(f"{top.path} has no folder called train: rename the one with the photos to train with")
        )
    inside = {folder: _within(folder, split) for folder, split in parts.items()}
    _past_wrapper(inside, parts)
    flat = [folder for folder, split in parts.items() if split == "train" and not inside[folder].full]
    if flat:
        raise _unlabelled(top, flat, [folder for folder in parts if inside[folder].full])

    reading = Reading(kind="splits")
    for folder in top.full:
        if folder not in parts:
            reading.passed[folder.path] = "folder is none of train, validation, test"
    train = [inside[folder] for folder, split in parts.items() if split == "train"]
    classes = {composed(folder.name) for part in train for folder in part.full}
    for folder, split in parts.items():
        _take_part(folder, inside[folder], split, classes, reading, asked)
    counts = {name for name, _ in reading.taken.values()}
    reading.notes.insert(
        0, f"folders {', '.join(folder.name for folder in parts)}: splits; {len(counts)} classes below them"
    )
    return reading


def _take_part(outer: Folder, inner: Folder, split: str, classes: set[str], reading: Reading, asked: bool) -> None:
    """Take the class folders in `inner`, which is the folder of a split or one that it wraps."""
    reading.loose[inner.path] = f"has no label: {outer.name} holds it outside every class folder"
    again = splits_of(folder.name for folder in inner.full)
    if again and len(again) == len(inner.full):
        if split != "train" or "train" not in again.values() or set(again.values()) - {"train", "validation"}:
            raise InputError(
                f"{outer.path} is the part for {split}, and holds the parts {in_words(again)}: move them up, beside "
                "each other"
            )
        reading.notes.append(f"{', '.join(again)} in {outer.name}: splits")
        for folder in inner.full:
            _take_part(folder, _within(folder, again[folder.name]), again[folder.name], classes, reading, asked)
        return
    if not inner.full:
        reading.notes.append(f"{photos_in_words(inner.count)} in {outer.name} without a label: left out")
        return
    if not asked and (doubtful := _doubtful(inner.full)):
        raise InputError(
            f"{outer.path} is the part for {split}, and holds {in_words(folder.name for folder in doubtful)} beside "
            "other classes: move what is not a class out of it, or say that each folder in it is a class with --layout "
            "splits (in notebook 00: Layout)"
        )
    strangers = [folder for folder in inner.full if composed(folder.name) not in classes]
    if split != "train" and strangers == inner.full and len(strangers) == 1:  # test/unknown/1.jpg
        name = strangers[0].name
        reading.passed[strangers[0].path] = f"has no label: {name!r} is no class of the photos to train with"
        reading.notes.append(f"{photos_in_words(inner.count)} in {outer.name}/{name} without a label: left out")
        return
    for folder in inner.full:
        reading.taken[folder.path] = (composed(folder.name), split)


def _within(folder: Folder, split: str) -> Folder:
    """Past folders inside a split that only say it again, or nothing: seg_train/seg_train, train/images."""
    name = folder.name
    while len(folder.full) == 1 and not folder.photos:
        inner = folder.full[0]
        if split_of(inner.name) != split and inner.name != name and not only_filler(inner.name):
            break
        folder = inner
    return folder


def _past_wrapper(inside: dict[Folder, Folder], parts: dict[Folder, str]) -> None:
    """Where every split holds nothing but one folder of the same name, with folders in it, the classes are those."""
    labelled = [inner for inner in inside.values() if inner.full]
    names = {inner.full[0].name if len(inner.full) == 1 else "" for inner in labelled}
    train = [inside[folder] for folder, split in parts.items() if split == "train" and inside[folder].full]
    if len(names) == 1 and "" not in names and train and len(train[0].full[0].full) > 1:
        for folder, inner in inside.items():
            if inner.full:
                inside[folder] = inner.full[0]


def _labels_in_names(top: Folder, names: list[str]) -> Reading | None:
    """Read folders that name both class and split: cats_train, cats_test, dogs_train, dogs_test."""
    parts = {name: label_and_split(name) for name in names}
    splits: dict[str, set[str]] = {}
    for label, split in parts.values():
        splits.setdefault(alike(label), set()).add(split)
    divided = [label for label, own in splits.items() if label and "train" in own and len(own) > 1]
    if not divided or "" in splits or len(splits) < 2:
        return None
    reading = Reading({folder.path: (composed(parts[folder.name][0]), parts[folder.name][1]) for folder in top.full})
    labels = sorted({label for label, _ in reading.taken.values()})
    reading.notes.append(f"names of folders such as {names[0]}: class and split; {len(labels)} classes")
    return reading


def _class_first(top: Folder) -> Reading | None:
    """cats/train, cats/test, dogs/train: the splits lie in the class folders."""
    inner = {folder: splits_of(each.name for each in folder.full) for folder in top.full}
    divided = {
        folder for folder, splits in inner.items() if "train" in splits.values() and len(set(splits.values())) > 1
    }
    if not divided:
        held_back = {folder for folder, splits in inner.items() if set(splits.values()) - {"train"}}
        if held_back:
            raise InputError(
                f"{top.path} has {in_words(folder.name for folder in top.full if folder in held_back)} with parts for "
                f"validation or test in them, but no class has one to train with: add a folder train to each, or say "
                f"that each folder is a class with {CLASSES}"
            )
        return None
    if others := [folder for folder in top.full if not inner[folder]]:
        raise InputError(
            f"{top.path} has {in_words(folder.name for folder in top.full if folder in divided)} with train and "
            f"other parts in them, and {in_words(folder.name for folder in others)} without: give all of them such "
            f"parts, give the one folder that holds your photos, or say that each folder is a class with {CLASSES}"
        )
    below = [
        {alike(each.name) for part in folder.full if part.name in inner[folder] for each in part.full}
        for folder in divided
    ]
    if len(below) > 1 and len(set.intersection(*below)) > 1:
        shared = sorted(set.intersection(*below))
        raise InputError(
            f"{top.path} has {in_words(folder.name for folder in top.full)} with train and other parts in them and "
            f"{in_words(shared)} in all of these, and so either can be the classes: give one of the folders, put "
            f"them together by train and test, or say that the upper ones are the classes with {CLASSES}"
        )
    names = ", ".join(dict.fromkeys(name for each in inner.values() for name in each))
    reading = Reading(notes=[f"folders {names} in class folders: splits; {len(top.full)} classes"])
    for folder in top.full:
        reading.loose[folder.path] = f"lies outside {', '.join(inner[folder])}"
        for part in folder.full:
            if split := inner[folder].get(part.name):
                reading.taken[part.path] = (composed(folder.name), split)
            else:
                reading.passed[part.path] = "folder is none of train, validation, test"
    return reading


# -- labels in the names of files -----------------------------------------------------------------------------


def prefix(path: Path) -> str:
    """What the name of a file says before its number: cat for cat.0.jpg, dog for dog (12).jpg, "" for 0001.jpg."""
    return re.sub(r"[\s._-]*\(?\d*\)?$", "", path.stem).strip(" ._-")


def prefixes(paths: Iterable[Path]) -> Counter:
    """How many files begin with each prefix, where prefixes can be classes; else empty.

    They can be where there are several, at least two files of each, and no file without one.
    """
    counts = Counter(prefix(path) for path in paths)
    usable = len(counts) > 1 and "" not in counts and min(counts.values()) > 1
    return counts if usable else Counter()


def _by_names(top: Folder) -> Reading:
    """The class of each file is the beginning of its name; train and test folders stay splits."""
    splits = splits_of(folder.name for folder in top.full)
    splits = splits if "train" in splits.values() else {}
    reading = Reading(notes=["names of files begin with their class"], kind="names")
    if splits:
        reading.notes.append(f"folders {', '.join(splits)}: splits")
    for path, reason in top.below[0]:
        upper = path.relative_to(top.path).parts[0]
        if not reason and prefix(path):
            reading.taken[path] = (composed(prefix(path)), splits.get(upper, ""))
        reading.loose.setdefault(path.parent, "has no label: its name begins with no class")
    return reading


def _unlabelled(top: Folder, flat: list[Folder], labelled: list[Folder]) -> InputError:
    """There is nothing that says the labels of the photos in `flat`."""
    counts = prefixes(path for folder in flat for path, reason in folder.below[0] if not reason)
    words = (
        f"the photos in {in_words(folder.name for folder in flat)} of {top.path} have no labels: no class folders "
        "lie in it"
    )
    if labelled:
        words += f", but in {in_words(folder.name for folder in labelled)} they do"
    return InputError(f"{words}; {ways_to_label(counts)}")


def ways_to_label(counts: Counter) -> str:
    """What to do where photos lie in one heap; `counts` as `prefixes` gives."""
    words = "give each class a folder (train/tulip/1.jpg), or give a CSV file with the columns path,label"
    if not counts:
        return words
    known = ", ".join(f"{name} ({count:,})" for name, count in counts.most_common(6))
    known += f" and {len(counts) - 6} more" if len(counts) > 6 else ""
    return (
        f"{words}; their names begin with {known}: if these are the classes, say so with --layout names (in notebook "
        "00: Layout)"
    )


# -- what becomes of every file -------------------------------------------------------------------------------


def _account(folder: Folder, root: Path, reading: Reading, found: list, left_out: list) -> None:
    """Sort every file below `folder` into found (path, label, split) and left_out (path, label, reason)."""

    def leave(path: Path, reason: str, label: str = "") -> None:
        left_out.append((walk.shown(path.relative_to(root).as_posix()), walk.shown(label), reason))

    def take(files: Iterable[tuple[Path, str]], label: str, split: str) -> None:
        for path, reason in files:
            if reason:
                leave(path, reason, label)
            else:
                found.append((path.relative_to(root).as_posix(), label, split))

    for path, reason in folder.entries[2]:
        leave(path, reason)
    for path, reason in folder.files:
        if path in reading.taken:
            take([(path, reason)], *reading.taken[path])
        else:
            leave(path, walk.LINK if path.is_dir() else reading.loose.get(folder.path, OUTSIDE))
    settled = (*reading.taken, *reading.passed, *reading.loose)
    for inside in folder.folders:
        if inside.path in reading.taken:
            take(inside.below[0], *reading.taken[inside.path])
            take(inside.below[1], "", "")
        elif not inside.count:
            leave(inside.path, "holds no photos, and so is no class")
            take([*inside.below[0], *inside.below[1]], "", "")
        elif inside.path not in reading.passed and any(path.is_relative_to(inside.path) for path in settled):
            _account(inside, root, reading, found, left_out)
        else:
            leave(inside.path, f"{reading.passed.get(inside.path, OUTSIDE)} ({photos_in_words(inside.count)})")
