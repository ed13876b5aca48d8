"""The whole audit: every check run once, its findings in plain files of the workspace."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.audit.check import OTHERS
from cvtune_nb.audit.checks import CHECKS, KINDS, table
from cvtune_nb.audit.context import Context
from cvtune_nb.audit.forecast import forecast
from cvtune_nb.audit.html import write_report
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.workspace import Workspace

_ISSUE_TEXT = dict.fromkeys(["path", "issue", "detail", "suggestion", *OTHERS], str)
_SCORE_TEXT = dict.fromkeys(["path", "label", "split", "suggested_label", "second_label"], str)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    issues : pandas.DataFrame
        path,issue,score,detail,suggestion,other,other_2,other_3: audit.check explains them.
    scores : pandas.DataFrame
        A row for each photo: path,label,split,label_quality (0 to 1, 1 is best),suggested_label,suggested_probability,
        second_label,second_probability,group (the same number for copies of one photo), and what quality.measure gives.
    summary : dict
        photos, issues (kind -> photos listed), forecast (what a review could bring, in a sentence, or ""), notes
        (sentences about the whole set), groups (of copies), backbone, image_size, storage (storage.Storage explains
        it), scenes (scenes.Scenes does; empty for none).
    seconds : float
        How long it took.
    """

    issues: pd.DataFrame
    scores: pd.DataFrame
    summary: dict[str, Any]
    seconds: float


def audit(workspace: Workspace, spec: FeatureSpec | None = None, progress: Progress = silent) -> Audit:
    """Check all photos, as the person's decisions so far have left them.

    Writes audit/issues.csv, scores.csv, summary.json and report.html. Relabelled photos are judged under their new
    label, excluded ones are gone, and an issue that the person decided to keep is not listed again. Copies are kept in
    one split from then on (data.keep_together); but for that, nothing but those four files and the cache is written.

    Parameters
    ----------
    workspace
        Its photos are checked.
    spec
        The features to judge by; None: the default ones.
    progress
        Called while it checks; may raise Stopped.

    Raises
    ------
    InputError
        When the backbone's weights can't be had, or image_size is larger than the photos.
    """
    start = time.perf_counter()
    context = Context(workspace, spec or FeatureSpec.default(), progress)
    standing = workspace.standing()
    moved = context.keep_copies_together()
    found, notes = {}, [MOVED.format(moved)] if moved else []
    for check in CHECKS:
        rows, note = check.look(context)
        found[check.name] = [row for row in rows if not _kept(check.name, row["path"], standing)]
        notes += [note] if note else []
    photos, groups, speed = context.photos, context.duplicates.groups, context.storage
    issues = table(found)
    scores = pd.concat([photos[["path", "label", "split"]], context.judgement.opinions], axis=1)
    scores = pd.concat([scores.assign(group=groups), context.measures.round(4)], axis=1)
    counts = issues["issue"].value_counts()
    suspects = {row["path"] for row in found["mislabelled"]}
    gain = forecast(photos, context.rows, context.groups, context.judges, suspects, context.together)
    summary = {
        "photos": len(photos),
        "issues": {kind: int(counts[kind]) for kind in KINDS if kind in counts},
        "forecast": gain.words if gain else "",
        "notes": notes,
        "groups": int((np.bincount(groups) > 1).sum()) if len(photos) else 0,
        **context.spec.to_dict(),
        "storage": speed.to_dict() if speed else {},
        "scenes": context.scenes.to_dict() if context.scenes else {},
    }
    progress(1.0, "writing down what was found")
    write_report(workspace, issues, scores, summary)
    result = Audit(issues, scores, summary, time.perf_counter() - start)
    write_csv(workspace.audit / "issues.csv", result.issues)
    write_csv(workspace.audit / "scores.csv", result.scores)
    write_json(workspace.audit / "summary.json", {**summary, "seconds": round(result.seconds, 1)})
    return result


MOVED = "{} photo(s) changed their split, so that all copies of a photo are in one: no accuracy is measured on photos \
that were memorised"


def load_audit(workspace: Workspace) -> Audit | None:
    """The last audit of this workspace, or None if there was none.

    Decisions made since then are not in it.
    """
    try:
        summary = read_json(workspace.audit / "summary.json")
        issues = read_csv(workspace.audit / "issues.csv", **_ISSUE_TEXT)
        scores = read_csv(workspace.audit / "scores.csv", **_SCORE_TEXT)
    except FileNotFoundError:
        return None
    summary.pop("format", None)
    return Audit(issues, scores, summary, float(summary.pop("seconds")))


def _kept(kind: str, path: str, standing: dict[str, dict[str, Any]]) -> bool:
    """Whether the person decided to live with this issue.

    A reason that names a kind of issue keeps the photo in spite of that kind only; any other reason, in spite of all.
    """
    act = standing.get(path, {})
    return act.get("action") == "keep" and (act["reason"] == kind or act["reason"] not in KINDS)
