"""The sample photos as phones, scanners and hospitals store them: is the model as good, and the export the same?

    python -m tests.formats --work FOLDER

Each photo is rewritten in the same split. An SVM on features of a frozen EfficientNet-Lite0 at 128 pixels is
cross-validated over all of them; then one is exported, and predict.py in the exported folder, started by itself,
classifies the validation photos. HEIC is encoded by heif-enc, a program of its own, where that is there. What is
measured is kept in FOLDER, and the table of docs/measurements.md, "Photos in other formats", is printed at the end.
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
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.model_selection import StratifiedKFold

from cvtune_nb.classification import export_run
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data import make_sample, open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import read_json, write_json
from cvtune_nb.workspace import Workspace
from tests.deep import png, tiff
from tests.file_types import bands_tiff, dicom, in_p3, profile

FOLDS = 5
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
        fast = ["-q", "80", "-p", "preset=ultrafast"]
        command = ["heif-enc", *fast, f"{folder}/photo.png", "-o", f"{folder}/photo.heic"]
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


def rewritten(sample: Workspace, folder: Path, name: str, bands: str) -> Workspace:
    """A workspace of the sample's photos in this form, in split/class/photo."""
    extension, write = FORMS[name]
    if not (folder / "workspace" / "manifest.csv").exists():
        for row in sample.photos().itertuples():
            file = folder / "photos" / row.split / row.label / f"{Path(row.path).stem}.{extension}"
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_bytes(write(read_photo(sample.path_of(row.path))))
    return open_workspace(folder / "photos", folder / "workspace", layout="splits", bands=bands)


def accuracy(space: Workspace) -> dict[str, object]:
    """Of an SVM, cross-validated over all photos, with the same folds in every form."""
    photos = space.photos()
    photos = photos.iloc[photos["path"].str.rsplit(".", n=1).str[0].argsort()]
    rows, labels = features(space, photos, SPEC).rows[:], photos["label"].to_numpy()
    right = 0
    for train, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, labels):
        right += (Svm(1.0).fit(rows[train], labels[train]).predict(rows[held]) == labels[held]).sum()
    return {"photos": len(photos), "left out": len(space.skipped()), "accuracy": float(right / len(photos))}


def exported(space: Workspace, folder: Path) -> dict[str, object]:
    """How many validation photos the exported program, started by itself, calls what cvtune does."""
    found = baseline(space, SPEC)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".zip").unlink(missing_ok=True)
    export = export_run(space, "svm", folder, variants=())
    files = [str(space.path_of(path)) for path in found.predicted["path"]]
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(export.folder / "predict.py"), "--json", *files]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=folder.parent, env=alone).stdout)
    labels = [row.get("label", row.get("error")) for row in said["predictions"]]
    same = sum(map(str.__eq__, labels, found.predicted["predicted"]))
    return {"export says the same": f"{same} of {len(labels)}"}


def kept(file: Path, measure: Callable[[], dict[str, object]]) -> dict[str, object]:
    """What was measured, once: the command can be killed at any time."""
    if not file.exists():
        write_json(file, measure())
        print(file.read_text(), file=sys.stderr, flush=True)
    return {name: value for name, value in read_json(file).items() if name != "format"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for photos and workspaces")
    work = parser.parse_args().work
    made = make_sample(work / "sample", images_per_class=60)
    sample = open_workspace(made.directory, work / "sample-workspace")
    names = [name for name in FORMS if name != "HEIC" or shutil.which("heif-enc")]
    spaces, rows = {}, {}
    for name in names:
        place = work / f"{list(FORMS).index(name)}"
        spaces[name] = rewritten(sample, place, name, "4,3,2" if "--bands" in name else "")
        rows[name] = {"photos stored as": name} | kept(place / "accuracy.json", partial(accuracy, spaces[name]))
    for name in names:
        place = work / f"{list(FORMS).index(name)}"
        rows[name] |= kept(place / "export.json", partial(exported, spaces[name], place / "export"))
    table = pd.DataFrame(list(rows.values()))
    print("| " + " | ".join(table) + " |\n|" + "---|" * len(table.columns))
    for row in table.itertuples(index=False):
        print("| " + " | ".join(f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row) + " |")


if __name__ == "__main__":
    main()
