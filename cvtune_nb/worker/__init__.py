"""A process that does the heavy work of a notebook, so that the notebook's kernel lives on when the work dies."""

from cvtune_nb.worker.client import Worker, attach, under_way

__all__ = ["Worker", "attach", "under_way"]
