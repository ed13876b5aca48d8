"""A list of policies as switches and as text: both say the same."""

from cvtune_nb.parameters import DETECTOR_PARAMETERS, PARAMETERS
from cvtune_nb.widgets.controls import Control


def test_switches_make_the_list_and_the_list_moves_the_switches():
    control, heard = Control("augmentation"), []
    widget = control.widget
    control.on_change(heard.append)
    assert [name for name, switch in widget.switches.items() if switch.on.value] == ["crop", "flip"]
    widget.switches["rotation"].on.value = True
    widget.switches["rotation"].strength.value = 30
    assert control.value == widget.typed.value == "crop+flip+rotation:30"
    assert heard == ["crop+flip+rotation", "crop+flip+rotation:30"]
    widget.typed.value = " colour:.2 + flip "
    assert control.value == widget.typed.value == "flip+colour:0.2"
    assert widget.switches["colour"].strength.value == 0.2
    assert not widget.switches["rotation"].on.value
    control.value = "none"
    assert not any(switch.on.value for switch in widget.switches.values())


def test_a_list_that_cannot_be_read_changes_nothing_and_says_why():
    widget = Control("augmentation").widget
    widget.typed.value = "crop+zoom"
    assert widget.value == "crop-flip" and "there is no &#x27;zoom&#x27;" in widget.wrong.value
    widget.typed.value = "flip+crop"
    assert widget.typed.value == "crop-flip" and not widget.wrong.value


def test_of_two_that_both_choose_a_part_only_one_is_on():
    widget = Control("augmentation").widget
    widget.switches["resized-crop"].on.value = True
    assert widget.value == "resized-crop+flip" and not widget.switches["crop"].on.value
    widget.switches["crop"].on.value = True
    assert widget.value == "crop-flip"


def test_strength_unit_meaning_and_mark_are_read_out():
    widget = Control("augmentation", "rotation").widget
    words = widget.switches["rotation"].words
    assert "<b>15 degrees at most, either way</b>" in words.value
    assert "turned by any angle" in words.value
    widget.mark(lambda name, strength: f"{name} by {strength:g} costs 3 points" if strength < 60 else "")
    assert "rotation by 15 costs 3 points" in words.value
    widget.switches["rotation"].strength.value = 90
    assert "points" not in words.value
    assert 'role="status"' in widget.moved.value and "Rotation: 90 degrees" in widget.moved.value
    shown = [widget.moved, *(switch.words for switch in widget.switches.values())]
    assert sum('role="status"' in each.value for each in shown) == 1, "one is read out, not thirteen"
    assert {switch.strength.tooltip for switch in widget.switches.values()} >= {"Strength of Rotation"}
    off = widget.switches["vertical-flip"]
    off.strength.value = 0.25  # one that is off, too: what is said is of where the slider stands
    assert "vertical-flip by 0.25 costs" in off.words.value


def test_detectors_have_the_policies_that_keep_boxes():
    widget = Control(DETECTOR_PARAMETERS["augmentation"]).widget
    assert tuple(widget.switches) == DETECTOR_PARAMETERS["augmentation"].choices
    assert widget.value == "scale-flip"
    assert set(widget.switches) - {"scale"} < set(PARAMETERS["augmentation"].choices)


def test_every_strength_is_reached_by_keyboard():
    for switch in Control("augmentation").widget.switches.values():
        slider, policy = switch.strength, switch.policy
        steps = (policy.strength - policy.low) / slider.step
        assert abs(steps - round(steps)) < 1e-6 and (policy.high - policy.low) / slider.step < 200
