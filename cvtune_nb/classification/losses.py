"""Losses that draw the photos of a class together and others apart, beside the cross-entropy: for image similarity."""

import functools
from collections.abc import Callable

import torch

TOGETHER = 4
"""Photos of one class that come into a minibatch together: such a loss learns from pairs of them (what
pytorch-metric-learning's examples give its MPerClassSampler)."""
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@functools.cache
def similarity_loss(name: str) -> Loss | None:
    """The loss called `name` (parameters.PARAMETERS["loss"]) by pytorch-metric-learning, with the margins of its paper:
    of embeddings of length 1 (n, width) and labels (n). None for the cross-entropy alone, to which it is added.

    Only such without weights of their own: those that have a vector a class (ArcFace, ProxyAnchor) are what the last
    layer over features of length 1 is already (Zhai and Wu 2019, "Classification is a strong baseline for deep metric
    learning"); that the sum of both serves better than either is from Luo and others 2019, "Bag of tricks and a strong
    baseline for deep person re-identification". Figures: docs/measurements.md, "Similarity losses".
    """
    if name == "cross-entropy":
        return None
    from pytorch_metric_learning import losses, miners  # takes seconds to import

    loss = {
        "triplet": lambda: losses.TripletMarginLoss(margin=0.2),
        "contrastive": losses.ContrastiveLoss,
        "multi-similarity": lambda: losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5),
        "supervised-contrastive": losses.SupConLoss,
    }[name]()
    miner = {
        "triplet": miners.TripletMarginMiner(margin=0.2, type_of_triplets="semihard"),
        "multi-similarity": miners.MultiSimilarityMiner(),
    }.get(name)
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels) if miner else None)


def order(labels: torch.Tensor, loss: str) -> torch.Tensor:
    """All rows of `labels` (n) in a new order, drawn from torch's global generator; for a loss that learns from pairs
    up to TOGETHER of a class come one after the other."""
    mixed = torch.randperm(len(labels))
    if loss == "cross-entropy":
        return mixed
    of_class = [mixed[labels[mixed] == label] for label in labels.unique()]
    groups = [group for rows in of_class for group in rows.split(TOGETHER)]
    return torch.cat([groups[number] for number in torch.randperm(len(groups))])
