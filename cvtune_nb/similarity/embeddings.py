"""Photos as points: a network without its last layer turns each into a vector of length 1, photos that look alike into
vectors that point the same way."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from torch import nn

from cvtune_nb.classification import load_best, load_run, ranked, runs
from cvtune_nb.classification.features import FeatureSpec, features, fill, store_of, width
from cvtune_nb.classification.svm import normalised
from cvtune_nb.data import levels
from cvtune_nb.data.pixels import pixels, refuse_beyond
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.rows import RowStore
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import backbones, memory, networks
from cvtune_nb.workspace import Workspace

DIMENSIONS = 128
"""Numbers a photo that principal components leave, as in Jégou and Chum 2012 ("Negative evidences and co-occurrences in
image retrieval: the benefit of PCA and whitening")."""
COMPONENTS = {
    "pca": "the 128 principal components of the training photos: a small index, and classes lie closer together",
    "pca-whitened": "the same, each scaled to the same spread: finer differences count, classes fall apart",
    "none": "all numbers that the network gives",
}
"""What of a network's numbers is compared."""


@dataclass(frozen=True)
class Embedder:
    """What turns photos into vectors. name: a run's id, or BACKBONE@SIZE for a frozen network; spec: its backbone and
    what that is shown; run: "" for a frozen one; data: "earlier data" for a run that may not be compared with others
    (provenance)."""

    name: str
    spec: FeatureSpec
    run: str = ""
    data: str = ""

    @property
    def frozen(self) -> "Embedder":
        """The same backbone at the same size, as it was before it learned from these photos."""
        return _frozen(self.spec)

    @property
    def words(self) -> str:
        """For people: "frozen efficientnet_lite0 at 224 pixels", "run 001-efficientnet_lite0-224"."""
        if self.run:
            return f"run {self.run}" + (f" ({self.data})" if self.data else "")
        return f"frozen {self.spec}"


def embedder(workspace: Workspace, name: str = "") -> Embedder:
    """The embedder called `name`: a run's id, best or last, or BACKBONE@SIZE, or BACKBONE (at 224 pixels). "": the best
    run of the workspace, or before there is one the default backbone, frozen. Raises InputError."""
    known = runs(workspace)
    if not name:
        name = backbones.default()[0] if ranked(known).empty else "best"
    if name in ("best", "last") or name in set(known["run"]):
        run = load_run(workspace, name)
        if run.history.empty:
            raise InputError(f"run {run.id} has no whole epoch yet: go on with it first, or choose another run")
        levels.require_same(workspace, run.levels, run.id)
        data = known.set_index("run").at[run.id, "data"]
        return Embedder(run.id, FeatureSpec.of(run.config), run.id, data)
    backbone, _, size = name.partition("@")
    if size and not (size.isdigit() and 32 <= int(size) <= 1000):
        raise InputError(f"{name!r} is no embedder: give a run's id, or a backbone and its image size like {_usual()}")
    try:
        width(backbone)
    except InputError as error:
        raise InputError(f"there is no run or backbone {backbone!r} ({error}): give one like {_usual()}") from None
    return _frozen(FeatureSpec(backbone, Preprocessing(int(size or 224))))


def _frozen(spec: FeatureSpec) -> Embedder:
    return Embedder(f"{spec.backbone}@{spec.image_size}", spec)


def _usual() -> str:
    return f"{backbones.default()[0]}@224"


def choices(workspace: Workspace) -> list[Embedder]:
    """What there is to choose from: the workspace's runs, best first, then every backbone whose weights are on disk,
    and last the runs of earlier data."""
    known = runs(workspace)
    known = known[known["validation_accuracy"].notna()].sort_values(
        ["data", "validation_accuracy"], ascending=[True, False]
    )
    fine = [
        Embedder(row["run"], FeatureSpec.from_dict(row), row["run"], row["data"]) for row in known.to_dict("records")
    ]
    sizes = [*dict.fromkeys([224, *(known["image_size"])])]
    frozen = [
        _frozen(FeatureSpec(name, Preprocessing(int(size))))
        for name in backbones.KNOWN
        if backbones.on_disk(name)
        for size in sizes
    ]
    return sorted(fine + frozen, key=lambda of: of.data != "")


@memory.retain_freed_memory()
def vectors(workspace: Workspace, photos: pd.DataFrame, with_: Embedder, progress: Progress = silent) -> np.ndarray:
    """The vectors of `photos` (manifest columns; a path may also be one outside of the workspace's folder): float32
    (n, width), of length 1, in their order. Kept in the workspace's cache by content. Raises InputError."""
    if not with_.run:
        return normalised(features(workspace, photos, with_.spec, progress).matrix)
    refuse_beyond(photos, with_.spec.image_size)
    run, store = load_run(workspace, with_.run), _store(workspace, with_)
    unique = photos.drop_duplicates("sha256").set_index("sha256", drop=False)
    if todo := store.missing(list(unique.index)):
        squares = pixels(workspace, unique.loc[todo], with_.spec.preprocessing, progress)
        fill(store, todo, squares, load_best(run).backbone, progress)
    return normalised(store.get(list(photos["sha256"])))


def _store(workspace: Workspace, of: Embedder) -> RowStore:
    """Where the vectors, not scaled to length 1 yet, are kept: those of a run by the content of its weights, for it may
    go on and become another one."""
    if not of.run:
        return store_of(workspace, of.spec)
    weights = hashlib.sha256((workspace.runs / of.run / "best.safetensors").read_bytes()).hexdigest()[:12]
    return RowStore(workspace.cache / f"embeddings-{of.run}-{weights}", (width(of.spec.backbone),), "float32")


def missing(workspace: Workspace, photos: pd.DataFrame, of: Embedder) -> int:
    """How many of the photos have no vector in the cache yet."""
    return len(_store(workspace, of).missing(photos["sha256"].tolist()))


@dataclass(frozen=True)
class Projection:
    """What is done to vectors before they are compared: (v - mean) @ matrix, then length 1; without a matrix, nothing.
    mean: (width,); matrix: (width, dimensions)."""

    mean: np.ndarray | None = None
    matrix: np.ndarray | None = None

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Vectors (n, width) as float32 (n, dimensions), of length 1."""
        return rows if self.matrix is None else normalised((rows - self.mean) @ self.matrix).astype(np.float32)


def projection(rows: np.ndarray, components: str = "pca", dimensions: int = DIMENSIONS) -> Projection:
    """Learned from the vectors (n, width) of the gallery: one of COMPONENTS, of at most half as many dimensions as
    there are photos; nothing for fewer than four. Raises InputError for another name.

    Recall@1 / mean average precision on validation, all numbers of the network, "pca" and "pca-whitened". Frozen
    EfficientNet-Lite0: sample photos at 96 pixels .675/.535, .683/.553, .625/.284; digits at 64 .896/.503, .900/.531,
    .941/.317; clothing at 224 .754/.478, .771/.509, .663/.256. Fine-tuned with the cross-entropy: .808/.691, .825/.730,
    .725/.343; .981/.953, .981/.958, .993/.451; .880/.834, .877/.850, .827/.375. It is the centring that helps.
    """
    if components not in COMPONENTS:
        raise InputError(f"components is {components!r}: choose {' or '.join(COMPONENTS)}")
    if components == "none" or len(rows) < 4:
        return Projection()
    kept = min(dimensions, len(rows) // 2, rows.shape[1])
    found = PCA(kept, svd_solver="randomized", random_state=0).fit(rows)
    matrix = found.components_.T
    if components == "pca-whitened":
        matrix = matrix / np.sqrt(np.maximum(found.explained_variance_, 1e-12))
    return Projection(found.mean_.astype(np.float32), matrix.astype(np.float32))


class Embedding(nn.Module):
    """An embedder as one network, the projection included: uint8 images (n, size, size, 3) to vectors (n, width or
    dimensions) of length 1."""

    def __init__(self, backbone: networks.Backbone, project: Projection):
        super().__init__()
        self.backbone, self.projected = backbone, project.matrix is not None
        if self.projected:
            self.register_buffer("mean", torch.from_numpy(project.mean))
            self.register_buffer("matrix", torch.from_numpy(project.matrix))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1."""
        rows = nn.functional.normalize(self.backbone(images).float())
        return nn.functional.normalize((rows - self.mean) @ self.matrix) if self.projected else rows


def network(workspace: Workspace, of: Embedder, project: Projection | None = None) -> Embedding:
    """The network of an embedder, in eval mode on the CPU. Raises InputError like networks.load."""
    if of.run:
        backbone = load_best(load_run(workspace, of.run)).backbone
    else:
        backbone = networks.load(of.spec.backbone, image_size=of.spec.image_size)
    return Embedding(backbone, project or Projection()).eval()
