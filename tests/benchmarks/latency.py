"""How soon a panel answers while it trains: python -m tests.benchmarks.latency --data PHOTOS --work FOLDER.

Notebook 03's panel trains at --image-size, in the worker and then in a thread of this process, as earlier versions did.
Meanwhile its learning rate is moved --moves times, and nine photos are drawn as other policies of augmentation vary
them. One JSON line for each way: milliseconds, median and 95th percentile, of a move and of the photos, at rest and
beside the training.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

os.environ["CVTUNE_HEADLESS"] = "0"  # as with a person, before panels ask

from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.panels import TrainingPanel
from cvtune_nb.panels.panel import WORKER
from tests.benchmarks.common import photo_folder, say


def in_thread(function, *arguments, progress, live=None, record=None, give=True, **named):
    """The same in this thread."""
    return function(*arguments, progress=progress, **(live or {}), **named)


def main() -> None:
    """Read the command line, and measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for the workspace")
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--moves", type=int, default=60)
    arguments = parser.parse_args()
    os.environ["CVTUNE_HOME"] = str(arguments.work / "home")
    folder = photo_folder(arguments.data, arguments.work, arguments.photos)
    workspace = open_workspace(folder, arguments.work / "ws")
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(arguments.image_size)))
    for way, run in (("worker", WORKER.run), ("thread", in_thread)):
        WORKER.run = run
        panel = TrainingPanel(workspace, backbone="efficientnet_lite0", image_size=arguments.image_size, epochs=200)
        panel.augmentation.draw()  # decodes them
        at_rest = measured(panel, arguments.moves)
        panel.go.click()
        while not panel.job.words.startswith("epoch 1"):
            time.sleep(0.1)
        beside = measured(panel, arguments.moves)
        panel.end.click()
        panel.job.wait(60)
        say(way=way, at_rest=at_rest, beside=beside)


def measured(panel: TrainingPanel, times: int) -> dict[str, list[float]]:
    """Milliseconds of moves and of pictures: medians and 95th percentiles."""
    rate, policies = panel.controls_of["learning_rate"], panel.controls_of["augmentation"]
    found: dict[str, list[float]] = {"move": [], "photos": []}
    for number in range(times):
        begun = time.perf_counter()
        rate.value = 1e-4 * (1 + number % 10)
        found["move"].append(time.perf_counter() - begun)
        policies.value = ("crop+flip+d4", "crop+flip+rotation")[number % 2]
        begun = time.perf_counter()
        panel.augmentation.draw()
        found["photos"].append(time.perf_counter() - begun)
        time.sleep(0.1)
    return {name: [round(float(np.percentile(each, q)) * 1e3, 1) for q in (50, 95)] for name, each in found.items()}


if __name__ == "__main__":
    main()
