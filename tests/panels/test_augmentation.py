"""Notebook 03's photos varied by augmentation: drawn beside the kernel, and what each costs said beside it."""

import pandas as pd

from cvtune_nb.classification import variations
from cvtune_nb.classification.variations import HARMFUL, HARMLESS
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.panels import TrainingPanel, augmentation
from tests.pressing import SMALL, finished

QUICK = {**SMALL, "epochs": 2, "batch_size": 16}


def test_nine_photos_follow_the_switches_and_the_list_can_be_copied(workspace):
    kept = sorted(workspace.cache.glob("pixels-*"))
    panel = TrainingPanel(workspace, **{**QUICK, "image_size": 80})
    part = panel.augmentation
    assert "Drawing" in part.drawing.value and not part.picture.png, "nothing is decoded before the page is there"
    part.draw()
    assert part.picture.alt == "crop-flip: what training sees of 9 of your photos"
    assert "--augmentation crop-flip<" in part.command.value and "Drawing" not in part.drawing.value
    before = part.picture.value
    part.switches["d4"].on.value = True
    assert panel.config().augmentation == "crop+flip+d4" and part.picture.value == before
    assert "Drawing" in part.drawing.value and "--augmentation crop+flip+d4<" in part.command.value
    part.draw(lambda: False)  # another switch was moved meanwhile
    assert part.picture.value == before and "Drawing" in part.drawing.value
    part.draw()
    assert part.picture.value != before and "crop+flip+d4" in part.picture.alt
    drawn = part.picture.value
    part.other.click()
    part.draw()
    assert part.picture.value != drawn
    panel.set({"augmentation": "none"})
    part.draw()
    assert not part.switches["crop"].on.value and part.picture.alt.startswith("none:")
    assert sorted(workspace.cache.glob("pixels-*")) == kept, "nine photos are not worth a store"


def test_photos_that_cannot_be_drawn_are_tried_again(workspace, monkeypatch):
    panel = TrainingPanel(workspace, **QUICK)
    part = panel.augmentation

    def vanished(*_):
        raise InputError("a photo has vanished")

    with monkeypatch.context() as patch:
        patch.setattr(augmentation, "Examples", vanished)
        part.draw()
        assert "a photo has vanished" in part.drawing.value and not part.picture.png
    part.follow()
    assert "Drawing" in part.drawing.value
    part.draw()
    assert part.picture.png and not part.drawing.value


def test_what_does_no_harm_is_measured_and_said_beside_the_switches(workspace):
    panel = TrainingPanel(workspace, **SMALL)
    part = panel.augmentation
    assert "not measured yet" in part.known.value and "points" not in part.switches["flip"].words.value
    panel.predict()
    assert "To measure what was not measured yet takes about" in part.takes.value
    part.measure.click()
    finished(panel)
    assert "see beside the switches" in panel.status.value and not part.measure.disabled
    assert "Found to do no harm so, with" in part.known.value
    panel.predict()
    assert not part.takes.value, "there is nothing left to measure"
    for name, switch in part.switches.items():
        assert ("points" in switch.words.value) == (name not in ("mixup", "cutmix"))
    part.switches["rotation"].on.value = True
    part.switches["rotation"].strength.value = 180  # not measured at this strength
    assert "points" not in part.switches["rotation"].words.value
    again = TrainingPanel(workspace, **SMALL)  # kept in the workspace
    assert "points" in again.augmentation.switches["flip"].words.value


def test_a_policy_is_named_as_harmless_only_at_the_strength_that_is_set(workspace, monkeypatch):
    rows = [("rotation", 15.0, HARMLESS), ("rotation", 180.0, HARMFUL), ("noise", 0.05, HARMLESS)]
    costs = pd.DataFrame([(*row, 100, -0.01, -0.02, 0.01) for row in rows])
    costs.columns = ["policy", "strength", "verdict", "photos", "difference", "low", "high"]
    monkeypatch.setattr(augmentation, "known_costs", lambda *_: costs)
    part = TrainingPanel(workspace, **SMALL).augmentation
    assert part.known.value.count("Rotation") == part.known.value.count("Noise") == 1
    part.switches["rotation"].strength.value = 180  # while it is off
    assert "Rotation" not in part.known.value and "Noise" in part.known.value
    assert "Costs accuracy" in part.switches["rotation"].words.value


def test_what_was_measured_before_a_stop_appears_and_other_parameters_are_not_mixed_up(workspace, monkeypatch):
    panel = TrainingPanel(workspace, **SMALL)
    part = panel.augmentation

    def stopped(workspace, spec, chosen, progress):
        variations.measure_costs(workspace, spec, {"flip": 0.5}, progress)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(augmentation, "measure_costs", stopped)
        part.measure.click()
        finished(panel)
    assert panel.job.state == "stopped" and "points" in part.switches["flip"].words.value

    measured = part.measuring(panel.in_worker)  # then the size is changed, while it is measured
    panel.set({"image_size": 96})
    panel.begin(lambda progress: measured(progress).head(1), block=True)
    assert "Measured with efficientnet_lite0 at 64 pixels" in panel.status.value
    assert "points" not in part.switches["flip"].words.value and "not measured yet" in part.known.value
