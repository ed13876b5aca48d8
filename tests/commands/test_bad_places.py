"""Folders that can't be read or written, disks that are full, workspaces that are none: one sentence each, and nothing
that was there is touched."""

import errno
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cvtune_nb import cli
from cvtune_nb.runs.checkpoint import write_tensors
from tests.calling import SMALL, fingerprint, refused
from tests.photos import make_photos


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
