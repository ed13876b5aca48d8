"""What a run is expected to take, in words, and how far earlier predictions were off."""

import json
from dataclasses import replace

import pytest
from safetensors.torch import save_file

from cvtune_nb.classification import runs
from cvtune_nb.runs.cost import Cost, Total, past_errors, past_in_words, timed, total
from tests.made_runs import CONFIG, made_run


def run_of(workspace, seconds, predicted=10.0):
    """A finished run that took so long."""
    run = replace(made_run(workspace, 0.5), predicted_seconds=predicted)
    run = replace(run, history=run.history.assign(seconds=seconds))
    save_file({}, run.checkpoint, {"history": json.dumps(run.history.to_dict("records"))})
    run.save()
    return run


def test_predictions_say_how_far_the_last_ones_were_off(workspace):
    assert past_in_words(past_errors(runs(workspace))) == ""
    for seconds in (50.0, 9.0, 10.5, 11.2):  # predicted were 10
        run_of(workspace, seconds)
    errors = past_errors(runs(workspace))
    assert errors == pytest.approx([-0.1, 0.05, 0.12])
    assert past_in_words(errors) == "the last 3 predictions were within 12%"
    assert past_in_words(errors[:1]) == "the last prediction was within 10%"


def test_runs_that_did_not_end_as_they_began_say_nothing_about_predictions(workspace):
    for state in ("stopped", "beaten", "diverged"):
        replace(run_of(workspace, 50.0), state=state).save()
    replace(run_of(workspace, 50.0), changes=["out of memory: minibatch 8"]).save()
    assert past_errors(runs(workspace)) == []
    assert timed(runs(workspace)).empty
    run = run_of(workspace, 50.0)
    assert timed(runs(workspace))["run"].tolist() == [run.id]


def test_cost_in_words():
    assert Cost(370, 2140, 480).words == "about 6.2 min, 2.1 GB of memory, 0.5 GB of disk"
    assert Cost(370, 2140, 480, 0, 2200).words == "about 6.2 min, 2.1 GB of memory, 0.5 GB of disk"
    short = Cost(370, 2140, 480, 0, 1800).words
    assert short.endswith("; only 1.8 GB are free: halve minibatch and learning rate together")
    assert Cost(370, 2140, 480, 12).words.endswith(
        "of disk; 12 photos are decoded in every epoch, for there is no room to keep their pixels"
    )


def test_what_runs_take_together():
    first, second, third = (replace(CONFIG, seed=seed) for seed in range(3))
    costs = {first: Cost(10, 1), third: Cost(20, 1)}
    assert total([first, second, third], costs, ()) == Total(30, 3, 1)
    assert total([first, second, third], costs, {second}) == Total(30, 2, 0)
    assert total([second], costs, {second}) == Total(0, 0, 0)
