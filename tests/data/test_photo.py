import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from cvtune_nb.data.photo import (
    FULL,
    LARGEST,
    UnreadablePhoto,
    centre_square,
    crop_centre,
    read_photo,
    short_side,
    upright_size,
)
from cvtune_nb.data.preprocessing import Preprocessing


def scene(width=60, height=40):
    """A picture without any symmetry: red grows to the right, green downwards, a blue corner top left."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, np.zeros_like(x)], axis=-1).astype(np.uint8)
    pixels[: height // 4, : width // 4, 2] = 255
    return Image.fromarray(pixels)


def as_stored(upright, orientation):
    """What a camera held in that orientation stores, so that turning it by the EXIF tag gives `upright`."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return upright.transpose(undo[orientation]) if orientation in undo else upright


@pytest.mark.parametrize("kind", ["png", "tiff", "jpeg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_applied(tmp_path, orientation, kind):
    file = tmp_path / f"a.{kind}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_stored(scene(), orientation).save(
        file, exif=exif, **({"quality": 100, "subsampling": 0} if kind == "jpeg" else {})
    )
    read = read_photo(file)
    assert read.size == upright_size(file) == (60, 40)
    assert np.abs(np.asarray(read, int) - np.asarray(scene(), int)).max() <= (12 if kind == "jpeg" else 0)


def test_palette_and_its_transparency_go_on_white(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").getpixel((0, 0)) == (200, 0, 0)
    image.save(tmp_path / "b.png", transparency=1)
    assert read_photo(tmp_path / "b.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (200, 100, 0, 0), (255, 255, 255)),
        ("RGBA", (200, 100, 0, 255), (200, 100, 0)),
        ("LA", (40, 0), (255, 255, 255)),
        ("LA", (40, 255), (40, 40, 40)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_alpha_grey_and_black_and_white(tmp_path, mode, colour, expected):
    Image.new(mode, (5, 5), colour).save(tmp_path / "a.png")
    read = read_photo(tmp_path / "a.png")
    assert (read.mode, read.getpixel((2, 2))) == ("RGB", expected)


def test_half_transparent_mixes_with_white(tmp_path):
    Image.new("RGBA", (5, 5), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").getpixel((0, 0)) == pytest.approx((127, 127, 127), abs=1)


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    red, green, blue = read_photo(tmp_path / "a.jpg").getpixel((8, 8))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_cut(tmp_path, kind):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, axis=0)
    Image.fromarray(ramp).save(tmp_path / f"a.{kind}")
    assert np.abs(np.asarray(read_photo(tmp_path / f"a.{kind}"))[0, :, 0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_floating_point_tiff(tmp_path, top):
    ramp = np.linspace(0, top, 256, dtype=np.float32)[None].repeat(4, axis=0)
    ramp[1, 0] = np.nan
    Image.fromarray(ramp).save(tmp_path / "a.tif")
    shown = np.asarray(read_photo(tmp_path / "a.tif", levels=(0, top)))
    assert np.abs(shown[0, :, 1].astype(int) - np.arange(256)).max() <= 1
    if top > 1:
        with pytest.raises(UnreadablePhoto, match="nothing says which is white"):
            read_photo(tmp_path / "a.tif")


def test_an_animation_shows_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    for name in ("a.gif", "a.webp"):
        assert read_photo(tmp_path / name).getpixel((3, 3)) == (255, 0, 0)


def test_a_photo_may_come_from_memory():
    memory = io.BytesIO()
    scene().save(memory, "PNG")
    memory.seek(0)
    assert read_photo(memory).size == (60, 40)


def png_header(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def jpeg():
    memory = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(memory, "JPEG")
    return memory.getvalue()


BROKEN = {
    "zero.jpg": (b"", "empty"),
    "truncated.jpg": (jpeg()[:700], "damaged"),
    "header-only.jpg": (jpeg()[:12], "damaged"),
    "page.jpg": (b"\n<!DOCTYPE html><html><body>404 not found</body></html>", "a web page"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 60, "a HEIC photo"),
    "notes.jpg": (b"these are only my notes", "a text file"),
    "paper.jpg": (b"%PDF-1.7 ...", "a PDF document"),
    "drawing.jpg": (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "a drawing"),
    "album.jpg": (b"PK\x03\x04" + b"\0" * 60, "an archive"),
    "bomb.png": (png_header(20_000, 10_000), "too large to open safely"),
    "larger-bomb.png": (png_header(60_000, 60_000), "too large to open safely"),
    "cut.png": (png_header(30, 30), "damaged"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_photo_says_why(tmp_path, name):
    data, why = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadablePhoto, match=why) as caught:
        read_photo(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_missing_photo_says_so(tmp_path):
    with pytest.raises(UnreadablePhoto, match="the file is gone"):
        read_photo(tmp_path / "gone.jpg")


def test_the_largest_photo_is_pillows_own_limit():
    assert LARGEST == Image.MAX_IMAGE_PIXELS * 2


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (50, 50), (301, 33)])
def test_centre_square_is_what_plain_pillow_gives(tmp_path, size):
    scene(*size).save(tmp_path / "a.png")
    short = min(size)
    left, top = (size[0] - short) / 2, (size[1] - short) / 2
    box = (left, top, left + short, top + short)
    plain = scene(*size).resize((24, 24), Image.Resampling.BICUBIC, box=box)
    ours = centre_square(tmp_path / "a.png", 24).astype(int)
    # versions of Pillow that scale tall photos down before across round in between elsewhere
    assert np.abs(ours - np.asarray(plain)).max() <= (2 if size[1] > size[0] else 0)


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path):
    scene(900, 700).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        whole = ImageOps.fit(image.convert("RGB"), (64, 64), Image.Resampling.BICUBIC)
    assert read_photo(tmp_path / "a.jpg", at_least=64).size < (900, 700)
    assert min(read_photo(tmp_path / "a.jpg", at_least=64).size) >= 64
    difference = np.abs(centre_square(tmp_path / "a.jpg", 64).astype(int) - np.asarray(whole, int))
    assert difference.mean() < 2


def test_the_crop_is_the_middle():
    pixels = np.arange(2 * 10 * 10 * 3).reshape(2, 10, 10, 3)
    assert np.array_equal(crop_centre(pixels, 6), pixels[:, 2:8, 2:8])
    assert np.array_equal(crop_centre(pixels, 10), pixels)


def test_the_networks_see_the_middle_of_the_centre_square(tmp_path):
    assert short_side(224) == 256
    scene(200, 100).save(tmp_path / "a.png")
    seen = Preprocessing(56).square(tmp_path / "a.png", FULL)
    assert seen.shape == (56, 56, 3)
    assert np.array_equal(seen, centre_square(tmp_path / "a.png", 64)[4:60, 4:60])
