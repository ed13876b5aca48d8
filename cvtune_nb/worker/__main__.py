"""The worker itself: python -m cvtune_nb.worker. It reads its key from stdin and prints the port that it listens at."""

import contextlib
import faulthandler
import queue
import sys
import threading
import time
import traceback
from functools import partial
from multiprocessing.connection import Connection, Listener
from typing import Any, cast

from cvtune_nb.errors import Stopped
from cvtune_nb.worker import record
from cvtune_nb.worker.messages import HOST, Call, Ended, Progressed, Shown, Stop, Watch, receive, send

REPORTS_A_SECOND = 10
"""How often progress is passed on, at most."""
ALONE_SECONDS = 30.0
"""How long it waits for its first kernel."""
IDLE_SECONDS = 600.0
"""How long it waits for more work, for it holds hundreds of megabytes; a kernel starts another one when it needs it."""


class Server:
    """One piece of work at a time, for whoever is connected.

    It ends when nobody is connected and nothing is under way: work goes on without the kernel that asked for it, and
    another one can watch it.
    """

    def __init__(self, key: bytes):
        self._listener, self._key = Listener((HOST, 0), authkey=key), key
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._stop, self._lock = threading.Event(), threading.RLock()
        self._connected: set[Connection] = set()
        self._watching: set[Connection] = set()
        self._busy, self._last, self._reported = False, Progressed(0.0, ""), 0.0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.address[1])

    def serve(self) -> None:
        """Do what is asked for, in this thread, until nobody is there any more."""
        threading.Thread(target=self._accept, daemon=True).start()
        alone = threading.Timer(ALONE_SECONDS, self._leave)
        alone.daemon = True  # it does not keep the process from ending
        alone.start()
        with contextlib.suppress(queue.Empty):
            while (call := self._calls.get(timeout=IDLE_SECONDS)) is not None:
                self._run(call)

    # -- who is connected -------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                connection = cast("Connection", self._listener.accept())
            except Exception:  # noqa: BLE001, S112 - somebody without the key, or who has gone already
                continue
            with self._lock:
                self._connected.add(connection)
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: Connection) -> None:
        while True:
            try:
                self._told(connection, receive(connection))
            except (EOFError, OSError):
                break
            except Exception as error:  # noqa: BLE001 - a call that can't be read: its function is not there, say
                with self._lock:
                    words = f"the worker can't read what it should do: {error}"
                    self._send(connection, Ended(error=RuntimeError(words), trace=traceback.format_exc()))
        with self._lock:
            self._connected.discard(connection)
            self._watching.discard(connection)
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            if not self._connected and not self._busy:
                self._calls.put(None)

    def _told(self, connection: Connection, message: Any) -> None:
        with self._lock:
            if isinstance(message, Stop):
                self._stop.set()
            elif isinstance(message, Watch) and not self._busy:
                self._send(connection, Ended(error=Stopped("this work has ended")))
            elif isinstance(message, Watch):
                self._watching.add(connection)
                self._send(connection, self._last)
            elif isinstance(message, Call):
                self._watching.add(connection)
                self._busy = True
                self._calls.put(message)

    @staticmethod
    def _send(connection: Connection, message: Any) -> None:
        with contextlib.suppress(OSError):  # whoever asked has gone; what was found is in the workspace
            send(connection, message)

    def _tell(self, message: Any) -> None:
        with self._lock:
            for connection in list(self._watching):
                self._send(connection, message)

    # -- work -------------------------------------------------------------------------------------------------

    def _run(self, call: Call) -> None:
        self._stop.clear()
        self._last, self._reported = Progressed(0.0, ""), 0.0
        live = {name: partial(self._show, name) for name in call.live}
        try:
            with record.kept(call.record, self.port, self._key):
                result = call.function(*call.arguments, **call.named, **live, progress=self._progress)
                ended = Ended(result if call.give else None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the person must see it
            ended = Ended(error=error, trace=traceback.format_exc())
        with self._lock:
            try:
                self._tell(ended)
            except Exception as error:  # noqa: BLE001 - a result or an error that can't be sent
                words = f"{ended.error or 'what the work gave'} can't be passed on: {error}"
                self._tell(Ended(error=RuntimeError(words), trace=ended.trace))
            self._busy = False
            self._watching.clear()
        self._leave()

    def _progress(self, share: float, words: str) -> None:
        if self._stop.is_set():
            raise Stopped("stopped by the person")
        self._last, clock = Progressed(share, words), time.monotonic()
        if clock - self._reported > 1 / REPORTS_A_SECOND:
            self._reported = clock
            self._tell(self._last)

    def _show(self, name: str, *arguments: Any) -> None:
        self._tell(Shown(name, arguments))


def main() -> None:
    """Listen, and say where."""
    faulthandler.enable()
    server = Server(bytes.fromhex(sys.stdin.readline().strip()))
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
