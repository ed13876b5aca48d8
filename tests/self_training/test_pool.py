"""A folder without labels: what the workspace has, and copies of what results are measured by, are left out."""

import shutil
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.self_training.pool import SAME_FILE, TWICE, fair, read_pool
from tests.photos import make_photos


@pytest.fixture
def explorer(workspace):
    return SvmExplorer(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)))


def test_copies_of_test_and_validation_photos_are_left_out(workspace, explorer, tmp_path):
    photos, folder = workspace.photos(), tmp_path / "unlabelled"
    folder.mkdir()
    first = {split: workspace.path_of(rows["path"].iloc[0]) for split, rows in photos.groupby("split")}
    shutil.copy(first["train"], folder / "known.jpg")
    for split in ("test", "validation", "train"):
        with Image.open(first[split]) as image:
            image.resize((90, 90)).save(folder / f"{split}.jpg", quality=80)
    new = make_photos(tmp_path / "new", ("circle",), per_class=1, seed=9) / "circle" / "circle-000.jpg"
    for name in ("new.jpg", "again.jpg"):
        shutil.copy(new, folder / name)
    (folder / "broken.jpg").write_bytes(b"no photo")
    pool = fair(workspace, read_pool(workspace, folder), explorer)
    left = {path.rsplit("/", 1)[1]: why for path, why in pool.left_out}
    assert left["known.jpg"] == SAME_FILE
    assert left["test.jpg"] == "it is a copy of a test photo, by which results are measured"
    assert left["validation.jpg"] == "it is a copy of a validation photo, by which results are measured"
    assert left["new.jpg"] == TWICE
    assert "broken.jpg" in left
    assert [path.rsplit("/", 1)[1] for path in pool.photos["path"]] == ["again.jpg", "train.jpg"]
    assert pool.reasons[TWICE] == 1


def test_a_folder_of_known_photos_is_refused(workspace):
    with pytest.raises(InputError, match="no photo that the workspace has not"):
        read_pool(workspace, workspace.data)


@pytest.mark.parametrize("rule", ["time:30", r"(take-\d)"])
def test_photos_of_groups_that_results_are_measured_by_are_left_out(tmp_path, rule):
    """Of each take one half is labelled, the other is not; the last one of the folder is a take of its own."""
    labelled, folder = tmp_path / "labelled", tmp_path / "take-7"  # the name of the folder itself says nothing
    (folder / "b").mkdir(parents=True)
    made = sorted(make_photos(tmp_path / "made", ("circle", "square"), per_class=25, size=96).rglob("*.jpg"))
    for number, path in enumerate(made):
        take, second = number // 10, number % 10
        with Image.open(path) as image:
            exif = image.getexif()
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2026:01:01 1{take}:00:{second * 5:02}"
            place = folder / "b" if second > 7 or take == 4 else labelled / ("circle", "square")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            image.save(place / f"take-{take}-{second}.jpg", exif=exif)
    space = open_workspace(labelled, tmp_path / "w", group_by=rule)
    rows = space.manifest()
    splits = dict(zip(rows["path"].str.extract(r"(take-\d)")[0], rows["split"], strict=True))
    assert set(splits.values()) == {"train", "validation", "test"}
    explorer = SvmExplorer(space, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    pool = fair(space, read_pool(space, folder), explorer)
    left = {Path(path).name: why for path, why in pool.left_out}
    expected = {name: split for name, split in splits.items() if split != "train"}
    assert left == {
        f"{name}-{second}.jpg": f"it belongs together with {split} photos, by which results are measured"
        for name, split in expected.items()
        for second in (8, 9)
    }
