"""Photos that Pillow doesn't open by itself: HEIC, camera RAW, DICOM, TIFF of many bands."""

import io
import struct
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from cvtune_nb.audit.quality import corrupt
from cvtune_nb.data import open_workspace, thumbnail
from cvtune_nb.data.photo import FULL, UnreadablePhoto, centre_square, colours, doubt, header, read_photo, value_range
from cvtune_nb.data.summary import previews
from tests.file_types import HEIC, bands_tiff, dicom, heic_shows, jpeg, profile, raw, tiff
from tests.photos import draw_photo, make_photos


def opened(content: bytes, levels=FULL) -> np.ndarray:
    return np.asarray(read_photo(io.BytesIO(content), levels=levels))


def why(content: bytes, levels=FULL) -> str:
    with pytest.raises(UnreadablePhoto) as caught:
        read_photo(io.BytesIO(content), levels=levels)
    with pytest.raises(UnreadablePhoto) as again:
        header(io.BytesIO(content), levels)
    assert str(again.value) == str(caught.value)
    return str(caught.value)


def picture(width: int = 96, height: int = 64) -> Image.Image:
    return draw_photo(3, 128, np.random.default_rng(3)).resize((width, height))


# -- HEIC -------------------------------------------------------------------------------------------------------------


def test_heic_is_read_and_turned_upright(tmp_path):
    (tmp_path / "a.jpg").write_bytes(HEIC)  # whatever it is called
    for file in (tmp_path / "a.jpg", io.BytesIO(HEIC)):
        seen = read_photo(file)
        assert seen.mode == "RGB" and header(file) == (64, 48, False)
        assert np.abs(np.asarray(seen, float) - np.asarray(heic_shows(), float)).mean() < 6
        assert centre_square(file, 32).shape == (32, 32, 3)


@pytest.mark.parametrize("length", [60, 300, len(HEIC) - 20])
def test_heic_that_is_damaged_says_so(length):
    assert why(HEIC[:length]) == "a HEIC photo that is damaged"


@pytest.mark.parametrize(
    ("module", "content", "words"),
    [("pi_heif", HEIC, "a HEIC photo"), ("pydicom", dicom(np.zeros((4, 4), np.uint16)), "a DICOM image")],
    ids=["HEIC", "DICOM"],
)
def test_what_must_be_installed_is_said(monkeypatch, module, content, words):
    monkeypatch.setitem(sys.modules, module, None)
    said = why(content)
    assert said.startswith(words) and f"pip install {module.replace('_', '-')}" in said


def test_jpeg_xl_is_named():
    for start in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"):
        assert why(start + bytes(60)) == "a JPEG XL photo, which can't be opened here; save it as JPEG"


# -- camera RAW -------------------------------------------------------------------------------------------------------

LARGE = picture(1200, 900)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [b"", b"U\0", b"RO"], ids=["TIFF", "Panasonic", "Olympus"])
def test_of_camera_raw_the_preview_is_shown_turned_like_the_photo(order, magic):
    if magic and order == ">":
        magic = magic[::-1]
    side = raw(LARGE.transpose(Image.Transpose.ROTATE_90), 6, order, magic)
    if magic == b"\0U":
        return  # no camera has it
    seen = opened(side)
    assert seen.shape == (900, 1200, 3) and header(io.BytesIO(side)) == (1200, 900, False)
    assert np.abs(seen.astype(int) - np.asarray(LARGE, int)).mean() < 4


def test_a_preview_that_says_itself_how_it_is_turned_is_believed():
    exif = Image.Exif()
    exif[0x0112] = 6
    inside = jpeg(LARGE.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert opened(b"FUJIFILMCCD-RAW 0201FF383501" + bytes(100) + inside).shape == (900, 1200, 3)


def test_newer_canon_says_in_a_box_how_it_is_turned():
    at = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 8, 0, 0)
    start = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + struct.pack(">I4s", 8 + len(at), b"CMT1") + at
    turned = LARGE.transpose(Image.Transpose.ROTATE_270)
    assert opened(start + bytes(50) + jpeg(turned)).shape == (900, 1200, 3)


def test_camera_raw_with_a_thumbnail_alone_is_refused():
    words = "a camera RAW photo without a large preview, which can't be opened here; save it as JPEG"
    assert why(raw(picture(640, 480))) == words


def test_camera_raw_that_was_made_to_keep_us_busy_is_refused_at_once():
    chain = b"\xff\xd8\xff\xe0\0\4\0\0" + b"\xff\xe0\0\4\xff\xd8" * 170_000  # each segment begins a chain, too
    began = time.perf_counter()
    assert "without a large preview" in why(b"IIU\0" + chain)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    "tags",
    [
        {259: [65535], 271: b"PENTAX\0"},
        {259: [34713], 271: b"NIKON\0"},
        {262: [32803], 271: b"SAMSUNG\0"},
        {259: [6], 271: b"SAMSUNG\0", 330: [8]},
        {259: [6], 254: [1], 330: [8]},
    ],
    ids=["Pentax", "Nikon", "sensor", "Samsung", "preview first"],
)
def test_camera_raw_is_told_by_its_content_and_not_by_its_name(tmp_path, tags):
    plain = {256: [8], 257: [8], 258: [8], 259: [1], 262: [1], 273: [8], 277: [1], 278: [8], 279: [64]}
    content = tiff({**plain, **tags}, bytes(64) + jpeg(LARGE))
    for name in ("a.nef", "a.tif"):
        (tmp_path / name).write_bytes(content)
        assert (np.asarray(read_photo(tmp_path / name)) == opened(content)).all() and header(tmp_path / name)[0] == 1200
    canon = b"II*\0\x10\0\0\0CR\2\0" + bytes(100) + jpeg(LARGE)
    assert opened(canon).shape == opened(b"II\x1a\0\0\0HEAPCCDR" + canon).shape == (900, 1200, 3)


def test_a_tiff_of_scans_is_no_camera_raw(tmp_path):
    memory, told = io.BytesIO(), TiffImagePlugin.ImageFileDirectory_v2()
    told[271] = "a scanner"
    picture().save(memory, "TIFF", tiffinfo=told)
    (tmp_path / "a.raw").write_bytes(memory.getvalue())
    assert (opened(memory.getvalue()) == np.asarray(picture())).all()
    assert (np.asarray(read_photo(tmp_path / "a.raw")) == np.asarray(picture())).all()


# -- DICOM ------------------------------------------------------------------------------------------------------------


def without_frames(content: bytes) -> bytes:
    """The same DICOM file compressed frame by frame, and nothing says how many there are."""
    from pydicom import dcmread

    data, memory = dcmread(io.BytesIO(content)), io.BytesIO()
    data.compress("1.2.840.10008.1.2.5")
    del data.NumberOfFrames
    data.save_as(memory)
    return memory.getvalue()


RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)
CT = {"RescaleSlope": 1, "RescaleIntercept": -1024}


def grey(content: bytes, levels=FULL) -> np.ndarray:
    seen = opened(content, levels)
    assert (seen == seen[..., :1]).all()
    return seen[..., 0].astype(float)


def test_dicom_is_shown_with_the_window_of_its_file():
    seen = grey(dicom(RAMP, bits=12, **CT, WindowCenter=40, WindowWidth=401))
    expected = 255 * np.clip((RAMP.astype(float) - 1024 - 39.5) / 400 + 0.5, 0, 1)
    assert np.abs(seen - expected).max() <= 0.5
    assert header(io.BytesIO(dicom(RAMP, bits=12, WindowCenter=40, WindowWidth=401)))[2] is False


def test_the_first_of_several_windows_counts():
    several = dicom(RAMP, WindowCenter=[1000, 9], WindowWidth=[500, 9])
    assert (grey(several) == grey(dicom(RAMP, WindowCenter=1000, WindowWidth=500))).all()


def test_where_0_is_white_it_is_shown_so():
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    assert (grey(dicom(RAMP, "MONOCHROME1", **window)) == 255 - grey(dicom(RAMP, **window))).all()
    levels = (0.0, 4095.0)
    assert (grey(dicom(RAMP, "MONOCHROME1"), levels) == 255 - grey(dicom(RAMP), levels)).all()


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_other_forms_of_windows(function):
    seen = grey(dicom(RAMP, WindowCenter=2000, WindowWidth=1000, VOILUTFunction=function))
    x = (RAMP.astype(float) - 2000) / 1000
    expected = 255 / (1 + np.exp(-4 * x)) if function == "SIGMOID" else 255 * np.clip(x + 0.5, 0, 1)
    assert np.abs(seen - expected).max() <= 0.5


def test_dicom_without_a_window_has_the_levels_of_the_set():
    plain = dicom(RAMP, bits=12, **CT, PixelPaddingValue=0)
    assert header(io.BytesIO(plain))[2] is True
    assert value_range(io.BytesIO(plain)) == (False, -1008, 3056)  # what is padding holds nothing
    assert np.abs(grey(plain, (-1024.0, 3071.0)) - RAMP.astype(float) * 255 / 4095).max() <= 0.5
    assert "cut off" in doubt(io.BytesIO(plain), (0.0, 255.0))


def test_dicom_of_8_bits_and_of_colours_is_as_it_is():
    eight = (RAMP // 16).astype(np.uint8)
    assert (grey(dicom(eight, bits=8)) == eight).all()
    colours = np.asarray(picture())
    assert (opened(dicom(colours, "RGB", 8)) == colours).all()


def test_dicom_of_8_bits_that_is_rescaled_to_itself_stays_so():
    eight = (RAMP // 16).astype(np.uint8)
    content = dicom(eight, bits=8, RescaleSlope=1, RescaleIntercept=0)
    assert (grey(content) == eight).all() and header(io.BytesIO(content))[2] is False


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(photometric):
    seen = grey(dicom(RAMP, photometric, 12, PixelPaddingValue=2048), (0.0, 4095.0))
    assert (seen[RAMP == 2048] == 0).all() and (seen[RAMP == 2064] > 100).all()


def test_dicom_that_cant_be_shown_says_why():
    several = dicom(np.zeros((12, 4), np.uint16), NumberOfFrames=3, Rows=4)
    assert "of 3 images; save those" in why(several) and why(without_frames(several)) == why(several)
    assert "window is 0 wide" in why(dicom(RAMP, WindowCenter=1, WindowWidth=0))
    assert why(dicom(RAMP)[:600]).startswith("damaged")


# -- TIFF of many bands -----------------------------------------------------------------------------------------------

BANDS = np.random.default_rng(1).integers(0, 4096, (40, 50, 8), np.uint16)
CHOSEN = (0, 4095, 4, 2, 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"planes": True},
        {"tile": 16},
        {"tile": 32, "planes": True, "deflate": True},
        {"deflate": True},
    ],
    ids=["pixels", "planes", "tiles", "compressed tiles of planes", "compressed"],
)
def test_three_bands_of_a_tiff_are_shown(order, dtype, how):
    values = (BANDS >> 4 if dtype == "u1" else BANDS).astype(dtype)
    content = bands_tiff(values, order, **how)
    expected = values[..., [3, 1, 0]].astype(float)
    expected = expected if dtype == "u1" else np.clip(expected, 0, 4095) * 255 / 4095
    assert np.abs(opened(content, CHOSEN) - expected).max() <= 0.5
    assert header(io.BytesIO(content), CHOSEN) == (50, 40, dtype != "u1")
    if dtype != "u1":
        shown = values[..., [3, 1, 0]]
        assert value_range(io.BytesIO(content), CHOSEN) == (dtype == "f4", shown.min(), shown.max())


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("how", [{}, {"tile": 32}, {"planes": True}], ids=["strips", "tiles", "planes"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bands_that_are_stored_as_differences(dtype, how, order):
    values = (BANDS >> 4 if dtype == "u1" else BANDS).astype(dtype)
    content = bands_tiff(values, order, deflate=True, differences=True, **how)
    expected = values[..., [3, 1, 0]] * (1 if dtype == "u1" else 255 / 4095)
    assert np.abs(opened(content, CHOSEN) - expected).max() <= 0.5


def test_pixels_that_hold_nothing_dont_count():
    values = BANDS.astype(np.float32)
    values[0] = np.nan
    assert value_range(io.BytesIO(bands_tiff(values)), CHOSEN) == (True, 0, values[1:][..., [3, 1, 0]].max())


def test_many_bands_that_nobody_has_chosen_are_refused():
    said = why(bands_tiff(BANDS))
    assert said.startswith("a TIFF of 8 bands") and "--bands" in said
    assert "bands 9, 2, 1" in why(bands_tiff(BANDS), (0, 0, 9, 2, 1))


def test_a_tiff_that_says_which_bands_are_red_green_and_blue_is_believed():
    content = bands_tiff(BANDS, t262=[2])
    assert np.abs(opened(content, (0, 4095)) - BANDS[..., :3].astype(float) * 255 / 4095).max() <= 0.5


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_of_bands_is_turned_upright(orientation, dtype):
    values = (BANDS >> 4 if dtype == "u1" else BANDS).astype(dtype)
    turned = opened(bands_tiff(values, t274=[orientation]), CHOSEN)
    memory, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(opened(bands_tiff(values), CHOSEN)).save(memory, "PNG", exif=exif)
    assert (turned == opened(memory.getvalue())).all()
    size = header(io.BytesIO(bands_tiff(values, t274=[orientation])), CHOSEN)[:2]
    assert size == turned.shape[1::-1]


def test_the_colour_profile_of_a_tiff_of_bands_is_kept():
    for values, levels in ((BANDS, CHOSEN), ((BANDS >> 4).astype(np.uint8), CHOSEN)):
        content = bands_tiff(values, t34675=profile("Display P3"))
        assert colours(io.BytesIO(content), levels) == ("colour", "Display P3")
        assert (opened(content, levels) != opened(bands_tiff(values), levels)).any()


def test_chosen_bands_change_no_other_photo(tmp_path):
    for mode, form in (("RGB", "TIFF"), ("RGBA", "TIFF"), ("CMYK", "TIFF"), ("L", "TIFF"), ("RGB", "PNG")):
        memory = io.BytesIO()
        picture().convert(mode).save(memory, form)
        assert (opened(memory.getvalue(), (0, 0, 3, 2, 1)) == opened(memory.getvalue())).all(), mode


def test_a_damaged_tiff_of_bands_says_so():
    whole = bands_tiff(BANDS, deflate=True)
    assert why(whole[:8] + b"\xff" * 2000 + whole[2008:], CHOSEN).startswith("damaged")
    assert why(whole[:-300], CHOSEN).startswith("damaged")


@pytest.mark.parametrize("depth", [10, 12, 14])
@pytest.mark.parametrize("count", [1, 3])
def test_values_that_are_packed_closely(depth, count):
    values = np.random.default_rng(depth).integers(0, 2**depth, (9, 7, count), np.uint16)
    rows = [np.unpackbits(row.reshape(-1).astype(">u2").view(np.uint8)).reshape(-1, 16)[:, -depth:] for row in values]
    data = b"".join(np.packbits(row.reshape(-1)).tobytes() for row in rows)
    tags = {256: [7], 257: [9], 258: [depth] * count, 259: [1], 262: [2 if count == 3 else 1], 273: [8]}
    content = tiff({**tags, 277: [count], 278: [9], 279: [len(data)]}, data)
    white = 2.0**depth - 1
    expected = values.astype(float) * 255 / white
    assert np.abs(opened(content, (0, white)) - expected).max() <= 0.5


# -- in a folder ------------------------------------------------------------------------------------------------------


def test_what_a_camera_stores_beside_a_jpeg_is_left_out_by_name(tmp_path):
    photos = make_photos(tmp_path / "photos", ("a", "b"), per_class=4, size=64)
    first = min(photos.glob("a/*.jpg"))
    first.with_suffix(".NEF").write_bytes(raw(LARGE))
    (photos / "a" / "alone.NEF").write_bytes(raw(LARGE))
    (photos / "b" / "alone.HEIC").write_bytes(HEIC)
    space = open_workspace(photos, tmp_path / "workspace")
    assert (
        previews(space.photos()) == "1 camera RAW photo is shown by the preview that the camera has put into the file"
    )
    assert {"a/alone.NEF", "b/alone.HEIC"} < set(space.photos()["path"]) and len(space.photos()) == 10
    reasons = dict(space.skipped()[["path", "reason"]].itertuples(index=False, name=None))
    assert reasons == {f"a/{first.stem}.NEF": f"stored by the camera beside {first.name}, which is used"}
    assert not corrupt(SimpleNamespace(skipped=space.skipped())), "nothing is wrong with it"
    assert thumbnail(space.path_of("a/alone.NEF")).startswith(b"\xff\xd8"), "what browsers can show"
    assert thumbnail(space.path_of("b/alone.HEIC")).startswith(b"\xff\xd8")
