"""The network of a combination: one photo in, several networks asked, the weighted mean of their probabilities out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import nn

Shape = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class View:
    """One look of one of the networks at a photo.

    Attributes
    ----------
    network
        Its number among the networks.
    shape
        Height and width of what it is shown.
    mirrored
        Whether it is shown the mirror image.
    temperature
        What its logits are divided by.
    weight
        Of its probabilities in the mean; all weights together are 1.
    """

    network: int
    shape: Shape
    mirrored: bool
    temperature: float
    weight: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From what `to_dict` gave."""
        return cls(**{**values, "shape": tuple(values["shape"])})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class Resized(nn.Module):
    """Photos at another size, with Pillow's bicubic filter, which is widened where they shrink (antialias).

    given, wanted: heights and widths. The photos come as uint8 (n, height, width, 3), and leave so where the sizes are
    the same, else in float32, from 0 to 255.
    """

    down: torch.Tensor
    across: torch.Tensor

    def __init__(self, given: Shape, wanted: Shape) -> None:
        super().__init__()
        self.same = given == wanted
        for name, side, target in zip(("down", "across"), given, wanted, strict=True):
            self.register_buffer(name, _filter(side, target), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The photos, (n, height, width, 3)."""
        if self.same:
            return images
        if torch.is_autocast_enabled(images.device.type):  # bfloat16 has 8 bits, which are too few for pixels
            with torch.autocast(images.device.type, enabled=False):
                return self._scaled(images)
        return self._scaled(images)

    def _scaled(self, images: torch.Tensor) -> torch.Tensor:
        narrow = (images.permute(0, 3, 1, 2).float() @ self.across.T).clamp(0, 255)  # in the order of Pillow
        return (self.down @ narrow).clamp(0, 255).permute(0, 2, 3, 1).contiguous()


def _filter(given: int, wanted: int) -> torch.Tensor:
    """The matrix (wanted, given) that resizes a column of pixels: what Pillow makes of one for each pixel."""
    each = Image.fromarray(np.eye(given, dtype=np.float32))
    return torch.from_numpy(np.array(each.resize((given, wanted), Image.Resampling.BICUBIC)))


def _name(shape: Shape) -> str:
    return "x".join(map(str, shape))


class Combined(nn.Module):
    """Several networks as one classifier.

    It is shown a photo once, of that shape; a view that wants it smaller gets it resized here. It gives the logarithm
    of the mean probabilities, which a softmax turns into the mean itself. A network that has several views is there
    once.
    """

    def __init__(self, networks: Sequence[nn.Module], views: Sequence[View], shape: Shape) -> None:
        super().__init__()
        self.networks, self.views, self.shape = nn.ModuleList(networks), tuple(views), shape
        self.resized = nn.ModuleDict({_name(view.shape): Resized(shape, view.shape) for view in self.views})

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of uint8 photos (n, height, width, 3)."""
        return self._mean([self.networks[view.network](self._shown(images, view)) for view in self.views])

    def seen(self, images: torch.Tensor, pooling: str) -> tuple[torch.Tensor, torch.Tensor]:
        """As Classifier.seen; the features are those of the first view."""
        first, *others = self.views
        network: Any = self.networks[first.network]
        logits, features = network.seen(self._shown(images, first), pooling)
        rest = [self.networks[view.network](self._shown(images, view)) for view in others]
        return self._mean([logits, *rest]), features

    def _shown(self, images: torch.Tensor, view: View) -> torch.Tensor:
        """The photos as a view wants them: uint8, or float32 where they had to be resized."""
        return self.resized[_name(view.shape)](images.flip(2) if view.mirrored else images)

    def _mean(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """The logarithm of the weighted mean of the views' probabilities."""
        parts = zip(self.views, logits, strict=True)
        chances = [view.weight * (each.float() / view.temperature).softmax(dim=1) for view, each in parts]
        return torch.stack(chances).sum(dim=0).clamp_min(torch.finfo(torch.float32).tiny).log()
