"""Photos without labels: self-train."""

import argparse
from pathlib import Path

from cvtune_nb.commands import flags
from cvtune_nb.commands.classifier import config_of
from cvtune_nb.commands.command import DONE, STOPPED, Result, command
from cvtune_nb.commands.common import names_in, open_workspace_of, parameters_given
from cvtune_nb.commands.flags import argument, parameters
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import PARAMETERS, SELF_TRAINING_PARAMETERS


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument("--unlabelled", required=True, metavar="DIR", help="a folder of photos without labels; it is only read"),
    argument("--svm-only", action="store_true", help="only fit the SVM with them, in seconds: fine-tune no network"),
    argument(
        "--networks", default="", metavar="A,B", help="frozen networks that have to agree too (two that are here)"
    ),
    *parameters(SELF_TRAINING_PARAMETERS, SELF_TRAINING_PARAMETERS),
    *parameters(PARAMETERS),
)
def self_train(arguments: argparse.Namespace, meter: Meter) -> Result:
    """label photos of a folder by machine where several networks agree, and train on them too"""
    values = parameters_given(arguments, tuple(PARAMETERS))
    own = parameters_given(arguments, tuple(SELF_TRAINING_PARAMETERS), SELF_TRAINING_PARAMETERS)
    if not Path(arguments.unlabelled).expanduser().is_dir():
        raise InputError(f"{arguments.unlabelled} is no folder: give the folder of the photos without labels")

    from cvtune_nb import self_training

    workspace = open_workspace_of(arguments, meter, meter)
    config, names, folder = config_of(workspace, values, meter), names_in(arguments.networks), arguments.unlabelled
    options = {"train": not arguments.svm_only, "names": names, **own}
    priced = {name: value for name, value in options.items() if name not in ("least", "weight")}
    seconds = self_training.expected_seconds(workspace, folder, config, **priced)
    meter.say(f"self-training: about {duration(seconds)}")
    found = self_training.self_train(workspace, folder, config, **options, progress=meter)
    shown = [{"label": label, "photos": count} for label, count in found.by_class.items()]
    lines = [one.words for one in found.rounds] + [f"left out: {n} files, {why}" for why, n in found.left_out.items()]
    text = f"{table(shown, ['label', 'photos'])}\n" + "".join(f"\n- {line}" for line in lines)
    listed = workspace.folder / "self_training" / "labels.csv"
    text += (
        f"\n\n{found.words}\nwhat was labelled is listed in {listed}; notebook 03 shows it, to confirm or to correct"
    )
    values = {**found.to_dict(), "labels": str(listed)}
    return Result(values, text, STOPPED if found.state == "stopped" else DONE)
