"""What memory there is, and how the C library hands it out while networks compute."""

import contextlib
import ctypes
import gc
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import psutil

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use."""
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Parameters of mallopt, by their numbers in glibc's malloc.h."""

RAN_OUT = re.compile(
    r"(out of|not enough|insufficient|no) memory|allocat\w*.{0,40} memory|memory.{0,40} allocat|bad_alloc"
    r"|could not create a (primitive|memory object)|_ALLOC_FAILED",
    re.IGNORECASE,
)
"""What is said where there was no memory; that tensors share memory is another matter."""

_lock, _users = Lock(), 0


def ran_out(error: Exception) -> bool:
    """Whether `error` says that there was no memory: Python's own, PyTorch's, oneDNN's, cuDNN's and cuBLAS's."""
    # oneDNN does not name memory (seen with a limit on the address space)
    return isinstance(error, MemoryError) or bool(RAN_OUT.search(str(error)))


def release() -> None:
    """Give back the memory of what nothing refers to any more, a GPU's to its driver, too."""
    import torch  # which not all who ask for free memory have imported

    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def free_bytes() -> int:
    """Memory of this machine that is free for us; in a container, of what it may use."""
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max": no limit
        most, used = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        cached = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        free = min(free, most - used + int(cached.get("inactive_file", 0)))
    return free


def _glibc() -> ctypes.CDLL | None:
    with contextlib.suppress(OSError, TypeError):
        library = ctypes.CDLL(None)
        return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
    return None


@contextlib.contextmanager
def retain_freed_memory() -> Iterator[None]:
    """A context in which freed memory is kept for what comes next; it goes back to the system at the end.

    Without it glibc asks the system anew for every tensor above 32 MB, and the system fills it with zeros, page by
    page: docs/measurements.md, "Freed memory retained". Does nothing where the C library is not glibc.
    """
    global _users
    glibc = _glibc()
    if glibc is None:
        yield
        return
    with _lock:
        _users += 1
        glibc.mallopt(MMAP_MAX, 0)
        glibc.mallopt(TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:  # setting one ends glibc's own adjusting for good: these are what it would come to
                glibc.mallopt(MMAP_MAX, 65_536)
                glibc.mallopt(MMAP_THRESHOLD, 32 << 20)
                glibc.mallopt(TRIM_THRESHOLD, 64 << 20)
                glibc.malloc_trim(0)
