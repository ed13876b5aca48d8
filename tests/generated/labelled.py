"""Sets of labelled photos, made at random, that know which label and split each photo has."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.generated.made import SPLIT_NAMES, SPLITS, key, nfc, noise, photo, stem, write

LIKE_SPLITS = ("test tube", "dev board", "Train station", "42", "7")
"""Names of classes that can't be told from a split's once the two are written in one name."""
CLASSES = (
    *LIKE_SPLITS,
    "cat",
    "dog",
    "blue jay",
    "Größe",
    "nai\u0308ve",
    "valley",
    "a_b",
    "x.y",
    "日本",
    "T-shirt",
    "contest",
)
"""Names with blanks, digits, dots, accents written as two letters, and words that only look like a split's."""
COUNTS = {"train": 5, "validation": 2, "test": 2}
"""Photos of a class in each split, where the set is divided."""


@dataclass
class Labelled:
    """source: what is given as the data; truth: label and split ("" where it gives none) by content; files: all there
    are, by path; drawn: splits that the set lacks, whose photos may come from train; table: its CSV file, if any."""

    source: Path
    words: str
    files: dict[str, bytes]
    truth: dict[str, tuple[str, str]]
    drawn: set[str] = field(default_factory=set)
    table: str = ""
    doubtful: bool = False


def folders(root: Path, number: int) -> Labelled:
    """Photos in folders by class, by split and class, by class and split, both in one name, nested, wrapped."""
    rng = np.random.default_rng([21, 1, number])
    layout = ("class", "split/class", "class/split", "class_split", "nested", "unlabelled test")[number % 6]
    names = list(rng.permutation(CLASSES)[: int(rng.integers(2, 5))])
    if layout == "class" and rng.random() < 0.2:
        names[0] = "train"  # a vehicle
    split_names = [each for each in SPLIT_NAMES if layout != "class_split" or each[0] != "abc_train"]  # cat_abc: class
    words = dict(zip(SPLITS, split_names[int(rng.integers(len(split_names)))], strict=True))
    there = ("train", *rng.permutation(["validation", "test"])[: int(rng.integers(1, 3))])
    if layout == "unlabelled test":
        there = ("train",)
    wrapper = "photos of 2024/" if rng.random() < 0.25 else ""
    suffix = (".jpg", ".JPG", ".png", ".jpeg", "")[int(rng.integers(5))]
    deeper = layout in ("class", "split/class") and rng.random() < 0.2
    doubtful = (layout == "class_split" and not set(names).isdisjoint(LIKE_SPLITS)) or (deeper and names[0] == "train")
    pattern = {
        "class": "{c}",
        "split/class": "{s}/{c}",
        "class/split": "{c}/{s}",
        "class_split": "{c}_{s}",
        "nested": "{s}/{s}/{c}",
        "unlabelled test": "{s}/{c}",
    }[layout]
    files, truth, inside = {}, {}, set()
    for label in names:
        for split, count in {"": 9}.items() if layout == "class" else COUNTS.items():
            if split and split not in there:
                continue
            folder = wrapper + pattern.format(c=label, s=words.get(split, ""))
            inside.add(folder)
            for place in range(count):
                content = photo(rng, suffix)
                at = f"{folder}/more {place % 2}" if deeper else folder
                files[f"{at}/{stem(np.random.default_rng([number, 5]), place)}{suffix}"] = content
                truth[key(content)] = nfc(label), split
    if layout == "unlabelled test":
        for place in range(4):
            files[f"{wrapper}{words['test']}/{place}.jpg"] = photo(rng)
    noise(rng, files, sorted(inside))
    container = ("folder", "folder", "folder", "zip", "zip-backslash", "tar", "tar.gz")[int(rng.integers(7))]
    source = write(root / "photos", files, container)
    drawn = set(SPLITS) - set(there) - {"train"} if layout != "class" else set()
    return Labelled(source, f"{layout}, {container}, {wrapper}{words}, {names}", files, truth, drawn, doubtful=doubtful)


COLUMNS = {
    "path": ("path", "filename", "file", "image", "image_id", "id", "file_name", "Filename", "filepath"),
    "label": ("label", "class", "category", "target", "Class", "labels"),
    "split": ("split", "set", "subset", "is_valid"),
}
SPLIT_VALUES = (
    {"train": "train", "validation": "val", "test": "test"},
    {"train": "Train", "validation": "valid", "test": "Test"},
    {"train": "training", "validation": "validation", "test": "testing"},
)


def table(root: Path, number: int) -> Labelled:
    """Photos with a CSV file, as spreadsheets and other tools write it."""
    rng = np.random.default_rng([21, 2, number])
    names = [str(name) for name in rng.permutation(CLASSES)[: int(rng.integers(2, 5))]]
    head = {what: str(rng.choice(choice)) for what, choice in COLUMNS.items()}
    with_split = rng.random() < 0.6
    separator = str(rng.choice([",", ";", "\t", "|"]))
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))
    slash = str(rng.choice(["/", "\\"]))
    folder = str(rng.choice(["", "images", "data/jpg"]))
    dotted = str(rng.choice(["", "./"]))
    without_suffix = head["path"].lower() in ("id", "image_id") and rng.random() < 0.5
    values = SPLIT_VALUES[int(rng.integers(len(SPLIT_VALUES)))]
    if head["split"] == "is_valid":
        values = {"train": "False", "validation": "True"}
    files, truth, rows = {}, {}, []
    extra = rng.random() < 0.3
    for label in names:
        for split, count in COUNTS.items():
            for place in range(count):
                content = photo(rng)
                by_class = f"{names.index(label)}/" if not without_suffix else f"{names.index(label)}-"
                name = "/".join(filter(None, (folder, f"{by_class}{split}-{place}.jpg")))
                files[name] = content
                given = split if with_split and split in values else "train" if with_split else ""
                truth[key(content)] = nfc(label), given
                stated = name.removesuffix(".jpg") if without_suffix else name
                stated = (dotted + stated).replace("/", slash)
                more = ["1,5" if separator == ";" else "x"] if extra else []
                rows.append([stated, label, *([values[given]] if with_split else []), *more])
    header = [head["path"], head["label"], *([head["split"]] if with_split else []), *(["weight"] if extra else [])]
    order = rng.permutation(len(header)) if rng.random() < 0.5 else np.arange(len(header))
    lines = [[row[place] for place in order] for row in [header, *rows]]
    text = "".join(separator.join(_quoted(cell, separator) for cell in line) + "\r\n" for line in lines)
    if rng.random() < 0.2:
        text = f"sep={separator}\r\n" + text
    files["labels.csv"] = text.encode(encoding)
    for place in range(int(rng.integers(0, 3))):  # photos that the table does not name
        files["/".join(filter(None, (folder, f"other {place}.jpg")))] = photo(rng)
    noise(rng, files, [folder])
    container = ("folder", "folder", "zip")[int(rng.integers(3))]
    source = write(root / "photos", files, container)
    source = source / "labels.csv" if container == "folder" else source
    drawn = set(SPLITS) - set(values) if with_split else set()
    words = f"{head}, {separator!r}, {encoding}, {slash}, {container}, split {with_split}, bare {without_suffix}"
    return Labelled(source, words, files, truth, drawn, "labels.csv")


def _quoted(cell: str, separator: str) -> str:
    return f'"{cell}"' if separator in cell else cell


def ambiguous(root: Path, number: int) -> tuple[Path, list[str]]:
    """A set with more than one reading, and words of which the refusal has to name each."""
    rng = np.random.default_rng([21, 3, number])
    train, _, test = SPLIT_NAMES[int(rng.integers(len(SPLIT_NAMES)))]
    kind = number % 5
    files: dict[str, bytes] = {}

    def put(folder: str, count: int = 6) -> None:
        files.update({f"{folder}/{place}.jpg": photo(rng) for place in range(count)})

    if kind == 0:  # two parts without classes
        put(train)
        put(test)
        named = [train]
    elif kind == 1:  # one class, or two
        put("Apple")
        put("apple")
        put("pear")
        named = ["Apple", "apple"]
    elif kind == 2:  # a class or a split, beside classes
        for folder in ("bus", "car", train, test):
            put(folder)
        named = [train, test]
    elif kind == 3:  # two labels in a cell
        put("p", 12)
        rows = "".join(
            f"p/{place}.jpg,{'cat|small' if place % 3 == 0 else 'cat' if place % 2 else 'dog|small'}\n"
            for place in range(12)
        )
        files["labels.csv"] = b"path,label\n" + rows.encode()
        named = ["labels.csv", "cat|small"]
    else:  # two columns that could be the label
        put("p", 12)
        rows = "".join(f"p/{place}.jpg,{'ab'[place % 2]},{'xy'[place // 6]}\n" for place in range(12))
        files["labels.csv"] = b"path,category,class\n" + rows.encode()
        named = ["labels.csv", "category", "class"]
    source = write(root / "photos", files)
    return (source / "labels.csv" if kind > 2 else source), named
