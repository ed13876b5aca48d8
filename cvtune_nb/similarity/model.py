"""Embedders: the networks without a last layer that turn photos into vectors, and how they are found by name."""

from dataclasses import dataclass

import torch
from torch import nn

from cvtune_nb.classification import load_best, load_run, ranked, runs
from cvtune_nb.classification.features import width
from cvtune_nb.data import levels
from cvtune_nb.errors import InputError
from cvtune_nb.models import backbones, networks
from cvtune_nb.similarity.metric import Projection
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True)
class Embedder:
    """What turns photos into vectors. name: a run's id, or BACKBONE@SIZE for a frozen network; run: "" for a frozen
    one; image_size: pixels; data: "earlier data" for a run that may not be compared with others (provenance)."""

    name: str
    backbone: str
    image_size: int
    run: str = ""
    data: str = ""

    @property
    def frozen(self) -> "Embedder":
        """The same backbone at the same size, as it was before it learned from these photos."""
        return Embedder(f"{self.backbone}@{self.image_size}", self.backbone, self.image_size)

    @property
    def words(self) -> str:
        """For people: "frozen efficientnet_lite0 at 224 pixels", "run 001-efficientnet_lite0-224"."""
        if self.run:
            return f"run {self.run}" + (f" ({self.data})" if self.data else "")
        return f"frozen {self.backbone} at {self.image_size} pixels"


def find_embedder(workspace: Workspace, name: str = "") -> Embedder:
    """The embedder called `name`: a run's id, best or last, or BACKBONE@SIZE, or BACKBONE (at 224 pixels). "": the best
    run of the workspace, or before there is one the default backbone, frozen. Raises InputError."""
    known = runs(workspace)
    if not name:
        name = backbones.default()[0] if ranked(known).empty else "best"
    if name in ("best", "last") or name in set(known["run"]):
        run = load_run(workspace, name)
        if run.history.empty:
            raise InputError(f"run {run.id} has not finished an epoch yet: resume it first, or choose another run")
        levels.require_same(workspace, run.levels, run.id)
        data = known.set_index("run").at[run.id, "data"]
        return Embedder(run.id, run.config.backbone, run.config.image_size, run.id, data)
    backbone, _, size = name.partition("@")
    if size and not (size.isdigit() and 32 <= int(size) <= 1000):
        raise InputError(
            f"{name!r} is no embedder: give a run's id, or a backbone and its image size like {_example()}"
        )
    try:
        width(backbone)
    except InputError as error:
        raise InputError(f"there is no run or backbone {backbone!r} ({error}): give one like {_example()}") from None
    return Embedder(f"{backbone}@{size or 224}", backbone, int(size or 224))


def _example() -> str:
    return f"{backbones.default()[0]}@224"


def list_embedders(workspace: Workspace, name: str = "") -> list[Embedder]:
    """All there is to choose from: the workspace's runs, best first, then every backbone whose weights are on disk, and
    the one called `name` (find_embedder) if it is none of these; runs of earlier data come last. Raises InputError."""
    known = runs(workspace)
    known = known[known["validation_accuracy"].notna()].sort_values(
        ["data", "validation_accuracy"], ascending=[True, False]
    )
    tuned = [Embedder(row.run, row.backbone, row.image_size, row.run, row.data) for row in known.itertuples()]
    sizes = dict.fromkeys([224, *known["image_size"]])
    frozen = [
        Embedder(f"{backbone}@{size}", backbone, int(size))
        for backbone in backbones.KNOWN
        if backbones.on_disk(backbone)
        for size in sizes
    ]
    every = dict.fromkeys([*tuned, *frozen, find_embedder(workspace, name)])
    return sorted(every, key=lambda embedder: embedder.data != "")


class EmbeddingNetwork(nn.Module):
    """An embedder as one network, the projection included: uint8 images (n, size, size, 3) to vectors (n, width or
    dimensions) of length 1."""

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
    """The network of an embedder, in eval mode on the CPU. Raises InputError like networks.load."""
    if embedder.run:
        backbone = load_best(load_run(workspace, embedder.run)).backbone
    else:
        backbone = networks.load(embedder.backbone, image_size=embedder.image_size)
    return EmbeddingNetwork(backbone, projection or Projection()).eval()
