"""Our side of the row `accuracy`, in a process of its own: a default run, and the SVM that it starts from. Settings
(common.told): photos (split/class/photo), out, backbone, image_size, seed, within (seconds, imports not counted).

Writes history.csv (a run's, with `elapsed`: seconds since the photos were first opened) and predictions.csv
(path,label,split,predicted,svm of validation and test) into `out`. `predicted` is by the epoch that was the best on
validation among those that ended `within`; the columns of the run's whole length are called `whole`.
"""

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from cvtune_nb.classification import Run, build, fit
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.models.networks import forward
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, told


def main() -> None:
    """Train, predict, and write what was found."""
    settings = told()
    out, size = Path(settings["out"]), settings["image_size"]
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    elapsed, start = [], time.perf_counter()
    workspace = open_workspace(settings["photos"], out / "workspace")

    def on_epoch(run: Run) -> None:
        elapsed.append(time.perf_counter() - start)
        if elapsed[-1] <= settings["within"] or len(elapsed) == 1:
            shutil.copyfile(run.folder / "best.safetensors", out / "within.safetensors")

    run = fit(workspace, Config(settings["backbone"], image_size=size, seed=settings["seed"]), on_epoch=on_epoch)
    explorer = SvmExplorer(workspace, FeatureSpec(settings["backbone"], Preprocessing(size)))
    kept = explorer.photos["split"].isin(["validation", "test"]).to_numpy()
    photos = explorer.photos[kept].reset_index(drop=True)
    files = {"predicted": out / "within.safetensors", "whole": run.folder / "best.safetensors"}
    said = {name: predicted(workspace, run, photos, file) for name, file in files.items()}
    svm = explorer.svm(explorer.best_C()).predict(explorer.features.rows[np.flatnonzero(kept)])
    table = photos[["path", "label", "split"]].assign(**said, svm=svm)
    run.history.assign(elapsed=elapsed).to_csv(out / "history.csv", index=False)
    shutil.rmtree(workspace.folder)
    table.to_csv(out / "predictions.csv", index=False)  # last: that it is there says that all is


def predicted(workspace: Workspace, run: Run, photos: pd.DataFrame, file: Path) -> list[str]:
    """The class of every photo, by the run's network with the weights in `file`."""
    network = build(run.config, run.classes, pretrained=False)
    network.load_state_dict(load_file(file))
    network.eval()
    squares = pixels(workspace, photos, Preprocessing(run.config.image_size))
    numbers = [
        forward(network, squares.centre(batch.tolist())).argmax(1) for batch in torch.arange(len(photos)).split(BATCH)
    ]
    return [run.classes[number] for number in np.concatenate(numbers)]


if __name__ == "__main__":
    main()
