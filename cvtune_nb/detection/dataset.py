"""The photos and boxes that a detector learns from: what files state, with what a person drew over it, and a split that
is drawn once."""

import contextlib
import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from cvtune_nb.data import look, make_sample, opened_last, photo, places, unpacked
from cvtune_nb.data.read import SPLIT_FOLDERS
from cvtune_nb.data.split import SHARES
from cvtune_nb.detection.annotations import BOX_COLUMNS, Annotations, read_annotations
from cvtune_nb.detection.drawn import drawn
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, silent, write_csv
from cvtune_nb.provenance import COLUMNS, Provenance, groups_of, yardstick
from cvtune_nb.workspace import Workspace, home

SCENES = "scenes"
"""Stands for the made photos of small things, where the folder of the photos is asked for."""
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
    """annotations: photos with a box, negatives (seen, without a box) and photos that nobody has looked at yet (not
    seen), with columns split (train, validation, test) and sha256; boxes and problems as read_annotations gives them,
    with what the person drew in the place of what files state. stated: the same without what was drawn. left_out:
    path,reason of unreadable files."""

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
        """The photos that can be learned from or measured on: path,width,height,split,sha256 of those seen."""
        photos = self.annotations.photos
        return photos[photos["seen"]].reset_index(drop=True)

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
        return hashlib.sha256(rows.encode()).hexdigest()[:16]

    @cached_property
    def provenance(self) -> Provenance:
        """The photos that can be learned from or measured on; the label of each is a short name for its boxes."""
        boxes, groups = self.annotations.boxes, groups_of(self.workspace)
        sides = [boxes[name].astype(float).round(4).astype(str) for name in ("left", "top", "width", "height")]
        text = boxes["label"].astype(str).str.cat(sides, sep=" ")
        on_photo = text.groupby(boxes["path"]).agg(lambda rows: "\n".join(sorted(rows)))
        told = self.photos["path"].map(on_photo).fillna("")
        photos = self.photos.assign(
            group=[groups.get(key, key[:16]) for key in self.photos["sha256"]],
            label=[hashlib.sha256(words.encode()).hexdigest()[:16] for words in told],
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
    data: str | Path = "", workspace: str | Path = "", seed: int = 0, kind: str = "", progress: Progress = silent
) -> Dataset:
    """The photos in the folder (or zip) `data` and below it, with the boxes of VOC, COCO or YOLO files there and those
    that were drawn in notebook 06.

    The workspace is the one that classification uses for the same photos; it is made on first use. An empty `data`
    means the workspace's own photos, or what was opened last; SCENES the made photos. The split of a photo is drawn
    once, when it is first known what is in it, by content and seed, in the shares of classification and over the
    classes; photos in folders called train, validation or test stay there, and so do those that a classifier of the
    workspace knows. Every photo's content is read once. Raises
    InputError.
    """
    source, folder = _places(str(data), workspace, progress)
    root = unpacked(source, folder)
    root = root.parent if root.suffix.lower() == ".csv" else root  # a table of labels in a zip says nothing here
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder with the photos, or a zip of it")
    space = Workspace.create(folder, root, str(source), seed)
    found, left_out = _photos(space, root, progress)
    stated = read_annotations(root, kind, progress, found, required=False)
    photos = found.merge(stated.photos[["path", "seen"]], on="path")
    return _overlaid(space, replace(stated, photos=photos), left_out)


def _overlaid(space: Workspace, stated: Annotations, left_out: pd.DataFrame) -> Dataset:
    """The dataset with what was drawn over what files state. stated.photos: PHOTO_COLUMNS and seen."""
    annotations = _drawn_over(space, stated)
    photos = annotations.photos
    photos = photos.assign(split=_splits(photos, annotations.boxes, _of_classifiers(space), space.seed))
    file = space.folder / "detection" / "photos.csv"
    if not file.exists() or read_csv(file, **TEXT)[["path", "split"]].to_dict("list") != (
        photos[["path", "split"]].to_dict("list")
    ):  # fmt: skip
        write_csv(file, photos[PHOTO_COLUMNS])
    stated = replace(stated, photos=stated.photos.assign(split=photos["split"]))  # what is drawn once stays
    return Dataset(space, replace(annotations, photos=photos), stated, left_out)


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


def _photos(space: Workspace, root: Path, progress: Progress) -> tuple[pd.DataFrame, pd.DataFrame]:
    """PHOTO_COLUMNS of the photos below root, split "" for new ones, and path,reason of what can't be read. A file that
    has kept its length and was not written to since is not opened again."""
    file = space.folder / "detection" / "photos.csv"
    known = read_csv(file, **TEXT) if file.exists() else pd.DataFrame(columns=PHOTO_COLUMNS)
    written = file.stat().st_mtime if file.exists() else 0.0
    facts = {row.path: row for row in known.itertuples()}
    split = dict(zip(known["sha256"], known["split"], strict=True))
    paths = [Path(path) for path in photo.photos_in([root])]
    if not paths:
        raise InputError(f"{root} has no photos: give a folder of photos")

    def known_or_seen(path: Path) -> tuple[str, int, int, int] | str:
        row = facts.get(path.relative_to(root).as_posix())
        with contextlib.suppress(OSError):
            state = path.stat()
            if row is not None and row.bytes == state.st_size and state.st_mtime <= written:
                return row.sha256, row.width, row.height, row.bytes
        return look(path)

    rows, reasons = [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (path, seen) in enumerate(zip(paths, pool.map(known_or_seen, paths), strict=True)):
            if number % 16 == 0:
                progress(number / len(paths), f"reading photos: {number} of {len(paths)}")
            name = path.relative_to(root).as_posix()
            if isinstance(seen, str):
                reasons.append((name, seen))
            else:
                sha256, *others = seen
                rows.append((name, split.get(sha256, ""), sha256, *others))
    if not rows:
        raise InputError(f"none of the {len(paths)} photos in {root} can be read, for example {reasons[0][0]}: "
                         f"{reasons[0][1]}")  # fmt: skip
    return pd.DataFrame(rows, columns=PHOTO_COLUMNS), pd.DataFrame(reasons, columns=["path", "reason"])


def _drawn_over(space: Workspace, annotations: Annotations) -> Annotations:
    """With the boxes of the journal in the place of the files' wherever a person drew."""
    journal, photos = drawn(space), annotations.photos
    keys = dict(zip(photos["path"], photos["sha256"], strict=True))
    touched = [path for path, key in keys.items() if key in journal]
    rows = [(path, *box, BY_HAND, f"box {place}")
            for path in touched for place, box in enumerate(journal[keys[path]], 1)]  # fmt: skip
    others = annotations.boxes[~annotations.boxes["path"].isin(touched)]
    boxes = pd.DataFrame(rows, columns=BOX_COLUMNS)
    boxes = pd.concat([others, boxes], ignore_index=True) if len(others) else boxes
    photos = photos.assign(seen=photos["seen"] | photos["path"].isin(touched))
    return replace(annotations, photos=photos, boxes=boxes.sort_values("path", kind="stable", ignore_index=True))


def _of_classifiers(space: Workspace) -> dict[str, str]:
    """The splits of photos that classifiers of this workspace learn from, by sha256: detectors keep to them, so that
    the two can be compared, and the test photos are the same."""
    if not (space.folder / "manifest.csv").exists():
        return {}
    manifest = space.manifest()
    return dict(zip(manifest["sha256"], manifest["split"], strict=True))


def _splits(photos: pd.DataFrame, boxes: pd.DataFrame, settled: dict[str, str], seed: int) -> pd.Series:
    """The split of every photo that was looked at, "" for the others. What has one keeps it, and so does what is
    `settled` by sha256. Each new photo, in an order by content and seed, goes where most are lacking, of all and of
    those that show its rarest class; so the shares hold, too, when one photo after the other is drawn on."""
    rarest = boxes.assign(count=boxes["label"].map(boxes["label"].value_counts())).sort_values(["count", "label"])
    rarest = rarest.drop_duplicates("path")
    shown = dict(zip(rarest["path"], rarest["label"], strict=True))
    label = [shown.get(path, "") for path in photos["path"]]
    given = [next((SPLIT_FOLDERS[part.lower()] for part in Path(path).parts[:-1] if part.lower() in SPLIT_FOLDERS), "")
             for path in photos["path"]]  # fmt: skip
    if "train" not in given:  # a folder that happens to be called "test" divides nothing
        given = [""] * len(photos)
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
        lacking = {name: sum(share * (1 + stratum.total()) - stratum[name] for stratum in strata)
                   for name, share in shares.items()}  # fmt: skip
        settled.setdefault(row.sha256, max(lacking, key=lacking.__getitem__))
        if row.sha256 not in fixed:
            for stratum in strata:
                stratum[settled[row.sha256]] += 1
    split = photos["sha256"].map(settled)
    return split.where(photos["seen"], "").astype(str)
