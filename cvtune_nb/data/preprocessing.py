"""What a network is shown of a photo."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtune_nb.data.photo import File, Levels, centre_square, crop_centre, short_side
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
        return cls.from_dict(config.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """From plain values, among whatever else there is; what is missing has its default."""
        names = [field.name for field in fields(cls) if field.name in values]
        return cls(**{name: type(PARAMETERS[name].default)(values[name]) for name in names})

    @classmethod
    def from_key(cls, key: str) -> "Preprocessing":
        """What has that key. Raises ValueError where nothing has."""
        size, *chosen = re.split(r"-(?=\w+=)", key)
        values = {"image_size": size, **dict(each.split("=", 1) for each in chosen)}
        known = {name: PARAMETERS[name].check(value) for name, value in values.items() if name in PARAMETERS}
        found = cls.from_dict(known)
        if found.key != key:
            raise ValueError(f"{key!r} is no key")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain values, named like the parameters."""
        return asdict(self)

    @property
    def chosen(self) -> list[str]:
        """All but the image size that is not as usual, each as name=value."""
        _, *others = self.to_dict().items()
        return [f"{name}={value}" for name, value in others if value != PARAMETERS[name].default]

    @property
    def key(self) -> str:
        """Stands for all of it in the names of cached files: equal only where a network is shown the same."""
        return "-".join([str(self.image_size), *self.chosen])

    @property
    def side(self) -> int:
        """Pixels of the centre squares that are kept on disk: somewhat more than is shown, for random crops."""
        return short_side(self.image_size)

    def decode(self, path: File, side: int, levels: Levels) -> np.ndarray:
        """A photo's centre square, uint8 RGB (side, side, 3).

        Parameters
        ----------
        path, side
            The photo, and the side in pixels.
        levels
            Which values are black and white.

        Raises
        ------
        UnreadablePhoto
            When it is no photo that can be read.
        """
        return centre_square(path, side, levels)

    def crop(self, squares: np.ndarray) -> np.ndarray:
        """What is shown when nothing is augmented, uint8 (n, image_size, image_size, 3), of (n, side, side, 3)."""
        return crop_centre(squares, self.image_size)

    def square(self, path: File, levels: Levels) -> np.ndarray:
        """A photo as it is shown when nothing is augmented, uint8 RGB (image_size, image_size, 3).

        Raises photo.UnreadablePhoto.
        """
        return self.crop(self.decode(path, self.side, levels))
