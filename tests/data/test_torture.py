"""The torture folder, from end to end: `cvtune audit` comes through it, and every file is used or explained."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import EpsImagePlugin

from cvtune_nb.audit import load_audit
from cvtune_nb.data import open_workspace, thumbnail
from cvtune_nb.data.photo import UnreadablePhoto, read_photo
from cvtune_nb.workspace import Workspace
from tests.photos import make_photos
from tests.torture import KINDS, REPLACE, make_torture

CLASSES = ("rose", "tulip")
READ = [name for name, kind in KINDS.items() if kind.shows]
LEFT_OUT = [name for name, kind in KINDS.items() if kind.reason]
PASSED_OVER = [name for name, kind in KINDS.items() if kind.passed_over]

RUN = """
import re, resource, sys
from pathlib import Path
from cvtune_nb.cli import main
status, known = main(sys.argv[1:]), Path("/proc/self/status")
own = re.search(r"VmHWM:\\s+(\\d+)", known.read_text()) if known.exists() else None
print(own[1] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""
"""The command, and at the end of stderr the most memory it had, in KiB (bytes on macOS).

Linux counts what the process that started it had, too, in ru_maxrss, but not in VmHWM.
"""


class Ordeal:
    """What came of one `cvtune audit --json` over the folder."""

    def __init__(self, folder: Path) -> None:
        photos = make_photos(folder / "photos", CLASSES, per_class=12, size=96)
        self.paths = make_torture(photos, CLASSES)
        command = [
            sys.executable,
            "-c",
            RUN,
            "audit",
            "--data",
            photos,
            "--workspace",
            folder / "w",
            "--json",
            "--backbone",
            "efficientnet_lite0",
            "--image-size",
            "64",
        ]
        made = subprocess.run([str(part) for part in command], capture_output=True, timeout=300)
        self.status, self.out, self.err = made.returncode, made.stdout, made.stderr.decode(errors="replace")
        self.workspace = Workspace(folder / "w")
        self.manifest = self.workspace.manifest().set_index("path")
        self.skipped = self.workspace.skipped().set_index("path")
        self.audit = load_audit(self.workspace)

    def path(self, name: str) -> str:
        """Where the file of this kind is, by the manifest's reckoning."""
        if name not in self.paths:
            pytest.skip("this file system has no such files")
        return self.paths[name]


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory):
    return Ordeal(tmp_path_factory.mktemp("torture"))


def test_the_audit_comes_through(ordeal):
    assert ordeal.status == 0, ordeal.err[-2000:]
    assert "Traceback" not in ordeal.err
    assert json.loads(ordeal.out)["summary"]["photos"] == len(ordeal.manifest)


def test_there_are_enough_kinds(ordeal):
    assert len(ordeal.paths) >= 50
    assert len(set(ordeal.paths.values())) == len(ordeal.paths)


def test_memory_stays_sane(ordeal):
    used = int(ordeal.err.split()[-1]) * (1 if sys.platform == "darwin" else 1024)
    assert used < 2.5e9


@pytest.mark.parametrize("name", READ)
def test_it_is_read(ordeal, name):
    kind, path = KINDS[name], ordeal.path(name)
    assert path in ordeal.manifest.index, ordeal.skipped["reason"].get(path, "it is nowhere")
    assert tuple(ordeal.manifest.loc[path, ["width", "height"]]) == kind.shows.size
    assert path in set(ordeal.audit.scores["path"])
    if kind.shows.size[0] * kind.shows.size[1] < 1e6:
        seen = read_photo(ordeal.workspace.path_of(path), levels=ordeal.workspace.levels)
        assert seen.size == kind.shows.size
        assert np.abs(np.asarray(seen, float) - np.asarray(kind.shows, float)).mean() <= kind.close


@pytest.mark.parametrize("name", LEFT_OUT)
def test_it_is_left_out_with_a_reason_and_what_to_do(ordeal, name):
    kind, path = KINDS[name], ordeal.path(name)
    assert path not in ordeal.manifest.index
    assert path in ordeal.skipped.index
    reason = ordeal.skipped.loc[path, "reason"]
    assert kind.reason in reason
    assert "\n" not in reason and len(reason) < 200
    assert "Errno" not in reason and str(ordeal.workspace.data) not in reason
    issues = ordeal.audit.issues[ordeal.audit.issues["path"] == path]
    if not kind.remedy:
        assert issues.empty, "it never was meant as a photo"
        return
    assert issues["issue"].tolist() == ["corrupt"]
    assert kind.reason in issues["detail"].item()
    assert kind.remedy in issues["suggestion"].item()
    if kind.remedy != REPLACE:
        assert issues["suggestion"].item() not in issues["detail"].item(), "it is said once"


@pytest.mark.parametrize("name", PASSED_OVER)
def test_it_is_passed_over(ordeal, name):
    path = ordeal.path(name)
    assert path not in ordeal.manifest.index
    assert path not in ordeal.skipped.index


def test_nothing_else_is_listed(ordeal):
    good = {f"{label}/{label}-{number:03d}.jpg" for label in CLASSES for number in range(12)}
    assert set(ordeal.manifest.index) | set(ordeal.skipped.index) <= good | set(ordeal.paths.values())


def test_the_tables_and_the_json_hold_the_names_as_they_are(ordeal):
    found = json.loads(ordeal.out)["issues"]
    assert [row["path"] for row in found] == ordeal.audit.issues["path"].tolist()
    assert ordeal.audit.scores["path"].tolist() == ordeal.manifest.index.tolist()
    for file in ("manifest.csv", "skipped.csv", "audit/issues.csv", "audit/scores.csv"):
        with open(ordeal.workspace.folder / file, newline="") as opened:  # as any other program reads it
            rows = list(csv.DictReader(opened, strict=True))
        assert all(None not in row and None not in row.values() for row in rows)
    names = {row["path"] for row in pd.DataFrame(rows).to_dict("records")}
    assert names == set(ordeal.manifest.index)


@pytest.mark.parametrize("name", [name for name in READ if name.startswith(("name", "no ext", "folder", "link"))])
def test_an_odd_name_can_be_decided_about(ordeal, name):
    path = ordeal.path(name)
    ordeal.workspace.decide(path, "exclude")
    assert ordeal.workspace.standing()[path]["action"] == "exclude"
    assert path not in set(ordeal.workspace.photos()["path"])
    ordeal.workspace.decide(path, "undo")
    assert path in set(ordeal.workspace.photos()["path"])
    assert thumbnail(ordeal.workspace.path_of(path)).startswith(b"\xff\xd8")


def test_opening_it_again_changes_nothing(ordeal):
    files = {path: path.stat().st_mtime_ns for path in ordeal.workspace.folder.glob("*.csv")}
    open_workspace(ordeal.workspace.source, ordeal.workspace.folder)
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.mark.parametrize("name", ["EPS", "EPS called JPEG"])
def test_no_other_program_is_run(tmp_path, monkeypatch, name):
    def forbidden(*_):
        pytest.fail("Ghostscript was called")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", forbidden)
    KINDS[name].make(tmp_path)
    with pytest.raises(UnreadablePhoto, match="a drawing"):
        read_photo(tmp_path / KINDS[name].file)
