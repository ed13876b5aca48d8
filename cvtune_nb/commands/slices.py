"""Where a classifier fails: slices."""

import argparse

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.common import open_workspace_of
from cvtune_nb.commands.flags import argument
from cvtune_nb.console import Meter, table


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument(
        "--run",
        default="best",
        metavar="RUN",
        help="a run's id, best, last, svm for the baseline, or combination (best)",
    ),
)
def slices(arguments: argparse.Namespace, meter: Meter) -> Result:
    """find where a classifier fails: dark, small or long photos, a camera, a time, photos that look alike"""
    from cvtune_nb.advice.slices import find_slices

    workspace = open_workspace_of(arguments, meter, meter)
    found = find_slices(workspace, arguments.run, meter)
    columns = ["slice", "photos", "accuracy", "low", "high", "rest", "expected", "corrected", "worse"]
    lines = [table(found.table.to_dict("records"), columns) if len(found.table) else "too few photos for any slice", ""]
    for row in found.worse.to_dict("records"):
        lines += [f"{row['slice']}, for example:", *(f"  {path}" for path in row["examples"].split("\n"))]
    finding = found.finding()
    values = {**found.to_dict(), "finding": finding and finding.to_dict()}
    return Result(values, "\n".join([*lines, *found.sentences, *([finding.title] if finding else [])]))
