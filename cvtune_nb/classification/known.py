"""How much a photo is like those that a classifier was trained on, and from where on it is none of these.

The score (export.onnx_known.Likeness) is the claim of the class that claims a photo most, by a least-squares SVM as the
audit has it, less what the principal components of the training photos leave over of it (Wang and others 2022, "ViM");
both on the features of all stages of the network, from the pass that gives the probabilities. It was chosen among
seventeen by measurement: docs/measurements.md, "None of these".

What an export gives as `known` is the rank of that score among those of validation photos: the share of them that are
less like the training photos, as a conformal p-value (Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a
random world"; Angelopoulos and Bates 2023, "Conformal prediction: a gentle introduction"), interpolated so that it does
not jump.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.linalg import eigh
from sklearn.metrics import roc_auc_score
from torch import nn

from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export.onnx_known import RESIDUAL, Likeness, Scale
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy, rate
from cvtune_nb.models import networks, sizes
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.workspace import Workspace

KEEP = 0.95
"""The share of photos like the validation photos that are not called unlike all classes, unless asked otherwise."""
LARGEST_KEEP = 0.999
FITTED = 1_000
"""Training photos, drawn evenly over the classes, that the score is fitted on."""
AXES = 256
RIDGE = 0.5
"""docs/measurements.md, "None of these"."""
STEEPEST = 0.05
"""Over what part of the scores' size `known` rises to 1 above the last validation photo, at least; a tenth of it lies
between two steps below. Float32 is good to about 1e-6 of a score, which is then far less than parity.TOLERANCE, even
with one validation photo, or with photos that are nearly the same."""
LEFT_OUT = 20
"""Classes that are left out, one after the other, to say what can be expected."""
BATCH = 32


@dataclass(frozen=True)
class Known:
    """What is known of the output `known` of an export.

    Attributes
    ----------
    keep
        The share of photos like those of validation that should not be called unlike all classes; 0: none ever is.
    below
        Under this value of `known` a photo is called that.
    validation
        path, label and known of the validation photos that it is ranked among.
    groups
        How many groups these are in; 0: each is alone.
    test_kept
        The share of the test photos that is not called unlike; None without test photos.
    left_out
        label, photos, auroc: how well the score of the frozen network tells validation photos of a class from all
        others, when that class was not learned; empty where that could not be measured.
    """

    keep: float
    below: float
    validation: pd.DataFrame
    test_kept: Accuracy | None
    left_out: pd.DataFrame
    groups: int = 0

    @property
    def expected(self) -> float:
        """Mean AUROC over the classes that were left out; nan where that could not be measured."""
        return float(self.left_out["auroc"].mean()) if len(self.left_out) else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "keep": self.keep,
            "below": self.below,
            "photos": len(self.validation),
            **({"groups": self.groups} if self.groups else {}),
            "test_kept": self.test_kept and self.test_kept.to_dict(),
            "left_out": self.left_out.to_dict("records"),
            "expected_auroc": None if math.isnan(self.expected) else self.expected,
        }


def require_keep(keep: float) -> float:
    """`keep`, if it is a share that can be asked for. Raises InputError."""
    if not 0 <= keep <= LARGEST_KEEP:
        raise InputError(f"keep-known is {keep}: choose a share from 0 (no photo is called unlike) to {LARGEST_KEEP}")
    return keep


def below(keep: float, photos: int, groups: int = 0) -> float:
    """The value of `known` under which a photo is unlike all classes.

    So that at least `keep` of new photos of the same kind are not called that, whatever the scores look like: the
    quantile ceil((n + 1) keep) / n of Angelopoulos and Bates, seen from below. It is 0 (none is) where there are too
    few photos for that: fewer than keep / (1 - keep), 19 for 95%. Of photos that belong together so many groups are
    needed, and it is a photo of a new group that is kept: the quantile among groups + 1 with the photos of all pooled
    (Dunn, Wasserman and Ramdas 2022, "Distribution-free prediction sets for two-layer hierarchical models").

    Parameters
    ----------
    keep
        The share, from 0 (off) to below 1.
    photos
        Number of validation photos that `known` ranks among.
    groups
        How many groups they are in; 0: each is alone.
    """
    units = groups or photos
    least = (1 - keep) * (units + 1) - 1  # groups that may lie below
    if not keep or least < -1e-9:
        return 0.0
    return (math.floor(least / units * photos + 1e-9) + 1) / (photos + 1)


def scale(scores: np.ndarray) -> Scale:
    """From the scores of n validation photos to `known`: rank / (n + 1) at each of them.

    Scores that are nearly the same make one step less steep than it would be, so that the noise of float32 stays
    invisible (parity.TOLERANCE).
    """
    ordered = np.sort(np.asarray(scores, np.float64)[np.isfinite(scores)])
    count = len(ordered)
    spread, least = float(ordered[-1] - ordered[0]), STEEPEST * max(1.0, float(np.abs(ordered).max()))
    gap = max(spread * max(2e-3, 0.1 / (count + 1)), least / 10)
    knots = [0]
    for number in range(1, count):
        if ordered[number] >= ordered[knots[-1]] + gap:
            knots.append(number)
    tail = max(float(ordered.std()), spread / 10, least)
    places = np.append(ordered[knots], ordered[-1] + tail)
    values = np.append(np.append(knots[1:], count) / (count + 1), 1.0)  # a knot counts all up to the next, as ties
    return Scale(places[:-1], np.diff(places), np.diff(values), float(places[0]), tail, float(values[0]))


def scaled(scores: np.ndarray, by: Scale) -> np.ndarray:
    """`known` (n,) of scores (n,); nan stays nan."""
    covered = np.clip((scores[:, None] - by.starts) / by.widths, 0, 1)
    return covered @ by.rises + by.least * np.exp(np.minimum(scores - by.first, 0) / by.tail)


def likeness(rows: np.ndarray, labels: np.ndarray) -> Likeness:
    """The score that is fitted on features (n, width) of training photos, and their labels (n,)."""
    x = np.nan_to_num(np.asarray(rows, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    x = _unit(x)
    centre = x.mean(axis=0)
    x = _unit(x - centre)
    middle = x.mean(axis=0)
    targets = np.where(labels[:, None] == np.unique(labels), 1.0, -1.0)
    offset = targets.mean(axis=0)
    gram = x @ x.T
    gram.flat[:: len(gram) + 1] += RIDGE
    weights = x.T @ np.linalg.solve(gram, targets - offset)
    moved = x - middle
    most = min(AXES, len(moved) // 2, moved.shape[1] // 2)
    values, vectors = eigh(moved @ moved.T)
    largest = np.argsort(-values)[:most]
    largest = largest[values[largest] > 1e-9 * max(float(values.max()), 1e-12)]
    axes = moved.T @ (vectors[:, largest] / np.sqrt(values[largest]))
    if not len(largest):  # all photos are the same
        axes = np.zeros((x.shape[1], 1))
    return Likeness(*(part.astype(np.float32) for part in (centre, weights, offset, middle, axes)))


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class KnownScore(nn.Module):
    """A likeness, and a scale or none, in PyTorch: features (n, width) to `known` (n,)."""

    centre: torch.Tensor
    weights: torch.Tensor
    offset: torch.Tensor
    middle: torch.Tensor
    axes: torch.Tensor
    starts: torch.Tensor
    widths: torch.Tensor
    rises: torch.Tensor
    first: torch.Tensor
    tail: torch.Tensor
    least: torch.Tensor

    def __init__(self, score: Likeness, by: Scale | None = None):
        super().__init__()
        for part in (score, by) if by else (score,):
            for name, value in vars(part).items():
                self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)
        self.scaled = by is not None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """See export.onnx_known.known."""
        normalize = nn.functional.normalize
        x = normalize(torch.nan_to_num(features.float(), 0.0, 0.0, 0.0))
        x = normalize(x - self.centre)
        moved = x - self.middle
        outside = moved - moved @ self.axes @ self.axes.T
        score = (x @ self.weights + self.offset).amax(dim=1) - RESIDUAL * outside.norm(dim=1)
        if not self.scaled:
            return score
        covered = ((score[:, None] - self.starts) / self.widths).clamp(0, 1)
        return covered @ self.rises + self.least * ((score - self.first).clamp(max=0) / self.tail).exp()


class Seen(nn.Module):
    """A classifier that gives its features, too, of the same pass.

    network: with a method `seen`, as Classifier has; pooling: which features.
    """

    def __init__(self, network: nn.Module, pooling: str):
        super().__init__()
        self.network, self.pooling = network, pooling

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes) and features (n, width) of uint8 photos (n, size, size, 3)."""
        network: Any = self.network
        return network.seen(images, self.pooling)


class _FeaturesOf(nn.Module):
    def __init__(self, seen: Seen):
        super().__init__()
        self.seen = seen

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.seen(images)[1]


def pooling_of(backbone: str) -> str:
    """Which features of a network the score is of: those of all stages, where they are known."""
    try:
        sizes.width(backbone, STAGES)
    except InputError:
        return LAST
    return STAGES


def of_training(
    workspace: Workspace, seen: Seen, photos: pd.DataFrame, shown: Preprocessing, progress: Progress = silent
) -> Likeness:
    """The score of a classifier.

    Parameters
    ----------
    workspace
        Where the photos are.
    seen
        The classifier, in eval mode on the processor.
    photos
        Training photos of its classes.
    shown
        What it is shown of a photo.
    progress
        Called with the progress; may raise Stopped.

    Raises
    ------
    InputError
        There is no room for the pixels.
    """
    squares, every, found = pixels(workspace, photos, shown), range(len(photos)), []
    network = _FeaturesOf(seen).eval()
    for first in range(0, len(every), BATCH):
        progress(first / len(every), f"what training photos have in common: {first} of {len(every)}")
        found.append(networks.forward(network, squares.centre(every[first : first + BATCH])))
    return likeness(np.concatenate(found), photos["label"].to_numpy(dtype=str))


def expected(
    workspace: Workspace, spec: FeatureSpec, train: pd.DataFrame, validation: pd.DataFrame, progress: Progress = silent
) -> pd.DataFrame:
    """What the score reaches on classes that nobody has seen: each is left out in turn.

    With the features of the frozen network, as a fine-tuned one has learned from photos of the class.

    Parameters
    ----------
    workspace
        Where the photos are.
    spec
        The frozen network.
    train, validation
        Photos to fit on, and to ask about.
    progress
        Called with the progress.

    Returns
    -------
    pandas.DataFrame
        label, photos (of validation), auroc; no rows where fewer than three classes have both kinds of photos, or the
        features can't be had any more.
    """
    columns = ["label", "photos", "auroc"]
    both = sorted(set(train["label"]) & set(validation["label"]))
    if len(both) < 3:
        return pd.DataFrame(columns=columns)
    try:
        learned, asked = (features(workspace, part, spec, progress).matrix for part in (train, validation))
    except InputError:  # a file of weights that has moved since
        return pd.DataFrame(columns=columns)
    mine, truth = (part["label"].to_numpy(dtype=str) for part in (train, validation))
    rows = []
    for label in both[:: -(-len(both) // LEFT_OUT)]:
        score = KnownScore(likeness(learned[mine != label], mine[mine != label]))
        with torch.inference_mode():
            found = score(torch.from_numpy(asked)).numpy()
        rows.append((label, int((truth == label).sum()), float(roc_auc_score(truth != label, found))))
    return pd.DataFrame(rows, columns=columns)


def figures(
    workspace: Workspace,
    spec: FeatureSpec,
    photos: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    found: tuple[np.ndarray, np.ndarray],
    kept: tuple[float, float],
) -> Known:
    """What is said of an export's `known`.

    Parameters
    ----------
    workspace, spec
        Whose photos they are, and the frozen network that it started from.
    photos
        The training photos that it was fitted on, the validation photos that it ranks among, and the test photos.
    found
        `known` of the last two; nan for one that can't be read.
    kept
        The share to keep, and the value of `known` for it.
    """
    (learned, validation, others), (ranked, tested), (keep, least) = photos, found, kept
    among, read = validation[["path", "label"]].assign(known=ranked)[np.isfinite(ranked)], np.isfinite(tested)
    own = dependent(others)
    test = rate(tested[read] >= least, None if own is None else own[read]) if read.any() else None
    left_out = expected(workspace, spec, learned, validation)
    return Known(keep, least, among, test, left_out, groups_among(validation, ranked))


def groups_among(validation: pd.DataFrame, scores: np.ndarray) -> int:
    """In how many groups the photos with a score are; 0 where each is alone."""
    own = dependent(validation)
    return 0 if own is None else int(own[np.isfinite(scores)].nunique())
