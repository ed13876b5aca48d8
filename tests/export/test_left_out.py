"""A folder of photos given to predict, similar, label-next and the exported program: every file is answered."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cvtune_nb import cli
from cvtune_nb.classification import export_run
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.similarity import Metric, export_similarity
from tests.calling import called
from tests.photos import make_photos

NETWORK = "test_efficientnet:random"

READ = {"a.jpg", "b.JPG", "noextension", "deeper/c.png"}
CAN_NOT_BE_READ = {
    "IMG_1.HEIC": "a HEIC photo",
    "c.cr2": "a camera RAW photo",
    "broken.jpg": "not a photo: a text file",
    "empty.png": "the file is empty",
    "d.svg": "a drawing (SVG or XML)",
}
PASSED_OVER = {
    ".ipynb_checkpoints": "hidden",
    ".thumbnails": "hidden",
    "@eaDir": "made by the system",
    "deeper/$RECYCLE.BIN": "made by the system",
    "notes.txt": "not a photo (.txt file)",
    "back": "a link to a folder",
    "gone.jpg": "a link to nothing",
}


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    root = tmp_path_factory.mktemp("left-out")
    made = open_workspace(make_photos(root / "p", ("circle", "square"), per_class=8, size=80), root / "w")
    baseline(made, FeatureSpec(NETWORK, Preprocessing(64)), C=1.0)
    return made


@pytest.fixture(scope="module")
def classifier(space, tmp_path_factory):
    return export_run(space, "svm", tmp_path_factory.mktemp("c") / "out", variants=()).folder


@pytest.fixture(scope="module")
def finder(space, tmp_path_factory):
    return export_similarity(space, f"{NETWORK}@64", tmp_path_factory.mktemp("s") / "out", metric=Metric("none")).folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four photos, and all that is found beside photos."""
    root = tmp_path_factory.mktemp("mixed") / "photos"
    for number, name in enumerate(
        [
            *sorted(READ),
            ".ipynb_checkpoints/x.jpg",
            ".thumbnails/x.jpg",
            "@eaDir/a.jpg/x.jpg",
            "deeper/$RECYCLE.BIN/x.jpg",
        ]
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(root / name, "PNG" if name in ("noextension", "deeper/c.png") else "JPEG")
    (root / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (root / "c.cr2").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(100))
    (root / "broken.jpg").write_text("404")
    (root / "empty.png").write_bytes(b"")
    (root / "d.svg").write_text("<svg/>")
    (root / "notes.txt").write_text("mine")
    (root / "Thumbs.db").write_bytes(b"x")
    (root / "back").symlink_to("..")
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    return root


def all_accounted_for(folder, rows, left_out):
    named = {os.path.relpath(row["path"], folder): row for row in rows}
    passed = {os.path.relpath(row["path"], folder): row["reason"] for row in left_out}
    assert {name for name, row in named.items() if "error" not in row} == READ
    assert {name for name, row in named.items() if "error" in row} == set(CAN_NOT_BE_READ)
    assert all(named[name]["error"].startswith(reason) for name, reason in CAN_NOT_BE_READ.items())
    assert passed.keys() == PASSED_OVER.keys()
    assert all(passed[name].startswith(reason) for name, reason in PASSED_OVER.items())


def test_predict_answers_every_file(classifier, folder, capsys):
    status, found, _ = called(capsys, "predict", classifier, folder)
    assert status == 0 and not [*folder.rglob("*.onnx")]
    all_accounted_for(folder, found["predictions"], found["left_out"])
    assert cli.main(["predict", str(classifier), str(folder)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith("7 files left out, first ") and len(printed) == 11  # and the head of the table


def test_the_exported_program_answers_every_file(classifier, folder):
    command = [sys.executable, classifier / "predict.py", folder]
    made = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    found = json.loads(made.stdout)
    all_accounted_for(folder, found["predictions"], found["left_out"])
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout.splitlines()[-1].startswith("7 files left out, first ")


def test_similar_answers_every_file(space, finder, folder, capsys):
    for call in (("similar", finder, folder), ("similar", space.folder, folder, "--embedder", f"{NETWORK}@64")):
        status, found, _ = called(capsys, *call)
        assert status == 0
        all_accounted_for(folder, found["similar"], found["left_out"])
        assert cli.main([str(word) for word in call]) == 0
        assert "7 files left out, first " in capsys.readouterr().out


def test_label_next_lists_every_file(space, folder, capsys):
    call = ("similar", space.folder, "--label-next", folder, "--count", 10, "--embedder", f"{NETWORK}@64")
    status, found, _ = called(capsys, *call)
    assert status == 0
    assert {os.path.relpath(row["path"], folder) for row in found["photos"]} == READ
    left_out = {os.path.relpath(row["path"], folder): row["reason"] for row in found["left_out"]}
    assert left_out.keys() == CAN_NOT_BE_READ.keys() | PASSED_OVER.keys()


@pytest.mark.parametrize(
    "make",
    [
        lambda root: (root / ".hidden.jpg").write_bytes(b"x"),
        lambda root: (root / "a.txt").write_text("x"),
        lambda _: None,
    ],
)
def test_a_folder_without_photos_says_what_it_has_instead(classifier, space, tmp_path, capsys, make):
    make(tmp_path)
    for call in (
        ("predict", classifier, tmp_path),
        ("similar", space.folder, tmp_path),
        ("similar", space.folder, "--label-next", tmp_path),
    ):
        assert cli.main([str(word) for word in call]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert "no photo" in said and str(tmp_path) in said
        assert any(tmp_path.iterdir()) == ("hidden" in said or "not a photo (.txt file)" in said)


def test_what_is_named_itself_is_answered(classifier, folder, capsys):
    hidden = folder / ".thumbnails" / "x.jpg"
    status, found, _ = called(capsys, "predict", classifier, hidden, folder / "notes.txt", folder / "nowhere.jpg")
    assert status == 0 and found["left_out"] == []
    assert [row.get("error") for row in found["predictions"]] == [None, "not a photo: a text file", "the file is gone"]
