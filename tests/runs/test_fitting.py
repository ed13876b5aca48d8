"""The training loop, with the smallest thing that it can train."""

import json
import weakref
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.runs import fitting
from cvtune_nb.runs.store import LOCK, locked
from tests.toy import PHOTOS, Config, store_in, task_in


def bits(run):
    """All that a run has learned; seconds aside."""
    tensors = {name: tensor.numpy().tobytes() for name, tensor in load_file(run.checkpoint).items()}
    return tensors, run.history.drop(columns="seconds").to_dict("list"), (run.folder / run.OUTPUTS).read_bytes()


@pytest.fixture
def unbroken(tmp_path):
    return fitting.fit(task_in(tmp_path / "unbroken", Config()))


def test_it_learns_and_writes_down_what_it_did(unbroken, tmp_path):
    assert (unbroken.id, unbroken.state) == ("001-straight-line-64", "done")
    assert unbroken.history["epoch"].tolist() == [0, 1, 2, 3]
    assert unbroken.history["learning_rate"].tolist() == pytest.approx([0, 0.25 / 3, 0.05, 0.05 / 3], rel=1e-5)
    assert unbroken.history["error"].iloc[-1] < unbroken.history["error"].iloc[0]
    assert unbroken.best_epoch == 3
    files = {file.name for file in unbroken.folder.iterdir()}
    expected = {"config.json", "photos.csv", "history.csv", "result.json", "outputs.csv", LOCK}
    assert files == expected | {"checkpoint.safetensors", "best.safetensors"}
    again = store_in(tmp_path / "unbroken").load("last")
    assert (again.config, again.state, again.data_id) == (unbroken.config, "done", unbroken.data_id)
    assert again.history.equals(unbroken.history)


def test_every_step_has_the_rate_of_its_place_in_the_schedule(tmp_path):
    config, rates, trainers = Config(), [], []
    task = task_in(tmp_path, config, lambda _: rates.append(trainers[0].optimizer.param_groups[0]["lr"]))

    def made(run, progress):
        trainers.append(task.trainer(run, progress))
        return trainers[0]

    fitting.fit(replace(task, trainer=made))
    assert rates == pytest.approx([config.rate(step / 3) for step in range(9)])


@pytest.mark.parametrize("minibatches", range(9))
def test_stopped_at_any_minibatch_it_ends_as_the_unbroken_run(unbroken, tmp_path, minibatches):
    calls = []

    def stop(share, words):
        calls.append(words)
        if sum(call.endswith(" of 3") for call in calls) > minibatches:
            raise Stopped

    config = Config()
    run = fitting.fit(task_in(tmp_path, config), progress=stop)
    assert run.state == "stopped"
    assert len(run.history) == 1 + minibatches // 3
    assert bits(fitting.fit(task_in(tmp_path, config), run.id)) == bits(unbroken)


@pytest.mark.parametrize("file", ["checkpoint", "config.json"])
def test_killed_while_an_epoch_is_written_down_it_ends_as_the_unbroken_run(unbroken, tmp_path, monkeypatch, file):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    def after_two(run):
        if len(run.history) == 2:
            patch.setattr(*((fitting.checkpoint, "save", kill) if file == "checkpoint" else (type(run), "save", kill)))

    with monkeypatch.context() as patch, pytest.raises(Killed):
        fitting.fit(task_in(tmp_path, Config()), on_epoch=after_two)
    assert bits(fitting.fit(task_in(tmp_path, Config()), store_in(tmp_path).load("last").id)) == bits(unbroken)


def test_a_finished_run_is_given_back_as_it_is(unbroken, tmp_path):
    task = task_in(tmp_path / "unbroken", Config(), before_step=lambda batch: pytest.fail("it was trained"))
    assert bits(fitting.fit(task, unbroken.id)) == bits(unbroken)


def test_out_of_memory_it_goes_on_from_the_last_epoch_with_half_the_minibatch(tmp_path):
    sizes = []

    def before_step(batch):
        sizes.append(len(batch))
        if len(sizes) == 5:  # the second of the second epoch
            raise MemoryError

    run = fitting.fit(task_in(tmp_path, Config(), before_step))
    assert run.state == "done" and run.history["epoch"].tolist() == [0, 1, 2, 3]
    assert sizes == [8, 8, 4, 8, 8] + 2 * [4, 4, 4, 4, 4]
    assert (run.config.batch_size, run.config.learning_rate) == (4, 0.05)
    assert run.changes == ["out of memory: minibatch 4, learning rate 0.05 from here"]
    assert store_in(tmp_path).load(run.id).changes == run.changes


def test_out_of_memory_with_one_photo_it_says_what_to_do(tmp_path):
    def before_step(batch):
        raise RuntimeError("CUDA out of memory")

    with pytest.raises(InputError, match="one photo: choose a smaller image_size or line"):
        fitting.fit(task_in(tmp_path, Config(batch_size=2), before_step))
    run = store_in(tmp_path).load("last")
    assert (run.state, run.config.batch_size) == ("interrupted", 1)


def test_any_other_error_passes_through(tmp_path):
    def before_step(batch):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        fitting.fit(task_in(tmp_path, Config(), before_step))


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    seen = []

    def before_step(batch):
        seen.append(len(batch))
        if len(seen) == 5:
            batch.fill_(float("inf"))

    run = fitting.fit(task_in(tmp_path, Config(), before_step))
    assert (run.state, run.history["epoch"].tolist()) == ("diverged", [0, 1])
    assert store_in(tmp_path).load(run.id).state == "diverged"


def test_a_beaten_run_is_resumed_by_its_name_only(tmp_path):
    def beaten(run):
        raise Beaten

    task = task_in(tmp_path, Config())
    run = fitting.fit(task, on_epoch=beaten)
    assert run.state == "beaten"
    assert store_in(tmp_path).earlier(Config()).id == run.id
    assert fitting.fit(task, run.id).state == "done"


def test_other_data_is_not_mixed_into_a_run(tmp_path):
    def stop(run):
        raise Stopped

    run = fitting.fit(task_in(tmp_path, Config()), on_epoch=stop)
    with pytest.raises(InputError, match=f"points have changed since run {run.id} began"):
        fitting.fit(task_in(tmp_path, Config(), photos=PHOTOS[:2]), run.id)


def test_while_it_trains_nobody_else_does(tmp_path):
    seen = []

    def look(run):
        with pytest.raises(InputError, match=f"is training run {run.id}"), locked(run.folder, 0.1):
            pass
        seen.append(store_in(tmp_path).load(run.id).state)

    fitting.fit(task_in(tmp_path, Config(epochs=1)), on_epoch=look)
    assert seen == ["training", "training"]


def test_batch_norms_keep_the_statistics_of_pretraining():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout())
    fitting.train_mode(network)
    assert [module.training for module in network] == [True, False, True]
    before = network[1].running_mean.clone()
    network(torch.rand(4, 3, 8, 8))
    assert torch.equal(network[1].running_mean, before)


def test_the_history_of_the_checkpoint_is_the_truth(unbroken, tmp_path):
    (unbroken.folder / "history.csv").write_text("nonsense")
    assert store_in(tmp_path / "unbroken").load(unbroken.id).history.equals(unbroken.history)
    assert json.loads((unbroken.folder / "result.json").read_text())["state"] == "done"


def test_out_of_memory_all_of_it_is_given_back_before_it_goes_on(tmp_path, monkeypatch):
    alive, trainers, tried = [], [], []

    def before_step(batch):
        tried.append(len(batch))
        if len(tried) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    task = task_in(tmp_path, Config(), before_step)

    def made(run, progress):
        trainer = task.trainer(run, progress)
        trainers.append(weakref.ref(trainer.network))
        return trainer

    release = fitting.memory.release

    def look():
        release()
        alive.append([trainer() is not None for trainer in trainers])

    monkeypatch.setattr(fitting.memory, "release", look)
    assert fitting.fit(replace(task, trainer=made)).config.batch_size == 4
    assert alive == [[False]]
