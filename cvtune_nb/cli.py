"""The command line: the steps of the workbook without a notebook. `cvtune --help` lists them.

Every command prints text on stdout, or with --json one JSON object; progress and errors go to stderr. Where a command
fails, the object holds the reason as `error`. Exit status: 0 done, 2 bad input (one sentence says what to do), 3
stopped early with the work kept.
"""

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from threading import Event
from typing import Any, NoReturn

from cvtune_nb import __version__
from cvtune_nb.commands import COMMANDS
from cvtune_nb.commands.command import BAD_INPUT, STOPPED, Result
from cvtune_nb.console import Meter, plain
from cvtune_nb.errors import InputError, Stopped, in_words


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    started = time.monotonic()
    given = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parser().parse_args(given)
    except WrongUsage as error:
        print(error, file=sys.stderr)
        if "--json" in given:
            _print(json.dumps({"error": str(error)}))
        raise SystemExit(BAD_INPUT) from None
    arguments.started = started
    # of the processes of torchrun the first one speaks
    meter = Meter(quiet="TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0")
    try:
        # what a library prints on stdout must not get into the JSON
        with _interrupts(meter.stop), contextlib.redirect_stdout(sys.stderr):
            result = COMMANDS[arguments.command].run(arguments, meter)
    except (InputError, OSError, Stopped, KeyboardInterrupt, ModuleNotFoundError) as error:
        result = _failed(error, meter, arguments.command)
    meter.close()
    if meter.quiet:
        return result.status
    _print(json.dumps(plain(result.values), allow_nan=False) if arguments.json else result.text)
    return result.status


def _failed(error: BaseException, meter: Meter, command: str) -> Result:
    """Say in one sentence why the command ended."""
    if meter.stop.is_set() or isinstance(error, Stopped | KeyboardInterrupt):
        meter.say(f"cvtune {command}: stopped; what was done is kept, and the same command goes on from there")
        return Result({"state": "stopped"}, "", STOPPED)
    words = in_words(error) if isinstance(error, OSError) else str(error)
    if isinstance(error, ModuleNotFoundError):
        words = f"{error.name} is not installed: `pip install cvtune-nb` installs all that is needed"
    meter.say(f"cvtune {command}: {words}")
    return Result({"error": words, **getattr(error, "found", {})}, "", BAD_INPUT)


def _print(text: str) -> None:
    """`text` on stdout, whatever its encoding, and also when nobody reads to the end (| head)."""
    if not text:
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _interrupts(stop: Event) -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM set `stop`, which ends the work at the next safe point.

    A second one ends it at once.
    """

    def ask(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("stopping at the next safe point; once more to stop at once", file=sys.stderr, flush=True)

    before = {}
    with contextlib.suppress(ValueError):  # raised outside the main thread, where signals can't be handled
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- the parser ---------------------------------------------------------------------------------------------


class WrongUsage(Exception):
    """An argument that is unknown, missing or no value of its kind: what is wrong, and where the help is."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence on one line."""

    def error(self, message: str) -> NoReturn:
        """Raises WrongUsage."""
        raise WrongUsage(f"{self.prog}: {message}; `{self.prog} --help` shows what there is")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does, but photos may also stand behind options.

        Where they are optional, argparse looks for them only right behind the arguments that are required.
        """
        found, left = super().parse_known_args(args, namespace)
        if "photos" in found and not any(word.startswith("-") for word in left):
            found.photos, left = [*found.photos, *left], []
        return found, left


def _parser() -> Parser:
    parser = Parser(
        prog="cvtune",
        description="From a folder of labelled photos to an image classifier, step by step.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cvtune {__version__}")
    steps = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Parser)
    for command in COMMANDS.values():
        description = command.help[0].upper() + command.help[1:] + "."
        made = steps.add_parser(command.name, help=command.help, description=description, allow_abbrev=False)
        made.set_defaults(json=False)
        for add_to in command.arguments:
            add_to(made)
        if command.has_result:
            made.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser
