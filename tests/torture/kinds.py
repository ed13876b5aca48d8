"""What a kind of file is, and how one is entered among KINDS."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.photos import draw_photo

SIDE = 72
"""About how many pixels the pictures are wide and high."""

REPLACE = "replace the file by a readable copy, or delete it"
AS_JPEG = "save it as JPEG"

LOSSLESS, LOSSY = 1, 12
"""How far the pixels that were read may be from `shows`, on average, of 255."""


@dataclass(frozen=True)
class Kind:
    """file: its name in the class folder; content: its bytes, or what makes it at a path; shows: the picture that
    must be seen (None: left out), to within `close` of 255 on average; reason, remedy: words that must be said; passed
    over: neither read nor listed; found: the file to look for, when it isn't `file`."""

    file: str | bytes
    content: bytes | Callable[[Path], object]
    shows: Image.Image | None = None
    close: float = LOSSLESS
    reason: str = ""
    remedy: str = REPLACE
    passed_over: bool = False
    found: str = ""

    def make(self, folder: Path) -> None:
        """Write the file into `folder`."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(self.file))))
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)

    @property
    def listed(self) -> str:
        """The name under which manifest.csv or skipped.csv must list it."""
        return self.found or os.fsencode(self.file).decode(errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")


KINDS: dict[str, Kind] = {}
"""All kinds by name."""


def picture() -> Image.Image:
    """The next picture, unlike all others, so that no kind is a copy of another."""
    number = len(KINDS)
    return draw_photo(number, SIDE, np.random.default_rng([7, number]))


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """`image` as the bytes of a file."""
    memory = io.BytesIO()
    image.save(memory, form, **options)
    return memory.getvalue()


def jpeg(image: Image.Image | None = None, **options: object) -> bytes:
    """A JPEG of `image`, or of the next picture."""
    return encoded(image or picture(), "JPEG", **{"quality": 92, **options})


def read(name: str, file: str, shows: Image.Image, content, close: float = LOSSLESS, **more: object) -> None:
    """Enter a kind that must be read."""
    KINDS[name] = Kind(file, content, shows, close, **more)


def read_as(
    name: str, file: str, form: str, mode: str = "RGB", close: float = LOSSLESS, frames: bool = False, **options: object
) -> None:
    """Enter the next picture, in a format and a mode of Pillow's; with `frames` two more come behind it."""
    image = picture().convert(mode)
    if frames:
        more = [Image.new("RGB", image.size, colour) for colour in ("red", "blue")]
        options |= {"save_all": True, "append_images": more}
    read(name, file, image.convert("RGB"), encoded(image, form, **options), close)


def left_out(name: str, file: str | bytes, content, reason: str, remedy: str = REPLACE, **more: object) -> None:
    """Enter a kind that must be left out."""
    KINDS[name] = Kind(file, content, reason=reason, remedy=remedy, **more)


def passed_over(name: str, file: str, content) -> None:
    """Enter a kind that is nobody's photo."""
    KINDS[name] = Kind(file, content, passed_over=True)
