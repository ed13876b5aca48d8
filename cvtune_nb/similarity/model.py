"""Embedders: the networks without a last layer that turn photos into vectors, and how they are found by name."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cvtune_nb.classification import load_best, load_run, ranked, runs
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import levels, mean_colour
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import named
from cvtune_nb.models import backbones, networks, sizes
from cvtune_nb.models.pooling import LAST
from cvtune_nb.similarity.metric import Projection
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True)
class Embedder:
    """What turns photos into vectors.

    Attributes
    ----------
    name
        A run's id, or BACKBONE@SIZE for a frozen network, with what else it is shown that is not as usual.
    spec
        Its backbone and what that is shown.
    run
        "" for a frozen one.
    data
        "earlier data" for a run that may not be compared with others (provenance).
    """

    name: str
    spec: FeatureSpec
    run: str = ""
    data: str = ""

    @property
    def frozen(self) -> "Embedder":
        """The same backbone at the same size, as it was before it was trained on these photos."""
        return _frozen(self.spec)

    @property
    def portable(self) -> "Embedder":
        """As an export names it: a file of weights without the folder that it lies in here."""
        spec = replace(self.spec, weights=named(self.spec.weights))
        return replace(self, name=self.run or _frozen(spec).name, spec=spec)

    @property
    def words(self) -> str:
        """For people: "frozen efficientnet_lite0 at 224 pixels", "run 001-efficientnet_lite0-224"."""
        if self.run:
            return f"run {self.run}" + (f" ({self.data})" if self.data else "")
        return f"frozen {self.spec}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"name": self.name, **self.spec.to_dict(), "run": self.run, "data": self.data}


WEIGHTS = "-weights="
"""Before the file of a person's own weights in the name of a frozen embedder."""


def _frozen(spec: FeatureSpec) -> Embedder:
    spec = replace(spec, pooling=LAST)
    name = f"{spec.backbone}@{spec.preprocessing.key}"
    return Embedder(f"{name}{WEIGHTS}{spec.weights}" if spec.weights else name, spec)


def find_embedder(workspace: Workspace, name: str = "") -> Embedder:
    """The embedder called `name`: a run's id, best or last, or BACKBONE@SIZE, or BACKBONE (at 224 pixels).

    BACKBONE@SIZE-weights=FILE has weights of its own. "": the best run of the workspace, or before there is one what to
    start with, frozen. Raises InputError.
    """
    known = runs(workspace)
    if not name:
        if ranked(known).empty:
            return _frozen(start_with(workspace))
        name = "best"
    if name in ("best", "last") or name in set(known["run"]):
        run = load_run(workspace, name)
        if run.history.empty:
            raise InputError(f"run {run.id} has not finished an epoch yet: resume it first, or choose another run")
        levels.require_same(workspace, run.levels, run.id)
        mean_colour.require_same(workspace, run.padding, run.id)
        data = known.set_index("run").at[run.id, "data"]
        return Embedder(run.id, FeatureSpec.of(run.config), run.id, data)
    name, _, weights = name.partition(WEIGHTS)
    backbone, _, size = name.partition("@")
    try:
        shown = Preprocessing.from_key(size or "224")
    except ValueError:
        raise InputError(
            f"{name!r} is no embedder: give a run's id, or a backbone and its image size like {_example()}"
        ) from None
    try:
        sizes.width(backbone)
    except InputError as error:
        raise InputError(f"there is no run or backbone {backbone!r} ({error}): give one like {_example()}") from None
    return _frozen(FeatureSpec(backbone, shown, weights))


def _example() -> str:
    return f"{backbones.default()[0]}@224"


def list_embedders(workspace: Workspace, name: str = "") -> list[Embedder]:
    """All there is to choose from, and the one called `name` (find_embedder). Raises InputError.

    The workspace's runs, best first; then every backbone whose weights are on disk; last the runs of earlier data.
    """
    known = runs(workspace)
    known = known[known["validation_accuracy"].notna()].sort_values(
        ["data", "validation_accuracy"], ascending=[True, False]
    )
    tuned = [
        Embedder(row["run"], FeatureSpec.from_dict(row), row["run"], row["data"]) for row in known.to_dict("records")
    ]
    used = [Preprocessing(), start_with(workspace).preprocessing, *(each.spec.preprocessing for each in tuned)]
    frozen = [
        _frozen(FeatureSpec(backbone, shown))
        for backbone in backbones.KNOWN
        if backbones.on_disk(backbone)
        for shown in dict.fromkeys(used)
    ]
    own = [embedder.frozen for embedder in tuned if embedder.spec.weights]
    every = dict.fromkeys([*tuned, *own, *frozen, find_embedder(workspace, name)])
    return sorted(every, key=lambda embedder: embedder.data != "")


class EmbeddingNetwork(nn.Module):
    """An embedder as one network, the projection included.

    uint8 images (n, size, size, 3) to vectors (n, width or dimensions) of length 1.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, backbone: networks.Backbone, projection: Projection):
        super().__init__()
        self.backbone, self.projected = backbone, projection.matrix is not None
        if self.projected:
            self.register_buffer("mean", torch.from_numpy(projection.mean))
            self.register_buffer("matrix", torch.from_numpy(projection.matrix))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1."""
        rows = nn.functional.normalize(self.backbone(images).float())
        return nn.functional.normalize((rows - self.mean) @ self.matrix) if self.projected else rows


def load_network(workspace: Workspace, embedder: Embedder, projection: Projection | None = None) -> EmbeddingNetwork:
    """The network of an embedder, in eval mode on the CPU.

    Parameters
    ----------
    workspace, embedder
        Where its run is, and which it is.
    projection
        What is done to its vectors; None: nothing.

    Raises
    ------
    InputError
        As networks.load.
    """
    backbone = load_best(load_run(workspace, embedder.run)).backbone if embedder.run else embedder.spec.network()
    return EmbeddingNetwork(backbone, projection or Projection()).eval()
