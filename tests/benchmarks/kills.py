"""Work killed at random moments: python -m tests.benchmarks.kills --data PHOTOS --scenes SCENES --work FOLDER.

As panels do it, the work (audit, training, a detector on SCENES, which have boxes, an export) runs in a worker. That
is killed (SIGKILL or SIGSEGV) at a random moment; at the end each work must still come to its end. Counted are: kills
that hit; work that this process was told the end of; epochs lost beyond the one under way; files that are no one's
(temporary ones, records of the worker); and processes that are left.
"""

import argparse
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from cvtune_nb import classification, detection
from cvtune_nb.audit import audit
from cvtune_nb.classification import SVM, export_run
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.errors import WorkerDied
from cvtune_nb.files import silent
from cvtune_nb.models.recipes import recommended
from cvtune_nb.runs.store import TRAINING, UNFINISHED
from cvtune_nb.worker import Worker
from tests.benchmarks.common import photo_folder, say
from tests.worker.work import pid as process_of

SIGNALS = (signal.SIGKILL, signal.SIGSEGV)


def main() -> None:
    """Read the command line, kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled photos")
    parser.add_argument("--scenes", type=Path, required=True, help="photos with boxes")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--longest", type=float, default=12.0, help="seconds after which a kill comes at the latest")
    arguments = parser.parse_args()
    os.environ["CVTUNE_HOME"] = str(arguments.work / "home")
    draw, worker, record = random.Random(0), Worker(), arguments.work / "record.json"
    workspace = open_workspace(photo_folder(arguments.data, arguments.work, 200), arguments.work / "ws")
    dataset = detection.open_dataset(arguments.scenes, arguments.work / "ws-scenes")
    config = recommended("efficientnet_lite0", image_size=64, epochs=3)
    small = detection.DetectorConfig("efficientnet_lite0_fpn", image_size=128, epochs=2)
    baseline(workspace, FeatureSpec.of(config))
    calls: dict[str, Callable[[], dict[str, Any]]] = {
        "audit": lambda: {"function": audit, "workspace": workspace},
        "training": lambda: trained(classification, {"workspace": workspace, "config": config}),
        "detection": lambda: trained(detection, {"dataset": dataset, "config": small}),
        "export": lambda: {"function": export_run, "workspace": workspace, "run_id": SVM},
    }
    counts = dict.fromkeys(("hit", "said", "epochs lost", "files left"), 0)
    for number in range(arguments.kills):
        name = list(calls)[number % len(calls)]
        pid, before = worker.run(process_of, progress=silent), finished_epochs(workspace, dataset)
        killer = threading.Timer(draw.uniform(0.1, arguments.longest), os.kill, (pid, draw.choice(SIGNALS)))
        killer.start()
        try:
            worker.run(**calls[name](), progress=silent, record=record)
            killer.cancel()
        except WorkerDied:
            counts["said"] += 1
        killer.join()
        counts["hit"] += not psutil.pid_exists(pid)
        counts["epochs lost"] += max(0, before - finished_epochs(workspace, dataset))
        counts["files left"] += len(left_over(arguments.work))
        say(number=number, work=name, **counts)
    for name, make in calls.items():
        worker.run(**make(), progress=silent, record=record)
        say(work=name, again="ended well", **counts)
    process = psutil.Process(worker.run(process_of, progress=silent))
    del worker
    _, alive = psutil.wait_procs([process], timeout=10)
    say(**counts, processes=len(alive))


def trained(task: ModuleType, what: dict[str, Any]) -> dict[str, Any]:
    """The call that goes on with an unfinished run, or begins one with these arguments."""
    (name, subject), (_, config) = what.items()
    known = task.runs(subject)
    unfinished = known[known["state"].isin([*UNFINISHED, TRAINING])]
    how = {"config": config} if unfinished.empty else {"run": unfinished["run"].iloc[-1]}
    return {"function": task.fit, name: subject, **how}


def finished_epochs(workspace: Any, dataset: Any) -> int:
    """Of all runs."""
    named = ((task, subject) for task, subject in ((classification, workspace), (detection, dataset)))
    return sum(len(task.load_run(subject, run).history) for task, subject in named for run in task.runs(subject)["run"])


def left_over(folder: Path) -> list[Path]:
    """Temporary files, and records of a worker."""
    return [path for path in folder.rglob("*") if path.suffix == ".tmp" or path.name == "record.json"]


if __name__ == "__main__":
    main()
