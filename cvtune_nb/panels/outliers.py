"""Notebook 07: outliers, and photos that are there more than once, decided as in the audit's gallery."""

import time

import pandas as pd

from cvtune_nb import similarity
from cvtune_nb.audit import Audit
from cvtune_nb.panels.audit import AuditPanel
from cvtune_nb.widgets.job import Work
from cvtune_nb.workspace import Workspace


class OdditiesPanel(AuditPanel):
    """The audit's gallery, keys and decisions, for what one network's vectors say."""

    button = "Look for them"
    by_itself = False
    waiting = "Press Look for them above first, then run this cell again."

    def __init__(self, workspace: Workspace, embedder: str = ""):
        self.embedder = embedder
        super().__init__(workspace)

    def earlier(self) -> Audit | None:
        """Nothing is kept but decisions: it takes seconds."""
        return None

    def work(self) -> Work:
        """Vectors of all photos, what lies far from its class, and copies."""
        workspace, name = self.workspace, self.embedder

        def run(progress) -> Audit:
            # what has learned from these photos has drawn each to its class, and sees nothing odd in them any more
            start, of = time.perf_counter(), similarity.embedder(workspace, name).frozen
            photos = workspace.photos(contested=True)
            rows = similarity.vectors(workspace, photos, of, progress)
            odd = similarity.outliers(photos, rows)
            labels = dict(zip(photos["path"], photos["label"], strict=True))
            near = dict(zip(odd["path"], odd["other"].map(labels), strict=True))  # what most of its neighbours are
            suggested = [near.get(path, label) for path, label in labels.items()]
            scores = photos[["path", "label", "split"]].assign(suggested_label=suggested)
            issues = pd.concat([odd, similarity.copies(workspace, of, progress)], ignore_index=True)
            summary = {"notes": [f"Judged by {of.words}."] if len(issues) else [], "forecast": ""}
            return Audit(issues, scores, summary, time.perf_counter() - start)

        return run
