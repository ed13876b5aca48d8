"""Something else, called a photo."""

import json
import zlib

import numpy as np
from PIL import Image

from tests.torture.kinds import AS_JPEG, encoded, left_out, picture


def box(brand: bytes) -> bytes:
    """The start of a file of the MP4 family, which HEIC, AVIF and CR3 belong to."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(80)


NOISE = np.random.default_rng(3).integers(0, 256, 5000, np.uint8).tobytes()
left_out("empty file", "empty.jpg", b"", "the file is empty")
left_out("nothing but zeros", "zeros.jpg", bytes(5000), "nothing but zeros")
left_out("random bytes", "random.jpg", NOISE, "not a photo")
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
left_out("HEIC without a photo", "iphone.heic", box(b"heic"), "a HEIC photo that is damaged")
left_out("HEIC without a photo, called JPEG", "iphone.jpg", box(b"heix"), "a HEIC photo that is damaged")
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
    + NOISE,
    "no image format",
)
left_out("HDF5", "table.jpg", b"\x89HDF\r\n\x1a\n" + bytes(80), "no image format")

_eps = encoded(picture(), "EPS")
left_out("EPS", "figure.eps", _eps, "a drawing", AS_JPEG)
left_out("EPS called JPEG", "figure.jpg", _eps, "a drawing", AS_JPEG)


def tiff_with(tags: dict[int, int], image: Image.Image | None = None) -> bytes:
    """A TIFF with these tags as well."""
    return encoded(image or picture(), "TIFF", tiffinfo=tags)


left_out("RAW, Nikon", "dsc_0001.NEF", tiff_with({254: 1, 330: 8}), "camera RAW", AS_JPEG)
left_out("RAW, Adobe", "img.dng", tiff_with({254: 1, 50706: 1}), "camera RAW", AS_JPEG)
left_out("RAW, Canon", "img_0001.CR2", b"II*\0\x10\0\0\0CR\2\0" + bytes(80), "camera RAW", AS_JPEG)
left_out("RAW, newer Canon", "img_0009.cr3", box(b"crx "), "camera RAW", AS_JPEG)
left_out("JPEG XL", "next.jxl", b"\xff\x0a" + bytes(60), "a JPEG XL photo", AS_JPEG)
left_out("JPEG XL in a box", "next.jpg", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "a JPEG XL photo", AS_JPEG)
left_out("RAW, Fuji", "dscf0001.raf", b"FUJIFILMCCD-RAW 0201" + bytes(80), "camera RAW", AS_JPEG)
