"""YOLO files: lines of every form, and photos of which it is known that they show nothing."""

import numpy as np
import pytest

from cvtune_nb.detection import read_annotations
from tests.annotation_files import LINE, SHARES, boxed, boxes, kinds, negatives, photo, said, text

GOOD = ("good.jpg", "cell", *SHARES)
TWO = "names: [cell, dust]\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with one photo and the name of a class."""
    photo(tmp_path / "good.jpg")
    text(tmp_path / "classes.txt", "cell\n")
    return tmp_path


def test_boxes_and_outlines(tmp_path):
    for name in ("a", "b", "c"):
        photo(tmp_path / "images" / "train" / f"{name}.jpg")
    labels = tmp_path / "labels" / "train"
    text(labels / "a.txt", "1 0.3 0.45 0.4 0.5\n0 0.5 0.5 1 1 0.97\n")
    text(labels / "b.txt", "0 0.1 0.2 0.5 0.2 0.5 0.7 0.1 0.7\n")
    text(labels / "c.txt", "")
    read = read_annotations(tmp_path)
    assert boxes(read)[0] == ("images/train/a.jpg", "1", *SHARES)
    assert kinds(read) == ["no class names"]
    text(tmp_path / "data.yaml", "names: {0: whole, 1: cell}\nnc: 2\n")
    read = read_annotations(tmp_path)
    assert boxes(read) == [
        ("images/train/a.jpg", "cell", *SHARES),
        ("images/train/a.jpg", "whole", 0, 0, 1, 1),
        ("images/train/b.jpg", "whole", *SHARES),
    ]
    assert read.problems.empty
    assert negatives(read) == ["images/train/c.jpg"]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("no number", "0 0.5 x 0.1 0.1"),
        ("no box", "0 0.5 0.5 0.1"),
        ("pixels", "0 120 40 30 30"),
        ("no class", "5 0.5 0.5 0.1 0.1"),
        ("no class", "0.5 0.5 0.5 0.1 0.1"),
        ("no class", "-1 0.5 0.5 0.1 0.1"),
        ("no number", "cell 0.5 0.5 0.1 0.1"),
        ("no number", "0,0.5,0.5,0.1,0.1"),
        ("no area", "0 0.5 0.5 0 0.1"),
    ],
)
def test_a_wrong_line_is_named_and_counted(folder, kind, line):
    text(folder / "good.txt", f"{LINE}{line}\n")
    photo(folder / "other.jpg")
    text(folder / "other.txt", f"{line}\n")
    read = read_annotations(folder)
    assert read.problems[["kind", "where", "boxes"]].values.tolist() == [[kind, "line 2", 1], [kind, "line 1", 1]]
    assert boxes(read) == [GOOD]
    assert negatives(read) == [], "a photo whose only box is lost is no negative"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path, encoding, ends):
    photo(tmp_path / "good.jpg")
    text(tmp_path / "classes.txt", f"Käfer{ends}cell{ends}", encoding)
    text(tmp_path / "good.txt", f"1{LINE[1:-1]}{ends}0 0.5 0.5 0.1 0.1{ends}", encoding)
    read = read_annotations(tmp_path)
    assert boxes(read) == [GOOD, ("good.jpg", "Käfer", 0.45, 0.45, 0.1, 0.1)]


# -- key points ---------------------------------------------------------------------------------------------


def pose(random, points, each):
    """A box with key points within it; its sides; as YOLO writes it."""
    width, height = random.uniform(0.1, 0.3, 2)
    x, y = random.uniform(width / 2, 1 - width / 2), random.uniform(height / 2, 1 - height / 2)
    away = random.uniform(-0.5, 0.5, (points, 2))
    keys = [[x + across * width, y + down * height, 2][:each] for across, down in away]
    return (x - width / 2, y - height / 2, width, height), [x, y, width, height, *np.ravel(keys)]


def polygon(random, corners):
    """Corners round a middle; the box round them; as YOLO writes it."""
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    away = random.uniform(0.05, 0.14) * np.array([np.cos(angles), np.sin(angles)])
    points = random.uniform(0.15, 0.85, 2)[:, None] + away
    low, high = points.min(1), points.max(1)
    return (*low, *(high - low)), points.T.ravel()


def write(folder, random, make, *sizes, count=12):
    """Photos with a line each, and the boxes that are meant."""
    meant = {}
    for number in range(count):
        photo(folder / f"{number:02d}.jpg")
        meant[f"{number:02d}.jpg"], numbers = make(random, *(size[number % len(size)] for size in sizes))
        text(folder / f"{number:02d}.txt", "0 " + " ".join(f"{value:.5f}" for value in numbers) + "\n")
    return meant


def close(read, meant):
    """Whether exactly these boxes were read."""
    found = {row.path: (row.left, row.top, row.width, row.height) for row in read.boxes.itertuples()}
    return found.keys() == meant.keys() and all(np.allclose(found[path], meant[path], atol=1e-3) for path in meant)


@pytest.mark.parametrize(("points", "each"), [(12, 2), (2, 2), (1, 2), (24, 3), (4, 3), (17, 3), (1, 3)])
def test_key_points_that_data_yaml_states(tmp_path, points, each):
    meant = write(tmp_path, np.random.default_rng(points), pose, [points], [each])
    text(tmp_path / "data.yaml", f"names: [cell]\nkpt_shape: [{points}, {each}]\n")
    text(tmp_path / "00.txt", f"0 0.5 0.5 0.2 0.2 {'0.5 ' * (points * each + 1)}\n{(tmp_path / '00.txt').read_text()}")
    read = read_annotations(tmp_path)
    assert close(read, meant)
    assert read.problems[["file", "where", "kind"]].values.tolist() == [["00.txt", "line 1", "no box"]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("points", "each"), [(1, 3), (4, 3), (17, 3), (24, 3), (5, 2), (12, 2), (1, 2), (2, 2)])
def test_key_points_that_are_not_stated_are_read_rightly_or_not_at_all(tmp_path, points, each, seed):
    meant = write(tmp_path, np.random.default_rng(seed), pose, [points], [each])
    text(tmp_path / "data.yaml", "names: [cell]\n")
    read = read_annotations(tmp_path)
    if each == 3 or points > 2:  # a visibility of 2, or an outline that crosses itself
        assert close(read, meant)
    else:
        assert close(read, meant) or (set(kinds(read)) == {"two readings"} and "kpt_shape" in said(read))
    assert negatives(read) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("corners", [[3], [4], [8], [30], [3, 4, 5, 9]], ids=str)
def test_outlines_are_read_rightly_or_not_at_all(tmp_path, corners, seed):
    meant = write(tmp_path, np.random.default_rng(seed), polygon, corners)
    text(tmp_path / "data.yaml", "names: [cell]\n")
    read = read_annotations(tmp_path)
    assert close(read, meant) or (set(kinds(read)) == {"two readings"} and read.problems["boxes"].sum() == 12)
    assert len(corners) == 1 or not read.boxes.empty, "lines with key points are of one length"


@pytest.mark.parametrize("turn", [0, 0.4])
def test_turned_boxes_are_outlines(tmp_path, turn):
    def corners(random):
        a, b = 0.05 * np.array([np.cos(turn), np.sin(turn)]), 0.03 * np.array([-np.sin(turn), np.cos(turn)])
        points = random.uniform(0.2, 0.5, 2) + np.array([-a - b, a - b, a + b, b - a])
        return (*points.min(0), *np.ptp(points, axis=0)), points.ravel()

    meant = write(tmp_path, np.random.default_rng(0), corners)
    text(tmp_path / "data.yaml", "names: [cell]\n")
    assert close(read_annotations(tmp_path), meant)


# -- photos without objects ---------------------------------------------------------------------------------


def laid(root, *names, labels=()):
    for name in names:
        photo(root / name)
    for name in labels:
        text(root / name, LINE)
    text(root / "classes.txt", "cell\n")
    return read_annotations(root)


def test_photos_without_a_file_beside_photos_with_one_show_nothing(tmp_path):
    read = laid(tmp_path, "images/dogs/1.jpg", "images/dogs/2.jpg", "images/none/1.jpg", labels=["labels/dogs/1.txt"])
    assert boxed(read) == {"images/dogs/1.jpg": 1}
    assert negatives(read) == ["images/dogs/2.jpg", "images/none/1.jpg"] and read.problems.empty


def test_a_split_or_a_folder_without_any_labels_says_nothing(tmp_path):
    read = laid(tmp_path / "a", "images/train/1.jpg", "images/test/2.jpg", "extra/3.jpg", labels=["labels/train/1.txt"])
    assert negatives(read) == []
    assert read.problems[["photo", "kind"]].values.tolist() == [["extra", "no labels"], ["images/test", "no labels"]]
    read = laid(tmp_path / "b", "1.jpg", "2.jpg", "unlabelled/3.jpg", labels=["1.txt"])
    assert negatives(read) == ["2.jpg"]
    assert "no photo in unlabelled has a label file" in said(read)


def test_text_that_is_no_label_file_is_named(folder):
    text(folder / "good.txt", LINE)
    text(folder / "readme.txt", "made in 2024\n")
    read = read_annotations(folder)
    assert boxes(read) == [GOOD]
    assert read.problems[["file", "kind", "boxes"]].values.tolist() == [["readme.txt", "other file", 0]]
