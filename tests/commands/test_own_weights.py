"""`--weights FILE` on every command that starts from a backbone, and what is left when the file is gone."""

import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from cvtune_nb.classification import load_run
from cvtune_nb.classification.choice import choice, choose
from cvtune_nb.classification.comparison import last_comparison
from cvtune_nb.cli import main
from cvtune_nb.workspace import Workspace

NETWORK = ["--backbone", "test_resnet", "--image-size", "32"]


@pytest.fixture
def space(opened, tmp_path):
    """A workspace to work in."""
    return Workspace(shutil.copytree(opened.folder, tmp_path / "space"))


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(7)
    save_file(timm.create_model("test_resnet", num_classes=3).state_dict(), tmp_path / "plants.safetensors")
    return tmp_path / "plants.safetensors"


@pytest.fixture
def call(space, capsys):
    """Runs a command on the workspace with --json; gives its status, its JSON and what it said."""

    def run(command, *arguments, place=("--workspace", str(space.folder))):
        status = main([command, *place, *map(str, arguments), "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out), said.err

    return run


def cached(space):
    return {folder.name for folder in space.cache.glob("features-test_resnet-*")}


def test_from_the_baseline_to_exports_that_need_the_file_no_more(space, file, call):
    own = [*NETWORK, "--weights", file]
    status, first, said = call("baseline", *own)
    assert status == 0 and "own weights: " in said and "tensors matched" in said
    pin = first["weights"]
    assert pin.startswith(f"{file}@sha256:") and len(cached(space)) == 1
    assert call("export", "--run", "svm")[0] == 0

    status, run, _ = call("train", *own, "--epochs", "1", "--batch-size", "16")
    assert status == 0 and run["config"]["weights"] == pin
    assert len(cached(space)) == 1, "training starts from the same features"
    assert "tensors matched" in load_run(space, run["run"]).origin

    file.rename(file.with_name("moved.safetensors"))
    status, again, said = call("train", *own, "--epochs", "1")
    assert status == 2 and "plants.safetensors can't be used (No such file or directory)" in again["error"]
    status, moved, said = call("baseline", *NETWORK, "--weights", file.with_name("moved.safetensors"))
    assert status == 0 and moved["cached"], "the same content lies elsewhere"

    status, made, _ = call("export", "--run", run["run"])
    assert status == 0, "a run holds its own weights"
    folder = Path(made["folder"])
    digest = pin.partition("@sha256:")[2]
    card = (folder / "README.md").read_text()
    assert f"weights of test_resnet from plants.safetensors (sha256 {digest}), as given by whoever trained it" in card
    facts = (folder / "config.json").read_text()
    assert f"plants.safetensors@sha256:{digest}" in facts and str(file.parent) not in facts + card


def test_a_run_that_is_resumed_needs_the_file_no_more(space, file, call):
    from cvtune_nb.classification import fit
    from cvtune_nb.errors import Stopped
    from cvtune_nb.parameters import Config

    def stop(run):
        if run.best_epoch >= 0 and len(run.history) == 2:
            raise Stopped

    config = Config("test_resnet", str(file), image_size=32, epochs=2, batch_size=16)
    stopped = fit(space, config, on_epoch=stop)
    assert stopped.state == "stopped"
    file.unlink()
    status, resumed, _ = call("train", "--resume", stopped.id)
    assert status == 0 and resumed["state"] == "done" and len(resumed["history"]) == 3


def test_other_content_under_the_same_path_is_another_network(space, file, call):
    _, first, _ = call("baseline", *NETWORK, "--weights", file)
    torch.manual_seed(8)
    save_file(timm.create_model("test_resnet", num_classes=3).state_dict(), file)
    _, second, _ = call("baseline", *NETWORK, "--weights", file)
    assert first["weights"] != second["weights"] and not second["cached"]
    assert len(cached(space)) == 2


def test_the_ladder_is_that_of_the_network_alone(space, file, call):
    rungs = space.folder / "mine.csv"
    rungs.write_text(f"backbone,weights,image_size,epochs\ntest_resnet,{file},32,1\n")
    status, climbed, _ = call("escalate", "--rungs", rungs, "--budget", "5m")
    assert status == 0 and climbed["rungs"][0]["weights"].startswith(f"{file}@sha256:")


def test_look_alikes_by_own_weights(space, file, call):
    place = (str(space.folder),)
    name = f"test_resnet@32-weights={file}"
    status, found, _ = call("similar", "--embedder", name, place=place)
    assert status == 0 and found["measured"]["embedder"].startswith(f"{name}@sha256:")
    status, made, _ = call("export", "--similarity", "--run", name)
    texts = [path.read_text() for path in Path(made["folder"]).glob("*.[jm][sd]*")]
    assert status == 0 and any("plants.safetensors" in text for text in texts)
    assert not any(str(file.parent / file.name) in text for text in texts)


def test_a_file_of_another_network_is_refused_before_anything_is_done(space, file, call):
    status, refused, _ = call("train", "--backbone", "test_vit", "--image-size", "32", "--weights", file)
    assert status == 2 and "are not of test_vit" in refused["error"]
    assert call("audit", *NETWORK, "--weights", file.parent / "no.pth")[0] == 2


def test_they_are_compared_with_published_ones_and_later_steps_start_with_them(space, file, call, capsys):
    asked = ["--image-sizes", "32", "--pooling", "last", *NETWORK[:2], "--weights", str(file)]
    status, found, said = call("compare", "--backbones", "test_efficientnet:random", *asked)
    assert status == 0 and "2 candidates" in said and "own weights: " in said and "tensors matched" in said
    own = next(one for one in found["candidates"] if one["weights"])
    assert (own["backbone"], own["image_size"], own["state"]) == ("test_resnet", 32, "finished")
    assert main(["compare", "--workspace", str(space.folder), "--backbones", "test_resnet:random", *asked]) == 0
    out = capsys.readouterr().out
    assert "own_weights" in out and "plants.safetensors" in out
    choose(space, last_comparison(space).specs[0], "recommended for accuracy")
    chosen = choice(space).spec
    _, baseline, _ = call("baseline")
    assert (baseline["backbone"], baseline["weights"]) == (chosen.backbone, chosen.weights)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backbone", "test_vit", "--image-sizes", "160"], "are not of test_vit"),
        (["--image-sizes", "32"], "--weights and --backbone belong together"),
        (["--backbone", "resnet19"], "no backbone called 'resnet19'"),
    ],
)
def test_a_comparison_refuses_a_file_that_fits_no_network(file, call, arguments, words):
    status, found, _ = call("compare", "--backbones", "test_resnet:random", "--weights", file, *arguments)
    assert status == 2 and words in found["error"]
