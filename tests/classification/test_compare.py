"""The race of frozen networks: on made features of known quality, by a clock of the test's; and once for real."""

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import candidates, compare
from cvtune_nb.classification.candidates import Candidate
from cvtune_nb.classification.compare import cross_validated, rounds, sample
from cvtune_nb.classification.comparison import last_comparison
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.objective import choose
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import read_json
from tests.photos import make_photos

GOOD, FAIR, POOR = (FeatureSpec(f"test_{name}:random", Preprocessing(64)) for name in ("vit", "resnet", "convnext"))
LITE0, LITE2 = (FeatureSpec(f"efficientnet_lite{number}", Preprocessing(64)) for number in (0, 2))


def table(count, classes=4, split="train"):
    """The manifest of so many photos; none is a copy of another."""
    names = [f"{split}-{number:05d}" for number in range(count)]
    labels = [f"class {number % classes}" for number in range(count)]
    values = {"path": names, "sha256": names, "group": names, "label": labels, "split": split}
    return pd.DataFrame({**values, "width": 100, "height": 100, "bytes": 1})


class Track:
    """A race course: photos, networks of known quality (noise) and speed, and a clock that their work moves on."""

    def __init__(self, photos):
        self.photos, self.noise, self.speed = photos, {}, {}
        self.now, self.computed, self.seen = 0.0, set(), set()

    def enter(self, spec, noise, speed=100.0):
        """A candidate: the more noise, the worse."""
        self.noise[spec], self.speed[spec] = noise, speed
        return Candidate(spec)

    def missing(self, _, spec, keys):
        return [key for key in keys if (spec, key) not in self.computed]

    def features(self, _, photos, spec, progress):
        for key in self.missing(None, spec, list(photos["sha256"])):
            self.now += 1 / self.speed[spec]
            self.computed.add((spec, key))
            progress(0.5, "computing")
        self.seen |= set(photos["split"])
        labels = photos["label"].astype("category").cat.codes.to_numpy()
        numbers = [np.random.default_rng([int(key[-5:]), 7]).normal(size=12) for key in photos["sha256"]]
        return SimpleNamespace(matrix=np.eye(12)[labels] + self.noise[spec] * np.array(numbers) + 1e-3)


@pytest.fixture
def track(monkeypatch, workspace):
    made = Track(pd.concat([table(1200), table(80, split="validation"), table(80, split="test")], ignore_index=True))
    monkeypatch.setattr(type(workspace), "photos", lambda _: made.photos)
    for module, name, value in (
        (compare, "features", made.features),
        (compare, "missing", made.missing),
        (compare, "pixels", lambda *_: None),
        (candidates, "missing", made.missing),
        (candidates, "network_speed", lambda _, spec: made.speed.get(spec)),
    ):
        monkeypatch.setattr(module, name, value)
    return made


def race(workspace, track, entered, **values):
    return compare.compare(workspace, entered, clock=lambda: track.now, **values)


def row(found, spec):
    return found.table[found.table["backbone"] == spec.backbone].iloc[0]


def test_what_cannot_win_is_dropped_and_the_rest_go_on(workspace, track):
    entered = [track.enter(GOOD, 0.3, 20), track.enter(FAIR, 0.305, 50), track.enter(POOR, 1.5, 100)]
    found = race(workspace, track, entered)
    assert found.table["state"].tolist() == ["finished", "finished", "dropped"]
    assert found.table["photos"].tolist() == [1200, 1200, 250]
    assert "after 250 photos" in row(found, POOR)["why"] and "points less" in row(found, POOR)["why"]
    assert row(found, POOR)["high"] < row(found, GOOD)["low"]
    assert track.seen == {"train"}, "validation and test photos are left for later steps"
    assert found.recommended["speed"].spec == FAIR and "2.5 times as fast" in found.recommended["speed"].why


def test_nothing_is_computed_twice_and_the_same_comparison_again_takes_no_time(workspace, track):
    entered = [track.enter(GOOD, 0.3), track.enter(POOR, 1.5)]
    first = race(workspace, track, entered)
    spent, shown = track.now, []
    assert spent == pytest.approx((1200 + 250) / 100)
    again = race(workspace, track, entered, on_change=shown.append)
    assert track.now == spent
    pd.testing.assert_frame_equal(again.table, first.table)
    assert len(shown) >= len(entered)


def test_the_budget_is_kept_and_what_it_left_out_says_so(workspace, track):
    entered = [track.enter(GOOD, 0.3, 100), track.enter(FAIR, 0.305, 10), track.enter(POOR, 0.5, 1)]
    found = race(workspace, track, entered, budget_seconds=40)
    assert track.now <= 41
    assert row(found, GOOD)["state"] == "finished"
    assert (row(found, FAIR)["photos"], row(found, FAIR)["state"]) == (250, "not within budget")
    assert "after 250 photos: " in row(found, FAIR)["why"]
    assert row(found, POOR)["photos"] == 0 and "would take about 4.2 min" in row(found, POOR)["why"]
    assert found.recommended["accuracy"].spec == GOOD


def test_a_network_that_is_slower_than_expected_is_broken_off(workspace, track, monkeypatch):
    entered = [track.enter(GOOD, 0.3, 100), track.enter(FAIR, 0.3, 10)]
    monkeypatch.setattr(candidates, "network_speed", lambda *_: 1000.0)
    found = race(workspace, track, entered, budget_seconds=20)
    assert track.now == pytest.approx(20, abs=0.2)
    assert row(found, FAIR)["state"] == "not within budget" and "the time was up" in row(found, FAIR)["why"]
    assert row(found, GOOD)["photos"] == 250


def test_a_stop_keeps_the_work_and_the_next_call_goes_on(workspace, track):
    entered = [track.enter(GOOD, 0.3), track.enter(FAIR, 0.305)]

    def stop(share, words):
        if track.now > 6:
            raise Stopped

    found = race(workspace, track, entered, progress=stop)
    assert set(found.table["state"]) == {"stopped"} and set(found.table["photos"]) == {250}
    kept = last_comparison(workspace)
    assert kept.table["state"].tolist() == ["stopped", "stopped"] and kept.recommended == found.recommended
    before = track.now
    assert set(race(workspace, track, entered).table["state"]) == {"finished"}
    assert track.now < before + 2 * 1200 / 100 - 5, "what was computed before is there"


def test_the_leader_on_imagenet_stays_to_the_end(workspace, track):
    entered = [track.enter(LITE0, 0.3), track.enter(LITE2, 1.5), track.enter(POOR, 1.5)]
    found = race(workspace, track, entered)
    assert (row(found, LITE2)["state"], row(found, LITE2)["photos"]) == ("finished", 1200)
    assert row(found, POOR)["state"] == "dropped"
    assert found.recommended["accuracy"].spec == LITE0
    assert found.imagenet.startswith("efficientnet_lite2 leads on ImageNet")


def test_own_weights_are_a_candidate_of_their_own_that_leads_nowhere_on_imagenet(workspace, track, tmp_path):
    (tmp_path / "plants.pth").write_bytes(b"tensors")
    own = FeatureSpec("efficientnet_lite2", Preprocessing(64), str(tmp_path / "plants.pth"))
    entered = [track.enter(LITE0, 0.3), track.enter(own, 1.5)]
    found = race(workspace, track, entered)
    assert row(found, own)["state"] == "dropped", "only published weights stay for their rank on ImageNet"
    own = FeatureSpec("efficientnet_lite2", Preprocessing(96), own.weights)
    found = race(workspace, track, [track.enter(LITE2, 0.9), track.enter(own, 0.3)])
    assert found.recommended["accuracy"].spec == own and found.files == ["plants.pth", ""]
    assert found.imagenet.startswith("efficientnet_lite2 leads on ImageNet")
    assert last_comparison(workspace).recommended["accuracy"].spec == own


def test_what_is_out_of_reach_is_listed_and_a_network_that_fails_does_not_end_the_race(workspace, track, monkeypatch):
    def broken(workspace, photos, spec, progress):
        if spec == FAIR:
            raise InputError("its weights are damaged")
        return track.features(workspace, photos, spec, progress)

    entered = [track.enter(GOOD, 0.3), track.enter(FAIR, 0.3), Candidate(POOR, "not on disk")]
    monkeypatch.setattr(compare, "features", broken)
    found = race(workspace, track, entered)
    assert row(found, FAIR)[["state", "why"]].tolist() == ["out of reach", "its weights are damaged"]
    assert row(found, POOR)[["state", "why", "photos"]].tolist() == ["out of reach", "not on disk", 0]
    assert row(found, GOOD)["state"] == "finished"
    with pytest.raises(InputError, match=r"no network can be compared here .*not on disk"):
        race(workspace, track, entered[2:])


def test_the_progress_says_how_much_time_is_left(workspace, track):
    said = []
    race(workspace, track, [track.enter(GOOD, 0.3)], progress=lambda share, words: said.append((share, words)))
    shares = [share for share, _ in said]
    assert all(0 <= share <= 1 for share in shares) and shares[-1] > 0.8
    assert any(
        re.search(r"test_vit:random at 64 pixels, 250 photos; (about|at most) \d+ s left", words) for _, words in said
    )


# -- photos and folds ---------------------------------------------------------------------------------------------


def test_the_first_photos_of_the_sample_are_a_sample_too():
    rare = table(50, 1).assign(label="rare", sha256=lambda photos: "rare" + photos["sha256"])
    photos = pd.concat([table(900, 3), rare])
    drawn = sample(photos, 400)
    assert len(drawn) == 400 and drawn.equals(sample(photos.iloc[::-1], 400)), "the order of the manifest is no matter"
    for count in (40, 200, 400):
        part = drawn.head(count)["label"].value_counts(normalize=True)
        assert part["rare"] == pytest.approx(50 / 950, abs=0.02)
    assert set(sample(pd.concat([photos, table(99, split="test")]), 2000)["split"]) == {"train"}


def test_too_few_photos_are_refused():
    with pytest.raises(InputError, match="fewer than two classes have 4 different photos"):
        sample(table(12, 4))


@pytest.mark.parametrize(
    ("count", "classes", "expected"),
    [
        (2000, 10, [250, 500, 1000, 2000]),
        (1275, 10, [250, 500, 1275]),
        (60, 3, [60]),
        (2000, 60, [600, 1200, 2000]),
        (300, 5, [250, 300]),
    ],
)
def test_rounds_grow(count, classes, expected):
    assert rounds(count, classes) == expected


def test_copies_stay_together():
    random = np.random.default_rng(0)
    matrix, labels = random.normal(size=(60, 400)), random.permutation(["a", "b", "c"] * 20).astype(object)
    twice, said = np.repeat(matrix, 2, axis=0), np.repeat(labels, 2)
    apart = cross_validated(twice, said, np.arange(120)).right.mean()
    assert apart > 0.8 > 0.5 > cross_validated(twice, said, np.repeat(np.arange(60), 2)).right.mean()


def test_a_class_of_one_photo_counts_as_wrong():
    matrix, labels = np.eye(3)[[0, 1] * 10 + [2]] + 0.01, np.array(["a", "b"] * 10 + ["once"], object)
    assert cross_validated(matrix, labels, np.arange(21)).right.tolist() == [True] * 20 + [False]


# -- for real -----------------------------------------------------------------------------------------------------


def test_networks_are_compared_and_their_features_kept(workspace):
    there = candidates.listed(workspace, ["test_efficientnet:random", "efficientnet_lite0"], [64], pooling="last")
    found = compare.compare(workspace, there)
    assert found.table["state"].tolist() == ["finished", "finished"]
    assert found.recommended["accuracy"].spec == LITE0
    assert found.table["images_per_second"].notna().all() and (found.table["seconds"] > 0).all()
    train = workspace.photos().query("split == 'train'")
    assert found.table["photos"].tolist() == [len(train)] * 2
    assert all(features(workspace, train, one.spec).cached for one in there)
    kept = last_comparison(workspace)
    pd.testing.assert_frame_equal(kept.table, found.table, check_dtype=False)
    assert kept.recommended == found.recommended and kept.sentences == found.sentences


def test_photos_are_decoded_once_for_all_sizes(tmp_path):
    from cvtune_nb.data import open_workspace

    opened = open_workspace(make_photos(tmp_path / "photos", per_class=12), tmp_path / "workspace")
    shutil.rmtree(opened.cache)  # pixels of the usual size, from the opening
    compare.compare(opened, candidates.listed(opened, ["test_efficientnet:random"], [64, 96]))
    assert [folder.name for folder in opened.cache.glob("pixels-*")] == ["pixels-110"]


def test_features_of_several_stages_are_computed_once_with_the_networks_own(workspace):
    there = candidates.listed(workspace, ["test_efficientnet:random"], [32])
    found = compare.compare(workspace, there)
    assert found.table["state"].tolist() == ["finished"] * 2
    assert sorted(found.table["pooling"]) == ["last", "stages"]
    kept = [folder.name for folder in workspace.cache.glob("features-test_efficientnet*-32*")]
    assert kept == ["features-test_efficientnet-random-32-stages"], "one extraction for both"
    assert found.table["images_per_second"].notna().all()


def test_the_race_goes_by_what_counts_and_probabilities_are_kept(workspace, track, monkeypatch):
    """GOOD takes all of a small class for the large one; FAIR finds something of each."""
    photos = table(1200, classes=12)
    photos["label"] = photos["label"].map(lambda name: name if name in ("class 0", "class 1") else "class 2")
    monkeypatch.setattr(track, "photos", photos)

    def seen(_, asked, spec, progress):
        found = track.features(_, asked, spec, progress)
        if spec == GOOD:
            found.matrix[(asked["label"] == "class 0").to_numpy()] += np.eye(12)[2] - np.eye(12)[0]
        return found

    monkeypatch.setattr(compare, "features", seen)
    monkeypatch.setattr(compare, "FIRST", 1200)
    entered = [track.enter(GOOD, 0.1), track.enter(FAIR, 0.6)]
    by_accuracy = race(workspace, track, entered)
    files = sorted(workspace.cache.glob("compared-*"))
    assert by_accuracy.recommended["accuracy"].spec == GOOD and not by_accuracy.table.filter(like="objective").size
    assert {file.suffix for file in files} == {".json"}
    choose(workspace, "balanced-accuracy")
    found = race(workspace, track, entered)
    assert found.recommended["accuracy"].spec == FAIR
    assert found.table["backbone"].iloc[0] == FAIR.backbone
    assert row(found, FAIR)["objective_value"] > row(found, GOOD)["objective_value"]
    assert row(found, FAIR)["accuracy"] < row(found, GOOD)["accuracy"]
    choose(workspace, "costs:class 0>class 2=20")
    monkeypatch.setattr(compare, "cross_validated", lambda *_: pytest.fail("the probabilities are there"))
    assert race(workspace, track, entered[1:]).counted.label == "mean cost"
    assert read_json(files[0])["wrong"] is not None
