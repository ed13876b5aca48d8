"""What the rows of `make bench` share: a line of figures, a clock, a process of one's own, the photos."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cvtune_nb.data import open_workspace
from tests.photos import make_photos

BATCH = 32
"""Photos a step and a forward pass, on every side."""


def say(**figures: object) -> None:
    """Print one line of figures."""
    print(
        json.dumps(
            {
                key: value if isinstance(value, str | int | list | dict) else round(float(value), 4)
                for key, value in figures.items()
            }
        ),
        flush=True,
    )


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Of the fastest of some calls."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def alone(script: str, **settings: object) -> str:
    """What a script of this folder prints, run in a process of its own; it reads its settings with `told`."""
    command = [sys.executable, "-m", f"tests.benchmarks.{script}", json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def told() -> dict:
    """The settings that `alone` gave to this process."""
    return json.loads(sys.argv[1])


def photo_folder(data: Path | None, work: Path, most: int) -> Path:
    """Photos in split/class/photo, which every side can read: links to those of `data`, whatever its layout, about
    `most` of them (0: all), in the same shares of splits and classes, of which none gets less than two. Without
    `data`, made photos."""
    folder = work / f"photos-{data.name if data else 'made'}-{most or 'all'}"
    if folder.exists():
        return folder
    if data is None:
        data = work / f"made-{most or 600}"
        make_photos(data, [f"class {number}" for number in range(5)], (most or 600) // 5, size=256)
    workspace = open_workspace(data, work / f"{folder.name}-manifest")
    photos = workspace.photos()
    if most and most < len(photos):
        drawn = photos.groupby(["split", "label"]).sample(frac=most / len(photos), random_state=0)
        first = photos.groupby(["split", "label"]).head(2)  # none of them empty
        photos = photos.loc[sorted({*drawn.index, *first.index})]
    begun = folder.with_name(f"{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    for number, (path, label, split) in enumerate(photos[["path", "label", "split"]].itertuples(index=False)):
        link = begun / split / label / f"{number:06d}{Path(path).suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(workspace.path_of(path).resolve())
    begun.rename(folder)
    return folder


def watch_memory() -> Callable[[], float]:
    """From now on the most memory of this process, in MB: RssAnon, which leaves out files that are mapped."""
    peak = [0]

    def look() -> None:
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            peak[0] = max(peak[0], next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")))
            time.sleep(0.05)

    threading.Thread(target=look, daemon=True).start()
    return lambda: peak[0] / 1024
