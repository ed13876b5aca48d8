"""Which split the folders of photos state: train/images, images/val2017, cats/test ..."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cvtune_nb.data.split_names import splits_of
from cvtune_nb.detection.pairing import parents, split_path
from cvtune_nb.errors import InputError


def stated_splits(paths: Sequence[str]) -> list[str]:
    """train, validation or test of each photo, "" where its folders state none.

    All are "" where none is for training: a folder that happens to be called "test" divides nothing. Where the folders
    of a photo state two splits, the one whose folder lies beside one for training counts. Raises InputError where this
    leaves both.
    """
    inside: dict[str, set[str]] = defaultdict(set)
    for folder in {split_path(path)[0] for path in paths}:
        for part in parents(folder)[:-1]:
            inside[split_path(part)[0]].add(part)
    splits: dict[str, str] = {}
    divided: set[str] = set()
    for above, folders in inside.items():
        found = splits_of(split_path(folder)[1] for folder in folders)
        splits |= {folder: found[name] for folder in folders if (name := split_path(folder)[1]) in found}
        if "train" in found.values():
            divided.add(above)
    known = {folder: _one(folder, splits, divided) for folder in {split_path(path)[0] for path in paths}}
    if "train" not in known.values():
        return [""] * len(paths)
    return [known[split_path(path)[0]] for path in paths]


def _one(folder: str, splits: dict[str, str], divided: set[str]) -> str:
    stating = [part for part in parents(folder) if part in splits]
    if len(_of(stating, splits)) > 1:
        stating = [part for part in stating if split_path(part)[0] in divided]
    found = _of(stating, splits)
    if len(found) > 1:
        raise InputError(
            f"the photos in {folder} lie in folders for {' and for '.join(sorted(found))}: rename one of the folders"
        )
    return found.pop() if found else ""


def _of(folders: Iterable[str], splits: dict[str, str]) -> set[str]:
    return {splits[folder] for folder in folders}
