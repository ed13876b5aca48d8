import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from cvtune_nb.classification import load_run, runs
from cvtune_nb.classification.run import HISTORY_COLUMNS, Run, new_run
from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.escalation import ExpectedAccuracy, climb, escalate
from cvtune_nb.escalation.ray_cluster import Trial
from cvtune_nb.files import silent, write_csv
from cvtune_nb.parameters import Config
from cvtune_nb.runs.cost import Cost

RUNGS = [Config("efficientnet_lite0", image_size=64, epochs=4), Config("efficientnet_lite0", image_size=96, epochs=4)]


class Bench:
    """Stands in for the machine: an epoch of a rung takes as many seconds as its image has pixels a side, and how
    many of 100 validation photos it gets wrong is `wrong[image_size]`."""

    def __init__(self, monkeypatch):
        self.wrong, self.trained, self.resumed, self.clock = {64: 20, 96: 10, 128: 5}, [], [], 0.0
        self.factor = 1.0  # of the predicted time that it really takes
        monkeypatch.setattr(climb, "predict_cost", self.predict_cost)
        monkeypatch.setattr(climb, "fit", self.fit)
        monkeypatch.setattr(climb.time, "monotonic", lambda: self.clock)

    def predict_cost(self, workspace, config, progress=silent):  # noqa: ARG002 - the signature it stands in for
        if config.image_size > 128:
            raise InputError(f"image_size {config.image_size} is beyond the photos")
        return Cost(10.0 + config.epochs * config.image_size, 100.0)

    def fit(self, workspace, config, run=None, on_epoch=None, progress=silent):
        self.resumed.append(run)
        photos = workspace.photos()
        seconds = self.predict_cost(workspace, config).seconds
        run = load_run(workspace, run) if run else new_run(workspace, config, photos, (100, 100), seconds)
        self.trained.append(config)
        right = np.arange(100) >= self.wrong[config.image_size]
        truth = pd.DataFrame({"path": [f"{n}.jpg" for n in range(100)], "label": run.classes[0], "probability": 0.9})
        write_csv(run.folder / "predictions.csv", truth.assign(predicted=np.where(right, *run.classes[:2])))
        rows, state = [], "done"
        for epoch in range(1, config.epochs + 1):
            self.clock += config.image_size * self.factor
            try:
                progress(epoch / config.epochs, f"epoch {epoch}")
            except Stopped:
                state = "stopped"
                break
            accuracy = float(right.mean())
            rows.append((epoch, 0.1, 0.99, 0.1, accuracy, 0.2, accuracy, config.image_size * self.factor))
            run = replace(run, history=pd.DataFrame(rows, columns=HISTORY_COLUMNS))
            history = json.dumps(run.history.to_dict("records"))
            save_file({"w": torch.zeros(1)}, run.checkpoint, metadata={"history": history})
            save_file({"w": torch.full((1,), config.dropout)}, run.folder / "best.safetensors")
            try:
                on_epoch(run)
            except Beaten:
                state = "beaten"
                break
        run = replace(run, state=state)
        run.save()
        return run


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def rungs_of(found, *columns):
    return found.rungs[list(columns)].to_numpy().tolist()


def test_with_time_enough_every_rung_is_run_in_order(workspace, bench):
    found = escalate(workspace, RUNGS, budget_seconds=1000)
    assert bench.trained == RUNGS
    assert list(found.rungs.columns) == climb.COLUMNS
    assert rungs_of(found, "rung", "state", "note") == [[1, "done", ""], [2, "done", ""]]
    assert rungs_of(found, "validation_accuracy") == [[0.8], [0.9]]
    assert found.rungs["predicted_seconds"].tolist() == [10 + 4 * 64, 10 + 4 * 96]
    assert found.rungs["seconds"].tolist() == [4 * 64, 4 * 96]
    assert found.best == found.rungs["run"].iloc[1]
    assert found.measured.equals(found.rungs)
    assert found.times == (4 * (64 + 96), 20 + 4 * (64 + 96))
    again = escalate(workspace, [*RUNGS, replace(RUNGS[0], image_size=500)], budget_seconds=1000)
    assert again.times == (0, 0) and again.measured["rung"].tolist() == [1, 2]


def test_rungs_keep_the_numbers_they_have_on_the_ladder(workspace, bench):
    said = []
    found = escalate(workspace, RUNGS, 1000, numbers=[1, 3], progress=lambda share, words: said.append(words))
    assert found.rungs["rung"].tolist() == [1, 3]
    assert found.why.startswith("rung 3 is best")
    assert any(words.startswith("rung 3") for words in said)


def test_a_budget_too_small_cuts_the_epochs_of_all_by_the_same_factor(workspace, bench):
    found = escalate(workspace, RUNGS, budget_seconds=20 + 2 * (64 + 96))
    assert [config.epochs for config in bench.trained] == [2, 2]
    assert rungs_of(found, "epochs", "note") == [[2, "2 of 4 epochs fit the budget"]] * 2


def test_a_cut_rung_has_the_steps_of_a_shorter_run(workspace, bench):
    typed = replace(RUNGS[0], schedule="[0.05]*2 + [0.005]*2")
    escalate(workspace, [typed], budget_seconds=10 + 2 * 64)
    assert (bench.trained[0].schedule, bench.trained[0].learning_rate, bench.trained[0].epochs) == ("", 0.05, 2)


def test_a_rung_of_which_not_one_epoch_fits_is_skipped_the_most_expensive_first(workspace, bench):
    three = [replace(RUNGS[0], image_size=128), *RUNGS]
    found = escalate(workspace, three, budget_seconds=20 + 64 + 96 + 40)
    assert [config.image_size for config in bench.trained] == [64, 96]
    assert found.rungs["state"].tolist() == ["skipped", "done", "done"]
    assert found.rungs["note"].iloc[0] == "one epoch takes about 2.3 min: more than its share of the budget"


def test_no_time_at_all_runs_nothing_and_says_so(workspace, bench):
    found = escalate(workspace, RUNGS, budget_seconds=5)
    assert bench.trained == []
    assert found.rungs["state"].tolist() == ["skipped", "skipped"]
    assert (found.best, found.why) == ("", "no rung was run: the note of each says why")


def test_time_that_one_rung_saves_goes_to_the_next(workspace, bench):
    bench.factor = 0.1
    escalate(workspace, RUNGS, budget_seconds=20 + 2 * (64 + 96))
    assert bench.trained[0].epochs == 2
    assert bench.trained[1].epochs > 2


def test_a_rung_slower_than_predicted_is_stopped_when_the_budget_ends(workspace, bench):
    bench.factor = 5.0
    found = escalate(workspace, RUNGS, budget_seconds=600)
    assert found.rungs["state"].tolist() == ["stopped", "skipped"]
    assert "the budget ended" in found.rungs["note"].iloc[0]
    assert found.best == found.rungs["run"].iloc[0]


def test_a_rung_that_was_run_before_is_not_run_again(workspace, bench):
    first = escalate(workspace, RUNGS, budget_seconds=1000)
    again = escalate(workspace, RUNGS, budget_seconds=1000)
    assert len(bench.trained) == len(runs(workspace)) == 2
    assert again.rungs["run"].tolist() == first.rungs["run"].tolist()
    assert again.rungs["note"].tolist() == ["run before with the same parameters"] * 2
    assert (again.best, again.why) == (first.best, first.why)


def test_a_rung_run_before_takes_nothing_from_the_budget(workspace, bench):
    escalate(workspace, RUNGS[1:], budget_seconds=1000)
    escalate(workspace, RUNGS, budget_seconds=10 + 4 * 64)
    assert bench.trained == [RUNGS[1], RUNGS[0]]


def test_a_rung_is_run_again_when_labels_have_changed(workspace, bench):
    escalate(workspace, RUNGS[:1], budget_seconds=1000)
    workspace.decide(workspace.photos()["path"].iloc[0], "exclude")
    escalate(workspace, RUNGS[:1], budget_seconds=1000)
    assert len(bench.trained) == 2


def test_a_rung_that_can_not_be_run_is_skipped_in_words(workspace, bench):
    found = escalate(workspace, [replace(RUNGS[0], image_size=512), *RUNGS], budget_seconds=1000)
    assert rungs_of(found, "state") == [["skipped"], ["done"], ["done"]]
    assert found.rungs["note"].iloc[0] == "image_size 512 is beyond the photos"


def test_no_rung_that_can_be_run_is_refused(workspace, bench):
    with pytest.raises(InputError, match="image_size 512 is beyond the photos"):
        escalate(workspace, [replace(RUNGS[0], image_size=512)], budget_seconds=1000)
    with pytest.raises(InputError, match="no rung is chosen"):
        escalate(workspace, [])


def test_when_none_can_be_run_but_something_was_trained_it_says_so(workspace, bench):
    escalate(workspace, RUNGS[:1], budget_seconds=1000)
    found = escalate(workspace, [replace(RUNGS[0], image_size=512)] * 2, budget_seconds=1000)
    assert rungs_of(found, "state", "note") == [["skipped", "image_size 512 is beyond the photos"]] * 2
    assert (found.best, found.why) == ("", "no rung was run: the note of each says why")


def test_a_rung_that_turns_out_impossible_while_it_runs_does_not_end_the_climb(workspace, bench, monkeypatch):
    def fit(workspace, config, *args, **named):
        if config == RUNGS[0]:
            raise InputError("out of memory with a minibatch of one photo")
        return bench.fit(workspace, config, *args, **named)

    monkeypatch.setattr(climb, "fit", fit)
    found = escalate(workspace, RUNGS, budget_seconds=1000)
    assert rungs_of(found, "state") == [["skipped"], ["done"]]
    assert found.rungs["note"].iloc[0] == "out of memory with a minibatch of one photo"
    assert found.best


def test_stop_ends_the_climb_and_keeps_the_work(workspace, bench):
    pressed = []

    def progress(share, words):
        if pressed or "rung 1: epoch 3" in words:
            pressed.append(words)
            raise Stopped

    found = escalate(workspace, RUNGS, budget_seconds=1000, progress=progress)
    assert rungs_of(found, "state") == [["stopped"], ["waiting"]]
    assert found.rungs["validation_accuracy"].iloc[0] == 0.8
    assert found.best == found.rungs["run"].iloc[0]
    assert len(bench.trained) == 1

    again = escalate(workspace, RUNGS, budget_seconds=1000)
    assert bench.resumed == [None, found.rungs["run"].iloc[0], None]
    assert rungs_of(again, "state") == [["done"], ["done"]]
    assert len(runs(workspace)) == 2


def test_what_happens_is_told_after_every_epoch_and_rung(workspace, bench):
    told = []
    escalate(workspace, RUNGS, 1000, on_rung=lambda found: told.append(found.rungs["state"].tolist()))
    assert told == [["running", "waiting"]] * 4 + [["done", "waiting"]] + [["done", "running"]] * 4 + [["done", "done"]]


def test_progress_grows_from_0_to_1(workspace, bench):
    shares = []
    escalate(workspace, RUNGS, 1000, progress=lambda share, words: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_why_names_the_bargain_when_a_cheaper_rung_is_as_good(workspace, bench):
    bench.wrong[64] = 12
    why = escalate(workspace, RUNGS, 1000).why
    assert why.startswith("rung 2 is best on validation: 90.0% (82.6% to 94.5%); as the best of 2 it may be")
    assert "; rung 1 took 1/1.5 of its time: no reliable difference (+2.0 points" in why
    assert why.endswith("stopping at rung 1 is the better bargain")


def test_why_calls_no_rung_a_bargain_when_the_dearer_one_is_probably_better(workspace, bench):
    bench.wrong[64] = bench.wrong[96] + 5
    why = escalate(workspace, RUNGS, 1000).why
    assert "rung 2 is probably better, not yet certain (+" in why
    assert why.endswith("more validation photos would settle it")


def test_why_says_so_when_the_time_was_well_spent(workspace, bench):
    assert escalate(workspace, RUNGS, 1000).why.endswith("every cheaper rung is worse beyond noise: worth its time")


def test_a_climb_for_real(workspace):
    rungs = [Config("efficientnet_lite0", image_size=size, epochs=1, batch_size=16) for size in (64, 96)]
    found = escalate(workspace, rungs, budget_seconds=3600)
    assert found.rungs["state"].tolist() == ["done", "done"]
    assert found.rungs["validation_accuracy"].min() > 0.6
    assert found.best in set(runs(workspace)["run"])
    assert found.why.startswith(f"rung {found.rungs.set_index('run').at[found.best, 'rung']} is best on validation")


def expecting(monkeypatch, *accuracies):
    """These accuracies are expected of the rungs, give or take five points."""
    told = [ExpectedAccuracy(accuracy, accuracy - 0.05, accuracy + 0.05) for accuracy in accuracies]
    monkeypatch.setattr(
        climb, "expected_accuracies", lambda workspace, configs, compute, progress: told[-len(configs) :]
    )


def test_the_rung_with_the_highest_expected_gain_for_its_time_comes_first(workspace, bench, monkeypatch):
    expecting(monkeypatch, 0.86, 0.95)
    found = escalate(workspace, RUNGS, 1000)
    assert bench.trained == RUNGS[::-1]
    assert rungs_of(found, "rung", "expected") == [[1, 0.86], [2, 0.95]]


def test_a_rung_that_costs_too_much_comes_later(workspace, bench, monkeypatch):
    expecting(monkeypatch, 0.90, 0.91)
    escalate(workspace, [RUNGS[0], replace(RUNGS[1], epochs=40)], 100_000)
    assert [config.image_size for config in bench.trained] == [64, 96]


def test_the_rung_with_the_lowest_is_left_out_of_a_small_budget(workspace, bench, monkeypatch):
    expecting(monkeypatch, 0.5, 0.99)
    found = escalate(workspace, RUNGS, budget_seconds=10 + 96 + 40)
    assert found.rungs["state"].tolist() == ["skipped", "done"]


def finished(accuracies, state="done", n=1000, epochs=None):
    config = Config("efficientnet_lite0", epochs=epochs or len(accuracies))
    rows = [(e, 0.1, 0.99, 0.1, accuracy, 0.2, accuracy, 1.0) for e, accuracy in enumerate(accuracies, 1)]
    history = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
    return Run("001", Path("001"), config, ["a", "b"], "", history, state, counts=(n, n))


@pytest.mark.parametrize(
    ("accuracies", "others", "given_up"),
    [
        ([0.5, 0.6], [[0.8, 0.85, 0.86, 0.87]], True),
        ([0.5], [[0.8, 0.85, 0.86, 0.87]], False),  # only a quarter of its epochs
        ([0.5, 0.6], [[0.4, 0.5, 0.7, 0.87]], False),  # another run rose as far from there
        ([0.84, 0.86], [[0.8, 0.85, 0.86, 0.87]], False),  # within its interval
        ([0.5, 0.6], [], False),
    ],
)
def test_a_rung_is_given_up_only_when_nothing_leaves_it_a_chance(accuracies, others, given_up):
    why = climb.beaten(finished(accuracies, "interrupted", epochs=4), [finished(other) for other in others])
    assert bool(why) == given_up
    if given_up:
        assert why.startswith("given up in epoch 2: 63.0%, the upper end of its interval")


def test_a_rung_that_was_given_up_is_not_run_again(workspace, bench):
    bench.wrong = {64: 2, 96: 70, 128: 5}
    found = escalate(workspace, RUNGS, 1000)
    assert found.rungs["state"].tolist() == ["done", "beaten"]
    assert found.rungs["note"].iloc[1].startswith("given up in epoch 2")
    assert len(load_run(workspace, found.rungs["run"].iloc[1]).history) == 2
    escalate(workspace, RUNGS, 1000)
    assert len(bench.trained) == 2


def test_rungs_that_were_run_before_are_compared_but_not_run(workspace, bench):
    escalate(workspace, RUNGS[:1], 1000)
    third = replace(RUNGS[0], image_size=128)
    found = escalate(workspace, RUNGS[1:], 1000, numbers=[2], others={1: RUNGS[0], 3: third})
    assert found.rungs["rung"].tolist() == [1, 2]
    assert "rung 2 is best" in found.why and "best of 2" in found.why
    assert len(bench.trained) == 2
    known = climb.so_far(workspace, {1: RUNGS[0], 2: RUNGS[1], 3: third})
    assert known.best == found.best
    assert len(bench.trained) == 2


def test_the_ladder_ends_when_nothing_left_is_worth_its_time(workspace, bench, monkeypatch):
    expecting(monkeypatch, 0.86, 0.81)
    bench.wrong[64] = 14
    found = escalate(workspace, RUNGS, 1000, least_gain=1000.0)
    assert rungs_of(found, "state") == [["done"], ["skipped"]]
    assert found.rungs["note"].iloc[1].endswith("points an hour, less than the 1000 asked for")
    assert "; the ladder ends here: rung 2 is expected to gain" in found.why
    with pytest.raises(InputError, match="least_gain is -1"):
        escalate(workspace, RUNGS, 1000, least_gain=-1)
    assert rungs_of(escalate(workspace, RUNGS, 1000), "state") == [["done"], ["done"]], "0: every rung is run"


def test_the_ladder_ends_when_the_validation_photos_can_show_no_gain(workspace, bench, monkeypatch):
    expecting(monkeypatch, 0.86, 0.81)
    monkeypatch.setattr(climb, "last_baseline", lambda _: None)
    found = escalate(workspace, RUNGS, 1000, least_gain=0.01)
    assert "100 validation photos show no difference below" in found.rungs["note"].iloc[1]
    assert found.rungs["note"].iloc[1].startswith("expected to gain 6.0 points at most")


def below(size=96, **others):
    return replace(RUNGS[1], image_size=size, parent="below", **others)


def test_a_rung_goes_on_from_the_one_below_and_waits_for_it(workspace, bench, monkeypatch):
    expecting(monkeypatch, 0.86, 0.95)
    found = escalate(workspace, [RUNGS[0], below()], 1000)
    assert [config.image_size for config in bench.trained] == [64, 96], "the second waits, whatever is expected of it"
    first, second = found.rungs["run"]
    assert bench.trained[1].parent.startswith(f"{first}@sha256:")
    assert second.endswith(f"-from-{first[:3]}")
    again = escalate(workspace, [RUNGS[0], below()], 1000)
    assert again.rungs["run"].tolist() == [first, second] and len(bench.trained) == 2
    assert climb.so_far(workspace, {1: RUNGS[0], 2: below()}).rungs["run"].tolist() == [first, second]


def test_a_rung_goes_on_from_the_nearest_below_that_has_its_network(workspace, bench):
    other = replace(RUNGS[0], pooling="stages")
    found = escalate(workspace, [RUNGS[0], other, below()], 10_000)
    assert bench.trained[2].parent.startswith(found.rungs["run"].iloc[0])
    assert escalate(workspace, [below(128)], 1000).rungs["parent"].tolist() == [""], "none below: from the SVM"


def test_a_rung_that_goes_on_from_one_of_this_climb_is_compared_too(workspace, bench):
    whole = dict(enumerate([RUNGS[0], below(), below(128)], 1))
    known = escalate(workspace, list(whole.values()), 10_000).rungs["run"].tolist()
    for chosen in ([1], [1, 2], [1, 3]):
        others = {number: config for number, config in whole.items() if number not in chosen}
        found = escalate(workspace, [whole[number] for number in chosen], 1000, numbers=chosen, others=others)
        assert found.rungs["run"].tolist() == known


def test_a_rung_whose_parent_has_changed_is_another_run(workspace, bench):
    escalate(workspace, [RUNGS[0], below()], 1000)
    escalate(workspace, [replace(RUNGS[0], dropout=0.5), below()], 1000)
    assert len(bench.trained) == 4


def test_on_a_cluster_a_rung_waits_for_the_one_below_too(workspace, bench, monkeypatch):
    def train_trials(workspace, configs, on_epoch, *_):
        return [Trial(config, bench.fit(workspace, config, on_epoch=on_epoch)) for config in configs]

    monkeypatch.setattr("cvtune_nb.escalation.ray_cluster.train_trials", train_trials)
    found = escalate(workspace, [RUNGS[0], below()], 1000, on="ray")
    assert rungs_of(found, "state") == [["done"], ["done"]]
    assert bench.trained[1].parent.startswith(found.rungs["run"].iloc[0])
