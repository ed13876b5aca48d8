"""An average of a network's weights over the steps of its training."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

FIRST = 0.95
"""What the first steps keep of the average: the SVM that training starts from is not lost while the weights settle
(docs/measurements.md, "The first epoch from the SVM")."""


def decay_after(steps: int, decay: float) -> float:
    """What the last of so many steps keeps of the average.

    The first steps keep less than `decay`, (1 + steps) / (10 + steps) as in TensorFlow but at least FIRST, so that a
    short training leaves its start behind.
    """
    return min(decay, max(FIRST, (1 + steps) / (10 + steps)))


class WeightAverage:
    """Exponential moving average (EMA) of the weights of `network`; with a decay of 0 there is none.

    A step keeps a part of the average, `decay_after`, and takes the rest from the weights. Buffers are not averaged:
    batch norms have the statistics of pretraining.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        self.weights: list[torch.Tensor] = list(network.parameters()) if decay else []
        self.averages = [weight.detach().clone() for weight in self.weights]

    def update(self) -> None:
        """Take in the weights as they are after a step."""
        if self.decay:
            self.steps += 1
            get_ema_multi_avg_fn(decay_after(self.steps, self.decay))(self.averages, self.weights, self.steps)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """A context in which the network has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for number, weight in enumerate(self.weights):
            weight.data, self.averages[number] = self.averages[number], weight.data

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint keeps of it."""
        if not self.decay:
            return {}
        return {"steps": torch.tensor(self.steps), **{str(n): average for n, average in enumerate(self.averages)}}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` gave."""
        self.steps = int(state["steps"])
        for number, average in enumerate(self.averages):
            average.copy_(state[str(number)])
