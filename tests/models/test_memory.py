import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from cvtune_nb.models import memory


class Library:
    """Remembers what the C library is told."""

    def __init__(self):
        self.told, self.trimmed = {}, 0

    def mallopt(self, name, value):
        self.told[name] = value

    def malloc_trim(self, _):
        self.trimmed += 1


@pytest.fixture
def library(monkeypatch):
    library = Library()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    return library


def test_memory_is_kept_until_the_outermost_user_is_done(library):
    with memory.retain_freed_memory():
        assert (library.told[memory.MMAP_MAX], library.told[memory.TRIM_THRESHOLD]) == (0, -1)
        with contextlib.suppress(KeyError), memory.retain_freed_memory():
            raise KeyError
        assert library.trimmed == 0
        assert library.told[memory.MMAP_MAX] == 0
    assert library.trimmed == 1
    assert library.told[memory.MMAP_MAX] > 0
    assert library.told[memory.TRIM_THRESHOLD] > 0


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: SimpleNamespace())
    with memory.retain_freed_memory():
        assert np.ones(3).sum() == 3
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: ctypes_fails())
    with memory.retain_freed_memory():
        assert np.ones(3).sum() == 3


def test_a_container_has_what_it_may_use(tmp_path, monkeypatch):
    machine = memory.free_bytes()
    assert machine > 0
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_bytes() > 0, "no container"
    (tmp_path / "memory.max").write_text("4000000\n")
    (tmp_path / "memory.current").write_text("3500000\n")
    (tmp_path / "memory.stat").write_text("anon 2000000\ninactive_file 1000000\n")
    assert memory.free_bytes() == 1_500_000, "what files take is given back on demand"
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes() > 4_000_000


def ctypes_fails():
    raise TypeError("on Windows there is no library without a name")


def test_with_the_real_library_large_arrays_still_work():
    with memory.retain_freed_memory():
        assert np.ones(20_000_000).sum() == 20_000_000
    assert np.ones(20_000_000).sum() == 20_000_000


@pytest.mark.parametrize(
    ("error", "ran_out"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 9"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("Some tensors share memory, this will lead to duplicate memory on disk"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_that_memory_ran_out_is_told_from_other_errors(error, ran_out):
    assert memory.ran_out(error) is ran_out
