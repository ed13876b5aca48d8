"""The command line: the steps of the workbook without a notebook. `cvtune --help` lists them.

Every command prints a table on stdout, or with --json one JSON object; progress and errors go to stderr. What can't be
done has its reason in that object, too, as `error`.
Exit status: 0 done, 2 bad input (one sentence says what to do), 3 stopped early with the work kept.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, NoReturn

from cvtune_nb import __version__, commands
from cvtune_nb.commands import BAD_INPUT, NETWORK, STOPPED, Result, flag
from cvtune_nb.console import Meter, plain
from cvtune_nb.errors import InputError, Stopped, in_words
from cvtune_nb.parameters import DETECTOR_PARAMETERS, LAYOUTS, PARAMETERS, RECOGNISE, Parameter


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
            result = arguments.do(arguments, meter)
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
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _interrupts(stop: Event) -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM set `stop`, which ends the work at the next safe point; a second one ends
    it at once."""

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
        """As argparse does, but photos may also stand behind options: where none have to be given it looks for them
        only right behind what must be."""
        found, left = super().parse_known_args(args, namespace)
        if "photos" in found and not any(word.startswith("-") for word in left):
            found.photos, left = [*found.photos, *left], []
        return found, left


RUN = "a run's id, best, last, or svm for the baseline; with --similarity also a frozen BACKBONE@SIZE"
BOXES = ("voc", "coco", "yolo")
BOXES_HELP = "which annotation files to read, where there are several kinds (what was chosen last)"
COMPONENTS = "what of a network's numbers is compared: pca, pca-whitened or none (pca)"
DISTANCE = "cosine, euclidean or manhattan (cosine)"


def _parser() -> Parser:
    parser = Parser(
        prog="cvtune",
        description="From a folder of labelled photos to an image classifier, step by step.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cvtune {__version__}")
    steps = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Parser)

    def step(
        do: Callable[..., Result],
        data: bool = True,
        parameters: tuple[str, ...] = (),
        declared: dict[str, Parameter] = PARAMETERS,
    ) -> Parser:
        """A command: its name and help are those of the function that does it."""
        words = do.__doc__.splitlines()[0]
        made = steps.add_parser(
            do.__name__, help=words, description=words[0].upper() + words[1:] + ".", allow_abbrev=False
        )
        made.set_defaults(do=do, json=False)
        if data:
            made.add_argument("--data", default="", metavar="PATH", help="photos: a folder, a CSV file, a zip or a tar")
            made.add_argument("--workspace", default="", metavar="DIR", help="where all that is computed is kept")
            made.add_argument(
                "--pixels-gb", default="", metavar="GB", help="most disk for decoded pixels, kept for next time; or all"
            )
            made.add_argument(
                "--white",
                default="",
                metavar="N",
                help="value that is shown white in photos of more than 8 bits a "
                "channel, such as 4095 for 12 bits, kept for next time; or auto (decided from all of them)",
            )
            made.add_argument("--black", default="", metavar="N", help="value that is shown black in such photos (0)")
        if data and do is not commands.detect:
            made.add_argument(
                "--layout",
                default="",
                metavar="L",
                help=f"how folders are to be read: {', '.join(LAYOUTS)}, or "
                f"{RECOGNISE} (as the time before, at first {RECOGNISE})",
            )
            made.add_argument(
                "--draw-validation",
                action=argparse.BooleanOptionalAction,
                default=None,
                help="where the split that you gave has no validation photos of a class, take some of its train photos",
            )
        for name in parameters:
            made.add_argument(flag(name), metavar="X", help=_help(declared[name]))
        if do not in (commands.lab, commands.serve):
            made.add_argument("--json", action="store_true", help="one JSON object on stdout, not a table")
        return made

    made = step(commands.sample, data=False, parameters=("seed",))
    made.add_argument("directory", metavar="DIR", help="a new folder")
    made.add_argument("--images-per-class", type=int, default=120, metavar="N", help="photos a class (120)")
    made.add_argument(
        "--kind",
        choices=("photos", "digits", "scenes"),
        default="photos",
        help="photos: made ones; digits: scikit-learn's 1,797 handwritten digits; scenes: N made photos of many small "
        "things, with their boxes",
    )
    step(commands.audit, parameters=NETWORK)
    made = step(commands.baseline, parameters=NETWORK)
    made.add_argument("--C", type=float, metavar="X", help="how hard the SVM tries to fit (chosen on validation)")
    made.add_argument("--kernel", choices=("linear", "rbf"), default="linear", help="of the SVM (linear)")
    made.add_argument("--open-test", action="store_true", help="look at the test set too; this is written down")
    made = step(commands.train, parameters=tuple(PARAMETERS))
    made.add_argument("--resume", metavar="RUN", help="go on with a stopped run: its id, best or last")
    made.add_argument("--wait", action="store_true", help="if another program is training this run, wait for it")
    made.add_argument("--ray-workers", type=int, metavar="N", help="share the run out to N workers of a Ray cluster")
    made = step(commands.escalate, parameters=NETWORK)
    made.add_argument(
        "--rungs", metavar="1,2", help="which rungs of the ladder (the first four), or a CSV file of your own rungs"
    )
    made.add_argument("--budget", default="30m", metavar="TIME", help="such as 90s, 20m or 1.5h (30m)")
    made.add_argument("--on", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster (local)")
    made.add_argument("--sweep", type=int, metavar="N", help="then N trials round the best rung, in the time left")
    made = step(commands.export)
    made.add_argument("--run", required=True, metavar="RUN", help=RUN)
    made.add_argument("--earlier-data", action="store_true", help="also a run whose classes are not those of today")
    made.add_argument("--detector", action="store_true", help="the run is one of a detector (cvtune detect)")
    made.add_argument("--boxes", choices=BOXES, default="", help=BOXES_HELP)
    made.add_argument("--similarity", action="store_true", help="to find look-alikes, with an index of all photos")
    made.add_argument("--components", default="", metavar="C", help=COMPONENTS)
    made.add_argument("--distance", default="", metavar="D", help=DISTANCE)
    made.add_argument("--out", metavar="DIR", help="a new folder (one in the workspace); a zip is made beside it")
    made.add_argument("--variants", default="fp16,int8", metavar="V", help="smaller forms, or none (fp16,int8)")
    made.add_argument(
        "--threshold", type=float, default=0.0, metavar="P", help="not sure below this probability (0: always sure)"
    )
    made = step(commands.predict, data=False)
    made.add_argument("export", metavar="EXPORT", help="the folder or zip that `cvtune export` made")
    made.add_argument("--variant", choices=("fp32", "fp16", "int8"), default="fp32", help="which form of it (fp32)")
    made.add_argument("images", nargs="+", metavar="IMAGE", help="photos, or folders of photos")
    made = step(commands.serve, data=False)
    made.add_argument("export", metavar="EXPORT", help="the folder or zip that `cvtune export` made")
    made.add_argument("--variant", choices=("fp32", "fp16", "int8"), default="fp32", help="which form of it (fp32)")
    made.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1: this machine only)")
    made.add_argument("--port", type=int, default=8000, help="0 to 65535; 0: a free one (8000)")
    made.add_argument(
        "--token", default=os.environ.get("CVTUNE_TOKEN", ""), help="who asks must know it ($CVTUNE_TOKEN, or none)"
    )
    for name, meaning in commands.LIMITS.items():
        made.add_argument(f"--max-{name}", type=float, metavar="N", help=meaning)
    made = step(commands.detect, parameters=tuple(DETECTOR_PARAMETERS), declared=DETECTOR_PARAMETERS)
    made.add_argument(
        "--hard-negatives",
        action="store_true",
        help="then one round with the photos without a box in which something was found, where it is worth it",
    )
    made.add_argument("--boxes", choices=BOXES, default="", help=BOXES_HELP)
    made.add_argument("--wait", action="store_true", help="if another program is training this run, wait for it")
    made.add_argument("--resume", metavar="RUN", help="go on with a stopped run: its id, best or last")
    made.add_argument("--open-test", action="store_true", help="look at the test set too; this is written down")
    made = step(commands.similar, data=False)
    made.add_argument("where", metavar="WHERE", help="what `cvtune export --similarity` made, or a workspace's folder")
    made.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="photos to look up, or folders of them; in a workspace without any: "
        "how well its validation photos find theirs among the training photos",
    )
    made.add_argument("--k", type=int, metavar="N", help="look-alikes of each photo (10)")
    made.add_argument(
        "--embedder",
        default="",
        metavar="NAME",
        help="a run's id, best, last, or a frozen "
        "BACKBONE@SIZE (the best run, or before there is one the default backbone)",
    )
    made.add_argument("--distance", default="", metavar="D", help=DISTANCE)
    made.add_argument("--rerank", action="store_true", help="then by the neighbours that photos have in common")
    made.add_argument("--components", default="", metavar="C", help=COMPONENTS)
    made.add_argument("--label-next", default="", metavar="FOLDER", help="list which of its photos to label next")
    made.add_argument("--count", type=int, metavar="N", help="photos to label next (50)")
    made.add_argument("--like", nargs="+", metavar="PHOTO", help="only photos like these are chosen to be labelled")
    made.add_argument("--open-test", action="store_true", help="look at the test set too; this is written down")
    made = step(commands.run, parameters=tuple(PARAMETERS))
    made.add_argument("--budget", default="20m", metavar="TIME", help="such as 90s, 20m or 1.5h (20m)")
    made = step(commands.lab, data=False)
    made.add_argument("--port", type=int, help="1 to 65535 (8888, or the next free one)")
    made.add_argument("--no-browser", action="store_true", help="only print the link")
    return parser


def _help(parameter: Parameter) -> str:
    standard = "" if parameter.default == "" else f"; default {parameter.default}"
    return f"{parameter.meaning} ({parameter.range_in_words}{standard})".replace("%", "%%")
