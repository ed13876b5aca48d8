"""What networks say of the validation photos, measured once: kept in the workspace's cache, after a Stop too."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from cvtune_nb.classification.at_test_time import larger_sizes
from cvtune_nb.classification.combining.ingredients import Blend, Ingredients
from cvtune_nb.classification.objective import keep_chances, kept_chances
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import Progress
from cvtune_nb.models import networks
from cvtune_nb.workspace import Workspace

BATCH = 32
Asked = tuple[nn.Module, np.ndarray]
"""A network, and a photo as it is shown to it, uint8 (1, height, width, 3)."""


@dataclass(frozen=True)
class Look:
    """How a network is asked about a photo: what it is shown, and whether about its mirror image, too."""

    shown: Preprocessing
    mirrored: bool

    @property
    def passes(self) -> tuple[bool, ...]:
        """Of each forward pass whether it is one of the mirror image."""
        return (False, True) if self.mirrored else (False,)


class Pool:
    """Logits of networks on validation photos.

    Parameters
    ----------
    workspace, ingredients
        Where the photos are, and whose weights they are.
    photos
        Rows of the validation photos, n.
    deadline
        time.monotonic() from which on nothing more is measured.
    progress
        Called at every minibatch with the part of `planned` photos that is done; may raise Stopped.
    """

    def __init__(
        self, workspace: Workspace, ingredients: Ingredients, photos: pd.DataFrame, deadline: float, progress: Progress
    ):
        self.workspace, self.ingredients, self.photos, self.deadline = workspace, ingredients, photos, deadline
        self.progress, self.planned, self.done, self.incomplete = progress, 1, 0, False
        keys = ",".join(photos["sha256"])
        self._folder = workspace.cache / "combining" / hashlib.sha256(keys.encode()).hexdigest()[:16]
        self._known: dict[tuple[Blend, Preprocessing, bool], np.ndarray] = {}
        self._network: tuple[Blend, nn.Module] | None = None

    def logits(self, blend: Blend, shown: Preprocessing, mirrored: bool = False) -> np.ndarray | None:
        """Logits (n, classes) of one pass; None where there was no time to measure them.

        Parameters
        ----------
        blend
            The weights.
        shown
            What the network is shown.
        mirrored
            Whether it is shown the mirror image.
        """
        key = (blend, shown, mirrored)
        if key not in self._known:
            file = self._file(*key)
            found = kept_chances(file)
            if found is None:
                if time.monotonic() > self.deadline:
                    self.incomplete = True
                    return None
                found = self._measured(*key)
                file.parent.mkdir(parents=True, exist_ok=True)
                keep_chances(file, found)
            self._known[key] = found
        return self._known[key]

    def looks(self, blend: Blend) -> list[Look]:
        """How a network may be asked: as in training first, then larger, each with its mirror image or without."""
        spec = self.ingredients.base(blend).spec
        sizes = [spec.image_size, *larger_sizes(spec, self.photos)[:1]]
        return [
            Look(replace(spec.preprocessing, image_size=size), mirrored) for size in sizes for mirrored in (False, True)
        ]

    def _file(self, blend: Blend, shown: Preprocessing, mirrored: bool) -> Path:
        name = f"{self.ingredients.digest(blend)}-{shown.key}{'-mirrored' * mirrored}.npy"
        return self._folder / name

    def _measured(self, blend: Blend, shown: Preprocessing, mirrored: bool) -> np.ndarray:
        as_trained = not mirrored and shown == self.ingredients.base(blend).spec.preprocessing
        if as_trained and (known := self.ingredients.recorded(blend, self.photos)) is not None:
            return known
        if self._network is None or self._network[0] != blend:
            self._network = blend, self.ingredients.network(blend, self.progress)
        words = f"{blend}{', mirrored' * mirrored} at {shown.image_size} pixels"
        return passed(self._network[1], self.workspace, self.photos, shown, self._report(words), mirrored)

    def _report(self, words: str) -> Progress:
        begun = self.done
        self.done += 1

        def report(share: float, _: str) -> None:
            part = share if 0 <= share <= 1 else 0.0
            self.progress(min(1.0, (begun + part) / max(self.planned, self.done)), f"measuring {words}")

        return report


def passed(
    network: nn.Module,
    workspace: Workspace,
    photos: pd.DataFrame,
    shown: Preprocessing,
    progress: Progress,
    mirrored: bool = False,
) -> np.ndarray:
    """The logits (n, classes) of a network on photos.

    Parameters
    ----------
    network
        In eval mode; back on the processor afterwards.
    workspace, photos
        Where they are, and which.
    shown
        What the network is shown of them.
    progress
        Called at every minibatch.
    mirrored
        Whether it is shown their mirror images.
    """
    squares, found = pixels(workspace, photos, shown, progress), []
    network = network.to(networks.device()).eval()
    for first in range(0, len(photos), BATCH):
        progress(first / len(photos), "measuring")
        images = squares.centre(range(first, min(first + BATCH, len(photos))))
        found.append(networks.forward(network, images[:, :, ::-1].copy() if mirrored else images))
    network.cpu()
    return np.concatenate(found)


def milliseconds(asked: Mapping[str, Asked], rounds: int = 7) -> dict[str, float]:
    """What networks take for one photo, by name; in turns, so that other work on the machine slows down each alike.

    Parameters
    ----------
    asked
        Each network, in eval mode on the processor, and a photo (1, height, width, 3).
    rounds
        Of which the fastest counts, after one more.
    """
    times: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(rounds + 1):
        for name, (network, image) in asked.items():
            begun = time.perf_counter()
            networks.forward(network, image)
            if number:
                times[name].append(1000 * (time.perf_counter() - begun))
    return {name: min(taken) for name, taken in times.items()}
