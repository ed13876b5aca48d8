"""Several classifiers as one: combine, distil."""

import argparse
import math

from cvtune_nb.commands import flags
from cvtune_nb.commands.classifier import budget_seconds
from cvtune_nb.commands.command import DONE, STOPPED, Result, command
from cvtune_nb.commands.common import names_in, open_workspace_of, require_use
from cvtune_nb.commands.flags import argument
from cvtune_nb.console import Meter, duration, table

USES = {
    "for a new combination": ("runs", "budget", "use", "distil", "unlabelled"),
    "with --list": (),
    "with --delete": (),
}
SHOWN = ["kind", "value", "low", "high", "difference", "p", "milliseconds", "times", "megabytes", "chosen"]


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument("--runs", metavar="A,B", help="ids of the classifiers, svm among them (the best six on validation)"),
    argument(
        "--budget", metavar="TIME", help="such as 90s, 20m or 1.5h: what is measured by then is combined (no limit)"
    ),
    argument(
        "--use",
        choices=("soup", "interpolation", "mean", "mean-mirrored", "mean-larger"),
        metavar="KIND",
        help="keep this way to combine, better or not: soup, interpolation, mean, mean-mirrored or mean-larger (the "
        "best, if it is not worse than the best single classifier)",
    ),
    argument(
        "--distil",
        nargs="?",
        const="combination",
        metavar="NAME",
        help="then train one network that answers as the combination does, at the cost of one; with NAME: an earlier "
        "combination, and nothing is combined anew",
    ),
    argument("--unlabelled", metavar="DIR", help="with --distil: a folder of photos without labels to learn from, too"),
    argument("--list", action="store_true", help="only list the combinations there are"),
    argument("--delete", metavar="NAME", help="delete a combination with its weights; the runs stay"),
    flags.OBJECTIVE,
)
def combine(arguments: argparse.Namespace, meter: Meter) -> Result:
    """combine the classifiers there are into one: average their weights or their probabilities"""
    case = "with --list" if arguments.list else "with --delete" if arguments.delete else "for a new combination"
    require_use(arguments, USES, case)
    if arguments.unlabelled and not arguments.distil:
        arguments.distil = "combination"
    seconds = budget_seconds(arguments.budget) if arguments.budget else math.inf
    from cvtune_nb.classification.combining.combination import delete_combination, stored_combinations

    workspace = open_workspace_of(arguments, meter, meter)
    if arguments.delete:
        name = delete_combination(workspace, arguments.delete)
        return Result({"deleted": name}, f"{name} is deleted")
    if arguments.list:
        known = [each.combination for each in stored_combinations(workspace)]
        text = "\n\n".join("\n".join(each.words) for each in known) or "no combination yet: cvtune combine makes one"
        return Result({"combinations": [each.to_dict() for each in known]}, text)
    from cvtune_nb.classification.combining.search import combine as combined
    from cvtune_nb.classification.combining.search import expected_seconds, offered

    values, lines, name = {}, [], arguments.distil
    if name in (None, "combination"):
        names = offered(workspace, names_in(arguments.runs or ""))
        meter.say(f"{', '.join(names)}: about {duration(expected_seconds(workspace, names))} at most")
        found = combined(workspace, names, seconds, meter, arguments.use or "")
        values, name = found.to_dict(), found.id
        lines = [table(found.kinds.to_dict("records"), SHOWN), "", *found.words]
        if found.kept:
            lines += [
                "",
                table(found.members.to_dict("records"), list(found.members)),
                "",
                f"cvtune export --run {name}",
            ]
    if not arguments.distil or not name:
        return Result(values, "\n".join(lines), STOPPED if meter.stop.is_set() else DONE)
    from cvtune_nb.classification.combining.distillation import distil, distillation_seconds

    meter.say(f"distilling {name}: about {duration(distillation_seconds(workspace, name, meter))}")
    run = distil(workspace, name, arguments.unlabelled, progress=meter)
    values["distilled"] = run.to_dict() | {"teacher": run.beside["teacher"]}
    lines += [
        "",
        f"run {run.id}, {run.state}: one network, taught by {run.beside['teacher']}: validation {run.validation}",
    ]
    return Result(values, "\n".join(lines).strip(), STOPPED if run.state == "stopped" else DONE)
