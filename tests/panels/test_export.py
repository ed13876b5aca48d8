"""Notebook 05's panel: open the test set, export, try a photo."""

import json
from datetime import UTC, datetime

import pytest

from cvtune_nb import classification
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.panels import (
    ExportPanel,
)
from cvtune_nb.parameters import Config
from cvtune_nb.widgets.job import NotReady
from tests.pressing import SMALL, press

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_without_a_run_there_is_nothing_to_export_and_it_says_where_to_go(workspace):
    panel = ExportPanel.of(workspace)
    assert panel.go.disabled
    with pytest.raises(NotReady, match="03_dnn_fine_tuning"):
        panel.result()


def test_export_opens_the_test_set_once_and_classifies_photos(workspace, planted):
    weaker = classification.fit(workspace, Config(**SMALL, epochs=0, head="random"))
    assert weaker.history.empty
    best = classification.fit(workspace, Config(**SMALL, epochs=0))
    panel = ExportPanel.of(workspace, name="mine")
    assert panel.run.value == best.id
    assert "has not been opened yet" in panel.warning.value
    panel.variants["fp16"].value = False
    press(panel)
    made = panel.result()
    assert made.folder == workspace.exports / "mine"
    assert f"{made.test.value:.1%}" in panel.text.value
    assert "opened once" in panel.warning.value
    assert workspace.test_openings() == 1
    assert json.loads((made.folder / "labels.json").read_text())["labels"] == best.classes
    panel.photo.value = str(next((planted / "stripes").glob("stripes*.jpg")))
    panel.classify.click()
    assert "stripes" in panel.answer.value
    assert panel.looked.png
    assert "which parts of it spoke for that" in panel.looked.alt
    assert made.variants["variant"].tolist() == ["fp32", "int8"]
    assert "beside fp32" in panel.text.value
    before = panel.picture.png
    assert before
    panel.threshold.value = 0.95
    assert panel.picture.png != before
    assert panel.model.threshold == 0.95
    assert "model.threshold = 0.95" in panel.usage().data
    panel.threshold.value = 0.0
    panel.photo.value = str(planted / "circle" / "broken.jpg")
    panel.classify.click()
    assert 'role="alert"' in panel.alert.value
    scope = {}
    code = panel.usage().data.split("<pre>")[1].split("</pre>")[0].replace("&#x27;", "'")
    exec(code.replace("'photo.jpg'", repr(str(next((planted / "stripes").glob("stripes*.jpg"))))), scope)
    assert scope["Model"]


def test_the_baseline_can_be_exported_and_is_not_sure_of_everything(workspace, planted):
    baseline(workspace, FeatureSpec(SMALL["backbone"], Preprocessing(SMALL["image_size"])))
    panel = ExportPanel.of(workspace, run="svm")
    assert "SVM of notebook 02" in panel.run.label
    panel.threshold.value = 0.99
    for box in panel.variants.values():
        box.value = False
    press(panel)
    assert panel.result().run == "svm"
    assert panel.result().threshold == 0.99
    panel.photo.value = str(next((planted / "stripes").glob("stripes*.jpg")))
    panel.model.threshold = 1.1
    panel.classify.click()
    assert "Its answer is: don't know, unsure between classes" in panel.answer.value


def test_a_folder_is_told_photo_by_photo_and_the_share_that_is_kept_is_live(workspace, planted):
    classification.fit(workspace, Config(**SMALL, epochs=0))
    panel = ExportPanel.of(workspace)
    for box in panel.variants.values():
        box.value = False
    press(panel)
    made = panel.result()
    assert made.known and panel.likeness.png
    panel.try_photo(str(planted / "stripes"))
    assert "photos are not known." in panel.answer.value and "<table" in panel.answer.value
    before = panel.likeness.png
    panel.model.known_below = 0.0
    panel.keep.value = 0.5
    assert 0.3 < panel.model.known_below <= 0.5
    assert panel.likeness.png != before and "unlike all classes" in panel.answer.value
    assert "model.known_below = " in panel.usage().data
    panel.keep.value = 0.0
    assert panel.model.known_below == 0 and "unlike all classes" not in panel.answer.value
    photos = sorted((planted / "circle").glob("circle*.jpg"))[:2]
    panel.upload.value = tuple(
        {"name": photo.name, "type": "image/jpeg", "size": 1, "content": photo.read_bytes(), "last_modified": NOW}
        for photo in photos
    )
    assert all(photo.name in panel.answer.value for photo in photos)
    panel.upload.value = tuple(
        {"name": "same.jpg", "type": "image/jpeg", "size": 1, "content": content, "last_modified": NOW}
        for content in (photos[0].read_bytes(), photos[1].read_bytes(), b"no photo")
    )
    assert all(name in panel.answer.value for name in ("same.jpg", "same (2).jpg", "same (3).jpg"))
    assert "of 2 photos" in panel.answer.value and "1 can&#x27;t be read" in panel.answer.value.replace("'", "&#x27;")
    panel.keep.unobserve_all("value")  # as while an export runs
    panel.keep.value = 0.5
    panel.paint(made)
    assert 0.3 < panel.model.known_below <= 0.5


def test_a_name_with_a_slash_is_refused(workspace):
    classification.fit(workspace, Config(**SMALL, epochs=0))
    panel = ExportPanel.of(workspace, name="../elsewhere")
    panel.go.click()
    assert "slash" in panel.alert.value
    assert panel.job.state == "idle"
    assert workspace.test_openings() == 0
