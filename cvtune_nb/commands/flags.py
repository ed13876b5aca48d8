"""How an argument or flag is declared, and the flags that several commands have."""

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from cvtune_nb.parameters import GROUP_RULES, LAYOUTS, PARAMETERS, RECOGNISE, Parameter

Argument = Callable[[argparse.ArgumentParser], object]
"""Adds one argument or flag to a parser."""

NETWORK = ("backbone", "weights", "image_size", "framing", "aspect", "pooling", "seed")
"""The parameters of the commands that do not train."""


def argument(*names: str, **settings: Any) -> Argument:
    """An argument or flag: what argparse's add_argument takes."""
    return lambda parser: parser.add_argument(*names, **settings)


def parameters(names: Iterable[str], declared: dict[str, Parameter] = PARAMETERS) -> tuple[Argument, ...]:
    """A flag for each of these parameters."""
    return tuple(argument(flag(name), metavar="X", help=_help(declared[name])) for name in names)


def flag(name: str) -> str:
    """The flag of a parameter: --image-size for image_size."""
    return "--" + name.replace("_", "-")


def _help(parameter: Parameter) -> str:
    """Meaning, range, default, and the name that the package of 2018 had for it."""
    details = [parameter.range_in_words]
    if parameter.default != "":
        details.append(f"default {parameter.default}" + (", or as recommended for the backbone" * parameter.by_network))
    if parameter.name_2018:
        details.append(f"2018: {parameter.name_2018}")
    return f"{parameter.meaning} ({'; '.join(details)})".replace("%", "%%")


PHOTOS = (
    argument(
        "--data", default="", metavar="PATH", help="your photos: a folder, a CSV file, an archive, torchvision:NAME"
    ),
    argument("--workspace", default="", metavar="DIR", help="folder that keeps everything computed and decided"),
    argument(
        "--pixels-gb", default="", metavar="GB", help="disk limit for decoded pixels, or all: no limit (remembered)"
    ),
    argument(
        "--white",
        default="",
        metavar="N",
        help="pixel value shown as white in photos of more than 8 bits a channel, such as 4095 for 12 bits, or auto: "
        "decided from all photos (remembered)",
    ),
    argument("--black", default="", metavar="N", help="pixel value shown as black in such photos (0)"),
    argument(
        "--bands",
        default="",
        metavar="R,G,B",
        help="which bands of TIFFs of more than three are shown red, green and blue, such as 3,2,1 (remembered)",
    ),
)
"""The flags of all commands that open a workspace."""

LAYOUT = (
    argument(
        "--layout",
        default="",
        metavar="L",
        help=f"how to read the folders: {', '.join(LAYOUTS)} or {RECOGNISE} (as last time, at first {RECOGNISE})",
    ),
    argument(
        "--draw-validation",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="where your own split has no validation photos of a class, take some of its training photos",
    ),
    argument(
        "--group-by",
        default="",
        metavar="RULE",
        help="photos that belong together, such as frames of one scene, are never on both sides of the split: "
        + "; ".join(f"{rule}: {meaning}" for rule, meaning in GROUP_RULES.items()).replace("%", "%%")
        + " (remembered)",
    ),
    argument(
        "--redraw-split",
        action="store_true",
        help="draw the frozen split anew where it divides groups, else leave it as it is: runs made "
        "before are of earlier data then",
    ),
)
"""Those of the commands that need a label for every photo."""

OBJECTIVE = parameters(["objective"])[0]
OPEN_TEST = argument("--open-test", action="store_true", help="evaluate on the test set too; every opening is recorded")
RESUME = argument("--resume", metavar="RUN", help="go on with a stopped run: its id, best or last")
WAIT = argument("--wait", action="store_true", help="if another program is training this run, wait for it")
BOXES = argument(
    "--boxes",
    choices=("voc", "coco", "yolo", "cvat", "labelme"),
    default="",
    help="which annotation files to read, where there are several kinds (the kind chosen last)",
)
COMPONENTS = argument(
    "--components",
    default="",
    metavar="C",
    help="what of a network's features is compared: pca, pca-whitened or none (pca)",
)
DISTANCE = argument("--distance", default="", metavar="D", help="cosine, euclidean or manhattan (cosine)")
