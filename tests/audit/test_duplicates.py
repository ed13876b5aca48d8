import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from cvtune_nb.audit import duplicates
from tests.audit.contexts import OF_COPIES, issues, known
from tests.photos import draw_photo

SIDE = 128


def described(photos, found):
    return issues(known(photos=photos, duplicates=found), *OF_COPIES)


def scene(seed: int) -> Image.Image:
    """A made photo with structure at every size, so that no two are alike."""
    random = np.random.default_rng(seed)
    layers = [Image.fromarray(random.integers(0, 255, (k, k, 3), dtype=np.uint8)) for k in (4, 9, 20)]
    wide = [np.asarray(layer.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC), float) for layer in layers]
    return Image.fromarray((0.5 * wide[0] + 0.3 * wide[1] + 0.2 * wide[2]).astype(np.uint8))


def recompressed(image: Image.Image, quality: int = 30) -> Image.Image:
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=quality)
    return Image.open(memory).convert("RGB")


def cropped(image: Image.Image, share: float) -> Image.Image:
    margin = image.width * share / 2
    return image.crop((margin, margin, image.width - margin, image.height - margin))


def captioned(image: Image.Image) -> Image.Image:
    changed = image.copy()
    changed.paste("white", (0, round(0.88 * image.height), image.width, image.height))
    return changed


COPIES = {
    "resized": lambda image: image.resize((90, 90)),
    "recompressed": recompressed,
    "cropped by 5%": lambda image: cropped(image, 0.05),
    "cropped by 15%": lambda image: cropped(image, 0.15),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.rotate(90),
    "mirrored and turned": lambda image: ImageOps.mirror(image).rotate(270),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "with a border": lambda image: ImageOps.expand(image, 8, "white"),
    "with a caption strip": lambda image: captioned(image),
    "cropped off the centre": lambda image: image.crop((0, SIDE // 5, image.width - SIDE // 5, image.height)),
    "turned by 3 degrees": lambda image: cropped(image.rotate(3, Image.Resampling.BICUBIC), 0.1),
    "cropped, mirrored, recompressed": lambda image: recompressed(ImageOps.mirror(cropped(image, 0.05))),
}


TOO_MUCH_FOR_THE_HASH = [
    "cropped by 15%",
    "with a border",
    "with a caption strip",
    "cropped off the centre",
    "turned by 3 degrees",
]


def store_of(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for image in images])


def different(count: int) -> np.ndarray:
    """Features in which no photo is like another."""
    return np.eye(count, dtype=np.float32)


def table_of(sha256, label="a", split="train", path=None, **columns) -> pd.DataFrame:
    count = len(sha256)
    path = path or [f"{i}.jpg" for i in range(count)]
    facts = {"path": path, "label": label, "split": split, "sha256": sha256, "width": 9, "height": 9, "bytes": 9}
    return pd.DataFrame(facts | columns, index=range(count))


def pairs_of(found: duplicates.Duplicates) -> set[tuple[int, int]]:
    return {tuple(sorted(pair)) for pair in found.pairs[["first", "second"]].to_numpy().tolist()}


@pytest.mark.parametrize("kind", COPIES)
def test_a_changed_copy_is_found_by_its_pixels(kind):
    originals = [scene(seed) for seed in range(12)]
    images = store_of([*originals, *(COPIES[kind](image) for image in originals[:3])])
    features = different(15)
    if kind in TOO_MUCH_FOR_THE_HASH:  # the network has to see that they are alike
        features[12:] += 1.5 * features[:3]
    found = duplicates.find(table_of([f"{i}" for i in range(15)]), features, images)
    assert pairs_of(found) == {(0, 12), (1, 13), (2, 14)}
    assert not found.pairs["exact"].any()
    assert found.groups[0] == found.groups[12] != found.groups[1]


def test_a_copy_is_found_by_its_features_alone():
    images = store_of([scene(seed) for seed in range(6)])
    features = different(6)
    features[4] = features[1] + 0.2 * features[2]
    found = duplicates.find(table_of([f"{i}" for i in range(6)]), features, images)
    assert pairs_of(found) == {(1, 4)}


def test_photos_of_one_class_are_not_copies():
    """Look-alikes: as close in features as candidates get, but other photos."""
    random = np.random.default_rng(0)
    shapes = [0, 1, 3]  # disc, square, ring
    images = store_of([draw_photo(shapes[i % 3], SIDE, np.random.default_rng([5, i])) for i in range(60)])
    features = 1 + 0.5 * random.normal(size=(60, 64))
    look = duplicates.Look(features, np.arange(60), np.empty((60, 64, 64), np.uint8))
    assert len(duplicates.candidate_pairs(look, np.ones((8, 60, 64))))
    found = duplicates.find(table_of([f"{i}" for i in range(60)]), features, images)
    assert pairs_of(found) == set()


def test_flat_photos_are_not_copies_of_each_other():
    images = np.stack([np.full((SIDE, SIDE, 3), value, np.uint8) for value in (10, 120, 250)])
    assert duplicates.find(table_of(["a", "b", "c"]), different(3), images).pairs.empty


def test_equal_files_are_one_group():
    images = store_of([scene(1), scene(2), scene(1), scene(1)])
    photos = table_of(["x", "y", "x", "x"], width=[9, 9, 9, 12])
    found = duplicates.find(photos, different(4)[[0, 1, 0, 0]], images)
    assert found.pairs["exact"].all() and (found.pairs["similarity"] == 1).all()
    assert found.groups[0] == found.groups[2] == found.groups[3] != found.groups[1]
    issues = described(photos, found).set_index("path")
    assert set(issues.index) == {"0.jpg", "2.jpg", "3.jpg"} and set(issues["issue"]) == {"duplicate"}
    assert issues.loc["3.jpg", "suggestion"].startswith("keep"), "the one with the most pixels stays"
    assert issues.loc["0.jpg", "suggestion"] == "exclude it: 3.jpg stays" and issues.loc["0.jpg", "other"] == "3.jpg"


def test_copies_across_splits_are_a_leak_and_the_training_copy_goes():
    images = store_of([scene(1), scene(2), COPIES["mirrored"](scene(1))])
    photos = table_of(["x", "y", "z"], split=["train", "train", "test"], width=[99, 9, 9])
    found = described(photos, duplicates.find(photos, different(3), images))
    leaks = found.query("issue == 'leak'").set_index("path")
    assert set(leaks.index) == {"0.jpg", "2.jpg"}
    assert leaks.loc["0.jpg", "suggestion"] == "exclude it: 2.jpg stays"
    assert "test" in leaks.loc["0.jpg", "detail"] and "train" in leaks.loc["0.jpg", "detail"]


def test_copies_with_different_labels_are_in_two_classes():
    images = store_of([scene(1), scene(2), scene(1)])
    photos = table_of(["x", "y", "x"], label=["<i>shorts</i>", "Rock", "Rock"])
    issues = described(photos, duplicates.find(photos, different(3)[[0, 1, 0]], images))
    both = issues[issues["issue"] == "two-classes"]
    assert set(both["path"]) == {"0.jpg", "2.jpg"} and (both["score"] == 1).all()
    assert both["detail"].str.contains("<i>shorts</i>", regex=False).all()
    assert both["suggestion"].str.contains("relabel").all()


def test_blocks_change_nothing(monkeypatch):
    originals = [scene(seed) for seed in range(9)]
    images = store_of([*originals, *(copy(originals[i % 9]) for i, copy in enumerate(COPIES.values()))])
    photos, features = table_of([f"{i}" for i in range(19)]), different(19)
    whole = duplicates.find(photos, features, images)
    monkeypatch.setattr(duplicates, "BLOCK", 4)
    in_blocks = duplicates.find(photos, features, images)
    assert pairs_of(whole) == pairs_of(in_blocks) and len(pairs_of(whole)) >= 10
    pd.testing.assert_frame_equal(whole.pairs, in_blocks.pairs)


def test_more_copies_than_neighbours_are_still_one_group(monkeypatch):
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 2)
    images = store_of([COPIES["brighter"](scene(1)), *(scene(1) for _ in range(6)), scene(2)])
    features = np.vstack(
        [np.tile(np.eye(2)[0], (7, 1)) + 0.01 * np.random.default_rng(0).normal(size=(7, 2)), [[0, 1]]]
    )
    found = duplicates.find(table_of([f"{i}" for i in range(8)]), features, images)
    assert len(set(found.groups[:7])) == 1 and found.groups[7] != found.groups[0]


def test_one_photo_and_none():
    for count in (0, 1):
        images = store_of([scene(1)])[:count]
        photos = table_of(["x"] * count)
        found = duplicates.find(photos, different(count), images)
        assert len(found.groups) == count and described(photos, found).empty


def test_what_is_no_copy_is_never_in_one_group_and_the_most_alike_stay_together():
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [1, 2, 3], "similarity": [0.99, 0.9, 0.95], "exact": False})
    pairs = pairs.sort_values("similarity", ascending=False)
    sha256 = pd.Series(list("abcd"))
    assert duplicates.grouped(pairs, sha256).tolist() == [0, 0, 0, 0]
    assert duplicates.grouped(pairs, sha256, [frozenset("ac")]).tolist() == [0, 0, 1, 1], "not through b either"
    assert duplicates.grouped(pairs, sha256, [frozenset("ad"), frozenset("bz")]).tolist() == [0, 0, 1, 1]
    assert duplicates.grouped(pairs, sha256, [frozenset("ab")]).tolist() == [0, 1, 1, 1]


def test_the_closest_are_found_whatever_the_columns_are_shown_at_a_time():
    random = np.random.default_rng(0)
    similarity = random.random((30, 200)).astype(np.float32)
    start, least = 50, 0.6
    expected = set()
    for row, values in enumerate(similarity):
        values = np.where(np.arange(200) == start + row, -1, values)  # itself
        order = np.argsort(-values)[: duplicates.NEIGHBOURS]
        expected |= {(start + row, column) for column in order if values[column] >= least}
    for width in (7, 64, 200):
        closest = duplicates.Closest(30, least)
        for first in range(0, 200, width):
            closest.add(similarity[:, first : first + width].copy(), start, first)
        assert set(map(tuple, closest.pairs(start))) == expected
