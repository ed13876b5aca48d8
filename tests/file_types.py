"""Photos as phones, cameras, scanners and hospitals store them, made by code."""

import base64
import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAbdtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "AA5waXRtAAAAAAACAAAAEGlkYXQAAAAAADAAQAAAADhpbG9jAQAAAERAAAIAAQAAAAAAAAHbAAEAAAAAAAAA/wACAAEAAAAAAAAA"
    "AQAAAAAAAAAIAAAAOGlpbmYAAAAAAAIAAAAVaW5mZQIAAAEAAQAAaHZjMQAAAAAVaW5mZQIAAAAAAgAAZ3JpZAAAAADiaXBycAAA"
    "AL9pcGNvAAAAdmh2Y0MBA3AAAAAAAAAAAAAe8AD8/fj4AAAPAyAAAQAYQAEMAf//A3AAAAMAkAAAAwAAAwAeugJAIQABACpCAQED"
    "cAAAAwCQAAADAAADAB6gIIEFlurkprm4EBAwIAAAAwAgAAADACEiAAEABkQBwXPAiQAAABRpc3BlAAAAAAAAAEAAAABAAAAAFGlz"
    "cGUAAAAAAAAAMAAAAEAAAAAQcGl4aQAAAAADCAgIAAAACWlyb3QDAAAAG2lwbWEAAAAAAAAAAgABAoECAAIDA4SFAAAAGmlyZWYA"
    "AAAAAAAADmRpbWcAAgABAAEAAAEHbWRhdAAAAPsoAa8E+O2fNhS2nzzrtPP/p4HYPkjj8b4Z5+gr/qUwdn+q/up+9NZ9/TltxntK"
    "DB974SzeEM25lA6PeXoZzXlUuc9g3btJPbBhWvkxhZamgo//hCRCxnWw2IaKceZbrpOAnf/iKxM0e5DWfhAsmprDzdJHxWlcrb/E"
    "N/w/BZe4Y70eMJ3e0ZEBBlOBt+ojIzo8vQX/3VNileNciOl14TbdCwO6kkV7izpP298vis6mrEv1Jpzj32a1Iqug/kL+Y37a3zW4"
    "ZyvpH42dcJKK8IJxVjZuaMZ5w7qa6VPIj00d/mBEQyfDf7d2nS/W5//+XZPj88RiTzs7JfZdlw=="
)
"""A red half and a blue one beside each other under a white strip, 64 x 48 pixels once it is turned upright. It was
encoded with Debian's heif-enc and given the turn (an `irot` box) afterwards: no encoder's licence would do here."""


def heic_shows() -> Image.Image:
    """What HEIC shows, but for what its compression has changed."""
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[:, :32], shown[:, 32:], shown[:12] = (200, 40, 40), (40, 40, 200), 240
    return Image.fromarray(shown)


# -- colour profiles --------------------------------------------------------------------------------------------------

SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""XYZ of red, green and blue at full, for white of D50."""


def srgb_curve(values: np.ndarray) -> np.ndarray:
    """How much light a stored value of 0..1 is, by sRGB and Display P3."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def profile(name: str, primaries=P3, gamma: float = 0.0) -> bytes:
    """A colour profile (ICC version 2); gamma 0: the curve of sRGB; no primaries: of grey."""
    curve = np.linspace(0, 1, 1024)
    curve = np.rint(65535 * (curve**gamma if gamma else srgb_curve(curve))).astype(">u2").tobytes()
    light = b"curv" + bytes(4) + struct.pack(">I", 1024) + curve

    def point(values) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))

    text = name.encode() + b"\0"
    told = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    parts = {b"desc": told, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": point((0.9642, 1.0, 0.8249))}
    if primaries:
        parts |= {letter + b"XYZ": point(each) for letter, each in zip((b"r", b"g", b"b"), primaries, strict=True)}
        parts |= {letter + b"TRC": light for letter in (b"r", b"g", b"b")}
    else:
        parts[b"kTRC"] = light
    table, body, start = b"", b"", 128 + 4 + 12 * len(parts)
    for tag, part in parts.items():
        table += tag + struct.pack(">II", start + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    space = b"RGB " if primaries else b"GRAY"
    head = bytes(8) + struct.pack(">I", 0x02100000) + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I", start + len(body)) + head[4:].ljust(124, b"\0")
    return head + struct.pack(">I", len(parts)) + table + body


def in_p3(image: Image.Image) -> Image.Image:
    """The same colours as values of Display P3."""
    to_p3 = np.linalg.inv(np.array(P3).T) @ np.array(SRGB).T
    light = np.clip(srgb_curve(np.asarray(image) / 255) @ to_p3.T, 0, 1)
    stored = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(255 * stored).astype(np.uint8))


# -- TIFF, by hand ----------------------------------------------------------------------------------------------------


def tiff(tags: dict[int, list[int] | bytes], data: bytes = b"", order: str = "<") -> bytes:
    """A TIFF file of these tags, with `data` from byte 8 on."""
    behind, entries, more = 8 + len(data), b"", b""
    for tag, values in sorted(tags.items()):
        told = isinstance(values, bytes)
        packed = values if told else struct.pack(f"{order}{len(values)}I", *values)
        if len(packed) > 4:
            place, more = behind + len(more), more + packed
            packed = struct.pack(f"{order}I", place)
        entries += struct.pack(f"{order}HHI", tag, 7 if told else 4, len(values)) + packed
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, behind + len(more))
    return start + data + more + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def bands_tiff(
    values: np.ndarray,
    order: str = "<",
    planes: bool = False,
    tile: int = 0,
    deflate: bool = False,
    differences: bool = False,
    **more: list[int] | bytes,
) -> bytes:
    """A TIFF of many bands, values (height, width, bands).

    planes: each band by itself, not pixel by pixel; tile: pixels of a tile's side, 0: strips of 7 rows; deflate:
    compressed; differences: each value stored as what it differs from its left neighbour by.
    """
    height, width, count = values.shape
    whole = [values[..., [band]] for band in range(count)] if planes else [values]
    parts = []
    for plane in whole:
        for top in range(0, height, tile or 7):
            for left in range(0, width, tile or width):
                part = plane[top : top + (tile or 7), left : left + (tile or width)]
                if tile:
                    part = np.pad(part, ((0, tile - part.shape[0]), (0, tile - part.shape[1]), (0, 0)), "edge")
                if differences:
                    bits = part.view(f"u{part.itemsize}")
                    part = np.diff(bits, axis=1, prepend=np.zeros_like(bits[:, :1]))
                stored = part.astype(part.dtype.newbyteorder(order)).tobytes()
                parts.append(zlib.compress(stored) if deflate else stored)
    offsets = list(8 + np.cumsum([0, *map(len, parts[:-1])]))
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {
        256: [width],
        257: [height],
        258: [8 * values.dtype.itemsize] * count,
        259: [8 if deflate else 1],
        262: [1],
        277: [count],
        284: [2 if planes else 1],
        317: [2 if differences else 1],
        338: [0] * (count - 1),
        339: [kind] * count,
    }
    places, sizes = (324, 325) if tile else (273, 279)
    tags |= {places: offsets, sizes: list(map(len, parts))}
    tags |= {322: [tile], 323: [tile]} if tile else {278: [7]}
    return tiff(tags | {int(tag[1:]): value for tag, value in more.items()}, b"".join(parts), order)


def jpeg(image: Image.Image, **options: object) -> bytes:
    """As JPEG."""
    memory = io.BytesIO()
    image.save(memory, "JPEG", **{"quality": 92, **options})
    return memory.getvalue()


def raw(preview: Image.Image, orientation: int = 1, order: str = "<", magic: bytes = b"") -> bytes:
    """A camera RAW photo: a thumbnail, sensor data in which something looks like a JPEG, and a preview.

    magic: what stands there instead of TIFF's 42.
    """
    small = jpeg(preview.resize((160, 120)))
    lossless = b"\xff\xd8\xff\xc3" + struct.pack(">HBHHB", 11, 14, 6000, 9000, 2) + bytes(20)
    noise = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes() + lossless
    data = small + noise + jpeg(preview)
    tags = {254: [1], 256: [160], 257: [120], 258: [8], 259: [6], 262: [6], 273: [8], 274: [orientation]}
    made = tiff({**tags, 277: [3], 278: [120], 279: [len(small)], 330: [8]}, data, order)
    return made[:2] + magic + made[2 + len(magic) :]


# -- DICOM ------------------------------------------------------------------------------------------------------------


def dicom(values: np.ndarray, photometric: str = "MONOCHROME2", bits: int = 16, **elements: object) -> bytes:
    """A DICOM image of values (height, width), or of colours (height, width, 3); elements by their keywords."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    made = Dataset()
    made.file_meta = meta
    made.Rows, made.Columns = values.shape[:2]
    made.PhotometricInterpretation, made.SamplesPerPixel = photometric, 3 if values.ndim == 3 else 1
    if values.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8 * values.dtype.itemsize, bits, bits - 1
    made.PixelRepresentation = int(values.dtype.kind == "i")
    made.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    memory = io.BytesIO()
    made.save_as(memory, enforce_file_format=True)
    return memory.getvalue()
