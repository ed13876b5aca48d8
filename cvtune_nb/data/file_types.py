"""Photos that Pillow doesn't open by itself: HEIC, camera RAW, DICOM, and TIFF of many bands.

photo.py asks here once Pillow has given up. Stands alone like it: a copy of both travels with every export. What such a
file needs besides Pillow and numpy is imported when one is opened.
"""

import contextlib
import io
import math
import os
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import IO, Any, Self

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

RAW = {
    ".3fr",
    ".arw",
    ".cr2",
    ".cr3",
    ".crw",
    ".dng",
    ".iiq",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".raf",
    ".raw",
    ".rw2",
    ".srw",
}
"""Extensions of what cameras store undeveloped. What such a file is decoded as is told by its content alone, so that a
service that is sent it sees the same."""

BESIDE_JPEG = {*RAW, ".heic", ".heif"}
"""Extensions of what cameras store beside a JPEG of the same photo."""

BESIDE = "stored by the camera beside"
"""With the name of the JPEG: why such a file is not used."""

RAW_STARTS = (
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIU\0"),
    (0, b"IIRO"),
    (0, b"IIRS"),
    (0, b"MMOR"),
    (4, b"ftypcrx "),
    (6, b"HEAPCCDR"),
    (8, b"CR\2\0"),
)
"""Where camera RAW has which bytes: Fuji, Panasonic, Olympus, Canon."""

RAW_COMPRESSIONS, OLD_JPEG, SENSOR = (32767, 32769, 32770, 34713, 65535), 6, 32803
"""How only cameras compress TIFFs (Sony, Epson, Samsung, Nikon, Pentax), how they and old scanners do, and the
photometric of what a sensor saw."""

PREVIEW = 1_000_000
"""Pixels that the preview in a camera RAW photo must have: less is a thumbnail."""

MOST_JPEGS, MOST_SEGMENTS = 1000, 100
"""Places in a camera RAW photo that are tried as the beginning of a JPEG, and segments of it that are read before its
size: cameras need far fewer, and a file made for it could keep us busy for hours."""

LARGE = 30_000_000
"""Photos of more pixels are decoded one at a time, whatever the number of threads: one may take 20 bytes a pixel."""

_ONE_LARGE = threading.Lock()

JPEG = (".jpg", ".jpeg")
HEIC_BRANDS = (b"hei", b"hev", b"mif1", b"msf1")
DICOM_START = 128, b"DICM"
DEFLATED = b"1.2.840.10008.1.2.1.99"
"""What DICOM calls a file that is compressed as a whole."""

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES = 256, 257, 258, 259, 262, 274, 277
PLANES, PREDICTOR, ROWS, STRIPS, STRIP_BYTES = 284, 317, 278, 273, 279
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
SUBFILE, MAKE, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, PROFILE, NODATA, DNG_VERSION = (
    254,
    271,
    330,
    338,
    339,
    34675,
    42113,
    50706,
)
"""TIFF tags."""

PLAIN = (1, 5, 8, 32773, 32946, 34925, 50000)
"""TIFF compressions that know nothing of pixels: none, LZW, Deflate, PackBits, LZMA, Zstandard."""

File = str | os.PathLike[str] | IO[bytes]

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def beside_jpeg(paths: Iterable[str]) -> dict[str, str]:
    """Which of `paths` a camera has stored beside a JPEG of the same photo, and why they are therefore not used."""
    paths = list(paths)
    jpegs = {PurePath(path).with_suffix("").as_posix().lower(): path for path in paths if suffix(path) in JPEG}
    found = {}
    for path in paths:
        same = jpegs.get(PurePath(path).with_suffix("").as_posix().lower())
        if same and suffix(path) in BESIDE_JPEG:
            found[path] = f"{BESIDE} {PurePath(same).name}, which is used"
    return found


class RefusedFile(ValueError):
    """The file can't be used; the message says why, in words for its owner, and after "; " what to do."""


@dataclass
class Stored:
    """A picture of more than 8 bits a channel, as it is stored.

    Attributes
    ----------
    values
        float32 (height, width), or (height, width, 3); NaN where a pixel holds nothing.
    floating
        Whether they are floating-point values.
    inverted
        Whether the lowest value is white.
    info
        As Pillow's images have it.
    """

    values: np.ndarray
    floating: bool
    inverted: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    format: str = ""

    @property
    def width(self) -> int:
        """In pixels."""
        return self.values.shape[1]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.values.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""


Opened = Image.Image | Stored


def in_turn(pixels: int) -> contextlib.AbstractContextManager[Any]:
    """Within it a photo of so many pixels may be decoded."""
    return _ONE_LARGE if pixels > LARGE else contextlib.nullcontext()


def _require_openable(width: int, height: int, channels: int) -> None:
    """Refuse what is too large, by Pillow's limit against decompression bombs, before anything is decoded."""
    most = (Image.MAX_IMAGE_PIXELS or math.inf) * 2
    if width * height > most:
        raise Image.DecompressionBombError
    if width * height * channels > most:
        raise RefusedFile(
            f"too large to open safely ({width} x {height} pixels of {channels} values each); save it smaller"
        )


def suffix(file: File) -> str:
    """The extension in lower case; "" for an open file."""
    return PurePath(file).suffix.lower() if isinstance(file, str | os.PathLike) else ""


def opened(file: File, bands: Sequence[int]) -> Opened | None:
    """What is in a file that Pillow can't identify; None where it can't be told here either.

    Raises RefusedFile, and whatever a decoder raises for a damaged file.

    Parameters
    ----------
    file
        A path, or a binary file object.
    bands
        Which bands of a TIFF of many are shown red, green and blue, counted from 1; empty: not chosen.
    """
    start = _content(file, 200)
    offset, signature = DICOM_START
    if start[offset:].startswith(signature):
        return _dicom(file)
    if any(start[offset:].startswith(signature) for offset, signature in RAW_STARTS):
        return raw_preview(file)
    if start[4:8] == b"ftyp" and start[8:].startswith(HEIC_BRANDS):
        return _heic(file)
    if start.startswith(TIFF_STARTS):
        return _bands_of(file, bands)
    return None


def instead(image: Any, file: File, bands: Sequence[int]) -> Opened | None:
    """What is to be seen in a TIFF that Pillow has opened, where that is not what Pillow shows; None where it is.

    Parameters
    ----------
    image
        The open TIFF.
    file, bands
        As `opened` takes them.
    """
    tags = image.tag_v2
    if _is_raw(_content(file, 200), tags):
        return raw_preview(file)
    if bands and _band_count(tags) > 3:  # of others it is known which colours they are
        return _bands_of(file, bands)
    return None


def _content(file: File, most: int = -1) -> bytes:
    """The first `most` bytes, or all."""
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            return opened.read(most)
    file.seek(0)
    return file.read(most)


def _heic(file: File) -> Image.Image:
    try:
        import pi_heif
    except ImportError:
        raise RefusedFile(
            "a HEIC photo, for which pi-heif is missing; install it (pip install pi-heif), or save it as JPEG"
        ) from None
    pi_heif.register_heif_opener(thumbnails=False)
    try:
        image = Image.open(file, formats=["HEIF"])
        with in_turn(image.width * image.height):
            image.load()
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception:  # noqa: BLE001 - libheif's errors come as several kinds
        raise RefusedFile("a HEIC photo that is damaged") from None
    return image


# -- camera RAW -------------------------------------------------------------------------------------------------------


def _is_raw(start: bytes, tags: Any) -> bool:
    """Whether a TIFF that begins so is camera RAW, of which Pillow sees no more than a tiny preview."""
    preview = SUB_IFDS in tags and (tags.get(SUBFILE) == 1 or (MAKE in tags and tags.get(COMPRESSION) == OLD_JPEG))
    if preview or DNG_VERSION in tags or start[8:12] == b"CR\2\0":
        return True
    phase_one = start[8:12] in (b"IIII", b"MMMM")  # which may also be four grey pixels
    undeveloped = tags.get(COMPRESSION) in RAW_COMPRESSIONS or tags.get(PHOTOMETRIC) == SENSOR
    return MAKE in tags and (phase_one or undeveloped)


def raw_preview(file: File) -> Image.Image:
    """The largest JPEG that the camera has put into a RAW photo, turned like the photo.

    Whatever the container, such a JPEG begins with the same bytes; sensor data in JPEG's lossless form does not count.
    """
    content = _content(file)
    width, height, at = max(_jpegs(content), key=lambda found: found[0] * found[1], default=(0, 0, 0))
    if width * height < PREVIEW:
        raise RefusedFile("a camera RAW photo without a large preview, which can't be opened here; save it as JPEG")
    image = Image.open(io.BytesIO(content[at:]), formats=["JPEG", "MPO"])
    exif = image.getexif()
    if ORIENTATION not in exif:
        exif[ORIENTATION] = _orientation(content)
    return image


def _jpegs(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Width, height and place of each JPEG of 8-bit colours."""
    at = content.find(b"\xff\xd8\xff")
    for _ in range(MOST_JPEGS):
        if at < 0:
            return
        width, height = _jpeg_size(content, at + 2)
        if width and height:
            yield width, height, at
        at = content.find(b"\xff\xd8\xff", at + 3)


def _jpeg_size(content: bytes, at: int) -> tuple[int, int]:
    """Width and height of the JPEG whose first segment is at `at`; 0 and 0 where it is none of 8-bit colours."""
    for _ in range(MOST_SEGMENTS):
        if content[at : at + 1] != b"\xff" or at + 10 > len(content):
            break
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            bits, height, width, channels = struct.unpack_from(">BHHB", content, at + 4)
            return (width, height) if (bits, channels) == (8, 3) else (0, 0)
        if not (marker in (0xC4, 0xDB, 0xDD, 0xFE) or 0xE0 <= marker <= 0xEF) or length < 2:
            break
        at += 2 + length
    return 0, 0


def _orientation(content: bytes) -> int:
    """How the camera was held, by the first tags of a RAW photo; 1 (upright) where they don't say."""
    at = content.find(b"CMT1", 0, 100_000) + 4 if content[4:8] == b"ftyp" else 0  # newer Canon: tags in a box
    order = {b"II": "<", b"MM": ">"}.get(content[at : at + 2], "")
    try:
        first = at + struct.unpack_from(f"{order}I", content, at + 4)[0]
        (count,) = struct.unpack_from(f"{order}H", content, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", content, entry)
            if order and tag == ORIENTATION:
                return struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", content, entry + 8)[0]
    except struct.error:
        pass
    return 1


# -- DICOM ------------------------------------------------------------------------------------------------------------


def _dicom(file: File) -> Opened:
    try:
        import pydicom
    except ImportError:
        raise RefusedFile(
            "a DICOM image, for which pydicom is missing; install it (pip install pydicom), or save it as PNG"
        ) from None
    content = _content(file)
    if DEFLATED in content:  # pydicom would decompress it, however large it becomes
        raise RefusedFile("a DICOM file that is compressed as a whole; save it uncompressed")
    data = pydicom.dcmread(io.BytesIO(content))
    if "Rows" not in data:
        raise RefusedFile("a DICOM file without an image; exclude it")
    if (frames := _frames(data)) > 1:
        raise RefusedFile(f"a DICOM file of {frames} images; save those to be used as files of their own")
    _require_openable(data.Columns, data.Rows, data.get("SamplesPerPixel", 1))
    with in_turn(data.Columns * data.Rows):
        return _dicom_image(data)


def _frames(data: Any) -> int:
    """How many images a DICOM file holds; some don't say it, and pydicom decodes them all."""
    from pydicom.encaps import generate_frames

    said = int(data.get("NumberOfFrames") or 1)
    if said > 1 or "PixelData" not in data or not data.file_meta.TransferSyntaxUID.is_compressed:
        return said
    offsets = [data.get(name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    told = tuple(offsets) if all(offsets) else None
    return sum(1 for _ in generate_frames(data.PixelData, number_of_frames=1, extended_offsets=told))


def _dicom_image(data: Any) -> Opened:
    try:
        values = data.pixel_array
    except (RuntimeError, NotImplementedError):  # what pydicom raises without a decoder for its compression
        name = data.file_meta.TransferSyntaxUID.name
        raise RefusedFile(f"a DICOM image compressed as {name}, which can't be opened here; save it as PNG") from None
    if data.PhotometricInterpretation == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        values = apply_color_lut(values, data)
    if values.ndim > 2 and values.shape[2:] != (3,):
        raise RefusedFile(
            f"a DICOM image of {values.shape[-1]} values a pixel, which can't be opened here; save it as PNG"
        )
    if values.ndim == 3:
        eight = values.dtype == np.uint8
        return Image.fromarray(values) if eight else Stored(values.astype(np.float32), False, format="DICOM")
    return _grey_dicom(data, values)


def _grey_dicom(data: Any, stored: np.ndarray) -> Opened:
    """A DICOM image of one channel, with the window of the file where that has one."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi

    inverted = data.PhotometricInterpretation == "MONOCHROME1"
    slope, intercept = (float(data.get(name, same)) for name, same in (("RescaleSlope", 1), ("RescaleIntercept", 0)))
    rescaled = (slope, intercept) != (1, 0) or "ModalityLUTSequence" in data
    values = np.asarray(apply_modality_lut(stored, data)) if rescaled else stored
    if data.get("WindowCenter") is not None and data.get("WindowWidth") is not None:
        shown = _windowed(values.astype(np.float64), data)
    elif data.get("VOILUTSequence"):
        shown = np.asarray(apply_voi(values, data)) / (2 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    elif values.dtype == np.uint8:
        shown = values / 255
    else:
        found = values.astype(np.float32)
        if data.get("PixelPaddingValue") is not None:
            found[stored == data.PixelPaddingValue] = np.nan
        whole = slope.is_integer() and intercept.is_integer()
        return Stored(found, not whole, inverted, format="DICOM")
    grey = np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)
    return Image.fromarray(255 - grey if inverted else grey)


def _windowed(values: np.ndarray, data: Any) -> np.ndarray:
    """Values as the window of the file shows them, black at 0 and white at 1 (DICOM PS3.3, C.11.2.1.2).

    Of several windows it is the first.
    """
    centre, width = (
        float(value[0] if isinstance(value, Sequence) and not isinstance(value, str) else value)
        for value in (data.WindowCenter, data.WindowWidth)
    )
    how = data.get("VOILUTFunction") or "LINEAR"
    if width <= 0 or (how == "LINEAR" and width < 1):
        raise RefusedFile(f"a DICOM image whose window is {width:g} wide; save it with one of at least 1")
    if how == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    if how == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    return (values > centre - 0.5).astype(float) if width == 1 else (values - (centre - 0.5)) / (width - 1) + 0.5


# -- TIFF of many bands -----------------------------------------------------------------------------------------------


def _band_count(tags: Any) -> int:
    """How many bands a TIFF has: samples a pixel that are not how opaque it is. Printing colours are none."""
    opaque = any(kind in (1, 2) for kind in _listed(tags.get(EXTRA_SAMPLES, ())))
    return 0 if tags.get(PHOTOMETRIC) == 5 else tags.get(SAMPLES, 1) - opaque


def has_many_bands(file: File) -> bool:
    """Whether it is a TIFF of more than three bands."""
    if not _content(file, 4).startswith(TIFF_STARTS):
        return False
    tags, raw = _tags(_content(file))
    return not raw and _band_count(tags) > 3


def _listed(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _tags(content: bytes) -> tuple[Any, bool]:
    """The tags of a TIFF's first picture, none where they are damaged, and whether it is camera RAW."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if 43 in content[2:4] else 8])
        memory = io.BytesIO(content)
        memory.seek(tags.next)
        tags.load(memory)
        return tags, _is_raw(content[:12], tags)
    except Exception:  # noqa: BLE001 - whatever a damaged header leads to
        return {}, False


def _bands_of(file: File, bands: Sequence[int]) -> Opened | None:
    """A TIFF of many bands, or of a type that Pillow doesn't know; None for what can't be told here either."""
    content = _content(file)
    tags, raw = _tags(content)
    if raw:
        return raw_preview(file)
    try:
        count = _band_count(tags)
        if BITS not in tags or not count or (count == 1 and tags.get(SAMPLES, 1) > 1):
            return None
        kind = _sample_type(content, tags)
        _require_openable(tags[WIDTH], tags[HEIGHT], count)
    except (Image.DecompressionBombError, RefusedFile):
        raise
    except Exception:  # noqa: BLE001 - whatever a damaged header leads to
        return None
    if count == 1 or (not bands and tags.get(PHOTOMETRIC) == 2 and count >= 3):
        bands = (1, 2, 3)[:count]  # the file says that these are red, green and blue
    if not bands:
        raise RefusedFile(
            f"a TIFF of {count} bands, of which nothing says which are red, green and blue; choose three with --bands, "
            "such as 3,2,1"
        )
    if max(bands) > count:
        raise RefusedFile(f"a TIFF of {count} bands, where bands {', '.join(map(str, bands))} are to be shown")
    try:
        with in_turn(tags[WIDTH] * tags[HEIGHT]):
            return _shown_bands(content, tags, kind, [band - 1 for band in bands])
    except RefusedFile:
        if count > 3:
            raise
        return None


def _shown_bands(content: bytes, tags: Any, kind: np.dtype, bands: Sequence[int]) -> Opened:
    """These bands, counted from 0, as a picture."""
    values, count = _upright(_chosen(content, tags, kind, bands), tags.get(ORIENTATION, 1)), len(bands)
    values, inverted = values[..., 0] if count == 1 else values, count == 1 and tags.get(PHOTOMETRIC) == 0
    info = {"icc_profile": tags[PROFILE]} if isinstance(tags.get(PROFILE), bytes) else {}
    if values.dtype == np.uint8:
        image = Image.fromarray(255 - values if inverted else values)
        image.info |= info
        return image
    found = values.astype(np.float32)
    with contextlib.suppress(ValueError):
        found[found == np.float32(str(tags.get(NODATA, "")).strip("\0 "))] = np.nan
    return Stored(found, kind.kind == "f", inverted, info, "TIFF")


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Values (height, width, ...) turned by the tag that says how the camera was held (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values[:, ::-1] if orientation in (2, 3, 6, 7) else values


def _sample_type(content: bytes, tags: Any) -> np.dtype:
    """The type of the values of a TIFF; unsigned whole numbers of fewer bits than that may be packed closely."""
    kinds, depths = (set(_listed(tags.get(tag, 1))) for tag in (SAMPLE_FORMAT, BITS))
    if len(kinds) > 1 or len(depths) > 1:
        raise RefusedFile("a TIFF whose bands are of different types; save them as one type")
    (kind,), (depth,) = kinds, depths
    letter = {1: "u", 2: "i", 3: "f"}.get(kind, "u")
    if kind > 4 or depth < 8 or (depth % 8 and letter != "u"):
        raise RefusedFile(f"a TIFF of {depth}-bit values of a kind that can't be opened here; save it as PNG")
    return np.dtype(f"{'<' if content[:2] == b'II' else '>'}{letter}{1 << math.ceil(math.log2(depth / 8))}")


def _chosen(content: bytes, tags: Any, kind: np.dtype, bands: Sequence[int]) -> np.ndarray:
    """The values (height, width, len(bands)) of these bands, counted from 0, of the type `kind`.

    Pillow unpacks the strips or tiles, whatever their compression: it is shown a grey TIFF whose pixels are our bytes.
    """
    samples, width, differences = tags.get(SAMPLES, 1), tags[WIDTH], tags.get(PREDICTOR, 1) == 2
    planes, compression = tags.get(PLANES) == 2, tags.get(COMPRESSION, 1)
    depth = _listed(tags[BITS])[0]
    packed = depth % 8 > 0
    whole = planes and kind.itemsize == 1  # pixels are bytes: even JPEG will do
    if (compression not in PLAIN and not whole) or tags.get(PREDICTOR, 1) > 2 or (packed and differences):
        raise RefusedFile("a TIFF with a compression that can't be opened here; save it uncompressed")
    places, sizes = (TILES, TILE_BYTES) if TILES in tags else (STRIPS, STRIP_BYTES)
    offsets, counts = _listed(tags[places]), _listed(tags[sizes])
    each = len(offsets) // samples if planes else len(offsets)
    parts = [slice(band * each, (band + 1) * each) for band in bands] if planes else [slice(None)]
    found = []
    for part in parts:
        at_once = 1 if planes else samples
        stored = _bytes_of(content, tags, at_once * depth, offsets[part], counts[part])
        if packed:
            bits = np.unpackbits(stored, axis=1)[:, : width * at_once * depth].reshape(-1, depth)
            values = bits @ (1 << np.arange(depth, dtype=np.uint32)[::-1])
        else:
            values = stored.view(kind)
        values = values.reshape(len(stored), width, at_once)
        if differences:  # each value is stored as what it differs from its left neighbour by; also 1.5, as its bits
            step, bits = tags.get(TILE_WIDTH, width), np.dtype(kind.str.replace("f", "u"))
            runs = [
                values[:, left : left + step].view(bits).cumsum(axis=1, dtype=bits) for left in range(0, width, step)
            ]
            values = np.concatenate(runs, axis=1, dtype=bits).view(kind)
        found.append(values)
    chosen = np.concatenate(found, axis=-1) if planes else found[0][..., bands]
    return chosen.astype(chosen.dtype.newbyteorder("="))


class _Unlimited(TiffImagePlugin.TiffImageFile):
    """A TIFF without Pillow's limit, which is one of pixels: the photo keeps it, but not all bytes of its bands do."""

    def load_prepare(self) -> None:
        ImageFile.ImageFile.load_prepare(self)


def _bytes_of(content: bytes, tags: Any, bits: int, offsets: Sequence[int], counts: Sequence[int]) -> np.ndarray:
    """What these strips or tiles hold, uint8 (height, bytes of a row), where a pixel has so many bits in them."""
    known = {
        WIDTH: [(tags[WIDTH] * bits + 7) // 8],
        HEIGHT: [tags[HEIGHT]],
        BITS: [8],
        COMPRESSION: [tags.get(COMPRESSION, 1)],
        PHOTOMETRIC: [1],
        SAMPLES: [1],
        PLANES: [1],
    }
    if TILES in tags:
        sides = {TILE_WIDTH: [tags[TILE_WIDTH] * bits // 8], TILE_HEIGHT: [tags[TILE_HEIGHT]]}
        known |= {**sides, TILES: offsets, TILE_BYTES: counts}
    else:
        known |= {ROWS: [tags.get(ROWS, tags[HEIGHT])], STRIPS: offsets, STRIP_BYTES: counts}
    order = "<" if content[:2] == b"II" else ">"
    # the tags go behind the content, so that its strips stay where they are: first the lists, then what points to them
    entries, lists = b"", b""
    for tag, values in sorted(known.items()):
        numbers = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            place, lists = len(content) + len(lists), lists + numbers
            numbers = struct.pack(f"{order}I", place)
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + numbers
    start = content[:2] + struct.pack(f"{order}HI", 42, len(content) + len(lists))
    made = start + content[8:] + lists + struct.pack(f"{order}H", len(known)) + entries + bytes(4)
    with _Unlimited(io.BytesIO(made)) as image:
        return np.array(image)
