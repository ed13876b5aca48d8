import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from cvtune_nb.audit import quality
from cvtune_nb.audit.context import Context
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from tests.audit.contexts import BY_NAME, OF_PHOTOS, issues, known
from tests.photos import draw_photo, make_photos

SIDE = 128
NOTHING = pd.DataFrame(columns=["path", "label", "reason"])

FAULTS = {
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.2),
    "over-exposed": lambda image: image.point(lambda value: min(255, int(value * 2.5 + 90))),
    "low-contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.12),
    "blurry": lambda image: image.filter(ImageFilter.GaussianBlur(6)),
}


def photo(seed: int) -> Image.Image:
    image = draw_photo(seed % 3, SIDE, np.random.default_rng([3, seed]))
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def store_of(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image) for image in images])


def table_of(count: int, width=400, height=300) -> pd.DataFrame:
    return pd.DataFrame({"path": [f"{i}.jpg" for i in range(count)], "width": width, "height": height})


def context_of(images, photos=None, skipped=NOTHING, image_size=224) -> Context:
    measures = quality.measure(images, np.arange(len(images)))
    photos = table_of(len(images)) if photos is None else photos
    return known(image_size=image_size, photos=photos, measures=measures, skipped=skipped)


def found(*arguments, **options) -> pd.DataFrame:
    return issues(context_of(*arguments, **options), *OF_PHOTOS)


def notes(context: Context) -> list[str]:
    return [note for name in OF_PHOTOS if (note := BY_NAME[name].look(context)[1])]


@pytest.fixture(scope="module")
def clean() -> list[Image.Image]:
    return [photo(seed) for seed in range(40)]


def test_clean_photos_are_left_alone(clean):
    context = context_of(store_of(clean))
    assert issues(context, *OF_PHOTOS).empty and notes(context) == []
    assert len(context.measures) == 40 and context.measures.stack().between(0, 1).all()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_bad_photo_is_listed_as_what_it_is(clean, kind):
    images = list(clean)
    for place in (4, 18):  # a square and a disc: stripes have nothing left when they are blurred
        images[place] = FAULTS[kind](images[place])
    listed = found(store_of(images))
    assert set(zip(listed["path"], listed["issue"], strict=True)) == {("4.jpg", kind), ("18.jpg", kind)}
    assert listed["score"].between(0, 1).all() and (listed["suggestion"] != "").all()


def test_noise_does_not_make_a_blurred_photo_sharp(clean):
    images = list(clean)
    blurred = np.asarray(FAULTS["blurry"](images[4]), float)
    noisy = blurred + np.random.default_rng(0).normal(0, 1.5, blurred.shape)
    images[4] = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    listed = found(store_of(images))
    assert list(zip(listed["path"], listed["issue"], strict=True)) == [("4.jpg", "blurry")]


def test_strong_colours_are_neither_dark_nor_over_exposed():
    random = np.random.default_rng(0)
    for colour in ((230, 0, 0), (0, 0, 230), (255, 220, 0)):
        image = np.array(colour) * random.uniform(0.3, 1.0, (SIDE, SIDE, 1))
        listed = found(image.astype(np.uint8)[None])
        assert not set(listed["issue"]) & {"dark", "over-exposed"}


def test_a_flat_photo_is_low_in_contrast_but_not_blurry():
    flat = np.full((1, SIDE, SIDE, 3), 150, np.uint8)
    assert list(found(flat)["issue"]) == ["low-contrast"]


def test_size_and_shape_come_from_the_file(clean):
    photos = table_of(40)
    photos.loc[1, ["width", "height"]] = 210, 300
    photos.loc[2, ["width", "height"]] = 1600, 1200
    photos.loc[3, ["width", "height"]] = 700, 300
    listed = found(store_of(clean), photos).set_index("path")
    assert listed["issue"].to_dict() == {"1.jpg": "small", "2.jpg": "odd-size", "3.jpg": "odd-aspect"}
    assert "210" in listed.loc["1.jpg", "detail"] and "224" in listed.loc["1.jpg", "detail"]
    assert "57%" in listed.loc["3.jpg", "detail"], "the square leaves out 1 - 300/700 of it"
    assert "1.jpg" not in found(store_of(clean), photos, image_size=192)["path"].to_list()


def test_what_is_true_of_many_photos_is_a_note(clean):
    dark = [FAULTS["dark"](image) for image in clean[:6]]
    many = context_of(store_of(dark + clean[6:]))
    assert "dark" not in set(issues(many, *OF_PHOTOS)["issue"])
    assert len(notes(many)) == 1 and notes(many)[0].startswith("dark: true of 6 of 40 photos")
    fewer = context_of(store_of(dark[:5] + clean[5:]))
    assert len(issues(fewer, *OF_PHOTOS)) == 5 and notes(fewer) == []


def test_unreadable_photos_are_corrupt_and_other_files_are_not(clean):
    skipped = pd.DataFrame(
        [
            ("<a>/ü.jpg", "<a>", "damaged (truncated)"),
            ("page.jpg", "b", "not a photo: a web page"),
            ("b/notes.txt", "b", "not a photo (.txt file)"),
            ("README", "", "lies outside every class folder"),
        ],
        columns=["path", "label", "reason"],
    )
    listed = found(store_of(clean), skipped=skipped)
    assert listed["path"].to_list() == ["<a>/ü.jpg", "page.jpg"] and set(listed["issue"]) == {"corrupt"}
    assert listed["detail"].to_list() == ["damaged (truncated)", "not a photo: a web page"]


def test_blocks_change_nothing(clean, monkeypatch):
    images, everything = store_of(clean), np.arange(40)
    whole = quality.measure(images, everything)
    monkeypatch.setattr(quality, "BLOCK", 7)
    pd.testing.assert_frame_equal(whole, quality.measure(images, everything))


def test_what_was_measured_is_kept_by_content(tmp_path, monkeypatch):
    space = open_workspace(make_photos(tmp_path / "photos", ("a", "b"), per_class=5, size=64), tmp_path / "w")
    photos = space.photos()
    store = pixels(space, photos, Preprocessing(64))
    first = quality.measured(space, photos, store)
    pd.testing.assert_frame_equal(first, quality.measure(store, np.arange(len(photos))))
    looked = []
    monkeypatch.setattr(quality, "measure", lambda store, rows, progress: looked.append(len(rows)) or first.iloc[:0])
    turned = photos.iloc[::-1].reset_index(drop=True)
    again = quality.measured(space, turned, pixels(space, turned, Preprocessing(64)))
    pd.testing.assert_frame_equal(again, first.iloc[::-1].reset_index(drop=True))
    assert looked == [0]


def test_what_the_crop_cuts_off_is_said_of_the_set_and_by_shape():
    photos = table_of(40)
    photos.loc[:29, ["width", "height"]] = 960, 540
    photos.loc[7, "width"] = 2000
    context = known(photos=photos)
    (found,) = quality.cut_off(context)
    assert found["path"] == "" and "44% of 29 photos of about 16:9" in found["detail"]
    assert "most of 7.jpg (73%)" in found["detail"] and "cvtune compare --framings" in found["suggestion"]
    context.spec = FeatureSpec("efficientnet_lite0", Preprocessing(224, framing="whole"))
    assert quality.cut_off(context) == [] and quality.odd_aspect(context) == []
    context.spec = FeatureSpec("efficientnet_lite0", Preprocessing(224, aspect="16:9"))
    assert quality.cut_off(context) == [], "the shape of most photos"
    context.spec = FeatureSpec("efficientnet_lite0", Preprocessing(224, aspect="9:16"))
    assert "the 9:16 that the network sees leaves out" in quality.cut_off(context)[0]["detail"]
