"""How well a detector finds what is there: average precision as COCO defines it, and every mistake by its kind."""

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.detection.dataset import Part

DETECTION_COLUMNS = ["path", "label", "left", "top", "width", "height", "score"]
SAME_PLACE = 0.5
"""Intersection over union from which a detection counts as being of an object, as in AP50 and in VOC 2007."""
NEAR = 0.1
"""Intersection over union up to which a detection is of nothing, and not of an object badly placed (Bolya and others
2020, TIDE: a general toolbox for identifying object detection errors)."""
RESAMPLED = 400
"""Bootstrap draws of the photos, for the intervals."""
AREAS = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas in pixels of the photo as it is, as COCO divides them."""


@dataclass(frozen=True)
class Scores:
    """The average precision of a detector, by class and by size.

    Attributes
    ----------
    ap, ap_interval
        Mean over classes and over ten overlaps from .5 to .95, and its 95% interval over resampled photos.
    ap50, ap50_interval
        The same at an overlap of .5.
    by_class
        label, boxes, ap, ap50.
    by_size
        size, boxes, ap (NaN where there are no boxes of that size).
    curve
        label, recall, precision at an overlap of .5.
    photos, boxes
        How many there are.
    """

    ap: float
    ap_interval: tuple[float, float]
    ap50: float
    ap50_interval: tuple[float, float]
    by_class: pd.DataFrame
    by_size: pd.DataFrame
    curve: pd.DataFrame
    photos: int
    boxes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the curve; None where there is no number."""
        return {
            "ap": self.ap,
            "ap_interval": list(self.ap_interval),
            "ap50": self.ap50,
            "ap50_interval": list(self.ap50_interval),
            "photos": self.photos,
            "boxes": self.boxes,
            "by_class": _plain(self.by_class),
            "by_size": _plain(self.by_size),
        }


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.astype(object).where(table.notna(), None).to_dict("records")


def scores(part: Part, detections: pd.DataFrame, labels: Sequence[str], intervals: bool = True) -> Scores:
    """Average precisions of detections, by pycocotools.

    Parameters
    ----------
    part
        The photos and their boxes.
    detections
        DETECTION_COLUMNS.
    labels
        The classes; those without a box in `part` are not counted.
    intervals
        Whether to compute the 95% intervals, which takes a second or so; without, they are 0 to 1.

    Returns
    -------
    Scores
        All 0 with an interval of 0 to 1 where there is no box.
    """
    from pycocotools.cocoeval import COCOeval

    truth = part.boxes[part.boxes["label"].isin(labels)]
    counts = truth["label"].value_counts()
    by_class = pd.DataFrame({"label": list(labels), "boxes": [int(counts.get(label, 0)) for label in labels]})
    if truth.empty:
        sizes = pd.DataFrame({"size": list(AREAS), "boxes": 0, "ap": np.nan})
        none = pd.DataFrame(columns=["label", "recall", "precision"])
        by_class = by_class.assign(ap=np.nan, ap50=np.nan)
        return Scores(0.0, (0.0, 1.0), 0.0, (0.0, 1.0), by_class, sizes, none, len(part.photos), 0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        known = _coco(part.photos, truth, labels)
        found = (
            known.loadRes(_results(part.photos, detections, labels))
            if len(detections)
            else _coco(part.photos, truth[:0], labels)
        )
        measured = COCOeval(known, found, "bbox")
        most = int(detections.groupby("path").size().max()) if len(detections) else 0
        measured.params.maxDets = [1, 10, max(100, most)]
        measured.evaluate()
        measured.accumulate()
    precision = measured.eval["precision"][:, :, :, :, -1]  # overlaps, recalls, classes, areas
    there = by_class["boxes"].to_numpy() > 0

    def mean(values: np.ndarray) -> float:
        values = values[values > -1]
        return float(values.mean()) if values.size else float("nan")

    by_class["ap"] = [mean(precision[:, :, k, 0]) for k in range(len(labels))]
    by_class["ap50"] = [mean(precision[0, :, k, 0]) for k in range(len(labels))]
    area = _areas(part.photos, truth)
    by_size = pd.DataFrame(
        {
            "size": list(AREAS),
            "boxes": [int(((area >= low) & (area < high)).sum()) for low, high in AREAS.values()],
            "ap": [mean(precision[:, :, :, place]) for place in (1, 2, 3)],
        }
    )
    recalls = measured.params.recThrs
    curve = pd.concat(
        [
            pd.DataFrame({"label": label, "recall": recalls, "precision": precision[0, :, k, 0]})
            for k, label in enumerate(labels)
            if there[k]
        ],
        ignore_index=True,
    )
    low = _intervals(measured, np.flatnonzero(there)) if intervals else ((0.0, 1.0), (0.0, 1.0))
    ap, ap50 = (float(by_class.loc[there, name].mean()) for name in ("ap", "ap50"))
    return Scores(ap, low[0], ap50, low[1], by_class, by_size, curve, len(part.photos), len(truth))


def _areas(photos: pd.DataFrame, boxes: pd.DataFrame) -> np.ndarray:
    """Area of each box in pixels of its photo."""
    sides = photos.drop_duplicates("path").set_index("path").loc[boxes["path"], ["width", "height"]].to_numpy(float)
    return (boxes[["width", "height"]].to_numpy(float) * sides).prod(axis=1)


def _coco(photos: pd.DataFrame, boxes: pd.DataFrame, labels: Sequence[str]) -> Any:
    """The boxes as pycocotools wants them, in pixels."""
    from pycocotools.coco import COCO

    made: Any = COCO()
    rows = _in_pixels(photos, boxes, labels)
    made.dataset = {
        "info": {},
        "images": [
            {"id": number, "width": int(row.width), "height": int(row.height)}
            for number, row in enumerate(photos.itertuples())
        ],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels)],
        "annotations": [{**row, "id": number, "iscrowd": 0} for number, row in enumerate(rows, 1)],
    }
    made.createIndex()
    return made


def _in_pixels(photos: pd.DataFrame, boxes: pd.DataFrame, labels: Sequence[str]) -> list[dict[str, Any]]:
    places = dict(zip(photos["path"], range(len(photos)), strict=True))
    numbers = {label: number for number, label in enumerate(labels)}
    sides = photos.set_index("path").loc[boxes["path"], ["width", "height"]].to_numpy(float)
    pixels = boxes[["left", "top", "width", "height"]].to_numpy(float) * np.tile(sides, 2)
    return [
        {"image_id": places[path], "category_id": numbers[label], "bbox": box.tolist(), "area": float(box[2] * box[3])}
        for path, label, box in zip(boxes["path"], boxes["label"], pixels, strict=True)
    ]


def _results(photos: pd.DataFrame, detections: pd.DataFrame, labels: Sequence[str]) -> list[dict[str, Any]]:
    rows = _in_pixels(photos, detections, labels)
    return [{**row, "score": float(score)} for row, score in zip(rows, detections["score"], strict=True)]


def _intervals(measured: Any, classes: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """95% intervals of ap and ap50 from the matches that pycocotools made.

    Photos are drawn with replacement RESAMPLED times: they are what is random, since the boxes of one photo depend on
    each other.
    """
    images = len(measured.params.imgIds)
    times = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), RESAMPLED)
    table = np.full((len(classes), len(measured.params.iouThrs), RESAMPLED), np.nan)
    for row, k in enumerate(classes):
        rows = measured.evalImgs[k * 4 * images : k * 4 * images + images]  # of all areas; classes, areas, photos
        pieces = [(number, piece) for number, piece in enumerate(rows) if piece is not None]
        boxes = np.zeros(images)
        for number, piece in pieces:
            boxes[number] = (~np.asarray(piece["gtIgnore"], bool)).sum()
        scores_ = np.concatenate([piece["dtScores"] for _, piece in pieces])
        matched = np.concatenate([piece["dtMatches"] for _, piece in pieces], axis=1) > 0
        owner = np.concatenate([np.full(len(piece["dtScores"]), number) for number, piece in pieces])
        order = np.argsort(-scores_, kind="mergesort")
        weights, total = times[:, owner[order]], times @ boxes
        for overlap in range(matched.shape[0]):
            hit = matched[overlap, order]
            table[row, overlap] = weighted_precision(weights, hit, total)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw may hold none of the photos with boxes: it has no mean
        ap, ap50 = np.nanmean(table, axis=(0, 1)), np.nanmean(table[:, 0], axis=0)
    (low, high), (low50, high50) = (np.nanpercentile(draws, (2.5, 97.5)) for draws in (ap, ap50))
    return (float(low), float(high)), (float(low50), float(high50))


def weighted_precision(weights: np.ndarray, hit: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Mean precision at 101 recalls in each bootstrap draw.

    Parameters
    ----------
    weights
        Weight of each detection in each draw (draws, detections), best detection first.
    hit
        Whether each detection found a box (detections,).
    total
        Number of boxes in each draw (draws,).

    Returns
    -------
    np.ndarray
        (draws,); NaN for a draw without boxes.
    """
    right = np.cumsum(weights * hit, axis=1)
    seen = np.cumsum(weights, axis=1)
    precision = np.maximum.accumulate((right / np.maximum(seen, 1))[:, ::-1], axis=1)[:, ::-1]
    found = np.full(len(weights), np.nan)
    for draw in np.flatnonzero(total):
        places = np.searchsorted(right[draw], np.linspace(0, 1, 101) * total[draw] - 1e-9)
        reached = places < len(hit)
        found[draw] = precision[draw, places[reached]].sum() / 101
    return found


# -- mistakes -------------------------------------------------------------------------------------------------


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersections over unions (n, m) of boxes (n, 4) and (m, 4): left, top, width, height."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - shared
    return shared / np.maximum(union, 1e-12)


KINDS = ("found", "missed", "other class", "badly placed", "found twice", "nothing there")


def judged(part: Part, detections: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """What became of every box, and of every detection with a score of at least `threshold`.

    Detections are matched best first, each with the free box of its class that it overlaps most, by SAME_PLACE or more.
    Of the rest, one on a box of another class has the wrong class, one on a box that already has a better one is a
    second find, and one that overlaps by NEAR or more is badly placed. A box is missed when no detection of its class
    matched it and none of another class lies on it.

    Parameters
    ----------
    part
        The photos and their boxes.
    detections
        path, label, score, left, top, width, height.
    threshold
        Lowest score (0..1) that counts.

    Returns
    -------
    pd.DataFrame
        path, kind (one of KINDS), label (of the detection; of the box for "missed"), true (of the box; "" for "nothing
        there"), score (NaN for "missed"), left, top, width, height.
    """
    kept = detections[detections["score"] >= threshold].sort_values("score", ascending=False, kind="stable")
    by_photo, truth = dict(list(kept.groupby("path"))), dict(list(part.boxes.groupby("path")))
    sides, found = ["left", "top", "width", "height"], []
    for path in part.photos["path"]:
        boxes, seen = truth.get(path, part.boxes[:0]), by_photo.get(path, kept[:0])
        if boxes.empty and seen.empty:
            continue
        shared = overlaps(seen[sides].to_numpy(float), boxes[sides].to_numpy(float))
        names = boxes["label"].to_numpy()
        taken, later = np.full(len(boxes), False), []
        for place, row in enumerate(seen.itertuples()):
            free = np.where((names == row.label) & ~taken, shared[place], -1.0)
            best = int(free.argmax()) if len(free) else -1
            if best >= 0 and free[best] >= SAME_PLACE:
                taken[best] = True
                found.append((path, "found", row.label, row.label, row.score, *_sides(row)))
            else:
                later.append((place, row))
        for place, row in later:
            best = int(shared[place].argmax()) if len(boxes) else -1
            overlap = shared[place, best] if best >= 0 else 0.0
            if overlap >= SAME_PLACE:
                same = names[best] == row.label
                kind = "found twice" if same or taken[best] else "other class"
                taken[best] = True
            else:
                kind = "badly placed" if overlap >= NEAR else "nothing there"
            true = names[best] if kind != "nothing there" else ""
            found.append((path, kind, row.label, true, row.score, *_sides(row)))
        for row in boxes[~taken].itertuples():
            found.append((path, "missed", row.label, row.label, np.nan, *_sides(row)))
    return pd.DataFrame(found, columns=["path", "kind", "label", "true", "score", *sides])


def _sides(row) -> tuple[float, float, float, float]:
    return row.left, row.top, row.width, row.height


THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def against_threshold(part: Part, detections: pd.DataFrame) -> pd.DataFrame:
    """Hits and errors of a detector for thresholds of .05 to .95.

    Columns: threshold, found, missed, wrong (detections that match no box), on_negatives (of these, in photos without a
    box), f1 (0..1, the harmonic mean of precision and recall).
    """
    negatives = set(part.photos["path"]) - set(part.boxes["path"])
    rows = []
    for threshold in THRESHOLDS:
        table = judged(part, detections, threshold)
        count = table["kind"].value_counts()
        found = int(count.get("found", 0))
        wrong = int((~table["kind"].isin(["found", "missed"])).sum())
        missed = len(part.boxes) - found
        on_negatives = int((table["path"].isin(negatives) & ~table["kind"].isin(["found", "missed"])).sum())
        f1 = 2 * found / max(1, 2 * found + missed + wrong)
        rows.append((threshold, found, missed, wrong, on_negatives, f1))
    return pd.DataFrame(rows, columns=["threshold", "found", "missed", "wrong", "on_negatives", "f1"])


def best_threshold(table: pd.DataFrame) -> float:
    """The threshold with the highest f1 of `against_threshold`'s table; ties: the middle one."""
    best = table[table["f1"] >= table["f1"].max() - 1e-12]
    return float(best["threshold"].iloc[len(best) // 2])
