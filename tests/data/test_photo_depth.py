"""Photos of more than 8 bits a channel: every kind of file is shown with the levels that it is read with."""

import io

import numpy as np
import pytest
from PIL import Image, features

from cvtune_nb.data.photo import UnreadablePhoto, centre_square, header, read_photo, scaled, value_range
from tests.deep import colours, png, pnm, ramp, tiff


def seen(content, levels=(0, 0)):
    return np.asarray(read_photo(io.BytesIO(content), levels=levels)).astype(int)


def wanted(values, levels):
    """The 8 bits that values (height, width[, 3]) become, in double precision."""
    black, white = levels
    shown = np.rint((values.astype(float) - black) * 255 / (white - black)).clip(0, 255)
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=-1)


TOPS = {"8 bits": 255, "10 bits": 1023, "12 bits": 4095, "14 bits": 16383, "16 bits": 65535}


def files(top):
    grey, colour = ramp(top), colours(*(ramp(top, seed) for seed in range(3)))
    opaque = np.full_like(grey, 65535)
    found = {
        "PNG, grey": (png(grey), grey),
        "PNG, grey and alpha": (png(colours(grey, opaque)), grey),
        "PNG, colour": (png(colour), colour),
        "PNG, colour and alpha": (png(np.dstack([colour, opaque])), colour),
        "PPM": (pnm(colour, 65535), colour),
        "PGM": (pnm(grey, 65535), grey),
    }
    for order in "<>":
        found |= {
            f"TIFF {order}, {name}{', compressed' if compressed else ''}": (
                tiff(values, order, compressed=compressed),
                values,
            )
            for name, values in (("grey", grey), ("colour", colour))
            for compressed in (False, True)
        }
        found[f"TIFF {order}, colour and alpha"] = tiff(np.dstack([colour, opaque]), order), colour
        found[f"TIFF {order}, planes"] = tiff(colour, order, planar=True), colour
        found[f"TIFF {order}, signed"] = tiff(grey.astype(np.int32), order), grey
        found[f"TIFF {order}, floating-point"] = tiff(grey.astype(np.float32), order), grey
    return found


@pytest.mark.parametrize("top", TOPS.values(), ids=TOPS)
@pytest.mark.parametrize("name", files(255))
def test_every_value_is_shown_with_the_levels(name, top):
    content, values = files(top)[name]
    assert header(io.BytesIO(content)) == (48, 48, True)
    assert value_range(io.BytesIO(content)) == ("floating" in name, 0, top)
    for levels in ((0, top), (0, 65535), (top / 4, top / 2)):
        assert np.abs(seen(content, levels) - wanted(values, levels)).max() <= 1


@pytest.mark.parametrize("name", [name for name in files(255) if "floating" not in name])
def test_without_levels_the_full_range_of_the_file_counts(name):
    content, values = files(65535)[name]
    assert np.abs(seen(content) - wanted(values, (0, 65535))).max() <= 1
    assert seen(files(4095)[name][0]).max() <= 16


@pytest.mark.parametrize("values", [ramp(65535), colours(*(ramp(65535, seed) for seed in range(3)))], ids=["L", "RGB"])
def test_the_full_range_is_read_as_ever(values):
    for content in (png(values), tiff(values), tiff(values, ">")):
        with Image.open(io.BytesIO(content)) as image:
            plain = np.asarray(image)
        if values.ndim == 2:
            plain = np.rint(plain.astype(np.float32) * np.float32(255 / 65535)).astype(np.uint8)[..., None].repeat(3, 2)
        assert np.array_equal(seen(content), plain)


@pytest.mark.parametrize(
    "save",
    [
        lambda image, to: image.save(to, "PNG"),
        lambda image, to: image.save(to, "JPEG"),
        lambda image, to: image.save(to, "TIFF"),
        lambda image, to: image.save(to, "PPM"),
        lambda image, to: image.convert("RGBA").save(to, "PNG"),
        lambda image, to: image.convert("CMYK").save(to, "TIFF"),
        lambda image, to: image.convert("L").save(to, "PNG"),
        lambda image, to: image.quantize(8).save(to, "PNG"),
    ],
)
def test_levels_mean_nothing_for_8_bits(save):
    memory = io.BytesIO()
    save(Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)), memory)
    assert not header(memory)[2]
    for decode in (
        read_photo,
        lambda file, **levels: centre_square(file, 32, **levels),
        lambda file, **levels: scaled(file, 32, **levels),
    ):
        assert np.array_equal(decode(memory), decode(memory, levels=(-5, 4095)))


def test_squares_are_shown_with_the_levels_too():
    content = png(ramp(4095))
    whole = Image.fromarray(wanted(ramp(4095), (0, 4095)).astype(np.uint8))
    assert np.abs(scaled(io.BytesIO(content), 48, (0, 4095)).astype(int) - np.asarray(whole)).max() <= 1
    bright = centre_square(io.BytesIO(content), 32, (0, 4095)).mean()
    assert bright > 10 * centre_square(io.BytesIO(content), 32).mean()


@pytest.mark.parametrize("white", [1023, 4095])
def test_a_file_that_says_which_value_is_white_is_believed(white):
    for values in (ramp(white), colours(*(ramp(white, seed) for seed in range(3)))):
        content = pnm(values, white)
        for levels in ((0, 0), (0, 65535), (0, 255)):
            assert np.abs(seen(content, levels) - wanted(values, (0, white))).max() <= 1


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow has no JPEG 2000")
@pytest.mark.parametrize("top", [4095, 65535])
def test_a_grey_jpeg_2000_is_shown_with_the_levels(top):
    memory = io.BytesIO()
    Image.fromarray(ramp(top)).save(memory, "JPEG2000")
    assert header(memory)[2] and value_range(memory) == (False, 0, top)
    assert np.abs(seen(memory.getvalue(), (0, top)) - wanted(ramp(top), (0, top))).max() <= 1


def test_signed_values_have_a_black_below_zero():
    values = ramp(4095).astype(np.int16) - 1024
    for order in "<>":
        content = tiff(values, order)
        assert value_range(io.BytesIO(content)) == (False, -1024, 3071)
        assert np.abs(seen(content, (-1024, 3071)) - wanted(values, (-1024, 3071))).max() <= 1
        assert np.abs(seen(content, (-160, 240)) - wanted(values, (-160, 240))).max() <= 1


def test_unsigned_values_of_32_bits_are_no_negative_ones():
    values = (ramp(65535).astype(np.uint32) << 16) + 7
    assert value_range(io.BytesIO(tiff(values)))[1:] == pytest.approx((7, 65535 * 65536 + 7))
    assert np.abs(seen(tiff(values), (0, 2**32 - 1)) - wanted(values, (0, 2**32 - 1))).max() <= 1


@pytest.mark.parametrize("levels", [(0, 0), (0, 65535), (0, 4095)])
def test_where_0_is_white_it_is_shown_white(levels):
    values = ramp(levels[1] or 65535)
    shown = seen(tiff(values, photometric=-1), levels)
    assert np.abs(shown - (255 - wanted(values, (0, levels[1] or 65535)))).max() <= 1


@pytest.mark.parametrize("marker", [np.nan, np.inf, -np.inf, -3.4e38])
def test_pixels_that_hold_nothing_have_no_say(marker):
    values = ramp(10, dtype=np.float32)
    values[5, 5] = marker
    assert value_range(io.BytesIO(tiff(values))) == (True, 0, pytest.approx(10))
    shown = seen(tiff(values), (0, 10))
    assert shown[5, 5, 0] == (255 if marker == np.inf else 0)
    assert np.delete(np.abs(shown - wanted(values, (0, 10)))[..., 0].ravel(), 5 * 48 + 5).max() <= 1


@pytest.mark.parametrize("nodata", ["-9999", "-9999.0", "65535"])
def test_a_value_that_gdal_says_is_nothing_is_black(nodata):
    values = ramp(1000, dtype=np.float32)
    values[7, 7] = float(nodata)
    content = tiff(values, nodata=nodata)
    assert value_range(io.BytesIO(content)) == (True, 0, 1000)
    assert seen(content, (0, 1000))[7, 7].tolist() == [0, 0, 0]


def test_nothing_but_nan_is_black():
    content = tiff(np.full((8, 8), np.nan, np.float32))
    assert value_range(io.BytesIO(content)) == (True, 0, 0)
    assert seen(content).max() == 0


def test_floating_point_values_over_1_need_levels():
    content = tiff(ramp(200, dtype=np.float32))
    with pytest.raises(UnreadablePhoto, match="floating-point values up to 200, and nothing says which is white; save"):
        seen(content)
    assert seen(tiff(ramp(1, dtype=np.float32))).max() == 255


def test_transparency_is_put_on_white():
    grey, opaque = ramp(4095), np.full((48, 48), 4095, np.uint16)
    opaque[:24] = 0
    for content in (
        png(colours(grey, opaque)),
        png(colours(grey, grey, grey, opaque)),
        tiff(colours(grey, grey, grey, opaque)),
    ):
        shown = seen(content, (0, 4095))
        assert (shown[:24] == 255).all()
        assert np.abs(shown[24:] - wanted(grey, (0, 4095))[24:]).max() <= 1
        assert value_range(io.BytesIO(content)) == (False, 0, 4095)
        assert (seen(content, (-4095, 4095))[:24] == 255).all(), "how opaque it is has no black"


def test_a_kind_of_tiff_that_can_not_be_read_is_named():
    with pytest.raises(UnreadablePhoto, match="a kind of TIFF that can't be opened here; save it as PNG"):
        seen(tiff(colours(ramp(4095), ramp(4095)), photometric=1))


def test_what_pillow_cant_read_of_one_band_is_read_all_the_same():
    exact = ramp(10, dtype=np.float64)
    assert np.abs(seen(tiff(exact), (0, 10)) - wanted(exact, (0, 10))).max() <= 1
    white_is_0 = seen(tiff(ramp(4095), ">", photometric=-1), (0, 4095))
    assert np.abs(white_is_0 - (255 - wanted(ramp(4095), (0, 4095)))).max() <= 1


def test_a_compressed_tiff_of_planes_keeps_its_brightness():
    values = colours(*(ramp(4095, seed) for seed in range(3)))
    content = tiff(values, compressed=True, planar=True)
    assert np.abs(seen(content, (0, 4095)) - wanted(values, (0, 4095))).max() <= 17  # Pillow gives its high bytes alone


def test_half_a_file_is_damaged():
    content = png(colours(*(ramp(4095, seed) for seed in range(3))))
    for decode in (seen, lambda half: value_range(io.BytesIO(half))):
        with pytest.raises(UnreadablePhoto, match="damaged"):
            decode(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("png", ramp(4095)),
        ("png", ramp(255, dtype=np.uint8)),
        ("tif", ramp(4095)),
        ("tif", ramp(255, dtype=np.uint8)),
        ("tif", ramp(4095, dtype=np.float32)),
    ],
    ids=["16 bits", "8 bits", "TIFF of 16 bits", "TIFF of 8 bits", "floating-point TIFF"],
)
def test_a_photo_on_its_side_is_turned(tmp_path, kind, values):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values[:, :20]).save(tmp_path / f"a.{kind}", exif=exif)
    levels = (0, 255 if values.dtype == np.uint8 else 4095)
    assert header(tmp_path / f"a.{kind}")[:2] == (48, 20)
    shown = np.asarray(read_photo(tmp_path / f"a.{kind}", levels=levels)).astype(int)
    assert np.abs(shown - wanted(np.rot90(values[:, :20], -1), levels)).max() <= 1
