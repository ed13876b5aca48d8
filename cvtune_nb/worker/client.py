"""The kernel's side: a worker that is started when it is needed, and work that is followed until it ends."""

import contextlib
import importlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cvtune_nb.errors import Stopped, WorkerDied
from cvtune_nb.files import Progress, silent
from cvtune_nb.worker import record
from cvtune_nb.worker.memory_events import kills
from cvtune_nb.worker.messages import Call, Ended, Progressed, Shown, Stop, Watch, reach, receive, send

TICK = 0.1
"""Seconds between two looks at whether the person pressed Stop."""
Live = Mapping[str, Callable[..., Any]]
"""Calls that show work as it goes, by the name of the argument that they are."""


class Worker:
    """A process for this kernel's heavy work, one piece after the other; it is started anew when it has died.

    It is no child that ends with the kernel: an interrupt or a restart of the kernel does not reach it, and it finishes
    what is under way before it ends.
    """

    def __init__(self) -> None:
        self._turn, self._starting = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._connection: Connection | None = None
        self._errors: Any = None

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def warm(self, module: str) -> None:
        """Start the process now, and import a module there, so that the first work need not wait for it."""

        def start() -> None:
            with contextlib.suppress(WorkerDied, OSError):  # whoever needs it is told
                self.run(_imported, module, progress=silent, give=False)

        threading.Thread(target=start, name="cvtune-worker", daemon=True).start()

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        progress: Progress,
        live: Live | None = None,
        record: Path | None = None,
        give: bool = True,
        **named: Any,
    ) -> Any:
        """`function(*arguments, progress=..., **live, **named)`, run in the process.

        Parameters
        ----------
        function
            Of a module. What it is given, returns and raises is copied from process to process.
        progress
            Called with the work's progress, and in between. Stopped, raised in it, stops the work.
        live
            Called here while the work goes on.
        record
            A file by which another kernel can watch the work (`attach`).
        give
            False: what the function returns is not sent back, for what counts is in its files; this returns None.

        Raises
        ------
        WorkerDied
            The process was killed, or crashed.
        Exception
            What the function raises.
        """
        live = live or {}
        while not self._turn.acquire(timeout=TICK):
            progress(0.0, "waiting until the other work of this notebook has ended")
        try:
            call = Call(function, arguments, named, tuple(live), record, give)
            try:
                return self._done(call, progress, live)
            except _Gone:  # it had been idle for long, and ended just now
                return self._done(call, progress, live)
        finally:
            self._turn.release()

    def _done(self, call: Call, progress: Progress, live: Live) -> Any:
        connection, before = self._connected(), kills()
        try:
            send(connection, call)
            return _followed(connection, progress, live)
        except (EOFError, ConnectionError):
            raise self._died(before, call.record) from None
        except KeyboardInterrupt:  # in the middle of the conversation: another process is started for the next
            self._leave()
            raise

    def _connected(self) -> Connection:
        with self._starting:
            if self._connection is None or self.pid is None:
                self._start()
            assert self._connection
            return self._connection

    def _leave(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _start(self) -> None:
        self._leave()
        key = secrets.token_bytes(32)
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - as long as it
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cvtune_nb.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
            **_detached(),
        )
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{key.hex()}\n")
        self._process.stdin.close()
        port = self._process.stdout.readline().strip()
        if not port:
            raise WorkerDied(f"the process that works for this notebook can't be started: {self._last_words()}")
        self._connection = reach(int(port), key)

    def _died(self, before: int, record: Path | None) -> WorkerDied:
        assert self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        if record:
            record.unlink(missing_ok=True)
        code = self._process.poll()
        if code == 0:
            return _Gone("The process that does this notebook's work has ended.")
        killed = sys.platform != "win32" and code == -signal.SIGKILL
        if killed and kills() > before:
            return WorkerDied(
                "Memory ran out, and the operating system ended the process that did this work. The notebook and all "
                "that was finished are still there.",
                out_of_memory=True,
            )
        how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit status {code}"
        return WorkerDied(
            f"The process that did this work has ended unexpectedly ({how}). The notebook and all that was finished "
            "are still there: press Resume, or start it again, to go on from there.",
            details=self._last_words(),
        )

    def _last_words(self) -> str:
        """The end of what the process wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read()[-4000:].strip()


def under_way(file: Path) -> bool:
    """Whether the work with this record goes on. A record that was left behind is deleted."""
    connection = _reached(file)
    if connection:
        connection.close()
    return connection is not None


def attach(file: Path, progress: Progress, live: Live | None = None) -> Any:
    """Follow work that another kernel has begun, as `Worker.run` does.

    Parameters
    ----------
    file
        Its record.
    progress, live
        As for `Worker.run`.

    Raises
    ------
    Stopped
        It has ended meanwhile, or was stopped.
    WorkerDied, Exception
        As `Worker.run`.
    """
    connection = _reached(file)
    if connection is None:
        raise Stopped("this work has ended")
    with connection:
        try:
            send(connection, Watch())
            return _followed(connection, progress, live or {})
        except (EOFError, ConnectionError):
            file.unlink(missing_ok=True)
            raise WorkerDied(
                "The process that did this work has ended unexpectedly. All that was finished is still there: press "
                "Resume, or start it again, to go on from there."
            ) from None


def _reached(file: Path) -> Connection | None:
    known = record.read(file)
    if known is None:
        return None
    port, key = known
    try:
        return reach(port, key)
    except (OSError, EOFError):
        pass
    except Exception:  # noqa: BLE001, S110 - another program listens there by now
        pass
    file.unlink(missing_ok=True)
    return None


def _followed(connection: Connection, progress: Progress, live: Live) -> Any:
    """Pass on what the worker says until the work has ended; returns what it gave, or raises what it raised.

    An error in one of the calls here stops the work, and is raised once that has ended: nothing is left unsaid on the
    connection.
    """
    last, stop = Progressed(0.0, ""), _Stop(connection)
    while True:
        stop.unless_done(progress, last.share, last.words)
        if not connection.poll(TICK):
            continue
        message = receive(connection)
        if isinstance(message, Progressed):
            last = message
        elif isinstance(message, Shown) and message.name in live:
            stop.unless_done(live[message.name], *message.arguments)
        elif isinstance(message, Ended):
            if stop.error:
                raise stop.error
            if message.error is not None:
                raise message.error from _There(message.trace)
            return message.result


class _Stop:
    """Stops the work once one of the calls that follow it does not return.

    error: what it raised, unless that was Stopped: what the work makes of being stopped counts then.
    """

    def __init__(self, connection: Connection):
        self.connection, self.sent = connection, False
        self.error: Exception | None = None

    def unless_done(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call it, unless the work is being stopped."""
        if self.sent:
            return
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - raised by whoever follows the work
            self.error, self.sent = None if isinstance(error, Stopped) else error, True
            send(self.connection, Stop())


def _imported(module: str, progress: Progress) -> None:
    """Import it."""
    importlib.import_module(module)
    progress(1.0, "ready")


class _Gone(WorkerDied):
    """It ended by itself, with nothing to do."""


class _There(Exception):
    """The traceback of an error in the worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _detached() -> dict[str, Any]:
    """So that the kernel's interrupts and its end do not reach the process."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
