"""The sample photos as phones, scanners and hospitals store them: is the model as good, and the export the same?

    python -m tests.formats --work FOLDER

Each photo is rewritten in the same split, features of a frozen EfficientNet-Lite0 at 128 pixels and an SVM are made
anew, and the SVM is exported; predict.py in the exported folder then classifies the validation photos, started by
itself. HEIC is encoded by heif-enc, a program of its own, where that is there. Prints the table of
docs/measurements.md, "Photos in other formats".
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cvtune_nb.classification import export_run
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.svm import baseline
from cvtune_nb.data import make_sample, open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.workspace import Workspace
from tests.deep import png, tiff
from tests.file_types import bands_tiff, dicom, in_p3, profile

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(128))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """As the bytes of a file."""
    memory = io.BytesIO()
    image.save(memory, form, **options)
    return memory.getvalue()


def twelve_bits(image: Image.Image) -> np.ndarray:
    """The same brightnesses from 0 to 4095."""
    return np.rint(np.asarray(image, float) * 4095 / 255).astype(np.uint16)


def heic(image: Image.Image) -> bytes:
    """By heif-enc."""
    with tempfile.TemporaryDirectory() as folder:
        image.save(Path(folder) / "photo.png")
        command = ["heif-enc", "-q", "80", f"{folder}/photo.png", "-o", f"{folder}/photo.heic"]
        subprocess.run(command, check=True, capture_output=True)
        return (Path(folder) / "photo.heic").read_bytes()


def six_bands(image: Image.Image) -> bytes:
    """Noise, blue, green, red, noise, noise; of 12 bits."""
    noise = np.random.default_rng(0).integers(0, 4096, (image.height, image.width, 3), np.uint16)
    values = np.concatenate([noise[..., :1], twelve_bits(image)[..., ::-1], noise[..., 1:]], axis=-1)
    return bands_tiff(values, deflate=True)


def grey_dicom(image: Image.Image) -> bytes:
    """12 bits, with the window that shows all of them, and 0 as white."""
    values = 4095 - twelve_bits(image.convert("L"))
    return dicom(values, "MONOCHROME1", 12, WindowCenter=2048, WindowWidth=4096)


P3 = profile("Display P3")
FORMS: dict[str, tuple[str, Callable[[Image.Image], bytes]]] = {
    "JPEG (the originals, decoded and saved as PNG)": ("png", lambda image: saved(image, "PNG")),
    "HEIC": ("heic", heic),
    "AVIF": ("avif", lambda image: saved(image, "AVIF", quality=80)),
    "TIFF, 12 bits in 16": ("tif", lambda image: tiff(twelve_bits(image), compressed=True)),
    "PNG of 16 bits with 12 in use": ("png", lambda image: png(twelve_bits(image))),
    "TIFF of six bands of 12 bits, --bands 4,3,2": ("tif", six_bands),
    "DICOM, colours": ("dcm", lambda image: dicom(np.asarray(image), "RGB", 8)),
    "JPEG in Display P3": ("jpg", lambda image: saved(in_p3(image), "JPEG", quality=95, icc_profile=P3)),
    "grey PNG": ("png", lambda image: saved(image.convert("L"), "PNG")),
    "DICOM, grey, 12 bits, MONOCHROME1, window": ("dcm", grey_dicom),
}
"""Name -> the extension, and what writes a photo."""


def rewritten(sample: Workspace, folder: Path, name: str) -> Path:
    """The sample's photos in this form, in split/class/photo."""
    extension, write = FORMS[name]
    for row in sample.photos().itertuples():
        file = folder / row.split / row.label / f"{Path(row.path).stem}.{extension}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(write(read_photo(sample.path_of(row.path))))
    return folder


def measured(sample: Workspace, work: Path, name: str) -> dict[str, object]:
    """A row of the table."""
    place = work / str(list(FORMS).index(name))
    shutil.rmtree(place, ignore_errors=True)
    bands = "4,3,2" if "--bands" in name else ""
    photos = rewritten(sample, place / "photos", name)
    space = open_workspace(photos, place / "workspace", layout="splits", bands=bands)
    found = baseline(space, SPEC, open_test=True)
    export = export_run(space, "svm", place / "export", variants=())
    files = [str(space.path_of(path)) for path in found.predicted["path"]]
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(export.folder / "predict.py"), "--json", *files]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=place, env=alone).stdout)
    labels = [row.get("label", row.get("error")) for row in said["predictions"]]
    shutil.rmtree(photos)
    return {
        "photos stored as": name,
        "left out": len(space.skipped()),
        "validation": found.validation.value,
        "test": found.test.value if found.test else float("nan"),
        "export says the same": f"{sum(map(str.__eq__, labels, found.predicted['predicted']))} of {len(labels)}",
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for photos and workspaces")
    work = parser.parse_args().work
    made = make_sample(work / "sample", images_per_class=60)
    sample = open_workspace(made.directory, work / "sample-workspace")
    rows = []
    for name in FORMS:
        if name == "HEIC" and not shutil.which("heif-enc"):
            print("HEIC is left out: heif-enc is not installed", file=sys.stderr)
            continue
        rows.append(measured(sample, work, name))
        print(rows[-1], file=sys.stderr)
    table = pd.DataFrame(rows)
    print("| " + " | ".join(table) + " |\n|" + "---|" * len(table.columns))
    for row in table.itertuples(index=False):
        print("| " + " | ".join(f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row) + " |")


if __name__ == "__main__":
    main()
