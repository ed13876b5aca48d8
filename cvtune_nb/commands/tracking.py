"""Runs in a tracker as well: track."""

import argparse
from pathlib import Path

from cvtune_nb.commands.command import BAD_INPUT, DONE, Result, command
from cvtune_nb.commands.flags import argument
from cvtune_nb.console import Meter


@command(
    argument("workspace", type=Path, metavar="DIR", help="the workspace, as every command prints it"),
    argument(
        "--with",
        dest="trackers",
        default="",
        metavar="X",
        help="tensorboard, mlflow, tensorboard+mlflow or none (as chosen before)",
    ),
)
def track(arguments: argparse.Namespace, meter: Meter) -> Result:
    """write all runs and their exports into TensorBoard or MLflow as well, those to come, too"""
    from cvtune_nb.classification.run import run_store
    from cvtune_nb.detection.run import kept_detectors
    from cvtune_nb.tracking import NONE, choose, chosen, following
    from cvtune_nb.workspace import Workspace

    workspace = Workspace(arguments.workspace.expanduser())
    if arguments.trackers:
        choose(workspace, arguments.trackers)
    now = chosen(workspace)
    if now == NONE:
        return Result({"trackers": NONE, "runs": 0, "failed": {}}, "runs are kept in the workspace alone")
    trackers, store = following(workspace), run_store(workspace)
    runs = [*map(store.on_disk, store.ids()), *kept_detectors(workspace)]
    for number, run in enumerate(runs):
        meter(number / len(runs), f"writing {run.id}")
        trackers.write(run)
    words = [f"runs in {now}: {len(runs)}; those to come are written while they are trained"]
    words += [f"{name} could not be written to: {why}" for name, why in trackers.failed.items()]
    values = {"trackers": now, "runs": len(runs), "failed": trackers.failed}
    return Result(values, "\n".join(words), BAD_INPUT if trackers.failed else DONE)
