"""Which colours a photo is stored in, and how they become sRGB.

Stands alone on Pillow and numpy: a copy travels with every export, beside photo.py.
"""

import functools
import io
import os
import struct
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from PIL import Image, ImageCms

PROFILE = "icc_profile"
"""Where Pillow has the colour profile of an image."""

SAME_COLOUR = 3
"""Of 255: a profile that moves no colour by more than this is one of the many of sRGB, and nothing is converted."""

NO_PROFILE = "a damaged profile, or one for other colours"
HDR = "the brightness of HDR (PQ or HLG), which is not converted"
TOLD = " (without a profile)"
"""Behind the name of colours that a file tells by a number alone."""

BEGINNING = 65_536
"""Bytes of a HEIC or AVIF file in which it says what its colours are; the pixels lie behind."""

P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
BT_2020 = ((0.67348, 0.27904, -0.00194), (0.16567, 0.67535, 0.02998), (0.12505, 0.04561, 0.79689))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Red, green and blue in XYZ under D50, as ICC profiles have them."""

PRIMARIES = {9: ("BT.2020", BT_2020), 12: ("Display P3", P3)}
"""Colours other than sRGB by their number in a colr box (ITU-T H.273, colour primaries)."""
HDR_CURVES = (16, 18)
"""PQ and HLG (ITU-T H.273, transfer characteristics)."""
EXIF_PHOTO, EXIF_COLOURS, EXIF_INTEROP = 0x8769, 0xA001, 0xA005
"""EXIF: the tags of the photo; its colour space, 65535 where it is not sRGB; the tags that then say which."""


def mode_of(image: Any) -> str:
    """Which colours the profile of an image is about: "CMYK", "L" (grey) or "RGB"."""
    mode = getattr(image, "mode", "RGB" if getattr(image, "values", np.empty(0)).ndim == 3 else "L")
    return "CMYK" if mode == "CMYK" else "L" if mode[0] in "1LIF" and mode != "LAB" else "RGB"


def profile_of(image: Any, file: str | os.PathLike[str] | IO[bytes]) -> bytes | None:
    """The ICC profile of an open image: the embedded one, else one made from what its file says; None for sRGB."""
    if embedded := image.info.get(PROFILE):
        return embedded
    form = getattr(image, "format", "")
    if form in ("AVIF", "HEIF"):
        name, primaries = PRIMARIES.get(_colr(file)[0], ("", ()))
        return _made(name + TOLD, primaries) if name and _colr(file)[1] not in HDR_CURVES else None
    if (
        form in ("JPEG", "MPO")
        and mode_of(image) == "RGB"
        and b"R03" in image.info.get("exif", b"")
        and _is_adobe(image)
    ):
        return _made("Adobe RGB" + TOLD, ADOBE, 563 / 256)
    return None


def name_of(image: Any, file: str | os.PathLike[str] | IO[bytes]) -> str:
    """What colours an open image is stored in: "" for sRGB; NO_PROFILE or HDR where they can't be converted to it."""
    mode, profile = mode_of(image), profile_of(image, file)
    if not profile:
        return HDR if getattr(image, "format", "") in ("AVIF", "HEIF") and _colr(file)[1] in HDR_CURVES else ""
    try:
        own: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        fits = own.profile.xcolor_space.strip() == {"L": "GRAY"}.get(mode, mode)
        name = ImageCms.getProfileDescription(own).strip() if fits else NO_PROFILE
    except (ImageCms.PyCMSError, OSError, ValueError):
        return NO_PROFILE
    return name if not fits or to_srgb(profile, mode) else ""


@functools.lru_cache(maxsize=64)
def to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What converts 8-bit colours of `mode` with this profile to sRGB; None where they are sRGB already.

    Nothing is converted by a profile that is damaged, or of other colours than the image has.
    """
    try:
        own: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if own.profile.xcolor_space.strip() != {"L": "GRAY"}.get(mode, mode):
            return None
        transform = ImageCms.buildTransform(
            own,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "CMYK":
        return transform
    steps = np.linspace(0, 255, 256 if mode == "L" else 9).round().astype(np.uint8)
    colours = steps[None] if mode == "L" else np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    shown = ImageCms.applyTransform(Image.fromarray(colours), transform)
    same = colours[..., None] if mode == "L" else colours
    return transform if np.abs(np.asarray(shown, int) - same).max() > SAME_COLOUR else None


def _colr(file: str | os.PathLike[str] | IO[bytes]) -> tuple[int, int]:
    """Colour primaries and transfer characteristics of a HEIC or AVIF file; 2, unspecified, where it has none."""
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            start = opened.read(BEGINNING)
    else:
        place = file.tell()
        file.seek(0)
        start = file.read(BEGINNING)
        file.seek(place)
    at = start.find(b"colrnclx") + 8
    return struct.unpack(">HH", start[at : at + 4]) if at >= 8 and len(start) >= at + 4 else (2, 2)


def _is_adobe(image: Any) -> bool:
    """Whether EXIF says that a photo has the colours of Adobe RGB (DCF option file, R03)."""
    try:
        exif = image.getexif()
        told = exif.get_ifd(EXIF_PHOTO).get(EXIF_COLOURS) == 65535
        return told and str(exif.get_ifd(EXIF_INTEROP).get(1, "")).strip("\0 ") == "R03"
    except Exception:  # noqa: BLE001 - damaged EXIF should cost nobody a photo
        return False


@functools.lru_cache(maxsize=8)
def _made(name: str, primaries: Sequence[Sequence[float]], gamma: float = 0.0) -> bytes:
    """An ICC profile, version 2, of these primaries.

    Parameters
    ----------
    name
        What it is called.
    primaries
        Red, green and blue in XYZ under D50.
    gamma
        Of its curve; 0: the curve of sRGB.
    """
    values = np.linspace(0, 1, 1024)
    srgb = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = np.rint(65535 * (values**gamma if gamma else srgb)).astype(">u2").tobytes()
    curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + light

    def point(values: Sequence[float]) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))

    text = name.encode() + b"\0"
    parts = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": point((0.9642, 1.0, 0.8249)),
    }
    for letter, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        parts |= {letter + b"XYZ": point(primary), letter + b"TRC": curve}
    table, body, start = b"", b"", 128 + 4 + 12 * len(parts)
    for tag, part in parts.items():
        table += tag + struct.pack(">II", start + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    head = bytes(4) + struct.pack(">I", 0x02100000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    head = struct.pack(">I", start + len(body)) + head + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(parts)) + table + body
