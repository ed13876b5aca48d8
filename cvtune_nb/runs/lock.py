"""One process at a time: who trains a run, climbs the ladder of a workspace or sweeps it holds a lock.

It is a lock of the operating system (filelock: flock on Unix, msvcrt.locking on Windows), so it ends with its process,
however that ends; a note beside it says who holds it. On a disk that several hosts share, Linux's NFS (from version 4
on; 3 with its lock service), SMB, Lustre (mounted with `flock`), CephFS and GPFS carry it between hosts, and free it
some time after a host has crashed (NFS: about 90 seconds); mounted with `nolock` or `local_lock`, or through FUSE, it
may hold on one host only. Where a disk has no locks at all, work goes on without one.
"""

import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.quiet import quiet
from cvtune_nb.workspace import now

PATIENCE = 1.0
"""Seconds for which a lock is tried: somebody who only looks whether it is held has it for a moment."""
LOOK = 0.05
"""Seconds after which a lock that is held counts as held."""
POLL = 0.5
"""Seconds between two looks while it is waited for."""

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What the operating system says of a disk without locks."""
_OURS: set[Path] = set()
"""What this process holds."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: host, process id, since when (UTC, ISO 8601), and the command."""

    host: str
    pid: int
    since: str
    command: str

    @property
    def words(self) -> str:
        """For example "cvtune train (process 4711 on this machine, since 2026-11-27 18:31 UTC)"."""
        host = "this machine" if self.host == socket.gethostname() else self.host
        since = self.since[:16].replace("T", " ")
        return f"{self.command} (process {self.pid} on {host}, since {since} UTC)"


class Held(InputError):
    """Another process holds the lock in `file`."""

    def __init__(self, file: Path, doing: str, way_out: str):
        self.file, self._made_of = file, (file, doing, way_out)
        by = _note(file)
        super().__init__(f"{by.words if by else 'another process'} is {doing}: {way_out}")

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str, str]]:  # from a worker to its kernel
        return type(self), self._made_of


@contextlib.contextmanager
def holding(file: Path, doing: str, way_out: str, patience: float = PATIENCE) -> Iterator[None]:
    """Within it this process holds the lock in `file`, which threads share.

    Parameters
    ----------
    file
        The lock's file; it stays there.
    doing, way_out
        What is done with it ("training run 001-..."), and what a person can do who is refused it.
    patience
        Seconds for which it is tried.

    Raises
    ------
    Held
        When another process, or another thread of this one, holds it.
    """
    file = Path(file)
    if file in _OURS:
        raise Held(file, doing, way_out)
    lock = _lock(file)
    with contextlib.ExitStack() as after:
        try:
            with quiet():  # about disks without locks
                after.enter_context(lock.acquire(timeout=patience, poll_interval=LOOK / 2))
        except Timeout:
            raise Held(file, doing, way_out) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        _OURS.add(file)
        after.callback(_OURS.discard, file)
        note = {"host": socket.gethostname(), "pid": os.getpid(), "since": now(), "command": command()}
        write_json(_beside(file), note)
        after.callback(_beside(file).unlink, missing_ok=True)
        yield


def holder(file: Path) -> Holder | None:
    """Who holds the lock in `file` now; None when nobody does. What a killed process has left is cleared away."""
    by = _note(file)
    if by is None or file in _OURS:
        return by
    try:
        with _lock(file).acquire(timeout=LOOK, poll_interval=LOOK / 4):
            _beside(file).unlink(missing_ok=True)
    except Timeout:
        return by
    except OSError:  # a workspace that may only be read, or a disk without locks
        return None
    return None


def wait(file: Path, progress: Progress = silent, words: str = "waiting") -> None:
    """Return once nobody holds a lock.

    Parameters
    ----------
    file
        The lock's.
    progress
        Called all the time; may raise Stopped.
    words
        What it is called with, before the name of the holder.
    """
    while (by := holder(file)) is not None:
        progress(0.0, f"{words}: {by.words}")
        time.sleep(POLL)


def _lock(file: Path) -> FileLock:
    """One for this call; others who may write in the folder may lock its file, too."""
    return FileLock(file, mode=0o666, thread_local=False)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def _note(file: Path) -> Holder | None:
    try:
        told = read_json(_beside(file))
        return Holder(str(told["host"]), int(told["pid"]), str(told["since"]), str(told["command"]))
    except (OSError, InputError, KeyError, ValueError):
        return None


def command() -> str:
    """What this process is called, for a person to find it."""
    if "ipykernel" in sys.modules:
        return "a notebook"
    program = Path(sys.argv[0] if sys.argv else "")
    if program.name == "default_worker.py":
        return "a Ray worker"
    name = program.parent.name if program.name == "__main__.py" else program.name
    if name in ("cvtune", "cvtune_nb"):
        return " ".join(["cvtune", *sys.argv[1:2]])
    return name or "a Python program"
