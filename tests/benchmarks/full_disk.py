"""A disk that fills up at each write: python -m tests.benchmarks.full_disk --data PHOTOS --disk FOLDER.

FOLDER is a small file system of its own, such as `mount -t tmpfs -o size=300m tmpfs FOLDER`; the workspace and
temporary files are on it. Each step of the workbook first runs with room, which tells what it needs. Then it runs
again, each time with a little more of that left free. A step that does not end well must say that the disk is full (one
sentence, exit status 2), leave what was there as it was, and end well once there is room again. One line for each step
tells how often the disk was full, and what went wrong.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cvtune_nb.files import sha256_of
from tests.benchmarks.common import photo_folder, say

STEPS = {
    "baseline": ["--image-size", "64"],
    "audit": ["--image-size", "64"],
    "train": ["--image-size", "64", "--epochs", "2"],
    "export": ["--run", "last"],
}
FULL = ("the disk is full", "MB free and")


def main() -> None:
    """Read the command line and fill the disk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled photos, on another disk")
    parser.add_argument("--disk", type=Path, required=True, help="a small file system, empty")
    parser.add_argument("--work", type=Path, required=True, help="folder on another disk")
    parser.add_argument("--times", type=int, default=12, help="how often each step runs short of space")
    arguments = parser.parse_args()
    photos = photo_folder(arguments.data, arguments.work, 200)
    before = arguments.work / "before"
    shutil.rmtree(before, ignore_errors=True)
    before.mkdir()
    for step in STEPS:
        measure(step, photos, before, arguments)


def measure(step: str, photos: Path, before: Path, arguments: argparse.Namespace) -> None:
    """Run a step short of space, from the workspace in `before`; leaves what it comes to in `before`."""
    disk, wrong = arguments.disk, []
    clear(disk, before)
    empty = shutil.disk_usage(disk).free
    done = call(step, photos, disk)
    if done.returncode:
        raise RuntimeError(f"{step} with room: {done.stderr[-2000:]}")
    needed = empty - shutil.disk_usage(disk).free
    after = arguments.work / "after"
    shutil.rmtree(after, ignore_errors=True)
    shutil.copytree(disk / "ws", after)
    full = 0
    for number in range(arguments.times):
        clear(disk, before)
        kept = contents(disk / "ws")
        room = round(needed * number / arguments.times)
        filler = disk / "filler"
        with filler.open("wb") as file:
            for _ in range((shutil.disk_usage(disk).free - room) // 4096):
                file.write(bytes(4096))
        done = call(step, photos, disk)
        ended = done.returncode == 0
        full += not ended
        said = done.stderr.strip().splitlines()
        told = done.returncode == 2 and any(words in said[-1] for words in FULL)
        if not ended and not told:
            wrong.append(f"{room} bytes free: status {done.returncode}, {said[-1:] or 'no words'}")
        now = contents(disk / "ws")
        lost = [path for path, digest in kept.items() if now.get(path) != digest and not grows(path)]
        left = [path for path in now if path.endswith(".tmp")]
        if lost or left:
            wrong.append(f"{room} bytes free: changed {lost}, left {left}")
        filler.unlink()
        again = call(step, photos, disk)
        if again.returncode:
            wrong.append(f"{room} bytes free, then room: {again.stderr.strip().splitlines()[-1:]}")
    say(step=step, needs_mb=needed / 1e6, runs=arguments.times, full=full, wrong=wrong)
    shutil.rmtree(before)
    after.rename(before)


def clear(disk: Path, workspace: Path) -> None:
    """Put nothing on the disk but a copy of a workspace."""
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(workspace, disk / "ws")
    (disk / "tmp").mkdir()


def call(step: str, photos: Path, disk: Path) -> subprocess.CompletedProcess[str]:
    """Run a step as a command of its own."""
    command = [sys.executable, "-m", "cvtune_nb", step, "--data", str(photos), "--workspace", str(disk / "ws")]
    environment = os.environ | {"TMPDIR": str(disk / "tmp"), "CVTUNE_HOME": str(disk / "home")}
    return subprocess.run([*command, *STEPS[step]], capture_output=True, text=True, env=environment)


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def grows(path: str) -> bool:
    """Whether a step may add to this file, or replace it by what it found."""
    return path.endswith((".jsonl", ".csv", ".json"))


if __name__ == "__main__":
    main()
