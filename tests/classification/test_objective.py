import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import fit, load_run, objective, runs
from cvtune_nb.classification.objective import Answers
from cvtune_nb.classification.run import PROBABILITIES, untold
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


def test_where_no_run_can_be_judged_by_what_counts_the_best_is_by_accuracy(workspace):
    made_run(workspace, 0.5)
    better = made_run(workspace, 0.9)
    objective.choose(workspace, "log-loss")
    assert load_run(workspace, "best").id == better.id
    assert untold(runs(workspace)).startswith("2 runs made before") and "ranked by accuracy" in untold(runs(workspace))


def test_probabilities_of_other_classes_are_none(workspace):
    log_loss = objective_of("log-loss", ["a", "b"])
    said = pd.DataFrame({"path": ["1"], "label": ["a"], "predicted": ["a"]})
    assert objective.answers_of(log_loss, said, np.ones((1, 3)) / 3, ["a", "b"]) is None


def test_whole_groups_are_drawn_wherever_something_is_judged():
    random = np.random.default_rng(0)
    right = np.repeat(random.random(20) < 0.7, 20)
    said = pd.DataFrame({"path": [str(n) for n in range(400)], "label": "a", "predicted": np.where(right, "a", "b")})
    said.loc[::2, "label"], said.loc[::2, "predicted"] = "b", np.where(right[::2], "b", "a")
    grouped = said.assign(group=np.repeat([f"g{n}" for n in range(20)], 20))
    for text in ("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "recall:a@.51", "costs:a>b=2"):
        counts, chances = (
            objective_of(text, ["a", "b"]),
            np.where(said[["predicted"]].to_numpy() == ["a", "b"], 0.9, 0.1),
        )
        alone, together = (objective.answers_of(counts, rows, chances, ["a", "b"]) for rows in (said, grouped))
        narrow, wide = objective.measure(counts, alone), objective.measure(counts, together)
        assert wide.value == narrow.value and wide.high - wide.low > 1.5 * (narrow.high - narrow.low), text
        perfect = Answers(together.labels, together.chances * 0 + np.eye(2)[together.truth(counts)], together.groups)
        assert objective.compare(counts, together, perfect).p >= objective.compare(counts, alone, perfect).p / 2
        assert objective.best_of(counts, {"one": together, "two": together}).run == "one"


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
