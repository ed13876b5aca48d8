import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.advice import gains, losses, outcomes, real_gains, what_helps
from cvtune_nb.advice.cross_validation import FOLDS, right_by_photo
from cvtune_nb.audit import audit
from cvtune_nb.classification import fit, runs
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import append_json_lines, read_json_lines
from cvtune_nb.objectives import objective_of
from cvtune_nb.parameters import PARAMETERS, Config
from tests.made_runs import made_run
from tests.other_values import OTHERS

CONFIG = Config("efficientnet_lite0", image_size=64, epochs=4, batch_size=16)
SPEC = FeatureSpec.of(CONFIG)


def by_action(found):
    return {gain.action: gain for gain in found}


def test_without_a_run_it_tells_about_the_baseline(workspace):
    found, silent = what_helps(workspace)
    assert list(by_action(found)) == ["photos"]
    assert any(line.startswith("cleaner labels: the audit") for line in silent)
    assert any("image_size" in line and "not in the cache" in line for line in silent)
    assert any("efficientnet_lite1" in line for line in silent)


def test_what_is_asked_for_is_computed(workspace):
    found, silent = what_helps(workspace, compute=True)
    told = by_action(found)
    assert set(told) == {"photos", "image_size", "backbone"}
    assert told["image_size"].change == {"image_size": 96, "batch_size": 16, "learning_rate": 0.00015, "schedule": ""}
    assert told["backbone"].change == {"backbone": "efficientnet_lite1", "schedule": ""}
    assert told["backbone"].seconds > 0
    assert len(silent) == 1
    assert [gain.gain for gain in found] == sorted((gain.gain for gain in found), reverse=True)
    assert all(gain.low <= gain.gain <= gain.high for gain in found)


def test_an_interval_that_covers_zero_says_so():
    gain = gains.Gain("photos", "t", 0.01, -0.01, 0.03, None, "")
    assert gain.words == "+1.0 points (-1.0 to 3.0): no reliable gain"
    assert replace(gain, low=0.002).words == "+1.0 points (0.2 to 3.0)"


def test_the_learning_curve_is_a_power_law(workspace, monkeypatch):
    """Errors of 40, 20 and 10% for a quarter, half and all of the photos: twice as many leave half of them."""
    parts = {0.25: 0.4, 0.5: 0.2, 1.0: 0.1}

    def told(workspace, photos, config, progress, part=1.0):
        return pd.Series(np.arange(1000) >= parts[part] * 1000, index=[str(n) for n in range(1000)], dtype=float)

    monkeypatch.setattr(losses, "right_by_photo", told)
    photos = pd.DataFrame({"path": [str(n) for n in range(1000)], "copies": range(1000), "group": range(1000)})
    objective = objective_of("accuracy", ())
    now, low, high = gains.errors_with_more_photos(workspace, photos, SPEC, objective, None)
    assert now == pytest.approx(0.5, abs=0.01)
    assert 0.4 < low < now < high < 0.6
    frames = photos.assign(group=photos["group"] // 25 * 25)
    again, lower, higher = gains.errors_with_more_photos(workspace, frames, SPEC, objective, None)
    assert again == now and higher - lower > 2 * (high - low), "25 frames of a scene are no 25 photos"


def test_a_ratio_of_errors_has_an_interval_that_narrows_with_photos():
    def ratio(n):
        before = pd.Series(np.arange(n) % 10 > 1, dtype=float)  # 20% wrong
        after = pd.Series(np.arange(n) % 10 > 0, dtype=float)  # 10%
        return gains.ratio_of_errors(losses.of_mistakes(before), losses.of_mistakes(after))

    few, many = ratio(100), ratio(1000)
    assert many[0] == pytest.approx(0.5, abs=0.01)
    assert few[2] - few[1] > 2 * (many[2] - many[1])


def test_a_ratio_of_errors_of_frames_is_as_unsure_as_one_of_scenes():
    random = np.random.default_rng(0)
    paths = [f"scene-{n // 10}_{n % 10}.jpg" for n in range(400)]
    photos = pd.DataFrame({"path": paths, "copies": paths, "group": [path.split("_")[0] for path in paths]})
    before, after = (pd.Series(np.repeat(random.random(40) < right, 10), paths, dtype=float) for right in (0.6, 0.8))
    alone, together = (
        gains.ratio_of_errors(*(losses.of_mistakes(right, given) for right in (before, after)))
        for given in (None, photos)
    )
    assert alone[0] == together[0]
    assert together[2] - together[1] > 2 * (alone[2] - alone[1])


def test_a_gain_is_expected_of_wrong_labels(workspace, monkeypatch):
    """Taught the audit's labels, the SVM gets 90% instead of 80% right (by labels of which some are wrong)."""
    photos = workspace.manifest()
    learned = photos.index[photos["split"] != "test"]
    wrong = np.random.default_rng(0).permutation(learned)[: len(learned) // 8]
    names = sorted(photos["label"].unique())
    photos.loc[wrong, "label"] = [names[names.index(label) - 1] for label in photos["label"][wrong]]
    workspace.save_manifest(photos, workspace.skipped())
    audit(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    asked = []

    def told(workspace, photos, config, progress=None, fraction=1.0, taught=None):
        asked.append(taught)
        kept = photos[photos["split"] != "test"]["path"]
        return pd.Series(np.arange(len(kept)) % 10 < (8 if taught is None else 9), index=kept, dtype=float)

    for module in (gains, losses):
        monkeypatch.setattr(module, "right_by_photo", told)
    gain = by_action(what_helps(workspace)[0])["labels"]
    taught = next(labels for labels in asked if labels is not None)
    truth = dict(zip(photos["path"], workspace.manifest()["label"], strict=True))
    assert f"{len(taught)} photos to decide" in gain.title
    assert all(label != truth[path] for path, label in taught.items())
    assert 0 < gain.low < gain.gain < gain.high


def test_what_is_right_is_remembered_and_never_about_photos_that_were_learned(workspace, monkeypatch):
    photos = workspace.photos()
    right = right_by_photo(workspace, photos, SPEC)
    assert set(right.index) == set(photos.loc[photos["split"] != "test", "path"])
    assert right.isin([0.0, 1.0]).all()
    half = right_by_photo(workspace, photos, SPEC, fraction=0.5)
    assert half.isin([0.0, 0.5, 1.0]).all()
    monkeypatch.setattr("cvtune_nb.advice.cross_validation.features", lambda *a: pytest.fail("it was computed again"))
    pd.testing.assert_series_equal(right_by_photo(workspace, photos, SPEC), right, check_names=False)
    scrambled = pd.Series(np.random.default_rng(0).permutation(photos["label"]), index=photos["path"])
    monkeypatch.undo()
    assert right_by_photo(workspace, photos, SPEC, taught=scrambled).mean() < right.mean()


def test_too_few_photos_tell_nothing(workspace):
    photos = workspace.photos()
    last = photos[(photos["label"] == photos["label"].iloc[0]) & (photos["split"] != "test")]
    for path in last["path"].iloc[FOLDS - 1 :]:
        workspace.decide(path, "exclude")
    with pytest.raises(InputError, match=f"fewer than {FOLDS} different photos"):
        what_helps(workspace)


def test_what_a_prediction_came_to(workspace):
    first = fit(workspace, CONFIG)
    SvmExplorer(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(96)))
    told = by_action(what_helps(workspace, first)[0])
    assert set(told) == {"photos", "image_size", "epochs"}
    assert real_gains(workspace).empty
    later = fit(workspace, replace(CONFIG, **told["image_size"].change))
    more = fit(workspace, replace(CONFIG, epochs=8))
    real = real_gains(workspace).set_index("action")
    assert real["run"].to_dict() == {"image_size": later.id, "epochs": more.id}
    gain = later.validation.value - first.validation.value
    assert real.at["image_size", "real"] == pytest.approx(gain)
    assert f"real {gain * 100:+.1f}" in real.at["image_size", "words"]
    workspace.decide(workspace.photos().query("split == 'train'")["path"].iloc[0], "exclude")
    cleaned = fit(workspace, CONFIG)
    assert "labels" not in real_gains(workspace).set_index("action").index  # that was not predicted
    assert len(runs(workspace)) == 4
    assert cleaned.data_id != first.data_id
    what_helps(workspace, first)  # told after the event: no prediction
    assert len(real_gains(workspace)) == 2
    entry = read_json_lines(workspace.folder / "gains.jsonl")[0]
    assert entry["run"] == first.id
    assert math.isclose(entry["accuracy"], first.validation.value)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_run_that_differs_in_more_than_the_step_is_not_what_came_of_it(workspace, name):
    first = made_run(workspace, 0.5)
    gain = {"action": "image_size", "title": "Larger", "gain": 0.1, "low": 0.0, "high": 0.2}
    entry = {"run": first.id, "last_run": first.id, "train_photos": 1, "gains": [gain | {"change": {"image_size": 96}}]}
    append_json_lines(workspace.folder / "gains.jsonl", entry)
    made_run(workspace, 0.7, **{name: OTHERS[name], "image_size": 96})
    # a schedule brings its own number of epochs
    assert len(real_gains(workspace)) == (name in (*outcomes.TUNED, "image_size") and name != "schedule")
