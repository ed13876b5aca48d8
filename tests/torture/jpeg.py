"""JPEG, whole and broken, and how the camera was held (EXIF)."""

import struct

from PIL import Image

from tests.torture.kinds import LOSSY, SIDE, jpeg, left_out, picture, read, read_as
from tests.torture.not_photos import NOISE

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
    ("JPEG and garbage", "garbage.jpg", lambda data: data + NOISE),
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
read_as("JPEG with a huge ICC profile", "huge-icc.jpg", "JPEG", close=LOSSY, icc_profile=NOISE * 600)
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
    ("EXIF that is garbage", "exif-garbage.jpg", b"Exif\0\0" + NOISE[:500], 1),
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
