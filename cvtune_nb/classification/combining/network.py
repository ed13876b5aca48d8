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


class Combined(nn.Module):
    """Several networks as one classifier.

    It is shown a photo once; a view that wants it smaller gets it resized here, with Pillow's bicubic filter, which is
    widened where a photo shrinks (antialias). It gives the logarithm of the mean probabilities, which a softmax turns
    into the mean itself. A network that has several views is there once.
    """

    def __init__(self, networks: Sequence[nn.Module], views: Sequence[View], shape: Shape) -> None:
        super().__init__()
        self.networks, self.views, self.shape = nn.ModuleList(networks), tuple(views), shape
        for name, wanted, given in self._resizings():
            self.register_buffer(name, resizing(given, wanted), persistent=False)

    def _resizings(self) -> list[tuple[str, int, int]]:
        """Names of the matrices that resize, and to and from how many pixels."""
        sides = {(side, given) for view in self.views for side, given in zip(view.shape, self.shape, strict=True)}
        return [(f"from_{given}_to_{wanted}", wanted, given) for wanted, given in sorted(sides) if wanted != given]

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
        shown = images.flip(2) if view.mirrored else images
        if view.shape == self.shape:
            return shown
        if torch.is_autocast_enabled(images.device.type):  # bfloat16 has 8 bits, which are too few for pixels
            with torch.autocast(images.device.type, enabled=False):
                return self._resized(shown, view.shape)
        return self._resized(shown, view.shape)

    def _resized(self, images: torch.Tensor, shape: Shape) -> torch.Tensor:
        planes = images.permute(0, 3, 1, 2).float()
        for wanted, given, across in zip(shape, self.shape, (False, True), strict=True):
            if wanted != given:
                matrix = self.get_buffer(f"from_{given}_to_{wanted}")
                planes = planes @ matrix.T if across else matrix @ planes
        return planes.clamp(0, 255).permute(0, 2, 3, 1).contiguous()

    def _mean(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """The logarithm of the weighted mean of the views' probabilities."""
        parts = zip(self.views, logits, strict=True)
        chances = [view.weight * (each.float() / view.temperature).softmax(dim=1) for view, each in parts]
        return torch.stack(chances).sum(dim=0).clamp_min(torch.finfo(torch.float32).tiny).log()


def resizing(given: int, wanted: int) -> torch.Tensor:
    """The matrix (wanted, given) that resizes a column of pixels as Pillow's bicubic filter does."""
    each = Image.fromarray(np.eye(given, dtype=np.float32))
    return torch.from_numpy(np.array(each.resize((given, wanted), Image.Resampling.BICUBIC)))
