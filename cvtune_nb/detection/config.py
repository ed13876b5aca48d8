"""The parameters of one training run of a detector."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from cvtune_nb.errors import InputError
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS


@dataclass(frozen=True)
class DetectorConfig:
    """The parameters of one training run of a detector; the meaning of each is in parameters.py."""

    detector: str
    image_size: int = PARAMETERS["image_size"].default
    learning_rate: float = PARAMETERS["learning_rate"].default
    epochs: int = PARAMETERS["epochs"].default
    batch_size: int = PARAMETERS["batch_size"].default
    weight_decay: float = PARAMETERS["weight_decay"].default
    proposals: int = PARAMETERS["proposals"].default
    augmentation: str = PARAMETERS["augmentation"].default
    seed: int = PARAMETERS["seed"].default

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, PARAMETERS[field.name].check(getattr(self, field.name)))

    @classmethod
    def from_values(cls, **values: Any) -> "DetectorConfig":
        """A DetectorConfig from loose values. Raises InputError for a name that is no parameter of a detector."""
        for name in values:
            if name not in PARAMETERS:
                raise InputError(f"{name} is no parameter of a detector: choose from {', '.join(PARAMETERS)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return asdict(self)

    def halved(self) -> "DetectorConfig":
        """The same run in less memory: minibatch and learning rate halved together. Raises InputError when the
        minibatch is one photo already."""
        if self.batch_size == 1:
            raise InputError("out of memory with a minibatch of one photo: choose a smaller image_size or detector")
        return replace(self, batch_size=self.batch_size // 2, learning_rate=self.learning_rate / 2)

    def rate(self, done: float) -> float:
        """The learning rate after `done` epochs (a whole number and a part): along a cosine."""
        return self.learning_rate * (1 + math.cos(math.pi * min(1.0, done / self.epochs))) / 2
