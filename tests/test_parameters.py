import pandas as pd
import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.parameters import PARAMETERS, RECIPE_2018, Config, differing, parse_schedule
from tests.other_values import OTHERS


def test_every_parameter_is_declared_fully_and_is_a_field_of_config():
    assert set(PARAMETERS) == set(Config.__dataclass_fields__)
    for name, parameter in PARAMETERS.items():
        assert parameter.name == name
        assert parameter.label
        assert len(parameter.meaning) > 20
        assert parameter.range_in_words
        if parameter.default != "":
            assert parameter.check(parameter.default) == parameter.default


def test_config_starts_from_the_declared_defaults():
    config = Config("resnet18")
    for name, parameter in PARAMETERS.items():
        if name != "backbone":
            assert getattr(config, name) == parameter.default


def test_config_survives_a_round_trip():
    config = Config("resnet18", schedule="[0.05]*2 + [0.005]", seed=3)
    assert Config.from_values(**config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("learning_rate", 0, "1e-06 to 1"),
        ("learning_rate", 1.5, "1e-06 to 1"),
        ("learning_rate", "fast", "give a number"),
        ("learning_rate", float("nan"), "1e-06 to 1"),
        ("learning_rate", None, "give a number"),
        ("image_size", 27, "a whole number from 28 to 1000"),
        ("image_size", 224.5, "a whole number from 28 to 1000"),
        ("image_size", 1001, "28 to 1000"),
        ("batch_size", 24, "powers of 2"),
        ("batch_size", 0, "powers of 2"),
        ("epochs", 1.5, "0 to 200"),
        ("epochs", 201, "0 to 200"),
        ("dropout", 1.0, "0 to 0.9"),
        ("weight_decay", -0.1, "1e-06 to 0.1"),
        ("head", "svn", "svm or random"),
        ("augmentation", "zoom", "choose from crop, resized-crop, flip"),
        ("seed", -1, "0 to"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(name, value, words):
    with pytest.raises(InputError) as caught:
        Config.from_values(backbone="resnet18", **{name: value})
    assert name in str(caught.value)
    assert words in str(caught.value)


def test_numbers_may_come_as_text():
    config = Config.from_values(backbone="resnet18", epochs="3", learning_rate="1e-3", image_size=256.0)
    assert (config.epochs, config.learning_rate, config.image_size) == (3, 0.001, 256)
    assert isinstance(config.image_size, int)


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="learning_rat is not a parameter: choose from learning_rate"):
        Config.from_values(backbone="resnet18", learning_rat=0.1)


def test_the_steps_of_2018():
    recipe = Config.from_values(backbone="resnet18", **RECIPE_2018)
    assert recipe.rates == pytest.approx([0.05] * 7 + [0.005] * 7 + [0.0005])
    assert recipe.head == "random"


@pytest.mark.parametrize(
    ("epochs", "rates"),
    [(0, []), (1, [0.1]), (2, [0.1, 0.01]), (3, [0.1, 0.01, 0.01]), (30, [0.1] * 14 + [0.01] * 14 + [0.001] * 2)],
)
def test_the_steps_for_other_numbers_of_epochs(epochs, rates):
    assert Config("resnet18", learning_rate=0.1, epochs=epochs, optimizer="sgd").rates == pytest.approx(rates)


def test_with_adamw_the_rate_falls_along_a_cosine():
    config = Config("resnet18", learning_rate=0.001, epochs=4)
    assert (config.optimizer, config.rate(0)) == ("adamw", 0.001)
    assert [config.rate(done) for done in (2, 4)] == pytest.approx([0.0005, 0])
    assert config.rates == pytest.approx([config.rate(done) for done in (0.5, 1.5, 2.5, 3.5)], rel=1e-5)
    assert config.halved().rate(1) == pytest.approx(config.rate(1) / 2)


def test_a_run_from_before_weights_were_averaged_goes_on_without_that():
    values = {"backbone": "resnet18", "epochs": 3}
    assert Config.from_file(values) == Config("resnet18", epochs=3, ema=0.0)
    assert Config.from_file({**values, "ema": 0.9}).ema == 0.9
    assert Config.from_values(**values).ema > 0


def test_a_schedule_typed_the_2018_way_sets_rates_epochs_and_learning_rate():
    config = Config("resnet18", schedule="[0.05]*7 + [0.005]*7 + [0.0005]", epochs=3, learning_rate=0.9)
    assert config.rates == [0.05] * 7 + [0.005] * 7 + [0.0005]
    assert (config.epochs, config.learning_rate) == (15, 0.05)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("[0.1]", [0.1]),
        (" [1e-3, 0.2]*2+[1] ", [0.001, 0.2, 0.001, 0.2, 1.0]),
        ("([0.1] + [0.2]) + [0.3]", [0.1, 0.2, 0.3]),
    ],
)
def test_schedules_that_can_be_read(text, rates):
    assert parse_schedule(text) == rates


@pytest.mark.parametrize(
    "text",
    [
        "0.05",
        "[0.05]*7 + ",
        "fast",
        "[0.05]*2.5",
        "[]",
        "[0.05]*0",
        "[-0.05]",
        "[0]",
        "[11]",
        "[1e400]",
        "['a']",
        "[True]",
        "[0.05]*201",
        "[0.05]*999999999999",
        "[0.05]**7",
        "[x for x in (1,)]",
        "__import__('os').abort()",
        "[0.05] - [0.05]",
        "[[0.05]]",
        "\0",
        "(" * 500,
        "[1" + "0" * 5000 + "]",
        "+".join(["[0.1]"] * 20_000),
    ],
)
def test_garbage_in_a_schedule_is_refused_and_never_run(text):
    with pytest.raises(InputError, match="schedule"):
        parse_schedule(text)


@pytest.mark.parametrize("text", ["[5]", "[1e-7]*3"])
def test_a_schedule_that_a_run_on_disk_could_not_be_read_back_with_is_refused(text):
    with pytest.raises(InputError, match="learning_rate is"):
        Config("resnet18", schedule=text)


def test_halved_cuts_minibatch_and_rates_together():
    halved = Config("resnet18", batch_size=16, learning_rate=0.02).halved()
    assert halved == Config("resnet18", batch_size=8, learning_rate=0.01)
    typed = Config("resnet18", batch_size=16, schedule="[0.02]*2 + [0.002]").halved()
    assert (typed.batch_size, typed.rates) == (8, [0.01, 0.01, 0.001])
    with pytest.raises(InputError, match="minibatch of one photo: choose a smaller image_size"):
        Config("resnet18", batch_size=1).halved()


@pytest.mark.parametrize("name", PARAMETERS)
def test_runs_that_differ_in_one_parameter_only_look_different(name):
    first = Config("resnet18").to_dict()
    rows = pd.DataFrame([first, first | {name: OTHERS[name]}])
    assert differing(rows) == {name: PARAMETERS[name].label}
    assert differing(rows.head(1)) == {}
    assert list(differing(rows, always=("epochs",))) == [known for known in PARAMETERS if known in (name, "epochs")]


def test_halved_the_rate_stays_within_its_range():
    assert Config("resnet18", learning_rate=1e-6).halved().learning_rate == 1e-6
    assert Config("resnet18", learning_rate=1e-3).halved().learning_rate == 5e-4
