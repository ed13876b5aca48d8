"""What a finished classifier is shown at test time, where that is more accurate than what it was trained on.

Larger photos (Touvron and others 2019, "Fixing the train-test resolution discrepancy"), a wider crop, and the average
over a photo and its mirror image. All are measured on validation photos by what counts in the workspace, with what each
costs in time; what the person chooses is exported. What that brought on three sets: docs/measurements.md, "What is
shown at test time".
"""

import functools
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from cvtune_nb.classification.candidates import Speeds
from cvtune_nb.classification.combining.combination import is_combination
from cvtune_nb.classification.comparison import COUNTS
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.classification.objective import objective_for
from cvtune_nb.classification.variants_accuracy import fairly
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.photo import MARGIN, Size, as_size
from cvtune_nb.data.pixels import Pixels, largest_size, pixels, serving
from cvtune_nb.data.preprocessing import SQUARE, Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.models import networks, sizes
from cvtune_nb.objectives import ACCURACY, USUAL, Counted, Objective, objective_of
from cvtune_nb.runs.cost import DECODE_SECONDS
from cvtune_nb.workspace import Workspace

if TYPE_CHECKING:
    from cvtune_nb.classification.exportable import Candidate

LARGER = (1.15, 1.3)
"""Image sizes that are tried, as multiples of that in training: about those at which Touvron and others find most."""
RATIOS = (1 / MARGIN, 1.0)
"""Parts of the short side that are tried: as in training, and all of it."""
TIMED = 5
"""Rounds in which the time of one photo is measured, all in turns: other work on the machine slows down each alike."""
BATCH = 32


@dataclass(frozen=True)
class AtTestTime(Preprocessing):
    """What a network is shown at test time.

    crop_ratio: the part of the short side that a crop shows; mirrored: whether the answer is the average over the photo
    and its mirror image.
    """

    crop_ratio: float = 1 / MARGIN
    mirrored: bool = False

    @property
    def side(self) -> Size:
        """Pixels of photos before they are cropped."""
        if self.framing != "crop":
            return super().side
        return as_size(*(round(length / self.crop_ratio) for length in self.shape))

    def __str__(self) -> str:
        crop = f", {self.crop_ratio:.0%} of the short side" if self.framing == "crop" else f", {self.framing}"
        aspect = "" if self.aspect == SQUARE else f", {self.aspect}"
        return f"{self.image_size} pixels{aspect}{crop}{', mirrored too' if self.mirrored else ''}"


class Mirrored(nn.Module):
    """A classifier whose probabilities are the average over a photo and its mirror image.

    It gives the logarithm of the average, which a softmax turns into the average itself.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of uint8 photos (n, height, width, 3)."""
        return _averaged(*(self.network(each) for each in (images, images.flip(2))))

    def seen(self, images: torch.Tensor, pooling: str) -> tuple[torch.Tensor, torch.Tensor]:
        """As Classifier.seen; the features are the averages, too."""
        network: Any = self.network
        (one, mine), (other, theirs) = (network.seen(each, pooling) for each in (images, images.flip(2)))
        return _averaged(one, other), (mine + theirs) / 2


def _averaged(*logits: torch.Tensor) -> torch.Tensor:
    """The logarithm of the average probabilities of two views."""
    one, other = (each.float().softmax(dim=1) for each in logits)
    return ((one + other) / 2).clamp_min(torch.finfo(torch.float32).tiny).log()


def in_training(spec: FeatureSpec) -> AtTestTime:
    """What it was shown in training."""
    return AtTestTime(**vars(spec.preprocessing))


def tried(spec: FeatureSpec, photos: pd.DataFrame) -> list[AtTestTime]:
    """What can be measured, that of training first.

    Parameters
    ----------
    spec
        The network, and what it was shown in training.
    photos
        Columns width, height: photos are not enlarged beyond what they hold.
    """
    shown, image_sizes = in_training(spec), [spec.image_size, *larger_sizes(spec, photos)]
    ratios = RATIOS if shown.framing == "crop" else RATIOS[:1]
    return [
        replace(shown, image_size=size, crop_ratio=ratio, mirrored=mirrored)
        for size in image_sizes
        for ratio in ratios
        for mirrored in (False, True)
    ]


def larger_sizes(spec: FeatureSpec, photos: pd.DataFrame) -> list[int]:
    """Image sizes beyond that of training at which the network can be asked, and photos have something to show.

    Parameters
    ----------
    spec, photos
        As for `tried`.
    """
    if not 0 < sizes.step(spec.backbone) <= sizes.ANY:  # others have a table of positions for one size
        return []
    larger = dict.fromkeys(round(spec.image_size * factor / 16) * 16 for factor in LARGER)
    return [size for size in larger if spec.image_size < size <= largest_size(photos)]


def measure(
    workspace: Workspace, chosen: "Candidate", progress: Progress = silent
) -> tuple[list[AtTestTime], pd.DataFrame]:
    """Accuracy on validation photos, and what a photo costs, in each of `tried`.

    Parameters
    ----------
    workspace
        Where the photos are.
    chosen
        The classifier, as it was trained.
    progress
        Called with the progress; may raise Stopped.

    Returns
    -------
    tried
        What was measured, that of training first.
    table
        A row for each: image_size, crop_ratio, mirrored; photos, accuracy, low, high (95% interval); COUNTS where
        another objective counts; difference, difference_low, difference_high, p: by what counts, above 0 where it is
        better than the first, on the same photos; better, whether that is reliable among so many that were tried;
        milliseconds (one photo, scaled already, PyTorch here), times (as long as the
        first).

    Raises
    ------
    InputError
        There are no validation photos that it was not trained on, or it is a combination.
    """
    if is_combination(chosen.id):
        raise InputError(f"{chosen.id} has its own sizes and mirror images: combine again to choose others")
    photos = fairly(workspace, chosen.provenance, workspace.photos()).validation
    if photos.empty:
        raise InputError(f"there are no validation photos to measure {chosen.id} on: open data that has some")
    judge = _judge(workspace, chosen.classes, photos)
    options, answers, singles = tried(chosen.spec, photos), list[Said](), list[np.ndarray]()
    network = chosen.network.to(networks.device()).eval()
    for number, (plain, _) in enumerate(zip(options[::2], options[1::2], strict=True)):
        report = functools.partial(_report, progress, str(plain), 2 * number / len(options), 2 / len(options))
        squares = pixels(workspace, photos, plain, report)
        one, other = _probabilities(network, squares, report)
        answers += [judge.said(one), judge.said((one + other) / 2)]
        singles.append(squares.centre([0]))
    taken = [seconds * passes for seconds in _seconds(network, singles) for passes in (1, 2)]
    network.cpu()
    rows = []
    for option, said, seconds in zip(options, answers, taken, strict=True):
        found, apart = judge.accuracy(said), judge.compare(answers[0], said)
        counts = () if judge.by_accuracy else (judge.score(said).value, *judge.score(said).interval)
        rows.append(
            {
                **{name: getattr(option, name) for name in ("image_size", "crop_ratio", "mirrored")},
                "photos": found.n,
                "accuracy": found.value,
                "low": found.low,
                "high": found.high,
                **(dict(zip(COUNTS, counts, strict=True)) if counts else {}),
                "difference": apart.difference,
                "difference_low": apart.low,
                "difference_high": apart.high,
                "p": apart.p,
                "better": apart.difference > 0 and apart.p < 0.05 / max(1, len(options) - 1),
                "milliseconds": 1000 * seconds,
                "times": seconds / taken[0],
            }
        )
    return options, pd.DataFrame(rows)


def expected_seconds(workspace: Workspace, spec: FeatureSpec) -> float:
    """What `measure` will take, of a classifier that was trained with `spec`.

    Raises InputError where the speed of this machine is not known and can't be measured.
    """
    photos = workspace.photos()
    photos = photos[photos["split"] == "validation"]
    keys, speeds, seconds = photos["sha256"].tolist(), Speeds(workspace, [spec]), 0.0
    for shown in tried(spec, photos)[::2]:
        plain = Preprocessing(shown.image_size, shown.framing, shown.aspect)
        seconds += len(serving(workspace, keys, shown).missing(keys)) * DECODE_SECONDS
        seconds += 2 * len(keys) / speeds.of(replace(spec, preprocessing=plain))  # the photo and its mirror image
    return seconds


def choose(workspace: Workspace, chosen: "Candidate", option: AtTestTime) -> None:
    """Have exports of this classifier show photos so.

    Parameters
    ----------
    workspace
        In which it is written down (at_test_time.json).
    chosen
        The classifier.
    option
        One of `tried`; the first, that of training, takes back what was chosen before.
    """
    if option == in_training(chosen.spec):
        take_back(workspace, chosen.id)
    else:
        known = {**_all(workspace), chosen.id: {**asdict(option), "trained": str(chosen.spec)}}
        write_json(workspace.folder / "at_test_time.json", known)


def take_back(workspace: Workspace, name: str) -> None:
    """Have exports of the classifier with that id show photos as in training again."""
    known = {other: option for other, option in _all(workspace).items() if other != name}
    write_json(workspace.folder / "at_test_time.json", known)


def chosen_for(workspace: Workspace, name: str, spec: FeatureSpec) -> AtTestTime | None:
    """What was chosen for a classifier; None where nothing was.

    Parameters
    ----------
    workspace
        Where it was chosen.
    name, spec
        The classifier's id, and what it was trained with: a choice for another baseline is none for this one.
    """
    known = _all(workspace).get(name)
    if not known or known.pop("trained") != str(spec):
        return None
    return AtTestTime(**known)


def best(options: Sequence[AtTestTime], table: pd.DataFrame) -> AtTestTime:
    """The best, by what counts, of those that are reliably better than what training showed, else that."""
    better = table[table["better"]]
    return options[0] if better.empty else options[better["difference"].idxmax()]


def in_words(options: Sequence[AtTestTime], table: pd.DataFrame, counted: Counted = ACCURACY) -> str:
    """What may be said of what was measured: whether anything is reliably better than in training.

    Parameters
    ----------
    options, table
        What `measure` gave.
    counted
        What counted.
    """
    found, by = best(options, table), "" if counted.by_accuracy else f" by {counted.label}"
    if found == options[0]:
        return f"Nothing is reliably better{by} than in training ({found}), of {len(options)} that were tried."
    row = table.iloc[list(options).index(found)]
    gain = f"{row['difference'] * 100:.1f} points more than in training ({options[0]})"
    if not counted.by_accuracy:
        gain = f"{counted.label} {counted.change(row['difference'])} better than in training ({options[0]})"
    return f"{found}: {gain}, for {row['times']:.1f} times its time."


def what_counts(workspace: Workspace, classes: Sequence[str]) -> Objective:
    """What a classifier of these classes is judged by: the workspace's objective, or accuracy.

    That is where the objective names a class that it does not have.
    """
    return objective_for(workspace, classes) or objective_of(USUAL, classes)


def _judge(workspace: Workspace, classes: Sequence[str], photos: pd.DataFrame) -> Judge:
    own = dependent(photos)
    truth = pd.Index(classes).get_indexer(photos["label"])
    return Judge(what_counts(workspace, classes), truth, None if own is None else own.to_numpy())


def _all(workspace: Workspace) -> dict[str, Any]:
    try:
        return read_json(workspace.folder / "at_test_time.json")
    except FileNotFoundError:
        return {}


def _probabilities(network: nn.Module, squares: Pixels, report: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Those of the photos, and those of their mirror images."""
    parts: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for first in range(0, len(squares), BATCH):
        report(first / len(squares), "measuring")
        images = squares.centre(range(first, min(first + BATCH, len(squares))))
        for part, shown in zip(parts, (images, images[:, :, ::-1].copy()), strict=True):
            logits = torch.from_numpy(networks.forward(network, shown))
            part.append(logits.softmax(dim=1).numpy())
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def _seconds(network: nn.Module, singles: list[np.ndarray]) -> list[float]:
    """What a forward pass takes with each of these photos."""
    found = np.zeros((TIMED + 1, len(singles)))
    for number, single in itertools.product(range(TIMED + 1), range(len(singles))):
        begun = time.perf_counter()
        networks.forward(network, singles[single])
        found[number, single] = time.perf_counter() - begun
    return np.median(found[1:], axis=0).tolist()  # the first round pays for the start


def _report(progress: Progress, what: str, begun: float, whole: float, share: float, words: str) -> None:
    progress(begun + whole * (0.0 if math.isnan(share) else share), f"{what}: {words}")
