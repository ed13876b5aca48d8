"""The parameters of one training run of a detector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cvtune_nb.augmentation.policies import policies_in
from cvtune_nb.parameters import DETECTOR_PARAMETERS as PARAMETERS
from cvtune_nb.parameters import TrainingConfig


@dataclass(frozen=True)
class DetectorConfig(TrainingConfig):
    """The parameters of one training run of a detector; the meaning of each is in parameters.py."""

    detector: str
    image_size: int = PARAMETERS["image_size"].default
    learning_rate: float = PARAMETERS["learning_rate"].default
    epochs: int = PARAMETERS["epochs"].default
    batch_size: int = PARAMETERS["batch_size"].default
    weight_decay: float = PARAMETERS["weight_decay"].default
    proposals: int = PARAMETERS["proposals"].default
    augmentation: str = PARAMETERS["augmentation"].default
    precision: str = PARAMETERS["precision"].default
    seed: int = PARAMETERS["seed"].default

    DECLARED = PARAMETERS

    @property
    def policies(self) -> Mapping[str, float]:
        """The augmentation: strengths by name."""
        return policies_in(self.augmentation)

    def rate(self, done: float) -> float:
        """The learning rate after `done` epochs (a whole number and a part): along a cosine."""
        return self.learning_rate * (1 + math.cos(math.pi * min(1.0, done / self.epochs))) / 2
