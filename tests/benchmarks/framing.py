"""Framings of one set of photos, or of objects at the sides of wide frames: python -m tests.benchmarks.framing --help.

What `cvtune compare --framings` recommends from training photos, and beside it what an SVM on the same network gets
right on test photos in each framing, and what decoding a photo costs. One JSON line each.

--sides N pastes every photo, N pixels long, onto the left or right edge of a frame of 960 x 540 pixels, at any height,
with a background of soft blotches. A centre crop shows N - 210 of these N columns.
"""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from tests.benchmarks.common import say

if TYPE_CHECKING:
    from cvtune_nb.data.preprocessing import Preprocessing
    from cvtune_nb.workspace import Workspace

WIDE, HIGH = 960, 540


def on_a_side(photo: Image.Image, size: int, random: np.random.Generator) -> Image.Image:
    """A photo at the left or right edge of a wide frame, at any height."""
    blotches = Image.fromarray(random.integers(40, 200, (5, 9, 3), dtype=np.uint8))
    frame = blotches.resize((WIDE, HIGH), Image.Resampling.BICUBIC)
    scale = size / max(photo.size)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)
    left = 0 if random.random() < 0.5 else WIDE - small.width
    frame.paste(small, (left, int(random.integers(HIGH - small.height + 1))))
    return frame


def sides(photos: pd.DataFrame, root: Path, size: int, folder: Path) -> Path:
    """Every photo of a manifest on the side of a frame, in split/class/photo; made once."""
    if folder.exists():
        return folder
    begun, random = folder.with_name(f"{folder.name}.begun"), np.random.default_rng(0)
    for number, row in enumerate(photos.itertuples()):
        with Image.open(root / row.path) as opened:
            frame = on_a_side(opened.convert("RGB"), size, random)
        file = begun / row.split / row.label / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.save(file, quality=92)
    begun.rename(folder)
    return folder


def decoding(workspace: "Workspace", shown: "Preprocessing", photos: int = 200) -> float:
    """Milliseconds of one core to decode and scale a photo as it is kept: the median of three rounds."""
    from cvtune_nb.data.mean_colour import padding_for

    padding = padding_for(workspace, shown)
    paths = [workspace.path_of(path) for path in workspace.photos()["path"].head(photos)]
    rounds = []
    for _ in range(3):
        begun = time.process_time()
        for path in paths:
            shown.decode(path, shown.side, workspace.levels, padding)
        rounds.append(1000 * (time.process_time() - begun) / len(paths))
    return sorted(rounds)[1]


def main() -> None:
    """Read the command line, compare, and open the test photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="labelled photos, in any layout (the sample photos)")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces")
    parser.add_argument("--sides", type=int, metavar="N", help="the photos, N pixels long, at the sides of wide frames")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=128)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    os.environ["CVTUNE_HOME"] = str(work / "home")
    from cvtune_nb import metrics
    from cvtune_nb.classification.baseline import SvmExplorer
    from cvtune_nb.classification.features import FeatureSpec
    from cvtune_nb.classification.framing import compare_framings, specs
    from cvtune_nb.data import make_sample, open_workspace
    from cvtune_nb.data.preprocessing import Preprocessing

    data = arguments.data or make_sample(work / "sample").directory
    workspace = open_workspace(data, work / "as they are")
    if arguments.sides:
        made = sides(workspace.photos(), workspace.data, arguments.sides, work / f"on the side {arguments.sides}")
        workspace = open_workspace(made, work / f"sides {arguments.sides}")
    spec = FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size))
    found = compare_framings(workspace, spec)
    for row in found.table.to_dict("records"):
        say(what="training photos, cross-validated", **row)
    say(recommended=found.recommended, why=found.why)
    right = {}
    for framing, one in specs(workspace, spec).items():
        explorer = SvmExplorer(workspace, one)
        matrix, labels = explorer.part("test")
        right[framing] = explorer.svm(explorer.best_C()).predict(matrix) == labels
        apart = metrics.paired(right["crop"], right[framing])
        interval = {"difference": apart.difference, "low": apart.low, "high": apart.high, "p": apart.p}
        say(what="test photos", framing=framing, photos=len(labels), accuracy=right[framing].mean(), **interval)
    for framing, one in specs(workspace, spec).items():
        say(what="decoding", framing=framing, milliseconds=round(decoding(workspace, one.preprocessing), 2))


if __name__ == "__main__":
    main()
