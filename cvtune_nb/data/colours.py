"""What colours the photos of a set are stored in, and what they look like together."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cvtune_nb.data import photo
from cvtune_nb.data.colour_spaces import HDR, NO_PROFILE, TOLD
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.rows import drop
from cvtune_nb.files import read_csv
from cvtune_nb.workspace import CONVERTS, TABLES, Workspace

LOOKED_AT = 100
"""Photos, spread evenly, that stand for the set."""

GREY = 0.01
"""A photo is grey where its channels differ by less than this, on average, of 0 to 1: what JPEG adds is less."""


@dataclass(frozen=True)
class Tones:
    """What the photos of a set look like together, all of it from 0 to 1.

    Attributes
    ----------
    mean, deviation
        Of red, green and blue.
    low, high
        1% of the pixels are darker, and 1% brighter.
    looked_at, grey
        How many photos were looked at, and how many of them are grey.
    profiles
        How many of them have which colour profile other than sRGB, most first.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    low: float
    high: float
    looked_at: int
    grey: int
    profiles: dict[str, int]

    @property
    def words(self) -> str:
        """All of it in a sentence or two."""
        mean, deviation = (", ".join(f"{value:.2f}" for value in of) for of in (self.mean, self.deviation))
        grey = {0: "all are in colour", self.looked_at: "all are grey"}.get(self.grey, f"{self.grey} are grey")
        words = (
            f"{self.looked_at} photos looked at: {grey}; mean of red, green and blue {mean} (standard deviation "
            f"{deviation}), of 0 to 1; nearly all pixels lie from {self.low:.2f} to {self.high:.2f}"
        )
        told = [f"{count} in {name}" for name, count in self.profiles.items()]
        return words + (f"; other colours than sRGB, which are converted: {', '.join(told)}" if told else "")


def tones(workspace: Workspace, photos: pd.DataFrame, preprocessing: Preprocessing) -> Tones:
    """What a set looks like, by some of its photos.

    Parameters
    ----------
    workspace
        Whose photos they are.
    photos
        Columns path, sha256; at least one.
    preprocessing
        Whose pixels are looked at; best those that are kept anyway.
    """
    some = photos.iloc[np.unique(np.linspace(0, len(photos) - 1, LOOKED_AT).astype(int))]
    seen = pixels(workspace, some, preprocessing)[:]
    grey = (seen.max(axis=-1) - seen.min(axis=-1)).mean(axis=(1, 2)) < 255 * GREY
    counts = [np.bincount(seen[..., channel].ravel(), minlength=256) for channel in range(3)]
    values, total = np.arange(256) / 255, seen[..., 0].size
    mean = [float(count @ values / total) for count in counts]
    spread = [float(np.sqrt(max(count @ values**2 / total - m**2, 0))) for count, m in zip(counts, mean, strict=True)]
    below = np.cumsum(sum(counts)) / (3 * total)
    low, high = (float(values[np.searchsorted(below, share)]) for share in (0.01, 0.99))
    stored = stored_in(workspace, some)
    profiles = stored.loc[stored["profile"] != "", "profile"].value_counts()
    named = {str(name): int(count) for name, count in profiles.items()}
    return Tones(tuple(mean), tuple(spread), low, high, len(some), int(grey.sum()), named)


def stored_in(workspace: Workspace, photos: pd.DataFrame) -> pd.DataFrame:
    """What photo.colours says of each photo, by its header: path, stored, profile; "" where it can't be read now.

    photos: column path.
    """

    def look(path: str) -> tuple[str, str]:
        try:
            return photo.colours(workspace.path_of(path), workspace.levels)
        except (OSError, photo.UnreadablePhoto):
            return "", ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(look, photos["path"]))
    return pd.DataFrame(found, columns=["stored", "profile"]).assign(path=photos["path"].to_list())


def settle(workspace: Workspace) -> None:
    """Forget what an earlier version has computed from photos in other colours than sRGB, which it did not convert.

    Of classifiers and detectors alike. Where there are such photos, what was trained before belongs to earlier data.
    """
    if workspace.converts == CONVERTS:
        return
    files = [workspace.folder / table for table in TABLES]
    tables = [read_csv(file, path=str, sha256=str)[["path", "sha256"]] for file in files if file.exists()]
    photos = pd.concat([pd.DataFrame(columns=["path", "sha256"]), *tables])
    stored = stored_in(workspace, photos)["profile"].to_numpy()
    if workspace.converts:  # by embedded profiles
        stored = np.array([name if name.endswith(TOLD) else "" for name in stored], dtype=object)
    other = set(photos["sha256"][(stored != "") & ~np.isin(stored, (NO_PROFILE, HDR))])
    cache = workspace.folder / "cache"
    if other and cache.exists():
        drop(cache, other)
        for table in cache.rglob("svm-*.csv"):
            table.unlink()
    workspace.keep(converts=CONVERTS, colours_changed=workspace.colours_changed or bool(other))
