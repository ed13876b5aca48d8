import json
import shutil
import subprocess
import sys

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from cvtune_nb.classification import fit, load_run
from cvtune_nb.errors import Stopped
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace

CONFIG = Config("test_efficientnet:random", image_size=64, epochs=2, batch_size=16, learning_rate=0.01)
"""timm's own network for tests: convolutions, batch norm and all, in 0.1 million weights. Random, since what is
tested here is the loop; a network with ImageNet's weights is trained in test_loop.py and test_climb.py."""


@pytest.fixture
def config():
    """Two epochs of a small network on small photos."""
    return CONFIG


@pytest.fixture(scope="session")
def trained(opened, tmp_path_factory):
    """(workspace, run): CONFIG, trained without interruption. Shared: only read it."""
    folder = tmp_path_factory.mktemp("trained") / "workspace"
    shutil.copytree(opened.folder, folder)
    workspace = Workspace(folder)
    return workspace, fit(workspace, CONFIG)


def outcome(run):
    """Everything that a run has learned, down to the bit; seconds aside."""
    with safe_open(run.checkpoint, "pt") as file:
        history = json.loads(file.metadata()["history"])
    tensors = {f"checkpoint {name}": t for name, t in load_file(run.checkpoint).items()}
    tensors |= {f"best {name}": t for name, t in load_file(run.folder / "best.safetensors").items()}
    return (
        [{name: value for name, value in row.items() if name != "seconds"} for row in history],
        {name: tensor.numpy().tobytes() for name, tensor in tensors.items()},
        (run.folder / "predictions.csv").read_bytes(),
    )


def stop_at(words):
    """A progress that stops the work when it says so."""

    def progress(share, said):
        if said.startswith(words):
            raise Stopped

    return progress


def killed_in_the_second_epoch(workspace, config):
    """The run of `config` in a process of its own that the system ends (kill -9) in the middle of its second epoch."""
    script = f"""
import os, signal
from cvtune_nb.errors import Stopped
from cvtune_nb.parameters import Config
from cvtune_nb.classification import fit, load_run
from cvtune_nb.workspace import Workspace

def progress(share, words):
    if words == "epoch 2 of 2" and share > 0.6:
        os.kill(os.getpid(), signal.SIGKILL)

fit(Workspace({str(workspace.folder)!r}), Config(**{config.to_dict()!r}), progress=progress)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert ended.returncode == -9, ended.stderr
    run = load_run(workspace, "last")
    assert (run.state, run.history["epoch"].tolist()) == ("interrupted", [0, 1])
    return run


@pytest.fixture
def same_as_trained(trained):
    """A check that a run has ended bit for bit as the uninterrupted one."""
    expected = outcome(trained[1])

    def check(run):
        history, tensors, predictions = outcome(run)
        assert history == expected[0]
        assert tensors.keys() == expected[1].keys()
        assert [name for name in tensors if tensors[name] != expected[1][name]] == []
        assert predictions == expected[2]
        assert run.state == "done"

    return check
