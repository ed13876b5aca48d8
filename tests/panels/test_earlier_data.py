"""Runs of earlier data are listed apart in every panel, and never chosen by themselves."""

import pytest

from cvtune_nb.classification import fit, load_run
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.escalation.parameter_sweep import run_to_search_round
from cvtune_nb.panels import EscalationPanel, ExportPanel, GainsPanel, SweepPanel, TrainingPanel
from cvtune_nb.panels.export import ONLY_EARLIER
from cvtune_nb.panels.similarity_export import SimilarityExportPanel
from cvtune_nb.panels.start import workbook_map
from cvtune_nb.runs.store import locked
from cvtune_nb.widgets.job import NotReady
from tests.made_runs import CONFIG, made_run

SMALL = {"backbone": CONFIG.backbone, "image_size": 64}


def exclude_one(workspace, split="validation"):
    photos = workspace.photos()
    workspace.decide(photos.loc[photos["split"] == split, "path"].iloc[0], "exclude")


@pytest.fixture
def earlier(workspace):
    """(workspace, run): a run, after which a validation photo was excluded."""
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    run = made_run(workspace, 1.0)
    exclude_one(workspace)
    return workspace, run


def rename_a_class(workspace):
    photos = workspace.photos()
    paths = photos.loc[photos["label"] == "circle", "path"]
    workspace.decide_all((path, "relabel", "disc", "") for path in paths)


def test_the_training_panel_lists_them_below_a_heading_of_their_own(earlier):
    workspace, run = earlier
    panel = TrainingPanel(workspace, **SMALL)
    assert panel.last() is None
    assert "Not trained yet on these photos; the runs listed below are of earlier data" in panel.status.value
    assert "Earlier data: other validation photos" in panel.compared.value and run.id in panel.compared.value
    with pytest.raises(NotReady):
        panel.result()
    new = made_run(workspace, 0.5)
    panel = TrainingPanel(workspace, **SMALL)
    assert panel.last().id == new.id
    first, second = panel.compared.value.split("Earlier data")
    assert new.id in first and run.id not in first
    assert run.id in second and new.id not in second


def test_no_panel_takes_one_for_the_best(earlier):
    workspace, run = earlier
    panel = EscalationPanel(workspace)
    assert run_to_search_round(workspace) is None
    assert "no run to search around" in SweepPanel(workspace).about.value
    work = GainsPanel(workspace, panel).work()
    assert work.__closure__ and not any(getattr(cell.cell_contents, "id", "") == run.id for cell in work.__closure__)
    new = made_run(workspace, 0.5)
    assert f"Around {new.id}, the best run" in SweepPanel(workspace).about.value


def test_the_map_of_notebooks_counts_them_apart(earlier):
    workspace, _ = earlier
    assert "1 of earlier data" in workbook_map(workspace) and "on earlier data" in workbook_map(workspace)
    made_run(workspace, 0.5)
    assert "1 run, 1 of earlier data" in workbook_map(workspace)


def test_the_export_panel_offers_them_last_with_a_box_to_tick(earlier):
    workspace, run = earlier
    new = made_run(workspace, 0.5)
    panel = ExportPanel(workspace)
    shown = [words for words, _ in panel.run.options]
    assert panel.run.value == new.id
    assert shown == [f"{new.id}: 50.0%", "the SVM of notebook 02: is fitted again", f"earlier data: {run.id}: 100.0%"]
    assert panel.earlier.layout.display == "none"
    panel.run.value = run.id
    assert panel.earlier.layout.display is None
    panel.earlier.value = True
    panel.run.value = new.id
    assert panel.earlier.layout.display == "none" and not panel.earlier.value
    assert ExportPanel(workspace, run=run.id).run.value == run.id, "it can be named"


def test_with_only_earlier_ones_none_is_exported_by_itself(workspace):
    run = made_run(workspace, 1.0)
    exclude_one(workspace)
    panel = ExportPanel(workspace)
    assert panel.run.value is None and ONLY_EARLIER in panel.status.value
    panel.go.click()
    assert ONLY_EARLIER in panel.alert.value
    with pytest.raises(NotReady, match="only runs of earlier data"):
        panel.result()
    assert [name for _, name in panel.run.options] == [run.id]
    assert workspace.test_openings() == 0


def test_other_classes_take_a_tick(workspace):
    run = fit(workspace, CONFIG)
    rename_a_class(workspace)
    panel = ExportPanel(workspace, run=run.id)
    for box in panel.variants.values():
        box.value = False
    panel.go.click()
    assert panel.job.wait(300)
    assert "is of earlier data (classes renamed: circle to disc)" in panel.alert.value
    assert workspace.test_openings() == 0
    panel.earlier.value = True
    panel.go.click()
    assert panel.job.wait(300) and panel.job.state == "done", panel.job.error
    assert "of classes that it does not know: not counted" in panel.text.value


def test_the_export_of_look_alikes_offers_them_last(earlier):
    workspace, run = earlier
    panel = SimilarityExportPanel(workspace)
    assert panel.embedder.options[-1] == (f"earlier data: run {run.id}", run.id)
    assert panel.embedder.value == "efficientnet_lite0@224" and panel.earlier.layout.display == "none"
    panel.embedder.value = run.id
    assert panel.earlier.layout.display is None
    assert SimilarityExportPanel(workspace, run.id).earlier.layout.display is None


def test_a_run_that_another_program_trains_says_so_in_the_panel(workspace):
    run = made_run(workspace, 0.5, state="stopped")
    panel = TrainingPanel(workspace, **SMALL)
    assert not panel.resume.disabled
    with locked(run.folder):
        panel.resume.click()
        assert panel.job.wait(60) and panel.job.state == "failed"
        assert f"is training run {run.id}: wait for it to end" in panel.alert.value
        live = TrainingPanel(workspace, **SMALL)
        assert live.resume.disabled
        assert ">training<" in live.compared.value
    assert load_run(workspace, run.id).state == "stopped"


def test_a_run_without_a_finished_epoch_has_no_figures(workspace):
    made_run(workspace, 0.5)
    panel = TrainingPanel(workspace, **SMALL)
    begun = made_run(workspace, 0.5, state="stopped", seed=1)
    begun.checkpoint.unlink()
    panel.begin(lambda progress: load_run(workspace, begun.id))
    assert panel.job.wait(60) and panel.job.state == "done", panel.job.error
    assert "No epoch was finished" in panel.status.value
    assert "-1" not in panel.status.value + panel.lessons().data
