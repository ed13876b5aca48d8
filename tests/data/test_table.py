import pytest

from cvtune_nb.data.read import read_layout
from cvtune_nb.errors import InputError
from tests.layouts import found, lay, left_out, one_sentence

ROWS = [(f"{label}/{number}.jpg", label) for label in ("cat", "dog") for number in range(4)]
READ = {(path, label, "") for path, label in ROWS}


def write(folder, text, encoding="utf-8", name="list.csv"):
    """A CSV file beside four photos each of cats and dogs."""
    lay(folder, "cat/#.jpg", "dog/#.jpg")
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def table(rows=ROWS, separator=",", head=("path", "label")):
    return "".join(separator.join(cells) + "\n" for cells in (head, *rows))


def recognised(file, layout=""):
    return read_layout(file, layout).recognised


def refused(file, *parts):
    with pytest.raises(InputError) as error:
        read_layout(file)
    one_sentence(error, file, *parts)


def test_a_csv_without_split(tmp_path):
    lay(tmp_path, "photos/1.jpg", "photos/größe, 3.jpg")
    (tmp_path / "list.csv").write_text('path,label\nphotos/1.jpg,rose\n"photos/größe, 3.jpg", nan \n')
    layout = read_layout(tmp_path / "list.csv")
    assert layout.root == tmp_path
    assert layout.found.to_dict("list") == {
        "path": ["photos/1.jpg", "photos/größe, 3.jpg"],
        "label": ["rose", "nan"],
        "split": ["", ""],
    }
    assert layout.recognised == "CSV list.csv"


def test_a_csv_as_a_spreadsheet_saves_it(tmp_path):
    text = "Path , LABEL,extra,Split\r\ncat/1.jpg,rose,,Train\r\ndog/2.jpg,tulip,x,val\r\n,,,\r\n"
    file = write(tmp_path, text, encoding="utf-8-sig")
    assert found(file) == {("cat/1.jpg", "rose", "train"), ("dog/2.jpg", "tulip", "validation")}


# -- text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("separator", "word"), [(",", ""), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_separators_and_encodings(tmp_path, separator, word, said, encoding):
    rows = [(path, f"{label}, {label}größer" if separator != "," else label) for path, label in ROWS]
    text = f"sep={separator}\r\n" * said + table(rows, separator).replace("\n", "\r\n")
    file = write(tmp_path, text, encoding)
    assert found(file) == {(*row, "") for row in rows}
    assert (f"separator {word}" in recognised(file)) == bool(word)


def test_a_table_that_ends_each_line_with_a_separator_or_has_gaps(tmp_path):
    text = "path;label;\n\ncat/1.jpg;cat;\n;;\n\"dog/2.jpg\";'dog';\n"
    assert found(write(tmp_path, text)) == {("cat/1.jpg", "cat", ""), ("dog/2.jpg", "'dog'", "")}


def test_windows_1252_only_where_names_on_disk_confirm_every_letter(tmp_path):
    lay(tmp_path, "größe/#.jpg", "b/#.jpg")
    rows = [(f"{label}/{number}.jpg", label) for label in ("größe", "b") for number in range(4)]
    (tmp_path / "list.csv").write_bytes(table(rows).encode("cp1252"))
    assert found(tmp_path / "list.csv") == {(*row, "") for row in rows}
    assert "encoding Windows-1252" in recognised(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(table([*rows[:5], ("b/1.jpg", "klein-grün")]).encode("cp1252"))
    refused(tmp_path / "list.csv", "line 7 is not UTF-8 text", "save it as UTF-8 CSV")
    (tmp_path / "list.csv").write_bytes(table(rows).encode("cp850"))
    refused(tmp_path / "list.csv", "first 'gr”áe/0.jpg'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photo_of,label\ncat/1.jpg,a\n", "has no column 'path' (it has photo_of, label): name the columns path,label"),
        ("path,what\ncat/1.jpg,a\n", "has no column 'label' (it has path, what)"),
        ("what;where\ncat/1.jpg;a\n", "has no column 'label' (it has what, where)"),
        ("cat/1.jpg,cat\ndog/1.jpg,dog\n", "has no line with the names of its columns"),
        ("path,label\ncat/1.jpg,a\ncat/9.jpg,b\ncat/8.jpg,b\n", "2 file(s) that are not there, first 'cat/9.jpg'"),
        ("path,label\ncat/1.jpg,a\ndog/2.jpg,\n", "line 3: the label is empty"),
        ("path,label\ncat/1.jpg,a\n\ndog/2.jpg\n", "line 4: the label is empty"),
        ("path,label\ncat/1.jpg,a\n,b\n", "line 3: it names no photo"),
        ("path,label,split\ncat/1.jpg,a,train\ndog/2.jpg,b,trian\n", "line 3: split is 'trian': use train"),
        ("path,label\ncat/1.jpg,a\ncat/1.jpg,b\n", "gives 'cat/1.jpg' more than one label ('a' and 'b'): classes"),
        ("path,label,split\ncat/1.jpg,a,train\ncat/1.jpg,a,test\n", "more than one split: leave one line"),
        ("path,label1,label2\ncat/1.jpg,a,b\n", "several columns with labels, 'label1' and 'label2': classes exclude"),
        ("path,label\ncat/1.jpg,a, big\ndog/2.jpg,b, big\n", "can't be read as CSV (line 2 has 3 columns"),
        ('path,label\n"cat/1.jpg,a\n', "can't be read as CSV (line 2: unexpected end of data)"),
        ("path,label,label\ncat/1.jpg,a,b\n", "has two columns called 'label'"),
        ("", "can't be read as CSV (it is empty)"),
        ("path,label\n", "has no photos"),
        ("path,label\ncat/1.jpg,a\n", "has one class only"),
    ],
)
def test_a_csv_that_can_not_be_used(tmp_path, text, words):
    refused(write(tmp_path, text), words)


# -- columns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["filename", "File Name", "file_name", "image", "Image-Path", "image_id", "ID", "img"])
@pytest.mark.parametrize("label", ["class", "Class Name", "category", "target", "y", "species"])
def test_columns_of_other_names(tmp_path, path, label):
    file = write(
        tmp_path,
        table([(name, str(number), what) for number, (name, what) in enumerate(ROWS)], head=(path, "width", label)),
    )
    assert found(file) == READ
    assert recognised(file) == f"CSV list.csv: {path} is the path, {label} is the label"


@pytest.mark.parametrize(
    ("head", "cells", "splits"),
    [
        (("split",), [("Train",), ("VAL",), ("test set",), ("",)], ["train", "validation", "test", ""]),
        (("Set",), [("training",), ("dev",), ("testing",), ("train",)], ["train", "validation", "test", "train"]),
        (("subset",), [("train2017",), ("val2017",)] * 2, ["train", "validation"] * 2),
        (("fold",), [("train",), ("val",)] * 2, ["train", "validation"] * 2),
        (("is_valid",), [("True",), ("false",), ("1",), ("0.0",)], ["validation", "train"] * 2),
        (("is_test",), [("yes",), ("no",)] * 2, ["test", "train"] * 2),
        (
            ("is_valid", "is_test"),
            [("1", "0"), ("0", "1"), ("0", "0"), ("0", "")],
            ["validation", "test", "train", "train"],
        ),
        (("fold",), [("0",), ("1",), ("2",), ("3",)], [""] * 4),
    ],
)
def test_columns_that_say_the_split(tmp_path, head, cells, splits):
    rows = [(path, label, *cells[number % 4]) for number, (path, label) in enumerate(ROWS)]
    file = write(tmp_path, table(rows, head=("path", "label", *head)))
    assert found(file) == {(path, label, splits[number % 4]) for number, (path, label) in enumerate(ROWS)}
    word = "fold names no splits: not used" if splits[0] == "" else f"{' and '.join(head)} is the split"
    assert head == ("split",) or word in recognised(file)


@pytest.mark.parametrize(
    ("head", "cells", "words"),
    [
        (("is_train",), ("0",), "says in 'is_train' which photos are not to train with"),
        (("is_valid",), ("maybe",), "line 2: is_valid is 'maybe': use True or False"),
        (("is_valid", "is_test"), ("1", "1"), "line 2: the photo is for validation and for test"),
        (("class", "category"), ("x", "y"), None),
    ],
)
def test_a_split_that_is_not_clear_is_refused(tmp_path, head, cells, words):
    file = write(tmp_path, table([(*row, *cells) for row in ROWS], head=("path", "label", *head)))
    if words:
        refused(file, words)
    else:
        assert found(file) == READ, "a column called label is the label, whatever else there is"


def test_several_columns_that_may_be_the_label(tmp_path):
    head = ("file", "family", "class", "category")
    rows = [(path, "animal", label, f"{label}{number % 2}") for number, (path, label) in enumerate(ROWS)]
    refused(write(tmp_path, table(rows, head=head)), "'class' and 'category': name the right one 'label'")
    same = [(path, "animal", "01"[label == "cat"], label) for path, label in ROWS]
    file = write(tmp_path, table(same, head=head))
    assert found(file) == READ
    assert "class says the same as category" in recognised(file)


def test_of_several_columns_that_may_be_the_path_the_one_whose_photos_are_there(tmp_path):
    rows = [(f"{number:04d}", path, label) for number, (path, label) in enumerate(ROWS)]
    assert found(write(tmp_path, table(rows, head=("id", "file", "label")))) == READ
    rows = [(path.replace("cat", "dog"), path, label) for path, label in ROWS]
    refused(
        write(tmp_path, table(rows, head=("image", "file", "label"))), "'image' and 'file': name the right one 'path'"
    )


def test_labels_that_are_numbers_stay_as_they_are_written(tmp_path):
    rows = [(path, {"cat": "007", "dog": "1.0"}[label]) for path, label in ROWS]
    assert {label for _, label, _ in found(write(tmp_path, table(rows)))} == {"007", "1.0"}


@pytest.mark.parametrize("names", [("class1", "class2"), ("single", "group"), ("groups", "alone")])
def test_a_column_for_each_class_whatever_the_classes_are_called(tmp_path, names):
    rows = [(path, str(int(label == "cat")), str(int(label == "dog"))) for path, label in ROWS]
    file = write(tmp_path, table(rows, head=("file", *names)))
    assert found(file) == {(path, names[label == "dog"], "") for path, label in ROWS}


def test_a_group_of_zero_and_one_beside_a_column_for_each_class_is_no_class(tmp_path):
    rows = [
        (path, str(int(label == "cat")), str(int(label == "dog")), str(n % 2)) for n, (path, label) in enumerate(ROWS)
    ]
    assert found(write(tmp_path, table(rows, head=("file", "cat", "dog", "group")))) == READ


def test_a_column_for_each_class(tmp_path):
    rows = [(path, str(int(label == "cat")), f"{label == 'dog'}", "0.5") for path, label in ROWS]
    file = write(tmp_path, table(rows, head=("image_id", "cat", "dog", "score")))
    assert found(file) == READ
    assert "a column for each class (2)" in recognised(file)
    rows[2] = (rows[2][0], "1", "1", "0.5")
    refused(
        write(tmp_path, table(rows, head=("image_id", "cat", "dog", "score"))),
        "line 4: several labels, 'cat' and 'dog'",
        "classes exclude each other",
    )
    rows[2] = (rows[2][0], "0", "0", "0.5")
    refused(write(tmp_path, table(rows, head=("image_id", "cat", "dog", "score"))), "line 4: no label")


@pytest.mark.parametrize(
    "labels",
    [
        ('"cat,small"', "dog"),
        ("cat|small", "dog"),
        ('"cat;small"', "dog"),
        ("cat dog", "cat", "dog"),
        ("cat/dog", "cat", "dog"),
        ("cat & dog", "cat", "dog"),
        ("cat and dog", "cat", "dog"),
        ('"cat, small"', '"dog, small"'),
        ("\"['cat', 'dog']\"", "dog"),
        ("Cat dog", "cat", "dog"),
    ],
)
def test_several_labels_in_a_cell_are_refused_with_the_reason(tmp_path, labels):
    rows = [(path, labels[number % len(labels)]) for number, (path, _) in enumerate(ROWS)]
    file = write(tmp_path, table(rows))
    refused(file, "line 2: the label", "seems to be several", "classes exclude each other here", "notebook 06")
    assert len({label for _, label, _ in found(file, "csv")}) == len(labels), "the way out is open"


@pytest.mark.parametrize(
    "labels",
    [
        ('"tench, Tinca tinca"', '"goldfish, Carassius auratus"'),
        ("red apple", "green apple"),
        ("black and tan", "poodle"),
        ("n/a", "ok"),
    ],
)
def test_a_name_of_several_words_is_one_label(tmp_path, labels):
    rows = [(path, labels[number % 2]) for number, (path, _) in enumerate(ROWS)]
    assert {label for _, label, _ in found(write(tmp_path, table(rows)))} == {label.strip('"') for label in labels}


def test_spellings_of_one_label_are_refused_unless_asked_for(tmp_path):
    file = write(tmp_path, table([("cat/0.jpg", "Cat"), *ROWS[1:]]))
    refused(file, "'Cat' and 'cat'", "--layout csv")
    assert {label for _, label, _ in found(file, "csv")} == {"Cat", "cat", "dog"}


# -- rows and files -------------------------------------------------------------------------------------------


def test_a_line_given_twice_counts_once_and_is_counted(tmp_path):
    file = write(tmp_path, table([*ROWS, ("./cat/1.jpg", "cat")]))
    assert found(file) == READ
    assert "1 lines say again what others say" in recognised(file)


def test_photos_that_it_does_not_name_are_listed(tmp_path):
    lay(tmp_path, "loose.jpg", "notes.txt", "extra/#.jpg", "cat/.hidden.jpg")
    file = write(tmp_path, table(ROWS[1:]))
    assert found(file) == {row for row in READ if row[0] != "cat/0.jpg"}
    assert left_out(file) == {
        "cat/0.jpg": "list.csv does not name it",
        "loose.jpg": "list.csv does not name it",
        "notes.txt": "not a photo (.txt file)",
        "extra": "list.csv names nothing in it (4 photos)",
        "cat/.hidden.jpg": "hidden",
    }
    assert "6 photos not named in it: left out" in recognised(file)


@pytest.mark.parametrize(
    ("name", "words"),
    [("list.xlsx", "save it as CSV UTF-8"), ("photos.rar", "unpack it"), ("a.jpg", "is a file, not a folder")],
)
def test_what_is_no_table(tmp_path, name, words):
    refused(write(tmp_path, table(), name=name), words)


def test_a_layout_of_folders_has_no_meaning_for_a_csv(tmp_path):
    with pytest.raises(InputError, match="is a CSV file, and layout 'splits' is one of folders"):
        read_layout(write(tmp_path, table()), "splits")
