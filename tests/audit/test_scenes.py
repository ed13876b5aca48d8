"""Frames of one scene on both sides of the split, known by their features and by their names or times."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.audit import audit, scenes
from cvtune_nb.audit.scenes import candidates, look
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from tests.audit.contexts import known
from tests.photos import draw_photo

SCENES, FRAMES, WIDTH = 60, 6, 40


def filmed(name, alike=0.2, seed=0):
    """(photos, features): frames of scenes of two classes that hardly differ, `alike` noise from frame to frame."""
    random = np.random.default_rng(seed)
    scene = np.repeat(np.arange(SCENES), FRAMES)
    frame = np.tile(np.arange(FRAMES), SCENES)
    label = np.where(scene % 2, "a", "b")
    centre = random.normal(size=(SCENES, WIDTH))
    centre[::2, 0] += 1.0
    photos = pd.DataFrame(
        {
            "path": [f"{of}/{name(s, f)}" for of, s, f in zip(label, scene, frame, strict=True)],
            "label": label,
            "split": random.choice(["train", "validation", "test"], len(scene), p=[0.7, 0.15, 0.15]),
            "sha256": [f"{row:064x}" for row in range(len(scene))],
            "group": [f"{row:016x}" for row in range(len(scene))],
        }
    )
    return photos, centre[scene] + alike * random.normal(size=(len(scene), WIDTH))


def alone(photos):
    return np.arange(len(photos))


def times(photos, gap):
    """Every frame a second after the one before, every scene `gap` seconds after."""
    number = np.arange(len(photos))
    seconds = number + number // FRAMES * float(gap)
    clock = [f"{second:.0f}" for second in seconds]
    return pd.DataFrame({"sha256": photos["sha256"], "camera": "X", "time": clock, "seconds": seconds})


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (lambda s, f: f"scene-{s:03d}_{f}.jpg", r"^(.*\D)\d+\.\w+$"),
        (lambda s, f: f"{s}/{f:04d}.jpg", r"^(.*)/[^/]*$"),
        (lambda s, f: f"{s:03d}_{'xyzuvw'[f]}.jpg", r"^(.*/\D*\d+)\D[^/]*$"),
        (lambda s, f: f"frame{10 * s + f:04d}.jpg", r"^(.*\d)\d\.\w+$"),
    ],
)
def test_scenes_are_found_by_what_names_have_in_common(name, rule):
    photos, features = filmed(name)
    found = look(photos, features, alone(photos))
    assert found and found.rule == rule
    assert (found.groups, found.photos) == (SCENES, SCENES * FRAMES) and found.divided > 30
    assert found.nearest > 0.9 and found.chance < 0.05
    assert found.apart - found.together == pytest.approx(found.flatters) and found.flatters > 0.1
    assert 0 < found.low < found.flatters < found.high
    first, second = (photos.set_index("path").loc[path] for path in found.example)
    assert first["split"] != second["split"]
    assert f"--group-by '{rule}' --redraw-split" in found.remedy and "overstated by" in found.words


def test_scenes_are_found_by_time_where_names_say_nothing():
    random = np.random.default_rng(1)
    photos, features = filmed(lambda s, f: f"{random.integers(10**12):x}x.jpg")
    assert look(photos, features, alone(photos)) is None
    assert look(photos, features, alone(photos), times(photos, 30)).rule == "time:2"
    assert look(photos, features, alone(photos), times(photos, 0)) is None, "one scene is all there is"


def numbered(s, f):
    return f"scene-{s:03d}_{f}.jpg"


def test_names_alone_make_no_scenes():
    photos, features = filmed(numbered)
    features = np.random.default_rng(2).normal(size=features.shape)
    features[:, 0] += photos["label"] == "a"
    assert look(photos, features, alone(photos)) is None


def test_kinds_within_a_class_are_no_scenes():
    """Five breeds of a class, each with photos of its own: nearest to each other, but large groups."""
    photos, features = filmed(lambda s, f: f"breed{s % 10 // 2}/{s}{f}x.jpg")
    breed = np.array([int(path.split("breed")[1][0]) for path in photos["path"]])
    features = np.random.default_rng(3).normal(size=features.shape)
    features[np.arange(len(photos)), breed] += 4
    assert look(photos, features, alone(photos)) is None


def test_what_is_kept_together_already_is_no_warning():
    photos, features = filmed(numbered)
    scene = np.repeat(np.arange(SCENES), FRAMES)
    assert look(photos, features, scene) is None, "they are known to belong together"
    undivided = photos.assign(split=np.where(scene < 40, "train", np.where(scene < 50, "validation", "test")))
    assert look(undivided, features, alone(photos)) is None, "the split does not divide them"


def test_scenes_that_do_not_flatter_are_no_warning():
    photos, features = filmed(numbered)
    features[:, 1] = np.where(photos["label"] == "a", 9, -9)
    assert look(photos, features, alone(photos)) is None


def test_groups_of_whole_classes_are_no_candidates():
    photos, _ = filmed(lambda s, f: f"{FRAMES * s + f:04d}.jpg")
    rules = [rule for rule, _ in candidates(photos, None)]
    assert rules == [r"^(.*\d)\d\.\w+$", r"^(.*\d)\d\d\.\w+$"]


@pytest.mark.parametrize("count", [0, 1, 25])
def test_few_photos_are_looked_at_too(count):
    photos, features = filmed(numbered)
    assert look(photos[:count], features[:count], np.arange(count)) is None


def test_many_photos_are_measured_on_some_whole_groups(monkeypatch):
    photos, features = filmed(numbered)
    whole = look(photos, features, alone(photos))
    monkeypatch.setattr(scenes, "ENOUGH", 200)
    monkeypatch.setattr(scenes, "ASKED", 100)
    monkeypatch.setattr(scenes, "COLUMNS", 64)
    some = look(photos, features, alone(photos))
    assert some and some.rule == whole.rule and some.groups == whole.groups


def test_the_groups_of_a_context_are_of_copies_and_of_what_the_person_said():
    photos, _ = filmed(numbered)
    context = known(photos=photos[:6].assign(group=list("aabcde")))
    context.duplicates = scenes_of([0, 1, 1, 2, 3, 3])
    assert context.groups.tolist() == [0, 0, 0, 1, 2, 2]


def scenes_of(groups):
    from cvtune_nb.audit.duplicates import Duplicates

    return Duplicates(np.array(groups), pd.DataFrame(columns=["first", "second", "similarity", "exact"]))


def test_the_audit_of_frames_warns_offers_a_rule_and_is_silent_once_it_is_used(tmp_path):
    """Two classes of the same disc, which only the background of a scene tells apart."""
    random = np.random.default_rng(0)
    for scene in range(24):
        label, background = "ab"[scene % 2], np.random.default_rng(scene)
        photo = draw_photo(scene % 5, 150, background)
        for frame in range(5):
            left, top = random.integers(0, 30, 2)
            file = tmp_path / "photos" / label / f"scene-{scene:02d}_{frame}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            turned = photo.rotate(random.uniform(-15, 15), fillcolor=(90, 90, 90))
            turned.crop((left, top, left + 100, top + 100)).save(file, quality=70)
    spec = FeatureSpec("efficientnet_lite0", Preprocessing(96))
    space = open_workspace(tmp_path / "photos", tmp_path / "w")
    found = audit(space, spec)
    assert "scenes" in set(found.issues["issue"])
    rule = found.summary["scenes"]["rule"]
    assert found.summary["scenes"]["flatters"] > 0.1
    again = open_workspace("", tmp_path / "w", group_by=rule, redraw_split=True)
    assert "scenes" not in set(audit(again, spec).issues["issue"])


def test_a_rule_that_the_person_has_set_is_not_to_be_replaced():
    found = scenes.Scenes("(.*)_", 9, 40, 4, 0.9, 0.1, ("a", "b"), 0.9, 0.7, 0.2, 0.1, 0.3)
    texts = []
    for rule in ("", "column:patient"):
        context = SimpleNamespace(scenes=found, workspace=SimpleNamespace(group_by=rule))
        texts.append(str(scenes.scenes(context)[0]))
    assert "--redraw-split" in texts[0] and "--redraw-split" not in texts[1]
    assert "your rule column:patient is kept" in texts[1]
