"""PNG, whole and broken, too large and too small."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.torture.kinds import KINDS, SIDE, encoded, left_out, picture, read, read_as
from tests.torture.not_photos import NOISE


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG with these rows (each a filter byte and its pixels), whatever its header claims."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 1)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def flat(shades: int, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """A picture of one shade of grey."""
    return Image.new("RGB", size, (shades, shades, shades))


def on_white(image: Image.Image) -> Image.Image:
    """A transparent picture as it looks on white paper."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")


read_as("PNG called JPEG", "really-a-png.jpg", "PNG")
read_as("PNG, grey", "grey.png", "PNG", "L")
read_as("PNG, palette", "palette.png", "PNG", "P")
read_as("PNG, black and white", "one-bit.png", "PNG", "1")
for _name, _mode in [("PNG, grey and alpha", "LA"), ("PNG, alpha", "RGBA")]:
    _picture = picture().convert(_mode)
    _picture.putalpha(Image.linear_gradient("L").resize(_picture.size))
    read(_name, f"{_mode}.png", on_white(_picture), encoded(_picture, "PNG"))
_picture = picture().quantize(16)
_bytes = encoded(_picture, "PNG", transparency=bytes(range(0, 256, 16)))
_shown = _picture.convert("RGB")
_shown.putalpha(Image.fromarray((np.asarray(_picture) * 16).astype(np.uint8)))
read("PNG, palette with shades of transparency", "tRNS.png", on_white(_shown), _bytes)
read("PNG, all transparent", "clear.png", flat(255), encoded(Image.new("RGBA", (SIDE, SIDE), (9, 9, 9, 0)), "PNG"))
read("PNG, all black", "black.png", flat(0), encoded(flat(0), "PNG"))
read("PNG, all white", "white.png", flat(255), encoded(flat(255), "PNG"))

_picture = picture().convert("L")
_deep = np.asarray(_picture).astype(">u2") * 257
_rows = b"".join(b"\0" + row.tobytes() for row in _deep)
read("PNG, 16 bits, grey", "deep-grey.png", _picture.convert("RGB"), png(*_picture.size, _rows, 16, 0))
_picture = picture()
_rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(_picture).astype(">u2") * 257)
read("PNG, 16 bits, colour", "deep.png", _picture, png(*_picture.size, _rows, 16, 2))

_text = PngImagePlugin.PngInfo()
_text.add_text("workflow", "x" * 3_000_000, zip=True)
read_as("PNG with 3 MB of text", "workflow.png", "PNG", pnginfo=_text)
read_as("PNG with an ICC profile of 3 MB", "icc.png", "PNG", icc_profile=bytes(3_000_000))
read_as("PNG with a bad ICC profile", "icc-bad.png", "PNG", icc_profile=b"no profile")
read_as("PNG with broken EXIF", "exif.png", "PNG", exif=NOISE[:300])
read_as("PNG, animated", "apng.png", "PNG", frames=True)

_whole = encoded(picture(), "PNG")
_data = _whole.index(b"IDAT") + 4
left_out("PNG, half of it", "half.png", _whole[: len(_whole) // 2], "its end is missing")
left_out("PNG with a bad checksum in its header", "crc-header.png", _whole[:29] + b"\0\0\0\0" + _whole[33:], "damaged")
left_out("PNG with damaged pixels", "zlib.png", _whole[: _data + 60] + bytes(600) + _whole[_data + 660 :], "damaged")
left_out("PNG of no size", "no-size.png", png(0, 0, b""), "damaged")
left_out("PNG without pixels", "no-pixels.png", _whole[:33] + chunk(b"IEND", b""), "damaged")
left_out("PNG with too few pixels", "few-pixels.png", png(30, 30, bytes(99)), "damaged")
left_out("PNG that says it is huge", "claims.png", png(13_000, 13_000, bytes(99)), "damaged")
left_out(
    "PNG that says it is beyond all bounds",
    "bounds.png",
    png(2**31 - 1, 2**31 - 1, bytes(99)),
    "too large",
    "save it smaller",
)


def _bomb(width: int, height: int) -> Callable[[Path], object]:
    """A PNG of one colour, one bit a pixel: small as a file, large in memory."""
    return lambda path: path.write_bytes(png(width, height, bytes((width // 8 + 1) * height), 1, 0))


left_out("200 megapixels", "bomb.png", _bomb(16_000, 12_500), "too large", "save it smaller")
read("100 megapixels", "large.png", flat(0, (12_504, 8_000)), _bomb(12_504, 8_000))

# -- sizes --------------------------------------------------------------------------------------------------

for _size in [(1, 1), (1, 5000), (5000, 1), (2, 3)]:
    _shade = flat(10 * len(KINDS) % 256, _size)
    read("{} x {} pixels".format(*_size), "{}x{}.png".format(*_size), _shade, encoded(_shade, "PNG"))
