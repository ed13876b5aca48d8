"""Panels whose work is done in the worker: what crosses from process to process, and what happens when that dies."""

import ast
import inspect
import pkgutil

import psutil
import pytest

import cvtune_nb.panels
from cvtune_nb import classification
from cvtune_nb.errors import Stopped, WorkerDied
from cvtune_nb.panels import AuditPanel, BaselinePanel, ExportPanel, TrainingPanel
from cvtune_nb.panels.panel import WORKER, Panel
from cvtune_nb.worker import Worker
from tests.pressing import SMALL, press

IN_PLACE = {
    "StartPanel",  # what it opens is the workspace of this kernel
    "SearchPanel",  # a query takes milliseconds
    "ObjectSizePanel",  # it counts boxes
}
"""Panels whose work changes what this kernel holds, or takes no time to speak of."""


@pytest.fixture(scope="module")
def in_worker():
    """Work is done in a worker after all."""
    worker = Worker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WORKER, "run", worker.run)
        yield worker


def test_curves_are_drawn_here_while_the_worker_trains(workspace, in_worker):
    panel = TrainingPanel(workspace, **SMALL, epochs=2, batch_size=16)
    drawn = []
    panel.draw = lambda run: drawn.append(len(run.history))
    press(panel)
    assert drawn[:3] == [1, 2, 3]  # before training, and after each epoch
    assert panel.result().id == classification.runs(workspace)["run"].iloc[-1]
    assert "Finished. Best epoch" in panel.status.value


def test_features_are_computed_there_and_the_svm_is_moved_here(workspace, in_worker):
    panel = BaselinePanel(workspace, backbone="efficientnet_lite0", image_size=96)
    press(panel)
    assert panel.result().validation.value > 0.5 and panel.explorer.spec.preprocessing.image_size == 96


def test_the_audit_and_an_export_come_back_whole(workspace, in_worker):
    audited = press(AuditPanel(workspace)).result()
    assert len(audited.scores) and len(audited.issues)
    press(BaselinePanel(workspace, backbone="efficientnet_lite0", image_size=64))
    exported = press(ExportPanel(workspace))
    assert exported.result().folder.is_dir() and exported.model is not None


def test_a_panel_says_that_the_worker_has_died(workspace, in_worker):
    panel = TrainingPanel(workspace, **SMALL, epochs=200, batch_size=16)
    panel.draw = lambda run: psutil.Process(in_worker.pid).kill()
    failed(panel)
    assert "has ended unexpectedly (signal SIGKILL)" in panel.alert.value and "Traceback" not in panel.alert.value
    assert not panel.resume.disabled and not panel.go.disabled


def test_a_run_whose_worker_was_killed_for_memory_goes_on_with_half_the_minibatch(workspace):
    panel, calls = TrainingPanel(workspace, **SMALL, epochs=3, batch_size=16), []

    def killed_after_an_epoch(progress, **what):
        def stop(run):
            if run.history["epoch"].max() == len(calls):
                raise Stopped

        calls.append(what)
        if len(calls) < 3:
            classification.fit(workspace, on_epoch=stop, progress=progress, **what)
            raise WorkerDied("Memory ran out", out_of_memory=True)
        return classification.fit(workspace, progress=progress, **what)

    panel.fit = killed_after_an_epoch
    press(panel)
    run = panel.result()
    assert [sorted(what) for what in calls] == [["config"], ["run"], ["run"]]
    assert run.state == "done" and run.config.batch_size == 4 and run.history["epoch"].tolist() == [0, 1, 2, 3]
    assert [change[:27] for change in run.changes] == ["out of memory: minibatch 8,", "out of memory: minibatch 4,"]


def test_it_does_not_go_on_for_ever(workspace):
    panel, calls = TrainingPanel(workspace, **SMALL, epochs=1, batch_size=32), []

    def killed(progress, **what):
        calls.append(what)
        if len(calls) == 1:
            classification.fit(workspace, progress=stopped, **what)
        raise WorkerDied("Memory ran out", out_of_memory=True)

    panel.fit = killed
    failed(panel)
    assert len(calls) == 4 and "Memory ran out" in panel.alert.value
    assert classification.load_run(workspace, "last").config.batch_size == 4


def failed(panel):
    panel.go.click()
    assert panel.job.wait(300) and panel.job.state == "failed"


def stopped(share, words):
    if words.startswith("epoch"):
        raise Stopped


def panels():
    """Every class of a panel that has work."""
    for module in pkgutil.iter_modules(cvtune_nb.panels.__path__, "cvtune_nb.panels."):
        for each in vars(__import__(module.name, fromlist=["_"])).values():
            if inspect.isclass(each) and issubclass(each, Panel) and each.__module__ == module.name:
                yield each


WITH_WORK = [each for each in panels() if "work" in vars(each) and each is not Panel]


@pytest.mark.parametrize("panel", WITH_WORK, ids=lambda each: each.__name__)
def test_every_panel_works_in_the_worker(panel):
    """A kernel that computes itself can be taken down by what it computes."""
    names = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(panel))))
        if isinstance(node, ast.Attribute)
    }
    assert ("in_worker" in names or "fit" in names) != (panel.__name__ in IN_PLACE)
