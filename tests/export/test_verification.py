"""Exports from strangers: what is hostile in them is refused before it is used."""

import contextlib
import io
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cvtune_nb import classification
from cvtune_nb.classification import export_run, load_bundle
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export, verification
from cvtune_nb.parameters import Config
from tests.photos import make_photos


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (open, (self.mark, "w"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    place = tmp_path_factory.mktemp("safe")
    workspace = open_workspace(make_photos(place / "photos", per_class=12, size=80), place / "workspace")
    run = classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16))
    return workspace, export_run(workspace, run.id, variants=())


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of an export to do harm to."""
    return shutil.copytree(exported[1].folder, tmp_path / "export")


def again(folder):
    """Hashes as a stranger would write them, who wants his files to be taken."""
    verification.write_hashes(folder)
    return folder


def test_an_export_is_taken_as_a_folder_and_as_a_zip(exported, tmp_path):
    _, made = exported
    assert verification.checked(made.folder) == made.folder
    unpacked = verification.checked(made.zip, tmp_path / "unpacked")
    assert sorted(file.name for file in unpacked.iterdir()) == made.files
    assert open_export(made.zip).labels == open_export(made.folder).labels
    assert open_export(made.zip).labels, "a second time"


def test_what_a_zip_was_unpacked_to_goes_with_the_program(exported, tmp_path):
    _, made = exported
    program = f"from cvtune_nb.export import verification\nprint(verification.checked({str(made.zip)!r}))"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path), "it was unpacked there"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors", "labels.json", "config.json", "predict.py"])
def test_a_file_that_was_changed_is_named(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(InputError, match=f"{name} in .* is not the file that was exported"):
        verification.checked(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match="export"):
        verification.checked(folder)


def test_a_variant_that_no_hash_vouches_for(folder):
    shutil.copy(folder / "model.onnx", folder / "model-int8.onnx")
    with pytest.raises(InputError, match=r"does not name model-int8\.onnx"):
        open_export(folder, "int8")
    assert open_export(again(folder), "int8").labels


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"sha256": 3}', '{"sha256": {"../x": "y", "model.onnx": "z"}}', "[" * 100_000],
    ids=range(6),
)
def test_hashes_that_make_no_sense(folder, content):
    (folder / "hashes.json").write_text(content)
    with pytest.raises(InputError, match=r"incomplete|is not the file"):
        verification.checked(folder)


def hostile(folder, change):
    proto = onnx.load(folder / "model.onnx")
    change(proto)
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    return again(folder)


@pytest.mark.parametrize("location", ["/etc/passwd", "../../secret.bin", "weights.bin"])
def test_weights_in_another_file_are_refused(folder, location):
    def change(proto):
        tensor = next(t for t in proto.graph.initializer if t.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location

    with pytest.raises(InputError, match=f"would read another file, '{location}'"):
        open_export(hostile(folder, change))


def test_weights_in_another_file_are_found_in_a_graph_within_a_graph(folder):
    def change(proto):
        branch = next(node for node in proto.graph.node if node.op_type == "If").attribute[0].g
        tensor = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "planted")
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"
        branch.initializer.append(tensor)

    with pytest.raises(InputError, match="would read another file"):
        verification.checked(hostile(folder, change))


def _foreign(proto):
    proto.graph.node[0].domain = "evil.example"


def _renamed(proto):
    proto.graph.input[0].name = "x"


def _more_labels(proto):
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value += 1


def _other_labels(proto):
    next(entry for entry in proto.metadata_props if entry.key == "labels").value = '["a", "b", "c"]'


def _huge(proto):
    next(entry for entry in proto.metadata_props if entry.key == "short_side").value = "1000000000"


def _damaged_notes(proto):
    next(entry for entry in proto.metadata_props if entry.key == "threshold").value = "[["


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_foreign, "operators of unknown origin: 'evil.example'"),
        (_renamed, "its input is x, not photos"),
        (_more_labels, r"probabilities must have the shape \(n, labels\)"),
        (_other_labels, "its labels are not those of labels.json"),
        (_huge, "its sizes make no sense"),
        (_damaged_notes, "its notes are missing or damaged"),
    ],
)
def test_a_model_that_is_not_what_it_says(folder, change, words):
    with pytest.raises(InputError, match=words):
        verification.checked(hostile(folder, change))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thresholds", "[]"),
        ("thresholds", "0"),
        ("thresholds", '"11"'),
        ("costs", "[]"),
        ("known_below", '"0.5"'),
        ("threshold", '"0.5"'),
        ("image_size", "64.0"),
        ("known_below", None),
    ],
)
def test_notes_of_another_type_are_refused(folder, key, value):
    def change(proto):
        kept = [(entry.key, entry.value) for entry in proto.metadata_props if entry.key != key]
        onnx.helper.set_model_props(proto, dict(kept + [(key, value)] * (value is not None)))

    hostile(folder, change)
    with pytest.raises(InputError, match=r"its notes are missing or damaged|its sizes make no sense"):
        verification.checked(folder)


def test_known_and_its_limit_come_together(folder):
    hostile(folder, lambda proto: proto.graph.output.pop())
    with pytest.raises(InputError, match="its notes are missing or damaged"):
        verification.checked(folder)


def test_what_is_no_onnx(folder):
    (folder / "model.onnx").write_bytes(b"\xff" * 1000)
    with pytest.raises(InputError, match="no ONNX"):
        verification.checked(again(folder))


def packed(place, entries, **options):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return place


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/b.txt", "..\\evil.txt", ".hidden", "C:evil"])
def test_a_zip_that_would_write_elsewhere(tmp_path, name):
    with pytest.raises(InputError, match="nothing was unpacked"):
        verification.checked(packed(tmp_path / "evil.zip", {"model.onnx": b"x", name: b"evil"}), tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["evil.zip"]


def test_a_zip_with_a_link(tmp_path):
    link = zipfile.ZipInfo("model.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="nothing was unpacked"):
        verification.checked(tmp_path / "evil.zip", tmp_path / "out")


def test_a_zip_bomb(tmp_path):
    packed(tmp_path / "bomb.zip", {"model.onnx": bytes(50_000_000)})
    with pytest.raises(InputError, match="would grow to 50 MB"):
        verification.checked(tmp_path / "bomb.zip", tmp_path / "out")
    many = packed(tmp_path / "many.zip", {f"f{number}": b"" for number in range(101)})
    with pytest.raises(InputError, match="at most 100 files"):
        verification.checked(many, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_zip_that_lies_about_sizes(tmp_path):
    content = bytearray(packed(tmp_path / "lie.zip", {"model.onnx": os.urandom(5000)}).read_bytes())
    for at in (content.find(b"PK\1\2") + 24, 22):  # the size in the directory, and in front of the file
        content[at : at + 4] = (100).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"larger than the zip says|not a complete zip"):
        verification.checked(tmp_path / "lie.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"hello", os.urandom(2000)], ids=range(4))
def test_what_is_no_zip(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InputError, match="not a complete zip"):
        verification.checked(tmp_path / "x.zip", tmp_path / "out")


# -- no pickle is ever loaded ---------------------------------------------------------------------------------


def test_a_pickle_in_place_of_weights_is_not_loaded(folder, tmp_path):
    (folder / "model.safetensors").write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
    with pytest.raises(InputError, match="incomplete"):
        load_bundle(again(folder))
    torch.save({"x": Evil(tmp_path / "mark")}, folder / "model.safetensors")
    with pytest.raises(InputError, match="incomplete"):
        load_bundle(again(folder))
    assert not (tmp_path / "mark").exists()


def test_a_pickle_in_place_of_a_checkpoint_is_not_loaded(exported, tmp_path):
    workspace, _ = exported
    run = classification.load_run(workspace, "last")
    best = run.folder / "best.safetensors"
    kept = best.read_bytes()
    try:
        best.write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
        with pytest.raises(Exception, match=r"."):
            classification.load_best(run)
    finally:
        best.write_bytes(kept)
    assert not (tmp_path / "mark").exists()


def test_a_pickle_in_a_cache_of_rows_is_not_loaded(exported, tmp_path):
    workspace, _ = exported
    content = io.BytesIO()
    np.save(content, np.array([Evil(tmp_path / "mark")], dtype=object), allow_pickle=True)
    arrays = sorted(workspace.cache.rglob("*.npy"))
    assert arrays
    kept = {file: file.read_bytes() for file in arrays}
    try:
        for file in arrays:
            file.write_bytes(content.getvalue())
        with contextlib.suppress(Exception):  # refused or computed anew: both are right, as long as nothing ran
            baseline(workspace, FeatureSpec("resnet18:random", Preprocessing(64)))
    finally:
        for file, bytes_ in kept.items():
            file.write_bytes(bytes_)
    assert not (tmp_path / "mark").exists()


def test_nothing_in_an_export_is_a_pickle_of_ours(exported):
    _, made = exported
    with zipfile.ZipFile(made.folder / "model.pt2") as program:
        inputs = [name for name in program.namelist() if "sample_inputs" in name]
        assert [program.read(name) for name in inputs] == [b""], "torch.export would pickle them"
    assert json.loads((made.folder / "hashes.json").read_text())["sha256"].keys() == set(made.files) - {"hashes.json"}
