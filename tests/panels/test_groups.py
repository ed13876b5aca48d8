"""What notebook 00 shows of groups before they are used, and what notebook 01 applies."""

import threading

import pytest

from cvtune_nb.audit import load_audit
from cvtune_nb.data import open_workspace, photo, time_groups
from cvtune_nb.panels import AuditPanel, StartPanel, start
from cvtune_nb.panels import audit as audit_panel
from cvtune_nb.panels.groups import GroupsControl
from tests.photos import make_photos
from tests.pressing import press

SCENES = r"-(\d\d)\d"


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "<photos>", ("a", "b"), per_class=60, size=48)


def test_the_preview_follows_the_rule(photos, tmp_path):
    control = GroupsControl("", redraw=False)
    control.show()
    assert control.preview.value == ""
    control.rule.value = SCENES
    control.show()
    assert "Open your photos" in control.preview.value
    control.show(open_workspace(photos, tmp_path / "w"))
    assert "120 photos in 6 groups, the largest with 20 photos" in control.preview.value
    assert control.preview.value.count("<img") == 4 * 5 and 'alt="a/a-000.jpg"' in control.preview.value
    assert "00: 20 photos of 2 classes" in control.preview.value
    assert "Before it can be used" in control.preview.value and "--redraw-split" in control.preview.value
    control.rule.value = "("
    control.show()
    assert "is no regular expression" in control.preview.value and "<img" not in control.preview.value
    control.rule.value = "none"
    control.show()
    assert "each photo is alone" in control.preview.value


def test_what_can_not_be_grouped_is_said(photos, tmp_path):
    control = GroupsControl(r"a-(\d\d)\d", redraw=False)
    control.show(open_workspace(photos, tmp_path / "w"))
    assert "60 photos do not match and are alone, for example b/b-000.jpg" in control.preview.value


def test_the_preview_of_times_shows_how_far_it_is_and_can_be_stopped(photos, tmp_path, monkeypatch):
    control, begun, going = GroupsControl("time:10", redraw=False), threading.Event(), threading.Event()
    control.attended = True
    monkeypatch.setattr(time_groups, "BLOCK", 40)

    def slowly(path):
        begun.set()
        assert going.wait(30)
        return "X", ""

    monkeypatch.setattr(photo, "taken", slowly)
    control.show(open_workspace(photos, tmp_path / "w"))
    assert begun.wait(30) and control.job.running
    assert "reading when photos were taken: 0 of 120" in control.preview.value
    assert control.end.layout.display is None and not control.end.disabled
    control.end.click()
    going.set()
    assert control.job.wait(30) and control.job.state == "stopped"
    assert "was stopped" in control.preview.value and control.end.layout.display == "none"
    control.show()
    assert control.job.wait(30) and "do not say when they were taken" in control.preview.value


def test_notebook_00_groups_and_draws_the_split_anew_when_told_to(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(start.benchmark, "measure", lambda backbone: None)
    monkeypatch.setattr(StartPanel, "paint", lambda self, result: "")
    panel = press(StartPanel.of(str(photos), str(tmp_path / "w")))
    panel.groups.rule.value = SCENES
    assert "6 groups" in panel.groups.preview.value, "it is shown at once"
    panel.go.click()
    assert panel.job.wait(60) and "--redraw-split" in panel.alert.value
    panel.groups.redraw.value = True
    press(panel)
    assert "Grouped by path" in panel.text.value and "changed the split" in panel.text.value
    assert panel.result().workspace.group_by == SCENES
    assert not panel.groups.redraw.value, "once"


def test_notebook_01_applies_the_groups_that_the_audit_found(photos, tmp_path, monkeypatch):
    space = open_workspace(photos, tmp_path / "w")
    rules = iter([SCENES, ""])

    def audited(workspace, progress=None):
        """An audit that finds scenes once."""
        found = load_audit(workspace) or real(workspace)
        rule = next(rules)
        found.summary["scenes"] = {"rule": rule} if rule else {}
        return found

    real = audit_panel.audit
    monkeypatch.setattr(audit_panel, "audit", audited)
    panel = press(AuditPanel.of(space))
    assert panel.apply.layout.display is None and SCENES in panel.scenes.value
    panel.apply.click()
    assert panel.job.wait(120) and panel.job.state == "done", panel.alert.value
    assert open_workspace("", tmp_path / "w").group_by == SCENES
    assert panel.apply.layout.display == "none" and panel.scenes.value == ""
