"""Things for a worker to do."""

import os
import signal
import sys
import time
from pathlib import Path

from cvtune_nb.errors import InputError, Stopped


def add(a, b, progress):
    progress(0.5, "adding")
    return a + b, os.getpid()


def show_each(count, on_step, progress):
    for step in range(count):
        progress(step / count, f"step {step}")
        on_step(step)
    return "shown"


def wait_for(file, progress, keep=False):
    """Until the file is there, or a Stop, which it can keep its work at."""
    try:
        while not Path(file).exists():
            progress(0.25, "waiting for the file")
            time.sleep(0.01)
    except Stopped:
        if keep:
            return "kept"
        raise
    return "found"


def bad_input(progress):
    raise InputError("photo.jpg is no photo: leave it out", file="photo.jpg")


def crash(progress):
    return [][1]


def killed(progress, number=signal.SIGKILL):
    progress(0.1, "about to die")
    os.kill(os.getpid(), number)
    time.sleep(30)


def not_to_be_sent(progress):
    return lambda: None


def pid(progress):
    return os.getpid()


def imported(module, progress):
    return module in sys.modules


def leave(first, progress):
    """As one does that has been idle: it ends by itself, with status 0. The next one answers."""
    if os.getpid() == first:
        os.execv(sys.executable, [sys.executable, "-c", ""])
    return os.getpid()
