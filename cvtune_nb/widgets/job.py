"""Work in the background of a notebook: started by a button, stopped by a button, in place when nobody watches."""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from IPython import get_ipython

from cvtune_nb.errors import Stopped
from cvtune_nb.files import Progress

REPORTS_A_SECOND = 5
"""How often progress is passed on; more makes the page slow, not smoother."""

Work = Callable[[Progress], Any]
"""What a job runs: it gets a Progress to call now and then, and its return value is the job's result."""


class NotReady(RuntimeError):
    """Ends "Run All" with one friendly line instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"▸ {self}"]


def headless() -> bool:
    """True when no person can press a button: a script, nbclient, papermill, `jupyter execute`.

    JupyterLab and Notebook 7 name the cell in each request (`cellId`); the runners do not. $CVTUNE_HEADLESS (0 or 1)
    overrules. VS Code and Colab do not name the cell but have a person in front of them.
    """
    told = os.environ.get("CVTUNE_HEADLESS")
    if told:
        return told != "0"
    shell = get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return True
    if "VSCODE_PID" in os.environ or "google.colab" in sys.modules:
        return False
    return "cellId" not in (shell.get_parent() or {}).get("metadata", {})


class Job:
    """One piece of work at a time, in a daemon thread.

    Listeners are called with the job, in the working thread, when any of its attributes changes.

    Attributes
    ----------
    state
        idle, running, done, stopped or failed.
    result
        What the work returned (None until then).
    error
        What it raised.
    share, words
        The progress last reported: fraction done, and a few words.
    seconds
        How long it ran.
    """

    def __init__(self) -> None:
        self.state, self.result, self.error = "idle", None, None
        self.share, self.words, self.seconds = 0.0, "", 0.0
        self.listeners: list[Callable[[Job], None]] = []
        self._lock, self._stop, self._ended = threading.Lock(), threading.Event(), threading.Event()
        self._reported, self._next = 0.0, None
        self._since = 0.0, 0.0  # when this stretch of the work began, and at which share

    @property
    def running(self) -> bool:
        """Whether work is under way."""
        return self.state == "running"

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not ended yet."""
        return self.running and self._stop.is_set()

    @property
    def left(self) -> float | None:
        """Seconds until the end, at the speed measured so far; None before there is enough to go by."""
        began, share = self._since
        took, done = time.monotonic() - began, self.share - share
        return took / done * (1 - self.share) if self.running and took > 2 and done > 0.01 else None

    def start(self, work: Work, block: bool = False, instead: bool = False) -> bool:
        """Run `work` in a thread.

        Returns False, and does nothing, when other work is under way (without `instead`): a double click, or the panel
        open in two tabs.

        Parameters
        ----------
        work
            What to run.
        block
            Run it in this thread instead, and raise its error here.
        instead
            Stop what is under way, and run `work` as soon as that has ended.
        """
        with self._lock:
            if self.running:
                if instead:
                    self._next = work
                    self._stop.set()
                return instead
            self._begin()
            self._ended.clear()
        if block:
            self._run(work)
            if self.error is not None:
                raise self.error
        else:
            threading.Thread(target=self._run, args=(work,), name="cvtune-job", daemon=True).start()
        return True

    def stop(self) -> None:
        """Ask the work to end; it does at its next report of progress, and keeps what it has."""
        self._stop.set()

    def progress(self, share: float, words: str) -> None:
        """The Progress given to the work. Raises Stopped after `stop`."""
        if self._stop.is_set():
            raise Stopped("stopped by the person")
        now = time.monotonic()
        if share < self.share or not self._since[0]:  # the next step of the work counts from 0 again
            self._since = now, share
        self.share, self.words = share, words
        if now - self._reported > 1 / REPORTS_A_SECOND:
            self._reported = now
            self._tell()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most `seconds`; True when it has come."""
        return self._ended.wait(seconds)

    def _begin(self) -> None:
        self.state, self.error, self.share, self.words = "running", None, 0.0, ""
        self._since = 0.0, 0.0
        self._stop.clear()

    def _run(self, work: Work | None) -> None:
        while work:
            start = time.monotonic()
            self._tell()
            state, error = "failed", None
            try:
                self.result = work(self.progress)
                state = "stopped" if self._stop.is_set() else "done"
            except (Stopped, KeyboardInterrupt):
                state = "stopped"
            except BaseException as raised:  # noqa: BLE001 - whatever it is, the person must see it
                error = raised
            with self._lock:
                work, self._next = self._next, None
                if work:  # what this one came to does not matter any more
                    self._begin()
                else:
                    self.state, self.error, self.seconds = state, error, time.monotonic() - start
        try:
            self._tell()
        finally:
            self._ended.set()

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener(self)
