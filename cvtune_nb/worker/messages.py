"""What a kernel and its worker say to each other, over a connection of this machine that asks for a key."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, cast

HOST = "127.0.0.1"


def reach(port: int, key: bytes) -> Connection:
    """A connection to the worker that listens at this port. Raises OSError, EOFError or AuthenticationError."""
    return cast("Connection", Client((HOST, port), authkey=key))


def send(connection: Connection, message: Any) -> None:
    """Send one of the messages below. Raises OSError, and what pickle raises for what can't be sent.

    It is pickled whole: multiprocessing would pass tensors as memory that ends with the process that sent them.
    """
    connection.send_bytes(pickle.dumps(message))


def receive(connection: Connection) -> Any:
    """The next message, of the other half of this program, which has the key. Raises EOFError or OSError at the end."""
    return pickle.loads(connection.recv_bytes())  # noqa: S301 - of our own process


@dataclass(frozen=True)
class Call:
    """Asks the worker to run a function.

    Attributes
    ----------
    function
        Of a module, which the worker imports.
    arguments, named
        Its arguments.
    live
        Names of further arguments, each a call that shows the work as it goes: the worker sends a Shown for each.
    record
        A file that says how to reach the worker, as long as the work goes on; None: none is written.
    give
        Whether what the function returns is sent back; if not, it is the files that it leaves that count.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    live: tuple[str, ...] = ()
    record: Path | None = None
    give: bool = True


@dataclass(frozen=True)
class Watch:
    """Asks for the progress and the result of what is under way."""


@dataclass(frozen=True)
class Stop:
    """Asks the work to stop at its next report of progress."""


@dataclass(frozen=True)
class Progressed:
    """How far the work is: the fraction done, and a few words."""

    share: float
    words: str


@dataclass(frozen=True)
class Shown:
    """The arguments of one of the calls that show the work as it goes."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Ended:
    """How the work ended: what it returned, or what it raised, with its traceback."""

    result: Any = None
    error: BaseException | None = None
    trace: str = ""
