"""A process that does the heavy work of a notebook, so that the notebook's kernel lives on when the work dies.

docs/measurements.md, "Work that is killed", has what becomes of it then.
"""

from cvtune_nb.worker.client import Worker, attach, under_way

__all__ = ["Worker", "attach", "under_way"]
