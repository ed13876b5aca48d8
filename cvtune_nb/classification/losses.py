"""Losses that draw the photos of a class together and others apart, beside the cross-entropy: for image similarity.

To add one: a function that makes it and its row in LOSSES here, and its name among the choices of `loss` in
parameters.py. All are
pytorch-metric-learning's, with the margins of their papers, and none has weights of its own: a loss with a vector for
each class (ArcFace, ProxyAnchor) is what the last layer over features of length 1 is already (Zhai and Wu 2019,
"Classification is a strong baseline for deep metric learning"). That the sum of both serves better than either is from
Luo and others 2019, "Bag of tricks and a strong baseline for deep person re-identification". Figures:
docs/measurements.md, "Similarity losses".
"""

import functools
from collections.abc import Callable

import torch

from cvtune_nb.augmentation.geometry import beside
from cvtune_nb.augmentation.mixing import Mixed

TOGETHER = 4
"""Photos of one class that come into a minibatch together: such a loss learns from pairs of them (what
pytorch-metric-learning's examples give its MPerClassSampler)."""
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From embeddings of length 1 (n, width) and labels (n) to a number."""


# pytorch-metric-learning takes seconds to import: each loss imports it when it is made


def supervised_contrastive() -> Loss:
    """Khosla and others 2020, "Supervised contrastive learning"."""
    from pytorch_metric_learning.losses import SupConLoss

    return SupConLoss()


def multi_similarity() -> Loss:
    """Wang and others 2019, "Multi-similarity loss with general pair weighting for deep metric learning"."""
    from pytorch_metric_learning.losses import MultiSimilarityLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner

    loss, miner = MultiSimilarityLoss(alpha=2, beta=50, base=0.5), MultiSimilarityMiner()
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels))


def triplet() -> Loss:
    """Schroff and others 2015, "FaceNet", with semi-hard triplets."""
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner

    loss, miner = TripletMarginLoss(margin=0.2), TripletMarginMiner(margin=0.2, type_of_triplets="semihard")
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels))


def contrastive() -> Loss:
    """Hadsell and others 2006, "Dimensionality reduction by learning an invariant mapping"."""
    from pytorch_metric_learning.losses import ContrastiveLoss

    return ContrastiveLoss()


LOSSES: dict[str, Callable[[], Loss]] = {
    "supervised-contrastive": supervised_contrastive,
    "multi-similarity": multi_similarity,
    "triplet": triplet,
    "contrastive": contrastive,
}
"""By name; each is added to the cross-entropy."""


@functools.cache
def similarity_loss(name: str) -> Loss | None:
    """The loss called `name` (a choice of parameters.PARAMETERS["loss"]); None for the cross-entropy alone."""
    return None if name == "cross-entropy" else LOSSES[name]()


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """1 where a photo is of a class, else 0: float (n, classes) of class ids (n). PyTorch's own reads them first."""
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float()


def soft_labels(labels: torch.Tensor, mixture: Mixed, classes: int) -> torch.Tensor:
    """How much of each class a mixed photo shows: what the cross-entropy compares with, (n, classes).

    Parameters
    ----------
    labels
        Class ids (n,) of the photos before they were mixed.
    mixture
        How they were.
    classes
        How many there are.
    """
    whole, own = one_hot(labels, classes), beside(mixture.own, labels)[:, None]
    return own * whole + (1 - own) * whole[beside(mixture.others, labels)]


def order(labels: torch.Tensor, loss: str) -> torch.Tensor:
    """All rows of `labels` (n,) in a new order, drawn from torch's global generator.

    For a loss that learns from pairs, up to TOGETHER photos of a class follow one another.
    """
    mixed = torch.randperm(len(labels))
    if loss == "cross-entropy":
        return mixed
    of_class = [mixed[labels[mixed] == label] for label in labels.unique()]
    groups = [group for rows in of_class for group in rows.split(TOGETHER)]
    return torch.cat([groups[number] for number in torch.randperm(len(groups))])
