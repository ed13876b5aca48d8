"""Which photo an annotation file means: in every layout that tools write, with the same names in several folders."""

import pytest

from cvtune_nb.detection import read_annotations
from cvtune_nb.detection.pairing import Photos, names_of, stem_of, what_of
from tests.annotation_files import LINE, boxed, coco, negatives, photo, said, text, thing, voc

# where the photos and the annotation files of two splits lie
PER_PHOTO = {
    "beside": ("{}", "{}"),
    "by kind": ("images/{}", "labels/{}"),
    "by split": ("{}/images", "{}/labels"),
    "VOC's": ("JPEGImages/{}", "Annotations/{}"),
    "crossed": ("{}/images", "labels/{}"),
    "photos without a folder for them": ("{}", "labels/{}"),
    "deeper": ("set/Images/{}/camera", "set/Labels/{}/camera"),
    "in one word": ("{}_images", "{}_labels"),
}
SPLITS = [("train", "val"), ("cam1", "cam2"), ("dogs", "not_dogs")]


def several(count, kind):
    """An annotation file with `count` boxes."""
    if kind == "yolo":
        return "".join(f"0 0.{place}5 0.45 0.1 0.1\n" for place in range(1, count + 1))
    return [thing(20 * place, 20, 20 * place + 10, 40) for place in range(1, count + 1)]


@pytest.mark.parametrize("kind", ["yolo", "voc"])
@pytest.mark.parametrize("layout", PER_PHOTO)
@pytest.mark.parametrize("names", SPLITS)
def test_photos_of_one_name_keep_their_boxes(tmp_path, kind, layout, names):
    truth = {}
    for split, first in zip(names, (0, 2), strict=True):
        images, labels = (where.format(split) for where in PER_PHOTO[layout])
        for number in range(first, first + 4):
            photo(tmp_path / images / f"{number}.jpg")
            truth[f"{images}/{number}.jpg"] = number + first
            if kind == "yolo":
                text(tmp_path / labels / f"{number}.txt", several(number + first, kind))
            elif number + first:
                voc(tmp_path / labels / f"{number}.xml", f"{number}.jpg", *several(number + first, kind), size="")
            else:
                text(tmp_path / labels / f"{number}.xml", f"<annotation><filename>{number}.jpg</filename></annotation>")
    text(tmp_path / "classes.txt", "cell\n")
    read = read_annotations(tmp_path, kind)
    assert boxed(read) == {path: count for path, count in truth.items() if count}
    assert negatives(read) == [path for path, count in truth.items() if not count]
    assert read.problems.empty


COCO_FILES = {
    "beside": ("{}", "{}/_annotations.coco.json", "{}.jpg"),
    "in a folder of their own": ("images/{}", "annotations/{}.json", "{}.jpg"),
    "COCO's": ("{}2017", "annotations/instances_{}2017.json", "{}.jpg"),
    "COCO's, deeper": ("images/{}2017", "annotations/instances_{}2017.json", "{}.jpg"),
    "called alike": ("{}-images", "annotations/coco_{}.json", "{}.jpg"),
    "by path": ("images/{0}", "{0}.json", "images/{0}/{1}.jpg"),
    "by path from above": ("images/{0}", "annotations/{0}.json", "../images/{0}/{1}.jpg"),
    "by path with the root's name": ("images/{0}", "{0}.json", "set/images/{0}/{1}.jpg"),
    "by path of Windows": ("images/{0}", "{0}.json", "images\\{0}\\{1}.jpg"),
    "by path elsewhere": ("images/{0}", "{0}.json", "/home/me/set/images/{0}/{1}.jpg"),
    "mirrored": ("images/{}", "labels/{}/coco.json", "{}.jpg"),
}


@pytest.mark.parametrize("layout", COCO_FILES)
@pytest.mark.parametrize("names", SPLITS)
def test_a_coco_file_for_each_folder(tmp_path, layout, names):
    root, truth = tmp_path / "set", {}
    images, file, name = COCO_FILES[layout]
    for split, numbers in zip(names, (range(4), range(2, 6)), strict=True):
        for number in numbers:
            photo(root / images.format(split) / f"{number}.jpg")
            truth[f"{images.format(split)}/{number}.jpg"] = 1
        called = [name.format(split, number) if "{1}" in name else name.format(number) for number in numbers]
        coco(root / file.format(split), *called)
    read = read_annotations(root)
    assert boxed(read) == truth
    assert read.problems.empty


def test_the_split_in_the_name_of_a_coco_file_is_enough(tmp_path):
    for split, called in (("train2017", "training"), ("validation2017", "val")):
        photo(tmp_path / split / "1.jpg")
        coco(tmp_path / f"boxes_{called}.json", "1.jpg")
    assert boxed(read_annotations(tmp_path)) == {"train2017/1.jpg": 1, "validation2017/1.jpg": 1}


def test_a_photo_that_is_gone_gives_its_boxes_to_no_other(tmp_path):
    for split in ("train", "val"):
        for number in range(3):
            photo(tmp_path / "images" / split / f"{number}.jpg")
            text(tmp_path / "labels" / split / f"{number}.txt", LINE * (number + 1 if split == "val" else 1))
    text(tmp_path / "classes.txt", "cell\n")
    (tmp_path / "labels" / "train" / "2.txt").unlink()
    (tmp_path / "images" / "val" / "2.jpg").unlink()
    read = read_annotations(tmp_path)
    assert "images/train/2.jpg" not in boxed(read)
    assert "images/train/2.jpg" not in negatives(read), "the boxes may be its own"
    assert read.problems.set_index("kind")["boxes"].to_dict() == {"drawn twice": 0, "no photo": 3, "not seen": 0}
    assert "images/train/2.jpg is called so" in said(read)
    assert read.lost.startswith("3 boxes are left out")


def test_the_photo_beside_its_file_comes_first(tmp_path):
    for folder in ("", "images"):
        photo(tmp_path / folder / "a.jpg")
    text(tmp_path / "a.txt", LINE)
    assert boxed(read_annotations(tmp_path)) == {"a.jpg": 1}


def annotate(root, kind, *names):
    """A box on each photo of these names, in a folder that says nothing of theirs."""
    for name in names:
        if kind == "yolo":
            text(root / "labels" / f"{name}.txt", LINE)
        elif kind == "voc":
            voc(root / "labels" / f"{name}.xml", f"{name}.jpg")
    if kind == "coco":
        coco(root / "boxes.json", *(f"{name}.jpg" for name in names))


@pytest.mark.parametrize("kind", ["yolo", "voc", "coco"])
def test_a_name_that_only_one_photo_has_is_enough(tmp_path, kind):
    for name in ("cats/1.jpg", "dogs/2.jpg"):
        photo(tmp_path / "pictures" / name)
    annotate(tmp_path, kind, "1", "2")
    read = read_annotations(tmp_path)
    assert boxed(read) == {"pictures/cats/1.jpg": 1, "pictures/dogs/2.jpg": 1}


@pytest.mark.parametrize(("labels", "images"), [("labels/cam1", "images/cam2"), ("labels/val", "images/train")])
def test_a_name_is_not_enough_where_folders_speak_against_it(tmp_path, labels, images):
    photo(tmp_path / images / "1.jpg")
    text(tmp_path / labels / "1.txt", LINE)
    read = read_annotations(tmp_path)
    assert read.boxes.empty and negatives(read) == []
    assert read.problems["boxes"].sum() == 1
    assert f"{images}/1.jpg" in read.problems.to_csv()


@pytest.mark.parametrize("kind", ["yolo", "voc", "coco"])
def test_photos_that_can_not_be_told_apart_are_all_named(tmp_path, kind):
    for folder in ("one", "two"):
        photo(tmp_path / "images" / folder / "same.jpg")
    photo(tmp_path / "images" / "one" / "good.jpg")
    text(tmp_path / "classes.txt", "cell\n")
    annotate(tmp_path, kind, "same", "good")
    read = read_annotations(tmp_path)
    # of YOLO's one file may be about both, so that no name is certain
    assert boxed(read) == ({} if kind == "yolo" else {"images/one/good.jpg": 1})
    assert negatives(read) == []
    row = read.problems[read.problems["kind"] == "several photos"].iloc[0]
    assert (row["photo"].removesuffix(".jpg"), row["boxes"]) == ("same", 1)
    assert "images/one/same.jpg, images/two/same.jpg" in row["words"]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("scan", ["scan.txt"]),
        ("img.2", ["img.2.txt"]),
        ("A.JPG", ["a.txt"]),
        ("b.jpg", ["b.jpg.txt"]),
        ("e\u0301.jpg", ["\u00e9.txt"]),
    ],
)
def test_odd_names_of_label_files(tmp_path, name, files):
    photo(tmp_path / name)
    for file in files:
        text(tmp_path / file, LINE)
    assert list(boxed(read_annotations(tmp_path)).values()) == [1]


def test_a_copy_of_a_label_file_is_named_and_not_used(tmp_path):
    photo(tmp_path / "img.jpg")
    text(tmp_path / "img.txt", LINE)
    text(tmp_path / "img.2.txt", "0 0.5 0.5 0.2 0.2\n0 0.7 0.7 0.1 0.1\n")
    text(tmp_path / "classes.txt", "cell\n")
    read = read_annotations(tmp_path)
    assert boxed(read) == {"img.jpg": 1}
    assert read.problems[["file", "kind", "boxes"]].values.tolist() == [["img.2.txt", "no photo", 2]]


def test_two_files_about_one_photo_must_agree(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "images" / "b.jpg")
    text(tmp_path / "classes.txt", "cell\n")
    for folder in ("images", "labels"):
        text(tmp_path / folder / "a.txt", LINE)
    text(tmp_path / "images" / "b.txt", LINE)
    text(tmp_path / "labels" / "b.txt", "0 0.5 0.5 0.2 0.2\n0 0.7 0.7 0.1 0.1\n")
    read = read_annotations(tmp_path)
    assert boxed(read) == {"images/a.jpg": 1}
    assert negatives(read) == []
    different = read.problems[read.problems["words"].str.contains("different")]
    assert different[["file", "photo", "boxes"]].values.tolist() == [
        ["images/b.txt", "images/b.jpg", 1],
        ["labels/b.txt", "images/b.jpg", 2],
    ]


def test_hidden_and_system_folders_are_passed_over_and_named(tmp_path):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", LINE)
    for folder in (".ipynb_checkpoints", "@eaDir/a.jpg", "__MACOSX"):
        photo(tmp_path / folder / "a.jpg")
        text(tmp_path / folder / "a.txt", LINE)
    (tmp_path / "b.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    text(tmp_path / "b.txt", LINE * 2)
    read = read_annotations(tmp_path)
    assert read.photos["path"].tolist() == ["a.jpg"] and boxed(read) == {"a.jpg": 1}
    assert read.left_out["path"].tolist() == [".ipynb_checkpoints", "@eaDir", "__MACOSX"]
    lost = read.problems[read.problems["boxes"] > 0].iloc[0]
    assert (lost["file"], lost["boxes"]) == ("b.txt", 2) and "HEIC" in lost["words"]


def test_a_broken_photo_of_the_same_name_may_be_the_one_that_is_meant(tmp_path):
    photo(tmp_path / "images" / "a" / "1.jpg")
    (tmp_path / "images" / "b").mkdir()
    (tmp_path / "images" / "b" / "1.jpg").write_bytes(b"\xff\xd8 broken")
    text(tmp_path / "labels" / "1.txt", LINE)
    read = read_annotations(tmp_path)
    assert read.boxes.empty and negatives(read) == [] and "2 photos fit" in said(read)
    photo(tmp_path / "c" / "2.jpg")
    (tmp_path / "c" / "2.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    text(tmp_path / "c" / "2.txt", LINE)
    assert boxed(read_annotations(tmp_path)) == {"c/2.jpg": 1}, "a JPEG of the same photo"


def test_names_and_folders():
    assert [stem_of(name) for name in ("a.jpg", "a.JPEG", "img.2", "b", "c.heic")] == ["a", "a", "img.2", "b", "c"]
    assert what_of("images/train") == what_of("train/labels") == what_of("train_images") == ("train",)
    assert what_of("labels/val", loosely=True) == what_of("images/validation", loosely=True)
    assert what_of("images/train1", loosely=True) != what_of("labels/train2", loosely=True)
    assert names_of("C:\\me\\a.jpg", "set") == ["C:/me/a.jpg", "me/a.jpg", "a.jpg"]
    assert names_of("cam2/a.jpg", "set") == ["cam2/a.jpg"]
    assert names_of("set/images/cam2/a.jpg", "set") == ["set/images/cam2/a.jpg", "images/cam2/a.jpg", "cam2/a.jpg"]
    photos = Photos(["a/x.jpg", "a/X.jpg", "b/x.png"], {"a/y.heic": "no"})
    assert photos.within("a", "X.jpg") == ("a/X.jpg",)
    assert photos.within("b", "x.jpg") == ("b/x.png",)
    assert photos.within("a", "y.jpg") == ("a/y.heic",)
    assert photos.anywhere("x.jpg") == ("a/X.jpg", "a/x.jpg")
