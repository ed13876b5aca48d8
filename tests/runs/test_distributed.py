"""The loop under torchrun: two processes on this machine, over gloo."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from cvtune_nb import detection
from cvtune_nb.classification import fit, load_run, runs
from cvtune_nb.detection import DetectorConfig, open_dataset
from cvtune_nb.errors import Stopped
from cvtune_nb.parameters import Config
from cvtune_nb.runs import distributed
from tests.boxes import make_scenes

OPTIONS = [
    "--backbone",
    "efficientnet_lite0",
    "--image-size",
    "64",
    "--epochs",
    "3",
    "--batch-size",
    "16",
    "--augmentation",
    "none",
    "--dropout",
    "0",
    "--layer-decay",
    "0.9",
    "--clip-norm",
    "1",
    "--ema",
    "0.8",
    "--seed",
    "3",
]
SAME = Config(
    "efficientnet_lite0",
    image_size=64,
    epochs=3,
    batch_size=16,
    augmentation="none",
    dropout=0.0,
    layer_decay=0.9,
    clip_norm=1.0,
    ema=0.8,
    seed=3,
)


def begin_in_two(workspace, *options):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "-m",
        "cvtune_nb",
        "train",
        "--workspace",
        str(workspace.folder),
        *options,
        "--json",
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def train_in_two(workspace, *options):
    process = begin_in_two(workspace, *options)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def test_two_processes_learn_what_one_does(workspace):
    done = train_in_two(workspace, *OPTIONS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)  # one process speaks
    assert (found["state"], found["run"]) == ("done", "001-efficientnet_lite0-64")
    assert len(runs(workspace)) == 1
    one = fit(workspace, SAME)
    two = load_run(workspace, found["run"])
    assert two.config == one.config
    assert two.history["epoch"].tolist() == one.history["epoch"].tolist() == [0, 1, 2, 3]
    for column in ("train_loss", "validation_loss"):  # the same steps, rounded elsewhere
        assert two.history[column].tolist() == pytest.approx(one.history[column].tolist(), rel=0.1)
    assert two.train.value == pytest.approx(one.train.value, abs=0.05)
    photos = two.validation.n
    assert two.validation.value == pytest.approx(one.validation.value, abs=2.5 / photos)
    assert len(two.predictions()) == photos

    again = train_in_two(workspace, *OPTIONS)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["run"] == one.id, "the newest run of this config, which is done, is shown"
    assert len(runs(workspace)) == 2


def test_two_processes_go_on_with_a_run_that_one_began(workspace):
    def stop(run):
        if run.history["epoch"].max() == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(workspace, SAME, on_epoch=stop)
    done = train_in_two(workspace, "--resume", "last")
    assert done.returncode == 0, done.stderr
    run = load_run(workspace, "last")
    assert (run.state, run.history["epoch"].tolist()) == ("done", [0, 1, 2, 3])


def test_stop_ends_both_after_the_same_minibatch_and_keeps_whole_epochs(workspace):
    process = begin_in_two(workspace, *OPTIONS, "--epochs", "200")
    while process.poll() is None and not (len(runs(workspace)) and len(load_run(workspace, "last").history) > 2):
        time.sleep(0.2)
    psutil.Process(process.pid).children()[1].terminate()  # one of the two alone
    _, stderr = process.communicate(timeout=120)
    run = load_run(workspace, "last")
    assert run.state == "stopped", stderr
    assert 2 < len(run.history) < 200
    assert "onnection" not in stderr, "a process waited for the other in vain"


def test_bad_input_ends_all_of_them_with_one_sentence(workspace):
    done = train_in_two(workspace, "--backbone", "efficientnet_lite9")
    assert done.returncode != 0
    assert done.stderr.count("cvtune train: there is no backbone called 'efficientnet_lite9'") == 1
    assert not len(runs(workspace))


def test_alone_nothing_is_shared_and_stop_is_at_once():
    def stop(share, words):
        raise Stopped

    with distributed.process_group(), distributed.rank_zero_first():
        assert (distributed.rank(), distributed.world_size(), distributed.broadcast("run")) == (0, 1, "run")
        with pytest.raises(Stopped):
            distributed.StopTogether(stop)(0.5, "decoding")


def test_two_processes_train_one_detector(tmp_path):
    """Each on its shard of every minibatch; the first one writes."""
    photos, space = make_scenes(tmp_path / "photos"), tmp_path / "workspace"
    values = {"image_size": 128, "epochs": 1, "proposals": 40, "augmentation": "none"}
    config = DetectorConfig("efficientnet_lite0_fpn", **values)
    dataset = open_dataset(photos, space)
    program = tmp_path / "two.py"
    program.write_text(
        "from cvtune_nb.detection import DetectorConfig, fit, open_dataset\n"
        f"fit(open_dataset({str(photos)!r}, {str(space)!r}), DetectorConfig({config.detector!r}, **{values!r}))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    (two,) = (detection.load_run(dataset, run) for run in detection.runs(dataset)["run"])
    one = detection.fit(dataset, config)
    assert (two.state, two.config, two.history["epoch"].tolist()) == ("done", one.config, [1])
    assert two.history["loss"].tolist() == pytest.approx(one.history["loss"].tolist(), rel=0.2)
