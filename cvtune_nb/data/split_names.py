"""Which folders and columns name the split of a photo: train, validation or test."""

import re
from collections import Counter
from collections.abc import Iterable

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "validate": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}

FILLERS = {
    "set",
    "subset",
    "data",
    "dataset",
    "images",
    "image",
    "imgs",
    "img",
    "photos",
    "photo",
    "pictures",
    "picture",
    "pics",
    "split",
    "part",
    "seg",
    "folder",
    "dir",
    "files",
    "jpg",
    "jpeg",
    "png",
    "tif",
    "tiff",
    "bmp",
    "webp",
}
"""Words that may stand beside a split's in the name of a folder without meaning anything: test_set, seg_train."""


def split_of(name: str) -> str:
    """train, validation or test, where `name` says that and nothing else; else "".

    Capitals, digits, punctuation and FILLERS don't matter: Test, train2017, seg_train, trainSet, "validation images".
    """
    splits, others = _words(name)
    return splits[0] if len(splits) == 1 and not others else ""


def splits_of(names: Iterable[str]) -> dict[str, str]:
    """The split of each name of folders that lie side by side; a name that has none is missing.

    Besides what `split_of` knows, names that differ only in the split's word count, as in alphabet_train and
    alphabet_test, where train is one of them.
    """
    names = list(names)
    found = {name: split for name in names if (split := split_of(name))}
    parts = {name: _words(name) for name in names if name not in found}
    parts = {name: (splits[0], others) for name, (splits, others) in parts.items() if len(splits) == 1}
    bases = {others for _, others in parts.values()}
    for base in bases:
        same = {name: split for name, (split, others) in parts.items() if others == base}
        if "train" in same.values() and len(set(same.values())) > 1 and max(Counter(same.values()).values()) == 1:
            found |= same
    return found


def _words(name: str) -> tuple[list[str], tuple[str, ...]]:
    """The splits that the words of `name` mean, each once, and its other words."""
    splits, others = [], []
    for word in re.findall(r"[^\W\d_]+", _spaced(name).lower()):
        split = _split_in(word)
        if split and split not in splits:
            splits.append(split)
        elif not split and word not in FILLERS:
            others.append(word)
    return splits, tuple(others)


def _spaced(name: str) -> str:
    """`name` with a blank before each capital that begins a word within it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _split_in(word: str) -> str:
    """The split that a word means, or that one such as trainset or testimages begins with; else ""."""
    return SPLIT_WORDS.get(word) or next(
        (
            split
            for begin, split in SPLIT_WORDS.items()
            if word.startswith(begin) and word.removeprefix(begin) in FILLERS
        ),
        "",
    )


def label_and_split(name: str) -> tuple[str, str]:
    """cats, train for cats_train, train-cats or catsTrain: a class and a split in one name; "", "" for any other."""
    splits, others = _words(name)
    if len(splits) != 1 or not others:
        return "", ""
    parts = re.findall(r"[^\W\d_]+|[\W\d_]+", _spaced(name))
    at = next(place for place, part in enumerate(parts) if _split_in(part.lower()))
    first, last = at, at + 1
    while first > 1 and parts[first - 2].lower() in FILLERS:  # cats_data_train
        first -= 2
    while last + 1 < len(parts) and parts[last + 1].lower() in FILLERS:  # train_images_cats
        last += 2
    rest = re.sub(r"^\d+", "", "".join(parts[last:]))  # train2017
    begin, end = "".join(parts[:first]).strip(" _-.,()[]"), rest.strip(" _-.,()[]")
    return " ".join(part for part in (begin, end) if part), splits[0]


def only_filler(name: str) -> bool:
    """Whether `name` is made of FILLERS alone, as images or photos_jpg are."""
    splits, others = _words(name)
    return not splits and not others and bool(re.search(r"[^\W\d_]", name))
