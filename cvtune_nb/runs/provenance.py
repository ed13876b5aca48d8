"""Provenance: the photos that a model was trained and measured on, and how they differ from today's.

Two accuracies are compared only among the same classes and on the same validation photos with the same labels. And what
a model has seen, or a copy of it, is never its test.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, write_csv
from cvtune_nb.workspace import Workspace, photos_id

EARLIER = "earlier data"
"""What models are called that were measured on other photos, labels or classes than those there are now."""
PHOTOS = "photos.csv"
"""The file in a run's folder that lists its photos."""
COLUMNS = ["sha256", "group", "label", "split"]
BEFORE = "before"
"""The split of photos that a run has seen only through the run whose weights it began with."""
UNLISTED = "it was made before runs kept a list of their photos, and photos, labels or splits have changed since"
MOST_NAMED = 5
"""Classes that are named in a sentence."""


@dataclass(frozen=True)
class Unseen:
    """The photos that a model may be measured on.

    Attributes
    ----------
    photos
        Their rows.
    left_out
        How many may not be used.
    words
        Why, in a sentence; "" for none.
    """

    photos: pd.DataFrame
    left_out: int
    words: str


@dataclass(frozen=True)
class Provenance:
    """The data of a model, or today's.

    Attributes
    ----------
    classes
        Their names.
    id
        A short name for exactly these photos, labels and splits.
    measured_on
        What `yardstick` returns for them, "" where it was not recorded.
    source
        A table of the photos (COLUMNS; for a detector the label of a photo is a short name for its boxes), or the file
        that holds it, which runs made by earlier versions lack.
    """

    classes: Sequence[str]
    id: str
    measured_on: str
    source: pd.DataFrame | Path

    @property
    def photos(self) -> pd.DataFrame | None:
        """The photos (COLUMNS); None where there is no list of them."""
        if isinstance(self.source, pd.DataFrame):
            return self.source
        return read_csv(self.source, **dict.fromkeys(COLUMNS, str)) if self.source.exists() else None

    def listed(self) -> pd.DataFrame:
        """The photos (COLUMNS), which those there are now always have. Raises InputError where there is no list."""
        if (photos := self.photos) is None:
            raise InputError(UNLISTED)
        return photos

    def beside(self, more: pd.DataFrame) -> "Provenance":
        """That of a model which has seen more photos (COLUMNS) than the workspace has."""
        if more.empty:
            return self
        return Provenance(self.classes, self.id, self.measured_on, pd.concat([self.listed()[COLUMNS], more]))

    def comparable(self, other: "Provenance") -> bool:
        """Whether accuracies on one and on the other may be compared.

        The same classes, and the same validation photos with the same labels.
        """
        return self.id == other.id or (self.measured_on != "" and self.measured_on == other.measured_on)

    def standing(self, present: "Provenance") -> str:
        """EARLIER, or "" where its accuracy may be compared with those on today's photos."""
        return "" if self.comparable(present) else EARLIER

    def change(self, present: "Provenance") -> str:
        """In words, how today's data differ; "" where accuracies may be compared."""
        if self.comparable(present):
            return ""
        return self._classes_changed(present) or self._photos_changed(present)

    def _classes_changed(self, present: "Provenance") -> str:
        gone = [label for label in self.classes if label not in set(present.classes)]
        new = [label for label in present.classes if label not in set(self.classes)]
        renamed = self._renamed(present, gone, new)
        parts = {
            "added": [label for label in new if label not in renamed.values()],
            "removed": [label for label in gone if label not in renamed],
            "renamed": [f"{before} to {after}" for before, after in renamed.items()],
        }
        return "; ".join(f"classes {what}: {_named(labels)}" for what, labels in parts.items() if labels)

    def _renamed(self, present: "Provenance", gone: list[str], new: list[str]) -> dict[str, str]:
        """Classes that are gone, and the new ones that most of their photos are in now."""
        then, now, renamed = self.photos, present.listed(), {}
        if then is None:
            return {}
        for label in gone:
            mine = then.loc[then["label"] == label, "sha256"]
            after = now.loc[now["sha256"].isin(mine) & now["label"].isin(new), "label"].value_counts()
            if len(after) and after.iloc[0] > len(mine) / 2 and after.index[0] not in renamed.values():
                renamed[label] = str(after.index[0])
        return renamed

    def _photos_changed(self, present: "Provenance") -> str:
        if (photos := self.photos) is None:
            return UNLISTED
        then, now = (
            set(table.loc[table["split"] == "validation", ["sha256", "label"]].itertuples(index=False, name=None))
            for table in (photos, present.listed())
        )
        count = len({key for key, _ in then ^ now})
        if not count:
            return "photos of more than 8 bits, of many bands or of other colours than sRGB are shown otherwise"
        return f"{count} validation photo{'s' * (count != 1)} changed: added, removed or relabelled"

    def resplit(self, present: "Provenance") -> int | None:
        """How many photos are in another split now; None where there is no list of photos to tell it from."""
        if self.id == present.id:
            return 0
        if (then := self.photos) is None:
            return None
        then = then[then["split"] != BEFORE].drop_duplicates("sha256")
        both = then.merge(present.listed().drop_duplicates("sha256"), on="sha256")
        return int((both["split_x"] != both["split_y"]).sum())

    def unseen(self, photos: pd.DataFrame, present: "Provenance", groups: Mapping[str, str]) -> Unseen:
        """Those of the test photos that the model has neither seen itself nor a copy of them.

        Parameters
        ----------
        photos
            The test photos (column sha256).
        present
            Today's data.
        groups
            sha256 -> group of copies, as known today.

        Returns
        -------
        Unseen
            None of the photos where it can't be known what the model has seen.
        """
        own = self.seen_among(present)
        if own is None:
            words = f"no test photo is counted, for it is not known which ones this run has trained on: {UNLISTED}"
            return Unseen(photos[:0], len(photos), words if len(photos) else "")
        known = _among(photos, own, own["split"] != "test", groups)
        count = int(known.sum())
        told = f"{count} test photo{'s are' if count > 1 else ' is'} not counted"
        why = "this run has trained on them or on copies of them, or was chosen by them"
        return Unseen(photos[~known], count, f"{told}: {why}" if count else "")

    def unlearned(self, photos: pd.DataFrame, present: "Provenance", groups: Mapping[str, str]) -> pd.DataFrame:
        """Those of the validation photos that the model has not trained on, nor on a copy of them.

        Parameters
        ----------
        photos, present, groups
            As in `unseen`.

        Returns
        -------
        pandas.DataFrame
            All of the photos where that can't be known.
        """
        own = self.seen_among(present)
        if own is None:
            return photos
        return photos[~_among(photos, own, own["split"].isin(["train", BEFORE]), groups)]

    def seen_among(self, present: "Provenance") -> pd.DataFrame | None:
        """The photos, with their splits of then, where they are known: by its own list, or because nothing changed."""
        photos = self.photos
        return present.photos if photos is None and self.id == present.id else photos


def _among(photos: pd.DataFrame, own: pd.DataFrame, which: pd.Series, groups: Mapping[str, str]) -> pd.Series:
    """Which photos are those rows of `own`, or copies of them: by the groups of then and those of now."""
    names = set(own.loc[which, "group"])
    then = own.loc[own["group"].isin(names), "sha256"]
    alike = names | {groups[key] for key in then if key in groups}
    return photos["sha256"].isin(then) | photos["sha256"].map(groups).isin(alike)


def _named(labels: list[str]) -> str:
    more = len(labels) - MOST_NAMED
    return ", ".join(labels[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def yardstick(classes: Sequence[str], photos: pd.DataFrame) -> str:
    """A short name for what accuracies are measured on.

    These classes, and the validation photos with their labels and, where photos of more than 8 bits are not shown as
    usual, their levels. photos: COLUMNS, and levels where needed.
    """
    columns = ["sha256", "label", *(name for name in ("levels",) if name in photos)]
    rows = photos.loc[photos["split"] == "validation", columns].sort_values(["sha256", "label"])
    return hashlib.sha256((json.dumps(list(classes)) + rows.to_csv(index=False)).encode()).hexdigest()[:16]


def of_photos(photos: pd.DataFrame) -> Provenance:
    """That of a classifier's photos (COLUMNS)."""
    classes = sorted(photos["label"].unique())
    return Provenance(classes, photos_id(photos), yardstick(classes, photos), photos)


def present(workspace: Workspace) -> Provenance:
    """That of the workspace's photos, labels and splits as they are now."""
    return of_photos(workspace.photos())


def groups_of(workspace: Workspace) -> dict[str, str]:
    """sha256 -> group of copies of every photo of the classifiers, decided about or not."""
    if not workspace.has_manifest:
        return {}
    manifest = workspace.manifest()
    return dict(zip(manifest["sha256"], manifest["group"], strict=True))


def save_photos(folder: Path, photos: pd.DataFrame) -> None:
    """Write down the photos (COLUMNS) of the run in `folder`."""
    write_csv(folder / PHOTOS, photos[COLUMNS])


def frozen(own: Provenance, present: Provenance, seed: int) -> str:
    """How the photos of a model were split, for its card.

    Parameters
    ----------
    own, present
        The model's provenance, and that of today's photos.
    seed
        That of the workspace.
    """
    moved = own.resplit(present)
    if moved is None:
        return "whose split when this run was made is not known"
    if not moved:
        return f"split once and then frozen (seed {seed})"
    again = "again when copies were found after this run was made, or other groups chosen"
    return f"split (seed {seed}), and {again}: {moved} of them moved"


def standing_words(own: Provenance, present: Provenance) -> str:
    """For a model card, that figures are of other data than there are now; "" where they are not."""
    change = own.change(present)
    return change and f"This run is of {EARLIER}, and its validation figures are of then: {change}"


def require_present(name: str, own: Provenance, present: Provenance, earlier_data: bool) -> None:
    """Refuse to export a run of other classes than there are now.

    Parameters
    ----------
    name, own
        The run and its data.
    present
        Today's data.
    earlier_data
        It is asked for all the same.

    Raises
    ------
    InputError
        The classes differ.
    """
    if list(own.classes) != list(present.classes) and not earlier_data:
        changed = own.change(present)
        raise InputError(f"run {name} is of {EARLIER} ({changed}): train again, or export it with --earlier-data")
