import io

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.data import pixels as module
from cvtune_nb.data.photo import UnreadablePhoto, centre_square
from cvtune_nb.data.pixels import pixels, refuse_beyond, store_of, thumbnail
from cvtune_nb.errors import InputError, Stopped


def test_pixels_are_the_centre_squares_in_the_order_asked_for(workspace):
    photos = workspace.photos().iloc[[5, 2, 60]]
    squares = pixels(workspace, photos, 96)
    assert (len(squares), squares.side, squares.image_size) == (3, 110, 96)
    for index, path in enumerate(photos["path"]):
        assert np.array_equal(squares[[index]][0], centre_square(workspace.path_of(path), 110))
    assert np.array_equal(squares.centre([2, 0]), squares[[2, 0]][:, 7:103, 7:103])


def test_every_photo_is_decoded_once(workspace, monkeypatch):
    photos = workspace.photos()
    seen = []
    monkeypatch.setattr(module, "centre_square", lambda path, side: seen.append(path) or centre_square(path, side))
    pixels(workspace, photos.iloc[:4], 96)
    assert len(seen) == 4
    pixels(workspace, photos.iloc[:6], 96)
    assert len(seen) == 6
    pixels(workspace, photos.iloc[:6].assign(path="a name that is gone"), 96)
    assert len(seen) == 6


def test_stopped_in_the_middle_what_was_decoded_stays(workspace, monkeypatch):
    monkeypatch.setattr("cvtune_nb.data.rows.SHARD_BYTES", 16 * 110 * 110 * 3)

    def stop(share, words):
        if share > 0.4:
            raise Stopped

    photos = workspace.photos()
    with pytest.raises(Stopped):
        pixels(workspace, photos, 96, stop)
    left = store_of(workspace, 96).missing(list(photos["sha256"]))
    assert 0 < len(left) <= len(photos) - 16


def test_a_photo_that_vanished_is_named(workspace):
    photos = workspace.photos().iloc[:2].assign(path=["circle/gone.jpg", "circle/gone too.jpg"])
    with pytest.raises(InputError, match=r"gone\.jpg can no longer be read \(the file is gone\): put it back, or open"):
        pixels(workspace, photos, 96)


def test_an_image_size_beyond_the_photos_is_refused(opened):
    photos = opened.photos()
    refuse_beyond(photos, 256)
    with pytest.raises(InputError) as error:
        refuse_beyond(photos, 288)
    assert "image_size 288 is beyond the photos" in str(error.value)
    assert "choose at most 256" in str(error.value)
    refuse_beyond(photos.assign(width=500, height=400), 600)
    with pytest.raises(InputError, match="short side under 400 pixels: choose at most 576"):
        refuse_beyond(photos.assign(width=500, height=400), 608)


def test_a_thumbnail_is_small_upright_and_a_jpeg(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400), "orange").save(tmp_path / "a.jpg", exif=exif)
    with Image.open(io.BytesIO(thumbnail(tmp_path / "a.jpg", 100))) as small:
        assert (small.format, small.size) == ("JPEG", (50, 100))
        assert small.convert("RGB").getpixel((20, 20)) == pytest.approx((255, 165, 0), abs=6)
    (tmp_path / "b.jpg").write_bytes(b"no photo")
    with pytest.raises(UnreadablePhoto):
        thumbnail(tmp_path / "b.jpg")
