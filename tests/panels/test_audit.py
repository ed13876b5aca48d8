"""Notebook 01's panels: findings are decided, objects are boxed."""

import pytest

from cvtune_nb.audit import load_audit, objects
from cvtune_nb.audit.review import MINE
from cvtune_nb.files import write_csv
from cvtune_nb.panels import AuditPanel, ObjectsPanel
from cvtune_nb.panels import audit as audit_panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import NotReady
from tests.pressing import arrives, finished, press


@pytest.fixture
def audited(workspace):
    return AuditPanel.of(workspace)


class Cell:
    """What a cell shows, as it is brought up to date."""

    def __init__(self, output, display_id=False):  # noqa: ARG002
        self.update(output)

    def update(self, output):
        self.data = output.data


@pytest.fixture
def cells(monkeypatch):
    """The outputs of cells, the last one at the end."""
    made = []
    monkeypatch.setattr(
        "cvtune_nb.panels.panel.display", lambda *args, **more: made.append(Cell(*args, **more)) or made[-1]
    )
    return made


def test_the_audit_runs_anew_on_request(audited, workspace):
    before = load_audit(workspace)
    press(audited)
    assert audited.result().issues["issue"].tolist() == before.issues["issue"].tolist()
    assert "The audit took" in audited.cost.value


def photo_of(panel, ending):
    """The photo of the gallery whose path ends so."""
    return next(photo for photo in panel.gallery.photos if photo["path"].endswith(ending))


def words_of(panel, ending):
    """What the gallery says is decided about a photo."""
    return panel.gallery.states[panel.gallery.photos.index(photo_of(panel, ending))]["words"]


def decide(panel, ending, action, to="", sent=1):
    """The person decides about a photo of the gallery."""
    finding = photo_of(panel, ending)["finding"]
    arrives(panel.gallery, {"decide": action, "to": to, "sent": sent, "finding": finding})
    assert panel.gallery.answered == sent


def select(panel, ending, on=True):
    arrives(panel.gallery, {"select": photo_of(panel, ending)["path"], "on": on})


def test_the_gallery_shows_the_wrong_label_with_its_suggestion(audited):
    audited.kind.value = "mislabelled"
    photo = photo_of(audited, "wrong.jpg")
    assert (photo["label"], photo["to"], photo["suggested"]) == ("stripes", "circle", "relabel")
    assert photo["caption"] == "stripes\n→ circle" and photo["about"].startswith("labelled stripes. ")
    assert photo["others"] == ["looks like this circle"] * 3
    assert all(image.startswith(b"\xff\xd8") for image in audited.gallery.images)
    assert words_of(audited, "wrong.jpg") == ""


def test_the_photo_in_hand_comes_large_with_its_evidence(audited, monkeypatch):
    audited.kind.value = "mislabelled"
    sent = []
    monkeypatch.setattr(audited.gallery, "send", lambda content, buffers: sent.append((content, buffers)))
    number, shown = audited.gallery.photos.index(photo_of(audited, "wrong.jpg")), audited.gallery.shown
    arrives(audited.gallery, {"look": number, "shown": shown - 1})  # a page that was turned meanwhile
    assert not sent
    arrives(audited.gallery, {"look": number, "shown": shown})
    [(content, buffers)] = sent
    assert content == {"look": number, "of": shown}
    assert len(buffers) == 4 and len(set(buffers)) == 4


def test_every_decision_is_saved_and_can_be_undone(audited, workspace):
    audited.kind.value = "mislabelled"
    path = photo_of(audited, "wrong.jpg")["path"]
    decide(audited, "wrong.jpg", "relabel", "circle")
    assert workspace.standing()[path]["to"] == "circle"
    assert words_of(audited, "wrong.jpg") == "relabelled to circle"
    assert "relabelled to circle" in audited.status.value
    assert path in workspace.photos().query("label == 'circle'")["path"].tolist()
    decide(audited, "wrong.jpg", "undo", sent=2)
    assert workspace.standing() == {} and words_of(audited, "wrong.jpg") == ""
    assert [act["action"] for act in workspace.decisions()] == ["relabel", "undo"]


def test_a_refused_decision_is_said_and_the_gallery_shows_what_is_in_force(audited, workspace):
    audited.kind.value = "mislabelled"
    decide(audited, "wrong.jpg", "relabel", " ")
    assert "needs the new label" in audited.alert.value
    assert words_of(audited, "wrong.jpg") == "" and workspace.standing() == {}


def test_where_nothing_was_found_nothing_is_explained(workspace):
    issues = load_audit(workspace).issues
    write_csv(workspace.audit / "issues.csv", issues[issues["path"] == ""])
    panel = AuditPanel(workspace)
    assert panel.kind.options == (("nothing found", ""),) and not panel.rows
    assert "decision of yours" not in panel.meaning.value
    workspace.decide(workspace.photos()["path"].iloc[0], "exclude")
    panel = AuditPanel(workspace)
    assert panel.kind.value == MINE and "every decision of yours" in panel.meaning.value


def test_decisions_survive_another_kind_and_a_new_kernel(audited, workspace):
    audited.kind.value = "mislabelled"
    path = photo_of(audited, "wrong.jpg")["path"]
    decide(audited, "wrong.jpg", "exclude")
    audited.kind.value = "duplicate"
    audited.kind.value = "mislabelled"
    assert words_of(audited, "wrong.jpg") == "excluded"
    again = AuditPanel(workspace)  # what a new kernel makes: the audit is read from disk
    assert again.result().issues.equals(load_audit(workspace).issues)
    again.kind.value = MINE
    assert [photo["path"] for photo in again.gallery.photos] == [path]
    decide(again, "wrong.jpg", "undo")
    assert workspace.standing() == {}
    assert again.kind.value != MINE, "there is no decision left to list"


def test_copies_stand_side_by_side_and_may_be_no_copies(audited, workspace):
    audited.kind.value = "duplicate"
    photo = photo_of(audited, "copy.jpg")
    assert len(photo["others"]) == 1 and photo["others"][0].startswith("its copy, labelled ")
    assert not photo["pair"], "the same file can't be no copy"
    issues = load_audit(workspace).issues
    other = next(path for path in issues["path"] if path.endswith("wrong.jpg"))
    issues.loc[issues["path"] == photo["path"], "other"] = other  # as if that only looked the same
    write_csv(workspace.audit / "issues.csv", issues)
    again = AuditPanel(workspace)
    again.kind.value = "duplicate"
    assert photo_of(again, "copy.jpg")["pair"]
    decide(again, "copy.jpg", "distinct")
    assert len(workspace.distinct()) == 1 and not workspace.standing()
    assert words_of(again, "copy.jpg") == "not a copy" and "1 decided" in again.where.value
    again.hide.value = True
    assert photo["path"] not in [shown["path"] for shown in again.gallery.photos]
    assert "1 pair(s) not copies" in again.lessons().data
    again.kind.value = MINE
    assert words_of(again, "copy.jpg") == "not a copy"
    again.all.click()
    again.bulk[-1].click()
    assert not workspace.distinct() and "1 taken back." in again.status.value


def test_a_file_that_could_not_be_read_is_listed_without_actions(audited):
    audited.kind.value = "corrupt"
    assert not photo_of(audited, "broken.jpg")["decidable"]
    audited.all.click()
    assert audited.gallery.selected == []


def test_a_selection_is_decided_at_once_and_taken_back_at_once(audited, workspace):
    audited.kind.value = "duplicate"
    assert all(button.disabled for button in audited.bulk)
    select(audited, "copy.jpg")
    audited.kind.value = "mislabelled"
    select(audited, "wrong.jpg")
    assert "2 selected" in audited.selected.value, "another kind does not lose the selection"
    audited.kind.value = "duplicate"
    assert photo_of(audited, "copy.jpg")["path"] in audited.gallery.selected
    accept, _, keep, undo = audited.bulk
    accept.click()
    standing = workspace.standing()
    assert any(path.endswith("wrong.jpg") and act["to"] == "circle" for path, act in standing.items())
    assert any(path.endswith("copy.jpg") and act["action"] == "exclude" for path, act in standing.items())
    assert "2 decided as suggested" in audited.status.value and "0 selected" in audited.selected.value
    assert audited.gallery.selected == []

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


def test_a_selection_that_comes_late_is_left_out(audited):
    audited.kind.value = "mislabelled"
    late = {"select": photo_of(audited, "wrong.jpg")["path"], "on": True}
    audited.kind.value = "corrupt"
    arrives(audited.gallery, late)
    assert audited.gallery.selected == [] and not audited.alert.value


def test_a_second_press_is_not_a_second_decision(audited, workspace):
    audited.kind.value = "mislabelled"
    path = photo_of(audited, "wrong.jpg")["path"]
    for _ in range(3):
        decide(audited, "wrong.jpg", "exclude")
    decide(audited, "wrong.jpg", "relabel", "circle")
    decide(audited, "wrong.jpg", "undo")
    assert workspace.standing()[path]["action"] == "exclude"
    decide(audited, "wrong.jpg", "undo")
    decide(audited, "wrong.jpg", "undo")
    assert len(workspace.decisions()) == 4 and workspace.standing() == {}


def test_what_is_decided_stays_in_its_place_until_the_kind_is_listed_anew(audited, monkeypatch):
    monkeypatch.setattr(audit_panel, "A_PAGE", 1)
    audited.hide.value = True
    audited.kind.value = "duplicate"
    total, seen = len(audited.rows), []
    assert total > 1
    for _ in range(total):
        for photo in list(audited.gallery.photos):
            seen.append(photo["path"])
            decide(audited, photo["path"], "keep")
        arrives(audited.gallery, {"turn": audited.pager.at + 1, "at": 0})
    assert len(set(seen)) == total, "no photo is passed over because those before it are decided"
    audited.pager.back.click()
    assert audited.pager.at == audited.gallery.pages - 2
    audited.hide.value = False
    audited.hide.value = True
    assert not audited.rows


def boxed(panel, box):
    """The person drags a box on the photo that is shown."""
    content = {"photo": panel.drawing.photo, "boxes": [["", *box]], "chosen": 0}
    arrives(panel.drawing, content)


def test_boxes_are_saved_at_once_and_give_a_verdict(workspace):
    panel = ObjectsPanel(workspace)
    assert "Photo 1 of 12" in panel.where.value and panel.remove.disabled and panel.pager.back.disabled
    seen = set()
    for number in range(6):
        assert panel.drawing.image.startswith(b"\xff\xd8") and not panel.drawing.boxes
        seen.add(panel.drawing.name)
        boxed(panel, [0.4, 0.4, 0.1, 0.15])
        assert len(objects.boxes(workspace)) == number + 1 and not panel.remove.disabled
        panel.pager.on.click()
    assert len(seen) == 6
    assert "takes 15%" in panel.verdict.value and "notebook 06" in panel.verdict.value
    assert panel.result().small
    panel.pager.back.click()
    assert panel.drawing.boxes == [["", 0.4, 0.4, 0.1, 0.15]]
    panel.remove.click()
    assert len(objects.boxes(workspace)) == 5 and "5 of at least 6" in panel.verdict.value
    first = panel.drawing.photo
    panel.pager.back.click()
    late = {"photo": first, "boxes": [["", 0.1, 0.1, 0.1, 0.15]], "chosen": 0}
    arrives(panel.drawing, late)
    assert objects.boxes(workspace)[panel.keys[first]] == (0.1, 0.1, 0.1, 0.15)
    objects.write_box(workspace, first, None)
    again = ObjectsPanel(workspace)  # a new kernel goes on where the person stopped
    assert again.pager.at == 5
    boxed(again, [0.0, 0.0, 1.0, 0.5])
    assert "takes 15%" in again.verdict.value
    assert again.job.state == "idle"


def test_what_cells_show_follows_a_decision_without_reading_the_audit_anew(audited, cells, monkeypatch):
    audited.summary()
    audited.learned()
    monkeypatch.delattr(audit_panel, "Review")
    audited.kind.value = "mislabelled"
    before = cells[0].data
    decide(audited, "wrong.jpg", "relabel", "circle")
    assert cells[0].data != before
    assert "You decided: 1 relabelled." in cells[-1].data


def test_what_the_decisions_bring_is_measured_on_request(audited, cells):
    with pytest.raises(NotReady, match="Nothing is decided"):
        audited.payoff()
    audited.kind.value = "mislabelled"
    decide(audited, "wrong.jpg", "relabel", "circle")
    audited.measure.click()
    finished(audited)
    assert audited.measured.relabelled == 1
    assert audited.picture.png
    assert "1 relabelled" in audited.status.value
    assert "1 relabelled" in audited.lessons().data
    audited.payoff()
    assert cells[-1].data == html.text(audited.measured.words)
    audited.kind.value = "duplicate"
    decide(audited, "copy.jpg", "exclude", sent=2)
    audited.measure.click()
    finished(audited)
    assert "1 relabelled and 1 excluded" in audited.measured.words
    assert cells[-1].data == html.text(audited.measured.words)
    assert audited.result().issues.equals(load_audit(audited.workspace).issues)


def test_a_rule_for_scenes_says_its_cost_and_never_replaces_one_that_the_person_has_set(audited, workspace):
    workspace.open_test("somebody")
    audited.offer_groups("(.*)_")
    assert audited.apply.layout.display is None and "was opened once" in audited.scenes.value
    workspace.keep(group_by="column:patient")
    audited.workspace.keep(group_by="column:patient")
    audited.offer_groups("(.*)_")
    assert audited.apply.layout.display == "none" and audited.scenes.value == ""
