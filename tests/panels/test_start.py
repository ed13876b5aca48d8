"""Notebook 00's panel: what it asks about the layout of the photos, and what it says about it."""

import threading

import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError
from cvtune_nb.panels import StartPanel, start
from cvtune_nb.parameters import LAYOUTS, RECOGNISE
from tests.photos import make_photos
from tests.pressing import SAFE, press


@pytest.fixture
def shown(monkeypatch):
    """Opens what a panel's controls say, in place and without measuring the machine; returns what it shows then."""

    def show(panel):
        monkeypatch.setattr(start.benchmark, "measure", lambda backbone: None)
        panel.paint = lambda result: ""
        panel.start(block=True)
        return panel.text.value

    return show


def test_every_layout_can_be_chosen(tmp_path):
    panel = StartPanel.of(str(tmp_path), str(tmp_path / "w"), "splits", True)
    assert set(panel.layout.options.values()) == {"", RECOGNISE, *LAYOUTS}
    assert (panel.layout.value, panel.drawn.value) == ("splits", "yes")
    with pytest.raises(InputError, match="LAYOUT is 'split': choose"):
        StartPanel.of(str(tmp_path), str(tmp_path / "w"), "split")


@pytest.mark.parametrize(("said", "drawn"), [(True, 3), (False, 0), (None, 3)])
def test_validation_photos_are_drawn_as_chosen(tmp_path, shown, said, drawn):
    for part, classes in (("train", ("a", "b")), ("val", ("a",))):
        make_photos(tmp_path / "photos" / part, classes, per_class=20, size=48, seed=len(part))
    if said is None:  # it was chosen before
        open_workspace(tmp_path / "photos", tmp_path / "w", draw_validation=True)
    panel = StartPanel.of(str(tmp_path / "photos"), str(tmp_path / "w"), "", said)
    if drawn:
        assert "validation photos drawn from train" in shown(panel)
        assert panel.result().workspace.manifest().query("label == 'b'")["split"].eq("validation").sum() == drawn
    else:
        with pytest.raises(InputError, match="no validation photos of 'b'"):
            shown(panel)


def test_what_was_recognised_and_what_was_chosen_is_shown(tmp_path, shown):
    photos = make_photos(tmp_path / "photos" / "<b>all", ("training_set", "test_set"), per_class=1, size=48).parent
    for part in ("training_set", "test_set"):
        make_photos(photos / "<b>all" / part, ("a", "b"), per_class=6, size=48, seed=len(part))
    words = shown(StartPanel.of(str(photos), str(tmp_path / "w")))
    assert "Recognised: the folder that holds it all: &lt;b&gt;all; folders training_set, test_set: splits" in words
    assert "As you chose" not in words
    assert "training_set-000.jpg" in words, "what was left out is in the table"


def test_the_choice_counts_and_is_shown_from_then_on(tmp_path, shown):
    photos = make_photos(tmp_path / "photos", ("train", "test", "tram"), per_class=6, size=48)
    panel = StartPanel.of(str(photos), str(tmp_path / "w"))
    with pytest.raises(InputError, match="--layout splits or --layout classes"):
        shown(panel)
    panel.layout.value = "classes"
    assert "18 photos in 3 classes" in shown(panel)
    assert "As you chose: layout classes" in shown(StartPanel.of("", str(tmp_path / "w")))


def test_run_all_again_shows_the_same_photos_again(tmp_path, shown):
    photos = make_photos(tmp_path / "photos", ("a", "b"), per_class=6, size=48)
    shown(StartPanel.of(str(photos), str(tmp_path / "w")))
    again = StartPanel.of(str(photos), str(tmp_path / "w"))
    again.counts()
    again.map()
    assert again.result().workspace.folder == tmp_path / "w"


def test_start_shows_the_photos_and_the_machine(planted, tmp_path):
    panel = press(StartPanel.of(str(planted), str(tmp_path / "w")))
    assert panel.picture.png.startswith(b"\x89PNG")
    assert SAFE in panel.text.value or SAFE in panel.picture.value
    assert "61 photos in 3 classes" in panel.text.value
    assert "broken.jpg" in panel.text.value
    assert "photos a second" in panel.cost.value
    assert "strong on a laptop</td>" in panel.cost.value and "DINOv3" in panel.cost.value
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
    assert "give gigabytes from 0 up, or all" in panel.alert.value


def test_start_with_a_wrong_path_says_so_in_the_panel(tmp_path):
    panel = StartPanel.of(str(tmp_path / "nowhere"), str(tmp_path / "w"))
    panel.go.click()
    assert panel.job.wait(60)
    assert 'role="alert"' in panel.alert.value
    assert "nowhere" in panel.alert.value
    with pytest.raises(InputError):
        panel.result()


def test_own_photos_are_opened_while_the_sample_is_made(planted, tmp_path, monkeypatch):
    """Nobody waits for the sample: Open works at any time and ends its making; nothing of it is left behind."""
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "home"))
    begun = threading.Event()

    def endless(directory, progress, on_first):
        while True:
            progress(0.1, "making sample photos")
            begun.set()

    monkeypatch.setattr(start, "make_sample", endless)
    panel = StartPanel.of("", "")
    panel.sample.click()
    assert begun.wait(60)
    assert not panel.go.disabled and not panel.start(), "a second press does not begin again"
    panel.data.value = str(planted)
    press(panel)
    assert "61 photos in 3 classes" in panel.text.value and panel.job.state == "done"
    assert not (tmp_path / "home" / "sample").exists()
