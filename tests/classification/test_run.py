import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import earlier_run, fit, load_run, runs
from cvtune_nb.classification.run import HISTORY_COLUMNS, Run, new_run
from cvtune_nb.errors import InputError


def history(*rows):
    return pd.DataFrame(
        [(n, 0.1, t, 0.5, v, loss, v, 1.0) for n, (t, v, loss) in enumerate(rows)], columns=HISTORY_COLUMNS
    )


def run_with(config, tmp_path, table, counts=(100, 20)):
    return Run("001", tmp_path, config, ["a", "b"], "", table, counts=counts)


def test_a_run_on_disk_is_the_run(trained):
    workspace, run = trained
    again = load_run(workspace, run.id)
    for name in ("id", "folder", "config", "classes", "data_id", "counts", "state", "predicted_seconds", "changes"):
        assert getattr(again, name) == getattr(run, name)
    pd.testing.assert_frame_equal(again.history, run.history)
    pd.testing.assert_frame_equal(pd.read_csv(run.folder / "history.csv"), run.history)
    result = json.loads((run.folder / "result.json").read_text())
    assert result["run"] == run.id
    assert result["validation_accuracy"] == run.validation.value
    assert len(result["history"]) == len(run.history)


def test_a_run_of_an_earlier_version_goes_on_without_an_average(trained):
    workspace, run = trained
    settings = json.loads((run.folder / "config.json").read_text())
    text = json.dumps({**settings, "config": {k: v for k, v in settings["config"].items() if k != "ema"}})
    folder = run.folder.with_name("before")
    folder.mkdir()
    (folder / "config.json").write_text(text)
    try:
        assert load_run(workspace, "before").config == replace(run.config, ema=0.0)
    finally:
        shutil.rmtree(folder)


def test_predictions_are_the_validation_photos_at_the_best_epoch(trained):
    workspace, run = trained
    rows = run.predictions()
    assert rows["path"].tolist() == workspace.photos().query("split == 'validation'")["path"].tolist()
    assert (rows["label"] == rows["predicted"]).mean() == pytest.approx(run.validation.value)
    assert rows["probability"].between(1 / 3, 1).all()


def test_the_best_epoch_is_the_best_on_validation_then_the_one_with_less_loss(config, tmp_path):
    table = history((0.9, 0.80, 0.5), (0.95, 0.90, 0.4), (0.97, 0.90, 0.3), (1.0, 0.85, 0.1))
    run = run_with(config, tmp_path, table)
    assert run.best_epoch == 2
    assert (run.train.value, run.train.n) == (0.97, 100)
    assert (run.validation.value, run.validation.n) == (0.9, 20)
    assert run.seconds == 4.0


def test_a_run_without_an_epoch_has_nothing_to_say(config, tmp_path):
    run = run_with(config, tmp_path, history())
    assert run.best_epoch == -1
    assert run.validation.interval == [0.0, 1.0]
    assert run.predictions().empty


def test_ids_count_up(workspace, config):
    photos = workspace.photos()
    names = [new_run(workspace, config, photos, (1, 1), 0.0).id for _ in range(2)]
    assert names == ["001-test_efficientnet-random-64", "002-test_efficientnet-random-64"]
    (workspace.runs / "007-mine").mkdir()
    assert new_run(workspace, config, photos, (1, 1), 0.0).id.startswith("008-")


def test_the_table_of_runs(workspace, config, trained):
    assert runs(workspace).empty
    assert list(runs(workspace).columns) == list(runs(trained[0]).columns)
    new_run(workspace, config, workspace.photos(), (1, 1), 12.5)
    fit(workspace, config)
    table = runs(workspace)
    assert table["state"].tolist() == ["interrupted", "done"]
    assert table["validation_accuracy"].isna().tolist() == [True, False]
    assert table["predicted_seconds"].iloc[0] == 12.5
    assert table["learning_rate"].tolist() == [config.learning_rate] * 2
    assert load_run(workspace, "best").id == table["run"].iloc[1]
    last = new_run(workspace, config, workspace.photos(), (1, 1), 0.0)
    assert load_run(workspace, "last").id == last.id
    assert load_run(workspace, "best").id == table["run"].iloc[1]


def test_a_run_that_is_not_there_is_refused_with_those_there_are(workspace, trained):
    with pytest.raises(InputError, match="has no training run yet: train first"):
        load_run(workspace, "best")
    with pytest.raises(InputError, match=r"has no run '999': choose one of those there are \(001-"):
        load_run(trained[0], "999")


def test_an_earlier_run_of_the_same_parameters_and_photos_is_found(workspace, config):
    assert earlier_run(workspace, config) is None
    begun = new_run(workspace, config, workspace.photos(), (1, 1), 0.0)
    assert earlier_run(workspace, config).id == begun.id
    longer = replace(config, epochs=config.epochs + 1)
    assert earlier_run(workspace, longer) is None
    done = replace(new_run(workspace, longer, workspace.photos(), (1, 1), 0.0), state="done")
    done.save()
    assert earlier_run(workspace, config).id == begun.id
    assert earlier_run(workspace, config, at_least=True).id == done.id, "one that is done comes first"
    assert earlier_run(workspace, replace(config, seed=7), at_least=True) is None
    workspace.decide(workspace.photos()["path"].iloc[0], "exclude")
    assert earlier_run(workspace, config, at_least=True) is None


def test_a_group_is_kept_beside_the_predictions_and_not_among_the_probabilities(workspace, config):
    run = new_run(workspace, replace(config, objective="log-loss"), workspace.photos(), (1, 2), 0.0)
    n = len(run.classes)
    said = pd.DataFrame({"path": ["1", "2"], "label": run.classes[0], "group": "g", "predicted": run.classes[0]})
    run.keep_outputs(said.assign(probability=0.5).join(pd.DataFrame([[1 / n] * n] * 2)))
    assert run.predictions()["group"].tolist() == ["g", "g"]
    assert np.load(run.folder / "probabilities.npy").shape == (2, n)
    assert run.answers(run.objective).groups.tolist() == ["g", "g"]


def test_an_objective_that_was_lost_is_not_taken_for_accuracy(workspace):
    from tests.made_runs import made_run

    run = made_run(workspace, 0.8, objective="log-loss")
    table = run.history.assign(objective=float("nan"))
    shared = {"id": run.id, "folder": run.folder, "config": run.config, "classes": run.classes, "history": table}
    settings = run.settings()
    again = Run.from_settings(settings, **shared, state="done", predicted_seconds=1.0, changes=[])
    assert again.history["objective"].isna().all()
