import io
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cvtune_nb.data import photo
from cvtune_nb.data import pixels as module
from cvtune_nb.data.photo import UnreadablePhoto, centre_square
from cvtune_nb.data.pixels import (
    added_bytes,
    kept_bytes,
    needed_bytes,
    pixels,
    refuse_beyond,
    room,
    store_of,
    thumbnail,
)
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError, Stopped


def test_pixels_are_the_centre_squares_in_the_order_asked_for(workspace):
    photos = workspace.photos().iloc[[5, 2, 60]]
    squares = pixels(workspace, photos, Preprocessing(256))
    assert (len(squares), squares.side, squares.preprocessing) == (3, 293, Preprocessing(256))
    for index, path in enumerate(photos["path"]):
        assert np.array_equal(squares[[index]][0], centre_square(workspace.path_of(path), 293))
    assert np.array_equal(squares.centre([2, 0]), squares[[2, 0]][:, 18:274, 18:274])
    assert np.array_equal(squares.take(np.array([2, 0]))[:], squares[[2, 0]])


def test_squares_that_are_kept_serve_smaller_sizes(workspace, monkeypatch):
    photos = workspace.photos()
    kept = pixels(workspace, photos, Preprocessing(224))
    before = kept_bytes(workspace)
    monkeypatch.setattr(photo, "centre_square", lambda path, side, levels: pytest.fail("it was decoded again"))
    small = pixels(workspace, photos, Preprocessing(96))
    assert small.store.shape == kept.store.shape
    assert kept_bytes(workspace) == before
    square = small[[4]][0]
    assert square.shape == (110, 110, 3)
    smaller = Image.fromarray(kept[[4]][0]).resize((110, 110), Image.Resampling.BICUBIC)
    assert np.array_equal(square, smaller)
    monkeypatch.undo()
    pixels(workspace, photos, Preprocessing(256))
    again = pixels(workspace, photos, Preprocessing(96))
    assert again.store.shape == kept.store.shape, "the smallest that serves: runs can go on"


def test_what_there_is_no_room_for_is_decoded_at_each_reading(workspace, monkeypatch):
    photos = workspace.photos().iloc[:9]
    whole = pixels(workspace, photos, Preprocessing(256))[:]
    shutil.rmtree(workspace.cache / "pixels-293")
    workspace.limit_pixels((kept_bytes(workspace) + 4.5 * 293 * 293 * 3) / 1e9)
    limit = kept_bytes(workspace) + 4.5 * 293 * 293 * 3
    seen = []
    monkeypatch.setattr(
        photo, "centre_square", lambda path, side, levels: seen.append(path.name) or centre_square(path, side)
    )
    squares = pixels(workspace, photos, Preprocessing(256))
    assert (len(seen), kept_bytes(workspace) <= limit) == (4, True)
    for order in (slice(None), [8, 0, 3], [0, 1]):
        assert np.array_equal(squares[order], whole[order])
    assert len(seen) == 4 + 5 + 1
    assert np.array_equal(squares.take(np.array([8, 2]))[:], whole[[8, 2]])
    gone = pixels(workspace, photos.assign(path="circle/gone.jpg"), Preprocessing(256))
    assert np.array_equal(gone[[0, 1]], whole[[0, 1]])
    with pytest.raises(InputError, match=r"gone\.jpg can no longer be read \(the file is gone\)"):
        gone[[8]]
    workspace.limit_pixels("all")
    pixels(workspace, photos.iloc[:8], Preprocessing(256))
    assert not store_of(workspace, Preprocessing(256)).missing(list(photos["sha256"].iloc[:8]))


def test_pixels_leave_room_on_the_disk(workspace, monkeypatch):
    store = store_of(workspace, Preprocessing(256))
    free = module.RESERVE + 2.5 * 293**2 * 3
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert room(workspace, store) == 2
    workspace.limit_pixels(0)
    assert room(workspace, store) == 0
    for wrong in ("-1", "much", "nan", "inf"):
        with pytest.raises(InputError, match="give gigabytes from 0 up, or all"):
            workspace.limit_pixels(wrong)


def test_what_other_image_sizes_would_add_on_disk(workspace):
    photos = workspace.photos()
    expected = needed_bytes(workspace, photos, Preprocessing(256))
    assert expected > 0
    assert added_bytes(workspace, photos, (256, 100_000), Preprocessing()) == {256: expected}
    pixels(workspace, photos, Preprocessing(256))
    assert added_bytes(workspace, photos, (256,), Preprocessing()) == {}
    whole = Preprocessing(framing="whole")
    assert added_bytes(workspace, photos, (256,), whole) == {256: expected}, "no crop serves whole photos"


def test_every_photo_is_decoded_once(workspace, monkeypatch):
    photos = workspace.photos()
    seen = []
    monkeypatch.setattr(
        photo, "centre_square", lambda path, side, levels: seen.append(path) or centre_square(path, side)
    )
    pixels(workspace, photos.iloc[:4], Preprocessing(256))
    assert len(seen) == 4
    pixels(workspace, photos.iloc[:6], Preprocessing(256))
    assert len(seen) == 6
    pixels(workspace, photos.iloc[:6].assign(path="a name that is gone"), Preprocessing(256))
    assert len(seen) == 6


def test_stopped_in_the_middle_what_was_decoded_stays(workspace, monkeypatch):
    monkeypatch.setattr("cvtune_nb.data.rows.SHARD_BYTES", 16 * 293 * 293 * 3)

    def stop(share, words):
        if share > 0.4:
            raise Stopped

    photos = workspace.photos()
    with pytest.raises(Stopped):
        pixels(workspace, photos, Preprocessing(256), stop)
    left = store_of(workspace, Preprocessing(256)).missing(list(photos["sha256"]))
    assert 0 < len(left) <= len(photos) - 16


def test_a_photo_that_vanished_is_named(workspace):
    photos = workspace.photos().iloc[:2].assign(path=["circle/gone.jpg", "circle/gone too.jpg"])
    with pytest.raises(InputError, match=r"gone\.jpg can no longer be read \(the file is gone\): put it back, or open"):
        pixels(workspace, photos, Preprocessing(256))


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
