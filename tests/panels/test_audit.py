"""Notebook 01's panels: findings are decided, objects are boxed."""

import pytest

from cvtune_nb.audit import load_audit, objects
from cvtune_nb.panels import (
    AuditPanel,
    ObjectsPanel,
)
from cvtune_nb.panels.audit import MINE
from cvtune_nb.widgets.job import NotReady
from tests.pressing import finished, press


@pytest.fixture
def audited(workspace):
    return AuditPanel.of(workspace)


def test_the_audit_runs_anew_on_request(audited, workspace):
    before = load_audit(workspace)
    press(audited)
    assert audited.result().issues["issue"].tolist() == before.issues["issue"].tolist()
    assert "The audit took" in audited.cost.value


def card_of(panel, ending):
    return next(card for card in panel.cards if card.issue.get("path", "").endswith(ending))


def test_the_gallery_shows_the_wrong_label_with_its_suggestion(audited):
    audited.kind.value = "mislabelled"
    card = card_of(audited, "wrong.jpg")
    assert card.label.value == "circle"
    assert "<img" in card.look.value
    assert "wrong.jpg, labelled stripes" in card.look.value
    assert "looks like this circle" in card.look.value and card.look.value.count("<img") == 4
    assert "not decided" in card.state.value


def test_every_click_is_saved_and_can_be_undone(audited, workspace):
    audited.kind.value = "mislabelled"
    card = card_of(audited, "wrong.jpg")
    path = card.issue["path"]
    card.relabel.click()
    assert workspace.standing()[path]["to"] == "circle"
    assert "relabelled to circle" in card.state.value
    assert path in workspace.photos().query("label == 'circle'")["path"].tolist()
    card.undo.click()
    assert workspace.standing() == {}
    assert card.undo.disabled
    assert [act["action"] for act in workspace.decisions()] == ["relabel", "undo"]


def test_decisions_survive_another_kind_and_a_new_kernel(audited, workspace):
    audited.kind.value = "mislabelled"
    card = card_of(audited, "wrong.jpg")
    path = card.issue["path"]
    card.exclude.click()
    audited.kind.value = "duplicate"
    audited.kind.value = "mislabelled"
    assert "excluded" in card_of(audited, "wrong.jpg").state.value
    again = AuditPanel(workspace)  # what a new kernel makes: the audit is read from disk
    assert again.result().issues.equals(load_audit(workspace).issues)
    again.kind.value = MINE
    assert [c.issue["path"] for c in again.cards[: len(again.gallery.children)]] == [path]
    again.cards[0].undo.click()
    assert workspace.standing() == {}


def test_copies_stand_side_by_side(audited):
    audited.kind.value = "duplicate"
    card = card_of(audited, "copy.jpg")
    assert card.look.value.count("<img") == 2


def test_what_is_no_copy_is_remembered(audited, workspace):
    audited.kind.value = "duplicate"
    card = card_of(audited, "copy.jpg")
    path, twin = card.issue["path"], card.issue["other"]
    assert card.distinct.layout.display == "none", "the same file can't be no copy"
    other = next(known for known in audited.known if known not in (path, twin))
    audited.issues.loc[audited.issues["path"] == path, "other"] = other  # as if that only looked the same
    audited._turn(0)
    card = card_of(audited, "copy.jpg")
    assert card.distinct.layout.display is None
    card.distinct.click()
    pair = frozenset([audited.known[path], audited.known[other]])
    assert set(workspace.distinct()) == {pair} and not workspace.standing()
    assert "not a copy" in card.state.value and "1 decided" in audited.where.value
    audited.hide.value = True
    assert path not in [card.issue["path"] for card in audited.cards[: len(audited.gallery.children)]]
    assert "1 pair(s) are no copies" in audited.lessons().data
    again = AuditPanel(workspace)
    again.kind.value = MINE
    assert "not a copy" in again.cards[0].state.value
    again.cards[0].distinct.click()
    assert not workspace.distinct() and again.kind.value != MINE
    workspace.decide(path, "distinct", to=other)
    again = AuditPanel(workspace)
    again.kind.value = MINE
    again.all.click()
    again.bulk[-1].click()
    assert not workspace.distinct() and "1 taken back." in again.status.value


def test_a_file_that_could_not_be_read_is_listed_without_actions(audited):
    audited.kind.value = "corrupt"
    card = card_of(audited, "broken.jpg")
    assert card.actions.layout.display == "none"


def test_a_selection_is_decided_at_once_and_taken_back_at_once(audited, workspace):
    audited.kind.value = "duplicate"
    copy = card_of(audited, "copy.jpg")
    assert all(button.disabled for button in audited.bulk)
    copy.select.value = True
    audited.kind.value = "mislabelled"
    card_of(audited, "wrong.jpg").select.value = True
    assert "2 selected" in audited.selected.value, "another kind does not lose the selection"
    audited.kind.value = "duplicate"
    assert card_of(audited, "copy.jpg").select.value
    accept, _, keep, undo = audited.bulk
    accept.click()
    standing = workspace.standing()
    assert any(path.endswith("wrong.jpg") and act["to"] == "circle" for path, act in standing.items())
    assert any(path.endswith("copy.jpg") and act["action"] == "exclude" for path, act in standing.items())
    assert "2 decided as suggested" in audited.status.value and "0 selected" in audited.selected.value
    assert not card_of(audited, "copy.jpg").select.value

    audited.kind.value = MINE
    audited.all.click()
    keep.click()
    assert {act["action"] for act in workspace.standing().values()} == {"keep"}
    for _ in range(2):
        audited.all.click()
        undo.click()
    assert workspace.standing() == {}
    audited.all.click()
    audited.all.click()
    assert "0 selected" in audited.selected.value, "the second press takes the selection back"


def test_a_second_click_is_not_a_second_decision(audited, workspace):
    audited.kind.value = "mislabelled"
    card = card_of(audited, "wrong.jpg")
    for _ in range(3):
        card.exclude.disabled = False
        card.exclude.click()
    card.relabel.click()
    card.undo.click()
    assert workspace.standing()[card.issue["path"]]["action"] == "exclude"
    card.undo.click()
    card.undo.click()
    assert len(workspace.decisions()) == 4 and workspace.standing() == {}


def test_the_gallery_has_pages(audited):
    audited.kind.value = next(kind for _, kind in audited.kind.options if kind == "duplicate")
    total = len(audited._listed())
    seen = [card.issue["path"] for card in audited.cards[: len(audited.gallery.children)]]
    while not audited.on.disabled:
        audited.on.click()
        seen += [card.issue["path"] for card in audited.cards[: len(audited.gallery.children)]]
    assert len(seen) == total
    assert audited.back.disabled == (total <= 12)


def boxed(panel, box):
    """The person drags a box on the photo that is shown."""
    content = {"photo": panel.drawing.photo, "boxes": [["", *box]], "chosen": 0}
    panel.drawing._handle_custom_msg(content, [])


def test_boxes_are_saved_at_once_and_give_a_verdict(workspace):
    panel = ObjectsPanel(workspace)
    assert "Photo 1 of 12" in panel.where.value and panel.remove.disabled and panel.back.disabled
    seen = set()
    for number in range(6):
        assert panel.drawing.image.startswith(b"\xff\xd8") and not panel.drawing.boxes
        seen.add(panel.drawing.name)
        boxed(panel, [0.4, 0.4, 0.1, 0.15])
        assert len(objects.boxes(workspace)) == number + 1 and not panel.remove.disabled
        panel.on.click()
    assert len(seen) == 6
    assert "takes 15%" in panel.verdict.value and "notebook 06" in panel.verdict.value
    assert panel.result().small
    panel.back.click()
    assert panel.drawing.boxes == [["", 0.4, 0.4, 0.1, 0.15]]
    panel.remove.click()
    assert len(objects.boxes(workspace)) == 5 and "5 of at least 6" in panel.verdict.value
    first = panel.drawing.photo
    panel.back.click()
    late = {"photo": first, "boxes": [["", 0.1, 0.1, 0.1, 0.15]], "chosen": 0}
    panel.drawing._handle_custom_msg(late, [])
    assert objects.boxes(workspace)[panel.keys[first]] == (0.1, 0.1, 0.1, 0.15)
    objects.write_box(workspace, first, None)
    again = ObjectsPanel(workspace)  # a new kernel goes on where the person stopped
    assert again.at == 5
    boxed(again, [0.0, 0.0, 1.0, 0.5])
    assert "takes 15%" in again.verdict.value
    assert again.job.state == "idle"


def test_what_the_decisions_bring_is_measured_on_request(audited, workspace):
    with pytest.raises(NotReady, match="Nothing is decided"):
        audited.payoff()
    audited.kind.value = "mislabelled"
    card_of(audited, "wrong.jpg").relabel.click()
    audited.measure.click()
    finished(audited)
    assert audited.measured.relabelled == 1
    assert audited.picture.png
    assert "1 relabelled" in audited.status.value
    assert "1 relabelled" in audited.lessons().data
