"""The notebooks, run one after the other without a person on small photos; what each shows is checked."""

import base64
import io
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from cvtune_nb import classification
from cvtune_nb.classification.baseline import last_baseline
from cvtune_nb.detection import open_dataset, runs
from cvtune_nb.export.predict import Model, opened
from cvtune_nb.workspace import Workspace
from tests.boxes import make_scenes
from tests.photos import make_photos

FOLDER = Path(__file__).parents[2] / "notebooks"
ODD = '<b>x & "é"'
SAFE = "&lt;b&gt;x &amp; &quot;é&quot;"
QUICK = {
    "00_start_here": {},
    "01_data_quality_audit": {},
    "02_frozen_dnn_svm_baseline": {"NETWORKS": "efficientnet_lite0", "IMAGE_SIZES": "64"},
    "03_dnn_fine_tuning": {"IMAGE_SIZE": 64, "BACKBONE": "efficientnet_lite0", "EPOCHS": 1, "BATCH_SIZE": 16},
    "04_parameter_escalation": {
        "FAMILY": "efficientnet_lite",
        "RUNGS": "1,2",
        "EPOCHS": 1,
        "IMAGE_SIZES": "64,96",
        "TRIALS": 2,
    },
    "05_export_and_use": {"NAME": "mine"},
    "07_image_similarity": {
        "EMBEDDER": "efficientnet_lite0@64",
        "IMAGE_SIZE": 64,
        "EPOCHS": 1,
        "BATCH_SIZE": 16,
        "BACKBONE": "efficientnet_lite0",
    },
}
DETECTOR = {"DETECTOR": "efficientnet_lite0_fpn", "IMAGE_SIZE": 128, "EPOCHS": 2, "PROPOSALS": 40}


def run(name, **parameters):
    """Execute the notebook, as papermill and `jupyter execute` do; gives the outputs by cell id."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source += "".join(f"\n{key} = {value!r}" for key, value in parameters.items())
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def html(outputs):
    return "\n".join(str(output.get("data", {}).get("text/html", "")) for output in outputs)


def pictures(outputs):
    """The pictures among the outputs, as arrays."""
    found = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data in found]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photos with a wrong label, a copy and a broken file, and where the workspace will be."""
    root = tmp_path_factory.mktemp("workbook")
    photos = make_photos(root / "photos", ("circle", ODD, "stripes"), per_class=20)
    discs = sorted((photos / "circle").glob("*.jpg"))
    shutil.move(discs[3], photos / "stripes" / "wrong.jpg")
    shutil.copy(discs[4], photos / "circle" / "copy.jpg")
    (photos / "circle" / "broken.jpg").write_bytes(discs[5].read_bytes()[:500])
    return photos, root / "workspace"


@pytest.fixture(scope="module")
def shown(place):
    """What each notebook showed, all but 06 run in order."""
    photos, folder = place
    return {name: run(name, DATA=str(photos), WORKSPACE=str(folder), **values) for name, values in QUICK.items()}


def test_00_shows_counts_and_the_way_on(shown):
    cells = shown["00_start_here"]
    assert SAFE in html(cells["counts"])
    assert len(pictures(cells["counts"])) == 1
    assert pictures(cells["counts"])[0].std() > 10
    assert "href='01_data_quality_audit.ipynb'" in html(cells["map"])
    assert "61 photos in 3 classes" in html(cells["learned"])
    assert "files left out: 1." in html(cells["learned"])


def test_01_finds_what_was_planted(shown, place):
    cells = shown["01_data_quality_audit"]
    issues = Workspace(place[1]).audit / "issues.csv"
    assert "stripes/wrong.jpg,mislabelled" in issues.read_text()
    assert "circle/copy.jpg,duplicate" in issues.read_text()
    for kind in ("mislabelled", "duplicate", "corrupt"):
        assert kind in html(cells["summary"])
    assert len(pictures(cells["payoff"])) == 1
    assert "mislabelled" in html(cells["learned"])
    assert Workspace(place[1]).decisions() == []


def test_02_measures_and_explains(shown, place):
    cells = shown["02_frozen_dnn_svm_baseline"]
    known = last_baseline(Workspace(place[1]))
    assert "Recommended for accuracy: efficientnet_lite0 at 64 pixels" in html(cells["compared"])
    assert len(pictures(cells["compared"])) == 1
    assert known["image_size"] == 64, "the baseline starts with what was compared"
    assert f"{known['validation_accuracy']:.1%}" in html(cells["learned"])
    for name in ("c-curve", "mistakes", "curve"):
        assert len(pictures(cells[name])) == 1, name


def test_03_trains_a_run(shown, place):
    cells = shown["03_dnn_fine_tuning"]
    runs = classification.runs(Workspace(place[1]))
    first = runs.iloc[0]
    assert (first["state"], first["image_size"], first["epochs"], first["batch_size"]) == ("done", 64, 1, 16)
    assert first["run"] in html(cells["compare"])
    assert len(pictures(cells["curves"])) == 1
    assert f"{first['validation_accuracy']:.1%}" in html(cells["learned"])


def test_04_climbs_two_rungs(shown, place):
    cells = shown["04_parameter_escalation"]
    assert {64, 96} <= set(classification.runs(Workspace(place[1]))["image_size"])
    assert len(pictures(cells["result"])) == 3  # accuracy against time, gaps, predicted against real time
    assert "efficientnet_lite0 at 96 pixels" in html(cells["learned"])
    assert (Workspace(place[1]).folder / "gains.jsonl").exists()
    assert len(list((Workspace(place[1]).folder / "sweeps").glob("*.jsonl"))) == 1
    assert "was chosen as the best of" in html(cells["swept"])


def test_05_leaves_a_model_that_runs(shown, place):
    photos, folder = place
    made = Workspace(folder).exports / "mine"
    answer = Model(made).predict([next((photos / "stripes").glob("stripes*.jpg"))])[0]
    assert answer["label"] in ("circle", "stripes", ODD)
    assert "predict.py" in html(shown["05_export_and_use"]["use"])
    assert "test photos right" in html(shown["05_export_and_use"]["figures"])
    assert Workspace(folder).test_openings() == 2  # notebook 07 exports, too


def test_06_trains_a_detector(tmp_path):
    folder = make_scenes(tmp_path / "scenes", 16)
    cells = run("06_small_objects", DATA=str(folder), WORKSPACE=str(tmp_path / "workspace"), **DETECTOR)
    dataset = open_dataset(folder, tmp_path / "workspace")
    found = runs(dataset).iloc[0]
    assert (found["state"], found["epochs"], found["image_size"]) == ("done", 2, 128)
    assert [len(pictures(cells[name])) for name in ("sizes", "curves", "examples")] == [1, 3, 1]
    assert "of the photo" in html(cells["sizes"])
    assert "efficientnet_lite0_fpn at 128 pixels finds" in html(cells["learned"])
    made = next((tmp_path / "workspace" / "exports").glob("*/model.onnx"))
    assert len(opened(made.parent).predict([folder / "001.jpg"])) == 1
    assert "predict.py" in html(cells["use"])
    assert len(list(folder.iterdir())) == 17, "nothing was written among the photos"


def test_07_ranks_tunes_and_leaves_an_index(shown, place):
    cells, workspace = shown["07_image_similarity"], Workspace(place[1])
    assert "recall@1" in html(cells["measures"])
    assert len(pictures(cells["measures"])) == 2
    assert "recall@1" in html(cells["learned"])
    assert classification.runs(workspace)["loss"].iloc[-1] == "supervised-contrastive"
    assert "Similar(" in html(cells["use"])
    made = next(workspace.exports.glob("*/index.npy")).parent
    path = workspace.photos()["path"].iloc[0]
    assert opened(made).predict([workspace.path_of(path)])[0]["similar"][0]["path"] == path


def test_nothing_a_person_made_was_touched(shown, place):
    assert len(list(place[0].rglob("*.jpg"))) == 62


def test_a_notebook_that_needs_an_earlier_one_names_it(place, tmp_path):
    with pytest.raises(CellExecutionError, match="03_dnn_fine_tuning"):
        run("05_export_and_use", DATA=str(place[0]), WORKSPACE=str(tmp_path / "new"))


def test_a_wrong_path_fails_loudly_with_one_sentence(tmp_path):
    with pytest.raises(CellExecutionError, match="nowhere") as failure:
        run("01_data_quality_audit", DATA=str(tmp_path / "nowhere"), WORKSPACE=str(tmp_path / "new"))
    assert "open_workspace(" not in failure.value.traceback.split("nowhere")[-1]
