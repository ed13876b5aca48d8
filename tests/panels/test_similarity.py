"""The panels of notebook 07, used as a person would, without a browser."""

import base64
import io
import re

import pandas as pd
import pytest
from PIL import Image

from cvtune_nb import classification
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import opened
from cvtune_nb.panels import OutliersPanel, SimilarityExportPanel, SimilarityPanel, ToLabelPanel, TuningPanel
from cvtune_nb.panels.photo_search import ALL, LOOK_ALIKES, ON_MAP
from cvtune_nb.parameters import Config
from cvtune_nb.widgets.job import NotReady
from tests.photos import make_photos
from tests.pressing import SMALL, arrives, finished, press

FROZEN = "efficientnet_lite0@64"


@pytest.fixture
def panel(workspace):
    """Compared already, with the frozen network."""
    return press(SimilarityPanel(workspace, embedder=FROZEN, k=5))


@pytest.fixture
def displayed(monkeypatch):
    """What cells show."""
    outputs = []
    monkeypatch.setattr("cvtune_nb.panels.panel.display", lambda output, display_id: outputs.append(output))
    return outputs


def shown(panel):
    return [row["key"] for row in panel.search.grid.photos]


def test_the_first_query_is_answered_at_once(panel):
    matches = panel.search.matches
    assert shown(panel) == matches["path"].tolist()
    assert len(matches) == 5
    assert panel.search.query.name not in shown(panel)
    assert matches["distance"].is_monotonic_increasing
    assert "recall@1" in panel.status.value
    assert panel.cost.value == f"It took {duration(panel.result().seconds)}."
    assert len(panel.search.map.titles) == len(panel.workspace.photos())


def test_a_click_makes_a_photo_the_query(panel):
    chosen = shown(panel)[2]
    panel.search.grid.on_open(chosen)
    assert panel.search.query.name == chosen
    assert chosen not in shown(panel)
    label = panel.workspace.photos().set_index("path").at[chosen, "label"]
    marks = {row["mark"] for row in panel.search.grid.photos if row["caption"].endswith(f" {label}")}
    assert marks == {"same"}


def test_filters_let_through_what_fits(panel):
    panel.search.split.value = "train"
    panel.search.label.value = "stripes"
    assert set(panel.search.matches["split"]) == {"train"}
    assert set(panel.search.matches["label"]) == {"stripes"}
    panel.search.k.value = 3
    assert len(shown(panel)) == 3
    photos = panel.workspace.photos().query("split == 'test'")
    panel.workspace.decide_all((path, "exclude", "", "") for path in photos["path"])
    press(panel)
    panel.search.split.value = "test"
    assert shown(panel) == []
    panel.search.view.value = ALL
    assert "No photo has that class and split" in panel.search.asked.value


def test_all_photos_are_browsed_and_one_is_opened(panel):
    panel.search.view.value = ALL
    assert len(shown(panel)) == 48
    panel.search.pager.on.click()
    assert len(shown(panel)) == len(panel.workspace.photos()) - 48
    assert panel.search.pager.on.disabled
    panel.search.grid.on_open(shown(panel)[0])
    assert panel.search.view.value == LOOK_ALIKES


def test_a_selection_on_the_map_is_a_gallery(panel):
    arrives(panel.search.map, {"selected": [1, 4, 6], "shown": panel.search.map.shown})
    assert panel.search.view.value == ON_MAP
    assert shown(panel) == panel.workspace.photos()["path"].iloc[[1, 4, 6]].tolist()
    arrives(panel.search.map, {"selected": [], "shown": panel.search.map.shown})
    assert "Nothing is selected" in panel.search.asked.value


def test_a_photo_of_ones_own_is_the_query(panel, tmp_path):
    file = make_photos(tmp_path / "own", ("circle", "square", "stripes"), per_class=1, seed=77) / "stripes"
    content = next(file.iterdir()).read_bytes()
    panel.search.ask_file(content, "<mine>.jpg")
    assert panel.search.matches["label"].mode()[0] == "stripes"
    assert "&lt;mine&gt;.jpg" in panel.search.asked.value
    assert {row["mark"] for row in panel.search.grid.photos} == {""}
    with pytest.raises(InputError, match="can't be used"):
        panel.search.ask_file(b"nothing", "x.jpg")


def test_another_distance_and_re_ranking_answer_by_themselves(panel):
    before, maps = panel.search.matches["distance"].tolist(), panel.search.map.shown
    panel.menus.distance.value = "manhattan"
    finished(panel)
    assert panel.search.matches["distance"].tolist() != before
    panel.rerank.value = True
    finished(panel)
    assert panel.result().evaluation.validation.reranked
    assert panel.search.map.shown == maps, "the vectors are the same"
    panel.menus.components.value = "none"
    finished(panel)
    assert panel.result().index.searcher.vectors.shape[1] == 1280
    assert panel.search.map.shown == maps + 1


def test_what_is_chosen_while_work_runs_holds(panel):
    panel.go.click()
    panel.menus.distance.value = "manhattan"
    panel.method.value = "t-sne"
    panel.rerank.value = True
    result = finished(panel).result()
    assert (result.index.metric.distance, result.map.method) == ("manhattan", "t-sne")
    assert result.evaluation.validation.reranked


def test_the_map_can_be_made_anew(panel):
    before = panel.search.map.places
    panel.method.value = "t-sne"
    finished(panel)
    assert panel.search.map.places != before


def test_the_map_follows_when_photos_are_excluded(panel):
    panel.workspace.decide(panel.workspace.photos()["path"].iloc[0], "exclude")
    press(panel)
    photos = panel.workspace.photos()
    assert panel.search.map.titles == photos["path"].tolist()
    arrives(panel.search.map, {"selected": [0], "shown": panel.search.map.shown})
    assert shown(panel) == [photos["path"].iloc[0]]


def test_a_run_stands_beside_the_frozen_network(workspace, displayed):
    run = classification.fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=1))
    panel = SimilarityPanel(workspace)
    assert panel.embedder.value == run.id
    assert "photos to embed" in panel.cost_line.value
    press(panel)
    assert "All photos are embedded" in panel.cost_line.value
    assert panel.result().evaluation.frozen.embedder.name == FROZEN
    panel.measures()
    panel.learned()
    table, *pictures, learned = displayed
    assert "recall@1" in table.data
    assert "Compared with the frozen network" in table.data
    assert [picture.alt.split()[0] for picture in pictures] == ["recall", "recall@1"]
    assert "Hardest to find is" in learned.data


def test_the_run_of_the_panel_below_is_chosen_when_it_ends(workspace):
    panel = SimilarityPanel(workspace, embedder=FROZEN)
    tuning = TuningPanel(workspace, **SMALL, epochs=1, loss="triplet")
    panel.follow(tuning)
    press(tuning)
    assert panel.embedder.value == classification.runs(workspace)["run"].iloc[-1]
    tuning.recommended.click()
    assert tuning.controls_of["loss"].value == "triplet"
    assert tuning.controls_of["epochs"].value == 8


def test_before_it_has_compared_it_says_so(workspace):
    panel = SimilarityPanel(workspace, embedder=FROZEN)
    with pytest.raises(NotReady, match="Compare all photos"):
        panel.measures()
    panel.search.view.value = ALL
    assert shown(panel) == []


# -- outliers and copies ------------------------------------------------------------------------------------


def test_copies_and_outliers_are_decided_as_in_the_audit(workspace):
    panel = OutliersPanel(workspace, embedder=FROZEN)
    assert not panel.gallery.photos, "the findings of the audit are not its own"
    press(panel)
    assert "duplicate" in [value for _, value in panel.kind.options]
    panel.kind.value = "duplicate"
    photo = panel.gallery.photos[0]
    for action in ("exclude", "undo"):
        arrives(panel.gallery, {"decide": action, "to": "", "sent": 1, "finding": photo["finding"]})
        decided = workspace.standing().get(photo["path"], {"action": "undo"})
        assert decided["action"] == action
    assert (workspace.audit / "issues.csv").exists(), "the audit's own findings stay"
    found = panel.result()
    panel.measure.click()
    assert finished(panel).result() is found


# -- what to label ------------------------------------------------------------------------------------------


def test_a_folder_is_shown_and_a_list_is_made(workspace, tmp_path):
    folder = make_photos(tmp_path / "new", ("circle", "ring"), per_class=8, seed=9)
    panel = ToLabelPanel(workspace, folder=str(folder), count=4, embedder=FROZEN)
    panel.open.click()
    assert len(panel.grid.photos) == 16
    rings = [row["key"] for row in panel.grid.photos if "ring" in row["key"]][:2]
    panel.grid.on_select(rings)
    assert "the 2 that you ticked" in panel.chosen.value
    press(panel)
    made = panel.result()
    assert len(made.table) == len(panel.grid.photos) == 4
    assert pd.read_csv(made.file)["like"].notna().all()
    assert str(made.file) in panel.text.value
    assert "4 photos to label" in panel.lessons().data


def test_without_a_folder_it_says_what_to_do(workspace):
    panel = ToLabelPanel(workspace, embedder=FROZEN)
    panel.go.click()
    assert "no folder is named" in panel.alert.value
    assert not panel.unstarted()


# -- export -------------------------------------------------------------------------------------------------


def test_an_index_is_exported_and_asked(workspace, displayed):
    panel = press(SimilarityExportPanel(workspace, embedder="test_resnet:random@64"))  # small: exported in a moment
    made = panel.result()
    assert "recall@1" in panel.text.value
    assert "opened once" in panel.warning.value
    photo = workspace.path_of(workspace.photos()["path"].iloc[3])
    assert opened(made.folder).predict([photo])[0]["similar"][0]["path"] == workspace.photos()["path"].iloc[3]
    assert "Similar(" in panel.usage().data
    assert "has been opened once" in panel.lessons().data


def test_the_thumbnail_of_an_own_photo_is_small(panel):
    buffer = io.BytesIO()
    Image.new("RGB", (900, 1200), "red").save(buffer, "JPEG")
    panel.search.ask_file(buffer.getvalue(), "large.jpg")
    content = base64.b64decode(re.search(r"base64,([^\"]+)", panel.search.asked.value)[1])
    assert max(Image.open(io.BytesIO(content)).size) == 240
