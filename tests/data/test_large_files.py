"""Files that become far larger than they are: refused before they are decoded, or decoded one at a time."""

import contextlib
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.data import photo
from cvtune_nb.data.photo import FULL, UnreadablePhoto, header, read_photo
from tests.file_types import HEIC, bands_tiff, dicom

BANDS = np.random.default_rng(1).integers(0, 4096, (40, 50, 8), np.uint16)
CHOSEN = (0, 4095, 4, 2, 1)


def why(content: bytes, levels=FULL) -> str:
    with pytest.raises(UnreadablePhoto) as caught:
        read_photo(io.BytesIO(content), levels=levels)
    return str(caught.value)


def deflated(content: bytes) -> bytes:
    """The same DICOM file compressed as a whole."""
    from pydicom import dcmread
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    data, memory = dcmread(io.BytesIO(content)), io.BytesIO()
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(memory, enforce_file_format=True)
    return memory.getvalue()


def test_dicom_that_is_compressed_as_a_whole_is_refused_before_it_grows(monkeypatch):
    content = deflated(dicom(np.zeros((500, 500), np.uint16)))
    monkeypatch.setattr(zlib, "decompress", lambda *_: pytest.fail("it has grown"))
    assert why(content) == "a DICOM file that is compressed as a whole; save it uncompressed"


def test_dicom_that_says_it_is_too_large_is_refused_before_it_is_decoded():
    values = np.zeros((8, 8), np.uint16)
    assert why(dicom(values, Rows=40_000, Columns=40_000)).startswith("too large to open safely (more than 178 million")
    words = "too large to open safely (10000 x 10000 pixels of 3 values each); save it smaller"
    assert why(dicom(np.zeros((8, 8, 3), np.uint8), "RGB", 8, Rows=10_000, Columns=10_000)) == words


def test_of_a_tiff_of_bands_values_count_and_not_bytes(monkeypatch):
    content = bands_tiff(BANDS, deflate=True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", BANDS.size // 2)
    assert read_photo(io.BytesIO(content), levels=CHOSEN).size == (50, 40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", BANDS.size // 2 - 1)
    assert why(content, CHOSEN) == "too large to open safely (50 x 40 pixels of 8 values each); save it smaller"


@pytest.mark.parametrize(
    ("content", "levels"),
    [(dicom(BANDS[..., 0]), FULL), (bands_tiff(BANDS), CHOSEN), (HEIC, FULL)],
    ids=["DICOM", "TIFF of bands", "HEIC"],
)
def test_large_files_are_decoded_one_at_a_time(monkeypatch, content, levels):
    taken = []

    @contextlib.contextmanager
    def lock():
        taken.append(True)
        yield

    module = photo.file_types.in_turn.__globals__
    monkeypatch.setitem(module, "_ONE_LARGE", lock())
    assert header(io.BytesIO(content), levels) and not taken
    monkeypatch.setitem(module, "LARGE", 1000)
    assert header(io.BytesIO(content), levels) and taken
