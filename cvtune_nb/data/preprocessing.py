"""What a network is shown of a photo."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from cvtune_nb.data.photo import (
    BLACK,
    Colour,
    File,
    Levels,
    Size,
    as_size,
    both,
    crop_centre,
    framed,
    padded,
    short_side,
)
from cvtune_nb.parameters import PARAMETERS

SQUARE = PARAMETERS["aspect"].default


@dataclass(frozen=True)
class Preprocessing:
    """What a network is shown of a photo: `image_size` pixels on the shorter side, of the shape `aspect`, width:height.

    framing "crop": as much of its middle as has that shape; "whole": all of it, with the mean colour of the data set
    around; "squash": all of it, scaled to the shape whatever its own. step: the longer side is a multiple of it, which
    depends on the network (classification.features.suited).

    Black and white of photos of more than 8 bits are the data set's (`Workspace.levels`), and so is the mean colour
    (`data.mean_colour`); the cache has a folder for each choice of levels.
    """

    image_size: int = PARAMETERS["image_size"].default
    framing: str = PARAMETERS["framing"].default
    aspect: str = PARAMETERS["aspect"].default
    step: int = 1

    def __post_init__(self) -> None:
        if self.aspect == SQUARE:  # has no longer side
            object.__setattr__(self, "step", 1)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From plain values, among whatever else there is; what is missing has its default."""
        names = [field for field in fields(cls) if field.name in values and field.name != "step"]
        kinds: dict[str, Any] = {field.name: type(field.default) for field in names}
        return cls(**{name: kind(values[name]) for name, kind in kinds.items()})

    @classmethod
    def from_key(cls, key: str) -> "Preprocessing":
        """What has that key. Raises ValueError where nothing has."""
        size, *chosen = re.split(r"-(?=\w+=)", key)
        values = {"image_size": size, **dict(each.replace("by", ":").split("=", 1) for each in chosen)}
        known = {name: PARAMETERS[name].check(value) for name, value in values.items() if name in PARAMETERS}
        found = cls.from_dict(known)
        if found.key != key:
            raise ValueError(f"{key!r} is no key")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain values, named like the parameters; the step goes with the network."""
        return {name: value for name, value in asdict(self).items() if name != "step"}

    @property
    def chosen(self) -> list[str]:
        """All but the image size that is not as usual, each as name=value."""
        _, *others = ((field, getattr(self, field.name)) for field in fields(self) if field.name != "step")
        return [f"{field.name}={value}" for field, value in others if value != field.default]

    @property
    def words(self) -> list[str]:
        """The same for people: the choice alone says what it is where it is one of a few."""
        few = {name for name, parameter in PARAMETERS.items() if parameter.choices}
        return [each.partition("=")[2] if each.partition("=")[0] in few else each for each in self.chosen]

    @property
    def key(self) -> str:
        """Stands for all of it in the names of cached files: equal only where one network is shown the same."""
        return "-".join([str(self.image_size), *self.chosen]).replace(":", "by")  # no colons in the names of files

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels of what is shown."""
        across, down = map(int, self.aspect.split(":"))
        ratio = max(across, down) / min(across, down)
        longer = max(self.image_size, round(self.image_size * ratio / self.step) * self.step)
        if self.aspect == SQUARE:
            longer = self.image_size
        return (self.image_size, longer) if across > down else (longer, self.image_size)

    @property
    def size(self) -> Size:
        """The same: one number of squares."""
        return as_size(*self.shape)

    @property
    def side(self) -> Size:
        """Pixels of what is kept on disk: somewhat more than is shown, for random crops.

        What lies around a photo that is whole or squashed has the padding's colour, so that a random crop moves it.
        """
        return as_size(*map(short_side, self.shape))

    @property
    def prepared_side(self) -> Size:
        """Pixels of what an exported model is given, which crops it: nothing is cut off whole photos."""
        return self.side if self.framing == "crop" else self.size

    def decode(self, path: File, side: Size, levels: Levels, padding: Colour = BLACK) -> np.ndarray:
        """A photo as it is kept on disk, uint8 RGB (height, width, 3).

        Parameters
        ----------
        path, side
            The photo, and the size in pixels.
        levels
            Which values are black and white.
        padding
            The colour around photos that are not cropped (mean_colour.padding_for).

        Raises
        ------
        UnreadablePhoto
            When it is no photo that can be read.
        """
        sides = zip(both(side), both(self.side), both(self.prepared_side), strict=True)
        inner = as_size(*(wanted - usual + prepared for wanted, usual, prepared in sides))
        return padded(framed(path, inner, self.framing, padding, levels), side, padding)

    def crop(self, squares: np.ndarray) -> np.ndarray:
        """What is shown, uint8 (n, height, width, 3), when nothing is augmented, of what is kept on disk."""
        return crop_centre(squares, self.size)

    def square(self, path: File, levels: Levels, padding: Colour = BLACK) -> np.ndarray:
        """A photo as it is shown, uint8 RGB (height, width, 3), when nothing is augmented; else as `decode`."""
        return self.crop(self.decode(path, self.side, levels, padding))
