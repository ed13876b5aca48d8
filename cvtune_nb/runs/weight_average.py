"""An average of a network's weights over the steps of its training."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """Exponential moving average (EMA) of the weights of `network`; with a decay of 0 there is none.

    A step keeps `decay` of the average, and takes the rest from the weights. The first steps keep less,
    (1 + steps) / (10 + steps) as in TensorFlow, so that a short training leaves its start behind. Buffers are not
    averaged: batch norms have the statistics of pretraining.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        self.weights: list[torch.Tensor] = list(network.parameters()) if decay else []
        self.averages = [weight.detach().clone() for weight in self.weights]

    def update(self) -> None:
        """Take in the weights as they are after a step."""
        if self.decay:
            self.steps += 1
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
            get_ema_multi_avg_fn(decay)(self.averages, self.weights, self.steps)

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
