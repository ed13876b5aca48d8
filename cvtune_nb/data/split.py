"""The frozen split into train, validation and test photos."""

import hashlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from cvtune_nb.errors import InputError

SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}
"""Fraction of each class's photos, where the data does not come with splits of its own."""

FROM_TRAIN = {"train": 0.85, "validation": 0.15}
"""The same where only the train photos are divided."""

SPLITS = tuple(SHARES)

KEEP_FIRST = ("test", "validation", "train")
"""Of copies in several splits the one in the first of these stays: a training photo is the cheapest to lose."""


def assign_splits(
    manifest: pd.DataFrame, seed: int = 0, frozen: pd.Series | None = None, draw_validation: bool = False
) -> pd.Series:
    """The split of every row: given splits stay, then those drawn before, and the rest is stratified by class.

    A group (of photos that belong together, or copies of one) is never divided unless the data came that way: it goes
    where one of its photos already is, and where they are in several splits, to the first of KEEP_FIRST; but no photo
    that came as a train photo goes to a test split that the data came with. Which photos a
    split gets depends on their content and the seed alone, not on file names or order: adding photos later moves none
    of the old ones, unless they turn out to belong together. Groups differ in size and may hold several classes: the
    largest are drawn first, and the fractions of each class are as near to SHARES as whole groups allow.

    Data that comes with a train and a test split but no validation split gets one: its validation photos are taken from
    its train photos.

    Parameters
    ----------
    manifest
        path,label,group,split; split is "" where none is given.
    seed
        Of the draw.
    frozen
        The split that was drawn for each row before, "" where none was.
    draw_validation
        Whether classes without validation photos, in the split that the data came with, get some of their train photos.

    Raises
    ------
    InputError
        Naming every class that has no two different photos to divide, no train or validation photos in the given split,
        or nothing but copies of photos in other classes.
    """
    split = manifest["split"].copy()
    given = set(split) - {""}
    without = _without_validation(manifest) if draw_validation and {"train", "validation"} <= given else []
    if given and "validation" not in given:
        split[split == "train"] = ""
        wanted = FROM_TRAIN
        if "test" not in given:
            wanted = SHARES
    elif given and "test" not in given:
        split[split == "train"] = ""
        wanted = {"train": 0.85, "test": 0.15}
    else:
        wanted = SHARES
    split[manifest["label"].isin(without) & (split == "train")] = ""

    drawn = split == ""
    if frozen is not None:
        known = frozen.isin(list(wanted)) | (manifest["label"].isin(without) & frozen.isin(SPLITS))
        split = split.where(~drawn, frozen.where(known, ""))

    copies = manifest[manifest["group"].duplicated(keep=False)]
    for _, rows in copies.groupby("group", sort=False):
        settled = set(split[rows.index])
        first = next((name for name in KEEP_FIRST if name in settled), "")
        own = rows["split"] == "train" if "test" in given else rows["split"] != rows["split"]  # never into a given test
        kept = next((name for name in KEEP_FIRST if name in settled - {"test"}), "")
        split[rows.index[drawn[rows.index] & ~own]] = first
        split[rows.index[drawn[rows.index] & own]] = kept

    open_rows = manifest[split == ""]
    shares = {
        label: wanted if label not in without else SHARES if "test" not in given else FROM_TRAIN
        for label in open_rows["label"].unique()
    }
    settled = {label: set(split[rows.index]) - {""} for label, rows in manifest.groupby("label")}
    split[split == ""] = open_rows["group"].map(_draw(open_rows, shares, settled, seed))

    _require_all_classes(manifest, split)
    return split


def _without_validation(manifest: pd.DataFrame) -> list[str]:
    """The classes all of whose photos have a split that the data came with, none of them validation."""
    own = manifest.groupby("label")["split"].agg(set)
    return [label for label, splits in own.items() if not splits & {"validation", ""} and "train" in splits]


def _require_all_classes(manifest: pd.DataFrame, split: pd.Series) -> None:
    """Raises InputError for all classes at once that can't be trained on or measured."""
    shared = manifest.groupby("sha256" if "sha256" in manifest else "group")["label"].transform("nunique") > 1
    given = set(manifest["split"]) - {""}
    copies, few, unvalidated, untrained = [], [], [], []
    for label, rows in manifest.groupby("label"):
        missing = {"train", "validation"} - set(split[rows.index])
        counts = ", ".join(f"{count:,} in {name}" for name, count in rows["split"].value_counts().items() if name)
        example, different = rows["path"].iloc[0], rows["group"].nunique()
        if shared[rows.index].all():
            copies.append(f"class {label!r} has no photo of its own: {example} also lies in another class")
        elif "train" in missing and "train" in given and counts:
            untrained.append(f"{label!r} ({counts})")
        elif "validation" in missing and "validation" in given and counts and different > 1:
            unvalidated.append(f"{label!r} ({counts})")
        elif missing and different < len(rows.drop_duplicates("sha256") if "sha256" in rows else rows):
            few.append(f"class {label!r} has only {different} group(s) of photos that belong together ({example} ...)")
        elif missing:
            few.append(f"class {label!r} has only {different} different photo(s), for example {example}")
    reasons = []
    if copies:
        reasons.append(
            f"{', '.join(copies)}: delete one of the copies, or take the folder out; where photos "
            "show several classes at once, draw boxes in notebook 06"
        )
    if untrained:
        reasons.append(
            f"the split you gave has no train photos of {', '.join(untrained)}: add some to train, or take the class "
            "out of the other splits"
        )
    if unvalidated:
        reasons.append(
            f"the split you gave has no validation photos of {', '.join(unvalidated)}: add some, or have them drawn "
            "from the train photos (--draw-validation, or Validation in notebook 00)"
        )
    if few:
        reasons.append(
            f"{', '.join(few)}, and each class needs one for train and one for validation: add photos of it (100 are a "
            "good start), or take the folder out"
        )
    if reasons:
        raise InputError("; ".join(reasons))


def require_learnable(photos: pd.DataFrame) -> None:
    """Raises InputError when the decisions made have left too little to train on.

    That is: fewer than two classes, no validation photos, or a class without training photos.
    """
    train, validation = (photos[photos["split"] == name] for name in ("train", "validation"))
    if train["label"].nunique() < 2:
        raise InputError("fewer than two classes have training photos: undo some of your decisions (notebook 01)")
    if validation.empty:
        raise InputError("no validation photo is left to measure on: undo some of your decisions (notebook 01)")
    for label, rows in photos.groupby("label"):
        if label not in set(train["label"]):
            raise InputError(
                f"class {label!r} has {len(rows)} photo(s), for example {rows['path'].iloc[0]}, but none for training: "
                "relabel more photos to it, or undo (notebook 01)"
            )


def _draw(
    photos: pd.DataFrame, shares: dict[str, dict[str, float]], settled: dict[str, set[str]], seed: int
) -> dict[str, str]:
    """The split of each group of `photos`, which have none.

    One by one, the largest first and those of a size as the seed draws them: each goes to the first of validation and
    test that lacks as many of its classes, else to train; then the smallest go where they bring a split nearer to its
    fractions (in the squared distance over the classes). Where all are alone, this is a stratified draw.

    Parameters
    ----------
    photos
        label, group and, where there are exact copies, sha256: such copies count once.
    shares
        Fraction of each class's photos that each split should have.
    settled
        The splits that photos of each class are in already.
    seed
        Of the draw.
    """
    if photos.empty:
        return {}
    different = photos.drop_duplicates(["label", "sha256"]) if "sha256" in photos else photos
    groups, names = pd.factorize(different["group"])
    columns, labels = pd.factorize(different["label"], sort=True)
    size = csr_array((np.ones(len(different)), (groups, columns)), shape=(len(names), len(labels)))
    most, draw = (
        size.max(axis=1).toarray().ravel(),
        [hashlib.sha256(f"{seed}:{name}".encode()).digest() for name in names],
    )
    order = sorted(range(len(names)), key=lambda group: (-most[group], draw[group]))
    size, names = size[order], names[order]

    lacking = np.zeros((len(SPLITS), len(labels)))
    several = (size > 0).sum(axis=0)
    for column, (label, count) in enumerate(zip(labels, size.sum(axis=0), strict=True)):
        for name, number in _held_back(count, several[column], shares[label], settled[label]).items():
            lacking[SPLITS.index(name), column] = number
    place = np.zeros(len(names), dtype=int)
    parts = [(size.data[start:end], size.indices[start:end]) for start, end in pairwise(size.indptr)]

    def put(row: int, wanted: Callable[[np.ndarray, np.ndarray], bool]) -> None:
        """Into the first of validation and test that lacks it."""
        own, among = parts[row]
        place[row] = next((number for number in (1, 2) if wanted(own, lacking[number, among])), 0)
        lacking[place[row], among] -= own

    for row in range(len(parts)):
        put(row, lambda own, lack: bool((own <= lack).all()))
    for row in np.flatnonzero(place == 0)[::-1]:  # what is lacking still: the smallest that bring it nearer
        lacking[0, parts[row][1]] += parts[row][0]
        put(row, lambda own, lack: bool(own @ lack > own @ own / 2))
    needs = [
        [number for number, name in enumerate(SPLITS) if name in shares[label].keys() - settled[label]]
        for label in labels
    ]
    _fill(place, size, needs)
    drawn = dict(zip(names, place, strict=True))
    return {group: SPLITS[drawn[group]] for group in photos["group"].unique()}


def _held_back(count: float, groups: int, shares: dict[str, float], settled: set[str]) -> dict[str, int]:
    """How many of `count` photos of a class, in so many groups, are not for training.

    Every split that has none yet gets one while there are enough, train first; the rest by share.
    """
    counts = {name: round(count * share) for name, share in shares.items() if name != "train"}
    for name in counts:
        if not counts[name] and name not in settled and groups - sum(counts.values()) > 1:
            counts[name] = 1
    return counts


def _fill(place: np.ndarray, size: csr_array, needs: list[list[int]]) -> None:
    """Give splits that have no photos of a class the smallest group of it that no class needs more where it is.

    Parameters
    ----------
    place
        The split of each group, as its number in SPLITS; changed in place.
    size
        (groups, classes): photos of each class.
    needs
        For each class the splits that need photos of it, as these numbers; the earlier ones matter more.
    """
    by_class = size.tocsc()
    members = [by_class.indices[start:end] for start, end in pairwise(by_class.indptr)]
    total = size.sum(axis=1)

    def spared(row: int, number: int) -> bool:
        """Whether every class of a group keeps others where it is, or needs it more in the split `number`."""
        here, own = place[row], size.indices[size.indptr[row] : size.indptr[row + 1]]
        return all(here > number or (place[members[column]] == here).sum() > 1 for column in own)

    for column in sorted(range(len(members)), key=lambda column: len(members[column])):
        for number in needs[column]:
            if (place[members[column]] == number).any():
                continue
            able = [row for row in members[column] if spared(row, number)]
            if able:
                place[min(able, key=lambda row: (total[row], row))] = number
