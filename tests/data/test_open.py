import json
import os
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cvtune_nb import data
from cvtune_nb.data import conflicts, keep_together, open_workspace, photo
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.workspace import MANIFEST_COLUMNS, Workspace, home
from tests.photos import draw_photo, make_photos


@pytest.fixture
def photos(tmp_path):
    """Two classes of ten photos to do anything with."""
    return make_photos(tmp_path / "photos", ("rose", "tulip"), per_class=10, size=64)


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def splits(space):
    return dict(zip(space.manifest()["sha256"], space.manifest()["split"], strict=True))


def test_the_manifest_says_what_is_there(photos, tmp_path):
    before = snapshot(photos)
    space = open_workspace(photos, tmp_path / "w")
    manifest = space.manifest()
    assert list(manifest.columns) == MANIFEST_COLUMNS
    assert manifest["path"].tolist() == sorted(p.relative_to(photos).as_posix() for p in photos.rglob("*.jpg"))
    assert manifest["label"].value_counts().to_dict() == {"rose": 10, "tulip": 10}
    assert manifest["split"].value_counts().to_dict() == {"train": 12, "validation": 4, "test": 4}
    for row in manifest.itertuples():
        with Image.open(space.path_of(row.path)) as image:
            assert image.size == (row.width, row.height)
        assert os.path.getsize(space.path_of(row.path)) == row.bytes
    assert space.skipped().empty
    assert space.classes == ["rose", "tulip"]
    assert snapshot(photos) == before


def test_opening_again_reads_and_writes_nothing_new(photos, tmp_path, monkeypatch):
    (photos / "rose" / "broken.jpg").write_bytes(b"")
    space = open_workspace(photos, tmp_path / "w")
    before = {p: p.stat().st_mtime_ns for p in space.folder.rglob("*")}
    seen = []
    monkeypatch.setattr(
        photo, "centre_square", lambda file, side, levels: seen.append(file.name) or pytest.fail("decoded")
    )
    open_workspace(photos, tmp_path / "w", seed=5)
    assert {p: p.stat().st_mtime_ns for p in space.folder.rglob("*")} == before
    assert seen == []


def test_broken_files_are_listed_with_the_reason_and_left_out(photos, tmp_path):
    whole = next((photos / "rose").glob("*.jpg")).read_bytes()
    (photos / "rose" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "rose" / "empty.jpg").write_bytes(b"")
    (photos / "tulip" / "page.jpg").write_bytes(b"<!doctype html><p>404")
    (photos / "tulip" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 80)
    (photos / "tulip" / "notes.txt").write_text("hello")
    space = open_workspace(photos, tmp_path / "w")
    assert len(space.manifest()) == 20
    skipped = space.skipped().set_index("path")
    assert skipped["label"].to_dict()["rose/cut.jpg"] == "rose"
    assert skipped["reason"].str.split("(").str[0].str.strip().to_dict() == {
        "rose/cut.jpg": "damaged",
        "rose/empty.jpg": "the file is empty",
        "tulip/page.jpg": "not a photo: a web page",
        "tulip/phone.heic": "a HEIC photo that is damaged",
        "tulip/notes.txt": "not a photo",
    }


def test_a_file_without_read_permission_is_listed(photos, tmp_path, monkeypatch):
    closed = next((photos / "rose").glob("*.jpg"))
    whole = data.sha256_of

    def sha256(file):
        if file == closed:
            raise PermissionError(13, "Permission denied", str(file))
        return whole(file)

    monkeypatch.setattr(data, "sha256_of", sha256)
    space = open_workspace(photos, tmp_path / "w")
    assert space.skipped()["reason"].tolist() == ["no permission to read it; change its permissions"]
    assert len(space.manifest()) == 19


def test_nothing_but_broken_files_is_refused_with_an_example(tmp_path):
    for name in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / "p" / name).parent.mkdir(parents=True)
        (tmp_path / "p" / name).write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"none of the 2 files in .* can be read as a photo, for example b/1.jpg"):
        open_workspace(tmp_path / "p", tmp_path / "w")


def test_sizes_are_those_a_person_sees(photos, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 50)).save(photos / "rose" / "turned.jpg", exif=exif)
    manifest = open_workspace(photos, tmp_path / "w").manifest().set_index("path")
    assert manifest.loc["rose/turned.jpg", ["width", "height"]].tolist() == [50, 80]


def test_old_photos_keep_their_split_when_others_are_added_or_renamed(photos, tmp_path):
    old = splits(open_workspace(photos, tmp_path / "w"))
    (photos / "rose").rename(photos / "red rose")
    for number, file in enumerate(sorted((photos / "tulip").iterdir())):
        file.rename(photos / "tulip" / f"{99 - number}.jpg")
    make_photos(photos, ("red rose", "tulip"), per_class=13, size=64, seed=1)
    make_photos(photos, ("x", "y", "ring"), per_class=6, size=64, seed=2)
    space = open_workspace(photos, tmp_path / "w")
    new = splits(space)
    assert {key: new[key] for key in old} == old
    assert len(new) == 20 + 26 + 18
    assert set(space.manifest().query("label == 'ring'")["split"]) == {"train", "validation", "test"}


def test_a_validation_split_drawn_from_train_stays_when_photos_are_added(tmp_path):
    root = tmp_path / "photos"
    make_photos(root / "train", ("a", "b"), per_class=14, size=64)
    make_photos(root / "test", ("a", "b"), per_class=3, size=64, seed=9)
    space = open_workspace(root, tmp_path / "w")
    assert space.manifest()["split"].value_counts().to_dict() == {"train": 24, "validation": 4, "test": 6}
    assert set(space.manifest().query("path.str.startswith('test/')")["split"]) == {"test"}
    old = splits(space)
    for number in range(9):
        file = root / "train" / "ab"[number % 2] / f"new-{number}.jpg"
        draw_photo(4, 64, np.random.default_rng(number)).save(file)
    make_photos(root / "train", ("c",), per_class=9, size=64, seed=3)
    new = splits(open_workspace(root, tmp_path / "w"))
    assert {key: new[key] for key in old} == old


def test_photos_taken_away_leave_the_manifest(photos, tmp_path):
    open_workspace(photos, tmp_path / "w")
    next((photos / "rose").glob("*.jpg")).unlink()
    assert len(open_workspace(photos, tmp_path / "w").manifest()) == 19


def test_a_photo_replaced_by_another_of_the_same_length_is_seen(tmp_path):
    make_photos(tmp_path / "p", ("a", "b"), per_class=4, size=64)
    file = tmp_path / "p" / "a" / "plain.bmp"
    Image.new("RGB", (32, 32), "red").save(file)
    first = open_workspace(tmp_path / "p", tmp_path / "w").manifest().set_index("path").at["a/plain.bmp", "sha256"]
    Image.new("RGB", (32, 32), "blue").save(file)
    manifest = tmp_path / "w" / "manifest.csv"
    os.utime(file, (manifest.stat().st_mtime + 2,) * 2)
    second = open_workspace(tmp_path / "p", tmp_path / "w").manifest().set_index("path").at["a/plain.bmp", "sha256"]
    assert first != second


def test_the_seed_is_written_down_and_stays(photos, tmp_path):
    first = open_workspace(photos, tmp_path / "w", seed=3)
    again = open_workspace(photos, tmp_path / "w", seed=4)
    assert again.seed == 3
    assert splits(first) == splits(again)
    assert splits(open_workspace(photos, tmp_path / "v", seed=4)) != splits(first)
    assert splits(open_workspace(photos, tmp_path / "u", seed=3)) == splits(first)


def test_exact_copies_are_one_group_in_one_split(photos, tmp_path):
    for number, file in enumerate(sorted((photos / "rose").iterdir())):
        shutil.copy(file, photos / "rose" / f"copy-{number}.jpg")
    manifest = open_workspace(photos, tmp_path / "w").manifest()
    assert manifest.groupby("group")["split"].nunique().max() == 1
    assert manifest.query("label == 'rose'").groupby("group").size().eq(2).all()


def in_two_splits(space):
    """A training and a validation photo of one class, as rows of the manifest."""
    rows = space.manifest().query("label == 'rose'").groupby("split").first()
    return rows.loc["train"], rows.loc["validation"]


def test_photos_that_look_the_same_are_kept_together_from_then_on(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w")
    before, (train, validation) = space.manifest(), in_two_splits(space)
    written = (space.folder / "manifest.csv").stat().st_mtime_ns
    together = dict.fromkeys([train.sha256, validation.sha256], "twins")
    assert keep_together(space, together) == 1
    assert keep_together(space, together) == 0
    after = space.manifest().set_index("sha256")
    assert after.loc[list(together), "group"].tolist() == ["twins"] * 2
    assert after.loc[list(together), "split"].tolist() == ["validation"] * 2
    others = ~before["sha256"].isin(together)
    pd.testing.assert_frame_equal(before[others], space.manifest()[others])
    assert (space.folder / "manifest.csv").stat().st_mtime_ns == written, "a photo changed since then must be seen"
    pd.testing.assert_frame_equal(open_workspace(photos, tmp_path / "w").manifest(), space.manifest())
    assert keep_together(space, {train.sha256: "one", validation.sha256: "two"}) == 0
    assert space.manifest().set_index("sha256")["group"][[train.sha256, validation.sha256]].tolist() == ["one", "two"]


def test_photos_are_not_kept_together_at_the_price_of_a_class(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w")
    before = space.manifest()
    assert keep_together(space, dict.fromkeys(before.query("label == 'rose'")["sha256"], "all")) == 0
    pd.testing.assert_frame_equal(before, space.manifest())


def test_given_splits_stay_with_copies_in_both(tmp_path):
    for split in ("train", "validation", "test"):
        make_photos(tmp_path / "photos" / split, ("rose", "tulip"), per_class=4, size=48, seed=len(split))
    space = open_workspace(tmp_path / "photos", tmp_path / "w")
    before, (train, validation) = space.manifest(), in_two_splits(space)
    assert keep_together(space, dict.fromkeys([train.sha256, validation.sha256], "twins")) == 0
    assert space.manifest()["split"].equals(before["split"])
    assert (space.manifest()["group"] == "twins").sum() == 2


def test_one_photo_in_two_classes_is_left_out_until_that_is_decided(photos, tmp_path):
    shutil.copy(photos / "rose" / "rose-000.jpg", photos / "tulip" / "copy.jpg")
    space = open_workspace(photos, tmp_path / "w")
    assert set(conflicts(space)["path"]) == {"rose/rose-000.jpg", "tulip/copy.jpg"}
    assert len(space.photos()) == 19

    space.decide("tulip/copy.jpg", "exclude")
    assert conflicts(space).empty
    assert "rose/rose-000.jpg" in set(space.photos()["path"])

    space.decide("tulip/copy.jpg", "undo")
    assert len(conflicts(space)) == 2
    space.decide("tulip/copy.jpg", "relabel", to="rose")
    assert conflicts(space).empty
    assert space.photos().query("sha256 == @space.manifest().sha256.iloc[0]")["label"].tolist() == ["rose", "rose"]


def test_a_class_of_nothing_but_such_copies_is_refused(photos, tmp_path):
    (photos / "weed").mkdir()
    for number in range(3):
        shutil.copy(photos / "rose" / f"rose-{number:03d}.jpg", photos / "weed" / f"{number}.jpg")
    with pytest.raises(InputError, match=r"class .weed. has no photo of its own: weed/0\.jpg also lies in"):
        open_workspace(photos, tmp_path / "w")


def test_a_class_may_be_merged_into_another(photos, tmp_path):
    make_photos(photos, ("wild rose",), per_class=4, size=64, seed=5)
    space = open_workspace(photos, tmp_path / "w")
    for path in space.photos().query("label == 'wild rose'")["path"]:
        space.decide(path, "relabel", to="rose")
    again = open_workspace(photos, tmp_path / "w")
    assert "wild rose" not in again.classes


@pytest.mark.parametrize("case", ["one photo", "one photo in three copies", "two classes with the same photo"])
def test_a_class_with_one_photo_is_refused(tmp_path, case):
    make_photos(tmp_path / "p", ("rose",), per_class=6, size=64)
    (tmp_path / "p" / "tulip").mkdir()
    draw_photo(1, 64, np.random.default_rng(0)).save(tmp_path / "p" / "tulip" / "1.png")
    for number in range(2, 4) if case == "one photo in three copies" else ():
        shutil.copy(tmp_path / "p" / "tulip" / "1.png", tmp_path / "p" / "tulip" / f"{number}.png")
    if case == "two classes with the same photo":
        shutil.rmtree(tmp_path / "p" / "rose")
        shutil.copytree(tmp_path / "p" / "tulip", tmp_path / "p" / "rose")
    words = r"no photo of its own" if case.startswith("two") else r"only 1 different photo\(s\), for example"
    with pytest.raises(InputError, match=f"class '(tulip|rose)' has {words}") as error:
        open_workspace(tmp_path / "p", tmp_path / "w")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "w" / "manifest.csv").exists()


@pytest.mark.parametrize("kind", ["csv", "zip", "zipped csv"])
def test_every_layout_ends_in_the_same_photos(photos, tmp_path, kind):
    whole = open_workspace(photos, tmp_path / "w")
    rows = "".join(f"{path},{label}\n" for path, label in whole.manifest()[["path", "label"]].to_numpy())
    source = tmp_path / f"set.{kind[:3]}"
    if kind == "csv":
        source = photos / "set.csv"
        source.write_text("path,label\n" + rows)
    else:
        with zipfile.ZipFile(source, "w") as archive:
            for file in photos.rglob("*.jpg"):
                archive.write(file, f"set/{file.relative_to(photos)}")
            if kind == "zipped csv":
                archive.writestr("set/list.csv", "path,label\n" + rows)
    other = open_workspace(source, tmp_path / "v")
    columns = ["path", "label", "split", "sha256"]
    pd.testing.assert_frame_equal(other.manifest()[columns], whole.manifest()[columns])
    assert all(other.path_of(path).is_file() for path in other.manifest()["path"])


def test_a_new_version_of_a_zip_is_followed(tmp_path):
    make_photos(tmp_path / "p", ("a", "b"), per_class=5, size=64)
    archive = shutil.make_archive(tmp_path / "set", "zip", tmp_path / "p")
    old = splits(open_workspace(archive, tmp_path / "w"))
    make_photos(tmp_path / "p", ("b", "a"), per_class=7, size=64, seed=4)
    shutil.make_archive(tmp_path / "set", "zip", tmp_path / "p")
    space = open_workspace(archive, tmp_path / "w")
    new = splits(space)
    assert len(new) > len(old)
    assert {key: split for key, split in new.items() if key in old}.items() <= old.items()
    assert all(space.path_of(path).is_file() for path in space.manifest()["path"])


def test_a_workspace_belongs_to_its_photos(photos, tmp_path):
    make_photos(tmp_path / "other", ("a", "b"), per_class=4, size=64)
    archive = shutil.make_archive(tmp_path / "set", "zip", tmp_path / "other")
    open_workspace(photos, tmp_path / "w")
    before = snapshot(tmp_path / "w")
    for source in (tmp_path / "other", archive):
        with pytest.raises(InputError, match=f"belongs to {photos}, not to .*: choose another workspace folder"):
            open_workspace(source, tmp_path / "w")
    assert snapshot(tmp_path / "w") == before


def test_where_a_workspace_can_not_be(photos, tmp_path):
    with pytest.raises(InputError, match="lies inside the photo folder"):
        open_workspace(photos, photos / "w")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file: choose a folder"):
        open_workspace(photos, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_without_a_name_the_workspace_lies_at_home_and_is_remembered(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "home"))
    space = open_workspace(photos)
    assert space.folder == home() / "workspaces" / "photos"
    assert open_workspace().folder == space.folder
    other = open_workspace(photos, tmp_path / "w")
    assert open_workspace().folder == other.folder
    assert open_workspace("", space.folder).folder == space.folder


def test_stopped_in_the_middle_what_was_decoded_stays(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("cvtune_nb.data.rows.SHARD_BYTES", 3 * 256 * 256 * 3 * 2)

    def stop(share, words):
        if share > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        open_workspace(photos, tmp_path / "w", progress=stop)
    assert not (tmp_path / "w" / "manifest.csv").exists()
    kept = [json.loads(f.read_text())["keys"] for f in (tmp_path / "w" / "cache" / "pixels-256").glob("*.json")]
    assert sum(map(len, kept)) >= 6
    assert len(open_workspace(photos, tmp_path / "w").manifest()) == 20


def test_a_folder_that_is_no_workspace(tmp_path):
    with pytest.raises(InputError, match="is not a workspace yet: open your photos first"):
        Workspace(tmp_path)
