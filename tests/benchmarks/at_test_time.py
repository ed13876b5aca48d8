"""What is shown at test time, compared: python -m tests.benchmarks.at_test_time --data PHOTOS ... --work FOLDER.

A run is fine-tuned for each set and seed, and everything that `cvtune tta` tries is measured on its validation photos
and on its test photos. A finished run is a few lines of FOLDER/test-time.csv and is not trained again. At the end it
prints, for each set, what each option gains on test against what training showed, with a 95% interval over photos; what
the choice on validation gains (nothing where nothing is reliably better there); and how many times the time of one
photo each takes, which holds on a quiet machine.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cvtune_nb import metrics
from cvtune_nb.classification import at_test_time
from cvtune_nb.classification.at_test_time import AtTestTime
from cvtune_nb.classification.exportable import Candidate, candidate
from cvtune_nb.classification.train import fit
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.models import networks
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, photo_folder, say

COLUMNS = ["data", "size", "seed", "option", "chosen", "times", "milliseconds", "validation", "test", "right"]


def main() -> None:
    """Read the command line, train what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and test-time.csv")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    table = arguments.work / "test-time.csv"
    for seed in range(arguments.seeds):
        for data in arguments.data:
            known = read(table)
            done = (known["data"] == data.name) & (known["size"] == arguments.image_size) & (known["seed"] == seed)
            if not done.any():
                rows = pd.DataFrame(measured(data, seed, arguments), columns=COLUMNS)
                with table.open("a") as file:
                    file.write(rows.to_csv(index=False, header=known.empty))
    known = read(table)
    sum_up(known[(known["size"] == arguments.image_size) & known["data"].isin([data.name for data in arguments.data])])


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=COLUMNS)


def measured(data: Path, seed: int, arguments: argparse.Namespace) -> list[dict]:
    """The rows of one run: each option on validation and on test photos."""
    workspace = open_workspace(photo_folder(data, arguments.work, 0), arguments.work / f"ws-{data.name}")
    config = Config(arguments.backbone, image_size=arguments.image_size, epochs=arguments.epochs, seed=seed)
    chosen = candidate(workspace, fit(workspace, config).id)
    options, table = at_test_time.measure(workspace, chosen)
    best, rows = at_test_time.best(options, table), []
    for option, row in zip(options, table.itertuples(), strict=True):
        right = right_on_test(workspace, chosen, option)
        rows.append(
            {
                "data": data.name,
                "size": arguments.image_size,
                "seed": seed,
                "option": str(option),
                "chosen": option == best,
                "times": row.times,
                "milliseconds": row.milliseconds,
                "validation": row.accuracy,
                "test": right.mean(),
                "right": "".join(map(str, right.astype(int))),
            }
        )
    say(data=data.name, seed=seed, chosen=str(best), test={row["option"]: round(row["test"], 4) for row in rows})
    return rows


def right_on_test(workspace: Workspace, chosen: Candidate, option: AtTestTime) -> np.ndarray:
    """Which of the test photos are right when they are shown so."""
    photos = workspace.photos()
    photos = photos[photos["split"] == "test"]
    squares, network = pixels(workspace, photos, option), chosen.network.to(networks.device()).eval()
    answers = []
    for rows in torch.arange(len(photos)).split(BATCH):
        images = squares.centre(rows.tolist())
        shown = [images, images[:, :, ::-1].copy()] if option.mirrored else [images]
        probabilities = [torch.from_numpy(networks.forward(network, each)).softmax(1) for each in shown]
        answers.append(torch.stack(probabilities).mean(0).argmax(1))
    truth = photos["label"].map({label: number for number, label in enumerate(chosen.classes)}).to_numpy()
    return torch.cat(answers).numpy() == truth


def sum_up(known: pd.DataFrame) -> None:
    """What each option gains on test, over the seeds, and what the choice on validation does."""
    for data, part in known.groupby("data"):
        options = list(dict.fromkeys(part["option"]))
        seeds = sorted(part["seed"].unique())
        part = part.set_index(["seed", "option"])
        right = {key: np.array(list(words), int) for key, words in part["right"].items()}
        chosen = dict(part.index[part["chosen"].astype(bool)])
        for option in [*options, "the choice on validation"]:
            own = [right[seed, chosen[seed] if option not in options else option] for seed in seeds]
            apart = np.mean(own, axis=0) - np.mean([right[seed, options[0]] for seed in seeds], axis=0)
            half = metrics.Z95 * apart.std() / np.sqrt(len(apart))
            times = part.xs(option, level="option")["times"].median() if option in options else float("nan")
            figures = {"test": np.mean(own), "difference": apart.mean(), "low": apart.mean() - half}
            say(data=str(data), option=option, seeds=len(seeds), **figures, high=apart.mean() + half, times=times)


if __name__ == "__main__":
    main()
