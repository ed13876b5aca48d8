"""Several classifiers as one: combine, distil."""

import argparse
import math
from pathlib import Path

from cvtune_nb.commands import flags
from cvtune_nb.commands.classifier import budget_seconds
from cvtune_nb.commands.command import DONE, STOPPED, Result, command
from cvtune_nb.commands.common import names_in, open_workspace_of, require_use
from cvtune_nb.commands.flags import argument
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.errors import InputError

USES = {
    "for a new combination": ("runs", "budget", "use", "distil", "unlabelled"),
    "with --distil of an earlier one": ("distil", "unlabelled"),
    "with --list": (),
    "with --delete": (),
}
NEW = "combination"
"""What --distil is of where no combination is named."""
NOTHING = "There is nothing to distil, for no combination was kept: --use KIND keeps one."


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument("--runs", metavar="A,B", help="ids of the classifiers, or best, last and svm (the best six)"),
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
        const=NEW,
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
    earlier = arguments.distil not in (None, NEW)
    new = "with --distil of an earlier one" if earlier else "for a new combination"
    case = "with --list" if arguments.list else "with --delete" if arguments.delete else new
    require_use(arguments, USES, case)
    if arguments.unlabelled and not arguments.distil:
        arguments.distil = NEW
    seconds = budget_seconds(arguments.budget) if arguments.budget else math.inf
    from cvtune_nb.classification.combining.combination import delete_combination, stored_combinations

    if arguments.unlabelled and not Path(arguments.unlabelled).expanduser().is_dir():
        raise InputError(f"--unlabelled: {arguments.unlabelled} is no folder: give one with photos")
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
    if not earlier:
        names = offered(workspace, names_in(arguments.runs or ""))
        meter.say(f"{', '.join(names)}: about {duration(expected_seconds(workspace, names))} at most")
        found = combined(workspace, names, seconds, meter, arguments.use or "")
        values, name = found.to_dict(), found.id
        lines = [table(found.ways.to_dict("records"), list(found.ways)), "", *found.words]
        if found.kept:
            lines += [
                "",
                table(found.parts.to_dict("records"), list(found.parts)),
                "",
                f"cvtune export --run {name}",
            ]
    if arguments.distil and not name:
        lines += ["", NOTHING]
        values["distilled"] = None
    if not arguments.distil or not name:
        return Result(values, "\n".join(lines), STOPPED if meter.stop.is_set() else DONE)
    from cvtune_nb.classification.combining.distillation import distil, distillation_seconds

    more = None
    if arguments.unlabelled:
        from cvtune_nb.self_training.pool import new_photos

        more = new_photos(workspace, arguments.unlabelled, meter).photos
    seconds = distillation_seconds(workspace, name, meter, 0 if more is None else len(more))
    meter.say(f"distilling {name}: about {duration(seconds)}")
    run = distil(workspace, name, more, progress=meter)
    values["distilled"] = run.to_dict() | {"teacher": run.beside["teacher"]}
    lines += [
        "",
        f"run {run.id}, {run.state}: one network, taught by {run.beside['teacher']}: validation {run.validation}",
    ]
    return Result(values, "\n".join(lines).strip(), STOPPED if run.state == "stopped" else DONE)
