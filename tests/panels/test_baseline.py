"""Notebook 02's panel: C and kernel answer at once."""

import threading
from types import SimpleNamespace

import pytest

from cvtune_nb.classification.baseline import last_baseline
from cvtune_nb.panels import (
    BaselinePanel,
)
from cvtune_nb.widgets.job import NotReady
from tests.pressing import SAFE, SMALL, press


@pytest.fixture
def based(workspace):
    return press(BaselinePanel.of(workspace, **SMALL))


def test_compute_gives_accuracy_confusion_and_classes(based, workspace):
    result = based.result()
    assert result.validation.n == (workspace.photos()["split"] == "validation").sum()
    assert f"{result.validation.value:.1%}" in based.text.value
    assert "confusion matrix" in based.picture.alt
    assert SAFE in based.text.value
    assert last_baseline(workspace)["validation_accuracy"] == result.validation.value


def test_c_and_kernel_answer_from_cached_features(based, monkeypatch):
    monkeypatch.setattr("cvtune_nb.classification.baseline.features", None)  # nothing may be computed anew
    based.C.value = 0.01
    assert "C = 0.01" in based.text.value
    assert based.result().C == 0.01
    based.kernel.value = "rbf"
    assert "rbf kernel" in based.text.value
    assert based.result().kernel == "rbf"
    assert "0.01" in based.words.value


def test_what_the_cells_show_follows_the_panel(based):
    based.learned()
    based.C.value = 0.01
    (_, part) = based.reports[-1]
    assert "C = 0.01" in part().data
    seen = []
    page = SimpleNamespace(update=lambda _: None)
    based.reports.append((page, lambda: seen.append(based.job.running)))
    press(based)
    assert seen == [False]  # once, after the work: a report that needs the result would wait for it


def test_cells_below_running_work_are_filled_in_when_it_ends(workspace, monkeypatch):
    panel, shown, go_on = BaselinePanel.of(workspace, **SMALL), [], threading.Event()

    def display(what, display_id):
        shown.append(what.data)
        return SimpleNamespace(update=lambda what: shown.append(what.data))

    monkeypatch.setattr("cvtune_nb.panels.panel.display", display)
    work = panel.work()
    panel.begin(lambda progress: go_on.wait(10) and work(progress))
    panel.learned()
    assert "appears here when" in shown.pop()
    go_on.set()
    assert panel.job.wait(60)
    assert "of the validation photos right" in shown.pop()
    panel.begin(lambda progress: panel.job.stop() or progress(0.5, ""))
    assert panel.job.wait(10)
    assert "of the validation photos right" in shown.pop(), "the earlier result is still there"


def test_before_compute_the_svm_cannot_be_moved(workspace):
    panel = BaselinePanel.of(workspace, **SMALL)
    assert panel.C.disabled
    with pytest.raises(NotReady, match="Press Compute"):
        panel.learned()
