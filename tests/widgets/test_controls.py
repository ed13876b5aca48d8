"""Every parameter has a control that says its value in words and gives it back as declared."""

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.models import downloads
from cvtune_nb.parameters import PARAMETERS, RECIPE_2018, Config
from cvtune_nb.widgets.controls import Control

CHOSEN = {
    "objective": "macro-f1",
    "learning_rate": 0.05,
    "image_size": 96,
    "backbone": "resnet50",
    "epochs": 3,
    "batch_size": 8,
    "dropout": 0.2,
    "drop_path": 0.1,
    "layer_decay": 0.8,
    "warm_up": 100,
    "clip_norm": 1.5,
    "ema": 0.998,
    "weight_decay": 1e-5,
    "augmentation": "crop+flip+rotation:30+colour",
    "schedule": "[0.1, 0.01]",
    "imbalance": "weights:lemon=3",
    "progressive": 0.6,
    "parent": "003-resnet18-224",
    "loss_weight": 0.5,
    "projection": 128,
    "seed": 123456,
}
VALUES = {
    name: CHOSEN.get(name) or parameter.choices[-1]
    for name, parameter in PARAMETERS.items()
    if parameter.scale != "file"
}
"""Another value than the default for every parameter but files; of a menu the last."""


@pytest.mark.parametrize("name", VALUES)
def test_a_control_gives_back_what_it_was_set_to(name):
    control = Control(name)
    if name != "backbone":  # its default is chosen by what is on disk
        assert control.value == PARAMETERS[name].default
    control.value = VALUES[name]
    assert control.value == VALUES[name]
    assert type(control.value) is type(VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_a_line_in_words_is_read_out(name):
    control = Control(name, VALUES[name])
    assert 'role="status"' in control.words.value
    assert 'aria-live="polite"' in control.words.value
    assert str(VALUES[name])[:4] in control.words.value
    assert PARAMETERS[name].meaning.split(":")[0].split(",")[0] in control.words.value


def test_a_menu_says_its_choices_and_a_text_no_range():
    assert "(adamw or sgd)" in Control("optimizer").words.value
    assert "(" not in Control("schedule").words.value.partition(":")[0]


def test_moving_the_slider_is_told_and_changes_the_words():
    control, heard = Control("learning_rate"), []
    control.on_change(heard.append)
    control.widget.value = 0.01
    assert heard == [0.01]
    assert "<b>0.01</b>" in control.words.value


def test_logarithmic_values_are_round():
    control = Control("learning_rate", 0.003)
    assert control.value == 0.003


def test_values_out_of_range_are_refused():
    with pytest.raises(InputError, match="dropout"):
        Control("dropout", 2)
    with pytest.raises(InputError, match="learning_rate"):
        Control("learning_rate").value = 5


def test_text_a_person_types_is_escaped():
    assert "<script>" not in Control("schedule", "<script>").words.value


def test_another_backbone_than_those_in_the_menu_can_be_set():
    control = Control("backbone")
    control.value = "mobilenetv3_large_100"
    assert control.value == "mobilenetv3_large_100"


@pytest.mark.parametrize(
    ("backbone", "lowest", "step", "words"),
    [
        ("resnet50", 28, 4, "(28 to 1000)"),
        ("test_vit", 32, 16, "(28 to 1000; this backbone takes steps of 16)"),
        ("mixer_s32_224", 28, 4, "(28 to 1000; this backbone takes 224 only)"),
    ],
)
def test_the_slider_of_the_image_size_moves_as_the_backbone_needs(backbone, lowest, step, words):
    control = Control("image_size", 224)
    control.suit(backbone)
    assert (control.widget.min, control.widget.step, control.value) == (lowest, step, 224)
    assert words in control.words.value


def test_an_image_size_that_the_backbone_does_not_take_stays_to_be_refused_where_it_is_used():
    control = Control("image_size", 100)
    control.suit("test_vit")
    assert control.value == 100


def test_networks_that_have_to_be_fetched_say_so(torch_home, monkeypatch):
    monkeypatch.setattr(downloads, "last_answer", lambda url: True)
    shown = {value: words for words, value in Control("backbone").widget.options}
    assert next(iter(shown)) == "efficientnet_lite0", "the light ones first"
    assert shown["efficientnet_lite0"] == "efficientnet_lite0 (light, Apache-2.0)"
    assert shown["resnet18"] == "resnet18 (of 2018, BSD-3-Clause) - not on disk, 47 MB to download"
    monkeypatch.setattr(downloads, "last_answer", lambda url: False)
    shown = {value: words for words, value in Control("backbone", "test_vit").widget.options}
    assert shown["resnet18"] == "resnet18 (of 2018, BSD-3-Clause) - can't be had: not on disk, needs a network (47 MB)"
    assert shown["test_vit"].startswith("test_vit - can't be had: not on disk, needs a network (")
    (torch_home / "resnet18-f37072fd.pth").touch()
    assert ("resnet18 (of 2018, BSD-3-Clause)", "resnet18") in Control("backbone").widget.options


def test_a_file_is_shown_by_its_path_and_pinned_where_it_is_used(tmp_path):
    file = tmp_path / "own.safetensors"
    file.write_bytes(b"first")
    control = Control("weights", str(file))
    assert control.value == str(file) and str(file) in control.words.value
    control.value = first = PARAMETERS["weights"].check(str(file))
    assert control.value == str(file), "what it holds by the time it is used counts"
    file.write_bytes(b"second")
    assert PARAMETERS["weights"].check(control.value) != first
    assert "<b>none</b>" in Control("weights").words.value
    with pytest.raises(InputError, match=r"nothing\.pth can't be used \(No such file"):
        Control("weights", str(tmp_path / "nothing.pth"))


def test_the_controls_together_are_a_config():
    controls = {name: Control(name, value) for name, value in {**VALUES, **RECIPE_2018}.items()}
    config = Config.from_values(**{name: control.value for name, control in controls.items()})
    assert config.learning_rate == 0.05
    assert config.epochs == 15
