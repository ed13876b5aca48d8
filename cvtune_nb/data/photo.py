"""One photo file -> pixels. The only place where photos are decoded, so that training, the audit and an exported
model all see the same numbers. Stands alone on Pillow and numpy: a copy of this file travels with every export."""

import os
import warnings

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

MARGIN = 256 / 224
"""Short side before the crop, as a multiple of image_size: resize to 256 and crop 224, scaled to other sizes.
Measured on clothing with a frozen network: .890 test accuracy, against .860 for squashing to a square."""

LARGEST = 178_956_970
"""Pixels in the largest photo that is opened: Pillow's limit against decompression bombs."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

ImageFile.LOAD_TRUNCATED_IMAGES = False


class UnreadablePhoto(ValueError):
    """The file is no photo that can be used; the message says why, in words for its owner."""


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if image.width * image.height > LARGEST:
                    raise UnreadablePhoto(f"too large to open safely ({image.width} x {image.height} pixels)")
                if at_least:
                    image.draft(None, (at_least, at_least))
                image.load()
                return _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise UnreadablePhoto(f"not a photo: {_kind(path)}") from None
    except Image.DecompressionBombError:
        raise UnreadablePhoto("too large to open safely (a decompression bomb?)") from None
    except PermissionError:
        raise UnreadablePhoto("no permission to read it") from None
    except MemoryError:
        raise UnreadablePhoto("not enough memory to open it") from None
    except FileNotFoundError:
        raise UnreadablePhoto("the file is gone") from None
    except UnreadablePhoto:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error, ValueError ...
        words = str(error) or type(error).__name__
        raise UnreadablePhoto(f"damaged ({words.splitlines()[0][:120]})") from None


def _kind(path) -> str:
    """A guess in words at what a file is that Pillow doesn't know."""
    if hasattr(path, "read"):
        return "no image format that can be read"
    with open(path, "rb") as file:
        start = file.read(64)
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheim"):
        return "HEIC; save it as JPEG first"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    if start.lstrip().lower().startswith((b"<svg", b"<?xml")):
        return "a drawing (SVG or XML)"
    if start.startswith(b"%PDF"):
        return "a PDF document"
    if start.startswith(b"PK"):
        return "a zip archive or document"
    return "no image format that can be read"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bits a channel: scale to 0..255
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = 1.0 if image.mode == "F" and values.max() <= 1 else 255.0 if values.max() <= 255 else 65535.0
        return Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def short_side(image_size: int) -> int:
    """Pixels of the short side before the centre crop to `image_size`."""
    return round(image_size * MARGIN)


def centre_square(path, side: int) -> np.ndarray:
    """The photo's short side scaled to `side` and the long side cropped to its centre: uint8 RGB (side, side, 3).

    Raises UnreadablePhoto.
    """
    return np.asarray(ImageOps.fit(read_photo(path, at_least=side), (side, side), Image.Resampling.BICUBIC))


def crop_centre(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """The middle (..., image_size, image_size, 3) of pixels (..., side, side, 3)."""
    start = (pixels.shape[-3] - image_size) // 2
    return pixels[..., start : start + image_size, start : start + image_size, :]


def square(path, image_size: int) -> np.ndarray:
    """The photo as the networks see it: uint8 RGB (image_size, image_size, 3), the middle of its centre square.

    Raises UnreadablePhoto.
    """
    return crop_centre(centre_square(path, short_side(image_size)), image_size)


def upright_size(path) -> tuple[int, int]:
    """Width and height in pixels, as a person sees the photo, from the file's header alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            # Pillow gives the size of a TIFF as it will be once it is turned
            turned = image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
            return (image.height, image.width) if turned else image.size
