import errno
import json
import os
import tempfile

import pandas as pd
import pytest

from cvtune_nb import files
from cvtune_nb.errors import InputError, in_words


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
    file = tmp_path / "new folder" / "a.txt"
    files.write_text(file, "first")
    files.write_text(file, "zweite Fassung: größer")
    assert contents(file.parent) == {"a.txt": "zweite Fassung: größer".encode()}
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("bug"), KeyboardInterrupt()]
)
def test_a_failing_write_leaves_the_old_file_and_no_temporary(tmp_path, error):
    file = tmp_path / "a.csv"
    files.write_text(file, "precious")
    with pytest.raises(type(error)), files.replacing(file) as temporary:
        temporary.write_text("half of the ne")
        raise error
    assert contents(tmp_path) == {"a.csv": b"precious"}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up_on_flushing_leaves_the_old_file(tmp_path, monkeypatch, step):
    file = tmp_path / "a.json"
    files.write_json(file, {"value": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/some/temporary/name")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write_json(file, {"value": 2})
    monkeypatch.undo()
    assert files.read_json(file)["value"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert in_words(caught.value).startswith(f"the disk is full while writing {file}: free some space")


def test_errors_of_a_disk_in_words():
    assert "no permission to read or write x.csv" in in_words(
        PermissionError(errno.EACCES, "Permission denied", "x.csv")
    )
    assert "the disk of w can only be read: choose" in in_words(OSError(errno.EROFS, "Read-only file system", "w"))
    assert (
        in_words(OSError(errno.EIO, "Input/output error", "x"))
        == "Input/output error (x): check the folder and try again"
    )


def test_json_has_a_format_and_refuses_what_json_can_not_say(tmp_path):
    files.write_json(tmp_path / "a.json", {"label": "größe <b>"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "format": files.FORMAT,
        "label": "größe <b>",
    }
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert files.read_json(tmp_path / "a.json")["label"] == "größe <b>"


def test_a_damaged_json_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"half": ')
    with pytest.raises(InputError, match=r"a\.json is damaged .*: put it back from a copy, or delete it"):
        files.read_json(tmp_path / "a.json")


def test_a_table_comes_back_as_it_was_written(tmp_path):
    table = pd.DataFrame({"path": ["007", 'a,"b"\r\nc', "None"], "label": ["NA", "", "nan"], "width": [1, 2, 3]})
    files.write_csv(tmp_path / "t.csv", table)
    read = files.read_csv(tmp_path / "t.csv", path=str, label=str)
    assert read.to_dict("list") == table.to_dict("list")


def test_a_journal_only_grows(tmp_path):
    file = tmp_path / "folder" / "j.jsonl"
    assert files.read_json_lines(file) == []
    files.append_json_lines(file, {"n": 1})
    before = file.read_bytes()
    files.append_json_lines(file, {"n": 2})
    assert file.read_bytes().startswith(before)
    assert files.read_json_lines(file) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("half", [b'{"n": 2, "to": "ro', '{"n": 2, "to": "ä"}'.encode()[:-3], b'{"n": 2}'])
def test_a_line_cut_off_by_a_crash_is_left_out_and_swallows_no_later_one(tmp_path, half):
    file = tmp_path / "j.jsonl"
    files.append_json_lines(file, {"n": 1})
    with open(file, "ab") as journal:
        journal.write(half)
    assert files.read_json_lines(file)[0] == {"n": 1}
    files.append_json_lines(file, {"n": 3})
    whole = [{"n": 2}] if half.endswith(b"}") else []
    assert files.read_json_lines(file) == [{"n": 1}, *whole, {"n": 3}]
    assert half in file.read_bytes()


def test_a_journal_keeps_any_label_whole(tmp_path):
    strange = {"to": 'line\u2028separator\x85next\nline "quoted" \U0001f339'}
    files.append_json_lines(tmp_path / "j.jsonl", strange)
    assert files.read_json_lines(tmp_path / "j.jsonl") == [strange]


def test_room_that_is_not_there(tmp_path):
    files.require_room(tmp_path, 0)
    with pytest.raises(
        InputError, match=f"the disk of {tmp_path} has .* MB free and 1000000000000 MB are needed: free"
    ):
        files.require_room(tmp_path, 10**18)


def test_a_scratch_file_that_does_not_fit_names_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OSError, match="No space left") as caught, files.scratch() as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert f"the disk is full while writing {tmp_path}: free" in in_words(caught.value)
    assert not list(tmp_path.iterdir())
