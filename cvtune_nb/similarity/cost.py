"""What embedding the photos of a workspace costs, before it is done."""

from dataclasses import dataclass

from cvtune_nb.classification.features import network_speed
from cvtune_nb.similarity.embeddings import count_missing
from cvtune_nb.similarity.model import Embedder
from cvtune_nb.workspace import Workspace

FIRST_GUESS = 25.0
"""Photos a second on a machine with 2 cores, assumed until a speed was measured on this one."""


@dataclass(frozen=True)
class Cost:
    """What computing the missing vectors takes.

    Attributes
    ----------
    photos
        How many have no vector yet.
    seconds
        Estimated.
    """

    photos: int
    seconds: float


def estimate_cost(workspace: Workspace, embedder: Embedder) -> Cost:
    """What embedding all photos of the workspace costs, based on the speed that was last measured on this machine."""
    count = count_missing(workspace, workspace.photos(), embedder)
    speed = network_speed(workspace, embedder.spec) or FIRST_GUESS
    return Cost(count, count / speed)
