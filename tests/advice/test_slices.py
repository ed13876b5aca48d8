"""Slices: one that is worse is found, noise finds none, and what photos have in common is named."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from cvtune_nb.advice import advise
from cvtune_nb.advice.slices import (
    EDGE,
    clusters,
    ends,
    find_slices,
    holm,
    last_slices,
    properties,
    sliced,
    time_of_day,
)
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import write_csv
from tests.made_runs import made_run
from tests.photos import make_photos


def kinds(n: int, random: np.random.Generator) -> dict[str, pd.Series]:
    """Slices of every kind for n photos, drawn by chance."""
    measured = {name: ends(random.normal(size=n), f"low {name}", f"high {name}") for name in "abcde"}
    cameras = pd.Series(random.choice(["camera x", "camera y", ""], n))
    return {**measured, "camera": cameras, "look": clusters(random.normal(size=(n, 5)), np.array(["a"] * n))}


def photos(n: int) -> pd.DataFrame:
    return pd.DataFrame({"path": [f"{number}.jpg" for number in range(n)], "label": ["a", "b"] * (n // 2)})


def test_noise_finds_no_slice_in_95_of_100_draws():
    """Whatever the draw of right and wrong: the rate of draws with any slice is at most 5%, and here 200 are drawn."""
    random, found = np.random.default_rng(0), 0
    own = kinds(200, random)
    for _ in range(200):
        found += bool(sliced(photos(200), random.random(200) < 0.8, own)["worse"].any())
    assert found <= 10


def test_a_slice_with_wrong_answers_is_found_with_its_photos():
    random = np.random.default_rng(1)
    own = kinds(200, random)
    bad = (own["b"] == "low b").to_numpy()
    right = np.where(bad, random.random(200) < 0.4, random.random(200) < 0.9)
    table = sliced(photos(200), right, own)
    first = table.iloc[0]
    assert (first["slice"], first["worse"], first["photos"]) == ("low b", True, 40)
    assert first["low"] < first["accuracy"] < first["high"] < first["rest"]
    wrong = {f"{number}.jpg" for number in np.flatnonzero(bad & ~right)}
    assert set(first["examples"].split("\n")) <= wrong
    assert table["corrected"].is_monotonic_increasing and (table["corrected"] >= table["p"]).all()
    assert not table.iloc[3:]["worse"].any()


def test_few_photos_are_no_slice():
    names = pd.Series(["rare"] * 9 + [""] * 91)
    assert sliced(photos(100), np.arange(100) > 8, {"camera": names}).empty
    assert len(sliced(photos(100), np.arange(100) > 8, {"camera": pd.Series(["rare"] * 10 + [""] * 90)})) == 1


def test_a_slice_of_a_hard_class_says_what_its_class_lets_expect():
    rows, right = photos(100), np.array([True, False] * 50)
    names = pd.Series(["theirs" if label == "b" else "" for label in rows["label"]])
    first = sliced(rows, right, {"camera": names}).iloc[0]
    assert first["worse"] and first["accuracy"] == first["expected"] == 0


def test_p_values_are_corrected_as_holm_says():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1]) and holm([]).size == 0


def test_ends_of_a_measure():
    names = ends(np.arange(100.0), "low", "high")
    assert (names == "low").sum() == (names == "high").sum() == EDGE * 100
    assert set(ends(np.ones(50), "low", "high")) == {""}, "all the same: no end"


def test_times_of_day():
    assert time_of_day("2024:05:01 23:10:00") == time_of_day("2024:05:01 05:59:59") == "photos taken at night"
    assert time_of_day("2024:05:01 12:00:00") == "photos taken in the afternoon"
    assert time_of_day("") == time_of_day("0000") == ""


# -- on photos -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    """A workspace whose photos are blurred in part, those of a camera of their own."""
    folder = tmp_path_factory.mktemp("blurred")
    make_photos(folder / "made", ("circle", "square"), per_class=60, size=96)
    for number, file in enumerate(sorted((folder / "made").rglob("*.jpg"))):
        split = "train" if number % 60 < 10 else "test" if number % 60 < 12 else "validation"
        target = folder / "photos" / split / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(file) as image:
            exif = Image.Exif()
            exif[0x010F], exif[0x0110] = ("Acme", "One") if number % 4 else ("Acme", "Blurred")
            image = image.copy() if number % 4 else image.filter(ImageFilter.GaussianBlur(6))
            image.save(target, exif=exif)
    return open_workspace(folder / "photos", folder / "workspace")


def test_blurred_photos_that_are_wrong_are_found_and_advised_about(blurred):
    run = made_run(blurred, 1.0)
    said = run.predictions()
    spec = FeatureSpec("efficientnet_lite0", Preprocessing(64))
    manifest = blurred.manifest().merge(said[["path"]], on="path").assign(true="a")
    camera = properties(blurred, manifest, spec)["camera"]
    assert set(camera) == {"photos of the camera Acme One", "photos of the camera Acme Blurred"}
    bad = set(manifest["path"][camera.to_numpy() == "photos of the camera Acme Blurred"])
    other = {"circle": "square", "square": "circle"}
    said["predicted"] = [other[row.label] if row.path in bad else row.label for row in said.itertuples()]
    write_csv(run.folder / "predictions.csv", said)
    steps = []
    found = find_slices(blurred, run.id, lambda share, words: steps.append(share))
    assert {"photos of the camera Acme Blurred", "the least sharp photos"} <= set(found.worse["slice"])
    assert "photos of the camera Acme One" not in set(found.worse["slice"])
    assert set(found.examples["photos of the camera Acme Blurred"]) <= bad
    assert "reliably worse" in found.sentences[0] and steps == sorted(steps)
    again = last_slices(blurred)
    assert again is not None and again.sentences == found.sentences and again.model == run.id
    finding = found.finding()
    assert finding is not None and finding.title.startswith("It fails on")
    assert "slices" in [one.code for one in advise(blurred, run)]
    assert found.to_dict()["slices"][0]["examples"][0] in bad


def test_a_model_that_is_not_there_is_refused(blurred):
    with pytest.raises(InputError, match="there is no baseline of today's photos"):
        find_slices(blurred, "svm")


def test_scenes_that_fail_as_a_whole_are_no_slice():
    """20 scenes of 10 photos, each right or wrong as a whole: what is measured of a scene says nothing of others."""
    random, groups, found = np.random.default_rng(0), np.repeat(np.arange(20), 10), {True: 0, False: 0}
    for _ in range(40):
        own = {name: ends(np.repeat(random.normal(size=20), 10), f"low {name}", f"high {name}") for name in "abc"}
        right = np.repeat(random.random(20) < 0.7, 10)
        for whole in found:
            found[whole] += bool(sliced(photos(200), right, own, groups if whole else None)["worse"].any())
    assert found[True] <= 2 and found[False] > 10


def test_a_slice_that_fails_in_many_scenes_is_found():
    groups, right = np.repeat(np.arange(60), 5), np.ones(300, bool)
    dark = pd.Series(np.where(groups < 20, "dark", ""))
    right[:100] = np.repeat(np.arange(20) % 2 == 0, 5)
    first = sliced(photos(300), right, {"brightness": dark}, groups).iloc[0]
    assert first["worse"] and first["accuracy"] == 0.5 and first["photos"] == 100
