"""A folder without labels: what the workspace has, and copies of what results are measured by, are left out."""

import shutil

import pytest
from PIL import Image

from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
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
