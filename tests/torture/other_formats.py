"""GIF, TIFF, BMP, TGA, PPM, ICO, WebP, JPEG 2000, AVIF, HEIC, camera RAW, DICOM, and other colours."""

import struct

import numpy as np
from PIL import Image, features

from tests.file_types import HEIC, SRGB, bands_tiff, dicom, heic_shows, in_p3, profile, raw
from tests.torture.kinds import LOSSY, SIDE, encoded, jpeg, left_out, picture, read, read_as
from tests.torture.png import flat

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

read("HEIC, turned", "IMG_0001.HEIC", heic_shows(), HEIC, close=LOSSY)
read("HEIC called JPEG", "IMG_0002.jpg", heic_shows(), HEIC + b"\0\0\0\x08free", close=LOSSY)
left_out("HEIC, half of it", "half.heic", HEIC[: len(HEIC) // 2], "a HEIC photo that is damaged")
_large = picture().resize((1280, 960))
read("RAW with a preview", "dsc_0002.nef", _large, raw(_large), close=LOSSY)
_turned = picture().resize((960, 1280))
read("RAW with a preview, turned", "dsc_0003.ARW", _turned, raw(_turned.transpose(Image.Transpose.ROTATE_90), 6), LOSSY)
_values = np.asarray(picture().convert("L"), np.uint16)
_shown = Image.fromarray(_values.astype(np.uint8)).convert("RGB")
_window = {"WindowCenter": 2040.5, "WindowWidth": 4081}
read("DICOM with a window", "slice.dcm", _shown, dicom(_values * 16, bits=12, **_window))
_values = np.asarray(picture().convert("L"), np.uint16)
_shown = Image.fromarray(255 - _values.astype(np.uint8)).convert("RGB")
read("DICOM without an extension", "I0000001", _shown, dicom(_values * 16, "MONOCHROME1", 12, **_window))
left_out(
    "DICOM of several images",
    "film.dcm",
    dicom(np.zeros((8, 4), np.uint16), NumberOfFrames=2, Rows=4),
    "2 images",
    "save those",
)
left_out("TIFF of bands that nobody chose", "s2.tif", bands_tiff(np.zeros((9, 9, 5), np.uint16)), "5 bands", "--bands")
_picture = picture()
read("JPEG in Display P3", "p3.jpg", _picture, jpeg(in_p3(_picture), icc_profile=profile("P3")), close=LOSSY)
_picture = picture()
read(
    "JPEG with sRGB as a profile", "srgb.jpg", _picture, jpeg(_picture, icc_profile=profile("sRGB", SRGB)), close=LOSSY
)
_picture = picture()
read("JPEG with a damaged profile", "profile.jpg", _picture, jpeg(_picture, icc_profile=b"none" * 60), close=LOSSY)
