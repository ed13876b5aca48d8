"""The photos and boxes that a detector is trained on: annotation files, a person's changes, and a frozen split."""

import contextlib
import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from cvtune_nb.data import colours, file_types, levels, look, make_sample, opened_last, places, unpacked, walk
from cvtune_nb.data.split import SHARES
from cvtune_nb.detection.annotations import PROBLEM_COLUMNS, READERS, Annotations, read_annotations
from cvtune_nb.detection.box_journal import drawn
from cvtune_nb.detection.checking import BOX_COLUMNS
from cvtune_nb.detection.folder_splits import stated_splits
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.runs.provenance import COLUMNS, Provenance, groups_of, yardstick
from cvtune_nb.workspace import Workspace, home

SCENES = "scenes"
"""Stands for the sample photos of small things, where the folder of the photos is asked for."""
MADE_SCENES = 120
"""Photos in them."""
PHOTO_COLUMNS = ["path", "split", "sha256", "width", "height", "bytes"]
TEXT = {"path": str, "split": str, "sha256": str}
ALL = "\0"
"""Stands for all classes; no class can be called so."""
BY_HAND = "drawn by hand"
"""What stands in the column `file` of boxes from the journal."""


@dataclass(frozen=True)
class Dataset:
    """Photos with their boxes and their split.

    Attributes
    ----------
    annotations
        Photos with a box, negatives (seen, without a box) and photos that nobody has looked at yet (not seen), with
        columns split (train, validation, test) and sha256; boxes and problems as read_annotations returns them, but
        with what the person drew instead of what files state.
    stated
        The same without what was drawn.
    left_out
        path, reason of all other files: photos that can't be read, and what is neither a photo nor annotations.
    """

    workspace: Workspace
    annotations: Annotations
    stated: Annotations
    left_out: pd.DataFrame

    @property
    def folder(self) -> Path:
        """Where all about the detector is kept."""
        return self.workspace.folder / "detection"

    @property
    def labels(self) -> list[str]:
        """The classes, in order of their names."""
        return self.annotations.labels

    @property
    def photos(self) -> pd.DataFrame:
        """The photos that can be trained or measured on: path,width,height,split,sha256 of those seen."""
        photos = self.annotations.photos
        return photos[photos["seen"]].reset_index(drop=True)

    @property
    def split_counts(self) -> dict[str, int]:
        """How many of `photos` are in each split."""
        return {split: int((self.photos["split"] == split).sum()) for split in SHARES}

    @property
    def usual_labels(self) -> list[str]:
        """Labels to choose from: those of the boxes, before any the classes of the photos, where they have some."""
        return self.labels or (self.workspace.classes if self.workspace.has_manifest else [])

    def reasons(self) -> pd.DataFrame:
        """Why files were left out: reason; size, how many they are; first, one of them."""
        return self.left_out.groupby("reason", sort=False)["path"].agg(["size", "first"]).reset_index()

    def part(self, split: str) -> "Part":
        """The photos of one split that were looked at, and their boxes."""
        photos = self.photos
        photos = photos[photos["split"] == split].reset_index(drop=True)
        boxes = self.annotations.boxes
        return Part(photos, boxes[boxes["path"].isin(photos["path"])].reset_index(drop=True))

    @property
    def id(self) -> str:
        """A short name for exactly these photos with these boxes and splits."""
        rows = self.photos[["sha256", "split"]].sort_values("sha256").to_csv(index=False)
        boxes = self.annotations.boxes[["path", "label", "left", "top", "width", "height"]].round(4)
        rows += boxes.sort_values(list(boxes.columns)).to_csv(index=False)
        return hashlib.sha256((rows + self.workspace.shown_as).encode()).hexdigest()[:16]

    @cached_property
    def provenance(self) -> Provenance:
        """The photos that can be trained or measured on; the label of each is a short name for its boxes."""
        boxes, groups = self.annotations.boxes, groups_of(self.workspace)
        sides = [boxes[name].astype(float).round(4).astype(str) for name in ("left", "top", "width", "height")]
        text = boxes["label"].astype(str).str.cat(sides, sep=" ")
        on_photo = text.groupby(boxes["path"]).agg(lambda rows: "\n".join(sorted(rows)))
        told = self.photos["path"].map(on_photo).fillna("")
        photos = self.photos.assign(
            group=[groups.get(key, key[:16]) for key in self.photos["sha256"]],
            label=[hashlib.sha256((words + self.workspace.shown_as).encode()).hexdigest()[:16] for words in told],
        )
        return Provenance(self.labels, self.id, yardstick(self.labels, photos), photos[COLUMNS])

    def redrawn(self) -> "Dataset":
        """The same with what the journal says now; no photo and no annotation file is read again."""
        return _overlaid(self.workspace, self.stated, self.left_out)


@dataclass(frozen=True)
class Part:
    """Photos (path,width,height,split,sha256) and their boxes (Annotations.boxes)."""

    photos: pd.DataFrame
    boxes: pd.DataFrame


def open_dataset(
    data: str | Path = "",
    workspace: str | Path = "",
    seed: int = 0,
    kind: str = "",
    progress: Progress = silent,
    black: float | str = "",
    white: float | str = "",
    bands: str = "",
) -> Dataset:
    """Open the photos in a folder or zip with the boxes of its annotation files and those drawn in notebook 06.

    The workspace is the one that classification uses for the same photos; it is made on first use. The split of a photo
    is drawn once, when it is first looked at, by content and seed, in the same fractions as for classification and over
    the classes. Photos in folders for train, validation or test stay there, and so do those that a classifier of the
    workspace has already split. Every photo's content is read once.

    Parameters
    ----------
    data
        The folder or zip; "" for the workspace's own photos, or what was opened last; SCENES for the sample photos.
    workspace
        Its folder; "" for the usual one.
    seed
        Of the split.
    kind
        Which annotation files to read where there are several kinds: one of READERS. The workspace remembers it.
    progress
        Called while photos are read.
    black, white, bands
        As data.levels.choose takes them.

    Raises
    ------
    InputError
        When there is nothing to open, or several ways to read it.
    """
    source, folder = _places(str(data), workspace, progress)
    root = unpacked(source, folder)
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder with the photos, or a zip of it")
    space = Workspace.create(folder, root, str(source), seed)
    levels.choose(space, black, white, bands)
    found, unreadable = _photos(space, root, progress)
    levels.require_high_depth(space)
    levels.require_many_bands(space, found["path"], bands)
    stated = _stated(space, root, kind, progress, found, unreadable)
    stated = _without_copies(stated, found.merge(stated.photos[["path", "seen"]], on="path"))
    unread = pd.DataFrame(unreadable.items(), columns=["path", "reason"], dtype=str)
    left_out = pd.concat([unread, stated.left_out]).sort_values("path", ignore_index=True)
    write_csv(space.folder / "detection" / "left_out.csv", left_out)
    return _overlaid(space, stated, left_out)


def _without_copies(stated: Annotations, photos: pd.DataFrame) -> Annotations:
    """With these photos, of which none without a box is taken for one without objects while a copy of it has boxes."""
    boxed = photos["path"].isin(stated.boxes["path"])
    copies = photos["seen"] & ~boxed & photos["sha256"].isin(photos.loc[boxed, "sha256"])
    rows = [
        ("", "", path, "copy", "a copy of it has boxes: it is not taken for a photo without objects", 0)
        for path in photos.loc[copies, "path"]
    ]
    photos = photos.assign(seen=photos["seen"] & ~copies)
    return replace(stated, photos=photos, problems=_and_others(stated.problems, rows))


def _and_others(problems: pd.DataFrame, rows: list[tuple]) -> pd.DataFrame:
    more = pd.DataFrame(rows, columns=PROBLEM_COLUMNS).astype({"boxes": int})
    return pd.concat([problems, more], ignore_index=True) if rows else problems


def _stated(
    space: Workspace, root: Path, kind: str, progress: Progress, photos: pd.DataFrame, unreadable: dict[str, str]
) -> Annotations:
    """What files state, of the kind that was asked for now or before."""
    file = space.folder / "detection" / "kind.json"
    before = read_json(file).get("kind", "") if file.exists() else ""
    if not kind and before in READERS:
        with contextlib.suppress(InputError):  # such files are there no more
            return read_annotations(root, before, progress, photos, False, unreadable)
    stated = read_annotations(root, kind, progress, photos, False, unreadable)
    if kind and kind != before:
        write_json(file, {"kind": kind})
    return stated


def _overlaid(space: Workspace, stated: Annotations, left_out: pd.DataFrame) -> Dataset:
    """The dataset with what was drawn over what files state. stated.photos: PHOTO_COLUMNS and seen."""
    annotations = _drawn_over(space, stated)
    photos = annotations.photos
    file = space.folder / "detection" / "photos.csv"
    before = read_csv(file, **TEXT)[["path", "split"]] if file.exists() else None
    given, learned = stated_splits(photos["path"].tolist()), {}
    if before is not None and any(file.parent.glob("runs/*/config.json")):
        # runs have learned from these: no photo of theirs is tested on because folders are read otherwise now
        was = dict(zip(before["path"], before["split"], strict=True))
        learned = {
            row.sha256: was[row.path]
            for row, stated in zip(photos.itertuples(), given, strict=True)
            if stated in ("validation", "test") and was.get(row.path) not in (None, "", stated)
        }
    settled = learned | _of_classifiers(space)
    photos = photos.assign(split=_splits(photos, annotations.boxes, given, settled, space.seed))
    if before is None or before.to_dict("list") != photos[["path", "split"]].to_dict("list"):
        write_csv(file, photos[PHOTO_COLUMNS])
    elif not file.stat().st_mtime:
        file.touch()  # every photo was looked at
    stated = replace(stated, photos=stated.photos.assign(split=photos["split"]))  # what is drawn once stays
    problems = _and_others(annotations.problems, _in_another_split(photos, given))
    return Dataset(space, replace(annotations, photos=photos, problems=problems), stated, left_out)


def _in_another_split(photos: pd.DataFrame, given: list[str]) -> list[tuple]:
    """A problem for photos that are not in the split of their folder, for the workspace knew them before."""
    other = [
        path
        for path, stated, split in zip(photos["path"], given, photos["split"], strict=True)
        if stated in ("validation", "test") and split not in ("", stated)
    ]
    words = (
        f"{len(other)} photos in folders for validation or test are in another split, which this workspace has "
        "used already: choose a new workspace to divide them as the folders do"
    )
    return [("", "", other[0], "other split", words, 0)] if other else []


def _places(data: str, workspace: str | Path, progress: Progress) -> tuple[Path, Path]:
    if data == SCENES:
        data = str(make_sample(home() / SCENES, MADE_SCENES, kind="scenes", progress=progress).directory)
    if not data:
        known = Path(workspace).expanduser() if str(workspace) else opened_last()
        if known is None or not (known / "workspace.json").exists():
            raise InputError(
                f"no photos have been opened yet: give the folder of your photos, or {SCENES!r} for made ones"
            )
        data, workspace = Workspace(known).source, known
    return places(data, workspace)


def _photos(space: Workspace, root: Path, progress: Progress) -> tuple[pd.DataFrame, dict[str, str]]:
    """PHOTO_COLUMNS of the photos below root, split "" for new ones, and path -> reason of unreadable ones.

    A file whose size and modification time are unchanged is not opened again.
    """
    file = space.folder / "detection" / "photos.csv"
    known = read_csv(file, **TEXT) if file.exists() else pd.DataFrame(columns=PHOTO_COLUMNS)
    written = file.stat().st_mtime if file.exists() else 0.0
    colours.settle(space)
    facts = {row.path: row for row in known.itertuples()}
    split = dict(zip(known["sha256"], known["split"], strict=True))
    paths = [path for path in walk.files_below(root)[0] if not walk.no_photo(path)]
    if not paths:
        raise InputError(f"{root} has no photos: give a folder of photos")

    def known_or_seen(path: Path) -> tuple[str, int, int, int] | str:
        row = facts.get(path.relative_to(root).as_posix())
        with contextlib.suppress(OSError):
            state = path.stat()
            if row is not None and row.bytes == state.st_size and state.st_mtime <= written:
                return row.sha256, row.width, row.height, row.bytes
        return look(path, levels=space.levels)

    rows, reasons = [], file_types.beside_jpeg(path.relative_to(root).as_posix() for path in paths)
    paths = [path for path in paths if path.relative_to(root).as_posix() not in reasons]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (path, seen) in enumerate(zip(paths, pool.map(known_or_seen, paths), strict=True)):
            if number % 16 == 0:
                progress(number / len(paths), f"reading photos: {number} of {len(paths)}")
            name = path.relative_to(root).as_posix()
            if isinstance(seen, str):
                reasons[name] = seen
            else:
                sha256, *others = seen
                rows.append((name, split.get(sha256, ""), sha256, *others))
    new = [row[0] for row in rows if not space.settled or row[0] not in facts]
    refused = levels.settle(space, levels.high_depth(space, new), progress)
    rows, reasons = [row for row in rows if row[0] not in refused], reasons | refused
    if not rows:
        name, reason = next(iter(reasons.items()))
        raise InputError(f"none of the {len(paths)} photos in {root} can be read, for example {name}: {reason}")
    return pd.DataFrame(rows, columns=PHOTO_COLUMNS), reasons


def _drawn_over(space: Workspace, annotations: Annotations) -> Annotations:
    """With the boxes of the journal instead of the files' wherever a person drew."""
    journal, photos = drawn(space), annotations.photos
    keys = dict(zip(photos["path"], photos["sha256"], strict=True))
    touched = [path for path, key in keys.items() if key in journal]
    rows = [
        (path, *box, BY_HAND, f"box {place}") for path in touched for place, box in enumerate(journal[keys[path]], 1)
    ]
    others = annotations.boxes[~annotations.boxes["path"].isin(touched)]
    boxes = pd.DataFrame(rows, columns=BOX_COLUMNS)
    boxes = pd.concat([others, boxes], ignore_index=True) if len(others) else boxes
    photos = photos.assign(seen=photos["seen"] | photos["path"].isin(touched))
    return replace(annotations, photos=photos, boxes=boxes.sort_values("path", kind="stable", ignore_index=True))


def _of_classifiers(space: Workspace) -> dict[str, str]:
    """The splits of photos that classifiers of this workspace use, by sha256.

    Detectors keep to them, so that the two can be compared and the test photos are the same.
    """
    if not space.has_manifest:
        return {}
    manifest = space.manifest()
    return dict(zip(manifest["sha256"], manifest["split"], strict=True))


def _splits(
    photos: pd.DataFrame, boxes: pd.DataFrame, given: list[str], settled: dict[str, str], seed: int
) -> pd.Series:
    """The split of every photo that was looked at, "" for the others.

    A photo that has a split keeps it; so do those `settled` by sha256 and those whose folders have `given` one. Each
    new photo, in an order by content and seed, goes to the split that lacks most, of all photos and of those that show
    its rarest class, so that the fractions hold even when photos are drawn on one at a time.
    """
    rarest = boxes.assign(count=boxes["label"].map(boxes["label"].value_counts())).sort_values(["count", "label"])
    rarest = rarest.drop_duplicates("path")
    shown = dict(zip(rarest["path"], rarest["label"], strict=True))
    label = [shown.get(path, "") for path in photos["path"]]
    # where the folders have no validation or no test photos, these are taken from those to train with
    names = ["train", *(name for name in ("validation", "test") if name not in given)]
    shares = {name: SHARES[name] / sum(SHARES[other] for other in names) for name in names}
    fixed = {key: name for key, name in zip(photos["sha256"], given, strict=True) if name not in ("", "train")}
    fixed |= settled
    settled = {row.sha256: row.split for row in photos.itertuples() if row.split in names} | fixed
    seen = photos.assign(label=label)[photos["seen"]].drop_duplicates("sha256")
    seen = seen.assign(draw=[hashlib.sha256(f"{seed}:{key}".encode()).hexdigest() for key in seen["sha256"]])
    counts = {label: Counter() for label in (ALL, *seen["label"])}
    old = seen["sha256"].isin(list(settled))
    for row in pd.concat([seen[old], seen[~old].sort_values("draw")]).itertuples():
        strata = [counts[ALL], counts[row.label]]
        lacking = {
            name: sum(share * (1 + stratum.total()) - stratum[name] for stratum in strata)
            for name, share in shares.items()
        }
        settled.setdefault(row.sha256, max(lacking, key=lacking.__getitem__))
        if row.sha256 not in fixed:
            for stratum in strata:
                stratum[settled[row.sha256]] += 1
    split = photos["sha256"].map(settled)
    return split.where(photos["seen"], "").astype(str)
