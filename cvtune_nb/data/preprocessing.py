"""What a network is shown of a photo."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvtune_nb.data.photo import Levels, centre_square, crop_centre, short_side
from cvtune_nb.parameters import PARAMETERS

if TYPE_CHECKING:
    from cvtune_nb.parameters import Config


@dataclass(frozen=True)
class Preprocessing:
    """What a network is shown of a photo: the middle of its centre square, `image_size` pixels wide.

    Black and white of photos of more than 8 bits are the data set's (`Workspace.levels`); the cache has a folder for
    each choice of them.
    """

    image_size: int = PARAMETERS["image_size"].default

    @classmethod
    def of(cls, config: "Config") -> "Preprocessing":
        """That of a training run."""
        return cls(config.image_size)

    @property
    def key(self) -> str:
        """Stands for all of it in the names of cached files: equal only where a network is shown the same."""
        return str(self.image_size)

    @property
    def side(self) -> int:
        """Pixels of the centre squares that are kept on disk: somewhat more than is shown, for random crops."""
        return short_side(self.image_size)

    def decode(self, path: Path, side: int, levels: Levels) -> np.ndarray:
        """A photo's centre square, uint8 RGB (side, side, 3). Raises photo.UnreadablePhoto."""
        return centre_square(path, side, levels)

    def crop(self, squares: np.ndarray) -> np.ndarray:
        """What is shown when nothing is augmented, uint8 (n, image_size, image_size, 3), of (n, side, side, 3)."""
        return crop_centre(squares, self.image_size)
