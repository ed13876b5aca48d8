"""What helps with classes of different size, before training and after: remedies, adjust."""

import argparse

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.common import open_workspace_of, parameters_given
from cvtune_nb.commands.flags import NETWORK, argument, parameters
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import REMEDIES, TAU, remedy_of


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
        what_counts,
    )
    from cvtune_nb.objectives import objective_of

    values = parameters_given(arguments, NETWORK)
    workspace = open_workspace_of(arguments, meter, meter)
    if use not in ("", "recommended"):
        remedy_of(use).require(sorted(workspace.photos()["label"].unique()))
    objective_of(arguments.objective or what_counts(workspace), sorted(workspace.photos()["label"].unique()))
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


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument("--run", required=True, metavar="RUN", help="a run's id, best, last, or svm for the baseline"),
    argument("--objective", default="", metavar="X", help="what counts, such as macro-f1 (balanced-accuracy)"),
    argument(
        "--use",
        default="",
        metavar="X",
        help=f"what exports of it do: recommended, a strength from 0 (no adjustment) to {TAU:g}, or what was chosen "
        "before",
    ),
)
def adjust(arguments: argparse.Namespace, meter: Meter) -> Result:
    """adjust a finished classifier to classes of different size, without training it again"""
    told = 0.0
    if arguments.use not in ("", "recommended"):
        try:
            told = float(arguments.use)
        except ValueError:
            raise InputError(f"--use is {arguments.use!r}: give recommended or a strength from 0 to {TAU:g}") from None

    from cvtune_nb.classification.after_the_fact import choose, chosen_for, measure, strength
    from cvtune_nb.classification.exportable import candidate

    workspace = open_workspace_of(arguments, meter, meter)
    made = candidate(workspace, arguments.run, meter)
    found = measure(workspace, made, arguments.objective, meter)
    if arguments.use:
        choose(workspace, made, strength(found.recommended) if arguments.use == "recommended" else told)
    chosen = chosen_for(workspace, made)
    goes_on = f"exports of {made.id} are " + (f"adjusted by {chosen:g}" if chosen else "not adjusted")
    words = [f"{found.balance}.", f"{found.photos:,} validation photos: {found.brings}.", found.why, goes_on]
    values = {**found.to_dict(), "run": made.id, "chosen": chosen}
    return Result(values, "\n".join([table(found.table.to_dict("records"), [*found.table]), "", *words]))
