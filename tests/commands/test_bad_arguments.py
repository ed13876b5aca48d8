"""Parameters that make no sense, networks that can't be had, exports that are none: one sentence each."""

import pytest

from cvtune_nb import cli
from tests.calling import SMALL, fingerprint, refused


@pytest.mark.parametrize(
    ("command", "arguments", "what"),
    [
        ("baseline", ["--image-size", "27"], "image_size is 27"),
        ("baseline", ["--image-size", "big"], "image_size is 'big'"),
        ("baseline", ["--image-size", "512"], "image_size 512 is beyond the photos"),
        ("train", ["--image-size", "512"], "image_size 512 is beyond the photos"),
        ("baseline", ["--backbone", "nosuchnet"], "no backbone called 'nosuchnet'"),
        ("baseline", ["--C", "-1"], "C is -1"),
        ("train", ["--schedule", "[0.05]*7 + __import__('os')"], "can't be read"),
        ("train", ["--schedule", "fast"], "can't be read"),
        ("train", ["--schedule", "[0.05]*900"], "schedule"),
        ("train", ["--learning-rate", "nan"], "learning_rate is nan"),
        ("train", ["--epochs", "1.5"], "epochs is 1.5"),
        ("train", ["--batch-size", "33"], "batch_size is 33"),
        ("train", ["--head", "tail"], "head is 'tail'"),
        ("train", ["--resume", "007"], "no run '007'"),
        ("train", ["--resume", "last", "--epochs", "3"], "leave out --epochs"),
        ("escalate", ["--rungs", "1,9"], "--rungs is '1,9'"),
        ("escalate", ["--budget", "soon"], "--budget is 'soon'"),
        ("escalate", ["--rungs", "rungs.csv"], "rungs.csv"),
        ("escalate", ["--sweep", "0"], "--sweep is 0"),
        ("export", ["--run", "best"], "no training run yet"),
        ("export", ["--run", "../../photos"], "no run '../../photos'"),
        ("run", ["--budget", "20"], "--budget is '20'"),
        ("run", ["--schedule", "[]"], "schedule"),
    ],
)
def test_parameters_that_make_no_sense(photos, workspace, command, arguments, what, capsys):
    before = fingerprint(photos)
    network = [] if {"--backbone", "--resume"} & set(arguments) else SMALL[:2]
    size = [] if {"--image-size", "--resume"} & set(arguments) else SMALL[2:]
    more = [] if command == "export" else [*network, *size]
    if command == "escalate":
        more = ["--backbone", "efficientnet_lite0"]
    words = refused(capsys, command, "--data", photos, "--workspace", workspace, *more, *arguments)
    assert what in words
    assert fingerprint(photos) == before


def test_weights_that_cannot_be_had(photos, workspace, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("network is down")))
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("network is down")))
    words = refused(capsys, "baseline", "--data", photos, "--workspace", workspace, "--backbone", "resnet18")
    assert "weights of resnet18" in words
    assert "efficientnet_lite0" in words, "a way out that needs no network"


def test_a_folder_that_is_no_export(photos, capsys):
    words = refused(capsys, "predict", photos, photos / "cat" / "cat-000.jpg")
    assert "holds no model.onnx" in words
    assert "cvtune export" in words


def test_an_out_folder_that_holds_something(photos, workspace, capsys):
    assert cli.main(["train", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--epochs", "0"]) == 0
    capsys.readouterr()
    before = fingerprint(photos)
    words = refused(capsys, "export", "--workspace", workspace, "--run", "last", "--out", photos)
    assert "not empty" in words
    assert fingerprint(photos) == before
