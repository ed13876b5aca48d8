"""One photo file -> pixels. The only place where photos are decoded, so that training, the audit and an exported
model all see the same numbers. Stands alone on Pillow and numpy: a copy of this file travels with every export."""

import contextlib
import math
import os
import threading
import warnings
from pathlib import Path, PurePath

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError, features

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA")
"""What is opened, by Pillow's names. Pillow knows more, but some of that runs other programs (EPS: Ghostscript), and
some is told from random bytes by a hair (SPIDER, PCD)."""

RAW = {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2",
       ".srw"}  # fmt: skip
"""Extensions of what cameras store undeveloped. Many are TIFFs, and all that Pillow sees of them is a tiny preview."""

MARGIN = 256 / 224
"""Short side before the crop, as a multiple of image_size: resize to 256 and crop 224, scaled to other sizes.
Measured on clothing with a frozen network: .890 test accuracy, against .860 for squashing to a square."""

LARGEST = 178_956_970
"""Pixels in the largest photo that is opened: Pillow's limit against decompression bombs."""

LARGE = 30_000_000
"""Photos of more pixels are decoded one at a time, whatever the number of threads: one may take 20 bytes a pixel."""

_ONE_LARGE = threading.Lock()

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""What makes a photo of that orientation upright (EXIF 2.3, tag 0x0112)."""

LOCKED = "no permission to read it; change its permissions"
AS_JPEG = "can't be opened here; save it as JPEG"
NO_HEADER = "damaged (its header can't be read)"

NO_TEXT = "\N{REPLACEMENT CHARACTER}"
BEGINNING = 4096
"""Bytes that are looked at to say what a file is."""

_AVIF = bool(features.modules.get("avif")) and features.check("avif")

STARTS = (
    (4, b"ftyphei", f"a HEIC photo, which {AS_JPEG}"),
    (4, b"ftyphev", f"a HEIC photo, which {AS_JPEG}"),
    (4, b"ftypmif1", f"a HEIC photo, which {AS_JPEG}"),
    (4, b"ftypmsf1", f"a HEIC photo, which {AS_JPEG}"),
    (4, b"ftypavi", NO_HEADER if _AVIF else f"an AVIF photo, which {AS_JPEG}"),
    (4, b"ftyp", "not a photo: a video"),
    (8, b"AVI ", "not a photo: a video"),
    (0, b"\x1aE\xdf\xa3", "not a photo: a video"),
    (0, b"8BPS", f"a Photoshop file, which {AS_JPEG}"),
    (0, b"%!PS", f"a drawing (PostScript), which {AS_JPEG}"),
    (0, b"\xc5\xd0\xd3\xc6", f"a drawing (PostScript), which {AS_JPEG}"),
    (0, b"%PDF", "not a photo: a PDF document"),
    (0, b"PK\3\4", "not a photo: an archive or document (zip)"),
    (0, b"\x1f\x8b", "not a photo: an archive (gzip)"),
    (0, b"Rar!", "not a photo: an archive (rar)"),
    (0, b"7z\xbc\xaf", "not a photo: an archive (7z)"),
    (0, b"\xd0\xcf\x11\xe0", "not a photo: an Office document"),
    (0, b"MZ", "not a photo: a program"),
    (0, b"\xff\xd8", NO_HEADER),
    (0, b"\x89PNG", NO_HEADER),
    (0, b"GIF8", NO_HEADER),
    (8, b"WEBP", NO_HEADER),
    (0, b"II*\0", NO_HEADER),
    (0, b"MM\0*", NO_HEADER),
)
"""Where a file that can't be opened has which bytes, and what that makes it; the first that fits counts."""

ImageFile.LOAD_TRUNCATED_IMAGES = False
# Texts and colour profiles of more than 1 MiB are honest: image generators write their whole workflow into a PNG.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# Once and for all, for `warnings.catch_warnings` doesn't work in threads: what a photo lacks is said by its reason.
warnings.filterwarnings("ignore", module=r"PIL\b")


class UnreadablePhoto(ValueError):
    """The file is no photo that can be used; the message says why, in words for its owner, and after "; " what to do
    where that is known."""


def read_photo(path, at_least: int = 0) -> Image.Image:
    """The photo at `path` (or in a binary file object) as an upright 8-bit RGB image.

    EXIF orientation is applied; palette, grey, CMYK, 16-bit and floating-point images are converted; transparency
    is put on white; of an animation the first frame is taken. With `at_least` a JPEG may be decoded at a reduced
    scale, as long as both its sides stay at least that many pixels.
    Raises UnreadablePhoto for a file that can't be used.
    """
    try:
        if not hasattr(path, "read") and os.path.getsize(path) == 0:
            raise UnreadablePhoto("the file is empty")
        with _opened(path) as image:
            if image.width * image.height > LARGEST:
                raise Image.DecompressionBombError
            if image.format == "TIFF" and _suffix(path) in RAW:
                raise UnidentifiedImageError
            if at_least:
                image.draft(None, (at_least, at_least))
            with _ONE_LARGE if image.width * image.height > LARGE else contextlib.nullcontext():
                image.load()
                held = _held(image)
                return _rgb(image.transpose(TURN[held]) if held in TURN else image)
    except UnidentifiedImageError:
        raise UnreadablePhoto(_kind(path)) from None
    except Image.DecompressionBombError:
        raise UnreadablePhoto(
            f"too large to open safely (more than {LARGEST // 10**6} million pixels); save it smaller"
        ) from None
    except PermissionError:
        raise UnreadablePhoto(LOCKED) from None
    except MemoryError:
        raise UnreadablePhoto("not enough memory to open it") from None
    except FileNotFoundError:
        raise UnreadablePhoto("the file is gone") from None
    except UnreadablePhoto:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error, ValueError ...
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        words = "its end is missing" if "truncated" in words.lower() else words.splitlines()[0][:120]
        raise UnreadablePhoto(f"damaged ({words.replace(';', ',')})") from None


def _opened(path) -> Image.Image:
    Image.init()  # so that it is known which of the formats this Pillow has
    return Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN])


def _suffix(path) -> str:
    return "" if hasattr(path, "read") else PurePath(path).suffix.lower()


def _held(image: Image.Image) -> int:
    """How the camera was held, 1 (upright) to 8; 1 where EXIF is damaged, for that should cost nobody a photo."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - SyntaxError, struct.error, TypeError, ValueError, OverflowError ...
        return 1


def _kind(path) -> str:
    """What a file is that Pillow doesn't know, by its first bytes."""
    if _suffix(path) in RAW:
        return f"a camera RAW photo, which {AS_JPEG}"
    if hasattr(path, "read"):
        path.seek(0)
        start = path.read(BEGINNING)
    else:
        with open(path, "rb") as file:
            start = file.read(BEGINNING)
    for offset, signature, words in STARTS:
        if start[offset:].startswith(signature):
            return words
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html")):
        return "not a photo: a web page"
    if text.startswith((b"<svg", b"<?xml")):
        return f"a drawing (SVG or XML), which {AS_JPEG}"
    if not any(start):
        return "not a photo: nothing but zeros"
    letters = start.decode("utf-8", "replace").rstrip(NO_TEXT)  # the last one may be cut
    if all(letter != NO_TEXT and (letter.isprintable() or letter.isspace()) for letter in letters):
        return "not a photo: a text file"
    return "not a photo: no image format that can be read"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bits a channel: scale to 0..255
        values = np.array(image, dtype=np.float32)
        most = values.max(where=np.isfinite(values), initial=0)
        top = 1.0 if image.mode == "F" and most <= 1 else 255.0 if most <= 255 else 65535.0
        np.nan_to_num(values, copy=False, posinf=top, neginf=0)
        values *= 255 / top
        return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def short_side(image_size: int) -> int:
    """Pixels of the short side before the centre crop to `image_size`."""
    return round(image_size * MARGIN)


def centre_square(path, side: int) -> np.ndarray:
    """The photo's short side scaled to `side` and the long side cropped to its centre: uint8 RGB (side, side, 3).

    Raises UnreadablePhoto.
    """
    photo = read_photo(path, at_least=side)
    short = min(photo.size)
    left, top = ((length - short) / 2 for length in photo.size)
    # Across, then down, and only the rows that count: some versions of Pillow go down first in tall photos, which gives
    # other pixels, and an exported graph has to give these very ones.
    reach = math.ceil(2 * max(1, short / side))
    first, end = max(0, math.floor(top) - reach), min(photo.height, math.ceil(top + short) + reach)
    rows = photo.crop((0, first, photo.width, end))
    narrow = rows.resize((side, rows.height), Image.Resampling.BICUBIC, (left, 0, left + short, rows.height))
    box = (0, top - first, side, top - first + short)
    return np.asarray(narrow.resize((side, side), Image.Resampling.BICUBIC, box))


def crop_centre(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """The middle (..., image_size, image_size, 3) of pixels (..., side, side, 3)."""
    start = (pixels.shape[-3] - image_size) // 2
    return pixels[..., start : start + image_size, start : start + image_size, :]


def square(path, image_size: int) -> np.ndarray:
    """The photo as the networks see it: uint8 RGB (image_size, image_size, 3), the middle of its centre square.

    Raises UnreadablePhoto.
    """
    return crop_centre(centre_square(path, short_side(image_size)), image_size)


def scaled_size(width: int, height: int, image_size: int) -> tuple[int, int]:
    """Width and height of a photo whose longer side is scaled to image_size pixels."""
    scale = image_size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def scaled(path, image_size: int) -> np.ndarray:
    """The photo as detectors see it: upright, its longer side scaled to image_size, uint8 RGB (height, width, 3).

    Raises UnreadablePhoto.
    """
    width, height = scaled_size(*upright_size(path), image_size)  # not of the decoded one, whose sides are rounded
    image = read_photo(path, at_least=min(width, height))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def upright_size(path) -> tuple[int, int]:
    """Width and height in pixels, as a person sees the photo, from the file's header alone. Raises UnreadablePhoto."""
    try:
        with _opened(path) as image:
            # Pillow gives the size of a TIFF as it will be once it is turned
            turned = image.format != "TIFF" and _held(image) in (5, 6, 7, 8)
            return (image.height, image.width) if turned else image.size
    except Exception:  # noqa: BLE001 - decoders raise errors of many kinds; the full decoding says in words which
        read_photo(path)
        raise UnreadablePhoto("its header is damaged") from None


def photos_in(paths) -> list[str]:
    """`paths` with every folder replaced by what has a photo's extension in it and below it, in order of name."""
    known, found = Image.registered_extensions(), []
    for path in paths:
        inside = sorted(p for p in Path(path).rglob("*") if p.is_file() and not p.name.startswith("."))
        found += [str(p) for p in inside if p.suffix.lower() in known] if os.path.isdir(path) else [str(path)]
    return found
