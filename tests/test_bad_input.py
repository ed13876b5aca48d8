"""Bad input, through the command line: one sentence that says what, where and what to do; exit status 2; and nothing
that the person made is touched."""

import csv
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cvtune_nb import cli
from cvtune_nb.runs.checkpoint import write_tensors
from tests.photos import make_photos

SMALL = ["--backbone", "test_resnet:random", "--image-size", "64"]
"""A network that trains in a blink."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """Two classes of six photos to copy from."""
    return make_photos(tmp_path_factory.mktemp("bad") / "photos", ("cat", "dog"), per_class=6, size=96)


@pytest.fixture
def photos(originals, tmp_path) -> Path:
    """A good folder of photos, for a test to spoil."""
    return shutil.copytree(originals, tmp_path / "photos")


@pytest.fixture
def workspace(tmp_path) -> Path:
    return tmp_path / "workspace"


def fingerprint(folder: Path) -> dict[str, str]:
    """Everything about every file: its name, bytes, permissions and time of change."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        facts = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = f"{hashlib.sha256(content).hexdigest()} {facts.st_mode} {facts.st_mtime_ns}"
    return found


def refused(capsys, *arguments) -> str:
    """The one sentence on stderr of a command that must end with 2, and says no more than that on stdout, in JSON."""
    status = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert status == 2, err
    known = ("photos: ", " ")  # which photos and workspace, and progress
    lines = [line for line in err.splitlines() if not line.startswith(known) and "files left out" not in line]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert lines[0].startswith(f"cvtune {arguments[0]}: ")
    if "--json" in arguments:
        assert lines[0] == f"cvtune {arguments[0]}: {json.loads(out)['error']}"
    else:
        assert out == ""
    return lines[0]


# -- the photos ---------------------------------------------------------------------------------------------


def empty(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def missing(folder: Path) -> Path:
    return folder / "nowhere"


def a_file(folder: Path) -> Path:
    (folder / "letter.txt").write_text("dear")
    return folder / "letter.txt"


def one_class(folder: Path) -> Path:
    shutil.rmtree(folder / "dog")
    return folder


def one_photo(folder: Path) -> Path:
    for path in sorted((folder / "dog").iterdir())[1:]:
        path.unlink()
    return folder


def the_same_photo(folder: Path) -> Path:
    """Both classes hold one photo, the same."""
    for path in sorted((folder / "dog").iterdir()):
        path.unlink()
    for path in sorted((folder / "cat").iterdir())[1:]:
        path.unlink()
    shutil.copy(folder / "cat" / "cat-000.jpg", folder / "dog" / "hound.jpg")
    return folder


def only_copies(folder: Path) -> Path:
    """Every photo of one class lies in the other one, too."""
    shutil.rmtree(folder / "dog")
    shutil.copytree(folder / "cat", folder / "dog")
    return folder


def no_photos_inside(folder: Path) -> Path:
    for path in folder.rglob("*.jpg"):
        path.write_text("<html>not found</html>")
    return folder


def sheet(folder: Path, *rows: tuple) -> Path:
    with open(folder / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "labels.csv"


def missing_files(folder: Path) -> Path:
    return sheet(folder, ("path", "label"), ("cat/cat-000.jpg", "cat"), ("dog/gone.jpg", "dog"))


def missing_column(folder: Path) -> Path:
    return sheet(folder, ("path", "kind"), ("cat/cat-000.jpg", "cat"), ("dog/dog-000.jpg", "dog"))


def no_rows(folder: Path) -> Path:
    return sheet(folder, ("path", "label"))


def wrong_split(folder: Path) -> Path:
    return sheet(folder, ("path", "label", "split"), ("cat/cat-000.jpg", "cat", "holdout"))


def two_labels(folder: Path) -> Path:
    rows = [(f"{name}/{name}-00{number}.jpg", name) for name in ("cat", "dog") for number in range(6)]
    return sheet(folder, ("path", "label"), *rows, ("cat/cat-000.jpg", "dog"))


def zipped(folder: Path, extra: str = "", link: bool = False) -> Path:
    archive = folder / "photos.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*.jpg")):
            opened.write(path, path.relative_to(folder))
        if extra:
            entry = zipfile.ZipInfo(extra)
            if link:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            opened.writestr(entry, "/etc/passwd")
    return archive


def climbing_zip(folder: Path) -> Path:
    return zipped(folder, "cat/../../../escaped.jpg")


def absolute_zip(folder: Path) -> Path:
    return zipped(folder, "/tmp/cvtune-escaped.jpg")


def windows_zip(folder: Path) -> Path:
    return zipped(folder, "..\\escaped.jpg")


def linking_zip(folder: Path) -> Path:
    return zipped(folder, "cat/link.jpg", link=True)


def half_a_zip(folder: Path) -> Path:
    archive = zipped(folder)
    archive.write_bytes(archive.read_bytes()[:2000])
    return archive


SPOILED = [
    (empty, "no photos", "photos"),
    (missing, "does not exist", "nowhere"),
    (a_file, "is a file", "letter.txt"),
    (one_class, "one class only", "'cat'"),
    (one_photo, "class 'dog' has only 1", "dog/dog-000.jpg"),
    (the_same_photo, "another class", "cat"),
    (only_copies, "another class", "cat"),
    (no_photos_inside, "none of the 12 files", "a web page"),
    (missing_files, "not there", "gone.jpg"),
    (missing_column, "no column 'label'", "labels.csv"),
    (no_rows, "no photos", "labels.csv"),
    (wrong_split, "holdout", "labels.csv line 2"),
    (two_labels, "more than one label", "cat/cat-000.jpg"),
    (climbing_zip, "outside its folder", "../../../escaped.jpg"),
    (absolute_zip, "outside its folder", "/tmp/cvtune-escaped.jpg"),
    (windows_zip, "outside its folder", "escaped.jpg"),
    (linking_zip, "outside its folder", "cat/link.jpg"),
    (half_a_zip, "can't be unpacked", "photos.zip"),
]
"""How the photos are spoiled, what is said about it and where."""


@pytest.mark.parametrize(("spoil", "what", "where"), SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_spoiled_photos(photos, workspace, spoil, what, where, tmp_path, capsys):
    data = spoil(photos)
    before = fingerprint(photos)
    words = refused(capsys, "baseline", "--data", data, "--workspace", workspace, *SMALL, "--json")
    assert what in words
    assert where in words
    assert any(marker in words for marker in (": ", "; ")), "it says what to do"
    assert fingerprint(photos) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"photos", "workspace"}, "nothing escaped"
    assert not Path("/tmp/cvtune-escaped.jpg").exists()


def test_a_photo_in_two_classes_is_left_out_with_a_warning(photos, workspace, capsys):
    shutil.copy(photos / "cat" / "cat-000.jpg", photos / "dog" / "hound.jpg")
    before = fingerprint(photos)
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation_accuracy"] > 0
    assert "2 photos lie in two classes" in err
    assert "cat/cat-000.jpg" in err
    assert fingerprint(photos) == before


def test_a_broken_photo_is_left_out_with_its_reason(photos, workspace, capsys):
    (photos / "dog" / "zero.jpg").touch()
    (photos / "dog" / "page.jpg").write_text("<!doctype html>")
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--json"]) == 0
    assert "files left out: 2," in capsys.readouterr().err
    listed = (workspace / "skipped.csv").read_text()
    assert "dog/zero.jpg,dog,the file is empty" in listed
    assert "a web page" in listed


@pytest.mark.parametrize("label", ["hot dog", "käse & wein", "犬", "<script>alert(1)</script>".replace("/", "∕"), "-x"])
def test_labels_with_spaces_unicode_and_html_are_labels(photos, workspace, label, capsys):
    (photos / "dog").rename(photos / label)
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in found["per_class"]] == sorted(["cat", label])


# -- permissions and disks ----------------------------------------------------------------------------------


@pytest.fixture
def locked(monkeypatch):
    """Takes the permission to read a folder away; for root, who may read everything, listing it fails as it would
    for anybody else."""
    taken: dict[Path, int] = {}

    def lock(folder: Path) -> None:
        taken[folder] = folder.stat().st_mode
        if os.geteuid() != 0:
            folder.chmod(0)
            return
        listing = os.scandir

        def scandir(path):
            if Path(path) == folder:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return listing(path)

        monkeypatch.setattr(os, "scandir", scandir)

    yield lock
    monkeypatch.undo()
    for folder, mode in taken.items():
        folder.chmod(mode)


@pytest.mark.parametrize("inner", ["", "dog"])
def test_no_permission_to_read_a_folder(photos, workspace, locked, inner, capsys):
    locked(photos / inner)
    words = refused(capsys, "baseline", "--data", photos, "--workspace", workspace, *SMALL)
    assert "no permission to read" in words
    assert str(photos / inner) in words
    assert "change its permissions" in words


def test_no_permission_to_write_the_workspace(photos, tmp_path, monkeypatch, capsys):
    before = fingerprint(photos)
    making = Path.mkdir

    def mkdir(path, *arguments, **named):
        if path.is_relative_to(tmp_path / "workspace"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return making(path, *arguments, **named)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    words = refused(capsys, "baseline", "--data", photos, "--workspace", tmp_path / "workspace", *SMALL)
    assert "no permission to read or write" in words
    assert str(tmp_path / "workspace") in words
    assert fingerprint(photos) == before


@pytest.mark.parametrize("command", ["baseline", "train", "export"])
def test_a_full_disk(photos, workspace, command, monkeypatch, capsys):
    """Every write to the workspace fails at the moment it must reach the disk, as on a full one."""
    more = {"baseline": SMALL, "train": [*SMALL, "--epochs", "1"], "export": ["--run", "last"]}[command]
    if command == "export":
        assert cli.main(["train", "--data", str(photos), "--workspace", str(workspace), *SMALL, "--epochs", "0"]) == 0
        capsys.readouterr()
    before = fingerprint(photos)
    kept = {str(path): path.read_bytes() for path in workspace.rglob("*") if path.is_file()}

    flush = os.fsync

    def fsync(number):
        if os.fstat(number).st_ino in {path.stat().st_ino for path in workspace.rglob("*")}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(number)

    monkeypatch.setattr(os, "fsync", fsync)
    words = refused(capsys, command, "--data", photos, "--workspace", workspace, *more)
    assert "the disk is full" in words
    assert str(workspace) in words
    assert "free some space" in words
    monkeypatch.undo()
    assert fingerprint(photos) == before
    assert {name: Path(name).read_bytes() for name in kept} == kept, "what was there is as it was"
    assert not [path for path in workspace.rglob("*") if path.name.endswith(".tmp")]
    assert cli.main([command, "--data", str(photos), "--workspace", str(workspace), *more]) == 0, "with space, it works"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files there")
def test_weights_that_do_not_fit_leave_the_old_ones(tmp_path):
    """The system itself refuses the write, here for the size of the file: the next best thing to a full disk."""
    import resource

    write_tensors(tmp_path / "weights.safetensors", {"old": torch.zeros(10)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    try:
        with pytest.raises(OSError, match="large") as raised:
            write_tensors(tmp_path / "weights.safetensors", {"new": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG
    assert raised.value.filename == str(tmp_path / "weights.safetensors")
    assert list(load_file(tmp_path / "weights.safetensors")) == ["old"]
    assert len(list(tmp_path.iterdir())) == 1


# -- parameters ---------------------------------------------------------------------------------------------


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


# -- folders ------------------------------------------------------------------------------------------------


def test_a_workspace_that_is_a_file(photos, tmp_path, capsys):
    (tmp_path / "note").write_text("mine")
    words = refused(capsys, "baseline", "--data", photos, "--workspace", tmp_path / "note", *SMALL)
    assert "is a file" in words
    assert (tmp_path / "note").read_text() == "mine"


def test_a_workspace_among_the_photos(photos, capsys):
    before = fingerprint(photos)
    words = refused(capsys, "baseline", "--data", photos, "--workspace", photos / "w", *SMALL)
    assert "inside the photo folder" in words
    assert fingerprint(photos) == before


def test_a_workspace_of_other_photos(photos, workspace, tmp_path, capsys):
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL]) == 0
    capsys.readouterr()
    other = make_photos(tmp_path / "other", ("cat", "dog"), per_class=6, size=64, seed=9)
    assert "belongs to" in refused(capsys, "baseline", "--data", other, "--workspace", workspace, *SMALL)


def test_a_workspace_that_is_not_there_yet(workspace, capsys):
    words = refused(capsys, "audit", "--workspace", workspace)
    assert "not a workspace yet" in words
    assert "--data" in words
    assert not workspace.exists()


def test_a_damaged_workspace(photos, workspace, capsys):
    assert cli.main(["baseline", "--data", str(photos), "--workspace", str(workspace), *SMALL]) == 0
    capsys.readouterr()
    (workspace / "workspace.json").write_text('{"data": ')
    words = refused(capsys, "baseline", "--workspace", workspace, *SMALL)
    assert "workspace.json" in words


def test_sample_never_writes_among_other_files(photos, capsys):
    before = fingerprint(photos)
    words = refused(capsys, "sample", photos, "--images-per-class", 5)
    assert str(photos) in words
    assert fingerprint(photos) == before


# -- exported models ----------------------------------------------------------------------------------------


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
