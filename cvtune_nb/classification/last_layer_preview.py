"""What a slider would do, at once: the last layer alone, trained on features that are in memory."""

import math
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from cvtune_nb.classification.balance import SMOOTHING, Balance, drawn_evenly
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec, missing
from cvtune_nb.classification.run import HISTORY_COLUMNS
from cvtune_nb.classification.svm import SVM_SCALE, Svm, normalised
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import remedy_of
from cvtune_nb.parameters import Config
from cvtune_nb.runs.optimizer import MOMENTUM
from cvtune_nb.runs.weight_average import decay_after
from cvtune_nb.workspace import Workspace

PHOTOS = 1_500
"""At most so many photos of train, and of validation, are drawn by the seed of the split."""
LIMIT = 0.08
"""Seconds of training that a preview may take; what is left of 200 ms goes to drawing it and to the browser."""


@dataclass(frozen=True)
class Preview:
    """How the last layer alone would train.

    Attributes
    ----------
    table
        As a run's history, from epoch 0 (the start) on.
    words
        What it was made from, and how it ended.
    """

    table: pd.DataFrame
    words: str


class LastLayer:
    """The last layer on the features of one spec; `preview` answers for every config of that spec.

    The features stay in memory: twice 4 bytes a value, so 15 MB at most for 1,280 values a photo.
    """

    def __init__(self, workspace: Workspace, spec: FeatureSpec):
        """Read the features. Raises InputError when they are not all in the cache: nothing is computed here."""
        self.spec = spec
        missing = uncached(workspace, spec)
        if missing:
            raise InputError(
                f"no preview: the features of {spec} are not in the cache for {missing} "
                "photos; notebook 02 computes them"
            )
        explorer = SvmExplorer(workspace, spec)
        self.classes = explorer.classes
        self._parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.photos: dict[str, int] = {}
        splits = explorer.photos["split"].to_numpy()
        for split in ("train", "validation"):
            rows = np.flatnonzero(splits == split)
            self.photos[split] = len(rows)
            chosen = np.sort(np.random.default_rng(workspace.seed).permutation(rows)[:PHOTOS])
            class_ids = {label: class_id for class_id, label in enumerate(self.classes)}
            labels = np.array([class_ids[label] for label in explorer.photos["label"].iloc[chosen]])
            self._parts[split] = explorer.features.rows[chosen], labels
        self._workspace, self._svms = workspace, dict[tuple[str, str], Svm]()
        self._unit = {split: (normalised(matrix), labels) for split, (matrix, labels) in self._parts.items()}

    def _all_classes(self) -> bool:
        return len(np.unique(self._parts["train"][1])) == len(self.classes)

    def _C(self, objective: str, imbalance: str) -> float:  # noqa: N802 - the field calls it C
        """As fit chooses it on validation; for more photos than are drawn that would take minutes, and C = 1 serves."""
        if self.photos["train"] > PHOTOS:
            return 1.0
        return SvmExplorer(self._workspace, self.spec, objective=objective, imbalance=imbalance).best_C()

    def _svm(self, objective: str, imbalance: str) -> Svm | None:
        """The SVM that a config starts from; None where a class has no photo among those drawn."""
        if not self._all_classes():
            return None
        if (objective, imbalance) not in self._svms:
            matrix, labels = self._parts["train"]
            remedy = remedy_of(imbalance)
            remedy.require(self.classes)
            names = np.array(self.classes, dtype=object)[labels]
            self._svms[objective, imbalance] = Svm(self._C(objective, imbalance), remedy=remedy).fit(matrix, names)
        return self._svms[objective, imbalance]

    def preview(self, config: Config, limit: float = LIMIT) -> Preview:
        """Train the last layer on these photos as `fit` would if the backbone were frozen.

        The same start, minibatches, remedy for imbalance, warm-up, schedule, optimizer, weight decay, dropout, label
        smoothing and average of the weights; not the gradient clipping, which looks at all layers. Ends with the last
        whole epoch that `limit` allows, or before the loss stops being finite.

        Parameters
        ----------
        config
            A config of this spec.
        limit
            Seconds that the training may take.

        Returns
        -------
        Preview
            Its losses are without label smoothing, as in a run's history.
        """
        parts = self._unit if config.head == "svm" else self._parts
        weight, bias = self._start(config)
        (matrix, labels), step = parts["train"], 0
        balance = Balance.of(config, torch.from_numpy(labels), self.classes) if self._all_classes() else Balance()
        layer = Layer(weight, bias, config, balance)
        rows, ended, start = [self._row(0, 0.0, layer, parts)], "", time.perf_counter()
        batches = -(-len(labels) // config.batch_size)
        for epoch, middle in enumerate(config.rates, 1):
            random = torch.Generator().manual_seed(config.seed * 1_000 + epoch)
            order = torch.randperm(len(labels), generator=random)
            if balance.sampled:
                order = drawn_evenly(torch.from_numpy(labels), random)[order]
            shuffled, truth = matrix[order.numpy()], labels[order.numpy()]
            for first in range(0, len(labels), config.batch_size):
                rate, step = config.rate(step / batches), step + 1
                batch = slice(first, first + config.batch_size)
                layer.step(shuffled[batch], truth[batch], rate * min(1.0, step / max(1, config.warm_up)))
                if time.perf_counter() - start > limit:
                    ended = f"the first {epoch - 1} of {config.epochs} epochs, as many as can be shown at once"
                    break
            if ended:
                break
            row = self._row(epoch, middle, layer, parts)
            if not all(math.isfinite(value) for value in row.values()):
                ended = f"the loss is lost in epoch {epoch}"
                break
            rows.append(row)
        table = pd.DataFrame(rows, columns=HISTORY_COLUMNS).astype({"epoch": int})
        return Preview(table, self._words(config, ended))

    def _start(self, config: Config) -> tuple[np.ndarray, np.ndarray]:
        """Weights (width, classes) and biases (classes,) that `fit` starts from.

        The SVM's, or what PyTorch draws for this seed.
        """
        if config.head == "svm" and (svm := self._svm(config.objective, config.imbalance)) is not None:
            weight, bias = svm.weights()
            return (np.array(weight.T * SVM_SCALE, np.float32, order="C"), np.array(bias * SVM_SCALE, np.float32))
        random, width = torch.Generator().manual_seed(config.seed), self._parts["train"][0].shape[1]
        drawn = [
            torch.empty(shape).uniform_(-(width**-0.5), width**-0.5, generator=random).numpy()
            for shape in ((len(self.classes), width), (len(self.classes),))
        ]
        return np.ascontiguousarray(drawn[0].T), drawn[1].copy()

    def _row(
        self, epoch: int, rate: float, layer: "Layer", parts: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> dict[str, float]:
        row = {"epoch": epoch, "learning_rate": rate, "seconds": 0.0}
        for split, (matrix, labels) in parts.items():
            weight, bias = layer.measured
            logits = matrix @ weight + bias
            row[f"{split}_accuracy"] = float((logits.argmax(1) == labels).mean())
            chances = _softmax(logits)[np.arange(len(labels)), labels]
            row[f"{split}_loss"] = float(-np.log(np.maximum(chances, 1e-30)).mean())
        return row

    def _words(self, config: Config, ended: str) -> str:
        used, there = min(PHOTOS, self.photos["train"]), self.photos["train"]
        drawn = f"{used:,}" if used == there else f"{used:,} of the {there:,}"
        words = f"Preview from {drawn} training photos: the last layer alone, the backbone standing still"
        if used < there:
            steps, whole = (-(-count // config.batch_size) for count in (used, there))
            words += f"; an epoch has {steps} steps here and {whole:,} in training, which learns more in each"
        if ended:
            words += f"; {ended}"
        # how far the two can be apart: docs/measurements.md, "Preview and whole run"
        return f"{words}. Training changes all layers: a rate that does no harm here can be too high there."


class Layer:
    """A linear layer under softmax, moved as runs.optimizer moves it: AdamW, or SGD with momentum.

    measured: weights and biases that are measured, the averaged ones (runs.weight_average) where the config wants them.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray, config: Config, balance: Balance | None = None):
        self.weight, self.bias, self.config = weight, bias, config
        self._weights, self._prior = (
            None if values is None else values.numpy()
            for values in (((balance.weights, balance.prior)) if balance else (None, None))
        )
        self._kept = [(np.zeros_like(value), np.zeros_like(value)) for value in (weight, bias)]
        self._random, self._steps = np.random.default_rng(config.seed), 0
        self.measured = (weight.copy(), bias.copy()) if config.ema else (weight, bias)

    def step(self, matrix: np.ndarray, labels: np.ndarray, rate: float) -> None:
        """One step of the optimizer.

        Parameters
        ----------
        matrix
            Features (n, width).
        labels
            Class ids (n,).
        rate
            The learning rate of this step.
        """
        if self.config.dropout:
            kept = self._random.integers(0, 256, matrix.shape, dtype=np.uint8) >= round(256 * self.config.dropout)
            matrix = matrix * kept * np.float32(1 / (1 - self.config.dropout))
        n, self._steps = len(labels), self._steps + 1
        logits = matrix @ self.weight + self.bias
        slope = _softmax(logits if self._prior is None else logits + self._prior)
        slope -= np.float32(SMOOTHING / len(self.bias))
        slope[np.arange(n), labels] -= np.float32(1 - SMOOTHING)
        slope /= np.float32(n)
        if self._weights is not None:
            slope *= self._weights[labels][:, None]
        move = self._adamw if self.config.optimizer == "adamw" else self._sgd
        decay = self.config.weight_decay
        move(self.weight, matrix.T @ slope, self._kept[0], rate, decay)
        move(self.bias, slope.sum(0), self._kept[1], rate, 0.0 if self.config.optimizer == "adamw" else decay)
        if self.config.ema:
            kept = decay_after(self._steps, self.config.ema)
            for average, value in zip(self.measured, (self.weight, self.bias), strict=True):
                average += np.float32(1 - kept) * (value - average)

    def _sgd(self, value: np.ndarray, gradient: np.ndarray, kept: tuple, rate: float, decay: float) -> None:
        speed = kept[0]
        speed *= np.float32(MOMENTUM)
        speed += gradient
        speed += np.float32(decay) * value
        value -= np.float32(rate) * speed

    def _adamw(self, value: np.ndarray, gradient: np.ndarray, kept: tuple, rate: float, decay: float) -> None:
        mean, square = kept
        for average, new, keep in ((mean, gradient, 0.9), (square, gradient * gradient, 0.999)):  # PyTorch's betas
            average *= np.float32(keep)
            average += np.float32(1 - keep) * new
        value *= np.float32(1 - rate * decay)
        size = np.sqrt(square) / np.float32(math.sqrt(1 - 0.999**self._steps)) + np.float32(1e-8)
        value -= np.float32(rate / (1 - 0.9**self._steps)) * mean / size


def _softmax(logits: np.ndarray) -> np.ndarray:
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True)


def uncached(workspace: Workspace, spec: FeatureSpec) -> int:
    """How many of the workspace's photos have no such features in the cache."""
    return len(missing(workspace, spec, list(workspace.photos()["sha256"])))
