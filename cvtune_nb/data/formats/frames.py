"""Videos: photos are their frames, so many a second, and those of one video belong together."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.folders import read_folders
from cvtune_nb.data.formats.packed import Packed, below, left_beside, relative
from cvtune_nb.data.layout import Layout
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".m4v", ".webm", ".wmv", ".mpg", ".mpeg")
A_SECOND = 1.0
"""Frames taken of a second where nothing is said: those between differ little, as a rule."""
QUALITY = 95


@dataclass(frozen=True)
class Frames(Packed):
    """Each video lies in the folder of its class; its frames come to lie there in its place.

    rate: how many a second.
    """

    rate: float = A_SECOND

    name, title = "frames", "videos"

    def asked(self, option: str) -> Packed:
        """frames:0.5 takes one every two seconds."""
        return Frames(_rate(option)) if option else self

    def find(self, source: Path) -> list[Path]:
        """All that are called so."""
        return below(source, *VIDEOS)

    def unpack(self, files: list[Path], source: Path, into: Path, progress: Progress) -> Layout:
        """cat/1.mp4 becomes cat/1.mp4-000000.jpg and so on; the folders say the labels as those of photos do."""
        left_out, videos = left_beside(source, files), {}
        for number, file in enumerate(files):
            place, count = relative(file, source), 0
            (into / place).parent.mkdir(parents=True, exist_ok=True)
            for count, content in enumerate(_frames(file, self.rate), 1):
                progress(number / len(files), f"taking frames of {file.name}: {count:,}")
                path = place.with_name(f"{place.name}-{count - 1:06d}.jpg")
                (into / path).write_bytes(content)
                videos[path.as_posix()] = place.as_posix()
            if not count:
                left_out.append(
                    (place.as_posix(), "", "no frame of it can be read; convert it to MP4, or leave it out")
                )
        if not videos:
            raise InputError(f"{source} has videos of which no frame can be read: convert them to MP4 (H.264)")
        try:
            found = read_folders(Folder(into)).with_left_out(left_out)
        except InputError as error:
            raise InputError(str(error).replace(str(into), str(source))) from None
        return replace(
            found,
            notes=[f"frames of {len(files)} {self.title}, {self.rate:g} a second", *found.notes],
            kind=self.name,
            columns=pd.DataFrame({"video": [videos[path] for path in found.found["path"]]}, dtype=str),
            grouped_by="video",
        )


def _rate(option: str) -> float:
    try:
        rate = float(option)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise InputError(
            f"--layout frames:{option} is no number of frames a second: give one above 0, as in frames:0.5"
        )
    return rate


def _frames(file: Path, rate: float) -> Iterator[bytes]:
    """The first frame, and then so many a second, as JPEG."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # it talks to its own developers
    try:
        import cv2
    except ImportError:
        raise InputError(f"{file} is a video: install what reads it, with pip install 'cvtune-nb[video]'") from None
    video = cv2.VideoCapture(str(file))
    try:
        a_second, taken, number = video.get(cv2.CAP_PROP_FPS) or 25.0, 0, 0
        while video.grab():
            if number / a_second >= taken / rate - 1e-6:
                is_read, frame = video.retrieve()
                if is_read:
                    taken = max(taken + 1, math.floor(number / a_second * rate) + 1)
                    yield cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
            number += 1
    finally:
        video.release()
