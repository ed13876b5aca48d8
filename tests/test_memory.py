import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from cvtune_nb import memory


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
    with memory.kept():
        assert (library.told[memory.MMAP_MAX], library.told[memory.TRIM_THRESHOLD]) == (0, -1)
        with contextlib.suppress(KeyError), memory.kept():
            raise KeyError
        assert library.trimmed == 0
        assert library.told[memory.MMAP_MAX] == 0
    assert library.trimmed == 1
    assert library.told[memory.MMAP_MAX] > 0
    assert library.told[memory.TRIM_THRESHOLD] > 0


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: SimpleNamespace())
    with memory.kept():
        assert np.ones(3).sum() == 3
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: ctypes_fails())
    with memory.kept():
        assert np.ones(3).sum() == 3


def ctypes_fails():
    raise TypeError("on Windows there is no library without a name")


def test_with_the_real_library_large_arrays_still_work():
    with memory.kept():
        assert np.ones(20_000_000).sum() == 20_000_000
    assert np.ones(20_000_000).sum() == 20_000_000
