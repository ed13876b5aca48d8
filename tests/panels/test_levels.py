"""Notebook 00 shows photos of more than 8 bits as they will be seen, and takes another choice."""

import numpy as np
import pytest

from cvtune_nb.models import benchmark
from cvtune_nb.panels import StartPanel
from cvtune_nb.workspace import Workspace
from tests.deep import make_deep
from tests.file_types import bands_tiff
from tests.photos import make_photos


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """The machine is measured elsewhere."""
    monkeypatch.setattr(benchmark, "measure", lambda name: benchmark.Machine("cpu", "float32", 1, 1.0, name, 224, 10.0))


def press(panel, button):
    button.click()
    assert panel.job.wait(120) and panel.job.state != "failed", panel.job.error
    return panel


def test_8_bit_photos_have_no_such_control(tmp_path):
    photos = make_photos(tmp_path / "p", ("a", "b"), per_class=5, size=64)
    panel = StartPanel("start", str(photos), str(tmp_path / "w"))
    press(panel, panel.go)
    assert panel.levels.layout.display == "none" and "more than 8 bits" not in panel.text.value
    assert "10 photos looked at: all are in colour; mean of red, green and blue" in panel.text.value


def test_bands_are_asked_for_and_taken(tmp_path):
    for number in range(10):
        values = np.random.default_rng(number).integers(0, 256, (24, 24, 5), np.uint8)
        file = tmp_path / "p" / "ab"[number % 2] / f"{number}.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bands_tiff(values))
    panel = StartPanel("start", str(tmp_path / "p"), str(tmp_path / "w"))
    panel.go.click()
    assert panel.job.wait(120) and "a TIFF of 5 bands" in str(panel.job.error)
    assert panel.folded.selected_index == 0, "where the bands are chosen"
    panel.bands.value = "5,2,1"
    press(panel, panel.go)
    assert "ands 5, 2 and 1 of TIFFs of many are shown red, green and blue" in panel.text.value


def test_levels_are_shown_and_can_be_changed_and_decided_again(tmp_path, monkeypatch):
    sheets = []
    draw = StartPanel.show_photos
    monkeypatch.setattr(
        StartPanel, "show_photos", lambda panel, space: (sheets.append(space.levels), draw(panel, space))
    )
    panel = StartPanel("start", str(make_deep(tmp_path / "p", 4095, 5)), str(tmp_path / "w"))
    press(panel, panel.go)
    assert panel.levels.layout.display is None and (panel.black.value, panel.white.value) == ("0", "4095")
    assert "Photos of more than 8 bits a channel hold 12 bits: 0 is shown black, 4095 white." in panel.text.value
    panel.white.value = "2000"
    press(panel, panel.apply)
    assert Workspace(tmp_path / "w").levels == (0, 2000) and "2000 white, as you chose" in panel.text.value
    panel.white.value = "auto"
    press(panel, panel.apply)
    assert Workspace(tmp_path / "w").levels == (0, 4095) and panel.white.value == "4095"
    assert sheets == [(0, 4095), (0, 2000), (0, 4095)]
    panel.white.value = "bright"
    panel.apply.click()
    panel.job.wait(60)
    assert "give a number, such as 4095, or auto" in panel.alert.value
    assert Workspace(tmp_path / "w").levels == (0, 4095)
