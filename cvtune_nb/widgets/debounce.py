"""Work beside the kernel that waits until the controls have come to rest."""

import atexit
import sys
import threading
import weakref
from collections.abc import Callable

import zmq.utils.garbage  # noqa: F401 - what ends first was registered last: ours must end before large messages do

PAUSE = 0.4
"""Seconds without a change of the controls before the work begins."""

Still = Callable[[], bool]
"""Whether work is still wanted: no newer call has come."""


class Soon:
    """Calling it runs `work` in a thread, once no other call has come for a while.

    It never runs twice at once: of two that measure how fast something is, both would be wrong. `work` asks the Still
    it gets, and ends when it says no. When Python ends, it waits for work that has begun.

    pause: seconds without another call; None: PAUSE.
    """

    def __init__(self, work: Callable[[Still], None], pause: float | None = None):
        self._work, self._pause, self._call, self._one = work, pause, 0, threading.Lock()
        self._timers: weakref.WeakSet[threading.Timer] = weakref.WeakSet()
        _ALL.add(self)

    def __call__(self) -> None:
        """Begin to wait anew."""
        self.cancel()
        timer = threading.Timer(PAUSE if self._pause is None else self._pause, self._begin, [self._call])
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def cancel(self) -> None:
        """Forget the last call; work that has begun is not wanted any more."""
        self._call += 1
        for timer in list(self._timers):
            timer.cancel()

    def join(self, seconds: float) -> None:
        """Wait for work that has begun, so long at most."""
        for timer in list(self._timers):
            timer.join(seconds)

    def _begin(self, call: int) -> None:
        with self._one:
            if call == self._call:
                self._work(lambda: call == self._call)


_ALL: weakref.WeakSet[Soon] = weakref.WeakSet()


@atexit.register
def let_all_end() -> None:
    """Cancel every call, and wait some seconds at most for them to end.

    Python that exits while another thread is inside torch aborts, and a picture that is sent then breaks off in its
    middle, which JupyterLab takes for a damaged message.
    """
    for soon in list(_ALL):
        soon.cancel()
    for soon in list(_ALL):
        soon.join(10)
    sys.stdout.flush()  # in a kernel this waits until all that was drawn before is sent
