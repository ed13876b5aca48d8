"""A property of every data set: each photo has the label, the split and the boxes that it was given, or a report names
it. 330 sets, made at random from seeds by generators that know the truth."""

from pathlib import Path

import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.detection import open_dataset
from cvtune_nb.errors import InputError
from tests.generated import boxed, labelled
from tests.generated.made import accounted_for, key

TOLERANCE = 0.002
"""Shares of a photo by which a side of a box may differ: six digits in the file, and pixels of small photos."""


def require_truth(made: labelled.Labelled, folder: Path) -> None:
    """Every photo with a label is there with it, every other file is reported, and there are no other classes."""
    try:
        space = open_workspace(made.source, folder / "workspace", pixels_gb=0)
    except InputError as refused:
        if made.doubtful and "--layout" in str(refused):
            return
        raise
    manifest = space.manifest()
    seen = {row.sha256: (row.label, row.split) for row in manifest.itertuples()}
    assert set(seen) == set(made.truth), made.words
    for content, (label, split) in made.truth.items():
        found_label, found_split = seen[content]
        assert found_label == label, made.words
        allowed = {split} | (made.drawn if split == "train" else set())
        assert not split or found_split in allowed, (found_split, split, made.words)
    reported = list(space.skipped()["path"])
    for path, content in made.files.items():
        if key(content) not in made.truth and path != made.table:
            assert accounted_for(path, reported), (path, reported, made.words)


@pytest.mark.parametrize("number", range(120))
def test_every_photo_in_folders_has_its_label_and_split_or_is_reported(number, tmp_path):
    require_truth(labelled.folders(tmp_path, number), tmp_path)


@pytest.mark.parametrize("number", range(60))
def test_every_photo_of_a_table_has_its_label_and_split_or_is_reported(number, tmp_path):
    require_truth(labelled.table(tmp_path, number), tmp_path)


@pytest.mark.parametrize("number", range(20))
def test_a_set_with_two_readings_is_refused_by_name(number, tmp_path):
    source, named = labelled.ambiguous(tmp_path, number)
    with pytest.raises(InputError) as refused:
        open_workspace(source, tmp_path / "workspace", pixels_gb=0)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert all(name in sentence for name in named), sentence
    assert not (tmp_path / "workspace" / "manifest.csv").exists()


def same(one: list, other: list) -> bool:
    """Whether two lists of boxes agree, in any order."""
    return len(one) == len(other) and all(
        a[0] == b[0] and max(abs(x - y) for x, y in zip(a[1:], b[1:], strict=True)) < TOLERANCE
        for a, b in zip(sorted(one), sorted(other), strict=True)
    )


@pytest.mark.parametrize("number", range(130))
def test_every_box_lies_on_its_photo_or_is_reported(number, tmp_path):
    made = boxed.boxed(tmp_path / "photos", number)
    dataset = open_dataset(made.source, tmp_path / "workspace")
    photos, problems = dataset.annotations.photos, dataset.annotations.problems
    assert set(photos["sha256"]) == set(made.truth), made.words
    boxes: dict[str, list] = {path: [] for path in photos["path"]}
    for path, *box in dataset.annotations.boxes[["path", "label", "left", "top", "width", "height"]].values.tolist():
        boxes[path].append(tuple(box))
    for photo in photos.itertuples():
        stated = made.truth[photo.sha256]
        assert same(boxes[photo.path], stated or []), (photo.path, boxes[photo.path], stated, made.words)
        assert photo.seen == (stated is not None), (photo.path, made.words)
        if given := made.splits.get(photo.sha256):
            assert not photo.seen or photo.split == given, (photo.path, photo.split, made.words)
    assert (problems["kind"] == "no photo").any() == bool(made.lost), (problems, made.words)
    reported = [*dataset.left_out["path"], *problems["file"], *problems["photo"]]
    for path, content in made.files.items():
        if path.endswith((".jpg", ".HEIC", ".png")) and key(content) not in made.truth:
            assert accounted_for(path, reported), (path, reported, made.words)
