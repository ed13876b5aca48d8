"""Photos, boxes and splits of a detector."""

import json
import shutil
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image

from cvtune_nb.data import open_workspace
from cvtune_nb.detection import box_journal, open_dataset
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, write_csv
from cvtune_nb.workspace import Workspace
from tests.annotation_files import BOX, LINE, text, thing, voc
from tests.boxes import make_scenes
from tests.photos import make_photos


def test_every_photo_of_the_files_is_seen_and_in_a_split(opened_scenes):
    photos = opened_scenes.photos
    assert len(photos) == 24
    assert photos["split"].value_counts().to_dict() == {"train": 17, "validation": 4, "test": 3}
    assert opened_scenes.labels == ["dot", "tile"]
    negatives = photos[~photos["path"].isin(opened_scenes.annotations.boxes["path"])]
    assert negatives["path"].tolist() == ["008.jpg", "016.jpg", "024.jpg"]
    for split in ("train", "validation", "test"):
        part = opened_scenes.part(split)
        assert set(part.boxes["path"]) <= set(part.photos["path"])
        assert set(part.boxes["label"]) == {"dot", "tile"}


def test_the_split_is_drawn_once(scene_folder, opened_scenes, tmp_path):
    again = open_dataset(scene_folder, tmp_path / "other")
    assert again.photos["split"].tolist() == opened_scenes.photos["split"].tolist()
    assert again.id == opened_scenes.id
    other = open_dataset(scene_folder, tmp_path / "third", seed=1)
    assert other.photos["split"].tolist() != opened_scenes.photos["split"].tolist()


def test_more_photos_move_none_of_the_old_ones(tmp_path):
    folder = make_scenes(tmp_path / "photos", 24)
    before = open_dataset(folder, tmp_path / "workspace").photos.set_index("sha256")["split"]
    make_scenes(folder, 40)
    after = open_dataset(folder, tmp_path / "workspace").photos.set_index("sha256")["split"]
    assert len(after) == 40
    assert after[before.index].equals(before)


def test_photos_in_folders_called_train_and_test_stay_there(tmp_path):
    folder = make_scenes(tmp_path / "photos", 24)
    content = json.loads((folder / "boxes.json").read_text())
    for number, image in enumerate(content["images"]):
        name = f"{'train' if number < 18 else 'test'}/{image['file_name']}"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / image["file_name"]).rename(folder / name)
        image["file_name"] = name
    (folder / "boxes.json").write_text(json.dumps(content))
    photos = open_dataset(folder, tmp_path / "workspace").photos
    assert set(photos.loc[photos["path"].str.startswith("test/"), "split"]) == {"test"}
    assert set(photos.loc[photos["path"].str.startswith("train/"), "split"]) == {"train", "validation"}


def yolo_and_voc(folder, photos=12):
    """Photos with a YOLO file and a VOC file each, which name their class differently."""
    for number in range(photos):
        image = Image.new("RGB", (200, 100), (number, 0, 0))
        folder.mkdir(exist_ok=True)
        image.save(folder / f"{number}.png")
        text(folder / f"{number}.txt", LINE)
        voc(folder / f"{number}.xml", f"{number}.png", thing(*BOX, label="from VOC"))
    text(folder / "classes.txt", "from YOLO\n")
    return folder


def test_the_kind_of_boxes_that_was_chosen_is_remembered(tmp_path):
    folder, space = yolo_and_voc(tmp_path / "photos"), tmp_path / "workspace"
    with pytest.raises(InputError, match="--boxes voc"):
        open_dataset(folder, space)
    assert open_dataset(folder, space, kind="voc").labels == ["from VOC"]
    assert open_dataset(folder, space).labels == open_dataset("", space).labels == ["from VOC"]
    assert open_dataset(folder, space, kind="yolo").labels == ["from YOLO"]
    assert open_dataset("", space).redrawn().labels == ["from YOLO"]
    with pytest.raises(InputError, match="no COCO files"):
        open_dataset(folder, space, kind="coco")
    assert open_dataset("", space).labels == ["from YOLO"], "what could not be read is not remembered"
    for file in folder.glob("*.txt"):
        file.unlink()
    assert open_dataset("", space).labels == ["from VOC"], "what was chosen is there no more, and one kind is left"


@pytest.mark.parametrize(
    "names", [("train2017", "val2017"), ("images_train", "images_val"), ("train/images", "valid/images")]
)
def test_splits_that_folders_state_in_other_words(tmp_path, names):
    folder = make_scenes(tmp_path / "photos", 24)
    content = json.loads((folder / "boxes.json").read_text())
    for number, image in enumerate(content["images"]):
        name = f"{names[number >= 16]}/{image['file_name']}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / image["file_name"]).rename(folder / name)
        image["file_name"] = name
    (folder / "boxes.json").write_text(json.dumps(content))
    dataset = open_dataset(folder, tmp_path / "workspace")
    photos = dataset.photos
    assert set(photos.loc[photos["path"].str.startswith(names[1]), "split"]) == {"validation"}
    assert set(photos.loc[photos["path"].str.startswith(names[0]), "split"]) == {"train", "test"}
    assert dataset.annotations.problems.empty


def test_a_workspace_with_runs_keeps_the_split_that_they_know(tmp_path):
    folder = make_scenes(tmp_path / "photos" / "train2017", 16).parent
    make_scenes(folder / "val2017", 8, seed=1)
    space = tmp_path / "workspace"
    file = space / "detection" / "photos.csv"
    before = open_dataset(folder, space).photos.assign(split="train", bytes=0)  # as versions that knew fewer words did
    write_csv(file, before[["path", "split", "sha256", "width", "height", "bytes"]])
    assert set(open_dataset(folder, space).photos["split"]) == {"train", "validation"}
    write_csv(file, before[["path", "split", "sha256", "width", "height", "bytes"]])
    (space / "detection" / "runs" / "001").mkdir(parents=True)
    (space / "detection" / "runs" / "001" / "config.json").write_text("{}")
    dataset = open_dataset(folder, space)
    assert set(dataset.photos["split"]) == {"train"}
    assert dataset.annotations.problems["kind"].tolist() == ["other split"]
    assert "8 photos in folders for validation or test" in dataset.redrawn().annotations.problems["words"].iloc[0]


def test_a_copy_of_a_photo_with_boxes_is_no_negative(tmp_path):
    folder = yolo_and_voc(tmp_path / "photos")
    shutil.copy(folder / "3.png", folder / "3 (1).png")
    Image.new("RGB", (200, 100), "white").save(folder / "empty.png")
    dataset = open_dataset(folder, tmp_path / "workspace", kind="yolo")
    boxed = set(dataset.annotations.boxes["path"])
    assert [path for path in dataset.photos["path"] if path not in boxed] == ["empty.png"]
    assert dataset.annotations.problems[["photo", "kind"]].values.tolist() == [["3 (1).png", "copy"]]


def test_every_file_is_a_photo_or_read_or_listed(tmp_path):
    folder = make_scenes(tmp_path / "photos", 12)
    (folder / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "002.jpg").rename(folder / "002")
    content = (folder / "boxes.json").read_text()
    (folder / "boxes.json").write_text(content.replace("002.jpg", "002"))
    for name in ("LICENSE", "notes.txt"):
        text(folder / name, "hello")
    for hidden in (".ipynb_checkpoints", "@eaDir"):
        (folder / hidden).mkdir()
        shutil.copy(folder / "001.jpg", folder / hidden / "001.jpg")
    dataset = open_dataset(folder, tmp_path / "workspace")
    assert dataset.photos["path"].tolist() == ["001.jpg", "002", *(f"{number:03d}.jpg" for number in range(3, 13))]
    reasons = dataset.left_out.set_index("path")["reason"].to_dict()
    assert reasons == {
        ".ipynb_checkpoints": "hidden",
        "@eaDir": "made by the system or by network storage",
        "IMG_1.HEIC": "a HEIC photo that is damaged",
        "LICENSE": "not a photo: a text file",
        "notes.txt": "not a photo (.txt file)",
    }
    listed = read_csv(dataset.folder / "left_out.csv", path=str, reason=str)
    assert listed.to_dict("list") == dataset.left_out.to_dict("list")


def test_what_a_person_draws_stands_over_the_files_and_survives(dataset):
    path = dataset.photos["path"].iloc[0]
    key = dataset.photos["sha256"].iloc[0]
    stated = dataset.annotations.boxes.query("path == @path")
    box_journal.draw(dataset.workspace, path, key, [("star", 0.1, 0.2, 0.3, 0.4)])
    after = dataset.redrawn()
    assert after.annotations.boxes.query("path == @path")[["label", "left", "height"]].values.tolist() == [
        ["star", 0.1, 0.4]
    ]
    assert after.id != dataset.id
    assert after.photos["split"].tolist() == dataset.photos["split"].tolist()
    again = open_dataset("", dataset.workspace.folder)
    assert again.annotations.boxes.equals(after.annotations.boxes)
    box_journal.undo(dataset.workspace, path, key)
    back = dataset.redrawn()
    assert back.annotations.boxes.query("path == @path").reset_index(drop=True).equals(stated.reset_index(drop=True))
    assert back.id == dataset.id


def test_nothing_to_find_is_something_that_is_said(tmp_path):
    folder = make_photos(tmp_path / "photos", ("circle", "square"), per_class=5)
    dataset = open_dataset(folder, tmp_path / "workspace")
    assert dataset.annotations.kind == ""
    assert dataset.photos.empty and len(dataset.annotations.photos) == 10
    row = dataset.annotations.photos.iloc[0]
    box_journal.draw(dataset.workspace, row["path"], row["sha256"], [])
    assert dataset.redrawn().photos["path"].tolist() == [row["path"]]


def test_photos_drawn_on_one_by_one_come_into_every_split_in_time(tmp_path):
    folder = make_photos(tmp_path / "photos", ("circle", "square"), per_class=10)
    dataset = open_dataset(folder, tmp_path / "workspace")
    seen = {}
    for row in dataset.annotations.photos.itertuples():
        box_journal.draw(dataset.workspace, row.path, row.sha256, [("thing", 0.1, 0.1, 0.2, 0.2)])
        now = dataset.redrawn()
        dataset = now
        splits = dict(zip(now.photos["path"], now.photos["split"], strict=True))
        assert {path: splits[path] for path in seen} == seen, "the split of a photo never changes"
        seen = splits
    assert set(seen.values()) == {"train", "validation", "test"}


def test_it_is_the_workspace_of_the_same_photos(tmp_path, photo_folder):
    space = open_workspace(photo_folder, tmp_path / "workspace")
    dataset = open_dataset("", space.folder)
    assert dataset.workspace.folder == space.folder
    assert Workspace(space.folder).manifest().equals(space.manifest())


def test_unreadable_photos_are_left_out_and_named(tmp_path):
    folder = make_scenes(tmp_path / "photos", 12)
    (folder / "001.jpg").write_bytes(b"not a photo")
    dataset = open_dataset(folder, tmp_path / "workspace")
    assert dataset.left_out["path"].tolist() == ["001.jpg"]
    assert "no photo" in dataset.annotations.problems["kind"].tolist()
    assert len(dataset.photos) == 11


def test_a_changed_photo_is_read_again(tmp_path):
    folder = make_scenes(tmp_path / "photos", 12)
    before = open_dataset(folder, tmp_path / "workspace").photos.set_index("path")
    with Image.open(folder / "003.jpg") as image:
        image.resize((320, 240)).save(folder / "003.jpg")
    after = open_dataset(folder, tmp_path / "workspace").photos.set_index("path")
    assert after.at["003.jpg", "width"] == 320 and before.at["003.jpg", "width"] == 160
    assert after.drop("003.jpg")["sha256"].equals(before.drop("003.jpg")["sha256"])


def test_a_zip_is_unpacked_beside_the_workspace(tmp_path, scene_folder):
    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as packed:
        for file in scene_folder.iterdir():
            packed.write(file, f"scenes/{file.name}")
    dataset = open_dataset(tmp_path / "scenes.zip", tmp_path / "workspace")
    assert len(dataset.photos) == 24 and len(dataset.annotations.boxes) > 20


def test_made_scenes_are_made_when_asked_for(tmp_path, monkeypatch):
    from cvtune_nb.detection import dataset as module

    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "MADE_SCENES", 8)
    found = open_dataset(module.SCENES)
    assert len(found.photos) == 8
    assert found.workspace.folder == (tmp_path / "workspaces" / "scenes").resolve()


@pytest.mark.parametrize(
    ("data", "words"),
    [("nowhere", "nowhere"), ("empty", "has no photos"), ("", "no photos have been opened yet")],
)
def test_what_cannot_be_opened_is_said(data, words, tmp_path, monkeypatch):
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "home"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=words):
        open_dataset(tmp_path / data if data else "", tmp_path / "workspace" if data else "")


def test_other_photos_do_not_get_into_a_workspace(dataset, tmp_path):
    other = make_scenes(tmp_path / "others", 8)
    with pytest.raises(InputError, match="belongs to"):
        open_dataset(other, dataset.workspace.folder)


def test_nothing_is_written_among_the_photos(dataset, scene_folder):
    before = sorted(path.name for path in scene_folder.iterdir())
    box_journal.draw(dataset.workspace, "001.jpg", "x", [("a", 0, 0, 0.1, 0.1)])
    open_dataset("", dataset.workspace.folder)
    assert sorted(path.name for path in scene_folder.iterdir()) == before


def test_the_id_tells_of_boxes_photos_and_splits(dataset):
    boxes = dataset.annotations.boxes.copy()
    boxes.loc[0, "left"] += 0.01
    assert replace(dataset, annotations=replace(dataset.annotations, boxes=boxes)).id != dataset.id
    photos = dataset.annotations.photos.assign(split="train")
    assert replace(dataset, annotations=replace(dataset.annotations, photos=photos)).id != dataset.id


def test_a_class_in_a_single_photo_stops_nobody(tmp_path):
    folder = make_scenes(tmp_path / "photos", 12)
    content = json.loads((folder / "boxes.json").read_text())
    content["categories"].append({"id": 9, "name": "rare"})
    content["annotations"][0]["category_id"] = 9
    (folder / "boxes.json").write_text(json.dumps(content))
    photos = open_dataset(folder, tmp_path / "workspace").photos
    assert set(photos["split"]) == {"train", "validation", "test"}
    shutil.rmtree(tmp_path / "workspace")


def test_what_a_dataset_counts(dataset):
    assert dataset.split_counts == {"train": 17, "validation": 4, "test": 3}
    left_out = pd.DataFrame({"path": ["a", "b", "c"], "reason": ["no photo", "broken", "no photo"]})
    assert replace(dataset, left_out=left_out).reasons().to_dict("list") == {
        "reason": ["no photo", "broken"],
        "size": [2, 1],
        "first": ["a", "b"],
    }


def test_labels_are_those_of_the_boxes_or_else_of_the_classifier(opened_scenes, tmp_path):
    assert opened_scenes.usual_labels == ["dot", "tile"]
    photos = make_photos(tmp_path / "photos", ("a", "b"), per_class=6, size=48)
    assert open_dataset(photos, tmp_path / "boxless").usual_labels == []
    open_workspace(photos, tmp_path / "workspace")
    assert open_dataset("", tmp_path / "workspace").usual_labels == ["a", "b"]
