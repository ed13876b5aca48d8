"""What helps with classes of different size: remedies."""

import argparse

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.common import open_workspace_of, parameters_given
from cvtune_nb.commands.flags import NETWORK, argument, parameters
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import REMEDIES, remedy_of


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    *parameters(NETWORK),
    argument("--objective", default="", metavar="X", help="what counts, such as macro-f1 (balanced-accuracy)"),
    argument("--own", default="", metavar="X", help="a remedy to compare besides, such as weights:lemon=3"),
    argument("--photos", dest="most", type=int, default=2000, metavar="N", help="photos to compare on, at most (2000)"),
    argument(
        "--use",
        default="",
        metavar="X",
        help="what later steps train with: recommended, or any remedy, such as none (as they did)",
    ),
)
def remedies(arguments: argparse.Namespace, meter: Meter) -> Result:
    """compare remedies for classes of different size: class weights, balanced sampling, logit adjustment"""
    use = arguments.use if arguments.use in ("", "recommended") else remedy_of(arguments.use).text
    own = [remedy_of(arguments.own).text] if arguments.own else []
    if arguments.most < 1:
        raise InputError(f"--photos is {arguments.most}: give 1 or more")

    from cvtune_nb.classification.choice import start_with
    from cvtune_nb.classification.remedies import (
        BY_HAND,
        RECOMMENDED,
        choose_remedy,
        chosen_remedy,
        compare_remedies,
        expected_seconds,
    )

    values = parameters_given(arguments, NETWORK)
    workspace = open_workspace_of(arguments, meter, meter)
    if use not in ("", "recommended"):
        remedy_of(use).require(sorted(workspace.photos()["label"].unique()))
    spec = start_with(workspace, values)
    meter.say(f"{spec}: about {duration(expected_seconds(workspace, spec, arguments.most))} at most")
    found = compare_remedies(workspace, spec, arguments.objective, arguments.most, own, meter)
    if use:
        told = found.recommended if use == "recommended" else use
        choose_remedy(workspace, told, RECOMMENDED if told == found.recommended else BY_HAND)
    goes_on = chosen_remedy(workspace)
    rows = found.table.to_dict("records")
    meanings = [f"{name}: {meaning}" for name, meaning in REMEDIES.items()]
    words = [*found.sentences, f"later steps train with {goes_on}", "", *meanings]
    return Result({**found.to_dict(), "chosen": goes_on}, "\n".join([table(rows, [*found.table]), "", *words]))
