"""What fits into the time that is left of a budget."""

import time
from dataclasses import replace

from cvtune_nb.classification import predict_cost
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.escalation import ladder_of
from cvtune_nb.files import Progress
from cvtune_nb.models import backbones
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.workspace import Workspace

LEAST_EPOCHS = 3
"""Epochs below which a higher rung is not worth its start (docs/measurements.md, "A sketch of fine-tuning")."""
MARGIN = 0.85
"""Fraction of the time left that is planned with, because estimated costs are not exact."""
EXPORT_SECONDS = 60.0
"""Time set aside for writing and checking the ONNX file, besides that for the test photos (docs/measurements.md, "Time
of an export")."""


class Planner:
    """Plans with the time until `deadline` (of time.monotonic) what is trained, with `config` first.

    impossible: why a rung can't be run here.
    """

    workspace: Workspace
    config: Config
    progress: Progress
    deadline: float
    impossible: dict[Config, str]

    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.deadline - time.monotonic()

    def until(self, end: float) -> Progress:
        """The progress, which stops the work at the time `end`."""

        def report(share: float, words: str) -> None:
            self.progress(share, words)
            if time.monotonic() > end:
                raise Stopped

        return report

    def cost(self, config: Config) -> tuple[float, float]:
        """Seconds to get started with a config (photos and features not there yet) and for each epoch."""
        configs = (replace(config, schedule="", epochs=epochs) for epochs in (0, 1))
        start, one = (predict_cost(self.workspace, each, self.progress).seconds for each in configs)
        return start, max(one - start, 1e-6)

    def reserve(self, config: Config) -> float:
        """Seconds the export of a config will take: the model, then every test photo once, decoded anew.

        Going forward and back over the training photos is about three times the work of forward alone.
        """
        count = self.workspace.photos()["split"].value_counts()
        share = count.get("test", 0) / max(1, count.get("train", 0))
        return EXPORT_SECONDS + share * self.cost(config)[1] / 2

    def room(self, config: Config) -> float:
        """Seconds that may be planned for training, if this config is exported in the end."""
        return (self.left() - self.reserve(config)) * MARGIN

    def epochs_in(self, seconds: float, configs: list[Config]) -> int:
        """How many epochs the last of the configs gets when they share `seconds`.

        As `escalate` does it, each gets the same fraction of its own epochs.
        """
        costs = [self.cost(config) for config in configs]
        work = sum(epoch * config.epochs for config, (_, epoch) in zip(configs, costs, strict=True))
        share = (seconds - sum(start for start, _ in costs)) / max(work, 1e-9)
        return int(configs[-1].epochs * min(1.0, max(0.0, share)))

    def higher_rungs(self) -> list[Config]:
        """The rungs of its family's ladder that train otherwise, with no shallower network or smaller photos."""
        family = [entry.name for entry in backbones.family_of(self.config.backbone).networks]
        names = family if self.config.backbone in family else [self.config.backbone]
        mine = names.index(self.config.backbone), self.config.image_size
        return [
            replace(rung, seed=self.config.seed, imbalance=self.config.imbalance)
            for rung in ladder_of(FeatureSpec.of(self.config))
            if self._above((names.index(rung.backbone), rung.image_size), mine) and self._otherwise(rung)
        ]

    def worth_trying(self, seconds: float) -> bool:
        """Whether a higher rung could get a few epochs in so many seconds.

        It can't where the config itself could not: to try how fast a rung is takes time, too.
        """
        return seconds >= LEAST_EPOCHS * self.cost(self.config)[1]

    def possible(self, rung: Config) -> bool:
        """Whether the rung can be run here: its weights can be had, and the photos are large enough for it.

        If not, `impossible` says why.
        """
        try:
            self.cost(rung)
        except InputError as error:
            self.impossible[rung] = str(error)
        return rung not in self.impossible

    @staticmethod
    def _above(rung: tuple[int, int], mine: tuple[int, int]) -> bool:
        return rung[0] >= mine[0] and rung[1] >= mine[1]

    def _otherwise(self, rung: Config) -> bool:
        """Whether a rung has another network or image size than the config, or a loss that adds to its own."""
        same = all(getattr(rung, name) == getattr(self.config, name) for name in ("backbone", "image_size"))
        return not same or (rung.loss != self.config.loss == PARAMETERS["loss"].default)
