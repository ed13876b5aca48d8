"""Runs for tests that ask what becomes of them, and not what they have learned: written, not trained."""

import json
from dataclasses import replace

import pandas as pd
import torch
from safetensors.torch import save_file

from cvtune_nb.classification.run import HISTORY_COLUMNS, Run, new_run
from cvtune_nb.files import read_json, write_csv, write_json
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace

CONFIG = Config("test_efficientnet:random", image_size=64, epochs=2)


def made_run(workspace: Workspace, accuracy: float, state: str = "done", **parameters: object) -> Run:
    """A run on the photos there are now that gets about that share of the validation photos right."""
    photos, config = workspace.photos(), replace(CONFIG, **parameters)
    rows = photos[photos["split"] == "validation"]
    run = new_run(workspace, config, photos, (len(photos), len(rows)), 1.0)
    history = pd.DataFrame([(1, 0.1, 1.0, 0.1, accuracy, 0.2, accuracy, 1.0)], columns=HISTORY_COLUMNS)
    save_file({"w": torch.zeros(1)}, run.checkpoint, metadata={"history": json.dumps(history.to_dict("records"))})
    right = [number < accuracy * len(rows) for number in range(len(rows))]
    other = dict(zip(run.classes, [*run.classes[1:], run.classes[0]], strict=True))
    predicted = [label if good else other[label] for label, good in zip(rows["label"], right, strict=True)]
    write_csv(run.folder / "predictions.csv", rows[["path", "label"]].assign(predicted=predicted, probability=0.9))
    run = replace(run, history=history, state=state)
    run.save()
    return run


def as_before(run: Run) -> None:
    """Make the run one of an earlier version, which kept no list of its photos."""
    (run.folder / "photos.csv").unlink()
    known = read_json(run.folder / "config.json")
    del known["measured_on"], known["format"]
    write_json(run.folder / "config.json", known)
