"""The audit of a small set of made photos with everything wrong that it looks for, through the real network."""

import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from cvtune_nb.audit import audit, load_audit, payoff
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import Stopped
from tests.photos import make_photos

CLASSES = ("<b>disc & co", "Quadrat ü", "stripes")
SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(96))


def plant(folder):
    """Plant faults; returns kind -> paths."""
    disc, square, stripes = (folder / name for name in CLASSES)
    planted = {"mislabelled": [], "duplicate": [], "two-classes": []}
    for number in (1, 2):
        shutil.move(disc / f"{CLASSES[0]}-{number:03d}.jpg", stripes / f"wrong{number}.jpg")
        planted["mislabelled"].append(f"{CLASSES[2]}/wrong{number}.jpg")
    shutil.copy(square / f"{CLASSES[1]}-003.jpg", square / "same.jpg")
    mirrored = ImageOps.mirror(Image.open(square / f"{CLASSES[1]}-004.jpg")).resize((130, 125))
    mirrored.save(square / "mirrored.jpg", quality=60)
    for copy, original in (("same", "003"), ("mirrored", "004")):
        planted["duplicate"] += [f"{CLASSES[1]}/{copy}.jpg", f"{CLASSES[1]}/{CLASSES[1]}-{original}.jpg"]
    shutil.copy(disc / f"{CLASSES[0]}-005.jpg", square / "both.jpg")
    planted["mislabelled"].append(f"{CLASSES[1]}/both.jpg")
    planted["two-classes"] = [f"{CLASSES[0]}/{CLASSES[0]}-005.jpg", f"{CLASSES[1]}/both.jpg"]
    ImageEnhance.Brightness(Image.open(disc / f"{CLASSES[0]}-006.jpg")).enhance(0.2).save(disc / "night.jpg")
    (disc / f"{CLASSES[0]}-006.jpg").unlink()
    image = Image.open(square / f"{CLASSES[1]}-007.jpg").filter(ImageFilter.GaussianBlur(7))
    image.save(square / f"{CLASSES[1]}-007.jpg")
    (stripes / "cut.jpg").write_bytes((stripes / f"{CLASSES[2]}-008.jpg").read_bytes()[:900])
    (folder / "notes.txt").write_text("not a photo")
    planted["dark"] = [f"{CLASSES[0]}/night.jpg"]
    planted["blurry"] = [f"{CLASSES[1]}/{CLASSES[1]}-007.jpg"]
    planted["corrupt"] = [f"{CLASSES[2]}/cut.jpg"]
    return {kind: set(paths) for kind, paths in planted.items()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of photos, its audited workspace, the audit and what was planted."""
    folder = make_photos(tmp_path_factory.mktemp("audit") / "photos", CLASSES, per_class=24)
    planted = plant(folder)
    workspace = open_workspace(folder, folder.parent / "workspace")
    return folder, workspace, audit(workspace, SPEC), planted


@pytest.fixture
def workspace(prepared, tmp_path):
    """A copy of the audited workspace, to decide in."""
    folder, original, _, _ = prepared
    shutil.copytree(original.folder, tmp_path / "workspace")
    return open_workspace(folder, tmp_path / "workspace")


def listed(issues: pd.DataFrame, kind: str) -> set[str]:
    return set(issues.loc[issues["issue"] == kind, "path"])


@pytest.mark.parametrize("kind", ["mislabelled", "two-classes", "dark", "corrupt"])
def test_what_was_planted_is_found_and_nothing_else(prepared, kind):
    _, _, result, planted = prepared
    assert listed(result.issues, kind) == planted[kind]


def test_the_blurred_photo_is_found_with_at_most_one_false_alarm(prepared):
    _, _, result, planted = prepared
    blurry = result.issues.query("issue == 'blurry'")
    assert blurry["path"].iloc[0] in planted["blurry"] and len(blurry) <= 2


def test_copies_are_found(prepared):
    _, _, result, planted = prepared
    assert planted["duplicate"] | planted["two-classes"] <= listed(result.issues, "duplicate")
    pairs = result.issues.query("issue == 'duplicate'").set_index("path")["other"]
    assert pairs[f"{CLASSES[1]}/mirrored.jpg"] == f"{CLASSES[1]}/{CLASSES[1]}-004.jpg"


def test_suggested_labels_are_the_true_ones(prepared):
    _, _, result, planted = prepared
    scores = result.scores.set_index("path")
    assert set(scores.loc[sorted(planted["mislabelled"]), "suggested_label"]) == {CLASSES[0]}
    assert scores.loc[f"{CLASSES[0]}/{CLASSES[0]}-010.jpg", "label_quality"] > 0.5


def test_the_set_is_described(prepared):
    _, workspace, result, _ = prepared
    few = result.issues.query("issue == 'few-images'")
    assert len(few) == 3 and (few["path"] == "").all()
    assert result.summary["photos"] == len(workspace.manifest()) == len(result.scores)
    assert result.summary["issues"]["mislabelled"] == 3 and result.summary["image_size"] == 96


def test_the_files_say_the_same_as_the_result(prepared):
    _, workspace, result, _ = prepared
    again = load_audit(workspace)
    pd.testing.assert_frame_equal(again.issues, result.issues)
    pd.testing.assert_frame_equal(again.scores, result.scores)
    assert again.summary == result.summary
    header = (workspace.audit / "issues.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("path,issue,score,detail,suggestion")
    header = (workspace.audit / "scores.csv").read_text(encoding="utf-8").splitlines()[0]
    assert {"path", "label_quality", "suggested_label"} <= set(header.split(","))


def test_twice_the_same_and_the_photos_untouched(prepared, workspace):
    folder, _, result, _ = prepared

    def contents():
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}

    before = contents()
    again = audit(workspace, SPEC)
    pd.testing.assert_frame_equal(again.issues, result.issues)
    pd.testing.assert_frame_equal(again.scores, result.scores)
    assert contents() == before


def test_no_audit_yet(prepared, tmp_path):
    folder, *_ = prepared
    assert load_audit(open_workspace(folder, tmp_path / "empty")) is None


def test_decisions_count(prepared, workspace):
    _, _, _, planted = prepared
    excluded = f"{CLASSES[1]}/both.jpg"
    relabelled, kept = sorted(planted["mislabelled"] - {excluded})
    workspace.decide(relabelled, "relabel", CLASSES[0], "mislabelled")
    workspace.decide(kept, "keep", reason="mislabelled")
    workspace.decide(next(iter(planted["dark"])), "keep", reason="blurry")
    workspace.decide(excluded, "exclude", reason="two-classes")
    result = audit(workspace, SPEC)
    scores = result.scores.set_index("path")
    assert listed(result.issues, "mislabelled") == set()
    assert scores.loc[relabelled, "label"] == CLASSES[0] and scores.loc[relabelled, "label_quality"] > 0.5
    assert scores.loc[kept, "label_quality"] < 0.05, "kept, not forgotten"
    assert listed(result.issues, "two-classes") == set() and excluded not in scores.index
    assert listed(result.issues, "dark") == planted["dark"], "kept in spite of another issue"
    for path in (relabelled, kept):
        workspace.decide(path, "undo")
    assert listed(audit(workspace, SPEC).issues, "mislabelled") == {relabelled, kept}


def test_no_copies_are_two_groups_and_copies_are_in_one_split(prepared, workspace):
    copy, original = f"{CLASSES[1]}/mirrored.jpg", f"{CLASSES[1]}/{CLASSES[1]}-004.jpg"
    manifest = workspace.manifest().set_index("path")
    assert manifest.at[copy, "group"] == manifest.at[original, "group"]
    assert manifest.at[copy, "split"] == manifest.at[original, "split"]
    assert "leak" not in load_audit(workspace).summary["issues"]
    workspace.decide(copy, "distinct", to=original)
    again = audit(workspace, SPEC)
    assert not {copy, original} & set(again.issues.loc[again.issues["issue"] == "duplicate", "path"])
    manifest = workspace.manifest().set_index("path")
    assert manifest.at[copy, "group"] != manifest.at[original, "group"]


def test_a_keep_without_a_kind_keeps_the_photo_in_spite_of_everything(prepared, workspace):
    _, _, result, planted = prepared
    path = min(planted["two-classes"])
    assert len(result.issues.query("path == @path")) >= 2
    workspace.decide(path, "keep", reason="I like it")
    assert audit(workspace, SPEC).issues.query("path == @path").empty


def test_payoff_of_nothing_and_of_undoing_damage(prepared, workspace):
    nothing = payoff(workspace)
    assert nothing.before == nothing.after and nothing.paired.difference == 0
    assert "nothing was relabelled" in nothing.words
    training = workspace.photos().query("split == 'train'")
    stripes = training[training["label"] == CLASSES[2]]["path"]
    for path in stripes[:-2]:  # damage: nearly all stripes are called squares
        workspace.decide(path, "relabel", CLASSES[1])
    worse = payoff(workspace)
    assert worse.relabelled == len(stripes) - 2 and worse.excluded == 0
    assert worse.before.n == worse.after.n == (workspace.photos()["split"] == "validation").sum()
    assert worse.after.value < worse.before.value and worse.paired.difference == pytest.approx(
        worse.after.value - worse.before.value
    )


def test_a_stop_leaves_the_last_audit_as_it_was(prepared, workspace):
    before = (workspace.audit / "issues.csv").read_bytes()

    def stop(share, words):
        assert 0 <= share <= 1 and words
        if share > 0.85:
            raise Stopped

    workspace.decide(workspace.manifest()["path"][0], "exclude")
    with pytest.raises(Stopped):
        audit(workspace, SPEC, stop)
    assert (workspace.audit / "issues.csv").read_bytes() == before


def test_progress_grows(workspace):
    shares = []
    audit(workspace, SPEC, lambda share, words: shares.append(share))
    assert np.all(np.diff(shares) >= 0) and shares[-1] == 1
