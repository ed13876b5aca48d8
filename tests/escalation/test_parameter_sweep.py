import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import load_run, runs
from cvtune_nb.classification.run import HISTORY_COLUMNS, new_run
from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.escalation import parameter_sweep
from cvtune_nb.escalation.parameter_sweep import (
    FIRST,
    SWEPT,
    columns_of,
    journal_of,
    ranges,
    run_to_search_round,
    sweep,
)
from cvtune_nb.files import silent, write_csv
from cvtune_nb.models.recipes import recommended
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs.cost import Cost
from tests.made_runs import made_run
from tests.other_values import OTHERS

RUNG = Config("efficientnet_lite0", image_size=64, epochs=4, learning_rate=0.001)


class Bench:
    """Stands in for training: the further the learning rate is from .003, the more photos are wrong; an epoch takes a
    second."""

    def __init__(self, monkeypatch):
        self.trained, self.resumed, self.clock, self.kill = [], [], 0.0, None
        monkeypatch.setattr(parameter_sweep, "predict_cost", lambda workspace, config: Cost(float(config.epochs), 1.0))
        monkeypatch.setattr(parameter_sweep, "fit", self.fit)
        monkeypatch.setattr(parameter_sweep.time, "monotonic", lambda: self.clock)

    def fit(self, workspace, config, run=None, on_epoch=None, progress=silent):
        self.resumed.append(run)
        self.trained.append(config)
        run = load_run(workspace, run) if run else new_run(workspace, config, workspace.photos(), (100, 100), 4.0)
        wrong = min(60, round(5 + 20 * abs(np.log(config.learning_rate / 0.003))))
        right = np.arange(100) >= wrong
        truth = pd.DataFrame({"path": [f"{n}.jpg" for n in range(100)], "label": run.classes[0], "probability": 0.9})
        write_csv(run.folder / "predictions.csv", truth.assign(predicted=np.where(right, *run.classes[:2])))
        rows, state = [], "done"
        for epoch in range(1, config.epochs + 1):
            self.clock += 1
            if self.kill == len(self.trained) and epoch == 2:
                raise KeyboardInterrupt
            rows.append((epoch, 0.1, 0.99, 0.1, float(right.mean()), 0.2, float(right.mean()), 1.0))
            run = replace(run, history=pd.DataFrame(rows, columns=HISTORY_COLUMNS))
            self.checkpoint(run)
            try:
                progress(epoch / config.epochs, f"epoch {epoch}")
                on_epoch(run)
            except Beaten:
                state = "beaten"
                break
            except Stopped:
                state = "stopped"
                break
        run = replace(run, state=state)
        run.save()
        return run

    def checkpoint(self, run):
        import torch
        from safetensors.torch import save_file

        save_file({"w": torch.zeros(1)}, run.checkpoint, {"history": json.dumps(run.history.to_dict("records"))})


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def test_a_sweep_starts_at_the_rung_and_finds_better_values(workspace, bench):
    found = sweep(workspace, RUNG, trials=10, budget_seconds=1000)
    assert list(found.trials.columns) == columns_of(SWEPT)
    assert found.trials["state"].isin(["complete", "pruned"]).all()
    assert len(found.trials) == 10
    assert bench.trained[0] == replace(RUNG, weight_decay=0.01)
    best = found.trials.set_index("run").loc[found.best]
    assert best["validation_accuracy"] == found.trials["validation_accuracy"].max()
    assert abs(np.log(best["learning_rate"] / 0.003)) < abs(np.log(0.001 / 0.003))
    assert "was chosen as the best of" in found.why
    assert re.search(r"against the rung's own values: \d+\.\d points better", found.why), found.why


def test_values_stay_within_the_range_of_the_sweep(workspace, bench):
    found = sweep(workspace, RUNG, trials=12, budget_seconds=1000).trials
    assert found["learning_rate"].between(0.0002, 0.005).all()
    assert found["dropout"].between(0, 0.6).all()
    assert found["weight_decay"].between(0.001, 0.1).all()
    assert found["learning_rate"].nunique() > FIRST


def test_a_trial_below_the_others_is_given_up(workspace, bench):
    found = sweep(workspace, RUNG, trials=14, budget_seconds=1000).trials
    given_up = found[found["state"] == "pruned"]
    assert len(given_up)
    assert (given_up["epochs"] < 4).all()
    assert given_up["note"].str.startswith("given up").all()
    assert set(runs(workspace).set_index("run").loc[given_up["run"], "state"]) == {"beaten"}


def test_the_budget_ends_a_sweep_and_it_goes_on_later(workspace, bench):
    first = sweep(workspace, RUNG, trials=6, budget_seconds=9)
    assert first.trials["state"].tolist() == ["complete"] * 2
    assert "more than is left of the budget" in first.why
    whole = sweep(workspace, RUNG, trials=6, budget_seconds=1000)
    assert len(whole.trials) == 6
    assert len(bench.trained) == 6  # nothing twice
    again = sweep(workspace, RUNG, trials=6, budget_seconds=1000)
    assert again.trials.equals(whole.trials)
    assert len(bench.trained) == 6


def test_stop_keeps_the_work_and_the_trial_goes_on(workspace, bench):
    def impatient(share, words):
        if bench.clock > 5:
            raise Stopped

    stopped = sweep(workspace, RUNG, trials=3, progress=impatient)
    assert stopped.trials["state"].tolist() == ["complete"]
    cut = bench.trained[-1]
    sweep(workspace, RUNG, trials=3)
    assert bench.trained[2] == cut
    assert bench.resumed[2] is not None


def test_a_killed_sweep_goes_on_with_the_trial_that_was_cut_off(workspace, bench):
    bench.kill = 2
    with pytest.raises(KeyboardInterrupt):
        sweep(workspace, RUNG, trials=3)
    cut = bench.trained[-1]
    found = sweep(workspace, RUNG, trials=3)
    assert (bench.trained[2], bench.resumed[2] is not None) == (cut, True)
    assert found.trials["state"].tolist() == ["complete"] * 3


def test_other_photos_are_another_sweep(workspace, bench):
    sweep(workspace, RUNG, trials=1)
    workspace.decide(workspace.photos()["path"].iloc[0], "exclude")
    sweep(workspace, RUNG, trials=1)
    assert len(bench.trained) == 2


def test_a_sweep_of_an_earlier_version_goes_on(workspace, monkeypatch):
    monkeypatch.setattr(parameter_sweep, "photos_id", lambda photos: "photos")
    earlier = replace(RUNG, ema=0.0)  # which that version did not know
    assert journal_of(workspace, earlier).name == "efficientnet_lite0-64-ac461efd0b84.jsonl"
    values = {**OTHERS, "ema": 0.9}
    others = [replace(earlier, **{name: values[name]}) for name in PARAMETERS]
    assert len({journal_of(workspace, config) for config in [earlier, *others]}) == len(others) + 1


def test_layer_decay_and_drop_path_are_searched_where_they_are_recommended(workspace, bench):
    rung = recommended("convnext_tiny", image_size=64, epochs=4, layer_decay=1.0)
    found = sweep(workspace, rung, trials=8, budget_seconds=1000)
    assert list(found.trials.columns) == columns_of(found.names) and found.names == [*SWEPT, "layer_decay", "drop_path"]
    assert bench.trained[0] == rung
    assert found.trials["layer_decay"].nunique() > 3 and found.trials["drop_path"].nunique() > 3
    assert found.trials["layer_decay"].between(0.8, 1.0).all() and found.trials["drop_path"].between(0.0, 0.2).all()
    assert "layer decay " in found.why and "drop path " in found.why
    assert {"layer_decay", "drop_path"}.isdisjoint(ranges(RUNG))


def test_a_sweep_from_before_they_were_searched_goes_on(workspace, bench, monkeypatch):
    rung = recommended("convnext_tiny", image_size=64, epochs=2)
    with monkeypatch.context() as before:
        before.setattr(parameter_sweep, "OF_RECIPE", ())
        old = sweep(workspace, rung, trials=3)
    found = sweep(workspace, rung, trials=5)
    assert found.trials["run"].tolist()[:3] == old.trials["run"].tolist()
    assert found.trials["layer_decay"].tolist()[:3] == [rung.layer_decay] * 3


def test_the_journal_is_plain_json(workspace, bench):
    sweep(workspace, RUNG, trials=2)
    (journal,) = (workspace.folder / "sweeps").glob("*.jsonl")
    lines = journal.read_text().splitlines()
    assert len(lines) > 2
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_no_trial_is_refused(workspace):
    with pytest.raises(InputError, match="give 1 or more"):
        sweep(workspace, RUNG, trials=0)


def test_a_sweep_for_real(workspace):
    config = Config("test_efficientnet:random", image_size=64, epochs=1, batch_size=16)
    found = sweep(workspace, config, trials=2, budget_seconds=3600)
    assert found.trials["state"].tolist() == ["complete"] * 2
    assert found.best in set(found.trials["run"]) == set(runs(workspace)["run"])


def test_a_sweep_is_round_the_best_run_that_was_trained(workspace):
    assert run_to_search_round(workspace) is None
    made_run(workspace, 1.0, epochs=0)
    assert run_to_search_round(workspace) is None
    run = made_run(workspace, 0.5)
    made_run(workspace, 0.2, seed=1)
    assert run_to_search_round(workspace).id == run.id
