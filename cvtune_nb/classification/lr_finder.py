"""Which learning rate? Smith's range test: raise the rate at every step and watch the loss."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from cvtune_nb.classification.balance import Balance
from cvtune_nb.classification.features import shown_in
from cvtune_nb.classification.model import add_projection, build
from cvtune_nb.classification.parent import parent_of, take_over
from cvtune_nb.classification.train import part_of, start_from_svm, step
from cvtune_nb.data.split import require_learnable
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import memory, networks
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs.descent import scaler_for
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import optimizer_for, set_learning_rate
from cvtune_nb.runs.reading import read_ahead
from cvtune_nb.workspace import Workspace

LOWEST, HIGHEST, STEPS = 1e-5, 1.0, 60
"""The rates tried: one a step, each the same factor (1.22) above the one before."""
KEPT = 0.8
"""How much of the smoothed loss each step keeps: it looks back over about five steps, in which the rate triples."""
LOST = 4.0
"""The test ends once the smoothed loss is so many times its least (Smith's "until the loss explodes"; fastai: 4)."""
FELL = 0.8
"""The network has learned something in the test when the loss's smoothed least is below this fraction of its start."""
FORGETS = 1.5
"""How many times its start the smoothed loss may be before the start from the SVM counts as forgotten."""
FIRST = 5
"""Steps whose smoothed loss is the start."""


@dataclass(frozen=True)
class Finder:
    """The result of a range test.

    Attributes
    ----------
    table
        learning_rate, loss, smoothed; one row a step.
    suggestion
        The rate to train with.
    words
        Why.
    """

    table: pd.DataFrame
    suggestion: float
    words: str


@memory.retain_freed_memory()
def find_learning_rate(workspace: Workspace, config: Config, progress: Progress = silent) -> Finder:
    """Train a throw-away classifier that begins as `fit` would, for up to 60 minibatches, with rates from 1e-5 to 1.

    Nothing is kept of it but pixels and features in the cache; runs are not touched.

    Parameters
    ----------
    workspace, config
        The photos, and the parameters of a run; its learning rate is not used.
    progress
        Called at every minibatch; Stopped, raised in it, passes through.

    Raises
    ------
    InputError
        As `fit`, and when memory runs out or no rate lets the loss stay finite.
    """
    photos = workspace.photos()
    require_learnable(photos)
    try:
        return suggested(_tested(workspace, config, photos, progress))
    except (MemoryError, RuntimeError) as error:
        if not memory.ran_out(error):
            raise
        raise InputError(f"out of memory with minibatches of {config.batch_size}: halve them, or image_size") from None


def _tested(workspace: Workspace, config: Config, photos: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """learning_rate,loss,smoothed of each step until the loss is lost; the loss is the one that training follows."""
    classes = sorted(photos["label"].unique())
    train = part_of(photos, "train", workspace, shown_in(config), progress)
    network = build(config, classes, progress=progress)
    add_projection(network, config)
    network = network.to(networks.device())
    if parent := parent_of(workspace, config):
        take_over(network, parent, config)
    elif config.head == "svm":
        start_from_svm(workspace, network, (), config, progress)
    optimizer = optimizer_for(network, config)
    torch.manual_seed(config.seed)
    train_mode(network)
    balance = Balance.of(config, train.labels, classes)
    rows, mean = [], 0.0
    scaler = scaler_for(networks.device(), config.precision)
    minibatches = itertools.islice(_batches(train.labels, config, balance), STEPS)
    batches = read_ahead(train.batch, minibatches, networks.device())
    for number, (rate, (squares, labels)) in enumerate(zip(np.geomspace(LOWEST, HIGHEST, STEPS), batches, strict=True)):
        progress(number / STEPS, f"learning rate {rate:.2g}: step {number + 1} of at most {STEPS}")
        set_learning_rate(optimizer, float(rate))
        loss = float(step(network, optimizer, squares, labels, config, balance, None, scaler))
        mean = KEPT * mean + (1 - KEPT) * loss
        smoothed = mean / (1 - KEPT ** (number + 1))  # as if the first loss had been there for ever
        if not math.isfinite(loss):
            break
        rows.append((float(rate), loss, smoothed))
        if smoothed > LOST * min(row[2] for row in rows):
            break
    return pd.DataFrame(rows, columns=["learning_rate", "loss", "smoothed"])


def _batches(labels: torch.Tensor, config: Config, balance: Balance) -> Iterator[torch.Tensor]:
    """Minibatches for ever: the rows of one epoch after another."""
    while True:
        yield from balance.order(labels, config.counted_loss).split(config.batch_size)


def suggested(table: pd.DataFrame) -> Finder:
    """The rate that a range test (learning_rate, loss, smoothed of each step) suggests.

    Where the loss fell, a tenth of the rate at which it was least (fastai's rule "minimum"). A start from the SVM can
    hardly fall further: there, a third of the highest rate before it is forgotten (docs/measurements.md, "Suggested
    learning rates"). Raises InputError when no loss was finite.
    """
    if table.empty:
        raise InputError("the loss is not finite at any learning rate: start from the SVM, or choose another backbone")
    smoothed, rates, limits = table["smoothed"], table["learning_rate"], PARAMETERS["learning_rate"]
    start = smoothed.iloc[min(FIRST, len(table)) - 1]
    if smoothed.min() < FELL * start:
        turn = rates[smoothed.idxmin()]
        rate, words = turn / 10, f"the loss is least at {turn:.2g}; a tenth of that is safe"
    else:
        turn = rates[smoothed < FORGETS * start].max()
        rate, words = turn / 3, f"above {turn:.2g} it forgets the SVM; a third of that is safe"
    return Finder(table, float(f"{min(max(rate, limits.low), limits.high):.2g}"), words)
