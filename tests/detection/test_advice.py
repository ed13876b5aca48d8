"""What is advised about a trained detector."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cvtune_nb.detection import DetectorConfig, advise, verdict
from cvtune_nb.detection.advice import RULES, DetectorCase
from cvtune_nb.detection.anchors import Anchors
from cvtune_nb.detection.average_precision import Scores
from cvtune_nb.detection.dataset import Part
from cvtune_nb.detection.evaluation import Verdict
from cvtune_nb.detection.run import HISTORY_COLUMNS, DetectorRun
from tests.rule_contract import finds, keeps_its_form, keeps_the_contract

CONFIG = DetectorConfig("resnet50_fpn", image_size=480, epochs=12, batch_size=4, learning_rate=0.001, proposals=250)


def history(*precision):
    rows = [(n, 0.001, 1.0, value, value, 1.0) for n, value in enumerate(precision, 1)]
    return pd.DataFrame(rows, columns=HISTORY_COLUMNS)


def boxes(n=200, side=0.3, label="dot", in_one_photo=2):
    """n boxes of that side, as fractions of the photo's."""
    paths = [f"{i // in_one_photo}.jpg" for i in range(n)]
    return pd.DataFrame({"path": paths, "label": label, "left": 0.1, "top": 0.1, "width": side, "height": side})


def photos(side=480, n=200):
    return pd.DataFrame({"path": [f"{i}.jpg" for i in range(n)], "width": side, "height": side})


def judged(**kinds):
    """What became of boxes and detections: so many of each kind, an underscore for a space."""
    rows = [(kind.replace("_", " "), "tile", "dot") for kind, count in kinds.items() for _ in range(count)]
    return pd.DataFrame(rows, columns=["kind", "label", "true"])


def case(rows=None, config=CONFIG, state="done", train=None, size=480, kinds=None, others=(), on="validation"):
    rows = history(0.5, 0.6, 0.6, 0.6, 0.6) if rows is None else rows
    anchors = Anchors((32,), (1.0,), 0.9)
    run = DetectorRun("001", Path("001"), config, ["dot"], "", rows, state, anchors=anchors, max_detections=100)
    kinds = judged(found=40) if kinds is None else kinds
    count = int(kinds["kind"].isin(["found", "missed", "other class"]).sum())
    nothing = pd.DataFrame()
    figures = Scores(0.6, (0.55, 0.65), 0.9, (0.85, 0.95), nothing, nothing, nothing, 20, count)
    found = Verdict(run, on, Part(photos(n=20), boxes(count)), nothing, figures, nothing, 0.5, kinds)
    part = Part(photos(size), boxes() if train is None else train)
    table = pd.DataFrame(others, columns=["run", "validation_ap"])
    return DetectorCase(SimpleNamespace(part=lambda _: part), found, table)


# rule -> (a case that it speaks about, what it says, the change it suggests), and cases that it is silent about
LOUD = {
    "diverged": (case(state="diverged"), "infinite with learning rate 0.001", {"learning_rate": 0.0001}),
    "few-boxes": (case(train=boxes(99)), "dot 99 (rule: under 100)", {}),
    "small-objects": (
        case(train=boxes(side=0.02), size=1600),
        "the median side at 480 pixels is: dot 10 pixels",
        {"image_size": 640, "batch_size": 2, "learning_rate": 0.0005},
    ),
    "rising": (case(history(0.1, 0.2, 0.3, 0.4, 0.5)), "rose by 0.100 in the last 2 epochs", {"epochs": 24}),
    "confused": (case(kinds=judged(found=30, other_class=10)), "dot is taken for tile; 10 of 40 boxes", {}),
    "missed": (case(kinds=judged(found=10, missed=30, nothing_there=2)), "30 missed, 2 of nothing", {}),
    "made-up": (case(kinds=judged(found=10, missed=2, nothing_there=30)), "2 missed, 30 of nothing", {}),
    "crowded": (case(train=boxes(200, in_one_photo=100)), "100 boxes in one photo", {"proposals": 300}),
    "noise": (case(others=[("002", 0.56), ("003", 0.6)]), "from 003", {}),
}

SILENT = {
    "diverged": [case(), case(state="stopped")],
    "few-boxes": [case(train=boxes(100))],
    "small-objects": [case(size=1600), case(train=boxes(side=0.02), size=480, config=replace(CONFIG, image_size=960))],
    "rising": [
        case(history(0.1, 0.3, 0.5, 0.5, 0.5)),  # no longer
        case(history(0.1, 0.5)),  # too few epochs to tell
        case(history(0.1, 0.2, 0.3, 0.4, 0.5), state="stopped"),
    ],
    "confused": [case(), case(kinds=judged(found=30, other_class=2)), case(kinds=judged(found=95, other_class=9))],
    "missed": [
        case(),
        case(kinds=judged(found=30, missed=9)),
        case(kinds=judged(found=9, missed=30, nothing_there=11)),
    ],
    "made-up": [case(), case(kinds=judged(found=30, missed=10, nothing_there=20))],
    "crowded": [case(), case(train=boxes(200, in_one_photo=83))],
    "noise": [case(), case(others=[("002", 0.7)]), case(others=[("002", 0.6)], on="test")],
}


def test_every_rule_has_its_cases():
    codes = [rule.code for rule in RULES]
    assert set(LOUD) == set(SILENT) == set(codes)
    assert len(set(codes)) == len(codes)


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
    replace(CONFIG, learning_rate=1e-6, batch_size=1, epochs=200, proposals=1000, weight_decay=1e-6),
    replace(CONFIG, learning_rate=1e-6, batch_size=4),
    replace(CONFIG, learning_rate=1.0, image_size=1000, batch_size=64, epochs=1, proposals=20),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
@pytest.mark.parametrize("config", EXTREMES, ids=["lowest", "lowest rate", "highest"])
def test_every_rule_keeps_the_contract(rule, config):
    keeps_its_form(rule)
    for rows in (history(), history(0.1), history(0.1, 0.2, 0.3, 0.4, 0.5)):
        for state in ("done", "stopped", "diverged"):
            for kinds in (judged(), judged(found=9, missed=30, other_class=9), judged(nothing_there=30)):
                crowd = boxes(90, side=0.01, in_one_photo=45)
                keeps_the_contract(rule, case(rows, config, state, crowd, 4000, kinds, [("002", 0.6)]))


def test_two_pairs_of_classes_are_named_at_most():
    kinds = pd.concat([judged(found=10, other_class=10), judged(other_class=5).assign(label="line")])
    (confused,) = (rule for rule in RULES if rule.code == "confused")
    assert (
        "10 of 25 boxes on validation, and dot is taken for line: 5 of 25" in confused.look(case(kinds=kinds)).evidence
    )


def test_advice_about_a_real_run_comes_in_the_order_of_the_rules(trained_detector):
    dataset, run = trained_detector
    found = verdict(dataset, run)
    codes = [finding.code for finding in advise(dataset, found)]
    order = [rule.code for rule in RULES]
    assert "few-boxes" in codes
    assert codes == sorted(codes, key=order.index)
    diverged = replace(found, run=replace(run, state="diverged"))
    assert advise(dataset, diverged)[0].change == {"learning_rate": 0.0001}


def test_of_a_run_that_learned_nothing_only_its_divergence_is_told(trained_detector):
    dataset, run = trained_detector
    found = verdict(dataset, run)
    lost = replace(found, run=replace(run, state="diverged", history=run.history[:0]))
    assert [finding.code for finding in advise(dataset, lost)] == ["diverged"]


def test_runs_on_other_photos_are_not_compared(trained_detector, monkeypatch):
    from cvtune_nb.detection import advice

    dataset, run = trained_detector
    found = verdict(dataset, run)
    table = pd.DataFrame([{"run": "002", "best_epoch": 2, "validation_ap": found.scores.ap}])
    monkeypatch.setattr(advice, "runs", lambda _: table)
    monkeypatch.setattr(advice, "load_run", lambda *_: run)
    assert advice.case_of(dataset, found).others["run"].tolist() == ["002"]
    other = replace(run, data_id="other data", measured_on="other photos")
    monkeypatch.setattr(advice, "load_run", lambda *_: other)
    assert advice.case_of(dataset, found).others.empty
