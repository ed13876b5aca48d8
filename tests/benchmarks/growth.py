"""One point of the row `scale`: features and one epoch of made photos at 64 pixels. Settings: count, folder."""

import json
import shutil
import time
from pathlib import Path

from cvtune_nb.classification import fit
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.parameters import Config
from tests.benchmarks.common import told, watch_memory
from tests.photos import make_photos

CLASSES, SIZE = 5, 64


def main() -> None:
    """Print seconds a photo and the most memory."""
    settings, peak = told(), watch_memory()
    folder = Path(settings["folder"])
    if not folder.exists():
        make_photos(
            folder / "photos", [f"class {number}" for number in range(CLASSES)], settings["count"] // CLASSES, size=SIZE
        )
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    start = time.perf_counter()
    workspace = open_workspace(folder / "photos", folder / "workspace")
    photos, opened = workspace.photos(), time.perf_counter()
    features(workspace, photos, FeatureSpec("efficientnet_lite0", Preprocessing(SIZE)))
    computed = time.perf_counter()
    run = fit(workspace, Config("efficientnet_lite0", image_size=SIZE, epochs=1))
    n = len(photos)
    print(
        json.dumps(
            {
                "photos": n,
                "open_s_a_photo": (opened - start) / n,
                "features_s_a_photo": (computed - opened) / n,
                "epoch_s_a_photo": float(run.history["seconds"].iloc[-1]) / n,
                "all_s_a_photo": (time.perf_counter() - start) / n,
                "peak_mb": peak(),
            }
        )
    )


if __name__ == "__main__":
    main()
