import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

from cvtune_nb.data.digits import NAMES
from cvtune_nb.data.rendering.things import CLASSES, SMALL_CLASS, thing_of
from cvtune_nb.data.sample import ALTERATIONS, FIRST, make_sample
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import read_json

SIZE = 4


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("made") / "sample", images_per_class=SIZE)


def upright(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(ImageOps.exif_transpose(opened).convert("L"), dtype=float) / 255


def thumbnail(path: Path, flipped: bool = False) -> np.ndarray:
    """What duplicates share whatever their size and brightness: 32x32, mean 0, deviation 1."""
    with Image.open(path) as opened:
        small = ImageOps.exif_transpose(opened).convert("L").resize((32, 32), Image.Resampling.BOX)
        pixels = np.asarray(ImageOps.mirror(small) if flipped else small, dtype=float)
    return (pixels - pixels.mean()) / pixels.std()


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_classes_counts_and_nothing_else(sample):
    assert sample.classes == sorted(CLASSES)
    counts = {folder.name: len(list(folder.iterdir())) for folder in sample.directory.iterdir() if folder.is_dir()}
    assert counts == {**dict.fromkeys(CLASSES, SIZE), SMALL_CLASS: 3}
    assert sample.images == sum(counts.values())
    assert {path.name for path in sample.directory.iterdir()} == {*CLASSES, "planted.json"}
    assert [path.name for path in sample.directory.parent.iterdir()] == ["sample"]


def test_same_seed_same_bytes_and_another_seed_other_photos(sample, tmp_path):
    again = make_sample(tmp_path / "again", images_per_class=SIZE)
    assert contents(again.directory) == contents(sample.directory)
    other = make_sample(tmp_path / "other", images_per_class=SIZE, seed=1)
    mine, theirs = contents(sample.directory), contents(other.directory)
    shared = {path for path in mine.keys() & theirs.keys() if path.endswith(".jpg")}
    assert shared
    assert all(mine[path] != theirs[path] for path in shared)


def test_photos_are_jpeg_of_camera_size_with_neutral_names(sample):
    copies = {row["path"] for row in sample.planted["near_duplicates"]}
    names = []
    for path in sample.directory.rglob("*.jpg"):
        names.append(path.stem)
        assert path.stem.startswith("IMG_")
        with Image.open(path) as photo:
            assert photo.format == "JPEG"
            if str(path.relative_to(sample.directory)) not in copies:
                assert min(photo.size) >= 400
                assert max(photo.size) <= 600
    assert len(set(names)) == sample.images


def test_planted_file_is_the_report(sample):
    written = read_json(sample.directory / "planted.json")
    assert (written["seed"], written["images_per_class"], written["kind"]) == (0, SIZE, "photos")
    for key, rows in sample.planted.items():
        assert written[key] == rows
    assert written["small_class"] == [SMALL_CLASS]


def test_every_planted_file_exists_and_is_planted_once(sample):
    paths = []
    for key, rows in sample.planted.items():
        if key != "small_class":
            assert rows, f"nothing planted as {key}"
            paths += [row["path"] if isinstance(row, dict) else row for row in rows]
    assert len(paths) == len(set(paths))
    assert all((sample.directory / path).is_file() for path in paths)
    originals = {row["original"] for key in ("exact_duplicates", "near_duplicates") for row in sample.planted[key]}
    assert not originals & set(paths)


def test_flipped_labels(sample):
    flipped = sample.planted["flipped"]
    assert len(flipped) == max(1, round(0.04 * sample.images))
    for row in flipped:
        assert row["path"].split("/")[0] == row["label"]
        assert row["true_label"] != row["label"]
        assert row["true_label"] in CLASSES


def test_the_first_photos_show_every_class_while_the_rest_is_made(tmp_path):
    seen = []

    def stop(folder):
        seen.append(pd.Series([path.parent.name for path in folder.glob("*/*.jpg")]).value_counts().to_dict())
        raise Stopped

    with pytest.raises(Stopped):
        make_sample(tmp_path / "sample", images_per_class=12, on_first=stop)
    assert seen == [dict.fromkeys(CLASSES, FIRST)]
    assert not any(tmp_path.iterdir())


def test_truncated_do_not_load(sample):
    for path in sample.planted["truncated"]:
        with Image.open(sample.directory / path) as photo, pytest.raises(OSError, match="truncated"):
            photo.load()


def test_dark_over_exposed_and_blurry_are_what_they_claim(sample):
    for path in sample.planted["dark"]:
        assert np.percentile(upright(sample.directory / path), 99) < 0.45
    for path in sample.planted["over_exposed"]:
        assert (upright(sample.directory / path) > 0.97).mean() > 0.3
    planted = {row["path"] if isinstance(row, dict) else row for rows in sample.planted.values() for row in rows}
    sharp = [path for path in sample.directory.rglob("*.jpg") if str(path.relative_to(sample.directory)) not in planted]

    def detail(path: Path) -> float:
        """Contrast at 3 to 8 pixels, which noise does not reach and blur takes away."""
        with Image.open(path) as opened:
            small = opened.convert("L").reduce(3)
        pixels = np.asarray(small, dtype=float)
        return float(np.abs(np.diff(pixels, axis=1)).mean() / pixels.std())

    usual = np.median([detail(path) for path in sharp])
    assert all(detail(sample.directory / path) < 0.7 * usual for path in sample.planted["blurry"])


def test_exact_duplicates_have_equal_bytes_in_one_class(sample):
    for row in sample.planted["exact_duplicates"]:
        assert (sample.directory / row["path"]).read_bytes() == (sample.directory / row["original"]).read_bytes()
        assert row["path"].split("/")[0] == row["original"].split("/")[0]


def test_near_duplicates_are_close_but_not_equal(tmp_path):
    made = make_sample(tmp_path / "sample", images_per_class=16, seed=3)
    rows = made.planted["near_duplicates"]
    assert len(rows) >= 2
    classes = [(row["path"].split("/")[0], row["original"].split("/")[0]) for row in rows]
    assert sum(a != b for a, b in classes) == 1
    for row in rows:
        assert row["how"] in ALTERATIONS
        copy, original = made.directory / row["path"], made.directory / row["original"]
        assert copy.read_bytes() != original.read_bytes()
        likeness = max((thumbnail(copy, mirrored) * thumbnail(original)).mean() for mirrored in (False, True))
        assert likeness > 0.8


def test_the_scale_of_what_is_planted():
    from cvtune_nb.data.sample import plan

    for size in (4, 30, 120, 1000):
        slots, planted = plan(size, 0)
        assert len(slots) == 6 * size + max(3, round(size * 2 / 3))
        assert len(planted["dark"]) == min(5, max(1, round(5 * len(slots) / 800)))
        assert len({slot.path for slot in slots}) == len(slots)
    assert len(plan(120, 0)[1]["near_duplicates"]) == 12


def test_the_fine_pair_differs_by_its_dimples_alone():
    golf, tennis = (thing_of(np.random.default_rng(5), label) for label in ("golf ball", "table tennis ball"))
    assert (golf.span, golf.gloss, golf.bump) == (tennis.span, tennis.gloss, tennis.bump)
    assert np.array_equal(golf.base, tennis.base)
    assert np.array_equal(golf.skin[1:], tennis.skin[1:])
    assert not np.array_equal(golf.skin[0], tennis.skin[0])


def test_a_finished_sample_is_left_as_it_is(sample):
    before = {path: path.stat().st_mtime_ns for path in sample.directory.rglob("*")}

    def no_work(share: float, words: str) -> None:
        raise AssertionError(words)

    assert make_sample(sample.directory, images_per_class=SIZE, progress=no_work) == sample
    assert before == {path: path.stat().st_mtime_ns for path in sample.directory.rglob("*")}


def test_a_folder_with_something_else_is_refused_and_not_touched(sample, tmp_path):
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="mine already holds something else"):
        make_sample(foreign, images_per_class=SIZE)
    assert contents(foreign) == {"letter.txt": b"dear"}

    changed = tmp_path / "changed"
    shutil.copytree(sample.directory, changed)
    (changed / "notes.txt").write_text("mine")
    before = contents(changed)
    with pytest.raises(InputError, match="something else"):
        make_sample(changed, images_per_class=SIZE)
    with pytest.raises(InputError, match="something else"):
        make_sample(sample.directory, images_per_class=SIZE, seed=9)
    assert contents(changed) == before


def test_an_empty_folder_is_filled_and_a_stop_leaves_nothing(tmp_path):
    directory = tmp_path / "empty"
    directory.mkdir()

    def stop(share: float, words: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        make_sample(directory, images_per_class=SIZE, progress=stop)
    assert list(tmp_path.rglob("*")) == [directory]
    assert make_sample(directory, kind="digits").images == 1797


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "cats"}, "'cats' is not known"),
        ({"images_per_class": 3}, "from 4 to 1000"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input_is_said_in_one_sentence(tmp_path, arguments, said):
    with pytest.raises(InputError, match=said):
        make_sample(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        make_sample(tmp_path / "file")


def test_digits_are_the_real_ones(tmp_path):
    made = make_sample(tmp_path / "digits", kind="digits")
    digits = load_digits()
    assert made.images == len(digits.images) == 1797
    assert made.planted == {}
    assert set(made.classes) == set(NAMES)
    seen = 0
    for number, (digit, target) in enumerate(zip(digits.images, digits.target, strict=True), 1):
        data = (made.directory / NAMES[target] / f"IMG_{number:04d}.png").read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (256, 256)
            ink = 16 - np.asarray(picture.resize((8, 8), Image.Resampling.BOX), dtype=float) * 16 / 255
        assert np.corrcoef(ink.ravel(), digit.ravel())[0, 1] > 0.97
        seen += 1
    assert seen == sum(len(list(folder.iterdir())) for folder in made.directory.iterdir() if folder.is_dir())


def test_scenes_come_with_a_box_round_every_small_thing(tmp_path):
    made = make_sample(tmp_path / "scenes", 12, kind="scenes")
    assert made.images == 12
    assert make_sample(tmp_path / "scenes", 12, kind="scenes") == made, "a finished one is left as it is"
    coco = json.loads((tmp_path / "scenes" / "boxes.json").read_text())
    assert len(coco["images"]) == 12
    boxed = {row["image_id"] for row in coco["annotations"]}
    assert 10 not in boxed, "one in ten shows nothing"
    assert len(boxed) >= 10
    for image in coco["images"]:
        with Image.open(tmp_path / "scenes" / image["file_name"]) as photo:
            assert photo.size == (image["width"], image["height"])
    sides = {row["id"]: row for row in coco["images"]}
    for row in coco["annotations"]:
        left, top, width, height = row["bbox"]
        whole = sides[row["image_id"]]
        assert min(left, top) >= 0 and left + width <= whole["width"] and top + height <= whole["height"]
    extents = [
        max(row["bbox"][2:]) / max(sides[row["image_id"]]["width"], sides[row["image_id"]]["height"])
        for row in coco["annotations"]
    ]
    assert np.median(extents) < 0.2, "small objects"
    again = make_sample(tmp_path / "again", 12, kind="scenes")
    assert (again.directory / "boxes.json").read_bytes() == (tmp_path / "scenes" / "boxes.json").read_bytes()
    assert (again.directory / "scenes/IMG_0003.jpg").read_bytes() == (
        tmp_path / "scenes" / "scenes/IMG_0003.jpg"
    ).read_bytes()
