"""Photos that are frames of videos."""

import sys

import cv2
import numpy as np
import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError
from tests.layouts import one_sentence

A_SECOND = 10


def video(file, seed, seconds=3):
    """Noise that changes with each frame, 10 a second."""
    file.parent.mkdir(parents=True, exist_ok=True)
    written = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), A_SECOND, (32, 32))
    random = np.random.default_rng(seed)
    for _ in range(seconds * A_SECOND):
        written.write(random.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    written.release()


@pytest.fixture
def videos(tmp_path):
    for seed in range(10):
        video(tmp_path / "videos" / ("cat", "dog")[seed % 2] / f"{seed}.avi", seed)
    (tmp_path / "videos" / "notes.txt").write_text("filmed in May")
    return tmp_path / "videos"


def test_one_frame_a_second_of_each_video_which_is_a_group(videos, tmp_path):
    space = open_workspace(videos, tmp_path / "w")
    manifest = space.manifest()
    assert len(manifest) == 30
    assert manifest["path"][0] == "cat/0.avi-000000.jpg"
    assert all(row.path.startswith(f"{row.label}/") for row in manifest.itertuples())
    of_video = manifest.assign(video=manifest["path"].str.split("-").str[0]).groupby("video")
    assert (of_video["split"].nunique() == 1).all() and (of_video["group"].nunique() == 1).all()
    assert manifest["group"].nunique() == 10
    assert space.recognised == "frames of 10 videos, 1 a second"
    assert "notes.txt" in space.skipped()["path"].tolist()


def test_they_are_taken_once_and_again_when_a_video_has_changed(videos, tmp_path):
    space = open_workspace(videos, tmp_path / "w")
    taken = {path: path.stat().st_mtime_ns for path in space.data.rglob("*.jpg")}
    again = open_workspace("", tmp_path / "w")
    assert {path: path.stat().st_mtime_ns for path in again.data.rglob("*.jpg")} == taken
    video(videos / "cat" / "0.avi", 99, seconds=5)
    assert len(open_workspace(videos, tmp_path / "w").manifest()) == 32


@pytest.mark.parametrize(
    ("layout", "count"), [("frames", 30), ("frames:5", 150), ("frames:0.5", 20), ("frames:99", 300)]
)
def test_so_many_a_second(videos, tmp_path, layout, count):
    assert len(open_workspace(videos, tmp_path / "w", layout=layout).manifest()) == count


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "many"])
def test_a_rate_that_is_none(videos, tmp_path, rate):
    with pytest.raises(InputError) as error:
        open_workspace(videos, tmp_path / "w", layout=f"frames:{rate}")
    one_sentence(error, f"frames:{rate} is no number of frames a second")


def test_a_video_that_can_not_be_read_is_left_out(videos, tmp_path):
    (videos / "cat" / "broken.mp4").write_bytes(b"no video")
    space = open_workspace(videos, tmp_path / "w")
    assert len(space.manifest()) == 30
    skipped = space.skipped().set_index("path")["reason"]
    assert skipped["cat/broken.mp4"].startswith("no frame of it can be read")
    for file in videos.rglob("*.avi"):
        file.write_bytes(b"no video")
    with pytest.raises(InputError) as error:
        open_workspace(videos, tmp_path / "w2")
    one_sentence(error, videos, "no frame can be read")


def test_photos_beside_videos_are_what_is_meant(videos, tmp_path):
    for number in range(6):
        for label in ("cat", "dog"):
            frame = np.random.default_rng([number, len(label), ord(label[0])]).integers(0, 256, (32, 32, 3))
            cv2.imwrite(str(videos / label / f"{number}.png"), frame.astype(np.uint8))
    assert len(open_workspace(videos, tmp_path / "w").manifest()) == 12
    assert len(open_workspace(videos, tmp_path / "w2", layout="frames").manifest()) == 30


def test_videos_without_a_class(tmp_path):
    for seed in range(2):
        video(tmp_path / "videos" / f"{seed}.avi", seed)
    with pytest.raises(InputError) as error:
        open_workspace(tmp_path / "videos", tmp_path / "w")
    one_sentence(error, tmp_path / "videos", "put one folder per class in it")


def test_without_the_library_its_name_is_said(videos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError) as error:
        open_workspace(videos, tmp_path / "w")
    one_sentence(error, "cat/0.avi is a video", "pip install 'cvtune-nb[video]'")
