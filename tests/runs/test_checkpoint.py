"""Tensors in a file."""

import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.runs.checkpoint import write_tensors


class Twice(nn.Module):
    """A network that uses a layer twice, by two names, as CoaT does."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Sequential(self.first, nn.ReLU())


def test_tensors_that_a_network_has_by_two_names_are_kept(tmp_path):
    network = Twice()
    write_tensors(tmp_path / "weights.safetensors", dict(network.state_dict()), {"about": "x"})
    found = load_file(tmp_path / "weights.safetensors")
    assert list(found) and found.keys() == network.state_dict().keys()
    assert torch.equal(found["first.weight"], found["second.0.weight"])
    other = Twice()
    other.load_state_dict(found)
    assert torch.equal(other.second[0].weight, network.first.weight)
