"""`cvtune run` on photos that not every step can do something with: what can't be done is skipped with its reason, and
there is an export in the end. tests/odd_sets.py has the same at full size."""

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtune_nb import classification, cli, pipeline
from cvtune_nb.classification.choice import BY_HAND, choose
from cvtune_nb.classification.comparison import last_comparison
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.export import open_export
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.pipeline import workbook
from cvtune_nb.workspace import Workspace
from tests.odd_sets import STEPS, classes, counts, of_size

SMALL = Config("test_resnet:random", image_size=64, epochs=1, batch_size=16)


@dataclass
class Ran:
    """What `cvtune run` gave."""

    status: int
    found: dict[str, Any]
    err: str

    @property
    def states(self) -> list[str]:
        return [self.found[step]["state"] for step in STEPS]

    def exported(self) -> str:
        """The name of the export, which answers."""
        folder = Path(self.found["export"]["folder"])
        photo = next(path for path in folder.parents[2].rglob("photos/*/*.*"))
        [answer] = open_export(folder).predict([str(photo)])
        assert "label" in answer
        return folder.name


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Makes the photos by `make` and runs the workbook on them, with these rungs above the first."""

    def do(make, *arguments, rungs=(), config=SMALL, budget="10m"):
        make(tmp_path / "photos")
        monkeypatch.setattr(pipeline.Workbook, "higher_rungs", lambda _: list(rungs))
        call = [
            "run",
            "--data",
            str(tmp_path / "photos"),
            "--workspace",
            str(tmp_path / "work"),
            "--budget",
            budget,
            "--backbone",
            config.backbone,
            "--image-size",
            str(config.image_size),
            "--batch-size",
            "16",
            "--epochs",
            str(config.epochs),
            "--json",
            *arguments,
        ]
        with warnings.catch_warnings():
            warnings.filterwarnings("error", module="sklearn")
            status = cli.main(call)
        out, err = capsys.readouterr()
        return Ran(status, json.loads(out or "{}"), err)

    return do


def small(folder):
    of_size(folder, 48, per_class=6)


def test_rungs_that_can_not_be_run_are_named_and_the_rest_is_done(run, torch_home, no_network):
    rungs = [
        replace(SMALL, image_size=500),
        replace(SMALL, backbone="test_vit:random", image_size=100),
        replace(SMALL, backbone="resnet50"),
        replace(SMALL, image_size=96),
    ]
    ran = run(small, rungs=rungs)
    assert (ran.status, ran.states) == (0, ["done"] * 5)
    assert [row["image_size"] for row in ran.found["escalate"]["rungs"]] == [64, 96]
    too_large, no_multiple, no_weights = ran.found["notes"]
    assert too_large.startswith("rung skipped, test_resnet:random at 500 pixels: image_size 500 is beyond the photos")
    assert "as it needs a multiple of 16: choose 96 or 112" in no_multiple
    assert "weights of resnet50 are not on disk" in no_weights
    assert ran.exported() in {row["run"] for row in ran.found["escalate"]["rungs"]}


def test_photos_of_28_pixels_at_the_usual_size_when_no_rung_can_be_run(run):
    usual = replace(SMALL, image_size=PARAMETERS["image_size"].default)
    ran = run(lambda folder: of_size(folder, 28, per_class=4), config=usual, rungs=[replace(SMALL, image_size=320)])
    assert (ran.status, ran.states) == (0, ["done", "done", "done", "skipped", "done"])
    assert ran.found["escalate"]["why"] == "no higher rung can be run here"
    assert ran.exported() == ran.found["train"]["run"]


def test_a_minute_is_enough_for_the_svm(run):
    ran = run(small, rungs=[replace(SMALL, image_size=96)], budget="1m")
    assert (ran.status, ran.states[1:]) == (0, ["done", "skipped", "skipped", "done"])
    assert ran.found["train"]["why"] == "the time left of the budget is kept for the export"
    assert ran.exported() == "svm"


def test_without_time_to_choose_it_the_svm_has_the_usual_c(run, monkeypatch):
    until = pipeline.Workbook.until

    def slow_to_choose(self, end):
        inner = until(self, end)

        def report(share, words):
            if "fitting the SVM" in words:
                raise Stopped
            inner(share, words)

        return report

    monkeypatch.setattr(pipeline.Workbook, "until", slow_to_choose)
    ran = run(small, budget="50s")
    assert (ran.status, ran.states[1:]) == (0, ["done", "skipped", "skipped", "done"])
    assert (ran.found["baseline"]["C"], len(ran.found["baseline"]["C_table"])) == (1.0, 1)
    assert any("no time to choose it" in note for note in ran.found["notes"])
    assert ran.exported() == "svm"


def test_an_epoch_too_long_for_the_budget_leaves_the_svm(run, monkeypatch):
    monkeypatch.setattr(pipeline.Workbook, "cost", lambda *_: (0.0, 1e6))
    ran = run(small, rungs=[replace(SMALL, image_size=96)])
    assert (ran.status, ran.states) == (0, ["done", "done", "skipped", "skipped", "done"])
    assert ran.found["train"]["why"] == "not one epoch fits into the budget besides the export"
    assert ran.exported() == "svm"


def test_steps_that_refuse_are_skipped_with_their_words(run, monkeypatch, capsys):
    def refuse(*_, **__):
        raise InputError("not with these photos")

    for step in ("audit", "classification.fit"):
        monkeypatch.setattr(f"cvtune_nb.pipeline.workbook.{step}", refuse)
    ran = run(small, "--seed", "1")
    assert (ran.status, ran.states) == (0, ["skipped", "done", "skipped", "skipped", "done"])
    assert ran.found["audit"]["why"] == ran.found["train"]["why"] == "not with these photos"
    assert ran.exported() == "svm"


def test_quick_exports_the_svm_whatever_was_trained_before(run):
    assert run(small).exported() != "svm"
    ran = run(small, "--preset", "quick")
    assert ran.exported() == "svm"
    assert "trained before, may be better" in ran.found["notes"][-1]


def test_a_run_that_can_not_be_exported_leaves_the_svm(run, monkeypatch):
    made = workbook.export_run

    def only_svm(workspace, name, **given):
        if name != "svm":
            raise InputError("an operator that ONNX does not have")
        return made(workspace, name, **given)

    monkeypatch.setattr(workbook, "export_run", only_svm)
    ran = run(small)
    assert (ran.status, ran.states) == (0, ["done", "done", "done", "skipped", "done"])
    assert "an operator that ONNX does not have" in ran.found["notes"][-1]
    assert ran.exported() == "svm"


def test_runs_without_a_finished_epoch_on_the_photos_leave_the_svm(run, monkeypatch):
    monkeypatch.setattr(classification, "best_run", lambda _: None)
    ran = run(small)
    why = "no run on today's photos has a finished epoch"
    assert ran.found["notes"][-1] == f"the SVM on the frozen network was exported, for {why}"
    assert ran.exported() == "svm"


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: counts(folder, (3, 3, 3)),
        lambda folder: counts(folder, (3, 40)),
        lambda folder: classes(folder, 40, per_class=3),
    ],
    ids=["3 photos a class", "3 beside 40", "40 classes"],
)
def test_few_photos_come_to_an_export(run, make):
    ran = run(make)
    assert (ran.status, ran.states) == (0, ["done", "done", "done", "skipped", "done"])
    assert ran.exported() == ran.found["train"]["run"]
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda folder: folder.mkdir(), "no photos"), (lambda folder: counts(folder, (9,)), "class")],
    ids=["no photos", "one class"],
)
def test_what_no_step_can_work_with_is_bad_input(run, make, words):
    ran = run(make)
    assert ran.status == 2
    assert words in ran.err.splitlines()[-1]


def test_a_backbone_that_can_not_be_had_is_bad_input(run, torch_home, no_network):
    ran = run(small, config=replace(SMALL, backbone="resnet50"))
    assert (ran.status, "choose efficientnet_lite0" in ran.err) == (2, True)


# -- networks are compared first ----------------------------------------------------------------------------------

COMPARED = ["--compare-networks", "test_resnet:random,efficientnet_lite0", "--image-size", "64"]


@pytest.fixture
def comparing(tmp_path, capsys, monkeypatch):
    """Runs the workbook with a comparison; the rest is left to others' tests."""
    small(tmp_path / "photos")
    for step in ("audit", "baseline", "train", "climb", "export"):
        monkeypatch.setattr(pipeline.Workbook, step, lambda self, *_: self.found.setdefault("audit", {"state": "done"}))
    place = ["--data", str(tmp_path / "photos"), "--workspace", str(tmp_path / "work")]

    def do(*arguments):
        status = cli.main(["run", *place, *arguments])
        return status, capsys.readouterr()

    return do


def test_it_goes_on_with_the_network_recommended_for_accuracy(comparing, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(pipeline.Workbook, "train", lambda self: trained.append(FeatureSpec.of(self.config)))
    status, said = comparing(*COMPARED)
    workspace = Workspace(tmp_path / "work")
    best = last_comparison(workspace).recommended["accuracy"].spec
    assert status == 0 and f"goes on with {best}, recommended for accuracy" in said.out and trained == [best]
    other = next(spec for spec in last_comparison(workspace).specs if spec != best)
    by_hand = choose(workspace, other, BY_HAND)
    said = comparing(*COMPARED, "--json")[1]
    assert json.loads(said.out)["compare"] == {"state": "skipped", "why": str(by_hand)}
    assert trained == [best, other]
    said = comparing("--json", "--image-size", "64")[1]
    assert "compare" not in json.loads(said.out) and trained[2] == other


def test_networks_are_compared_with_the_framing_and_features_told(comparing, tmp_path):
    comparing(*COMPARED, "--framing", "whole", "--pooling", "stages")
    compared = last_comparison(Workspace(tmp_path / "work")).specs
    assert len(compared) == 2
    assert {(spec.preprocessing.framing, spec.pooling) for spec in compared} == {("whole", "stages")}


def test_a_share_too_short_for_any_network_leaves_the_default(comparing, monkeypatch):
    monkeypatch.setattr(workbook, "COMPARISON_SHARE", 1e-6)
    said = comparing(*COMPARED, "--json")[1]
    found = json.loads(said.out)["compare"]
    assert (found["state"], found["start_with"]) == ("done", None)
    assert found["why"] == "its share of the budget was too short for any network"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*COMPARED, "--backbone", "resnet18"], "--backbone names it: give only one"),
        (["--download"], "--download has no meaning without --compare-networks"),
    ],
)
def test_a_comparison_that_decides_nothing_is_refused(comparing, arguments, words):
    status, said = comparing(*arguments)
    assert status == 2 and words in said.err


def at_the_sides(folder):
    """Photos of 16:9 with what matters at one end: the crop shows none of it."""
    for number, label in enumerate(("dark", "bright")):
        (folder / label).mkdir(parents=True)
        for index in range(16):
            noise = np.random.default_rng([number, index]).integers(100, 130, (54, 96, 3), np.uint8)
            noise[:, -14:] = noise[:, :14] = 240 * number
            Image.fromarray(noise).save(folder / label / f"{index}.png")


def test_where_the_crop_cuts_off_much_framings_are_compared(run, monkeypatch):
    ran = run(at_the_sides)
    assert ran.found["audit"]["issues"]["cut-off"] == 1
    found = ran.found["framing"]
    assert found["state"] == "done" and found["recommended"] in ("whole", "squash", "crop at 16:9")
    assert found["why"].startswith(f"much is cut off, so framings were compared: {found['recommended']}. It gets ")
    chosen = {name: found["start_with"][name] for name in ("framing", "aspect")}
    assert chosen == {name: ran.found["baseline"][name] for name in chosen} != {"framing": "crop", "aspect": "1:1"}
    config = classification.load_run(
        Workspace(Path(ran.found["export"]["folder"]).parents[1]), ran.found["train"]["run"]
    )
    assert chosen == {name: getattr(config.config, name) for name in chosen}


def test_framings_are_not_compared_where_they_were_told_or_take_too_long(run, monkeypatch):
    told = run(at_the_sides, "--aspect", "16:9")
    assert "framing" not in told.found and told.found["baseline"]["aspect"] == "16:9"
    monkeypatch.setattr(workbook, "expected_seconds", lambda *_: 3000.0)
    found = run(lambda _: None).found["framing"]
    assert found["state"] == "skipped" and found["why"].startswith("comparing framings takes about 50 min, which does")
