import pytest

from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError
from tests.layouts import found, lay, one_sentence

CLASSES = ("cat", "dog")
PATHS = [(f"{label}/{number}.jpg", label) for label in CLASSES for number in range(4)]


def listed(folder, rows, files=("cat/#.jpg", "dog/#.jpg"), name="list.csv", head="path,label"):
    lay(folder, *files)
    (folder / name).write_text("\n".join([head, *map(",".join, rows)]) + "\n")
    return folder / name


def paths(file):
    return {path: label for path, label, _ in found(file)}


def refused(file, *parts):
    with pytest.raises(InputError) as error:
        read_layout(file)
    one_sentence(error, file, *parts)


def test_a_csv_may_lie_elsewhere_and_name_absolute_paths(tmp_path):
    lay(tmp_path / "photos", "1.jpg", "2.jpg")
    file = tmp_path / "lists" / "mine.CSV"
    file.parent.mkdir()
    file.write_text(f"path,label\n{tmp_path}/photos/1.jpg,a\n../photos/../photos/2.jpg,b\n")
    layout = read_layout(file)
    assert [(layout.root / path).resolve() for path in layout.found["path"]] == [
        tmp_path / "photos" / "1.jpg",
        tmp_path / "photos" / "2.jpg",
    ]


@pytest.mark.parametrize(
    "form",
    [
        "{0}\\{1}.jpg",
        ".\\{0}\\{1}.jpg",
        "C:\\Users\\me\\photos\\{0}\\{1}.jpg",
        "\\\\server\\share\\{0}\\{1}.jpg",
        "/home/me/photos/{0}/{1}.jpg",
        "photos/{0}/{1}.jpg",
        "D:/data/{0}/{1}.jpg",
        "{0}/{1}",
        "C:\\x\\{0}\\{1}",
        "{0}/{1}.JPG",
        "{0}/{1}.jpg",
    ],
)
@pytest.mark.parametrize("below", ["", "photos/", "data/photos/"])
def test_names_as_other_systems_write_them(tmp_path, form, below):
    rows = [(form.format(label, number), label) for label in CLASSES for number in range(4)]
    file = listed(tmp_path, rows, [f"{below}{label}/#.jpg" for label in CLASSES])
    assert paths(file) == {f"{below}{path}": label for path, label in PATHS}
    assert ("Windows paths" in read_layout(file).recognised) == ("\\" in form)


def test_a_missing_photo_is_missing_wherever_others_of_its_name_lie(tmp_path):
    rows = [(f"C:\\photos\\{path}".replace("/", "\\"), label) for path, label in PATHS]
    file = listed(tmp_path, [*rows, ("C:\\photos\\cat\\9.jpg", "cat")], ["cat/#.jpg", "dog/#.jpg", "dog/9.jpg"])
    refused(file, "names 1 file(s) that are not there, first 'C:\\\\photos\\\\cat\\\\9.jpg'")


def test_ids_without_extension_in_folders(tmp_path):
    rows = [(f"img{number}", "ab"[number % 2]) for number in range(4)]
    assert paths(listed(tmp_path, rows, ["part1/img0.jpg", "part1/img1.png", "part2/img2.jpg", "part2/img3.JPG"])) == {
        "part1/img0.jpg": "a",
        "part1/img1.png": "b",
        "part2/img2.jpg": "a",
        "part2/img3.JPG": "b",
    }
    said = read_layout(tmp_path / "list.csv").recognised
    assert "names without extension: 4" in said
    assert "photos found in part1, part2" in said


def test_an_id_that_two_photos_may_be(tmp_path):
    file = listed(tmp_path, [("a/1", "x"), ("b/2", "y")], ["a/1.jpg", "a/1.png", "b/2.jpg"])
    refused(file, "line 2: 'a/1' may be 'a/1.jpg' and 'a/1.png': write the path")


@pytest.mark.parametrize("name", ["train.csv", "labels.csv"])
def test_ids_that_are_in_train_and_in_test(tmp_path, name):
    rows = [(str(number), "ab"[number % 2]) for number in range(4)]
    file = listed(tmp_path, rows, ["train/#.jpg", "test/#.jpg"], name)
    if name == "train.csv":
        assert set(paths(file)) == {f"train/{number}.jpg" for number in range(4)}
    else:
        refused(file, "line 2: '0' may be 'test/0.jpg' and 'train/0.jpg'")
        (tmp_path / "test" / "3.jpg").unlink()
        assert set(paths(file)) == {f"train/{number}.jpg" for number in range(4)}, "the only folder that has them all"


def test_bare_names_in_the_folder_of_their_label_or_split(tmp_path):
    rows = [(path.split("/")[1], label) for path, label in PATHS]
    assert paths(listed(tmp_path / "a", rows)) == dict(PATHS)
    rows = [(f"{number}.jpg", "ab"[number % 2], split) for number in range(4) for split in ("train", "test")]
    file = listed(tmp_path / "b", rows, ["train/#.jpg", "test/#.jpg"], head="path,label,split")
    assert found(file) == {(f"{split}/{name}", label, split) for name, label, split in rows}


def test_a_name_that_only_another_class_or_split_has(tmp_path):
    rows = [("a0.jpg", "cat"), ("b0.jpg", "cat"), ("b1.jpg", "dog")]
    file = listed(tmp_path / "a", rows, ["cat/a#.jpg", "dog/b#.jpg"])
    refused(file, "line 3: 'b0.jpg' is not there, but dog/b0.jpg is, the photo of another class")
    rows = [(f"D:/set/train/{number}.jpg", "ab"[number % 2]) for number in range(4)]
    file = listed(tmp_path / "b", rows, ["test/#.jpg"])
    refused(file, "line 2: 'D:/set/train/0.jpg' is not there, but test/0.jpg is, the photo of another split")


def test_capitals_only_where_one_file_fits(tmp_path):
    rows = [(path.upper(), label) for path, label in PATHS]
    file = listed(tmp_path, rows)
    assert paths(file) == dict(PATHS)
    if not (tmp_path / "CAT").exists():
        assert "names in other capitals: 8" in read_layout(file).recognised
        lay(tmp_path, "Cat/0.JPG")
        refused(file, "line 2: 'CAT/0.JPG' may be 'Cat/0.JPG' and 'cat/0.jpg'")
