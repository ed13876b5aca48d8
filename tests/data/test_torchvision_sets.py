"""Data sets by their name in torchvision, from files that lie as torchvision puts them."""

import json
import struct
from urllib.error import URLError

import numpy as np
import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.data.torchvision_sets import SETS
from cvtune_nb.errors import InputError
from tests.layouts import one_sentence
from tests.stated_labels import Photos, photo

OPENED = "torchvision:"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def manifest_of(name, tmp_path):
    return open_workspace(OPENED + name, tmp_path / "w", pixels_gb=0, draw_validation=True).manifest()


def require_truth(manifest, photos):
    assert {row.sha256: row.label for row in manifest.itertuples()} == {
        content: label for content, (label, _) in photos.truth.items()
    }
    stated = dict(zip(manifest["sha256"], manifest["split"], strict=True))
    for content, (_, split) in photos.truth.items():
        assert stated[content] == split or (split, stated[content]) == ("train", "validation") or not split


def test_pets(home, tmp_path):
    photos = Photos(home / "torchvision/OxfordIIITPet/oxford-iiit-pet")
    for part, split, count in (("trainval", "train", 16), ("test", "test", 6)):
        lines = []
        for number in range(count):
            kind = ("Birman", "Maine_Coon")[number % 2]
            photos.write(f"images/{kind}_{part}{number}.jpg", photo(photos.count))
            photos.state(photo(photos.count), kind.replace("_", " "), split)
            lines.append(f"{kind}_{part}{number} {number % 2 + 1} 1 1")
        photos.write(f"annotations/{part}.txt", "\n".join(lines))
    photos.write("annotations/trimaps/Birman_test0.png", photo(900))
    require_truth(manifest_of("OxfordIIITPet", tmp_path), photos)
    (home / "torchvision/OxfordIIITPet/oxford-iiit-pet/annotations/test.txt").unlink()
    require_truth(manifest_of("oxfordiiitpet", tmp_path), photos)


def test_food(home, tmp_path):
    photos = Photos(home / "torchvision/Food101/food-101")
    for part, count in (("train", 16), ("test", 6)):
        own = {"apple_pie": [], "waffles": []}
        for number in range(count):
            label = list(own)[number % 2]
            photos.write(f"images/{label}/{part}{number}.jpg", photo(photos.count))
            photos.state(photo(photos.count), label, part)
            own[label].append(f"{label}/{part}{number}")
        photos.write(f"meta/{part}.json", json.dumps(own))
    require_truth(manifest_of("Food101", tmp_path), photos)


def test_photos_that_are_not_divided(home, tmp_path):
    photos = Photos(home / "torchvision/EuroSAT/eurosat/2750")
    for number in range(16):
        label = ("Forest", "River")[number % 2]
        photos.write(f"{label}/{number}.jpg", photo(number))
        photos.state(photo(number), label)
    require_truth(manifest_of("EuroSAT", tmp_path), photos)


def test_arrays_of_digits(home, tmp_path):
    raw = home / "torchvision/FashionMNIST/FashionMNIST/raw"
    raw.mkdir(parents=True)
    pixels = {}
    for part, count in (("train", 20), ("t10k", 8)):
        pixels[part] = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        head = struct.pack(">IIII", 0x803, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + pixels[part].tobytes())
        labels = bytes(number % 2 for number in range(count))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels)
    space = open_workspace(OPENED + "FashionMNIST", tmp_path / "w", draw_validation=True)
    manifest = space.manifest()
    assert manifest["label"].value_counts().to_dict() == {"T-shirt/top": 14, "Trouser": 14}
    assert (manifest["split"] == "test").sum() == 8
    from PIL import Image

    with Image.open(space.path_of("test/00003.png")) as shown:
        assert np.array_equal(np.asarray(shown), pixels["t10k"][3])


def test_what_can_not_be_had_says_where_its_files_belong(home, tmp_path, monkeypatch):
    from torchvision import datasets

    def offline(**_):
        raise URLError("no network\nand more")

    monkeypatch.setattr(datasets, "DTD", offline)
    with pytest.raises(InputError) as error:
        manifest_of("DTD", tmp_path)
    one_sentence(
        error, "DTD can't be had (<urlopen error no network", "torchvision.datasets.DTD", home / "torchvision" / "DTD"
    )
    assert not list(home.rglob("*.csv"))


@pytest.mark.parametrize(
    ("name", "words"), [("CIFAR10", "pickles, which can hold code"), ("Nothing", "choose OxfordIIITPet, Food101")]
)
def test_names_that_are_refused(home, tmp_path, name, words):
    with pytest.raises(InputError) as error:
        manifest_of(name, tmp_path)
    one_sentence(error, f"torchvision:{name}", words)
    assert not home.exists()


def test_every_set_is_one_of_torchvision():
    from torchvision import datasets

    assert all(hasattr(datasets, name) for name in SETS)
