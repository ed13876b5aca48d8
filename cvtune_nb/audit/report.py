"""The whole audit: every check run once, its findings in plain files of the workspace."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.audit import dataset, duplicates, labels, learning, objects, quality, shortcuts, storage
from cvtune_nb.audit.forecast import forecast
from cvtune_nb.audit.html import write_report
from cvtune_nb.audit.issue import KINDS, OTHERS, table
from cvtune_nb.classification.features import FeatureSpec, features, network_speed
from cvtune_nb.data import keep_together
from cvtune_nb.data.pixels import pixels
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.workspace import Workspace

_ISSUE_TEXT = dict.fromkeys(["path", "issue", "detail", "suggestion", *OTHERS], str)
_SCORE_TEXT = dict.fromkeys(["path", "label", "split", "suggested_label", "second_label"], str)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    issues: path,issue,score,detail,suggestion,other,other_2,other_3 (audit.issue explains them; score 0..1, 1 is
    worst).
    scores: a row for each photo: path,label,split,label_quality (0 bad .. 1 good),suggested_label,
    suggested_probability,second_label,second_probability,group (the same number for copies of one photo),
    brightness,mean,contrast,burnt,sharpness,sharpness_half (quality.measure explains them).
    summary: photos, issues (kind -> photos listed), forecast (a sentence: what a review could bring, or
    ""), notes (sentences about the whole set), groups (of copies), backbone, image_size, storage (storage.Storage
    explains it).
    """

    issues: pd.DataFrame
    scores: pd.DataFrame
    summary: dict[str, Any]
    seconds: float


def audit(workspace: Workspace, spec: FeatureSpec | None = None, progress: Progress = silent) -> Audit:
    """Check all photos, as the person's decisions so far have left them, and write audit/issues.csv,
    scores.csv, summary.json and report.html.

    Relabelled photos are judged under their new label, excluded ones are gone, and an issue that the person
    decided to keep is not listed again. Copies are kept in one split from then on (data.keep_together); but for
    that, nothing but those four files and the cache is written. Raises InputError when the backbone's weights
    can't be had or image_size is beyond the photos.
    """
    start = time.perf_counter()
    spec = spec or FeatureSpec.default()
    photos = workspace.photos(contested=True)
    skipped = workspace.skipped()
    standing = workspace.standing()

    rows = features(workspace, photos, spec, _part(progress, 0.0, 0.7)).rows
    store = pixels(workspace, photos, spec.preprocessing)
    copies = duplicates.find(photos, rows, store, _part(progress, 0.7, 0.8), workspace.distinct())
    moved = keep_together(workspace, _group_names(photos["sha256"], copies.groups))
    photos, in_use = workspace.photos(contested=True), workspace.photos()
    judges = (photos["path"].isin(in_use["path"]) & (photos["split"] != "test")).to_numpy()
    opinions, doubts = labels.find(photos, rows, copies.groups, judges, progress=_part(progress, 0.8, 0.9))
    light = quality.measured(workspace, photos, store, _part(progress, 0.9, 1.0))
    bad = quality.find(photos, light, skipped, spec.image_size)

    small = dataset.small_classes(in_use)
    training = np.flatnonzero(photos["path"].isin(in_use["path"]) & (photos["split"] == "train"))
    outlooks = learning.outlook(photos, rows, copies.groups, training, list(small), dataset.ENOUGH_IMAGES)
    speed = storage.measure(workspace, photos, store, network_speed(workspace, spec))
    whole = [
        shortcuts.find(photos, bad.measures),
        objects.find(workspace, photos, spec.image_size),
        dataset.find(in_use, outlooks),
        storage.find(speed),
    ]
    found = pd.concat([doubts, duplicates.describe(photos, copies), bad.issues, *whole], ignore_index=True)
    issues = table(row for row in found.to_dict("records") if not _kept(row, standing))
    scores = pd.concat([photos[["path", "label", "split"]], opinions], axis=1)
    scores = pd.concat([scores.assign(group=copies.groups), bad.measures.round(4)], axis=1)
    counts = issues["issue"].value_counts()
    suspects = set(issues.loc[issues["issue"] == "mislabelled", "path"])
    gain = forecast(photos, rows, copies.groups, judges, suspects)
    summary = {
        "photos": len(photos),
        "issues": {kind: int(counts[kind]) for kind in KINDS if kind in counts},
        "forecast": gain.words if gain else "",
        "notes": ([MOVED.format(moved)] if moved else []) + bad.notes,
        "groups": int((np.bincount(copies.groups) > 1).sum()) if len(photos) else 0,
        **spec.to_dict(),
        "storage": speed.to_dict() if speed else {},
    }
    progress(1.0, "writing down what was found")
    write_report(workspace, issues, scores, summary)
    result = Audit(issues, scores, summary, time.perf_counter() - start)
    write_csv(workspace.audit / "issues.csv", result.issues)
    write_csv(workspace.audit / "scores.csv", result.scores)
    write_json(workspace.audit / "summary.json", {**summary, "seconds": round(result.seconds, 1)})
    return result


MOVED = "{} photo(s) changed their split, so that all copies of a photo are in one: no accuracy is measured on photos \
that were learned by heart"


def _group_names(sha256: pd.Series, groups: np.ndarray) -> dict[str, str]:
    """sha256 of each photo -> a name of its group that depends on the content of its photos alone."""
    first = sha256.groupby(groups).transform("min").str[:16]
    return dict(zip(sha256, first, strict=True))


def load_audit(workspace: Workspace) -> Audit | None:
    """The last audit of this workspace, or None if there was none. Decisions made since then are not in
    it."""
    try:
        summary = read_json(workspace.audit / "summary.json")
        issues = read_csv(workspace.audit / "issues.csv", **_ISSUE_TEXT)
        scores = read_csv(workspace.audit / "scores.csv", **_SCORE_TEXT)
    except FileNotFoundError:
        return None
    summary.pop("format", None)
    return Audit(issues, scores, summary, float(summary.pop("seconds")))


def _kept(row: dict[str, Any], standing: dict[str, dict[str, Any]]) -> bool:
    """Whether the person decided to live with this issue. A reason that names a kind of issue keeps the photo
    in spite of that kind only; any other reason, in spite of all."""
    act = standing.get(row["path"], {})
    if act.get("action") != "keep":
        return False
    return act["reason"] == row["issue"] or act["reason"] not in KINDS


def _part(progress: Progress, low: float, high: float) -> Progress:
    """A Progress whose 0..1 is low..high of `progress`."""
    return lambda share, words: progress(low + (high - low) * share, words)
