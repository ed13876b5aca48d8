"""Two photos in one, and how much of each: mixup and CutMix."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from cvtune_nb.augmentation.colours import rectangles
from cvtune_nb.augmentation.geometry import Generator, beside

MIXES = ("mixup", "cutmix")


@dataclass(frozen=True)
class Mixed:
    """Photos of a minibatch, of which each has something of another one.

    Attributes
    ----------
    photos
        uint8 (n, height, width, 3).
    others
        Which other one: rows (n,).
    own
        How much of each is its own: 0..1 (n,), on the processor or beside the photos.
    """

    photos: torch.Tensor
    others: torch.Tensor
    own: torch.Tensor


def mixed(photos: torch.Tensor, chosen: Mapping[str, float], random: Generator = None) -> Mixed | None:
    """The photos mixed as a list of policies says; None where it has no such policy. With both, by turns at random.

    Arguments as in minibatch.augmented.
    """
    ways = [name for name in MIXES if name in chosen]
    if not ways:
        return None
    way = ways[int(torch.randint(len(ways), (1,), generator=random))]
    others = torch.randperm(len(photos), generator=random)
    alphas = torch.full((len(photos), 2), chosen[way])
    # What distributions.Beta calls, which takes no generator.
    own = torch._sample_dirichlet(alphas, random)[:, 0]  # pyright: ignore[reportPrivateImportUsage]
    return mixup(photos, others, own) if way == "mixup" else cutmix(photos, others, own, random)


def mixup(photos: torch.Tensor, others: torch.Tensor, own: torch.Tensor) -> Mixed:
    """Blended pixel by pixel.

    Parameters
    ----------
    photos
        uint8 (n, height, width, 3).
    others, own
        As in Mixed.
    """
    mine = photos.float()
    blended = torch.lerp(mine[beside(others, photos)], mine, beside(own[:, None, None, None], photos))
    return Mixed(blended.round_().to(torch.uint8), others, own)


def cutmix(photos: torch.Tensor, others: torch.Tensor, own: torch.Tensor, random: Generator = None) -> Mixed:
    """A rectangle of the other photo set in.

    Parameters
    ----------
    photos
        uint8 (n, height, width, 3).
    others, own
        As in Mixed; what is its own is counted in whole pixels.
    random
        What the places of the rectangles are drawn from.
    """
    cut = rectangles(photos, 1 - own, torch.ones(len(photos)), random)
    pasted = torch.where(cut[..., None], photos[beside(others, photos)], photos)
    return Mixed(pasted, others, 1 - cut.float().mean((1, 2)))
