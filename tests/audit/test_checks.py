"""What every check of the audit keeps to. A check that is added to CHECKS needs a line in PLANTED, and nothing else."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.audit import CHECKS, COLUMNS, objects
from cvtune_nb.audit.checks import table
from cvtune_nb.audit.duplicates import Duplicates
from cvtune_nb.audit.labels import Judgement
from cvtune_nb.audit.quality import MEASURES
from cvtune_nb.audit.scenes import Scenes
from cvtune_nb.audit.storage import Storage
from cvtune_nb.data import open_workspace
from tests.audit.contexts import BY_NAME, known
from tests.audit.test_dataset import remedies
from tests.photos import make_photos

each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)

CLEAN = {"mean": 0.5, "brightness": 0.9, "contrast": 0.8, "burnt": 0.0, "sharpness": 0.6, "sharpness_half": 0.6}
CLEAN |= {"colour": 0.3}


def clean(folder, n: int = 40):
    """A context of n photos of two classes in which nothing is wrong."""
    photos = pd.DataFrame(
        {
            "path": [f"{i}.jpg" for i in range(n)],
            "label": ["a", "b"] * (n // 2),
            "split": ["train", "train", "test", "test"] * (n // 4),
            "sha256": [f"{i:064}" for i in range(n)],
            "group": [f"{i:064}" for i in range(n)],
            "width": 400,
            "height": 300,
            "bytes": 20_000,
        }
    )
    wave = 0.02 * np.sin(np.arange(n) // 4)  # the same in both classes and in all splits
    measures = pd.DataFrame({name: CLEAN[name] + wave for name in MEASURES})
    judged = Judgement(
        photos["path"].tolist(),
        ["a", "b"],
        np.arange(n) % 2,
        np.eye(2)[np.arange(n) % 2],
        np.ones(n),
        np.array([n // 2, n // 2]),
    )
    nothing = {
        "photos": photos,
        "in_use": pd.concat([photos] * 20),
        "skipped": pd.DataFrame(columns=["path", "label", "reason"]),
        "duplicates": Duplicates(np.arange(n), pd.DataFrame(columns=["first", "second", "similarity", "exact"])),
        "judgement": judged,
        "measures": measures,
        "stored": pd.DataFrame({"stored": "colour", "profile": "", "path": photos["path"]}),
        "outlooks": {},
        "scenes": None,
        "storage": Storage(900.0, 900.0, 300.0, 0.5, True),
    }
    return known(SimpleNamespace(folder=folder, group_by=""), **nothing)


def changed(table: pd.DataFrame, rows, **columns) -> pd.DataFrame:
    return table.assign(**{name: table[name].mask(table.index.isin(rows), to) for name, to in columns.items()})


def said(context, probability: tuple[float, float], claim: float = 1.0):
    """The same judgement, but for what is said of the first photo."""
    judged = context.judgement
    judged.probability[0], judged.claim[0], judged.beside[0] = probability, claim, ["3.jpg"]
    return {"judgement": judged}


def copies():
    pair = pd.DataFrame({"first": [0], "second": [1], "similarity": [0.9], "exact": [False]})
    return {"duplicates": Duplicates(np.array([0, 0, *range(1, 39)]), pair)}


def first(part: str, **columns):
    """What makes that part of a context other in the first photo."""
    return lambda context: {part: changed(getattr(context, part), [0], **columns)}


def darker(column: str, value: str):
    def part(context):
        inside = context.photos[column] == value
        return {"measures": context.measures.assign(mean=context.measures["mean"] - 0.3 * inside)}

    return part


def boxed(context):
    box = [0.4, 0.4, 0.1, 0.1]
    lines = [f'{{"sha256": "{key}", "box": {box}}}\n' for key in context.photos["sha256"][: objects.FEWEST]]
    (context.workspace.folder / "boxes.jsonl").write_text("".join(lines))
    return {}


def many_of_one_class(context):
    photos = context.photos
    return {"in_use": pd.concat([photos, *[photos[photos["label"] == "b"]] * 20]), "remedies": remedies()}


FILMED = Scenes("(.*)_", 9, 40, 3, 0.9, 0.05, ("0_1.jpg", "0_2.jpg"), 0.9, 0.7, 0.2, 0.1, 0.3)

PLANTED = {
    "mislabelled": lambda context: said(context, (0.01, 0.99)),
    "ambiguous": lambda context: said(context, (0.51, 0.49)),
    "outlier": lambda context: said(context, (0.9, 0.1), claim=0.01),
    "two-classes": lambda context: copies(),
    "leak": lambda context: copies() | first("photos", split="validation")(context),
    "duplicate": lambda context: copies(),
    "corrupt": lambda context: {"skipped": pd.DataFrame({"path": ["0.jpg"], "label": ["a"], "reason": ["damaged"]})},
    "dark": first("measures", brightness=0.2),
    "over-exposed": first("measures", burnt=0.6, mean=0.9),
    "low-contrast": first("measures", contrast=0.1),
    "blurry": first("measures", sharpness=0.05),
    "small": first("photos", height=200),
    "odd-size": first("photos", width=2000, height=1500),
    "odd-aspect": first("photos", width=900),
    "odd-range": first("measures", mean=0.1),
    "odd-colour": first("measures", colour=0.0),
    "colour-profile": first("stored", profile="Display P3"),
    "cut-off": lambda context: {"photos": context.photos.assign(width=960, height=540)},
    "shortcut": darker("label", "a"),
    "split-drift": darker("split", "test"),
    "few-images": lambda context: {"in_use": context.photos},
    "scenes": lambda context: {"scenes": FILMED},
    "small-objects": boxed,
    "imbalance": many_of_one_class,
    "slow-storage": lambda context: {"storage": Storage(10.0, 900.0, 300.0, 0.5, True)},
}
"""check -> the parts of a context in which its fault is planted in 0.jpg, or in the whole set."""


def test_every_check_has_a_planted_fault():
    assert PLANTED.keys() == BY_NAME.keys()


def test_no_two_checks_have_the_same_name():
    assert len(BY_NAME) == len(CHECKS)


@each_check
def test_its_name_and_meaning_are_fit_to_be_shown(check):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.name)
    assert len(check.meaning) > 20
    assert not re.search(r"[.!?;]|^[A-Z]|\s$", check.meaning), "one sentence, without a capital and a full stop"


@each_check
def test_it_finds_its_planted_fault_and_says_what_to_do(check, tmp_path):
    context = clean(tmp_path)
    for name, value in PLANTED[check.name](context).items():
        setattr(context, name, value)
    found, note = check.look(context)
    listed = table({check.name: found})
    assert list(listed.columns) == COLUMNS and set(listed["issue"]) == {check.name}
    assert "0.jpg" in set(listed["path"]) or set(listed["path"]) == {""}
    assert note == ""
    assert listed["score"].between(0, 1).all()
    assert (listed["detail"] != "").all() and (listed["suggestion"] != "").all()
    assert not listed.isna().any(axis=None)


@each_check
def test_it_is_silent_where_nothing_is_wrong(check, tmp_path):
    assert check.look(clean(tmp_path)) == ([], "")


@pytest.fixture(scope="module", params=[6, 0], ids=["six photos", "no photos"])
def tiny(request, tmp_path_factory):
    """A real context of so many photos."""
    folder = make_photos(tmp_path_factory.mktemp("tiny") / "photos", ("a", "b"), per_class=3, size=64)
    workspace = open_workspace(folder, folder.parent / "workspace")
    photos = workspace.photos().iloc[: request.param]
    return known(workspace, image_size=64, photos=photos, in_use=photos)


@each_check
def test_it_runs_on_few_photos_and_on_none_at_all(check, tiny):
    found, note = check.look(tiny)
    assert isinstance(note, str)
    assert list(table({check.name: found}).columns) == COLUMNS
