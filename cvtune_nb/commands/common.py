"""What the commands share: their result, and how arguments become what the steps take."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtune_nb.console import Meter
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import PARAMETERS, Parameter

DONE, BAD_INPUT, STOPPED = 0, 2, 3
"""Exit status: all done; bad input, and one sentence says what to do; stopped early with the work kept."""

NETWORK = ("backbone", "image_size", "seed")
"""The parameters of the commands that do not train."""


@dataclass(frozen=True)
class Result:
    """What a command found: `values` for --json, `text` to read without it."""

    values: dict[str, Any]
    text: str
    status: int = DONE


def flag(name: str) -> str:
    """The flag of a parameter: --image-size for image_size."""
    return "--" + name.replace("_", "-")


def open_workspace_of(arguments: argparse.Namespace, meter: Meter, progress: Callable[[float, str], None]) -> Any:
    """The workspace that --data and --workspace name; says which it is and what was left out."""
    from cvtune_nb.data import conflicts, levels, open_workspace

    folder = Path(arguments.workspace).expanduser() if arguments.workspace else None
    if folder and not arguments.data and not (folder / "workspace.json").exists():
        raise InputError(f"{folder} is not a workspace yet: name your photos too, with --data")
    seed = PARAMETERS["seed"].check(getattr(arguments, "seed", None) or 0)
    workspace = open_workspace(
        arguments.data, arguments.workspace, seed, progress, pixels_gb=arguments.pixels_gb, layout=arguments.layout,
        draw_validation=arguments.draw_validation, black=getattr(arguments, "black", ""),
        white=getattr(arguments, "white", ""),
    )  # fmt: skip
    meter.say(f"photos: {workspace.source}; workspace: {workspace.folder}")
    recognised = workspace.recognised and f"recognised: {workspace.recognised}"
    for words in (workspace.moved, recognised, workspace.chosen, levels.in_words(workspace)):
        if words:
            meter.say(words)
    skipped, contested = workspace.skipped(), conflicts(workspace)
    if len(skipped):
        meter.say(f"files left out: {len(skipped)}, for the reasons in {workspace.folder / 'skipped.csv'}")
    if len(contested):
        meter.say(
            f"{len(contested)} photos lie in two classes, for example {contested['path'].iloc[0]}: "
            "they are left out until you decide (notebook 01)"
        )
    return workspace


def parameters_given(
    arguments: argparse.Namespace, names: tuple[str, ...], declared: dict[str, Parameter] = PARAMETERS
) -> dict[str, Any]:
    """The parameters given on the command line, checked. Raises InputError."""
    given = {name: getattr(arguments, name) for name in names}
    return {name: declared[name].check(value) for name, value in given.items() if value is not None}
