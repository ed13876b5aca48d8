"""Notebook 07: outliers, and photos that are there more than once, decided as in the audit's gallery."""

from cvtune_nb import similarity
from cvtune_nb.audit import Audit, Payoff
from cvtune_nb.console import duration
from cvtune_nb.panels.audit import AuditPanel
from cvtune_nb.widgets.job import Work
from cvtune_nb.workspace import Workspace


class OutliersPanel(AuditPanel):
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
        """Read the name of the network."""
        workspace, name = self.workspace, self.embedder
        find = similarity.find_outliers_and_copies
        return lambda progress: self.in_worker(
            find, workspace, similarity.find_embedder(workspace, name), progress=progress
        )

    def paint(self, result: Audit | Payoff) -> str:
        """Fill the gallery, or show what the decisions brought."""
        words = super().paint(result)
        if isinstance(result, Audit):
            self.cost.value = f"It took {duration(result.seconds)}."
        return words
