"""Remedies for classes of different size (imbalance) in training: what photos count, and which are drawn."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from cvtune_nb.augmentation.geometry import Generator, beside
from cvtune_nb.augmentation.mixing import Mixed
from cvtune_nb.classification.losses import one_hot, order, soft_labels
from cvtune_nb.imbalance import SAMPLING, remedy_of
from cvtune_nb.parameters import Config

SMOOTHING = 0.1
"""Label smoothing of the training loss (Szegedy and others 2016); reported losses are without it."""


@dataclass(frozen=True)
class Balance:
    """What a config's remedy comes to with these training photos.

    Attributes
    ----------
    weights
        How much a photo of each class counts, (classes,), 1 on average over all photos; None: all the same.
    prior
        What is added to the logits in training alone, (classes,); None: nothing.
    sampled
        Whether each epoch shows every class equally often.
    """

    weights: torch.Tensor | None = None
    prior: torch.Tensor | None = None
    sampled: bool = False

    @classmethod
    def of(cls, config: Config, labels: torch.Tensor, classes: list[str]) -> Self:
        """That of a config.

        Parameters
        ----------
        config
            Its `imbalance`.
        labels
            Class ids (n,) of the training photos.
        classes
            Their names.

        Raises
        ------
        InputError
            Own weights name a class that there is not.
        """
        remedy = remedy_of(config.imbalance)
        remedy.require(classes)
        counts = dict(zip(classes, torch.bincount(labels, minlength=len(classes)).tolist(), strict=True))
        return cls(_tensor(remedy.weights(counts)), _tensor(remedy.prior(counts)), remedy.name == SAMPLING)

    def loss(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        mixture: Mixed | None = None,
        counts_as: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The cross-entropy of a minibatch with label smoothing, the mean over its photos.

        A photo counts by its label's weight, a mixed one by those of both its labels, in proportion; smoothing changes
        what is expected of a photo, not how much it counts.

        Parameters
        ----------
        logits
            float (n, classes), on any device.
        labels
            Class ids (n,) of the photos before they were mixed.
        mixture
            How they were; None: not at all.
        counts_as
            How much each photo counts (n,), 1 on average over all training photos; of two mixed ones each in
            proportion. None: all the same.
        """
        classes = logits.shape[1]
        if counts_as is not None:
            return self._weighted(logits, labels, mixture, counts_as)
        targets = soft_labels(labels, mixture, classes) if mixture else labels
        if self.prior is not None:
            logits = logits + beside(self.prior, logits)
        if self.weights is None:
            return cross_entropy(logits, beside(targets, logits), label_smoothing=SMOOTHING)
        weighted = (targets if mixture else one_hot(labels, classes)) * beside(self.weights, labels)
        # the weights of torch's own cross-entropy would make the smoothed part of every photo count by class, too
        smoothed = (1 - SMOOTHING) * weighted + SMOOTHING / classes * weighted.sum(1, keepdim=True)
        return cross_entropy(logits, beside(smoothed, logits))

    def _weighted(
        self, logits: torch.Tensor, labels: torch.Tensor, mixture: Mixed | None, counts_as: torch.Tensor
    ) -> torch.Tensor:
        """The same with weights for the photos: each part of a mixed one with that of the photo it came from."""
        classes = logits.shape[1]
        each = one_hot(labels, classes) * beside(counts_as, labels)[:, None]
        if mixture:
            own = beside(mixture.own, labels).to(each)[:, None]
            each = own * each + (1 - own) * each[beside(mixture.others, labels)]
        if self.prior is not None:
            logits = logits + beside(self.prior, logits)
        if self.weights is not None:
            each = each * beside(self.weights, labels)
        smoothed = (1 - SMOOTHING) * each + SMOOTHING / classes * each.sum(1, keepdim=True)
        return cross_entropy(logits, beside(smoothed, logits))

    def order(self, labels: torch.Tensor, loss: str) -> torch.Tensor:
        """The rows of an epoch, as many as there are `labels` (n,), in a new order (losses.order)."""
        if not self.sampled:
            return order(labels, loss)
        rows = drawn_evenly(labels)
        return rows[order(labels[rows], loss)]


def drawn_evenly(labels: torch.Tensor, random: Generator = None) -> torch.Tensor:
    """As many rows as there are `labels` (n,), equally many of each class; random: None is torch's global generator.

    Within a class no photo comes again before all others have come, so that nothing is left out that need not be.
    """
    classes = labels.unique()
    quotas = torch.full((len(classes),), len(labels) // len(classes))
    quotas[torch.randperm(len(classes), generator=random)[: len(labels) % len(classes)]] += 1
    rows = []
    for label, quota in zip(classes, quotas.tolist(), strict=True):
        own = torch.nonzero(labels == label).flatten()
        rounds = [own[torch.randperm(len(own), generator=random)] for _ in range(-(-quota // len(own)))]
        rows.append(torch.cat([*rounds, own[:0]])[:quota])
    return torch.cat(rows)


def _tensor(values: np.ndarray | None) -> torch.Tensor | None:
    return None if values is None else torch.from_numpy(values).float()
