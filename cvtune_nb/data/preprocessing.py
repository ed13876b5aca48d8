"""What a network is shown of a photo."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cvtune_nb.data.photo import BLACK, Colour, File, Levels, crop_centre, framed, padded, short_side
from cvtune_nb.parameters import PARAMETERS

if TYPE_CHECKING:
    from cvtune_nb.parameters import Config


@dataclass(frozen=True)
class Preprocessing:
    """What a network is shown of a photo: a square, `image_size` pixels wide.

    framing "crop": the middle of its centre square; "whole": all of it, with the mean colour of the data set around;
    "squash": all of it, scaled to the square whatever its shape.

    Black and white of photos of more than 8 bits are the data set's (`Workspace.levels`), and so is the mean colour
    (`data.mean_colour`); the cache has a folder for each choice of levels.
    """

    image_size: int = PARAMETERS["image_size"].default
    framing: str = PARAMETERS["framing"].default

    @classmethod
    def of(cls, config: "Config") -> "Preprocessing":
        """That of a training run."""
        return cls.from_dict(config.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From plain values, among whatever else there is; what is missing has its default."""
        kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(cls) if field.name in values}
        return cls(**{name: kind(values[name]) for name, kind in kinds.items()})

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
        _, *others = ((field, getattr(self, field.name)) for field in fields(self))
        return [f"{field.name}={value}" for field, value in others if value != field.default]

    @property
    def words(self) -> list[str]:
        """The same for people: the choice alone says what it is where it is one of a few."""
        few = {name for name, parameter in PARAMETERS.items() if parameter.choices}
        return [each.partition("=")[2] if each.partition("=")[0] in few else each for each in self.chosen]

    @property
    def key(self) -> str:
        """Stands for all of it in the names of cached files: equal only where a network is shown the same."""
        return "-".join([str(self.image_size), *self.chosen])

    @property
    def side(self) -> int:
        """Pixels of the squares that are kept on disk: somewhat more than is shown, for random crops.

        What lies around a photo that is whole or squashed has the padding's colour, so that a random crop moves it.
        """
        return short_side(self.image_size)

    @property
    def prepared_side(self) -> int:
        """Pixels of the squares that an exported model is given, which crops them: nothing is cut off whole photos."""
        return self.side if self.framing == "crop" else self.image_size

    def decode(self, path: File, side: int, levels: Levels, padding: Colour = BLACK) -> np.ndarray:
        """A photo as it is kept on disk, uint8 RGB (side, side, 3).

        Parameters
        ----------
        path, side
            The photo, and the side in pixels.
        levels
            Which values are black and white.
        padding
            The colour around photos that are not cropped (mean_colour.padding_for).

        Raises
        ------
        UnreadablePhoto
            When it is no photo that can be read.
        """
        inner = side - self.side + self.prepared_side
        return padded(framed(path, inner, self.framing, padding, levels), side, padding)

    def crop(self, squares: np.ndarray) -> np.ndarray:
        """What is shown when nothing is augmented, uint8 (n, image_size, image_size, 3), of (n, side, side, 3)."""
        return crop_centre(squares, self.image_size)

    def square(self, path: File, levels: Levels, padding: Colour = BLACK) -> np.ndarray:
        """A photo as it is shown when nothing is augmented.

        Parameters
        ----------
        path, levels, padding
            As for `decode`.

        Returns
        -------
        array
            uint8 RGB (image_size, image_size, 3).

        Raises
        ------
        UnreadablePhoto
            When it is no photo that can be read.
        """
        return self.crop(self.decode(path, self.side, levels, padding))
