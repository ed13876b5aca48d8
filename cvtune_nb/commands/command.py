"""How a command is declared, and what it gives."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cvtune_nb.commands.flags import Argument
from cvtune_nb.console import Meter

DONE, BAD_INPUT, STOPPED = 0, 2, 3
"""Exit status: all done; bad input, and one sentence says what to do; stopped early with the work kept."""


@dataclass(frozen=True)
class Result:
    """What a command found: `values` for --json, `text` to read without it."""

    values: dict[str, Any]
    text: str
    status: int = DONE


@dataclass(frozen=True)
class Command:
    """One command of `cvtune`; `cvtune_nb.commands.COMMANDS` lists them all.

    has_result: it prints a Result, as text or with --json as one JSON object.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace, Meter], Result]
    arguments: tuple[Argument, ...]
    has_result: bool = True


def command(*arguments: Argument, has_result: bool = True) -> Callable[..., Command]:
    """Make a Command of a function of the arguments and a Meter; its name is the command's, its docstring the help."""

    def made(run: Callable[[argparse.Namespace, Meter], Result]) -> Command:
        return Command(run.__name__.replace("_", "-"), run.__doc__ or "", run, arguments, has_result)

    return made
