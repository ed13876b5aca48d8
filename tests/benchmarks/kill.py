"""kill -9 at random moments of a small training run; what `--resume` makes of it beside a run that was left alone."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from safetensors.torch import load_file

from cvtune_nb.classification import Run, load_run
from cvtune_nb.data import open_workspace
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import say
from tests.photos import make_photos

KILLS, EPOCHS, SIZE = 20, 3, 64


def measure_kill(work: Path) -> None:
    """Each time: start a run, kill it at a random moment after its folder was made, go on with it, compare."""
    home, draw = work / "kill", random.Random(0)
    shutil.rmtree(home, ignore_errors=True)
    make_photos(home / "photos", per_class=24, size=SIZE)
    seed = open_workspace(home / "photos", home / "seed")
    # an unbroken run: first once to fill the cache, so that all that follow start from the same files
    finish(seed.folder)
    shutil.rmtree(seed.runs)
    process, begun = started(seed.folder)
    process.wait()
    unbroken = load_run(seed, "last")
    whole = unbroken.checkpoint.stat().st_mtime - begun  # to the end of the last epoch
    different, epochs, late = [], [], 0
    while len(epochs) < KILLS:
        space = home / f"broken-{len(epochs)}"
        shutil.copytree(seed.folder, space, ignore=shutil.ignore_patterns("runs"))
        process, _ = started(space)
        time.sleep(draw.uniform(0, whole))
        process.kill()
        if process.wait() != -signal.SIGKILL:  # it had ended
            late, whole = late + 1, 0.9 * whole  # the unbroken run was slower: the machine was busy
            shutil.rmtree(space)
            continue
        epochs.append(len(load_run(Workspace(space), "last").history))
        finish(space, resume=True)
        found = differences(unbroken, load_run(Workspace(space), "last"))
        different += [f"kill {len(epochs)}: {what}" for what in found]
        shutil.rmtree(space)
    say(
        row="kill",
        kills=KILLS,
        differences=len(different),
        which="; ".join(different),
        ended_before_the_kill=late,
        whole_epochs_when_killed=str(epochs),
        moments_drawn_from_s=whole,
    )


def command(workspace: Path, resume: bool = False) -> list[str]:
    """The command line of the run, or of what goes on with it."""
    what = ["--resume", "last"] if resume else ["--epochs", str(EPOCHS), "--image-size", str(SIZE), "--dropout", "0.2"]
    return [sys.executable, "-m", "cvtune_nb", "train", "--workspace", str(workspace), *what]


def started(workspace: Path) -> tuple[subprocess.Popen, float]:
    """A new run in a process of its own, and when its folder was there."""
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command(workspace), stdout=silent, stderr=silent)
    while not list((workspace / "runs").glob("*/config.json")):
        if process.poll() is not None:
            raise RuntimeError(f"training ended with {process.returncode} before there was a run")
        time.sleep(0.01)
    return process, time.time()


def finish(workspace: Path, resume: bool = False) -> None:
    """Train to the end."""
    done = subprocess.run(command(workspace, resume), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"training ended with {done.returncode}: {done.stderr[-2000:]}")


def differences(one: Run, other: Run) -> list[str]:
    """Where two runs are not the same: state, history (but for seconds), predictions, and weights, bit for bit."""
    found = [] if one.state == other.state == "done" else [f"state {other.state}"]
    if not one.history.drop(columns="seconds").equals(other.history.drop(columns="seconds")):
        found.append("history")
    if not one.predictions().equals(other.predictions()):
        found.append("predictions")
    written = pd.read_csv(other.folder / "history.csv")
    if written["epoch"].tolist() != other.history["epoch"].tolist():
        found.append("history.csv")
    for name in ("checkpoint.safetensors", "best.safetensors"):
        mine, its = load_file(one.folder / name), load_file(other.folder / name)
        if mine.keys() != its.keys():
            found.append(f"{name}: names of tensors")
            continue
        bits = [key for key in mine if mine[key].numpy().tobytes() != its[key].numpy().tobytes()]
        found += [f"{name}: {key}" for key in bits]
    return found
