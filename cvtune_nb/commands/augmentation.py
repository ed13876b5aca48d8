"""Which policies of augmentation do no harm: augmentations."""

import argparse

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.common import open_workspace_of, parameters_given
from cvtune_nb.commands.flags import NETWORK, argument, parameters
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.parameters import PARAMETERS


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument(
        "--augmentation",
        default="",
        metavar="X",
        help="measure these policies only, at their strengths, such as rotation:30+colour (all, at their usual ones)",
    ),
    *parameters(NETWORK),
)
def augmentations(arguments: argparse.Namespace, meter: Meter) -> Result:
    """measure which variations of your photos cost a frozen network and SVM accuracy, and which do no harm"""
    from cvtune_nb.augmentation.policies import POLICIES, policies_in
    from cvtune_nb.classification.choice import start_with
    from cvtune_nb.classification.variations import HARMLESS, MEASURED, in_words, measure_costs, predicted_seconds

    asked = arguments.augmentation
    chosen = policies_in(PARAMETERS["augmentation"].check(asked)) if asked else MEASURED
    values = parameters_given(arguments, NETWORK)
    workspace = open_workspace_of(arguments, meter, meter)
    spec = start_with(workspace, values)
    if seconds := predicted_seconds(workspace, spec, chosen, meter):
        meter.say(f"{spec}: about {duration(seconds)} for what was not measured before")
    costs = measure_costs(workspace, spec, chosen, meter)
    rows = costs.to_dict("records")
    harmless = [row["policy"] for row in rows if row["verdict"] == HARMLESS]
    marked = [f"{row['policy']}: {in_words(row)}" for row in rows if row["verdict"] != HARMLESS]
    words = [f"no reliable cost: {', '.join(harmless) or 'none'}", *marked]
    if left_out := [name for name in chosen if POLICIES[name].mixes]:
        words.append(f"not measured, for they mix labels: {', '.join(left_out)}")
    shown = ["policy", "strength", "photos", "accuracy", "varied", "difference", "low", "high", "verdict"]
    text = "\n".join([table(rows, shown), "", *words])
    return Result({**spec.to_dict(), "policies": rows, "harmless": harmless}, text)
