"""The process that serves: an address, signals, a peaceful end."""

import asyncio
import contextlib
import functools
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn

from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Model
from cvtune_nb.export.serving.application import application
from cvtune_nb.export.serving.reading import LARGEST_HEAD, Limits
from cvtune_nb.export.serving.service import Service

GRACE = 1.0
"""Seconds between the signal to end and the closing of connections: what arrives on open ones is still answered."""
MOST_CONNECTIONS = 1_000


class Server(uvicorn.Server):
    """uvicorn, but the first signal to end lets all that has arrived be answered, and the process ends with 0."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, service: Service):
        super().__init__(config)
        self.listening, self.service, self.let_in = listening, service, []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Instead of uvicorn's, which ends the process by the signal once more."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, *_: object) -> None:
        """The first time, close in peace; the second time, at once."""
        self.force_exit = self.should_exit = self.service.closing
        if not self.service.closing:
            self.service.closing = True
            self.loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        """Let in who stands at the door, and shut it; who is in is still answered."""
        protocol = functools.partial(
            self.config.http_protocol_class,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        with contextlib.suppress(BlockingIOError):
            while True:
                plug, _ = self.listening.accept()
                self.let_in.append(self.loop.create_task(self.loop.connect_accepted_socket(protocol, plug)))
        for server in self.servers:
            server.close()
        self.loop.call_later(GRACE, setattr, self, "should_exit", True)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)


def serve(model: Model, host: str, port: int, token: str = "", limits: Limits | None = None) -> None:
    """Serve a model until SIGTERM or Ctrl-C; the address is printed on stderr.

    Parameters
    ----------
    model
        What is served.
    host, port
        Where; port 0: a free one.
    token
        What requests must carry; "": nothing.
    limits
        What a request may cost.

    Raises
    ------
    InputError
        When it can't listen at that address.
    """
    app = application(model, limits, token)
    config = uvicorn.Config(
        app,
        host,
        port,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(app.state.service.limits.seconds) + 1,
    )
    listening = _listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    if not token and host not in ("127.0.0.1", "::1", "localhost"):
        print(f"anyone who can reach {host} can use this: give --token, or keep to 127.0.0.1", file=sys.stderr)
    print(f"http://{shown}:{listening.getsockname()[1]} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    with contextlib.closing(listening):
        asyncio.run(Server(config, listening, app.state.service).serve([listening]))


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(512)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{host}:{port} can't be served at ({why}): choose another --port or --host") from None
    return made
