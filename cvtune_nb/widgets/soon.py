"""Work beside the kernel that waits until the controls have come to rest."""

import atexit
import threading
import weakref
from collections.abc import Callable

PAUSE = 0.4
"""Seconds without a change of the controls before the work begins."""

_WAITING: weakref.WeakSet[threading.Timer] = weakref.WeakSet()


@atexit.register
def _let_it_end() -> None:
    """Python that exits while another thread is inside torch aborts: wait for it, some seconds at most."""
    for timer in list(_WAITING):
        timer.cancel()
        timer.join(10)


class Soon:
    """Calling it runs `work` in a thread, once no other call has come for a while."""

    def __init__(self, work: Callable[[], None]):
        self._work, self._timer = work, None

    def __call__(self) -> None:
        """Begin to wait anew."""
        self.cancel()
        self._timer = threading.Timer(PAUSE, self._work)
        self._timer.daemon = True
        self._timer.start()
        _WAITING.add(self._timer)

    def cancel(self) -> None:
        """Forget a call whose work has not begun."""
        if self._timer:
            self._timer.cancel()
