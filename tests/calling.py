"""Commands called as a person or a program calls them, and what they must leave alone."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from cvtune_nb import cli

SMALL = ["--backbone", "test_resnet:random", "--image-size", "64"]
"""A network that trains in a blink."""
ABSENT = ["torch", "torchvision", "timm", "pandas", "sklearn", "scipy", "safetensors", "matplotlib"]
"""Packages that using an export does without."""


def called(capsys, *arguments) -> tuple[int, dict, str]:
    """Exit status, the JSON object on stdout and stderr of one command."""
    status = cli.main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out), err


def without_packages(*arguments) -> subprocess.CompletedProcess:
    """The command in a process where importing ABSENT fails, as where they are not installed."""
    call = [str(argument) for argument in arguments]
    absent = f"import sys; sys.modules.update(dict.fromkeys({ABSENT}))"
    code = f"{absent}; from cvtune_nb import cli; sys.exit(cli.main({call}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


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
