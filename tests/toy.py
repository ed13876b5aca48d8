"""The smallest thing that the engine can train: a straight line. What a new task has to bring, for tests of runs/."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import pandas as pd
import torch
from torch import nn

from cvtune_nb.parameters import PARAMETERS, Parameter, TrainingConfig
from cvtune_nb.runs.descent import UNSCALED, descend
from cvtune_nb.runs.fitting import Task
from cvtune_nb.runs.provenance import Provenance, yardstick
from cvtune_nb.runs.store import RunStore, StoredRun

PHOTOS = pd.DataFrame(
    {"sha256": ["a", "b", "c"], "group": ["a", "b", "c"], "label": "x", "split": ["train", "train", "validation"]}
)


@dataclass(frozen=True)
class Config(TrainingConfig):
    """Its parameters."""

    line: str = "straight/line"
    image_size: int = 64
    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 0.1
    seed: int = 0

    DECLARED: ClassVar = {name: parameter for name, parameter in PARAMETERS.items() if name != "backbone"} | {
        "line": Parameter("line", "Line", "what is fitted", "straight/line", "text")
    }

    def rate(self, done: float) -> float:
        """Falls to nothing."""
        return self.learning_rate * (1 - done / self.epochs)


@dataclass(frozen=True)
class Run(StoredRun[Config]):
    """Its runs."""

    CONFIG = Config
    HISTORY: ClassVar = ["epoch", "learning_rate", "error", "seconds"]
    BEST_BY: ClassVar = {"error": True}
    RANKED_BY = "error"
    MEASURES = ("error",)
    OUTPUTS = "outputs.csv"

    @classmethod
    def from_settings(cls, settings: dict[str, Any], **shared: Any) -> Self:
        """From config.json."""
        return cls(**shared, data_id=settings["data"])

    def settings(self) -> dict[str, Any]:
        """What config.json holds."""
        names = ("classes", "predicted_seconds", "changes", "measured_on")
        return {"config": self.config.to_dict(), "data": self.data_id, **{name: getattr(self, name) for name in names}}

    def measures(self) -> dict[str, float]:
        """How far the line is off."""
        return {"error": self.best("error")}

    def to_dict(self) -> dict[str, Any]:
        """What result.json holds."""
        return {"run": self.id, "state": self.state}


def data_of(photos: pd.DataFrame) -> Provenance:
    """What is learned from."""
    return Provenance(["x"], str(len(photos)), yardstick(["x"], photos), photos)


def store_in(folder, photos: pd.DataFrame = PHOTOS) -> RunStore[Config, Run]:
    """The runs in a folder."""
    return RunStore(Run, folder / "runs", lambda: data_of(photos), "has no line yet: fit one")


class Trainer:
    """Fits y = 2 x from 20 points."""

    def __init__(self, run, progress, before_step=lambda batch: None):  # noqa: ARG002 - nothing takes time
        torch.manual_seed(run.config.seed)
        self.config, self.before_step = run.config, before_step
        self.network = nn.Linear(1, 1)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), run.config.learning_rate)
        self.scaler = UNSCALED
        self.x = torch.linspace(-1, 1, 20)[:, None]

    def start(self, progress):
        return self.measure(progress)

    def batches(self, epoch):  # noqa: ARG002 - torch's generator is seeded by it
        return torch.randperm(len(self.x)).split(self.config.batch_size)

    def read(self, rows):
        return self.x[rows]

    def learning_rate(self, done, steps):  # noqa: ARG002 - it does not warm up
        return self.config.rate(done)

    def step(self, network, batch):
        self.before_step(batch)
        return descend(network, self.optimizer, (network(batch) - 2 * batch).square().mean(), len(batch))

    def measure(self, progress):
        progress(0.5, "measuring")
        with torch.no_grad():
            y = self.network(self.x)[:, 0]
        error = float((y - 2 * self.x[:, 0]).abs().mean())
        return {"error": error}, pd.DataFrame({"x": self.x[:, 0].numpy(), "y": y.numpy()})


def task_in(folder, config: Config, before_step=lambda batch: None, photos: pd.DataFrame = PHOTOS) -> Task[Config, Run]:
    """Fitting a line with its runs in a folder. before_step: called with each minibatch, and may raise."""
    store, data = store_in(folder, photos), data_of(photos)

    def new_run(config, progress, new_folder):
        return store.new(config, data, photos, new_folder(), predicted_seconds=1.0)

    trainer = partial(Trainer, before_step=before_step)
    return Task(store, "points", data.id, config, new_run, trainer, lambda run: None)
