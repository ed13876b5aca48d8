"""Workspaces whose photos are somewhere else than before, and photos whose workspace nobody named."""

import json
import shutil

import pytest
from PIL import Image

from cvtune_nb import workspace as workspaces
from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError
from cvtune_nb.workspace import Workspace, home
from tests.photos import make_photos


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "home"))


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "a" / "photos", ("rose", "tulip"), per_class=6, size=48)


@pytest.fixture
def opened(photos, tmp_path):
    """A workspace with a decision and something that cost time."""
    space = open_workspace(photos, tmp_path / "w")
    space.decide("rose/rose-000.jpg", "exclude")
    (space.runs / "001").mkdir(parents=True)
    (space.runs / "001" / "result.json").write_text("{}")
    return space


def move(photos, tmp_path):
    """As if the disk was mounted elsewhere."""
    shutil.move(photos.parent, tmp_path / "elsewhere")
    return tmp_path / "elsewhere" / photos.name


def kept(before, after):
    assert after.folder == before.folder
    assert after.manifest().equals(before.manifest())
    assert len(after.photos()) == 11
    assert (after.runs / "001" / "result.json").exists()
    assert all(after.path_of(path).exists() for path in after.manifest()["path"])


def test_photos_that_were_moved_are_found_in_their_new_place(opened, photos, tmp_path):
    before = Workspace(opened.folder)
    new = move(photos, tmp_path)
    after = open_workspace(new, opened.folder)
    kept(before, after)
    assert after.moved == f"the photos were moved from {photos} to {new}: the workspace goes on with them there"
    again = open_workspace("", opened.folder)
    assert (again.source, again.moved) == (str(new), "")


def test_a_copy_is_taken_when_the_workspace_is_named(opened, photos, tmp_path):
    copy = shutil.copytree(photos, tmp_path / "copy")
    make_photos(copy, ("tulip",), per_class=1, size=48, seed=7)
    (copy / "tulip" / "tulip-000.jpg").rename(copy / "tulip" / "new.jpg")
    shutil.copy(photos / "tulip" / "tulip-000.jpg", copy / "tulip")
    after = open_workspace(copy, opened.folder)
    assert len(after.manifest()) == 13, "new photos beside those that are known do no harm"
    assert after.moved == f"{copy} holds the same photos as {photos}: the workspace belongs to it from now on"
    assert open_workspace(copy).folder != opened.folder, "unless it is named, a copy has a workspace of its own"


@pytest.mark.parametrize("how", ["gone", "other"])
@pytest.mark.parametrize("place", ["moved", "copied"])
def test_photos_of_which_only_some_agree_are_refused_with_the_numbers(opened, photos, tmp_path, how, place):
    new = move(photos, tmp_path) if place == "moved" else shutil.copytree(photos, tmp_path / "copy")
    for number in range(4):
        file = new / "rose" / f"rose-{number:03d}.jpg"
        if how == "gone":
            file.unlink()
        else:  # the same length
            file.write_bytes(file.read_bytes()[:-1] + b"\0")
    settings = (opened.folder / "workspace.json").read_bytes()
    with pytest.raises(InputError) as error:
        open_workspace(new, opened.folder)
    assert f"belongs to {photos}, not to {new}; of its 12 photos 8 are there with the same content" in str(error.value)
    assert (opened.folder / "workspace.json").read_bytes() == settings


def test_of_many_photos_a_sample_is_read(opened, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(workspaces, "SAMPLE", 5)
    read = []
    whole = workspaces.sha256_of
    monkeypatch.setattr(workspaces, "sha256_of", lambda file: read.append(file) or whole(file))
    open_workspace(move(photos, tmp_path), opened.folder)
    assert len(set(read)) == len(read) == 5


@pytest.mark.parametrize("data", ["", "old"])
def test_photos_that_are_gone_are_named_with_the_way_out(opened, photos, tmp_path, data):
    move(photos, tmp_path)
    with pytest.raises(InputError) as error:
        open_workspace(photos if data else "", opened.folder)
    words = str(error.value)
    assert f"the photos of the workspace {opened.folder} are no longer at {photos}" in words
    assert "--data" in words
    assert "\n" not in words


def test_a_workspace_that_was_never_opened_to_the_end_takes_the_new_place(photos, tmp_path):
    Workspace.create(tmp_path / "w", photos, str(photos), 3)
    copy = shutil.copytree(photos, tmp_path / "copy")
    with pytest.raises(InputError, match="belongs to"):
        open_workspace(copy, tmp_path / "w")
    assert open_workspace(move(photos, tmp_path), tmp_path / "w").seed == 3


def test_a_workspace_of_detection_only_goes_on_too(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w")
    (space.folder / "detection").mkdir()
    (space.folder / "manifest.csv").rename(space.folder / "detection" / "photos.csv")
    new = move(photos, tmp_path)
    (new / "rose" / "rose-000.jpg").rename(new / "kept.jpg")
    with pytest.raises(InputError, match="of its 12 photos 11 are there"):
        Workspace.create(tmp_path / "w", new, str(new), 0)
    (new / "kept.jpg").rename(new / "rose" / "rose-000.jpg")
    assert Workspace.create(tmp_path / "w", new, str(new), 0).moved


# -- CSV files and archives -----------------------------------------------------------------------------------


def test_a_csv_that_was_moved_with_its_photos(photos, tmp_path):
    rows = [f"{file.relative_to(photos)},{file.parent.name}" for file in sorted(photos.rglob("*.jpg"))]
    (photos / "labels.csv").write_text("\n".join(["path,label", *rows]))
    before = open_workspace(photos / "labels.csv", tmp_path / "w")
    new = move(photos, tmp_path) / "labels.csv"
    after = open_workspace(new, tmp_path / "w")
    assert after.manifest().equals(before.manifest())
    assert str(new) in after.moved


def test_an_archive_that_was_moved_changed_or_deleted(photos, tmp_path):
    old = shutil.make_archive(tmp_path / "one" / "set", "gztar", photos)
    before = open_workspace(old, tmp_path / "w")
    (tmp_path / "two").mkdir()
    new = shutil.move(old, tmp_path / "two")
    after = open_workspace(new, tmp_path / "w")
    assert after.manifest().equals(before.manifest())
    assert "were moved" in after.moved
    make_photos(photos, ("rose", "tulip"), per_class=7, size=48, seed=3)
    other = shutil.make_archive(tmp_path / "three" / "set", "gztar", photos)
    with pytest.raises(InputError, match="belongs to"):
        open_workspace(other, tmp_path / "w")
    shutil.rmtree(tmp_path / "two")
    assert open_workspace("", tmp_path / "w").manifest().equals(before.manifest()), "what was unpacked is still there"
    shutil.rmtree(next((tmp_path / "w").glob("unpacked-*")))
    with pytest.raises(InputError, match="are no longer at"):
        open_workspace("", tmp_path / "w")


# -- workspaces that nobody named -----------------------------------------------------------------------------


def test_folders_of_one_name_get_workspaces_of_their_own(photos, tmp_path):
    other = make_photos(tmp_path / "b" / "photos", ("rose", "tulip"), per_class=6, size=48, seed=5)
    copy = shutil.copytree(photos, tmp_path / "c" / "photos")
    names = ["photos", "photos-2", "photos-3"]
    for data, name in zip((photos, other, copy), names, strict=True):
        assert open_workspace(data).folder == home() / "workspaces" / name
    for data, name in zip((copy, photos, other), ("photos-3", "photos", "photos-2"), strict=True):
        assert open_workspace(data).folder == home() / "workspaces" / name, "it is found again"


@pytest.mark.parametrize("name", ["photos", "pictures"])
def test_a_folder_that_was_moved_or_renamed_finds_its_workspace(photos, tmp_path, name):
    open_workspace(make_photos(tmp_path / "other" / name, ("rose", "tulip"), per_class=6, size=48, seed=5))
    space = open_workspace(photos)
    new = shutil.move(photos, tmp_path / name)
    again = open_workspace(new)
    assert again.folder == space.folder
    assert "were moved" in again.moved


def test_where_several_workspaces_fit_they_are_named(photos, tmp_path):
    copies = [shutil.copytree(photos, tmp_path / str(number) / "photos") for number in range(2)]
    folders = [open_workspace(copy).folder for copy in copies]
    for copy in copies:
        shutil.rmtree(copy)
    with pytest.raises(InputError, match=f"several workspaces, {folders[0]}, {folders[1]}: name the right one"):
        open_workspace(photos)
    assert open_workspace(photos, folders[1]).folder == folders[1]


def test_a_damaged_workspace_beside_does_no_harm(photos, tmp_path):
    for name, text in (("broken", "{"), ("empty", json.dumps({"format": 1}))):
        (home() / "workspaces" / name).mkdir(parents=True)
        (home() / "workspaces" / name / "workspace.json").write_text(text)
    Image.new("RGB", (48, 48)).save(photos / "rose" / "new.png")
    assert open_workspace(photos).folder == home() / "workspaces" / "photos"
