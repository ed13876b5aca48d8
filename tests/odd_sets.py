"""Sets of photos that stretch `cvtune run`: tiny and huge photos, few and many classes, few photos.

    python -m tests.odd_sets [NAME ...]

makes each set, runs `cvtune run --budget 2m` on it and prints a line: exit status, state of each step, export.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image

from tests.photos import draw_photo, make_photos

STEPS = ("audit", "baseline", "train", "escalate", "export")


def of_size(folder: Path, side: int, per_class: int = 24) -> None:
    """Three classes of square photos, `side` pixels wide."""
    for path in make_photos(folder, per_class=per_class).rglob("*.jpg"):
        Image.open(path).resize((side, side), Image.Resampling.BICUBIC).save(path, quality=95)


def classes(folder: Path, count: int, per_class: int = 5) -> None:
    """Many classes: each its own colour, on noise."""
    for number in range(count):
        (folder / f"class-{number:03d}").mkdir(parents=True)
        for index in range(per_class):
            random = np.random.default_rng([number, index])
            colour = np.random.default_rng(number).integers(0, 200, 3)
            noise = colour + random.integers(0, 56, (64, 64, 3))
            Image.fromarray(noise.astype(np.uint8)).save(folder / f"class-{number:03d}" / f"{index}.png")


def counts(folder: Path, each: Sequence[int]) -> None:
    """Classes of so many photos."""
    for number, count in enumerate(each):
        (folder / f"class-{number}").mkdir(parents=True)
        for index in range(count):
            photo = draw_photo(number, 64, np.random.default_rng([number, index]))
            photo.save(folder / f"class-{number}" / f"{index}.jpg", quality=92)


SETS: dict[str, Callable[[Path], None]] = {
    "28 pixels": functools.partial(of_size, side=28),
    "48 pixels": functools.partial(of_size, side=48),
    "100 pixels": functools.partial(of_size, side=100),
    "3000 pixels": functools.partial(of_size, side=3000, per_class=10),
    "2 classes": functools.partial(counts, each=(24, 24)),
    "300 classes": functools.partial(classes, count=300),
    "3 photos a class": functools.partial(counts, each=(3, 3, 3)),
    "5 beside 500": functools.partial(counts, each=(5, 500)),
    "1 minute": functools.partial(of_size, side=100),
    "no weights": functools.partial(of_size, side=600, per_class=10),
}
ARGUMENTS = {
    "1 minute": ["--budget", "1m"],
    "no weights": ["--backbone", "resnet18", "--budget", "2m"],
}
"""Of a set that is not run with a budget of two minutes alone."""


def without_weights(home: Path) -> dict[str, str]:
    """An environment in which torchvision has weights of ResNet-18, random ones, and of no other network."""
    file = home / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)
    return {"TORCH_HOME": str(home)}


def main(names: Sequence[str]) -> None:
    """Run the sets called `names`, or all."""
    for name in names or SETS:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            SETS[name](home / "photos")
            more = without_weights(home / "torch") if name == "no weights" else {}
            call = [
                sys.executable,
                "-m",
                "cvtune_nb",
                "run",
                "--data",
                home / "photos",
                "--workspace",
                home / "work",
                "--json",
                *ARGUMENTS.get(name, ["--budget", "2m"]),
            ]
            begun = time.monotonic()
            done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, **more})
            found = json.loads(done.stdout or "{}")
            states = ", ".join(f"{step} {found[step]['state']}" if step in found else f"{step} -" for step in STEPS)
            exported = found.get("export", {})
            made = Path(exported["folder"]).name if (Path(exported.get("folder", "")) / "model.onnx").exists() else "-"
            print(f"{name}: exit {done.returncode}, {time.monotonic() - begun:.0f} s, {states}, exports/{made}")
            for line in [*found.get("notes", []), *done.stderr.splitlines()[-3:]]:
                print(f"    {line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
