"""A contract of all formats: each set is recognised, gives its truth as it lies there and in a zip, and can be asked
for by name; a broken file is named in one sentence."""

import json
import shutil

import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.data.formats import FORMATS, PACKED
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import LAYOUTS
from tests.layouts import one_sentence
from tests.stated_labels import SETS, Photos, photo

ELSEWHERE = {"frames", "urls"}
"""What test_frames and test_urls show."""


def require_truth(space, photos):
    """Every photo with a label is there with it and its split, and no other."""
    manifest = space.manifest()
    assert {row.sha256: row.label for row in manifest.itertuples()} == {
        content: label for content, (label, _) in photos.truth.items()
    }
    for row in manifest.itertuples():
        stated = photos.truth[row.sha256][1]
        assert row.split == (stated or row.split)
        assert row.split in ("train", "validation", "test")


@pytest.fixture(params=SETS)
def made(request, tmp_path):
    make, layout = SETS[request.param]
    photos = Photos(tmp_path / "photos")
    make(photos)
    return photos, layout


def test_every_format_has_a_set_and_a_name_to_choose_it_by():
    assert {layout for _, layout in SETS.values()} | ELSEWHERE >= {*FORMATS, *PACKED}
    assert {*FORMATS, *PACKED} <= {*LAYOUTS}


def test_a_set_is_recognised_and_gives_its_truth(made, tmp_path):
    photos, _ = made
    before = {path: path.read_bytes() for path in photos.folder.rglob("*") if path.is_file()}
    space = open_workspace(photos.folder, tmp_path / "w", pixels_gb=0)
    require_truth(space, photos)
    assert {path: path.read_bytes() for path in photos.folder.rglob("*") if path.is_file()} == before
    assert len(open_workspace("", tmp_path / "w").manifest()) == len(photos.truth), "it opens again"


def test_a_set_in_a_zip(made, tmp_path):
    photos, _ = made
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", photos.folder)
    require_truth(open_workspace(archive, tmp_path / "w", pixels_gb=0), photos)


def test_a_set_is_read_so_when_asked_for(made, tmp_path):
    photos, layout = made
    require_truth(open_workspace(photos.folder, tmp_path / "w", pixels_gb=0, layout=layout), photos)


def test_a_format_that_is_not_there(tmp_path):
    photos = Photos(tmp_path / "photos")
    SETS["Roboflow, folders"][0](photos)
    for layout in {*FORMATS, *PACKED}:
        with pytest.raises(InputError) as error:
            open_workspace(photos.folder, tmp_path / "w", layout=layout)
        one_sentence(error, photos.folder, "choose another layout, or recognise")


WRONG = {
    "imagefolder, JSON lines": ("train/metadata.jsonl", '{"label": "cat"}', ["metadata.jsonl line 1", "file_name"]),
    "Label Studio, JSON": (
        "project.json",
        '[{"data": {"image": "1.jpg"}, "annotations": [{"was_cancelled": false',
        ["project.json", "JSON"],
    ),
    "CVAT": ("annotations.xml", "<annotations><image", ["annotations.xml can't be read as XML"]),
    "labelme": ("3.json", '{"flags": {"cat": true}', ["3.json can't be read as JSON"]),
    "Roboflow, several labels": (
        "valid/_classes.csv",
        "filename,cat\nvalid0.jpg,yes",
        ["_classes.csv line 2", "'yes'"],
    ),
    "Pascal VOC": ("VOCdevkit/VOC2012/ImageSets/Main/cat_val.txt", "val0 2", ["cat_val.txt line 1", "'val0 2'"]),
    "Open Images": (
        "validation-annotations-human-imagelabels.csv",
        "ImageID,Source,LabelName,Confidence\nvalidation0,x,/m/1,sure",
        ["imagelabels.csv line 2", "'sure'"],
    ),
    "WebDataset, unpacked": ("train-0000/train0.cls", "cat\ndog", ["train0.cls has several lines"]),
    "WebDataset, shards": ("train-0000.tar", None, ["train-0000", "can't be unpacked"]),
    "Parquet": ("data/train-00000-of-00001.parquet", "PAR1 and no more", ["can't be read as Parquet"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_file_is_named_in_one_sentence(name, tmp_path):
    photos = Photos(tmp_path / "photos")
    SETS[name][0](photos)
    path, content, words = WRONG[name]
    whole = (photos.folder / path).read_bytes()
    photos.write(path, whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w", layout=SETS[name][1])
    one_sentence(error, *words)
    assert not (tmp_path / "w" / "manifest.csv").exists()


def test_every_format_has_a_broken_file():
    assert {SETS[name][1] for name in WRONG} == {*FORMATS, *PACKED} - ELSEWHERE


def test_a_missing_photo_is_named_but_where_nobody_has_them_all(tmp_path):
    for name, says in (("CVAT", "annotations.xml image 0: 'Train0.jpg' is not there"), ("Open Images", "")):
        photos = Photos(tmp_path / name)
        SETS[name][0](photos)
        gone = next(path for path in photos.folder.rglob("*rain0.jpg"))
        gone.unlink()
        if says:
            with pytest.raises(InputError) as error:
                open_workspace(photos.folder, tmp_path / f"w{name}")
            one_sentence(error, says, "copy the photos into", photos.folder)
        else:
            space = open_workspace(photos.folder, tmp_path / f"w{name}")
            assert len(space.manifest()) == len(photos.truth) - 1
            assert "that it names are not here" in space.recognised


def test_two_photos_that_may_be_meant(tmp_path):
    photos = Photos(tmp_path / "photos")
    SETS["Label Studio, JSON-MIN"][0](photos)
    photos.write("copies/photo 3.jpg", photo(3))
    photos.write("images/more/photo 3.jpg", photo(3))
    (photos.folder / "images/photo 3.jpg").unlink()
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w")
    one_sentence(error, "project-min.json task 7", "'copies/photo 3.jpg' and 'images/more/photo 3.jpg'")


def test_two_formats_are_asked_about(tmp_path):
    photos = Photos(tmp_path / "photos")
    SETS["CVAT"][0](photos)
    truth = dict(photos.truth)
    photos.write("project-min.json", '[{"image": "Train0.jpg", "animal": "dog", "annotation_id": 3}]')
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w")
    one_sentence(error, "'Label Studio' and 'CVAT'", "--layout label-studio or --layout cvat (in notebook 00: Layout)")
    assert len(open_workspace(photos.folder, tmp_path / "w", layout="cvat").manifest()) == len(truth)


def test_a_format_beside_class_folders_that_say_something_else_is_asked_about(tmp_path):
    photos = Photos(tmp_path / "photos")
    rows = [
        (f"{label}/{number}.jpg", photos.add(f"{label}/{number}.jpg"))
        for number in range(8)
        for label in ("cat", "dog")
    ]

    def tag(swapped):
        tags = [(path, "dog" if path in swapped else label) for path, label in rows]
        images = "".join(f'<image name="{path}"><tag label="{label}"/></image>' for path, label in tags)
        photos.write("annotations.xml", f"<annotations>{images}</annotations>")

    tag([])
    assert open_workspace(photos.folder, tmp_path / "w").recognised == "CVAT says the same as the folders"
    tag(["cat/3.jpg"])
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w")
    one_sentence(error, "say different things of 1 photos, for example cat/3.jpg", "--layout cvat, --layout classes or")


def test_files_with_boxes_only_say_no_classes(tmp_path):
    photos = Photos(tmp_path / "photos")
    photos.plain("images/{}.jpg")
    box = '<box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    images = "".join(f'<image name="{number}.jpg">{box}</image>' for number in range(12))
    photos.write("annotations.xml", f"<annotations>{images}</annotations>")
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w")
    one_sentence(error, "files of CVAT that give no photo a class", "notebook 06")
    for number in range(12):
        (photos.folder / f"images/{number}.jpg").rename(photos.write(f"{'ab'[number % 2]}/{number}.jpg", ""))
    assert open_workspace(photos.folder, tmp_path / "w").classes == ["a", "b"], "folders count as they did"


def test_several_labels_are_refused_and_what_has_none_is_left_out(tmp_path):
    photos = Photos(tmp_path / "photos")
    SETS["Roboflow, several labels"][0](photos)
    photos.write("train/none.jpg", photo(901))
    photos.write("train/nobody.jpg", photo(902))
    file = photos.folder / "train/_classes.csv"
    file.write_text(file.read_text() + "none.jpg,0,0\n")
    space = open_workspace(photos.folder, tmp_path / "w")
    require_truth(space, photos)
    reasons = dict(zip(space.skipped()["path"], space.skipped()["reason"], strict=True))
    assert reasons["train/none.jpg"] == "Roboflow gives it no label"
    assert reasons["train/nobody.jpg"] == "Roboflow does not name it"
    assert "1 photo without a label: left out; 1 photo not named in it: left out" in space.recognised
    file.write_text(file.read_text() + "nobody.jpg,1,1\n")
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w2")
    one_sentence(error, "_classes.csv line 11", "several labels, 'cat' and 'dog': classes exclude each other here")


def test_annotators_who_disagree_and_skipped_tasks_leave_a_photo_out(tmp_path):
    photos = Photos(tmp_path / "photos")
    SETS["Label Studio, JSON"][0](photos)
    file = photos.folder / "project.json"
    tasks = json.loads(file.read_text())
    other = {"type": "choices", "from_name": "animal", "value": {"choices": ["dog"]}}
    tasks[0]["annotations"].append({"id": 99, "result": [other]})
    tasks[1]["annotations"] = [{"id": 98, "was_cancelled": True, "result": tasks[1]["annotations"][0]["result"]}]
    tasks.append({"id": 90, "annotations": [], "data": {"image": "/data/upload/1/gone.jpg"}})
    file.write_text(json.dumps(tasks))
    space = open_workspace(photos.folder, tmp_path / "w")
    assert len(space.manifest()) == len(photos.truth) - 2
    assert space.skipped()["reason"].tolist() == [
        "its annotators disagree: 'cat' and 'dog'",
        "skipped, or not labelled yet",
    ]
    tasks[2]["annotations"][0]["result"].append({**other, "from_name": "quality"})
    file.write_text(json.dumps(tasks))
    with pytest.raises(InputError) as error:
        open_workspace(photos.folder, tmp_path / "w2")
    one_sentence(error, "project.json answers several questions, 'animal' and 'quality'")
