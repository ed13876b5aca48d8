"""What counts, as controls and as text: both say the same."""

from cvtune_nb.widgets.controls import Control


def editor(classes=("lemon", "lime", "orange"), confused=()):
    control = Control("objective")
    control.widget.suit(list(classes), list(confused))
    return control, control.widget


def test_the_menu_and_its_controls_make_the_text():
    control, widget = editor()
    assert control.value == "accuracy"
    widget.kind.value = "balanced-accuracy"
    assert control.value == "balanced-accuracy"
    widget.kind.value = "recall"
    assert control.value == "recall:lemon@0.9"
    widget.label.value, widget.precision.value = "lime", 0.95
    assert control.value == "recall:lime@0.95"


def test_the_text_moves_the_controls():
    control, widget = editor()
    control.value = "recall:lime@.3"
    assert (widget.kind.value, widget.label.value, widget.precision.value) == ("recall", "lime", 0.3)
    assert control.value == "recall:lime@.3"
    control.value = "costs:lime>lemon=3"
    assert (widget.cells[1, 0].value, widget.cells[0, 1].value) == (3, 1)


def test_few_classes_have_a_whole_table_whose_diagonal_is_fixed():
    control, widget = editor()
    widget.kind.value = "costs"
    assert set(widget.cells) == {(true, answer) for true in range(3) for answer in range(3) if true != answer}
    widget.cells[0, 1].value = 5
    assert control.value == "costs:lemon>lime=5"
    assert "0 to 1e+06" in widget.cells[0, 1].tooltip


def test_of_many_classes_the_most_confused_come_first_and_any_can_be_added():
    control, widget = editor([f"k{number}" for number in range(12)], [("k1", "k2"), ("k3", "k4")])
    widget.kind.value = "costs"
    assert list(widget.cells) == [(1, 2), (3, 4)]
    widget.true.value, widget.answer.value = "k5", "k7"
    widget.add.click()
    widget.cells[5, 7].value = 9
    assert control.value == "costs:k5>k7=9"
    widget.answer.value = "k5"
    widget.add.click()
    assert "costs nothing" in widget.wrong.value


def test_before_the_classes_are_known_only_what_needs_none_can_be_chosen():
    control = Control("objective")
    control.widget.kind.value = "costs"
    assert control.value == "accuracy"
    assert "open your photos first" in control.widget.wrong.value
