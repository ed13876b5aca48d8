from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.advice import RULES, Case, advise, rules
from cvtune_nb.advice.rule import BASELINE
from cvtune_nb.classification.run import HISTORY_COLUMNS, Run, new_run
from cvtune_nb.files import write_csv
from cvtune_nb.models import backbones
from cvtune_nb.parameters import Config
from tests.advice.measured import compared, dark
from tests.rule_contract import finds, keeps_its_form, keeps_the_contract

CONFIG = Config("efficientnet_lite0", image_size=224, epochs=15, learning_rate=0.003)


def history(train, validation, loss=None):
    """One row an epoch from 0 on: train accuracy, validation accuracy, train loss."""
    loss = loss or [1.0 - 0.1 * n for n in range(len(train))]
    rows = [
        (n, 0.01, t, los, v, 0.5, v, 1.0) for n, (t, v, los) in enumerate(zip(train, validation, loss, strict=True))
    ]
    return pd.DataFrame(rows, columns=HISTORY_COLUMNS)


GOOD = history([0.90, 0.97, 0.99], [0.85, 0.93, 0.96])


def photos(train=200, width=640, height=480, classes=("a", "b")):
    rows = [(f"{label}/{n}.jpg", label, "train", width, height) for label in classes for n in range(train)]
    return pd.DataFrame(rows, columns=["path", "label", "split", "width", "height"])


def of_two_sizes(most, least):
    return pd.concat([photos(most, classes=("a",)), photos(least, classes=("b",))], ignore_index=True)


def right(wrong, n=100):
    """Which of n photos were right: all but the first `wrong`."""
    return pd.Series([index >= wrong for index in range(n)], index=[f"{index}.jpg" for index in range(n)])


def table(*rows):
    """The table of runs: (learning_rate, image_size, validation_accuracy[, backbone])."""
    names = ["learning_rate", "image_size", "validation_accuracy", "backbone"]
    values = [dict(zip(names, (*row, "efficientnet_lite0")[:4], strict=True)) for row in rows]
    known = pd.DataFrame([CONFIG.to_dict() | {"run": f"{n:03d}", **row} for n, row in enumerate(values, 1)])
    return known.assign(merit=known["validation_accuracy"])


def issues(*kinds):
    """The audit's table with one issue of each kind."""
    rows = [
        (
            "" if kind in ("few-images", "small-objects", "slow-storage") else f"{n}.jpg",
            kind,
            0.5,
            f"{n} per cent of {kind}",
            "do something",
        )
        for n, kind in enumerate(kinds)
    ]
    return pd.DataFrame(rows, columns=["path", "issue", "score", "detail", "suggestion"])


def variations(**verdicts):
    """What policies cost a frozen network and SVM, each at its usual strength."""
    rows = [(name, {"rotation": 15.0, "colour": 0.4}.get(name, 1.0), verdict) for name, verdict in verdicts.items()]
    return pd.DataFrame(rows, columns=["policy", "strength", "verdict"]).assign(
        difference=-0.037, low=-0.068, high=-0.006
    )


OVERFIT = history([0.8, 0.9, 1.0], [0.8, 0.85, 0.8])


def luck(n=100, seed=0):
    """Which of n photos a run got right that is wrong on a tenth of them, by chance."""
    return pd.Series(np.random.default_rng(seed).random(n) < 0.9, index=[f"{index}.jpg" for index in range(n)])


def case(rows=GOOD, config=CONFIG, state="done", counts=(1000, 200), **others):
    run = Run("001", Path("001"), config, ["a", "b"], "", rows, counts=counts, state=state)
    everything = {
        "photos": photos(),
        "runs": table((config.learning_rate, config.image_size, 0.9)),
        "right": right(4),
        "right_baseline": None,
        "right_others": {},
        "issues": issues(),
    }
    return Case(run, **(everything | others))


def unequal(large=400, small=100):
    return pd.concat([photos(large, classes=("a",)), photos(small, classes=("b",))])


@pytest.fixture(autouse=True)
def only_lite_on_disk(monkeypatch):
    """The same weights at hand on every machine."""
    monkeypatch.setattr(backbones, "on_disk", lambda name: name.startswith("efficientnet"))


# rule -> (a case that it speaks about, what it says, the change it suggests), and cases that it is silent about
LOUD = {
    "few-images": (case(photos=photos(40)), "a (40: 60 more), b (40: 60 more)", {}),
    "large-classes-count": (
        case(photos=of_two_sizes(640, 200)),
        'class "a" has 640 training photos, "b" 200',
        {"objective": "balanced-accuracy"},
    ),
    "diverged": (
        case(state="diverged"),
        "infinite with learning rate 0.003",
        {"learning_rate": 0.0003, "schedule": ""},
    ),
    "underfit": (
        case(history([0.5, 0.7, 0.8], [0.5, 0.6, 0.7], [1.0, 0.8, 0.5])),
        "train error is 20.0% after 2 epochs",
        {"epochs": 30, "schedule": ""},
    ),
    "overfit": (
        case(history([0.8, 0.9, 1.0], [0.8, 0.85, 0.8])),
        "train accuracy is 20.0% above validation",
        {"dropout": 0.2, "weight_decay": 0.03},
    ),
    "harmful-augmentation": (
        case(variations=variations(flip="harmful", rotation="harmful", crop="harmless")),
        "less well; by a frozen network and SVM, on validation photos: flip -3.7 points (-6.8 to -0.6)",
        {"augmentation": "crop"},
    ),
    "below-baseline": (
        case(right=right(10), right_baseline=right(8)),
        "0.0003 is recommended for efficientnet_lite0",
        {"learning_rate": 0.0003, "schedule": ""},
    ),
    "noise": (
        case(right=right(10), right_others={"002": right(8)}),
        "No reliable difference from run 002; against 002: no reliable",
        {},
    ),
    "lr-edge": (
        case(runs=table((0.001, 224, 0.8), (0.003, 224, 0.9))),
        "tried 0.001, 0.003; best 0.003",
        {"learning_rate": 0.009, "schedule": ""},
    ),
    "size-edge": (
        case(runs=table((0.003, 160, 0.8), (0.003, 224, 0.9))),
        "tried 160, 224; best 224",
        {"image_size": 320},
    ),
    "best-of-many": (
        case(right=right(4), right_others={f"00{n}": luck(seed=n) for n in range(2, 7)}),
        "the best of 6 on these 100 photos",
        {},
    ),
    "imbalance": (
        case(photos=unequal()),
        'class "a" has 400 training photos, "b" 100 (4.0 times as many)',
        {},
    ),
    "slices": (case(slices=dark()), "the darkest photos: 40.0%", {}),
    "small-objects": (case(issues=issues("small-objects")), "0 per cent of small-objects: do something", {}),
    "slow-storage": (case(issues=issues("slow-storage")), "0 per cent of slow-storage: do something", {}),
    "unreviewed": (
        case(issues=issues("mislabelled", "mislabelled", "leak", "imbalance")),
        "2 mislabelled, 1 leak: see the gallery",
        {},
    ),
    "wide-features": (
        case(config=Config("resnet18"), runs=table((0.003, 224, 0.9, "resnet18"))),
        "efficientnet_lite0 gives 1280 numbers a photo instead of 512",
        {"backbone": "efficientnet_lite0"},
    ),
    "next-rung": (
        case(),
        "half of your photos have 480 pixels or more",
        {"image_size": 320, "batch_size": 16, "learning_rate": 0.0015, "schedule": ""},
    ),
}

SILENT = {
    "harmful-augmentation": [
        case(),
        case(variations=variations(flip="too few photos to tell", crop="harmless", rotation="harmful")),
        case(config=replace(CONFIG, augmentation="none"), variations=variations(flip="harmful")),
    ],
    "few-images": [case(photos=photos(100))],
    "large-classes-count": [
        case(photos=of_two_sizes(600, 200)),
        case(photos=of_two_sizes(900, 200), config=replace(CONFIG, objective="macro-f1")),
    ],
    "diverged": [case(), case(history([0.5, 0.6], [0.5, 0.6], [1.0, 1.6]))],
    "underfit": [
        case(history([0.5, 0.951], [0.5, 0.6])),
        case(history([0.5], [0.5])),
        case(history([0.5, 0.4], [0.5, 0.4]), state="diverged"),
    ],
    "overfit": [
        case(),
        case(history([0.9, 1.0, 1.0], [0.8, 0.85, 0.9])),  # the gap does not grow
        case(history([0.9, 0.9, 1.0], [0.9, 0.9, 0.9]), counts=(100, 10)),  # within noise
    ],
    "below-baseline": [case(right=right(5), right_baseline=right(30)), case(right_baseline=None)],
    "noise": [case(right=right(2), right_others={"002": right(30)}), case(right_others={})],
    "lr-edge": [
        case(),
        case(runs=table((0.001, 224, 0.8), (0.003, 224, 0.9), (0.01, 224, 0.7))),
        case(runs=table((0.001, 224, 0.8, "resnet18"), (0.003, 224, 0.9))),
    ],
    "size-edge": [
        case(),
        case(runs=table((0.003, 224, 0.9), (0.003, 320, 0.8))),  # a smaller one is not worth trying
        case(runs=table((0.003, 704, 0.8), (0.003, 736, 0.9))),  # 1.4 times that is beyond the parameter
    ],
    "best-of-many": [
        case(right=right(4), right_others={"002": luck()}),
        case(right=right(40), right_others={f"00{n}": luck(seed=n) for n in range(2, 7)}),  # another run is the best
    ],
    "imbalance": [
        case(photos=unequal(300)),
        case(photos=unequal(), config=replace(CONFIG, imbalance="sampling")),
        case(photos=unequal(), remedies=compared("none")),
    ],
    "slices": [case(), case(slices=dark(1.0))],
    "small-objects": [case(), case(issues=issues("mislabelled"))],
    "slow-storage": [case()],
    "unreviewed": [case(), case(issues=issues("few-images", "small-objects"))],
    "wide-features": [case(), case(config=Config("resnet50"), runs=table((0.003, 224, 0.9, "resnet50")))],
    "next-rung": [
        case(state="diverged"),
        case(history([0.5, 0.7], [0.5, 0.6])),  # underfit
        case(photos=photos(width=250, height=240)),  # nothing finer to see
        case(history([0.5], [0.5])),
        case(config=Config("efficientnet_lite0", batch_size=1)),
    ],
}


def test_every_rule_has_its_cases():
    assert set(LOUD) == set(SILENT) == {rule.code for rule in RULES}


def test_no_two_rules_have_the_same_code():
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_speaks_when_it_should(rule):
    finds(rule, *LOUD[rule.code])


@pytest.mark.parametrize(
    ("rule", "number"),
    [(rule, n) for rule in RULES for n in range(len(SILENT[rule.code]))],
    ids=lambda value: getattr(value, "code", value),
)
def test_a_rule_is_silent_otherwise(rule, number):
    assert rule.look(SILENT[rule.code][number]) is None


EXTREMES = [
    Config("efficientnet_lite0", learning_rate=1e-5, batch_size=2, dropout=0.9, weight_decay=0.1, epochs=200),
    Config("resnet18", learning_rate=1.0, image_size=1000, batch_size=1024, dropout=0.0, weight_decay=1e-6),
    Config("resnet18", image_size=64, schedule="[0.05]*7 + [0.005]*7 + [0.0005]", head="random"),
]
HISTORIES = [
    GOOD,
    history([0.5, 0.7, 0.8], [0.5, 0.6, 0.7]),
    history([0.8, 0.9, 1.0], [0.8, 0.85, 0.6]),
    history([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [1.0, 1.0, 2.0]),
    history([0.5], [0.5]),
    history([], []),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
@pytest.mark.parametrize("config", EXTREMES, ids=lambda config: config.backbone)
def test_every_rule_keeps_the_contract(rule, config):
    keeps_its_form(rule)
    runs = table((config.learning_rate, config.image_size, 0.9), (config.learning_rate / 2, 64, 0.8)).assign(
        backbone=config.backbone, head=config.head
    )
    for rows in HISTORIES:
        for state in ("done", "stopped", "diverged"):
            keeps_the_contract(
                rule,
                case(
                    rows,
                    config,
                    state,
                    runs=runs,
                    photos=photos(30, 2000, 2000, classes="abcdefgh"),
                    right_baseline=right(3),
                    right_others={f"00{n}": luck(seed=n) for n in range(2, 7)},
                    issues=issues("few-images", "small-objects", "slow-storage", "dark"),
                ),
            )


@pytest.mark.parametrize(
    ("wrong", "title", "words", "apply"),
    [
        (6, "Worse than the frozen network and SVM", "unless a lower rate helps", True),
        (11, "No reliable difference from the frozen network and SVM", "unless a lower rate helps", True),
        (17, "Probably better than the frozen network and SVM, not yet certain", "more validation photos", False),
        (18, None, "", False),
    ],
)
def test_against_the_baseline_there_are_four_things_to_say(workspace, wrong, title, words, apply):
    """The run is wrong about 12 of 88 photos, the SVM about the first so many; they agree about the others."""

    def predictions(count):
        said = np.where(np.arange(88) < count, "square", "disc")
        return pd.DataFrame({"path": [f"{n}.jpg" for n in range(88)], "label": "disc", "predicted": said})

    run = new_run(workspace, CONFIG, workspace.photos(), (48, 88), 1.0)
    write_csv(run.folder / "predictions.csv", predictions(12).assign(probability=1.0))
    write_csv(workspace.folder / "baseline.csv", predictions(wrong).assign(score=1.0))
    found = {finding.code: finding for finding in advise(workspace, replace(run, history=GOOD))}
    assert ("below-baseline" in found) == (title is not None)
    if title:
        finding = found["below-baseline"]
        assert finding.title == title and words in finding.evidence
        assert ("learning_rate" in finding.change) == apply


@pytest.mark.parametrize(
    ("wrong", "title"),
    [
        (7, "Run 002 is probably better, not yet certain"),
        (12, "No reliable difference from run 002"),
        (17, "Probably better than run 002, not yet certain"),
    ],
)
def test_of_two_runs_three_uncertain_things_are_said(wrong, title):
    assert rules.Noise().look(case(right=right(12), right_others={"002": right(wrong)})).title == title


def test_a_loss_that_rose_is_called_running_away():
    rose = case(history([0.5, 0.5], [0.5, 0.5], [1.0, 1.8]))
    assert rules.DIVERGED.look(rose).evidence == "train loss rose from 1.00 to 1.80"
    assert rules.UNDERFIT.look(rose) is None


STUCK = history([0.5, 0.7, 0.8], [0.5, 0.6, 0.7], [1.0, 0.5, 0.49])


@pytest.mark.parametrize(
    ("changes", "rate", "title"),
    [
        ({"learning_rate": 0.0004}, 0.0002, "halve"),
        ({"learning_rate": 0.003}, 0.0003, "lower"),  # what is recommended
        ({"learning_rate": 0.003, "optimizer": "sgd"}, 0.0015, "halve"),  # it is recommended for AdamW
        ({"learning_rate": 0.003, "head": "random"}, 0.0015, "halve"),
        ({"learning_rate": 0.0003, "backbone": "convnext_tiny"}, 5e-5, "lower"),
    ],
)
def test_underfit_lowers_the_rate_when_the_loss_no_longer_falls(changes, rate, title):
    found = rules.UNDERFIT.look(case(STUCK, replace(CONFIG, **changes)))
    assert found.change == {"learning_rate": rate, "schedule": ""}
    assert found.title == f"It has not learned enough: {title} the learning rate"


def test_beyond_the_lowest_rate_lies_what_is_recommended_for_the_network():
    config = replace(CONFIG, backbone="convnext_tiny", learning_rate=0.001)
    runs = table((0.001, 224, 0.9, config.backbone), (0.003, 224, 0.8, config.backbone))
    edge = next(rule for rule in RULES if rule.code == "lr-edge")
    assert edge.look(case(config=config, runs=runs)).change == {"learning_rate": 5e-5, "schedule": ""}
    assert edge.look(case(config=config, runs=runs.assign(layer_decay=[1.0, 0.8]))) is None, "other rates by layer"


def test_six_small_classes_are_summed_up():
    assert "and 3 more classes" in rules.FewImages().look(case(photos=photos(9, classes="abcdefgh"))).evidence


def test_runs_are_compared_by_scenes_where_photos_belong_together():
    scenes = pd.DataFrame({"path": [f"{n}.jpg" for n in range(100)]})
    scenes = scenes.assign(copies=scenes["path"], group=[f"scene {n // 20}" for n in range(100)], split="validation")
    first = pd.Series(False, index=scenes["path"])
    second = pd.Series(np.arange(100) < 60, index=scenes["path"])
    alone = case(right=second, right_others={"000": first}, right_baseline=first)
    whole = case(right=second, right_others={"000": first}, right_baseline=first, photos=scenes)
    for other in ("000", BASELINE):
        assert alone.against(other).p < 1e-9 and whole.against(other).p == 0.25
    assert "in 5 groups" in whole.best_of_all(2).words
