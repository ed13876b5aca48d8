"""Each panel used as a person would: press, look, decide, stop; without a browser."""

import json
import threading
import time
from types import SimpleNamespace

import pytest

from cvtune_nb import classification
from cvtune_nb.advice import Finding
from cvtune_nb.audit import load_audit, objects
from cvtune_nb.classification.svm import baseline, last_baseline
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json_lines
from cvtune_nb.panels import (
    AuditPanel,
    BaselinePanel,
    EscalationPanel,
    ExportPanel,
    GainsPanel,
    ObjectsPanel,
    StartPanel,
    SweepPanel,
    TrainingPanel,
)
from cvtune_nb.panels.audit import MINE
from cvtune_nb.panels.panel import Panel
from cvtune_nb.parameters import RECIPE_2018, Config
from cvtune_nb.widgets.job import NotReady

SMALL = {"backbone": "efficientnet_lite0", "image_size": 64}
SAFE = "&lt;b&gt;x &amp; &quot;é&quot;"


def finished(panel: Panel) -> Panel:
    assert panel.job.wait(300)
    assert panel.job.state != "failed", panel.job.error
    return panel


def press(panel: Panel) -> Panel:
    panel.go.click()
    return finished(panel)


class Slow(Panel):
    """A panel whose work goes on until it is stopped."""

    def work(self):
        def run(progress):
            while True:
                progress(0.5, "working <hard>")
                time.sleep(0.01)

        return run

    def paint(self, result):  # noqa: ARG002
        return ""


class Failing(Slow):
    def work(self):
        raise InputError("the folder <b> is empty: choose another")


# -- what all panels have in common -------------------------------------------------------------------------


def test_stop_ends_the_work_and_frees_the_button(workspace):
    panel = Slow(workspace)
    panel.go.click()
    assert panel.go.disabled
    assert not panel.end.disabled
    panel.end.click()
    assert panel.job.wait(10)
    assert not panel.go.disabled
    assert panel.end.disabled
    assert "Stopped" in panel.status.value


def test_a_cell_below_says_what_to_press(workspace):
    panel = Slow(workspace)
    with pytest.raises(NotReady, match="Press Run above first"):
        panel.result()
    panel.go.click()
    with pytest.raises(NotReady, match="still running"):
        panel.result()
    panel.end.click()
    assert panel.job.wait(10)


def test_running_the_cell_again_finds_the_running_panel(workspace):
    panel = Slow.of(workspace)
    panel.go.click()
    assert Slow.of(workspace) is panel
    panel.end.click()
    assert panel.job.wait(10)
    assert Slow.of(workspace) is panel


def test_new_values_make_a_new_panel(workspace):
    first = BaselinePanel.of(workspace, **SMALL)
    assert BaselinePanel.of(workspace, **SMALL) is first
    second = BaselinePanel.of(workspace, **SMALL, C=10)
    assert second is not first
    assert second.C.value == 10


def test_an_error_in_a_callback_reaches_the_page_escaped(workspace):
    panel = Failing(workspace)
    panel.go.click()
    assert 'role="alert"' in panel.alert.value
    assert "the folder &lt;b&gt; is empty" in panel.alert.value


def test_an_error_without_a_person_is_raised(workspace, monkeypatch):
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    with pytest.raises(InputError):
        Failing(workspace).start(block=True)


# -- 00 -----------------------------------------------------------------------------------------------------


def test_start_shows_the_photos_and_the_machine(planted, tmp_path):
    panel = press(StartPanel.of(str(planted), str(tmp_path / "w")))
    assert panel.picture.png.startswith(b"\x89PNG")
    assert SAFE in panel.text.value or SAFE in panel.picture.value
    assert "61 photos in 3 classes" in panel.text.value
    assert "broken.jpg" in panel.text.value
    assert "photos a second" in panel.cost.value
    assert panel.result().machine.images_per_second > 0
    assert "61 photos in 3 classes" in panel.lessons().data


def test_start_says_what_pixels_take_and_limits_them(planted, tmp_path):
    panel = StartPanel.of(str(planted), str(tmp_path / "w"))
    panel.pixels.value = "0.001"
    press(panel)
    assert "Decoded pixels take 1.0 MB of disk, image size 224 would add 10.8 MB." in panel.text.value
    assert "the limit is 0.001 GB" in panel.text.value
    assert len(list((tmp_path / "w" / "cache" / "pixels-256").glob("*.npy"))) == 1  # five of the photos
    panel.pixels.value = ""
    press(panel)
    assert panel.result().workspace.pixels_gb == 0.001, "it stays as it was"
    panel.pixels.value = "all"
    press(panel)
    assert "no limit is set" in panel.text.value
    panel.pixels.value = "-3"
    panel.go.click()
    assert panel.job.wait(60)
    assert "give gigabytes from 0 on, or all" in panel.alert.value


def test_start_with_a_wrong_path_says_so_in_the_panel(tmp_path):
    panel = StartPanel.of(str(tmp_path / "nowhere"), str(tmp_path / "w"))
    panel.go.click()
    assert panel.job.wait(60)
    assert 'role="alert"' in panel.alert.value
    assert "nowhere" in panel.alert.value
    with pytest.raises(InputError):
        panel.result()


# -- 01 -----------------------------------------------------------------------------------------------------


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


# -- 02 -----------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr("cvtune_nb.classification.svm.features", None)  # nothing may be computed anew
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
    (_, part) = based._reports[-1]
    assert "C = 0.01" in part().data
    seen = []
    page = SimpleNamespace(update=lambda _: None)
    based._reports.append((page, lambda: seen.append(based.job.running)))
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


# -- 03 -----------------------------------------------------------------------------------------------------

QUICK = {**SMALL, "epochs": 2, "batch_size": 16}


def test_train_gives_curves_findings_and_a_row_to_compare(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    panel._predict()
    assert "This will take" in panel.cost_line.value
    press(panel)
    run = panel.result()
    assert run.history["epoch"].max() == 2
    assert f"{run.validation.value:.1%}" in panel.status.value
    assert run.id in panel.picture.alt
    assert "predicted" in panel.cost.value
    assert panel.findings.children
    assert run.id in panel.compared.value
    again = TrainingPanel(workspace, **QUICK)  # a new kernel: the last run is shown
    assert again.result().id == run.id
    assert run.id in again.picture.alt


def test_a_learning_rate_is_found_and_applied(workspace):
    panel = TrainingPanel(workspace, **QUICK)
    panel.find.click()
    found = finished(panel).job.result
    assert "forgets" in panel.rate.alt and "empty so far" in panel.picture.alt
    assert not panel.find.disabled
    button = panel.findings.children[0].children[1]
    assert button.description.startswith("Apply: learning_rate")
    button.click()
    assert panel.config().learning_rate == found.suggestion
    assert classification.runs(workspace).empty
    with pytest.raises(NotReady):
        panel.result()


def test_a_slider_is_answered_by_a_preview(workspace):
    panel = TrainingPanel(workspace, **QUICK)
    panel._read_features(panel.config())
    before = panel.preview.value
    assert before and "the last layer alone" in panel.preview_words.value
    panel.set({"learning_rate": 0.1})
    assert panel.preview.value != before
    panel._read_features(Config("efficientnet_lite0", image_size=96))
    assert "notebook 02" in panel.preview_words.value


def test_controls_moved_together_are_answered_once_and_features_are_read_once(workspace, monkeypatch):
    panel = TrainingPanel(workspace, **QUICK)
    panel._read_features(panel.config())
    layer, asked = panel._layer, []
    preview = layer.preview
    monkeypatch.setattr(layer, "preview", lambda config: asked.append(config) or preview(config))
    panel.set({"learning_rate": 0.01, "dropout": 0.3, "epochs": 3})
    assert asked == [panel.config()]
    panel._read_features(panel.config())
    assert panel._layer is layer
    workspace.decide(workspace.photos().query("split == 'train'")["path"].iloc[0], "exclude")
    panel._read_features(panel.config())
    assert panel._layer is not layer, "the photos are others now"


def test_apply_moves_the_controls(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    change = {"learning_rate": 0.001, "epochs": 4, "schedule": ""}
    panel.findings.show([Finding("underfit", "t", "<e>", "s", change)])
    (box,) = panel.findings.children
    assert "<summary>Why</summary>&lt;e&gt;<br>Source: s" in box.children[0].value
    box.children[1].click()
    assert read_json_lines(workspace.folder / "applied.jsonl") == []  # it is about no run
    assert panel.config().learning_rate == 0.001
    assert panel.config().epochs == 4
    assert panel.config().batch_size == 16


def test_presets_set_the_recipe_and_the_defaults(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    panel.recipe.click()
    config = panel.config().to_dict()
    assert {name: config[name] for name in RECIPE_2018} == RECIPE_2018
    assert config["image_size"] == 64
    panel.recommended.click()
    assert panel.config() == Config(**SMALL)


def test_a_schedule_with_garbage_is_said_before_anything_runs(workspace):
    panel = TrainingPanel.of(workspace, **QUICK)
    panel.controls_of["schedule"].value = "[0.1]*__import__('os')"
    panel.go.click()
    assert panel.job.state == "idle"
    assert "schedule" in panel.alert.value
    assert len(classification.runs(workspace)) == 0


def test_stop_keeps_whole_epochs_and_resume_goes_on(workspace, monkeypatch):
    panel = TrainingPanel.of(workspace, **{**QUICK, "epochs": 3})
    draw = panel._draw

    def draw_then_stop(run):
        draw(run)
        if run.history["epoch"].max() == 1:
            panel.end.click()

    monkeypatch.setattr(panel, "_draw", draw_then_stop)
    press(panel)
    assert panel.result().state == "stopped"
    assert "Resume" in panel.status.value
    assert not panel.resume.disabled
    monkeypatch.setattr(panel, "_draw", draw)
    panel.resume.click()
    finished(panel)
    assert panel.result().state == "done"
    assert panel.result().history["epoch"].tolist() == [0, 1, 2, 3]
    assert len(classification.runs(workspace)) == 1
    assert panel.resume.disabled


# -- 04 and 05 ----------------------------------------------------------------------------------------------


def test_the_ladder_runs_the_ticked_rungs(workspace):
    panel = EscalationPanel.of(workspace, family="efficientnet_lite", rungs="1,2", epochs=1, image_sizes="64,96")
    assert panel.table.ticked == [1, 2]
    assert [config.image_size for config in panel.table.configs()[:2]] == [64, 96]
    press(panel)
    rungs = panel.result().rungs
    assert rungs["state"].tolist() == ["done", "done"]
    assert "accuracy against training time: rung 1" in panel.picture.alt
    assert panel.result().why[:20] in panel.lessons().data
    assert "widest" in panel.gap.alt or "train and validation accuracy by rung: rung 1" in panel.gap.alt
    assert "real against predicted time: the last 2 predictions were within" in panel.time.alt
    panel.table.tick(set())
    panel._add_up()
    assert "No rung is chosen" in panel.sum.value
    panel.go.click()
    assert "tick at least one" in panel.alert.value


LADDER = {"family": "efficientnet_lite", "rungs": "1", "epochs": 1, "image_sizes": "64,96"}


def test_rungs_are_edited_added_taken_out_and_kept(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    line = panel.table._lines[1]
    line.controls["image_size"].value = 128
    line.controls["learning_rate"].value = 0.001
    assert panel.table.configs()[1].image_size == 128
    assert panel.family.value == "my own"
    panel.table._add.click()
    rungs = panel.table.configs()
    assert rungs[-1] == rungs[-2]
    assert panel.table.ticked == [1, len(rungs)]
    panel.table._take_out(2)
    assert panel.table.configs() == [rungs[0], *rungs[2:]]
    assert panel.table.ticked == [1, len(rungs) - 1]
    again = EscalationPanel(workspace)  # a new kernel
    assert again.family.value == "my own"
    assert again.table.configs() == panel.table.configs()
    again.family.value = "efficientnet_lite"
    assert again.table.configs()[0].image_size == 224


def test_a_rung_that_can_not_be_is_one_sentence_in_the_panel(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    panel.table._lines[0].controls["learning_rate"].value = 7.0
    assert "learning_rate is 7.0: choose a value from" in panel.alert.value
    panel.go.click()
    assert panel.job.state == "idle"
    panel.table._lines[0].controls["learning_rate"].value = 0.001
    assert panel.alert.value == ""


def test_each_rung_says_its_price_and_what_it_promises(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    panel._predict()
    words = panel.table._lines[0].words.value
    assert "adamw from the SVM, dropout 0, weight decay 0.01" in words
    assert "of memory" in words
    assert "; promises " in words
    assert "1 rung: <b>" in panel.sum.value


def test_a_rung_that_can_not_be_run_here_does_not_keep_the_others_from_their_price(workspace):
    panel = EscalationPanel(workspace, **{**LADDER, "image_sizes": "64,800", "rungs": "1,2"})
    panel._predict()
    assert "image_size 800 is beyond the photos" in panel.table._lines[1].words.value
    assert "within the budget; 1 can't be run here" in panel.sum.value
    panel.table._lines[0].run.value = False
    panel._predict()
    assert "1 rung: <b>can't be run here</b>" in panel.sum.value


def test_an_advice_becomes_a_rung_and_afterwards_it_is_judged(workspace):
    panel = EscalationPanel(workspace, **LADDER)
    press(panel)
    first = panel.result().best
    box = next(box for box in panel.found.children if len(getattr(box, "children", ())) == 2)
    box.children[1].click()
    assert len(panel.table.configs()) == 6
    assert panel.table.ticked == [6]
    assert "Applied as rung 6" in panel.status.value
    (entry,) = read_json_lines(workspace.folder / "applied.jsonl")
    assert entry["run"] == first
    press(panel)
    assert panel.result().rungs["rung"].tolist() == [1, 6]  # the first one is there to compare with
    again = EscalationPanel(workspace)  # a new kernel
    assert "rung 1 " in again.picture.alt and "rung 6 " in again.picture.alt
    assert "were run before" in again.status.value
    assert f"against {first}, before it" in panel.found.children[0].value


def test_what_would_help_most_puts_a_rung_into_the_table(workspace):
    ladder = EscalationPanel(workspace, **LADDER)
    press(ladder)
    panel = GainsPanel(workspace, ladder=ladder)
    press(panel)
    assert "predicted gains: " in panel.picture.alt
    assert "Twice the training photos" in panel.lessons().data
    assert "its features are not in the cache" in panel.text.value
    panel.compute.value = True
    press(panel)
    assert "efficientnet_lite1" in panel.picture.alt
    assert "its features are not in the cache" not in panel.text.value
    box = next(box for box in panel.found.children if len(getattr(box, "children", ())) == 2)
    box.children[1].click()
    assert ladder.table.ticked == [6]
    assert "press Run these rungs there" in panel.status.value


def test_a_sweep_needs_a_run_and_then_searches_round_it(workspace):
    panel = SweepPanel(workspace, trials=2)
    assert "run a rung first" in panel.about.value
    panel.go.click()
    assert "there is no run to search round" in panel.alert.value
    classification.fit(workspace, Config(**SMALL, epochs=1, batch_size=32))
    panel.trials.value = 3
    panel.trials.value = 2
    assert "2 trials of" in panel.about.value
    press(panel)
    assert panel.result().trials["state"].tolist() == ["complete", "complete"]
    assert "accuracy against each parameter: trial 1" in panel.picture.alt
    assert "The sweep so far" in panel.text.value


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
    assert "which places spoke for it" in panel.looked.alt
    assert made.variants["variant"].tolist() == ["fp32", "int8"]
    assert "beside fp32" in panel.text.value
    before = panel.picture.png
    assert before
    panel.threshold.value = 0.95
    assert panel.picture.png != before
    assert panel.model.threshold == 0.95
    assert "model.threshold = 0.95" in panel._how_to_use().data
    panel.threshold.value = 0.0
    panel.photo.value = str(planted / "circle" / "broken.jpg")
    panel.classify.click()
    assert 'role="alert"' in panel.alert.value
    scope = {}
    code = panel._how_to_use().data.split("<pre>")[1].split("</pre>")[0].replace("&#x27;", "'")
    exec(code.replace("'photo.jpg'", repr(str(next((planted / "stripes").glob("stripes*.jpg"))))), scope)
    assert scope["Model"]


def test_the_baseline_can_be_exported_and_is_not_sure_of_everything(workspace, planted):
    baseline(workspace, SMALL["backbone"], SMALL["image_size"])
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
    assert "don't know" in panel.answer.value


def test_a_name_with_a_slash_is_refused(workspace):
    classification.fit(workspace, Config(**SMALL, epochs=0))
    panel = ExportPanel.of(workspace, name="../elsewhere")
    panel.go.click()
    assert "slash" in panel.alert.value
    assert panel.job.state == "idle"
    assert workspace.test_openings() == 0
