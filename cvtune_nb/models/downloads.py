"""Fetching files of weights: with their size, progress, Stop, resume and a checksum; and what that will cost."""

import contextlib
import functools
import http
import http.client
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

from filelock import FileLock, Timeout

from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, sha256_of, size_of, write_json

FIRST_GUESS = 5.0
"""Megabytes a second, assumed until a download was measured on this machine: a connection of 40 Mbit/s."""
MEASURABLE = 1.0
"""Megabytes below which a download says nothing about the connection's speed."""
TRIES = 5
"""How often in a row a download goes on after a break that brought nothing."""
PAUSE = 1.0
"""Seconds between two of these tries."""
SILENCE = 10.0
"""Seconds without a byte after which a connection counts as broken."""
MOMENT = 0.3
"""Seconds that a menu waits for a server's answer; without a network that comes sooner as a rule."""
CHUNK = 1 << 16
"""Bytes read at a time: few enough that Stop works at once."""


# -- whether a server answers -----------------------------------------------------------------------------------


def answers(url: str) -> bool:
    """Whether a server answers within 3 seconds; asked at most once a minute."""
    return _asked(url, int(time.monotonic() // 60))


@functools.cache
def _asked(url: str, minute: int) -> bool:  # noqa: ARG001 - the minute makes the answer expire
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the addresses come from the libraries
        with urllib.request.urlopen(request, timeout=3):  # noqa: S310
            return True
    except (OSError, ValueError, http.client.HTTPException):  # ValueError: what is set is no address
        return False


def last_answer(url: str) -> bool | None:
    """What `answers` said last; it is asked again in a thread, for which the caller waits MOMENT at most.

    None before the first answer.
    """
    minute = int(time.monotonic() // 60)
    if _ASKING.get(url) != minute:
        _ASKING[url] = minute
        thread = threading.Thread(target=lambda: _LAST.update({url: answers(url)}), name="cvtune-asks", daemon=True)
        thread.start()
        thread.join(MOMENT)
    return _LAST.get(url)


_ASKING: dict[str, int] = {}
"""The minute in which each server was asked last by `last_answer`."""
_LAST: dict[str, bool] = {}
"""What it answered."""


# -- where it is kept --------------------------------------------------------------------------------------------


def hub_folder() -> Path:
    """Where PyTorch's hub keeps what it fetches: torch.hub.get_dir, without importing torch, which takes seconds."""
    hub = sys.modules.get("torch.hub")
    if hub and hasattr(hub, "get_dir"):  # a person may have set another
        return Path(hub.get_dir())
    home = os.environ.get("TORCH_HOME", os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"))
    return Path(home).expanduser() / "hub"


# -- what it will cost --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Download:
    """What a download is expected to take; measured: whether its speed is that of the last one here."""

    megabytes: float
    seconds: float
    measured: bool = True

    @property
    def words(self) -> str:
        """For example "110 MB to download in about 22 s (5 MB/s, assumed until the first download)"."""
        speed = self.megabytes / max(self.seconds, 1e-9)
        basis = "as measured last" if self.measured else "assumed until the first download"
        return f"{self.megabytes:.0f} MB to download in about {duration(self.seconds)} ({speed:.2g} MB/s, {basis})"


def expected(megabytes: float) -> Download:
    """What downloading so much will take, at the speed of the last download on this machine."""
    try:
        speed = float(read_json(_speed_file())["megabytes_per_second"])
    except (OSError, InputError, KeyError, TypeError, ValueError):
        return Download(megabytes, megabytes / FIRST_GUESS, measured=False)
    return Download(megabytes, megabytes / max(speed, 1e-3))


def _speed_file() -> Path:
    """Beside the weights that torch.hub keeps: speed is the connection's, whatever the workspace."""
    return hub_folder() / "cvtune-download-speed.json"


# -- the download itself ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes
    ----------
    url, headers
        Where it is, and what is sent besides.
    file
        Where it is kept.
    sha256
        What the SHA-256 of its content begins with; "" where the server does not say.
    size
        Bytes; None where the server does not say.
    link
        Called once the file is there.
    """

    url: str
    file: Path
    sha256: str = ""
    size: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    link: Callable[[], object] = lambda: None


class Broken(OSError):
    """The connection broke, and trying again did not help."""


def fetch(remote: Remote, what: str, progress: Progress) -> None:
    """Have a file on disk; one that was begun before, by whomever, goes on where it ended.

    Parameters
    ----------
    remote
        The file.
    what
        Whose weights it holds, for messages.
    progress
        Called at every chunk; Stopped, raised in it, keeps what has come.

    Raises
    ------
    Broken, OSError
        The server does not answer, refuses, or breaks off again and again; what has come is kept.
    InputError
        What came is not what the server has announced; it is deleted.
    """
    remote.file.parent.mkdir(parents=True, exist_ok=True)
    partial = remote.file.with_name(f"{remote.file.name}.part")
    with _alone(partial.with_name(f"{partial.name}.lock"), what, progress):
        if not remote.file.exists():
            _fill(remote, partial, what, progress)
            _check(remote, partial, what)
            partial.replace(remote.file)
    remote.link()


@contextlib.contextmanager
def _alone(file: Path, what: str, progress: Progress) -> Iterator[None]:
    """One process at a time downloads; the others wait, and find the file."""
    lock = FileLock(file)
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            progress(0.0, f"another program is downloading the weights of {what}: waiting for it")
    try:
        yield
    finally:
        lock.release()


def _fill(remote: Remote, partial: Path, what: str, progress: Progress) -> None:
    """Download until all is there."""
    if not remote.sha256:  # nothing would tell that the parts of two downloads belong together
        partial.unlink(missing_ok=True)
    left, before, reached = TRIES, -1, 0.0

    def seen(share: float, words: str) -> None:
        nonlocal reached
        reached = share
        progress(share, words)

    while True:
        try:
            if _receive(remote, partial, what, seen):
                return
            why = "it broke off"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise
            why = str(getattr(error, "reason", error)) or type(error).__name__
        have = max(0, size_of(partial))
        left = TRIES if have > before >= 0 else left - 1
        if left <= 0:
            raise Broken(f"{why}, {have / 1e6:.0f} MB have come and are kept for the next try")
        before = have
        progress(reached, f"downloading the weights of {what}: the connection broke, trying again")
        time.sleep(PAUSE)


def _receive(remote: Remote, partial: Path, what: str, progress: Progress) -> bool:
    """Ask for what is missing, and keep what comes; whether that is all, as far as the server says how much it is."""
    have = max(0, size_of(partial))
    headers = {"User-Agent": "cvtune", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(remote.url, headers=headers)  # noqa: S310 - the addresses come from the libraries
    for name, value in remote.headers.items():  # a token is for this server, not for one that it redirects to
        request.add_unredirected_header(name, value)
    try:
        answer = urllib.request.urlopen(request, timeout=SILENCE)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        if remote.size != have:  # it is not the beginning of this file
            partial.unlink()
        return remote.size == have
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:  # from the beginning
            have = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise OSError("the server sent another part than was asked for")
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else remote.size
        begun, at_first = time.monotonic(), have
        with open(partial, "r+b" if have else "wb") as file:
            file.seek(have)
            while chunk := answer.read1(CHUNK):
                file.write(chunk)
                have += len(chunk)
                progress(min(1.0, have / total) if total else 0.0, _words(what, have, total))
    _remember_speed((have - at_first) / 1e6, time.monotonic() - begun)
    return have >= total if total else True


def _words(what: str, have: int, total: int | None) -> str:
    of = f" of {total / 1e6:.0f}" if total else ""
    return f"downloading the weights of {what}: {have / 1e6:.0f}{of} MB"


def _check(remote: Remote, partial: Path, what: str) -> None:
    """Raises InputError, and deletes what came, unless it is what was announced."""
    size = size_of(partial)
    if remote.size is not None and size != remote.size:
        why = f"{size} bytes instead of {remote.size}"
    elif not sha256_of(partial).startswith(remote.sha256):
        why = "its SHA-256 differs from the server's"
    else:
        return
    partial.unlink()
    raise InputError(
        f"the weights of {what} from {urlparse(remote.url).hostname} arrived damaged ({why}) and were deleted: "
        "try again, or use another connection"
    )


def _remember_speed(megabytes: float, seconds: float) -> None:
    if megabytes >= MEASURABLE and seconds > 0:
        with contextlib.suppress(OSError):  # where that folder can't be written, the next estimate is the first guess
            write_json(_speed_file(), {"megabytes_per_second": megabytes / seconds})
