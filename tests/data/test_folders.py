import itertools

import pytest

from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError
from tests.layouts import counts, found, lay, left_out, one_sentence

TWO = {("cat", ""): 4, ("dog", ""): 4}
OUTSIDE = "lies outside every class folder"
UNLABELLED = "has no label: test holds it outside every class folder"


def split(*names, classes=("cat", "dog")):
    """What is counted where each class has four photos in each of these splits."""
    return {(label, name): 4 for label in classes for name in names}


def test_a_folder_for_each_class_however_deep_the_photos_lie(tmp_path):
    lay(tmp_path, "rose/1.jpg", "rose/2023/may/2.PNG", "tulip/no suffix", "tulip/deep/er/3.bmp")
    assert found(tmp_path) == {
        ("rose/1.jpg", "rose", ""),
        ("rose/2023/may/2.PNG", "rose", ""),
        ("tulip/no suffix", "tulip", ""),
        ("tulip/deep/er/3.bmp", "tulip", ""),
    }
    assert read_layout(tmp_path).recognised == ""


def test_labels_may_hold_anything_a_folder_name_may(tmp_path):
    labels = ["Grüne Bohne", "<b>&amp;", "薔薇 🌹", "a'b\"c", "nan", "007"]
    lay(tmp_path, *(f"{label}/1.jpg" for label in labels))
    assert {label for _, label, _ in found(tmp_path)} == set(labels)


def test_hidden_and_system_folders_are_no_classes_and_are_listed(tmp_path):
    lay(
        tmp_path,
        "a/1.jpg",
        "a/._1.jpg",
        "a/.DS_Store",
        "a/Thumbs.db",
        "a/desktop.ini",
        ".git/x.jpg",
        "b/1.jpg",
        "__MACOSX/a/x.jpg",
        "b/.cache/2.jpg",
        "@eaDir/x.jpg",
        "a/@eaDir/1.jpg/SYNO.jpg",
        "#recycle/2.jpg",
        "$RECYCLE.BIN/3.jpg",
        "lost+found/4.jpg",
        "System Volume Information/5.jpg",
        "b/.hidden.jpg",
    )
    assert found(tmp_path) == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}
    system = "made by the system or by network storage"
    assert left_out(tmp_path) == {
        ".git": "hidden",
        "b/.cache": "hidden",
        "b/.hidden.jpg": "hidden",
        "__MACOSX": system,
        "@eaDir": system,
        "a/@eaDir": system,
        "#recycle": system,
        "$RECYCLE.BIN": system,
        "lost+found": system,
        "System Volume Information": system,
    }
    assert set(read_layout(tmp_path).left_out["label"]) == {""}, "the audit takes none of them for a photo of a class"


def test_what_is_no_photo_is_listed_with_the_reason(tmp_path):
    lay(tmp_path, "a/1.jpg", "a/notes.txt", "b/1.jpg", "b/film.MP4", "README.md", "stray.jpg")
    assert found(tmp_path) == {("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")}
    assert left_out(tmp_path) == {
        "a/notes.txt": "not a photo (.txt file)",
        "b/film.MP4": "not a photo (.MP4 file)",
        "README.md": OUTSIDE,
        "stray.jpg": OUTSIDE,
    }


def test_folders_without_photos_are_no_classes_and_are_named(tmp_path):
    lay(tmp_path, "cat/#.jpg", "dog/#.jpg", "empty/", "notes/a.txt", "deep/er/", "train/")
    assert counts(tmp_path) == TWO
    nothing = "holds no photos, and so is no class"
    assert left_out(tmp_path) == {
        "empty": nothing,
        "notes": nothing,
        "notes/a.txt": "not a photo (.txt file)",
        "deep": nothing,
        "train": nothing,
    }


# -- splits ---------------------------------------------------------------------------------------------------

PARTS = [
    ("train", "validation", "test"),
    ("Train", "Val", "TEST"),
    ("training_set", "validation_set", "test_set"),
    ("train2017", "val2017", "test2017"),
    ("seg_train", "seg_val", "seg_test"),
    ("training", "dev", "testing"),
    ("trainset", "valid", "testset"),
    ("Training Data", "Validation Data", "Test Data"),
    ("cifar_train", "cifar_val", "cifar_test"),
    ("train_images", "val_images", "test_images"),
]


@pytest.mark.parametrize("nested", ["{0}/{1}", "{0}/{0}/{1}", "{0}/images/{1}"])
@pytest.mark.parametrize("names", PARTS)
@pytest.mark.parametrize("wrapped", ["", "photos/", "download/my photos/"])
def test_parts_with_class_folders_in_them(tmp_path, names, nested, wrapped):
    for name, label in itertools.product(names, ("cat", "dog")):
        lay(tmp_path, f"{wrapped}{nested.format(name, label)}/#.jpg")
    assert counts(tmp_path) == split("train", "validation", "test")
    assert left_out(tmp_path) == {}
    assert f"folders {', '.join(names)}: splits; 2 classes below them" in read_layout(tmp_path).recognised


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Train", "Val"), ("train2017", "test2017"), ("train", "TEST set")]
)
@pytest.mark.parametrize("form", ["{1}/{0}", "{1}/{0}/images", "{1}_{0}", "{0}-{1}", "{1} {0}", "photos/{1}/{0}"])
def test_class_first_and_class_and_split_in_one_name(tmp_path, names, form):
    for name, label in itertools.product(names, ("cat", "dog")):
        lay(tmp_path, form.format(name, label) + "/#.jpg")
    other = "validation" if names[1] == "Val" else "test"
    assert counts(tmp_path) == split("train", other)
    assert "split" in read_layout(tmp_path).recognised


def test_parts_that_all_hold_one_folder_with_the_classes_in_it(tmp_path):
    for part in ("train", "test"):
        lay(tmp_path, f"{part}/fruit/cat/#.jpg", f"{part}/fruit/dog/#.jpg")
    assert counts(tmp_path) == split("train", "test")


def test_a_class_that_one_part_lacks(tmp_path):
    lay(tmp_path / "a", "train/cat/#.jpg", "train/dog/#.jpg", "test/cat/#.jpg", "test/dog/")
    assert counts(tmp_path / "a") == split("train") | {("cat", "test"): 4}
    assert left_out(tmp_path / "a") == {"test/dog": "holds no photos, and so is no class"}
    lay(tmp_path / "b", "cat/train/#.jpg", "cat/test/#.jpg", "dog/train/#.jpg")
    assert counts(tmp_path / "b") == split("train") | {("cat", "test"): 4}


def test_parts_of_one_split_are_put_together(tmp_path):
    lay(tmp_path, "train/cat/#.jpg", "train/dog/#.jpg", "training/cat/#.jpg", "training/dog/#.jpg")
    assert counts(tmp_path) == {("cat", "train"): 8, ("dog", "train"): 8}


def test_a_training_part_that_is_divided_again(tmp_path):
    for part in ("data/train/train", "data/train/val", "data/test"):
        lay(tmp_path, f"{part}/cat/#.jpg", f"{part}/dog/#.jpg")
    assert counts(tmp_path) == split("train", "validation", "test")
    lay(tmp_path / "wrong", "train/cat/#.jpg", "train/dog/#.jpg", "test/train/cat/#.jpg", "test/val/cat/#.jpg")
    with pytest.raises(InputError) as error:
        read_layout(tmp_path / "wrong")
    one_sentence(error, "test is the part for test, and holds the parts 'train' and 'val': move them up")


@pytest.mark.parametrize("test", ["test", "test/test", "test/images"])
def test_flat_test_photos_beside_labelled_ones_are_left_out_one_by_one(tmp_path, test):
    lay(tmp_path, "train/cat/#.jpg", "train/dog/#.jpg", f"{test}/#.jpg")
    assert counts(tmp_path) == split("train")
    assert left_out(tmp_path) == {f"{test}/{number}.jpg": UNLABELLED for number in range(4)}
    assert "4 photos in test without a label: left out" in read_layout(tmp_path).recognised


def test_test_photos_in_a_folder_that_is_no_class_are_left_out(tmp_path):
    lay(tmp_path, "train/cat/#.jpg", "train/dog/#.jpg", "test/unknown/#.jpg")
    assert counts(tmp_path) == split("train")
    reason = "has no label: 'unknown' is no class of the photos to train with (4 photos)"
    assert left_out(tmp_path) == {"test/unknown": reason}


def test_what_lies_beside_the_parts_is_listed(tmp_path):
    lay(tmp_path, "train/cat/#.jpg", "train/dog/#.jpg", "train/loose.jpg", "test/cat/#.jpg", "extra/cat/#.jpg", "x.jpg")
    assert counts(tmp_path) == split("train") | {("cat", "test"): 4}
    assert left_out(tmp_path) == {
        "train/loose.jpg": "has no label: train holds it outside every class folder",
        "extra": "folder is none of train, validation, test (4 photos)",
        "x.jpg": OUTSIDE,
    }


def test_what_lies_beside_the_splits_in_a_class_is_listed(tmp_path):
    lay(
        tmp_path, "cat/train/#.jpg", "cat/test/#.jpg", "dog/train/#.jpg", "dog/test/#.jpg", "dog/raw/#.jpg", "dog/9.jpg"
    )
    assert counts(tmp_path) == split("train", "test")
    assert left_out(tmp_path) == {
        "dog/raw": "folder is none of train, validation, test (4 photos)",
        "dog/9.jpg": "lies outside test, train",
    }


# -- classes that are called like splits ----------------------------------------------------------------------


@pytest.mark.parametrize("train", ["train", "Train"])
def test_a_folder_train_among_vehicles_is_a_class(tmp_path, train):
    lay(tmp_path, f"{train}/#.jpg", "bus/#.jpg", "car/#.jpg")
    assert counts(tmp_path) == {(label, ""): 4 for label in (train, "bus", "car")}
    assert read_layout(tmp_path).recognised == f"the folder {train} is a class, not a split"


@pytest.mark.parametrize(
    "names",
    [
        ("train_station", "bus_stop"),
        ("test_tube", "flask"),
        ("valid", "invalid"),
        ("training", "match"),
        ("validated", "tested"),
    ],
)
def test_names_that_only_hold_a_split_word_are_classes(tmp_path, names):
    lay(tmp_path, *(f"{name}/#.jpg" for name in names))
    assert counts(tmp_path) == {(name, ""): 4 for name in names}


def test_a_class_called_train_within_splits(tmp_path):
    lay(tmp_path, *(f"{part}/{label}/#.jpg" for part in ("train", "test") for label in ("train", "bus", "car")))
    assert counts(tmp_path) == split("train", "test", classes=("train", "bus", "car"))


@pytest.mark.parametrize("odd", ["test", "val", "training_set"])
def test_other_parts_within_a_part_are_no_classes(tmp_path, odd):
    lay(tmp_path, "train/cat/#.jpg", "train/dog/#.jpg", f"train/{odd}/#.jpg", "test/cat/#.jpg", "test/dog/#.jpg")
    with pytest.raises(InputError) as error:
        read_layout(tmp_path)
    one_sentence(error, tmp_path / "train", f"holds '{odd}' beside other classes", "--layout splits")
    assert counts(tmp_path, "splits") == split("train", "test") | {(odd, "train"): 4}


AMBIGUOUS = [
    (["cats_train/#.jpg", "dogs_test/#.jpg"], ["'cats_train' and 'dogs_test', which can be parts"]),
    (["cat/test/#.jpg", "dog/#.jpg"], ["'cat' with parts for validation or test", "add a folder train"]),
    (["train/#.jpg", "test/#.jpg", "tram/#.jpg"], ["'test' and 'train' beside 'tram'"]),
    (["train/old/#.jpg", "train/new/#.jpg", "bus/#.jpg"], ["'train' beside 'bus'"]),
    (["train/cat/#.jpg", "train/dog/#.jpg", "unlabelled/#.jpg"], ["'train' beside 'unlabelled'"]),
    (["test/#.jpg", "bus/#.jpg", "car/#.jpg"], ["'test' beside 'bus' and 'car'"]),
    (["cat_train/#.jpg", "cat_test/#.jpg", "dog/#.jpg"], ["'cat_test' and 'cat_train'", "dog"]),
    (["cat/train/#.jpg", "cat/test/#.jpg", "dog/#.jpg"], ["'cat' with train", "'dog' without"]),
    (["set/train/cat/#.jpg", "set/test/cat/#.jpg", "docs/figure.png"], ["'set' with train", "'docs' without"]),
    (
        [
            "a/train/cat/#.jpg",
            "a/train/dog/#.jpg",
            "a/val/cat/#.jpg",
            "b/train/cat/#.jpg",
            "b/train/dog/#.jpg",
            "b/val/dog/#.jpg",
        ],
        ["'a' and 'b'", "'cat' and 'dog' in all of these"],
    ),
    (["val/cat/#.jpg", "val/dog/#.jpg", "test/cat/#.jpg"], ["'test' and 'val' but none to train with"]),
]


@pytest.mark.parametrize(("files", "words"), AMBIGUOUS)
def test_several_readings_are_refused_and_the_folders_named(tmp_path, files, words):
    with pytest.raises(InputError) as error:
        read_layout(lay(tmp_path, *files))
    one_sentence(error, tmp_path, *words, "--layout classes (in notebook 00: Layout)")
    assert all(split == "" for _, _, split in found(tmp_path, "classes")), "the way out is open"


def test_the_person_says_which_reading_is_meant(tmp_path):
    lay(tmp_path, "train/old/#.jpg", "train/new/#.jpg", "bus/#.jpg")
    assert counts(tmp_path, "classes") == {("train", ""): 8, ("bus", ""): 4}
    assert counts(tmp_path, "splits") == split("train", classes=("old", "new"))
    assert left_out(tmp_path, "splits") == {"bus": "folder is none of train, validation, test (4 photos)"}
    with pytest.raises(InputError, match=r"'split' is not a layout: choose classes, splits, .* or recognise"):
        read_layout(tmp_path, "split")
    with pytest.raises(InputError, match="has no folder called train"):
        read_layout(lay(tmp_path / "plain", "cat/#.jpg", "dog/#.jpg"), "splits")


# -- no labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        ("train/#.jpg", "test/#.jpg"),
        ("train/train/#.jpg", "test/test/#.jpg"),
        ("train/#.jpg", "test/cat/#.jpg", "test/dog/#.jpg"),
    ],
)
def test_flat_parts_have_no_labels(tmp_path, files):
    with pytest.raises(InputError) as error:
        read_layout(lay(tmp_path, *files))
    one_sentence(error, tmp_path, "the photos in 'train'", "have no labels", "give each class a folder", "path,label")


@pytest.mark.parametrize("folders", [("",), ("photos/",), ("train/", "test/")])
def test_names_that_begin_with_a_class_are_offered_and_taken_when_asked(tmp_path, folders):
    lay(tmp_path, f"{folders[0]}cat.#.jpg", f"{folders[0]}dog (#).jpg", *(f"{folder}#.jpg" for folder in folders[1:]))
    with pytest.raises(InputError) as error:
        read_layout(tmp_path)
    one_sentence(error, tmp_path, "begin with cat (4), dog (4)", "--layout names")
    assert counts(tmp_path, "names") == (split("train") if folders[1:] else TWO)
    reason = "has no label: its name begins with no class"
    assert left_out(tmp_path, "names") == {f"test/{number}.jpg": reason for number in range(4) if folders[1:]}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "has no photos: put one folder per class"),
        (["1.jpg", "2.jpg"], "has photos but no class folders: put one folder per class"),
        (["a/1.jpg", "a/2.jpg"], "has one class only, 'a'"),
        (["a/1.jpg", "b/notes.txt"], "has one class only, 'a'"),
        (["a/1.txt", "b/1.txt"], "has no photos"),
    ],
)
def test_nothing_to_learn_from(tmp_path, files, words):
    with pytest.raises(InputError) as error:
        read_layout(lay(tmp_path, *files))
    one_sentence(error, tmp_path, words, "path,label")


@pytest.mark.parametrize(
    ("archives", "words"), [(["set.zip"], "/set.zip itself"), (["a.zip", "b.tar.gz"], "unpack them")]
)
def test_a_folder_that_holds_an_archive_only(tmp_path, archives, words):
    with pytest.raises(InputError) as error:
        read_layout(lay(tmp_path, *archives, "README.txt"))
    one_sentence(error, tmp_path, "has no photos, but", archives[0], words)
