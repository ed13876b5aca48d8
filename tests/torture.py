"""The torture folder: one file of every broken or odd kind that turns up among people's photos, and what must become
of it. Made here from nothing, the same bytes every time; no download.

Each kind is one of three: a photo that is read and shows `shows`; a file that is left out, with `reason` in
skipped.csv and `remedy` in the audit's suggestion; or one that only a file manager put there, which is passed over.
"""

import io
import json
import os
import socket
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, features

from tests.photos import draw_photo

SIDE = 72
"""About how many pixels the pictures are wide and high."""

REPLACE = "replace the file by a readable copy, or delete it"
AS_JPEG = "save it as JPEG"

LOSSLESS, LOSSY = 1, 12
"""How far the pixels that were read may be from `shows`, on average, of 255."""


@dataclass(frozen=True)
class Kind:
    """file: its name in the class folder; content: its bytes, or what makes it at a path; shows: the picture that
    must be seen (None: left out), to within `close` of 255 on average; reason, remedy: words that must be said; passed
    over: neither read nor listed; found: the file to look for, when it isn't `file`."""

    file: str | bytes
    content: bytes | Callable[[Path], object]
    shows: Image.Image | None = None
    close: float = LOSSLESS
    reason: str = ""
    remedy: str = REPLACE
    passed_over: bool = False
    found: str = ""

    def make(self, folder: Path) -> None:
        """Write the file into `folder`."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(self.file))))
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)

    @property
    def listed(self) -> str:
        """The name under which manifest.csv or skipped.csv must list it."""
        return self.found or os.fsencode(self.file).decode(errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")


KINDS: dict[str, Kind] = {}
"""All kinds by name."""


def picture() -> Image.Image:
    """The next picture, unlike all others, so that no kind is a copy of another."""
    number = len(KINDS)
    return draw_photo(number, SIDE, np.random.default_rng([7, number]))


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """`image` as the bytes of a file."""
    memory = io.BytesIO()
    image.save(memory, form, **options)
    return memory.getvalue()


def jpeg(image: Image.Image | None = None, **options: object) -> bytes:
    """A JPEG of `image`, or of the next picture."""
    return encoded(image or picture(), "JPEG", **{"quality": 92, **options})


def read(name: str, file: str, shows: Image.Image, content, close: float = LOSSLESS, **more: object) -> None:
    """Enter a kind that must be read."""
    KINDS[name] = Kind(file, content, shows, close, **more)


def read_as(
    name: str, file: str, form: str, mode: str = "RGB", close: float = LOSSLESS, frames: bool = False, **options: object
) -> None:
    """Enter the next picture, in a format and a mode of Pillow's; with `frames` two more come behind it."""
    image = picture().convert(mode)
    if frames:
        more = [Image.new("RGB", image.size, colour) for colour in ("red", "blue")]
        options |= {"save_all": True, "append_images": more}
    read(name, file, image.convert("RGB"), encoded(image, form, **options), close)


def left_out(name: str, file: str | bytes, content, reason: str, remedy: str = REPLACE, **more: object) -> None:
    """Enter a kind that must be left out."""
    KINDS[name] = Kind(file, content, reason=reason, remedy=remedy, **more)


def passed_over(name: str, file: str, content) -> None:
    """Enter a kind that is nobody's photo."""
    KINDS[name] = Kind(file, content, passed_over=True)


# -- names --------------------------------------------------------------------------------------------------

NAMES = {
    "name with spaces": "two  words .jpg",
    "name with a space first": " first.jpg",
    "name in NFC": unicodedata.normalize("NFC", "größe.jpg"),
    "name in NFD": unicodedata.normalize("NFD", "größe.jpg"),
    "name in Japanese": "薔薇.jpg",
    "name with an emoji": "🌹.jpg",
    "name written right to left": "\u202egpj.hcta\u202c.jpg",
    "name with a line feed": "two\nlines.jpg",
    "name with a carriage return": "two\rlines.jpg",
    "name with a tab": "a\ttab.jpg",
    "name with an escape sequence": "\x1b[31mred.jpg",
    "name with a comma": "one, two.jpg",
    "name with quotes": "\"a\" 'b'.jpg",
    "name with HTML": "<img src=x onerror=alert(1)>.jpg",
    "name with a formula": "=1+1.jpg",
    "name with a percent sign": "100%d{}.jpg",
    "name with a hash and a question mark": "a#b?c.jpg",
    "name with a backslash": "a\\b.jpg",
    "name with a leading dash": "--help.jpg",
    "name that is nan": "nan",
    "name that is a number": "007",
    "name of 250 bytes": "long" * 61 + "en.jpg",
    "extension in upper case": "UPPER.JPG",
    "extension JPEG": "long.JPEG",
    "extension jfif": "windows.jfif",
    "no extension": "photo",
    "extension of another format": "really-a-jpeg.png",
    "extension of nothing known": "photo.2021-05-01",
}
for _name, _file in NAMES.items():
    _picture = picture()
    read(_name, _file, _picture, jpeg(_picture), LOSSY)


def _in_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.jpg").write_bytes(ALBUM)


_picture = picture()
ALBUM = jpeg(_picture)
read("folder named like a photo", "album.jpg", _picture, _in_folder, LOSSY, found="album.jpg/inside.jpg")

_picture = picture()
LINKED = jpeg(_picture)


def _linked(path: Path) -> None:
    target = path.parent.parent.parent / "elsewhere.jpg"
    target.write_bytes(LINKED)
    path.symlink_to(target)


read("link to a photo", "link.jpg", _picture, _linked, LOSSY)
left_out("name that is no UTF-8", b"caf\xe9.jpg", jpeg(), "its name is no UTF-8 text", "rename it")

# -- no file at all -----------------------------------------------------------------------------------------


def _socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # a socket's address holds no long path
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


left_out("link to nothing", "gone.jpg", lambda path: path.symlink_to("nowhere.jpg"), "link to nothing", "mend the link")
left_out("link to itself", "loop.jpg", lambda path: path.symlink_to("loop.jpg"), "link to nothing", "mend the link")
left_out("link to a folder", "back", lambda path: path.symlink_to(".."), "link to a folder", "copy its photos here")
left_out("pipe", "pipe.jpg", os.mkfifo, "a pipe, socket or device", "delete it")
left_out("socket", "socket.jpg", _socket, "a pipe, socket or device", "delete it")


def _locked(path: Path) -> None:
    path.write_bytes(LOCKED)
    path.chmod(0)


_picture = picture()
LOCKED = jpeg(_picture)
if os.geteuid() == 0:  # root may read everything
    read("no permission", "locked.jpg", _picture, _locked, LOSSY)
else:
    left_out("no permission", "locked.jpg", _locked, "no permission to read it", "change its permissions")

# -- what file managers put there ---------------------------------------------------------------------------

passed_over("macOS folder view", ".DS_Store", b"\0\0\0\1Bud1" + bytes(40))
passed_over("macOS resource fork", "._photo.jpg", b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(40))
passed_over("macOS folder icon", "Icon\r", b"")
passed_over("Windows thumbnails", "Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40))
passed_over("Windows folder view", "desktop.ini", b"[.ShellClassInfo]")
left_out("hidden file", ".hidden.jpg", jpeg(), "hidden", "")

# -- something else, called a photo -------------------------------------------------------------------------


def box(brand: bytes) -> bytes:
    """The start of a file of the MP4 family, which HEIC, AVIF and CR3 belong to."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(80)


_random = np.random.default_rng(3).integers(0, 256, 5000, np.uint8).tobytes()
left_out("empty file", "empty.jpg", b"", "the file is empty")
left_out("nothing but zeros", "zeros.jpg", bytes(5000), "nothing but zeros")
left_out("random bytes", "random.jpg", _random, "not a photo")
left_out("web page", "page.jpg", b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page")
left_out("text", "text.png", "nur ein paar Wörter".encode(), "a text file")
left_out("JSON", "error.jpg", json.dumps({"error": "not found"}).encode(), "a text file")
left_out("Git LFS pointer", "lfs.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a text file")
left_out("PDF", "scan.jpg", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(40), "a PDF document")
left_out("zip", "album-zip.jpg", b"PK\3\4" + bytes(60), "an archive")
left_out("gzip", "packed.jpg", zlib.compress(b"x" * 99, wbits=31), "an archive")
left_out("Word document", "letter.jpg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60), "an Office document")
left_out("program", "setup.jpg", b"MZ\x90\0" + bytes(60), "a program")
left_out("SVG", "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "a drawing", AS_JPEG)
left_out("XML", "drawing.jpg", b"<?xml version='1.0'?><svg/>", "a drawing", AS_JPEG)
left_out("HEIC", "iphone.heic", box(b"heic"), "HEIC", AS_JPEG)
left_out("HEIC called JPEG", "iphone.jpg", box(b"heix"), "HEIC", AS_JPEG)
left_out("MP4 called JPEG", "live.jpg", box(b"isom"), "a video")
left_out("MP4", "live.mp4", box(b"isom"), "not a photo (.mp4 file)", "")
left_out("AVI called JPEG", "clip.jpg", b"RIFF\x90\0\0\0AVI LIST" + bytes(40), "a video")
left_out("notes", "notes.txt", b"hello", "not a photo (.txt file)", "")
left_out("NumPy array", "pixels.jpg", b"\x93NUMPY\1\0v\0" + bytes(60), "no image format")
left_out("PostScript", "figure.ps", b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "a drawing", AS_JPEG)
left_out("PSD", "layers.psd", b"8BPS\0\1" + bytes(60), "Photoshop", AS_JPEG)
left_out(
    "FITS",
    "galaxy.jpg",
    b"SIMPLE  =                    T".ljust(80)
    + b"BITPIX  =                    8".ljust(80)
    + b"NAXIS   =                    0".ljust(80)
    + b"END".ljust(2640)
    + _random,
    "no image format",
)
left_out("HDF5", "table.jpg", b"\x89HDF\r\n\x1a\n" + bytes(80), "no image format")

_eps = encoded(picture(), "EPS")
left_out("EPS", "figure.eps", _eps, "a drawing", AS_JPEG)
left_out("EPS called JPEG", "figure.jpg", _eps, "a drawing", AS_JPEG)


def tiff_with(tags: dict[int, int], image: Image.Image | None = None) -> bytes:
    """A TIFF with these tags as well."""
    return encoded(image or picture(), "TIFF", tiffinfo=tags)


left_out("RAW, Nikon", "dsc_0001.NEF", tiff_with({254: 1}), "camera RAW", AS_JPEG)
left_out("RAW, Adobe", "img.dng", tiff_with({254: 1}), "camera RAW", AS_JPEG)
left_out("RAW, Canon", "img_0001.CR2", b"II*\0\x10\0\0\0CR\2\0" + bytes(80), "camera RAW", AS_JPEG)
left_out("RAW, newer Canon", "img_0002.cr3", box(b"crx "), "camera RAW", AS_JPEG)
left_out("RAW, Fuji", "dscf0001.raf", b"FUJIFILMCCD-RAW 0201" + bytes(80), "camera RAW", AS_JPEG)

# -- JPEG ---------------------------------------------------------------------------------------------------

_picture = picture()
_whole, _size = jpeg(_picture), struct.pack(">HH", *_picture.size[::-1])
_scan = _whole.index(b"\xff\xda")
left_out("JPEG, half of it", "half.jpg", _whole[: len(_whole) // 2], "its end is missing")
left_out("JPEG, header only", "header.jpg", _whole[:_scan], "damaged")
left_out("JPEG, twelve bytes", "twelve.jpg", _whole[:12], "damaged")
left_out("JPEG, two bytes", "two.jpg", _whole[:2], "damaged")
left_out("JPEG of no size", "flat.jpg", _whole.replace(_size, bytes(4)), "damaged")
left_out("JPEG without its end marker", "no-eoi.jpg", _whole[:-2], "its end is missing")
left_out(
    "JPEG whose header lies",
    "lies.jpg",
    _whole.replace(_size, struct.pack(">HH", 65_000, 65_000)),
    "too large",
    "save it smaller",
)
left_out("JPEG after a web header", "http.jpg", b"HTTP/1.1 200 OK\r\n\r\n" + jpeg(), "no image format")

for _name, _file, _spoil in [
    ("JPEG without code tables", "webcam.jpg", lambda data: data.replace(b"\xff\xc4", b"\xff\xee")),
    ("JPEG and garbage", "garbage.jpg", lambda data: data + _random),
    ("two JPEGs in one file", "two-in-one.jpg", lambda data: data + jpeg(Image.new("RGB", (SIDE, SIDE)))),
    ("JPEG and a zip", "motion.jpg", lambda data: data + b"PK\3\4" + bytes(60)),
    ("JPEG with a bad ICC profile", "icc.jpg", lambda data: data),
]:
    _picture = picture()
    _options = {"icc_profile": b"no profile"} if "ICC" in _name else {}
    read(_name, _file, _picture, _spoil(jpeg(_picture, **_options)), LOSSY)

_picture = picture()
_restart = jpeg(_picture, restart_marker_rows=1)
for _number in range(2, 8):  # the wrong numbers: decoders guess how much is missing and go on
    _restart = _restart.replace(bytes([0xFF, 0xD0 + _number]), bytes([0xFF, 0xD0 + 7 - _number]))
read("JPEG with wrong restart markers", "restart.jpg", _picture, _restart, 255)

read_as("JPEG, progressive", "progressive.jpg", "JPEG", close=LOSSY, progressive=True)
read_as("JPEG, grey", "grey.jpg", "JPEG", "L", close=LOSSY)
read_as("JPEG, CMYK as Adobe inverts it", "cmyk.jpg", "JPEG", "CMYK", close=LOSSY, quality=95)
read_as("JPEG with a huge ICC profile", "huge-icc.jpg", "JPEG", close=LOSSY, icc_profile=_random * 600)
read_as("JPEG with two photos (MPO)", "stereo.mpo", "MPO", close=LOSSY, frames=True)

# YCCK: the inks' colours as YCbCr, and black; Adobe stores what is not ink
_picture = picture()
_inks = [Image.eval(band, lambda value: 255 - value) for band in _picture.split()]
_ycc = Image.merge("RGB", _inks).convert("YCbCr").split()
# Pillow inverts what it writes, so that what lies in the file is _ycc and 255, no black ink
_bands = [Image.eval(band, lambda value: 255 - value) for band in _ycc]
_ycck = jpeg(Image.merge("CMYK", [*_bands, Image.new("L", _picture.size)]), quality=100)
_adobe = _ycck.index(b"Adobe") + 11  # its last byte: 0 is CMYK, 2 is YCCK
read("JPEG, YCCK", "ycck.jpg", _picture, _ycck[:_adobe] + b"\2" + _ycck[_adobe + 1 :], LOSSY)

# -- EXIF ---------------------------------------------------------------------------------------------------

UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What a camera stores that is held in that way, from the upright picture."""


def ifd(*entries: tuple[int, int, int, bytes]) -> bytes:
    """An EXIF block with these entries: tag, type, count, value (4 bytes)."""
    rows = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + bytes(4)


for _held in range(1, 9):
    _picture = picture().resize((80, 60))
    _exif = Image.Exif()
    _exif[0x0112] = _held
    _stored = _picture.transpose(UNDO[_held]) if _held in UNDO else _picture
    read(f"EXIF orientation {_held}", f"held-{_held}.jpg", _picture, jpeg(_stored, exif=_exif), LOSSY)

_TURN_6 = (0x0112, 3, 1, b"\6\0\0\0")
for _name, _file, _block, _held in [
    ("EXIF that is garbage", "exif-garbage.jpg", b"Exif\0\0" + _random[:500], 1),
    ("EXIF cut off", "exif-cut.jpg", ifd(_TURN_6, _TURN_6)[:20], 1),
    ("EXIF that points outside", "exif-outside.jpg", b"Exif\0\0II*\0\xff\xff\xff\x7f", 1),
    ("EXIF that points to itself", "exif-loop.jpg", ifd(_TURN_6)[:-4] + b"\x08\0\0\0", 6),
    ("EXIF orientation 0", "exif-0.jpg", ifd((0x0112, 3, 1, bytes(4))), 1),
    ("EXIF orientation 99", "exif-99.jpg", ifd((0x0112, 3, 1, b"\x63\0\0\0")), 1),
    ("EXIF orientation as text", "exif-text.jpg", ifd((0x0112, 2, 4, b"top\0")), 1),
    ("EXIF orientation twice", "exif-two.jpg", ifd((0x0112, 3, 2, b"\6\0\6\0")), 6),
    (
        "EXIF with absurd values",
        "exif-absurd.jpg",
        ifd(
            _TURN_6,
            (0x011A, 5, 1, b"\0\0\0\0"),
            (0x0132, 2, 2**31, b"\x08\0\0\0"),
            (0x8769, 4, 1, b"\xff\xff\xff\xff"),
            (0x8825, 9, 1, b"\xff\xff\xff\xff"),
            (0x9999, 200, 9, bytes(4)),
        ),
        6,
    ),
]:
    _picture = picture().resize((80, 60))
    _stored = _picture.transpose(UNDO[_held]) if _held in UNDO else _picture
    read(_name, _file, _picture, jpeg(_stored, exif=_block), LOSSY)

# -- PNG ----------------------------------------------------------------------------------------------------


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
read_as("PNG with broken EXIF", "exif.png", "PNG", exif=_random[:300])
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

# -- other formats ------------------------------------------------------------------------------------------

read_as("GIF, animated", "moves.gif", "GIF", "P", frames=True)
read_as("TIFF of several pages", "pages.tif", "TIFF", frames=True)
read_as("TIFF, CMYK", "cmyk.tif", "TIFF", "CMYK")
read_as("TIFF, LZW", "lzw.tif", "TIFF", compression="tiff_lzw")
read_as("TIFF, big-endian", "big.tif", "TIFF", big_tiff=True)
read_as("TIFF, JPEG inside", "inside.tif", "TIFF", compression="jpeg", quality=95, close=LOSSY)
read_as("BMP", "plain.bmp", "BMP")
read_as("BMP, palette", "palette.bmp", "BMP", "P")
read_as("TGA", "plain.tga", "TGA")
read_as("PPM", "plain.ppm", "PPM")
read_as("PGM", "plain.pgm", "PPM", "L")
read_as("PBM", "plain.pbm", "PPM", "1")
_picture = picture().resize((64, 64))
read("ICO", "icon.ico", _picture, encoded(_picture, "ICO", sizes=[(64, 64)]))
if features.check("webp"):
    read_as("WebP, lossy", "lossy.webp", "WEBP", close=LOSSY)
    read_as("WebP, lossless", "lossless.webp", "WEBP", lossless=True)
    read_as("WebP, animated", "moves.webp", "WEBP", lossless=True, frames=True)
    _whole = encoded(picture(), "WEBP")
    left_out("WebP, half of it", "half.webp", _whole[: len(_whole) // 2], "damaged")
if features.check("jpg_2000"):
    read_as("JPEG 2000", "plain.jp2", "JPEG2000")
    _whole = encoded(picture(), "JPEG2000")
    left_out("JPEG 2000, half of it", "half.jp2", _whole[: len(_whole) // 2], "damaged")
if features.check("avif"):
    read_as("AVIF", "plain.avif", "AVIF", close=LOSSY, quality=90)
    _whole = encoded(picture(), "AVIF")
    left_out("AVIF, half of it", "half.avif", _whole[: len(_whole) // 2], "damaged")

_values = np.asarray(picture().convert("L"), np.float32).copy()
_values[0, :2] = 0, 255  # so that the range is sure
_shown = Image.fromarray(_values.astype(np.uint8)).convert("RGB")
read("TIFF of numbers up to 65535", "float-65535.tif", _shown, encoded(Image.fromarray(_values * 257), "TIFF"))
left_out(
    "TIFF of numbers up to 1",
    "float-1.tif",
    encoded(Image.fromarray(_values / 255), "TIFF"),
    "floating-point values up to 1",
    "save it as these are",
)
_values[5:9] = np.nan
_values[9] = np.inf, *[-np.inf] * (_values.shape[1] - 1)
_shown = np.nan_to_num(_values, nan=0, posinf=255, neginf=0).astype(np.uint8)
read(
    "TIFF with NaN and infinity",
    "nan.tif",
    Image.fromarray(_shown).convert("RGB"),
    encoded(Image.fromarray(_values * 257), "TIFF"),
)
read(
    "TIFF of nothing but NaN",
    "all-nan.tif",
    flat(0),
    encoded(Image.fromarray(np.full((SIDE, SIDE), np.nan, np.float32)), "TIFF"),
)
_whole = encoded(picture(), "TIFF")
left_out("TIFF, half of it", "half.tif", _whole[: len(_whole) // 2], "damaged")
left_out(
    "TIFF with an unknown compression",
    "packed.tif",
    _whole.replace(struct.pack("<HHIH", 259, 3, 1, 1), struct.pack("<HHIH", 259, 3, 1, 65_000)),
    "damaged",
    "save it as PNG",
)
left_out("TIFF that points outside", "outside.tif", b"II*\0\xff\xff\xff\x7f" + bytes(40), "damaged", "save it as PNG")
_whole = encoded(picture(), "BMP")
left_out("BMP, half of it", "half.bmp", _whole[: len(_whole) // 2], "its end is missing")
left_out("GIF, header only", "header.gif", encoded(picture(), "GIF")[:20], "damaged")


def make_torture(directory: Path, classes: tuple[str, ...]) -> dict[str, str]:
    """Write every kind into the class folders in turn; returns the path of each, as manifest.csv and skipped.csv must
    have it. Kinds that this system can't have (no such names, no such files) are missing."""
    paths = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        label = classes[number % len(classes)]
        try:
            kind.make(directory / label)
        except (OSError, NotImplementedError, UnicodeError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        paths[name] = f"{label}/{kind.listed}"
    return paths
