"""Photos that one camera took shortly after each other, by what EXIF says of them."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pandas as pd

from cvtune_nb.data import photo
from cvtune_nb.files import Progress, read_csv, silent, write_csv
from cvtune_nb.workspace import Workspace

BLOCK = 256
"""Photos that are read between two reports of progress."""


def by_time(photos: pd.DataFrame, when: pd.DataFrame, seconds: float) -> list[str]:
    """The group of each photo: its camera and the time of the first photo in it; "" without a time.

    Parameters
    ----------
    photos
        path, sha256.
    when
        What `taken` gives of them.
    seconds
        From a photo to the next of its camera that is of the same group, at most.
    """
    table = photos[["path", "sha256"]].merge(when, on="sha256", how="left").set_index(photos.index)
    names = pd.Series("", index=photos.index)
    for camera, rows in table[table["seconds"].notna()].groupby("camera"):
        ordered = rows.sort_values(["seconds", "path"])
        begins = ordered["seconds"].diff().fillna(math.inf) > seconds
        first = ordered["time"].where(begins).ffill()
        names[ordered.index] = [f"{camera} {time}".strip() for time in first]
    return names.to_list()


def taken(space: Workspace, photos: pd.DataFrame, progress: Progress = silent) -> pd.DataFrame:
    """When photos were taken, by EXIF: sha256, camera, time (EXIF's, "" for none), seconds (NaN for none).

    photos: path, sha256. Each content is looked at once; the rest is in the cache.
    """
    file = space.folder / "cache" / "taken.csv"
    kept = {"sha256": str, "camera": str, "time": str}
    table = read_csv(file, **kept) if file.exists() else pd.DataFrame(columns=list(kept), dtype=str)
    new = photos[~photos["sha256"].isin(table["sha256"])].drop_duplicates("sha256")
    found: list[tuple[str, str]] = []
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for first in range(0, len(new), BLOCK):
                progress(first / len(new), f"reading when photos were taken: {first:,} of {len(new):,}")
                paths = new["path"].iloc[first : first + BLOCK]
                found += pool.map(lambda path: photo.taken(space.path_of(path)), paths)
    finally:  # what was read before a stop is kept
        if found:
            read = pd.DataFrame(found, columns=["camera", "time"])
            read = read.assign(sha256=new["sha256"].to_numpy()[: len(found)])
            table = pd.concat([table, read], ignore_index=True)[list(kept)]
            file.parent.mkdir(parents=True, exist_ok=True)
            write_csv(file, table)
    table = table[table["sha256"].isin(photos["sha256"])]
    return table.assign(seconds=[_in_seconds(time) for time in table["time"]])


def _in_seconds(time: str) -> float:
    """Seconds since the year 1, of a time as EXIF has it; NaN for none and for one that is no time (0000:00:00 ...)."""
    whole, _, fraction = time.partition(".")
    try:
        return (datetime.strptime(whole, "%Y:%m:%d %H:%M:%S") - datetime.min).total_seconds() + float(
            f"0.{fraction or 0}"
        )
    except ValueError:
        return math.nan
