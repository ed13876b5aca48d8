"""Networks and framings are compared by what counts; by accuracy every file is what it was before.

The files below were written by the version before.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import framing
from cvtune_nb.classification.comparison import (
    COUNTS,
    Entry,
    below,
    concluded,
    last_comparison,
    ranked,
)
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.framing import last_framings
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.metrics import Paired
from cvtune_nb.objectives import objective_of

LITE0, LITE1, RESNET = "efficientnet_lite0", "efficientnet_lite1", "resnet18"
SPEEDS = {LITE0: 100.0, LITE1: 60.0, RESNET: 150.0, "resnet50": 10.0}
COMPARISON_CSV = """\
backbone,image_size,framing,aspect,weights,pooling,photos,accuracy,low,high,images_per_second,seconds,state,why
efficientnet_lite0,64,crop,1:1,,last,600,0.8333333333333334,0.801412323552575,0.861013209104958,100.0,1.25,finished,
efficientnet_lite1,64,crop,1:1,,last,600,0.83,0.7978666024557707,0.8579346748751867,60.0,1.25,finished,
resnet18,64,crop,1:1,,last,250,0.6,0.5382016632374602,0.6587716768634508,150.0,1.25,dropped,after 250 photos: less
resnet50,64,crop,1:1,,last,0,,,,10.0,1.25,out of reach,its weights are not on disk
"""
COMPARISON_JSON = """\
{
  "format": 1,
  "recommended": {
    "accuracy": {
      "backbone": "efficientnet_lite0",
      "image_size": 64,
      "framing": "crop",
      "aspect": "1:1",
      "weights": "",
      "pooling": "last",
      "why": "83.3% (80.1 to 86.1%) of 600 training photos right, cross-validated: the most accurate of 3"
    },
    "speed": {
      "backbone": "efficientnet_lite0",
      "image_size": 64,
      "framing": "crop",
      "aspect": "1:1",
      "weights": "",
      "pooling": "last",
      "why": "too: nothing much faster comes within 2 points of the most accurate"
    }
  },
  "imagenet": "efficientnet_lite1 leads on ImageNet: fine-tuning may get more out of it than the frozen network shows.",
  "measured_on": "abc"
}
"""
FRAMINGS_CSV = """\
framing,photos,accuracy,low,high,difference,difference_low,difference_high,p,pixels
crop,100,0.6,0.5020025867910618,0.6905987135675411,0.0,-0.019215333181765236,0.019215333181765236,1.0,4096
whole,100,0.8,0.7111708344068411,0.8666330666689676,0.2,0.11666903244888206,0.275487830296216,1.9073486328125e-06,4096
squash,100,0.82,0.7333264161369926,0.8829977450105364,0.22,0.1292068099574114,0.30216573906219646,2.9802322387695312e-06,4096
"""
FRAMINGS_JSON = """\
{
  "format": 1,
  "backbone": "efficientnet_lite0",
  "image_size": 64,
  "framing": "crop",
  "aspect": "1:1",
  "weights": "",
  "pooling": "last",
  "recommended": "whole",
  "why": "It gets 20.0 points more right than the crop (p = 1.9e-06); squash +22.0.",
  "measured_on": "abc"
}
"""


def spec_of(name):
    return FeatureSpec(name, Preprocessing(64))


def speed(spec):
    return SPEEDS[spec.backbone]


def hits(photos, right, shift=0):
    return Said(np.roll(np.arange(photos) < right, shift))


def entry(name, *rounds, state="finished", why=""):
    """A candidate that got so many of so many photos right, by round: (photos, right, shift)."""
    return Entry(spec_of(name), state, why, 1.25, {photos: hits(photos, *rest) for photos, *rest in rounds})


def test_by_accuracy_every_byte_of_the_files_is_what_it_was(tmp_path):
    after = "after 250 photos: less"
    entries = [
        entry(LITE0, (250, 200), (600, 500, 3)),
        entry(LITE1, (250, 201, 5), (600, 498, 9)),
        entry(RESNET, (250, 150), state="dropped", why=after),
        entry("resnet50", state="out of reach", why="its weights are not on disk"),
    ]
    space = SimpleNamespace(folder=tmp_path)
    concluded(entries, speed, speed, LITE1, "abc").save(space)
    assert (tmp_path / "comparison.csv").read_text() == COMPARISON_CSV
    assert (tmp_path / "comparison.json").read_text() == COMPARISON_JSON
    said = {"crop": hits(100, 60), "whole": hits(100, 80), "squash": hits(100, 82, 1)}
    framing.concluded(spec_of(LITE0), said, "abc").save(space)
    assert (tmp_path / "framings.csv").read_text() == FRAMINGS_CSV
    assert (tmp_path / "framings.json").read_text() == FRAMINGS_JSON
    assert last_comparison(space).counted.by_accuracy and last_framings(space).counted.by_accuracy


# -- another objective ------------------------------------------------------------------------------------------

CLASSES = ("large", "middle", "small")
TRUTH = np.repeat([0, 1, 2], [500, 60, 40])


def said(*recalls, sure=0.9):
    """What finds so much of each class and takes the rest for the next one, sure of all."""
    answers = TRUTH.copy()
    for class_id, recall in enumerate(recalls):
        own = np.flatnonzero(class_id == TRUTH)
        answers[own[round(recall * len(own)) :]] = (class_id + 1) % 3
    chances = np.where(np.eye(3, dtype=bool)[answers], sure, (1 - sure) / 2)
    return Said(answers == TRUTH, chances)


def judged(text):
    return Judge(objective_of(text, CLASSES), TRUTH)


def raced(text, **finds):
    """Candidates by name, each with what it says of all photos."""
    return [Entry(spec_of(name), "finished", said={600: one}, judge=judged(text)) for name, one in finds.items()]


FINDS = {LITE0: said(0.98, 0.5, 0.4), LITE1: said(0.85, 0.85, 0.85)}


@pytest.mark.parametrize(
    ("text", "best", "words"),
    [
        (
            "accuracy",
            LITE0,
            "89.3% (86.6 to 91.6%) of 600 training photos right, cross-validated: the most accurate of 2",
        ),
        ("balanced-accuracy", LITE1, "balanced accuracy 85.0% ("),
        ("macro-f1", LITE1, "macro-F1 "),
        ("log-loss", LITE0, "log loss 0.4"),
        ("recall:small@.5", LITE1, "recall of small at 50% precision "),
        ("costs:small>large=30", LITE1, "mean cost "),
    ],
)
def test_it_is_recommended_by_what_counts(text, best, words):
    entries = raced(text, **FINDS)
    found = concluded(entries, speed, speed, "", "", entries[0].judge)
    assert found.recommended["accuracy"].spec.backbone == best == ranked(entries, 600)[0].spec.backbone
    assert found.recommended["accuracy"].why.startswith(words), found.recommended["accuracy"].why
    label = entries[0].judge.objective.label
    assert found.sentences[0].startswith(f"Recommended for {label}: {best}")
    assert found.table["accuracy"].tolist() == [FINDS[name].right.mean() for name in found.table["backbone"]]
    assert set(COUNTS) <= set(found.table) or text == "accuracy"
    if text != "accuracy":
        first = found.table.iloc[0]
        score = judged(text).score(FINDS[best])
        assert (first["objective_value"], first["objective_low"]) == (score.value, score.low)
        assert "of 2" in found.recommended["accuracy"].why and f"best by {label}" in found.recommended["accuracy"].why


def test_what_counted_is_kept_and_read_again(tmp_path):
    space = SimpleNamespace(folder=tmp_path)
    entries = raced("log-loss", **FINDS)
    made = concluded(entries, speed, speed, "", "abc", entries[0].judge)
    made.save(space)
    again = last_comparison(space)
    assert again.counted == made.counted and again.counted.axis == "log loss (lower is better)"
    pd.testing.assert_frame_equal(again.table, made.table, check_dtype=False)
    assert made.to_dict()["objective"] == "log-loss"


def test_what_is_a_little_worse_is_a_tie_in_the_unit_of_the_objective():
    accuracy, loss = Judge(), judged("log-loss")
    assert accuracy.margin(0.005, 0.9) == 0.005 == judged("macro-f1").margin(0.005, 0.9)
    assert loss.margin(0.005, 0.4) == pytest.approx(0.4 * 0.025), "half a point of 20 points of mistakes"


@pytest.mark.parametrize(
    ("text", "apart", "words"),
    [
        ("log-loss", (-0.031, -0.051, -0.012), "log loss 0.031 higher (0.012 to 0.051)"),
        ("log-loss", (0.031, -0.012, 0.074), "log loss 0.031 lower (-0.012 to 0.074)"),
        ("log-loss", (0.0, -0.01, 0.01), "the same log loss (-0.010 to +0.010)"),
        ("balanced-accuracy", (-0.021, -0.037, -0.005), "2.1 points of balanced accuracy less (0.5 to 3.7)"),
        ("balanced-accuracy", (0.0, -0.01, 0.01), "the same balanced accuracy (-1.0 to +1.0 points)"),
        ("accuracy", (0.021, 0.005, 0.037), "2.1 points more (0.5 to 3.7)"),
    ],
)
def test_differences_in_words(text, apart, words):
    assert below(Paired(*apart, 0.01, ""), objective_of(text, CLASSES)) == words


def test_a_framing_is_recommended_by_what_counts(tmp_path):
    spec, finds = spec_of(LITE0), {"crop": FINDS[LITE0], "whole": FINDS[LITE1], "squash": FINDS[LITE0]}
    assert framing.concluded(spec, finds, "").recommended == "crop"
    found = framing.concluded(spec, finds, "", judged("balanced-accuracy"))
    assert found.recommended == "whole"
    assert found.table["difference"].tolist() == pytest.approx([0, 0.85 - (0.98 + 0.5 + 0.4) / 3, 0], abs=1e-9)
    assert found.table["accuracy"].tolist() == [finds[name].right.mean() for name in finds]
    assert ", by balanced accuracy: crop 62.7%; whole 85.0% (+22.3 points from crop, " in found.sentences[0]
    assert "It is better than the crop by +22.3 points of balanced accuracy (p = " in found.why
    space = SimpleNamespace(folder=tmp_path)
    found.save(space)
    assert last_framings(space).sentences == found.sentences


def test_groups_widen_what_counts():
    alone, one = judged("balanced-accuracy"), FINDS[LITE1]
    together = Judge(alone.objective, TRUTH, np.arange(600) // 10)
    assert together.score(one).high - together.score(one).low > alone.score(one).high - alone.score(one).low
