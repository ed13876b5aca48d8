from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.advice import outcome, write_down
from cvtune_nb.classification.run import new_run
from cvtune_nb.files import read_json_lines, write_csv
from cvtune_nb.parameters import Config
from cvtune_nb.runs.finding import Finding

CONFIG = Config("efficientnet_lite0", image_size=64)
ADVICE = Finding("overfit", "It overfits", "by 20%", "2018", {"dropout": 0.2, "weight_decay": 0.03})


@pytest.fixture
def run_with(workspace):
    """Makes a run with a config that is wrong about the first `wrong` of 100 photos."""

    def make(wrong, **values):
        run = new_run(workspace, replace(CONFIG, **values), workspace.photos(), (100, 100), 1.0)
        said = np.where(np.arange(100) < wrong, "b", "a")
        rows = {"path": [f"{n}.jpg" for n in range(100)], "label": "a", "predicted": said, "probability": 1.0}
        write_csv(run.folder / "predictions.csv", pd.DataFrame(rows))
        return run

    return make


def test_what_was_applied_is_written_down(workspace, run_with):
    before = run_with(30)
    write_down(workspace, ADVICE, before.id)
    (entry,) = read_json_lines(workspace.folder / "applied.jsonl")
    assert (entry["run"], entry["code"], entry["change"]) == (before.id, "overfit", ADVICE.change)


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [(5, "helped"), (60, "did harm"), (29, "made no reliable difference"), (25, "probably helped, not yet certain")],
)
def test_the_run_after_an_advice_says_whether_it_helped(workspace, run_with, wrong, verdict):
    before = run_with(30)
    write_down(workspace, ADVICE, before.id)
    after = run_with(wrong, **ADVICE.change)
    found = outcome(workspace, after)
    assert found.title.startswith(f"“It overfits” {verdict}")
    assert found.evidence.startswith(f"{after.id} against {before.id}")


def test_a_run_that_did_something_else_says_nothing(workspace, run_with):
    before = run_with(30)
    assert outcome(workspace, before) is None
    write_down(workspace, ADVICE, before.id)
    assert outcome(workspace, run_with(5, dropout=0.2)) is None  # half of the advice
    assert outcome(workspace, before) is None


def test_runs_on_other_photos_are_not_compared(workspace, run_with):
    before = run_with(30)
    write_down(workspace, ADVICE, before.id)
    workspace.decide(workspace.photos()["path"].iloc[0], "exclude")
    assert outcome(workspace, run_with(5, **ADVICE.change)) is None


def test_a_deleted_run_is_no_mistake(workspace, run_with):
    before = run_with(30)
    write_down(workspace, ADVICE, before.id)
    after = run_with(5, **ADVICE.change)
    (before.folder / "config.json").unlink()
    assert outcome(workspace, after) is None
