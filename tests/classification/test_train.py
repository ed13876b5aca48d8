import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cvtune_nb.classification import build, fit, load_best, load_run, predict_cost, train
from cvtune_nb.classification.baseline import baseline_predictions, last_baseline
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.models import inference, networks
from cvtune_nb.models.fuse_convolutions import Fused
from cvtune_nb.parameters import Config
from cvtune_nb.runs import checkpoint
from cvtune_nb.runs.optimizer import optimizer_for
from cvtune_nb.runs.weight_average import WeightAverage


def test_a_run_learns_and_says_what_it_did(trained, config):
    workspace, run = trained
    assert run.state == "done"
    assert run.history["epoch"].tolist() == [0, 1, 2]
    assert run.config == config
    assert run.classes == ["circle", "square", "stripes"]
    assert run.history["learning_rate"].tolist() == [0.0, *config.rates]
    assert (run.history["seconds"] > 0).all()
    assert run.predicted_seconds > 0
    assert run.counts == tuple((workspace.photos()["split"] == s).sum() for s in ("train", "validation"))


def test_a_network_with_the_weights_of_imagenet_learns_these_photos(workspace):
    config = Config("efficientnet_lite0", image_size=64, epochs=1, head="random", learning_rate=0.05, optimizer="sgd")
    run = fit(workspace, config)
    assert run.state == "done"
    assert run.train.value > 0.8
    assert run.validation.value > 0.6


def test_epoch_0_is_the_baseline_to_the_photo(workspace):
    run = fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=0))
    known = last_baseline(workspace)
    row = run.history.iloc[0]
    assert row["epoch"] == 0
    assert row["validation_accuracy"] == known["validation_accuracy"]
    assert row["train_accuracy"] == known["train_accuracy"]
    assert run.validation.interval == known["interval"]
    mine, svm = run.predictions(), baseline_predictions(workspace)
    assert mine["path"].tolist() == svm["path"].tolist()
    assert mine["predicted"].tolist() == svm["predicted"].tolist()


def test_a_fused_network_measures_what_the_network_itself_does(workspace, config, monkeypatch):
    monkeypatch.setattr(networks, "has_bfloat16", lambda where: False)
    plain, used = fit(workspace, config), []
    monkeypatch.setattr(inference, "FUSING_PAYS", 0)
    monkeypatch.setattr(train, "quick", lambda *given: used.append(inference.quick(*given)) or used[-1])
    run = fit(workspace, config)
    assert len(used) == 2 and all(any(isinstance(part, Fused) for part in network.modules()) for network in used)
    columns = [f"{split}_{what}" for split in ("train", "validation") for what in ("accuracy", "loss")]
    np.testing.assert_allclose(run.history[columns], plain.history[columns], rtol=1e-3)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_accuracy_is_measured_in_eval_mode_without_augmentation(trained, split):
    workspace, run = trained
    network = build(run.config, run.classes)
    average = WeightAverage(network, run.config.ema)
    checkpoint.restore_average(run, average)
    photos = workspace.photos().query("split == @split")
    images = np.stack([Preprocessing(64).square(workspace.path_of(path), FULL) for path in photos["path"]])
    with average.in_place():
        logits = torch.from_numpy(networks.forward(network.eval(), images))
    truth = torch.tensor([run.classes.index(label) for label in photos["label"]])
    last = run.history.iloc[-1]
    assert last[f"{split}_accuracy"] == float((logits.argmax(1) == truth).double().mean())
    expected = float(torch.nn.functional.cross_entropy(logits, truth))
    assert last[f"{split}_loss"] == pytest.approx(expected, abs=2e-3), "minibatches of another size round otherwise"


def test_the_typed_schedule_of_2018_is_what_the_optimizer_gets(workspace, config, monkeypatch):
    typed = Config(
        config.backbone, image_size=64, batch_size=32, optimizer="sgd", schedule="[0.004]*1 + [0.0004]*1", warm_up=2
    )
    predict_cost(workspace, typed)  # the speed is measured with a few steps of an optimizer of its own
    used = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: used.append(self.param_groups[0]["lr"]) or step(self))
    run = fit(workspace, typed)
    assert run.history["learning_rate"].tolist() == [0.0, 0.004, 0.0004]
    steps = -(-run.counts[0] // 32)
    assert used == pytest.approx([0.002, *[0.004] * (steps - 1), *[0.0004] * steps])


def test_a_random_last_layer_has_no_epoch_0(workspace, config):
    run = fit(workspace, Config(config.backbone, image_size=64, epochs=1, head="random", learning_rate=0.01))
    assert run.history["epoch"].tolist() == [1]
    assert not load_best(run).normalise


def test_the_optimizer_has_what_the_person_chose(workspace, monkeypatch, config):
    sgd = Config(config.backbone, image_size=64, epochs=0, weight_decay=0.002, learning_rate=0.01, optimizer="sgd")
    predict_cost(workspace, sgd)  # the speed is measured with an optimizer of its own
    made = []
    whole = torch.optim.SGD
    monkeypatch.setattr(torch.optim, "SGD", lambda *a, **k: made.append((a[1:], k)) or whole(*a, **k))
    fit(workspace, sgd)
    assert made == [((0.01, 0.9), {"weight_decay": 0.002, "fused": None})]
    adamw = optimizer_for(nn.Linear(2, 3), replace(sgd, optimizer="adamw"))
    assert [(group["weight_decay"], len(group["params"])) for group in adamw.param_groups] == [(0.002, 1), (0.0, 1)]


def test_every_epoch_is_told_once_it_is_on_disk(workspace, config):
    told = []

    def on_epoch(run):
        told.append(int(run.history["epoch"].iloc[-1]))
        assert load_run(workspace, run.id).history["epoch"].tolist() == run.history["epoch"].tolist()
        assert json.loads((run.folder / "config.json").read_text())["config"]["epochs"] == 1

    fit(workspace, Config(config.backbone, image_size=64, epochs=1), on_epoch=on_epoch)
    assert told == [0, 1]


def test_progress_grows_from_0_to_1(workspace, config):
    shares = []
    fit(
        workspace,
        Config(config.backbone, image_size=64, epochs=1),
        progress=lambda share, words: shares.append((share, words)),
    )
    epochs = [share for share, words in shares if words.startswith("epoch")]
    assert epochs == sorted(epochs)
    assert 0 <= epochs[0] < 0.2
    assert 0.8 < epochs[-1] <= 1


# -- running away -------------------------------------------------------------------------------------------


def after_epoch(number, monkeypatch, module, name, replacement):
    """Replace module.name once epoch `number` is done; returns the on_epoch that does it."""

    def on_epoch(run):
        if run.history["epoch"].iloc[-1] == number:
            monkeypatch.setattr(module, name, replacement)

    return on_epoch


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_best_epoch(workspace, config, monkeypatch):
    whole = train.cross_entropy
    infinite = after_epoch(1, monkeypatch, train, "cross_entropy", lambda *a, **k: whole(*a, **k) * float("inf"))
    run = fit(workspace, config, on_epoch=infinite)
    assert run.state == load_run(workspace, run.id).state == "diverged"
    assert run.history["epoch"].tolist() == [0, 1]
    assert all(torch.isfinite(tensor).all() for tensor in load_best(run).state_dict().values())
    assert fit(workspace, run=run.id).state == "diverged"


def test_a_last_step_that_runs_away_is_seen_when_it_is_measured(workspace, config, monkeypatch):
    step = torch.optim.AdamW.step

    def poisoned(self):
        step(self)
        with torch.no_grad():
            self.param_groups[0]["params"][-1].fill_(float("nan"))

    one_step = Config(config.backbone, image_size=64, batch_size=64, epochs=2)
    run = fit(workspace, one_step, on_epoch=after_epoch(1, monkeypatch, torch.optim.AdamW, "step", poisoned))
    assert load_run(workspace, run.id).state == "diverged"
    assert run.history["epoch"].tolist() == [0, 1]
    assert all(torch.isfinite(tensor).all() for tensor in load_best(run).state_dict().values())


def test_diverged_before_the_first_epoch_was_done(workspace, config, monkeypatch):
    whole = train.cross_entropy
    monkeypatch.setattr(train, "cross_entropy", lambda *a, **k: whole(*a, **k) * float("nan"))
    run = fit(workspace, Config(config.backbone, image_size=64, epochs=1, head="random"))
    again = load_run(workspace, run.id)
    assert (again.state, again.best_epoch, len(again.history)) == ("diverged", -1, 0)
    assert again.predictions().empty


# -- memory -------------------------------------------------------------------------------------------------


class Full:
    """`augmented`, but out of memory `times` times from a given call on."""

    def __init__(self, call, times, words="CUDA out of memory. Tried to allocate 20.00 MiB", kind=RuntimeError):
        self.call, self.times, self.error, self.calls = call, times, kind(words), 0
        self.whole = train.augmented

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls >= self.call and self.times:
            self.times -= 1
            raise self.error
        return self.whole(*arguments)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 MiB", RuntimeError),
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", RuntimeError),
        ("could not create a primitive", RuntimeError),
        ("", MemoryError),
    ],
)
def test_out_of_memory_halves_minibatch_and_rate_and_goes_on(workspace, config, monkeypatch, words, kind):
    steps = -(-50 // config.batch_size)
    monkeypatch.setattr(train, "augmented", Full(steps + 2, 1, words, kind))
    run = fit(workspace, config)
    assert run.state == "done"
    assert run.history["epoch"].tolist() == [0, 1, 2]
    assert (run.config.batch_size, run.config.learning_rate) == (8, config.learning_rate / 2)
    assert run.history["learning_rate"].tolist() == pytest.approx([0.0, config.rates[0], config.rates[1] / 2], rel=1e-4)
    assert run.changes == [f"out of memory: minibatch 8, learning rate {config.learning_rate / 2:g} from here"]
    again = load_run(workspace, run.id)
    assert (again.config, again.changes) == (run.config, run.changes)


def test_out_of_memory_with_one_photo_says_what_to_do_and_keeps_the_work(workspace, config, monkeypatch):
    monkeypatch.setattr(train, "augmented", Full(1, 99))
    with pytest.raises(InputError, match="minibatch of one photo: choose a smaller image_size or backbone"):
        fit(workspace, Config(config.backbone, image_size=64, epochs=1, batch_size=2))
    run = load_run(workspace, "last")
    assert (run.state, run.config.batch_size, len(run.history)) == ("interrupted", 1, 1)


class Allocator(TorchDispatchMode):
    """Memory for tensors that is limited as a small machine's is: an operation whose result takes more than `limit`
    bytes fails as PyTorch's own allocator does. A limit on the process itself ends some native libraries in a
    segmentation fault, on some processors and now and then."""

    def __init__(self, limit):
        super().__init__()
        self.limit, self.largest = limit, 0

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        result = operation(*arguments, **(named or {}))
        if torch.is_inference_mode_enabled():  # accuracies are measured on 32 photos at a time, whatever the minibatch
            return result
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.nbytes)
        if self.largest > self.limit:
            self.largest = 0
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return result


def test_a_minibatch_that_needs_more_memory_than_there_is_is_halved_until_it_fits(workspace):
    values = {"image_size": 96, "head": "random", "epochs": 1, "augmentation": "none"}
    small, large = (Config("efficientnet_lite0", batch_size=size, **values) for size in (8, 32))
    with Allocator(float("inf")) as unlimited:
        fit(workspace, small)
    predict_cost(workspace, large)  # tries a large minibatch, and remembers what came of it
    with Allocator(unlimited.largest * 1.1):
        run = fit(workspace, large)
    assert (run.state, run.history["epoch"].tolist()) == ("done", [1])
    assert run.config.batch_size == 8
    assert run.config.learning_rate == pytest.approx(0.0003 * 8 / 32)
    assert [change.partition(",")[0] for change in run.changes] == [
        "out of memory: minibatch 16",
        "out of memory: minibatch 8",
    ]


def test_any_other_error_is_not_hidden(workspace, config, monkeypatch):
    monkeypatch.setattr(train, "augmented", Full(1, 1, "mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        fit(workspace, config)
    assert load_run(workspace, "last").state == "interrupted"


def test_a_photo_that_vanishes_in_mid_run_ends_it_with_its_name_and_keeps_the_work(workspace, config, tmp_path):
    workspace.limit_pixels(0)
    unkept = replace(config, image_size=96, epochs=3)

    disk = tmp_path / "disk"
    workspace.data = shutil.copytree(workspace.data, disk)

    def unplug(run):
        if run.history["epoch"].max() == 1:
            disk.rename(tmp_path / "unplugged")

    with pytest.raises(InputError, match=r"disk.*\.jpg can no longer be read \(the file is gone\): put it back"):
        fit(workspace, unkept, on_epoch=unplug)
    (tmp_path / "unplugged").rename(disk)
    run = load_run(workspace, "last")
    assert (run.state, run.history["epoch"].tolist()) == ("interrupted", [0, 1])
    assert fit(workspace, run=run.id).history["epoch"].tolist() == [0, 1, 2, 3]


# -- photos -------------------------------------------------------------------------------------------------


def test_photos_that_vanish_once_they_are_decoded_are_not_missed(workspace, config, tmp_path):
    workspace.data = tmp_path / "unplugged"
    assert fit(workspace, Config(config.backbone, image_size=64, epochs=1)).state == "done"


def test_a_photo_that_vanished_before_it_was_decoded_is_named(workspace, config):
    gone = workspace.photos()["path"].iloc[0]
    path_of = workspace.path_of
    workspace.path_of = lambda path: workspace.data / "gone.jpg" if path == gone else path_of(path)
    with pytest.raises(InputError, match=r"gone\.jpg can no longer be read \(the file is gone\)"):
        fit(workspace, Config("resnet18:random", image_size=96, epochs=1, head="random"))


def test_a_class_without_training_photos_is_refused_before_anything_starts(workspace, config):
    path = workspace.photos().query("split == 'validation'")["path"].iloc[0]
    workspace.decide(path, "relabel", to="heart")
    with pytest.raises(InputError, match="class 'heart'"):
        fit(workspace, config)
    assert not list(workspace.runs.glob("*"))


def test_stopped_before_training_begins(workspace, config):
    def stop(share, words):
        raise Stopped

    (workspace.cache / "speed.json").unlink(missing_ok=True)
    with pytest.raises(Stopped):
        fit(workspace, config, progress=stop)
    assert not list(workspace.runs.glob("*"))
