"""One photo file -> pixels: the only place where photos are decoded.

Training, the audit and an exported model all see the same numbers. Stands alone on Pillow, numpy, and
file_types.py and colour_spaces.py beside it: a copy of all three travels with every export.
"""

import contextlib
import logging
import math
import os
import runpy
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError, features

_names = ("colour_spaces.py", "file_types.py")
_modules = (SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(name)))) for name in _names)
colour_spaces: Any
file_types: Any
colour_spaces, file_types = _modules

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA")
"""What is opened, by Pillow's names. Pillow knows more, but some of that runs other programs (EPS: Ghostscript), and
some is told from random bytes by a hair (SPIDER, PCD)."""

MARGIN = 256 / 224
"""Short side before the crop, as a multiple of image_size: resize to 256 and crop 224, scaled to other sizes.
Better than squashing photos to a square: docs/measurements.md, "Centre crop or squashed square"."""

LARGEST = 178_956_970
"""Pixels in the largest photo that is opened: Pillow's limit against decompression bombs."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo of that orientation upright (EXIF 2.3, tag 0x0112)."""

LYING = (5, 6, 7, 8)
"""Orientations in which height and width are stored the other way round."""

File = str | os.PathLike[str] | IO[bytes]
"""A photo: its path, or the open file."""

Levels = tuple[float, ...]
"""Which stored values of a photo of more than 8 bits a channel are shown black and white; then, where they were chosen,
which three bands of a TIFF of many are shown red, green and blue, counted from 1. They belong to a data set, not to a
photo: what is brighter than its neighbour stays brighter."""

Size = int | tuple[int, int]
"""Pixels of a square's side; of what is no square, its height and width."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

BLACK: Colour = (0, 0, 0)

FRAMINGS = ("crop", "whole", "squash")
"""Ways to make a square, or another shape, of a photo: as much of its middle as has that shape is cut out and scaled;
all of it is scaled until it fits, and the rest has one colour; both sides are scaled to the shape."""

FULL: Levels = (0, 0)
"""Levels that stand for what the file type can hold: 0 is black, white is 65535 for whole numbers and 1 for
floating-point ones."""

NOTHING = 1e30
"""Floating-point values from here on, in either direction, mark pixels that hold nothing, as NaN and infinity do."""


DARK = 15
"""From so many times darker than need be a photo is said to be nearly black: 12 bits where 16 are expected."""

BITS, PLANES, NODATA = 258, 284, 42113
"""TIFF tags: bits of each channel; 2 where each channel is stored by itself; the value of pixels that hold nothing."""

LOCKED = "no permission to read it; change its permissions"
AS_JPEG = "can't be opened here; save it as JPEG"
NO_HEADER = "damaged (its header can't be read)"
NO_TIFF = "damaged, or a kind of TIFF that can't be opened here; save it as PNG"

NO_TEXT = "\N{REPLACEMENT CHARACTER}"
BEGINNING = 4096
"""Bytes that are looked at to say what a file is."""

_AVIF = bool(features.modules.get("avif")) and features.check("avif")

STARTS = (
    (0, b"\xff\x0a", f"a JPEG XL photo, which {AS_JPEG}"),
    (4, b"JXL \r\n", f"a JPEG XL photo, which {AS_JPEG}"),
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
    (0, b"II*\0", NO_TIFF),
    (0, b"MM\0*", NO_TIFF),
)
"""Where a file that can't be opened has which bytes, and what that makes it; the first that fits counts."""

ImageFile.LOAD_TRUNCATED_IMAGES = False
# Texts and colour profiles of more than 1 MiB are honest: image generators write their whole workflow into a PNG.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# Once and for all, for `warnings.catch_warnings` doesn't work in threads: what a photo lacks is said by its reason.
warnings.filterwarnings("ignore", module=r"PIL\b")
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class UnreadablePhoto(ValueError):
    """The file is no photo that can be used.

    The message says why, in words for its owner, and after "; " what to do where that is known.
    """


def both(size: Size) -> tuple[int, int]:
    """Height and width; of a list, as JSON has them, too."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def as_size(height: int, width: int) -> Size:
    """The other way round: one number where both are the same."""
    return height if height == width else (height, width)


def read_photo(path: File, at_least: Size = 0, levels: Levels = FULL) -> Image.Image:
    """The photo at `path` as an upright 8-bit RGB image.

    EXIF orientation is applied; palette, grey, CMYK, 16-bit and floating-point images are converted, and so are colours
    with an embedded profile that is not sRGB; transparency is put on white; of an animation the first frame is taken,
    of camera RAW the preview.

    Parameters
    ----------
    path
        A path, or a binary file object.
    at_least
        A JPEG may be decoded at a reduced scale, as long as both its sides stay at least so many pixels; 0: whole.
    levels
        Which stored values are shown black and white, of photos of more than 8 bits a channel.

    Raises
    ------
    UnreadablePhoto
        For a file that can't be used.
    """
    with _readable(path), _opened(path, levels) as image:
        _require_usable(image)
        if at_least and isinstance(image, Image.Image):
            height, width = both(at_least)
            if height != width and image.format in ("JPEG", "MPO") and _held(image) in LYING:
                height, width = width, height
            image.draft(None, (width, height))
        with file_types.in_turn(image.width * image.height):
            if _needs_levels(image, levels):
                shown = _eight_bits(image, path, levels)
            else:
                image.load()
                shown = image
            held = _held(image)
            return _rgb(shown.transpose(TURN[held]) if held in TURN else shown, colour_spaces.profile_of(image, path))


def value_range(path: File, levels: Levels = FULL) -> tuple[bool, float, float]:
    """Whether a high-depth photo's values are floating-point ones, the lowest of them and the highest.

    For photos of more than 8 bits a channel. Pixels that hold nothing don't count; 0 and 0 where none holds anything.
    Of the levels only the bands matter. Raises UnreadablePhoto.
    """
    with _readable(path), _opened(path, levels) as image:
        _require_usable(image)
        with file_types.in_turn(image.width * image.height):
            floating = _is_floating(image)
            transparent = isinstance(image, Image.Image) and image.mode in ("LA", "RGBA")
            values = _values(image, path)
    values = values[..., :-1] if transparent else values
    there = np.abs(values) < NOTHING  # false for NaN
    if not there.any():
        return floating, 0.0, 0.0
    lowest, highest = values.min(where=there, initial=np.inf), values.max(where=there, initial=-np.inf)
    return floating, float(lowest), float(highest)


def doubt(path: File, levels: Levels) -> str:
    """What may be wrong with showing a readable photo with `levels`, in words; "" for all of 8 bits a channel."""
    with _readable(path), _opened(path, levels) as image:
        if not _is_deep(image):
            return ""
    floating, lowest, highest = value_range(path, levels)
    black, white = levels[:2] if levels[:2] != FULL else (0, 1 if floating else 65535)
    if highest > white or lowest < black:
        return f"its values, {lowest:g} to {highest:g}, are cut off at {black:g} and {white:g}"
    if 0 < highest - black < (white - black) / DARK:
        return f"its values reach {highest:g} where {white:g} is white, so it is nearly black"
    return ""


def _require_usable(image: Any) -> None:
    if image.width * image.height > LARGEST:
        raise Image.DecompressionBombError


@contextlib.contextmanager
def _readable(path: File) -> Iterator[None]:
    """Within it, whatever goes wrong with the file is raised as UnreadablePhoto."""
    try:
        if isinstance(path, str | os.PathLike) and os.path.getsize(path) == 0:
            raise UnreadablePhoto("the file is empty")
        yield
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
    except file_types.RefusedFile as error:
        raise UnreadablePhoto(str(error)) from None
    except Exception as error:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error, ValueError ...
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        words = "its end is missing" if "truncated" in words.lower() else words.splitlines()[0][:120]
        raise UnreadablePhoto(f"damaged ({words.replace(';', ',')})") from None


def _opened(path: File, levels: Levels = FULL) -> Any:
    """The open image, as Pillow has it, or a file_types.Stored. Of the levels only the bands matter."""
    Image.init()  # so that it is known which of the formats this Pillow has
    bands = [int(band) for band in levels[2:]]
    try:
        image = Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN])
    except UnidentifiedImageError:
        other = file_types.opened(path, bands)
        if other is None:
            raise
        return other
    if image.format == "TIFF":
        image.filename = ""  # or Pillow may map it into memory, and scramble it where it is to be turned
        return file_types.instead(image, path, bands) or image
    return image


def _held(image: Any) -> int:
    """How the camera was held, 1 (upright) to 8; 1 where EXIF is damaged, for that should cost nobody a photo."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - SyntaxError, struct.error, TypeError, ValueError, OverflowError ...
        return 1


def _kind(path: File) -> str:
    """What a file is that nobody knows, by its first bytes."""
    if isinstance(path, str | os.PathLike):
        with open(path, "rb") as file:
            start = file.read(BEGINNING)
    else:
        path.seek(0)
        start = path.read(BEGINNING)
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


def _rgb(image: Image.Image, profile: bytes | None = None) -> Image.Image:
    """An 8-bit image as RGB; its colours are converted to sRGB where its profile is another."""
    mode = colour_spaces.mode_of(image)
    if mode == "CMYK" and profile and (transform := colour_spaces.to_srgb(profile, mode)):
        return ImageCms.applyTransform(image, transform) or image
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        image = white
    elif image.mode != "RGB":
        image = image.convert("RGB")
    if mode != "CMYK" and profile and (transform := colour_spaces.to_srgb(profile, mode)):
        return ImageCms.applyTransform(image if mode == "RGB" else image.getchannel(0), transform) or image
    return image


def colours(path: File, levels: Levels = FULL) -> tuple[str, str]:
    """What colours a photo is stored in, "grey", "colour" or "CMYK", and what they are called where that is not sRGB.

    As colour_spaces.name_of has it. From the file's header. Of the levels only the bands matter. Raises
    UnreadablePhoto.
    """
    with _readable(path), _opened(path, levels) as image:
        words = {"L": "grey", "RGB": "colour", "CMYK": "CMYK"}[colour_spaces.mode_of(image)]
        return words, colour_spaces.name_of(image, path)


# -- more than 8 bits a channel -----------------------------------------------------------------------------------


def _is_stored(image: Any) -> bool:
    """Whether it was no Pillow that opened it, and its values are there."""
    return isinstance(image, file_types.Stored)


def _is_grey(image: Any) -> bool:
    """Whether Pillow gives the stored values themselves: one channel of 16 or 32 bits, or of floating-point values."""
    if _is_stored(image):
        return image.values.ndim == 2
    return image.mode.startswith("I") or image.mode == "F"


def _is_floating(image: Any) -> bool:
    """Whether the stored values are floating-point ones."""
    return image.floating if _is_stored(image) else image.mode == "F"


def _tags(image: ImageFile.ImageFile) -> Any:
    """The tags of a TIFF file (PIL.TiffImagePlugin.ImageFileDirectory_v2); {} of other files."""
    return getattr(image, "tag_v2", {})


def _is_deep(image: Any) -> bool:
    """Whether an image that was opened and not loaded yet has more than 8 bits a channel.

    One whose header names the value that is white, as PGM files do, has none to spare: Pillow scales it by that.
    """
    if _is_stored(image):
        return True
    if image.format == "PPM" and image.tile[0].codec_name != "raw":
        return image.tile[0].args == ("RGB", 65535)
    return _is_grey(image) or _byte_modes(image) is not None


def _needs_levels(image: Any, levels: Levels) -> bool:
    """Whether Pillow's own 8 bits won't do.

    It keeps the high byte of 16-bit colours, which is their full range, and mistakes the planes of an uncompressed TIFF
    for 8-bit ones.
    """
    if _is_stored(image):
        return True
    planes = image.format == "TIFF" and image.tile[0].codec_name == "raw" and _tags(image).get(PLANES) == 2
    return _is_grey(image) or ((levels[:2] != FULL or planes) and _is_deep(image))


def _eight_bits(image: Any, path: File, levels: Levels) -> Image.Image:
    """A high-depth image with `levels` as 8 bits a channel."""
    floating = _is_floating(image)
    if _is_stored(image):
        inverted, mode = image.inverted, "L" if _is_grey(image) else "RGB"
    else:
        inverted = _is_grey(image) and _tags(image).get(262) == 0  # 0 is white in the file
        mode = "L" if _is_grey(image) else image.mode.replace("LA", "RGBA")
    black, white = levels[:2] if _is_deep(image) else FULL
    values = _values(image, path)
    if (black, white) == FULL or not white > black:
        black, white = 0.0, 1.0 if floating else 65535.0
        if floating and (most := values.max(where=np.abs(values) < NOTHING, initial=0)) > 1:
            raise UnreadablePhoto(
                f"floating-point values up to {most:.4g}, and nothing says which is white; save it with values from 0 "
                "to 1, or as 8 bits"
            )
    np.nan_to_num(values, copy=False, nan=white if inverted else black, posinf=white, neginf=black)
    if mode == "RGBA":
        values[..., -1] += black  # how opaque it is has no black
    np.clip(values, black, white, out=values)
    if black:
        values -= black
    values *= 255 / (white - black)
    shown = np.rint(values).astype(np.uint8)
    return Image.frombytes(mode, shown.shape[1::-1], (255 - shown if inverted else shown).tobytes())


def _values(image: Any, path: File) -> np.ndarray:
    """The stored values of a high-depth image: float32 (height, width), or (height, width, channels)."""
    if _is_stored(image):
        return image.values.copy()
    if not _is_grey(image):
        high, low = (_byte(path, place) for place in (0, 1))
        values = high.astype(np.float32)
        values *= 256
        values += low
        return values
    tags = _tags(image)
    image.load()
    values = np.array(image)
    if values.dtype == np.int32 and tags.get(BITS) == (32,) and tags.get(339, (1,)) == (1,):
        values = values.view(np.uint32)  # Pillow knows signed ones only
    values = values.astype(np.float32)
    with contextlib.suppress(ValueError):
        values[values == np.float32(str(tags.get(NODATA, "")).strip("\0 "))] = np.nan
    return values


def _byte(path: File, place: int) -> np.ndarray:
    """The high (place 0) or the low (1) byte of each channel of a 16-bit image, uint8 (height, width, channels).

    Pillow gives one of them, so the file is decoded once for each.
    """
    with _opened(path) as image:
        modes = _byte_modes(image) or []
        if image.tile[0].args in ("LA;16B", ("LA;16B",)):
            image._mode = "RGBA"  # the four bytes of a pixel: high and low of grey, high and low of how opaque it is
        image.tile = [
            tile._replace(codec_name="raw", args=(mode[place], 0, 1))
            if image.format == "PPM"
            else tile._replace(
                args=mode[place] if isinstance(tile.args, str) else (mode[place], *(tile.args or ())[1:])
            )
            for tile, mode in zip(image.tile, modes, strict=True)
        ]
        image.load()
        found = np.asarray(image)
        return found[..., [place, place, place, 2 + place]] if modes[0] == ("RGBA", "RGBA") else found


def _byte_modes(image: ImageFile.ImageFile) -> list[tuple[str, str]] | None:
    """Pillow's raw modes that give the high and the low byte of a 16-bit colour image, for each of its tiles.

    None for other images. Where there is no mode for the low byte, that of the high one stands in for it.
    """
    if image.format == "PPM":
        return [("RGB;16B", "RGB;16L")] if image.tile[0].args == ("RGB", 65535) else None
    tags, modes = _tags(image), list[tuple[str, str]]()
    separate = tags.get(PLANES) == 2
    if image.format not in ("PNG", "TIFF") or _is_grey(image):
        return None
    for tile in image.tile:
        raw = tile.args if isinstance(tile.args, str) else (tile.args or ("",))[0]
        if separate and tile.codec_name == "raw" and 16 in tags.get(BITS, ()):
            raw += ";16B" if tags.prefix == b"MM" else ";16L"
        name, _, depth = raw.partition(";")
        if depth not in ("16B", "16L", "16N"):
            return None
        high = {"16N": "16L" if sys.byteorder == "little" else "16B"}.get(depth, depth)
        low = "16B" if high == "16L" else "16L"
        if name == "LA":
            modes.append(("RGBA", "RGBA"))
        elif separate and tile.codec_name != "raw":
            modes.append((raw, raw))
        else:
            name = name.upper()  # colours that are multiplied by how opaque they are (RGBa) are taken as they are
            modes.append((f"{name};{high}", f"{name};{low}"))
    return modes or None


def short_side(image_size: int) -> int:
    """Pixels of the short side before the centre crop to `image_size`."""
    return round(image_size * MARGIN)


def centre_square(path: File, side: Size, levels: Levels = FULL) -> np.ndarray:
    """The middle of a photo, as much of it as has the shape asked for.

    Parameters
    ----------
    path
        A path, or a binary file object.
    side
        Pixels of the result.
    levels
        Which stored values are shown black and white, of photos of more than 8 bits a channel.

    Returns
    -------
    array
        uint8 RGB (height, width, 3).

    Raises
    ------
    UnreadablePhoto
        For a file that can't be used.
    """
    photo, (height, width) = read_photo(path, side, levels), both(side)
    # whole pixels: Pillow keeps the box as 32-bit numbers, and an exported graph has to find the same one
    across = min(photo.width, max(1, round(photo.height * width / height)))
    down = min(photo.height, max(1, round(photo.width * height / width)))
    left, top = (photo.width - across) / 2, (photo.height - down) / 2
    reach = math.ceil(2 * max(1, down / height))  # only the rows that count
    first, end = max(0, math.floor(top) - reach), min(photo.height, math.ceil(top + down) + reach)
    rows = photo.crop((0, first, photo.width, end))
    return _resized(rows, (width, height), (left, top - first, left + across, top - first + down))


def framed(path: File, side: Size, framing: str, padding: Colour, levels: Levels = FULL) -> np.ndarray:
    """A photo in one of FRAMINGS, with the colour `padding` around one that is whole; else as `centre_square`."""
    if framing == "crop":
        return centre_square(path, side, levels)
    photo, (height, width) = read_photo(path, side, levels), both(side)
    size = (width, height) if framing == "squash" else scaled_size(*photo.size, side)
    return padded(_resized(photo, size, (0, 0, *photo.size)), side, padding)


def padded(pixels: np.ndarray, side: Size, padding: Colour) -> np.ndarray:
    """Pixels (height, width, 3) in the middle of one colour, uint8 RGB of the size `side`."""
    around = np.full((*both(side), 3), padding, np.uint8)
    top, left = ((whole - length) // 2 for whole, length in zip(around.shape[:2], pixels.shape[:2], strict=True))
    around[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return around


def _resized(photo: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """What lies in `box` (left, top, right, bottom) scaled to `size` (width, height).

    Across, then down: some versions of Pillow go down first in tall photos, which gives other pixels, and an exported
    graph has to give these very ones.
    """
    left, top, right, bottom = box
    narrow = photo.resize((size[0], photo.height), Image.Resampling.BICUBIC, (left, 0, right, photo.height))
    return np.asarray(narrow.resize(size, Image.Resampling.BICUBIC, (0, top, size[0], bottom)))


def crop_centre(pixels: np.ndarray, image_size: Size) -> np.ndarray:
    """The middle of pixels (..., height, width, 3), of the size asked for."""
    height, width = both(image_size)
    top, left = (pixels.shape[-3] - height) // 2, (pixels.shape[-2] - width) // 2
    return pixels[..., top : top + height, left : left + width, :]


def scaled_size(width: int, height: int, image_size: Size) -> tuple[int, int]:
    """Width and height of a photo that is scaled until it fits: its longer side to image_size pixels."""
    down, across = both(image_size)
    scale = min(across / width, down / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def scaled(path: File, image_size: int, levels: Levels = FULL) -> np.ndarray:
    """The photo as detectors see it: upright, its longer side scaled to image_size.

    Parameters
    ----------
    path
        A path, or a binary file object.
    image_size
        Pixels.
    levels
        Which stored values are shown black and white, of photos of more than 8 bits a channel.

    Returns
    -------
    array
        uint8 RGB (height, width, 3).

    Raises
    ------
    UnreadablePhoto
        For a file that can't be used.
    """
    width, height = scaled_size(
        *upright_size(path, levels), image_size
    )  # not of the decoded one, whose sides are rounded
    image = read_photo(path, min(width, height), levels)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def upright_size(path: File, levels: Levels = FULL) -> tuple[int, int]:
    """Width and height in pixels, as a person sees the photo, from the file's header alone. Raises UnreadablePhoto."""
    return header(path, levels)[:2]


def header(path: File, levels: Levels = FULL) -> tuple[int, int, bool]:
    """Width and height as a person sees the photo, in pixels, and whether it has more than 8 bits a channel.

    From the file's header alone. Of the levels only the bands matter. Raises UnreadablePhoto.
    """
    try:
        with _opened(path, levels) as image:
            deep = _is_deep(image)  # before EXIF, for which a PNG is decoded
            # Pillow gives the size of a TIFF as it will be once it is turned
            turned = image.format != "TIFF" and _held(image) in LYING
            width, height = image.size[::-1] if turned else image.size
            return width, height, deep
    except Exception:  # noqa: BLE001 - decoders raise errors of many kinds; the full decoding says in words which
        read_photo(path, levels=levels)
        raise UnreadablePhoto("its header is damaged") from None


def taken(path: File) -> tuple[str, str]:
    """The camera (make, model, serial number) and the time a photo was taken (EXIF's form), "" where it says neither.

    The time is YYYY:MM:DD HH:MM:SS, with as many digits of the second's fraction as the camera has written.
    """
    try:
        with _opened(path) as image:
            exif = image.getexif()
            inner = exif.get_ifd(ExifTags.IFD.Exif)
        names = exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model), inner.get(ExifTags.Base.BodySerialNumber)
        camera = " ".join(str(name).strip(" \0") for name in names if name)
        time = str(inner.get(ExifTags.Base.DateTimeOriginal) or "").strip(" \0")
        fraction = str(inner.get(ExifTags.Base.SubsecTimeOriginal) or "").strip(" \0")
        return camera, f"{time}.{fraction}" if time and fraction.isdigit() else time
    except Exception:  # noqa: BLE001 - as in _held: damaged EXIF costs nobody a photo
        return "", ""
