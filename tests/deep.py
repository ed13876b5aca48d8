"""Image files of more than 8 bits a channel, written by hand: Pillow reads many kinds that it can't write."""

import struct
import zlib
from pathlib import Path

import numpy as np

KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for so many channels: grey, grey and alpha, RGB, RGBA."""


def ramp(top: float, seed: int = 0, side: int = 48, dtype: type = np.uint16) -> np.ndarray:
    """A picture (side, side) with values from 0 to `top`, both of them in it."""
    random = np.random.default_rng(seed)
    values = np.linspace(0, 1, side)[None] * random.uniform(0.4, 1, (side, 1)) + random.normal(0, 0.03, (side, side))
    values = values.clip(0, 1)
    values[0, :2] = 0, 1
    return (np.rint(values * top) if np.issubdtype(dtype, np.integer) else values * top).astype(dtype)


def colours(*channels: np.ndarray) -> np.ndarray:
    """(height, width, channels) of single channels."""
    return np.stack(channels, axis=-1)


def png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, with its rows filtered as encoders do; values: uint16 (height, width[, 1 to 4])."""
    values = values if values.ndim == 3 else values[..., None]
    height, width, channels = values.shape
    size, rows, above = 2 * channels, b"", np.zeros(2 * channels * width, np.uint8)
    for number, row in enumerate(values.astype(">u2").view(np.uint8).reshape(height, -1)):
        left = np.concatenate([np.zeros(size, np.uint8), row[:-size]])
        rows += bytes([number % 2 + 1]) + (row - (above if number % 2 else left)).tobytes()
        above = row
    header = struct.pack(">IIBBBBB", width, height, 16, KINDS[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def tiff(
    values: np.ndarray,
    order: str = "<",
    photometric: int = 0,
    compressed: bool = False,
    planar: bool = False,
    nodata: str = "",
) -> bytes:
    """A TIFF of these values, (height, width[, channels]), of any numeric type. order: < or >; photometric: TIFF's
    number, 0 for the usual one (white where values are high), -1 for 0 is white; compressed: Deflate with differences;
    planar: each channel by itself; nodata: GDAL's tag."""
    values = values if values.ndim == 3 else values[..., None]
    height, width, channels = values.shape
    stored = values.copy()
    if compressed and not planar:
        stored[:, 1:] -= values[:, :-1]
    stored = stored.astype(values.dtype.newbyteorder(order))
    strips = [stored[..., channel].tobytes() for channel in range(channels)] if planar else [stored.tobytes()]
    strips = [zlib.compress(strip) if compressed else strip for strip in strips]
    at = [8 + sum(map(len, strips[:number])) for number in range(len(strips))]
    usual = 2 if channels > 2 else 1
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [8 * values.itemsize] * channels),
        259: ("H", [8 if compressed else 1]),
        262: ("H", [max(photometric or usual, 0)]),
        273: ("I", at),
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [2 if planar else 1]),
        317: ("H", [2 if compressed and not planar else 1]),
        339: ("H", [kind] * channels),
    }
    if channels in (2, 4) and photometric != 5:
        tags[338] = ("H", [2])
    if nodata:
        tags[42113] = ("s", nodata.encode() + b"\0")
    directory, more = 8 + sum(map(len, strips)), b""
    behind, entries = directory + 2 + 12 * len(tags) + 4, b""
    for tag, (code, content) in sorted(tags.items()):
        data = content if code == "s" else struct.pack(f"{order}{len(content)}{code}", *content)
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place, more = struct.pack(f"{order}I", behind + len(more)), more + data + bytes(len(data) % 2)
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4, "s": 2}[code], len(content)) + place
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", directory)
    return start + b"".join(strips) + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + more


def pnm(values: np.ndarray, white: int) -> bytes:
    """A binary PGM or PPM of 16 bits that says which value is white."""
    kind = "P5" if values.ndim == 2 else "P6"
    return f"{kind} {values.shape[1]} {values.shape[0]} {white}\n".encode() + values.astype(">u2").tobytes()


def make_deep(
    folder: Path,
    top: float,
    per_class: int = 8,
    kind: str = "png",
    channels: int = 1,
    classes: tuple = ("a", "b"),
    dtype: type = np.uint16,
) -> Path:
    """A folder of photos with values from 0 to `top`: class a bright to the right, b bright to the left."""
    for place, label in enumerate(classes):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            values = ramp(top, 100 * place + number, dtype=dtype)[:, :: -1 if place % 2 else 1]
            values = values if channels == 1 else colours(*[values] * channels)
            content = png(values) if kind == "png" else tiff(values)
            (folder / label / f"{number}.{kind}").write_bytes(content)
    return folder
