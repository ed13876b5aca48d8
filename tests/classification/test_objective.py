import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import fit, objective, runs
from cvtune_nb.classification.run import PROBABILITIES
from cvtune_nb.errors import InputError
from cvtune_nb.objectives import objective_of
from cvtune_nb.parameters import Config
from tests.made_runs import made_run


def test_accuracy_counts_until_something_else_is_chosen(workspace):
    assert objective.chosen(workspace) == "accuracy"
    objective.choose(workspace, "macro-f1")
    assert objective.objective_in(workspace).label == "macro-F1"
    with pytest.raises(InputError, match="there is no class 'lemon'"):
        objective.choose(workspace, "recall:lemon@.9")
    assert objective.chosen(workspace) == "macro-f1"


def test_runs_without_probabilities_are_judged_by_their_answers_only(workspace):
    run = made_run(workspace, 0.8)
    objective.choose(workspace, "balanced-accuracy")
    assert 0 < runs(workspace)["objective_value"].iloc[0] < 1
    objective.choose(workspace, "log-loss")
    assert runs(workspace)["merit"].isna().all()
    assert run.answers(objective.objective_in(workspace)) is None


def test_a_run_keeps_all_probabilities_and_its_value_is_theirs(workspace):
    config = Config("test_efficientnet:random", image_size=64, epochs=1, head="random", objective="log-loss")
    run = fit(workspace, config)
    chances = np.load(run.folder / PROBABILITIES)
    assert chances.dtype == np.float32
    assert chances.shape == (len(run.predictions()), len(run.classes))
    assert chances.sum(1) == pytest.approx(1, abs=1e-5)
    log_loss = objective_of("log-loss", run.classes)
    truth = pd.Index(run.classes).get_indexer(run.predictions()["label"])
    assert run.best("objective") == pytest.approx(log_loss.value(truth, chances), abs=1e-5)
    assert run.to_dict()["objective_value"] == pytest.approx(run.best("objective"), abs=1e-5)
    objective.choose(workspace, "log-loss")
    assert runs(workspace)["merit"].iloc[-1] == pytest.approx(-run.best("objective"), abs=1e-5)
