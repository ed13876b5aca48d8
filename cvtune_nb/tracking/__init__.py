"""Runs in a tracker that is used already, beside the workspace: off until a workspace is told of one (`cvtune track`).

The workspace stays the truth. What a tracker lacks, because it could not be reached or was chosen later, it gets at
the end of a run, or by `cvtune track`. Any other tracker is a callable for the `on_epoch` of `fit` (CONTRIBUTING.md).
"""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.tracking.choice import Following as Following
    from cvtune_nb.tracking.choice import choose as choose
    from cvtune_nb.tracking.choice import chosen as chosen
    from cvtune_nb.tracking.choice import following as following
    from cvtune_nb.tracking.trackers import NONE as NONE
    from cvtune_nb.tracking.trackers import TRACKERS as TRACKERS
else:
    __all__, __getattr__ = lazily(__name__)
