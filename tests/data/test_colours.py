"""Colour profiles: what is not sRGB is converted, what is sRGB stays as it was; and what a set looks like together."""

import hashlib
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data import NATIVE, colour_spaces, colours, open_workspace
from cvtune_nb.data.colour_spaces import HDR, NO_PROFILE, TOLD
from cvtune_nb.data.photo import read_photo
from cvtune_nb.data.pixels import pixels, store_of
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import read_json, write_json
from cvtune_nb.runs.provenance import EARLIER, present
from cvtune_nb.workspace import Workspace
from tests.deep import png
from tests.file_types import ADOBE_RGB, P3, SRGB, in_p3, profile
from tests.photos import draw_photo, make_photos

SMALL = Preprocessing(32)


def picture(seed: int = 3) -> Image.Image:
    return draw_photo(seed, 96, np.random.default_rng(seed))


def saved(image: Image.Image, form: str = "PNG", **options) -> bytes:
    memory = io.BytesIO()
    image.save(memory, form, **options)
    return memory.getvalue()


def opened(content: bytes) -> np.ndarray:
    return np.asarray(read_photo(io.BytesIO(content)), int)


def apart(first, second) -> float:
    return float(np.abs(np.asarray(first, int) - np.asarray(second, int)).mean())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_colours_of_display_p3_are_converted(form):
    exact = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.get(form, {"quality": 98})
    stored = in_p3(picture())
    seen = opened(saved(stored, form, icc_profile=profile("Display P3"), **exact))
    assert apart(seen, picture()) < (3 if "quality" in exact else 0.7) < apart(stored, picture())


def test_colours_of_adobe_rgb_are_converted():
    stored = np.zeros((8, 8, 3), np.uint8) + np.array([0, 255, 0], np.uint8) // np.uint8(1)
    grey = Image.new("RGB", (8, 8), (128, 128, 128))
    told = {"icc_profile": profile("Adobe RGB (1998)", ADOBE_RGB, 2.19921875)}
    assert (opened(saved(Image.fromarray(stored), **told))[0, 0] == [0, 255, 0]).all(), "beyond sRGB: its edge"
    assert abs(opened(saved(grey, **told))[0, 0] - 128).max() <= 1, "grey stays grey"
    warm = Image.new("RGB", (8, 8), (180, 120, 90))
    assert opened(saved(warm, **told))[0, 0, 0] > 190, "more colourful than as sRGB"


def test_pillow_itself_converts_to_the_same():
    stored = in_p3(picture())
    own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile("P3"))), ImageCms.createProfile("sRGB")
    wanted = ImageCms.profileToProfile(stored, own, srgb, ImageCms.Intent.RELATIVE_COLORIMETRIC)
    assert np.abs(opened(saved(stored, icc_profile=profile("P3"))) - np.asarray(wanted, int)).max() <= 2


def test_a_profile_of_grey_is_converted_too():
    image = picture().convert("L")
    seen = opened(saved(image, icc_profile=profile("Gamma 1.0", (), 1.0)))
    assert (seen[..., 0] == seen[..., 2]).all()
    light = np.asarray(image) / 255
    wanted = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(seen[..., 0] - wanted).max() <= 3


SRGBS = {
    "by hand": profile("sRGB IEC61966-2.1", SRGB),
    "Pillow's": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "damaged": b"no profile at all" * 20,
    "cut off": profile("Display P3")[:200],
    "for grey": profile("Dot gain", (), 1.8),
}


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("name", SRGBS)
def test_srgb_and_what_is_no_profile_change_no_bit(name, form):
    assert (opened(saved(picture(), form, icc_profile=SRGBS[name])) == opened(saved(picture(), form))).all()


def test_plain_photos_give_the_bits_they_always_gave():
    def bits(content: bytes) -> str:
        return hashlib.sha256(opened(content).astype(np.uint8).tobytes()).hexdigest()

    for mode in ("RGB", "L", "P", "RGBA", "1"):
        content = saved(picture().convert(mode))
        with Image.open(io.BytesIO(content)) as image:
            assert bits(content) == hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
    for mode in ("RGB", "L", "CMYK"):
        content = saved(picture().convert(mode), "JPEG")
        with Image.open(io.BytesIO(content)) as image:
            assert bits(content) == hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def test_what_a_photo_is_stored_in_is_said():
    def said(content: bytes) -> tuple[str, str]:
        return colours.photo.colours(io.BytesIO(content))

    assert said(saved(picture())) == ("colour", "")
    assert said(saved(picture().convert("L"), "JPEG")) == ("grey", "")
    assert said(png(np.zeros((8, 8), np.uint16))) == ("grey", "")
    assert said(saved(picture().convert("CMYK"), "JPEG")) == ("CMYK", "")
    assert said(saved(picture(), "JPEG", icc_profile=profile("Display P3"))) == ("colour", "Display P3")
    assert said(saved(picture(), "JPEG", icc_profile=SRGBS["by hand"])) == ("colour", "")
    for broken in ("damaged", "cut off", "for grey"):
        assert said(saved(picture(), "JPEG", icc_profile=SRGBS[broken])) == ("colour", NO_PROFILE)


@pytest.fixture
def space(tmp_path):
    """Twelve photos, one of them in Display P3 and two grey."""
    photos = make_photos(tmp_path / "photos", ("a", "b"), per_class=6, size=64)
    files = sorted(photos.glob("*/*.jpg"))
    with Image.open(files[0]) as image:
        image.save(files[0], icc_profile=profile("Display P3", P3))
    for file in files[-2:]:
        with Image.open(file) as image:
            image.convert("L").save(file)
    return open_workspace(photos, tmp_path / "workspace")


def test_what_a_set_looks_like_is_told(space):
    photos = space.photos()
    told = colours.tones(space, photos, SMALL)
    seen = pixels(space, photos, SMALL)[:] / 255
    assert np.allclose(told.mean, seen.mean((0, 1, 2))) and np.allclose(told.deviation, seen.std((0, 1, 2)))
    assert (told.looked_at, told.grey, told.profiles) == (12, 2, {"Display P3": 1})
    assert 0 <= told.low < 0.5 < told.high <= 1
    assert "2 are grey" in told.words and "1 in Display P3" in told.words


def test_what_was_computed_without_converting_is_forgotten_and_nothing_else(space):
    spec = FeatureSpec("efficientnet_lite0", SMALL)
    photos = space.photos()
    before = features(space, photos, spec).rows[:]
    file = space.folder / "workspace.json"
    known = read_json(file)
    write_json(file, {name: value for name, value in known.items() if name != "converts"})  # as earlier versions wrote
    run = present(space)
    again = open_workspace(space.source, space.folder)
    assert read_json(file) == known | {"colours_changed": True}
    assert run.standing(present(again)) == EARLIER and "other colours than sRGB" in run.change(present(again))
    assert present(open_workspace(space.source, space.folder)).comparable(present(again))
    lacking = store_of(again, NATIVE).missing(list(photos["sha256"]))
    assert lacking == [photos["sha256"].iloc[0]], "the one in Display P3"
    assert (features(again, photos, spec).rows[:][1:] == before[1:]).all(), "kept as they were"


def test_photos_of_detectors_are_looked_at_as_well(space):
    file, table = space.folder / "workspace.json", space.folder / "detection" / "photos.csv"
    write_json(file, {name: value for name, value in read_json(file).items() if name != "converts"})
    known = space.manifest()
    table.parent.mkdir()
    known[:1][["path", "sha256"]].to_csv(table, index=False)
    space.save_manifest(known[1:], space.skipped())
    lacking = store_of(space, NATIVE)
    assert not lacking.missing(list(known["sha256"]))
    colours.settle(Workspace(space.folder))
    assert store_of(space, NATIVE).missing(list(known["sha256"])) == [known["sha256"].iloc[0]], "the one in Display P3"
    assert Workspace(space.folder).shown_as == "sRGB"


def test_where_no_photo_has_other_colours_earlier_runs_stay_comparable(tmp_path):
    space = open_workspace(make_photos(tmp_path / "photos", ("a", "b"), per_class=5, size=48), tmp_path / "w")
    file = space.folder / "workspace.json"
    known = read_json(file)
    write_json(file, {name: value for name, value in known.items() if name != "converts"})
    again = open_workspace(space.source, space.folder)
    assert read_json(file) == known and present(space).id == present(again).id


def told_adobe(image: Image.Image) -> bytes:
    """A JPEG whose EXIF alone says that it is in Adobe RGB, as cameras write it."""
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 65535, 0xA005: {1: "R03"}}
    return saved(image, "JPEG", quality=95, exif=exif)


def told_by_number(image: Image.Image, primaries: int, curve: int = 13) -> bytes:
    """An AVIF whose colr box has these numbers (ITU-T H.273)."""
    content = saved(image, "AVIF", quality=95)
    at = content.index(b"colrnclx") + 8
    return content[:at] + struct.pack(">HH", primaries, curve) + content[at + 4 :]


def shown(content: bytes) -> np.ndarray:
    return np.asarray(read_photo(io.BytesIO(content)), int)


def test_colours_told_without_a_profile_are_converted():
    p3 = shown(saved(picture(), "PNG", icc_profile=profile("Display P3")))
    assert np.abs(shown(told_by_number(picture(), 12)) - p3).mean() < 3
    assert np.abs(shown(told_by_number(picture(), 1)) - np.asarray(picture(), int)).mean() < 3
    wide = shown(told_by_number(picture(), 9))
    assert np.abs(wide - np.asarray(picture(), int)).mean() > 5, "BT.2020"
    red = Image.new("RGB", (16, 16), (200, 60, 60))
    assert np.abs(shown(told_adobe(red))[8, 8] - (230, 56, 57)).max() < 6  # by the formulas of Adobe RGB (1998)


def test_colours_told_without_a_profile_are_said(tmp_path):
    def said(content: bytes) -> str:
        (tmp_path / "photo").write_bytes(content)
        found = {colours.photo.colours(each)[1] for each in (io.BytesIO(content), tmp_path / "photo")}
        assert len(found) == 1
        return found.pop()

    assert said(told_by_number(picture(), 12)) == "Display P3" + TOLD
    assert said(told_by_number(picture(), 9)) == "BT.2020" + TOLD
    assert said(told_by_number(picture(), 9, 16)) == said(told_by_number(picture(), 12, 18)) == HDR
    assert said(told_by_number(picture(), 1)) == said(told_by_number(picture(), 2)) == ""
    assert said(told_adobe(picture())) == "Adobe RGB" + TOLD
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 1}
    assert said(saved(picture(), "JPEG", exif=exif)) == ""


def test_pixels_of_the_version_before_are_forgotten_where_a_number_tells_other_colours(space):
    photos, file = space.photos(), space.folder / "workspace.json"
    features(space, photos, FeatureSpec("efficientnet_lite0", SMALL))
    write_json(file, read_json(file) | {"converts": True})  # as it wrote: profiles were converted
    again = open_workspace(space.source, space.folder)
    assert read_json(file)["converts"] == 2 and not read_json(file).get("colours_changed")
    assert not store_of(again, NATIVE).missing(list(photos["sha256"])), "the one in Display P3 had a profile"


def test_a_grey_photo_of_an_adobe_camera_has_no_damaged_profile():
    content = told_adobe(Image.new("L", (32, 32), 90))
    with Image.open(io.BytesIO(content)) as image:
        assert colour_spaces.name_of(image, io.BytesIO(content)) == ""
