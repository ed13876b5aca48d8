"""A remedy as a menu and as text: both say the same."""

from cvtune_nb.widgets.controls import Control


def test_menu_and_text_follow_each_other():
    control, heard = Control("imbalance"), []
    control.on_change(heard.append)
    widget = control.widget
    assert control.value == widget.menu.value == "none" and widget.typed.layout.display == "none"
    widget.menu.value = "logit-adjustment"
    assert control.value == "logit-adjustment" and widget.typed.layout.display == ""
    widget.typed.value = "logit-adjustment:1.50"
    assert control.value == widget.typed.value == "logit-adjustment:1.5"
    widget.menu.value = "weights"
    assert control.value == "logit-adjustment:1.5", "weights count once they are typed"
    widget.typed.value = "weights:lemon=3"
    assert control.value == "weights:lemon=3" and widget.menu.value == "weights"
    control.value = "sampling"
    assert widget.menu.value == "sampling" and "equally often" in widget.meaning.value
    assert heard == ["logit-adjustment", "logit-adjustment:1.5", "weights:lemon=3", "sampling"]
    assert "<b>sampling</b>" in control.words.value


def test_what_cannot_be_read_changes_nothing_and_says_why():
    widget = Control("imbalance", "balanced").widget
    widget.typed.value = "weights:lemon"
    assert widget.value == "balanced" and "not of the form CLASS=NUMBER" in widget.wrong.value
    widget.typed.value = "square-root"
    assert widget.value == widget.menu.value == "square-root" and not widget.wrong.value
