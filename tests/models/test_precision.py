"""Which numbers networks compute with, on which device."""

import numpy as np
import pytest
import torch
from torch import nn

from cvtune_nb.models import inference, memory, networks
from cvtune_nb.models.networks import autotuned, forward, mixed_precision, number_type
from cvtune_nb.parameters import PARAMETERS

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def gpu(monkeypatch, name, capability, bfloat16):
    """This machine has such a GPU."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(networks, "has_bfloat16", lambda device: bfloat16)


@pytest.mark.parametrize(
    ("name", "capability", "bfloat16", "expected"),
    [
        ("NVIDIA H200", (9, 0), True, torch.bfloat16),
        ("Tesla T4", (7, 5), False, torch.float16),
        ("NVIDIA GeForce GTX 1660", (7, 5), False, torch.float32),
        ("Tesla P100", (6, 0), False, torch.float32),
    ],
)
def test_a_gpu_computes_with_what_it_is_fast_at(monkeypatch, name, capability, bfloat16, expected):
    gpu(monkeypatch, name, capability, bfloat16)
    assert number_type(CUDA) == expected
    assert number_type(CUDA, "float32") == torch.float32


def test_every_choice_but_auto_is_a_type_of_numbers():
    names = [name for name in PARAMETERS["precision"].choices if name != "auto"]
    assert [str(number_type(CPU, name)) for name in names] == [f"torch.{name}" for name in names]


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float32"])
def test_it_is_what_a_network_computes_with(precision):
    with mixed_precision(CPU, precision):
        assert str(nn.Linear(2, 2)(torch.ones(1, 2)).dtype) == f"torch.{precision}"


def test_what_is_too_large_for_float16_is_computed_in_float32(monkeypatch):
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, 1_000.0)
    images = np.full((2, 1), 100, np.float32)
    exact = forward(network, images)
    assert np.isfinite(exact).all()
    monkeypatch.setattr(networks, "number_type", lambda device, precision="auto": torch.float16)
    with torch.inference_mode(), mixed_precision(CPU):
        assert network(torch.from_numpy(images)).isinf().all()
    np.testing.assert_array_equal(forward(network, images), exact)


def test_what_is_tuned_is_as_before_afterwards(monkeypatch):
    before = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    with autotuned():
        assert (torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()) == before, "there is no such GPU"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with autotuned():
        assert (torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()) == (True, "high")
    assert (torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()) == before


def test_a_gpu_takes_as_many_pixels_at_once():
    sizes = [(64, 64), (224, 224), (448, 448), (1000, 1000)]
    assert [inference.photos_on_gpu(size) for size in sizes] == [128, 128, 32, 8]


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "MPS backend out of memory (MPS allocated: 18.0 GB)",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_no_memory_on_a_gpu_is_no_memory(words):
    assert memory.ran_out(torch.OutOfMemoryError(words)) and memory.ran_out(RuntimeError(words))
