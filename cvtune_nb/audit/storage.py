"""Whether photos are read more slowly than the network takes them.

Measured here, on these photos, cold: from their files as they are, and from the pixels that are packed in the
workspace.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cvtune_nb.audit.check import Issue, issue
from cvtune_nb.data.photo import UnreadablePhoto
from cvtune_nb.data.pixels import Pixels
from cvtune_nb.files import forget
from cvtune_nb.workspace import Workspace

if TYPE_CHECKING:
    from cvtune_nb.audit.context import Context

ROUNDS = 3
"""Files and packed pixels are read in turns, so many times; each figure is the median of its rounds."""

FILES, ROWS = 21, 64
"""Photos a round: files drawn from all over the folder, and packed ones (12 MB at image size 224, more than the 8 MB
that Linux may read ahead at once)."""

SECONDS = 0.25
"""No reading is begun after so long in a round: slow storage, which it is all about, must not hold up the audit."""

MARGIN = 2.0
"""Storage is called slow when the network takes more than this times what it gives. Ours: below that, other work
going on at the same time explains it as well."""


@dataclass(frozen=True)
class Storage:
    """How fast photos are read.

    Attributes
    ----------
    files, packed : float
        Photos a second, read and decoded from their files on all cores, and from the packed pixels.
    network : float or None
        Photos a second that the frozen network takes; None: not known.
    reading : float
        Fraction (0 to 1) of the files' time that is reading; the rest is decoding.
    cold : bool
        Whether this machine's memory was cleared of them first (Linux), or they may have come from there.
    """

    files: float
    packed: float
    network: float | None
    reading: float
    cold: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, rates with three digits."""
        values = asdict(self)
        return {key: float(f"{value:.3g}") if isinstance(value, float) else value for key, value in values.items()}


def measure(
    workspace: Workspace,
    photos: pd.DataFrame,
    packed: Pixels,
    network: float | None,
    read: Callable[[Path], bytes] = Path.read_bytes,
) -> Storage | None:
    """Read some photos from their files and from their packed pixels, for less than 2 seconds in all.

    The packed photos are neighbours, as features are computed from them.

    Parameters
    ----------
    workspace : Workspace
        Where the photos are.
    photos : pandas.DataFrame
        path (n rows).
    packed : Pixels
        Their pixels, in the same order.
    network : float or None
        Photos a second that the network takes.
    read : callable
        How a file is read.

    Returns
    -------
    Storage or None
        None when no photo can be read.
    """
    order = np.random.default_rng(0).permutation(len(photos))[: ROUNDS * FILES]
    paths = [workspace.path_of(path) for path in photos["path"].iloc[order]]

    def look(path: Path, end: float) -> tuple[float, float] | None:
        """Seconds that reading and decoding took; None from `end` on and for what can't be read any more."""
        begun = time.perf_counter()
        if begun > end:
            return None
        try:
            content = read(path)
            half = time.perf_counter()
            packed.decode(io.BytesIO(content), packed.side)
        except (OSError, UnreadablePhoto):
            return None
        return half - begun, time.perf_counter() - half

    took, from_files, from_rows, cold = [], [], [], True
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number in range(ROUNDS):
            some = paths[number::ROUNDS]
            dropped = [forget(path) for path in some]
            begun = time.perf_counter()
            seen = [seconds for seconds in pool.map(lambda path: look(path, begun + SECONDS), some) if seconds]  # noqa: B023
            if seen:
                from_files.append(len(seen) / (time.perf_counter() - begun))
                took += seen

            first = number * max(0, len(packed) - ROWS) // (ROUNDS - 1)
            rows = np.arange(first, min(first + ROWS, len(packed)))
            cold &= packed.forget(rows) and all(dropped)
            begun, done = time.perf_counter(), 0
            while done < len(rows) and time.perf_counter() < begun + SECONDS:
                packed[rows[done : done + 8]]
                done += 8
            from_rows.append(min(done, len(rows)) / max(time.perf_counter() - begun, 1e-9))
    if not took:
        return None
    reading, decoding = np.sum(took, axis=0)
    rates = float(np.median(from_files)), float(np.median(from_rows))
    return Storage(*rates, network, float(reading / (reading + decoding)), cold)


def slow_storage(context: Context) -> list[Issue]:
    """Whether the storage, or the decoding of files, is slower than the network."""
    storage = context.storage
    if storage is None or storage.network is None:
        return []
    state = "read for the first time" if storage.cold else "read from memory or disk"
    network = f"the network takes {storage.network:.0f}"
    if storage.network > MARGIN * storage.packed:
        what = f"{state}, packed pixels come at {storage.packed:.0f} photos a second and {network}"
        remedy = "put the workspace on a disk of this machine (--workspace, or WORKSPACE in the notebooks)"
        return [issue("", 1 - storage.packed / storage.network, what, remedy)]
    if storage.network > MARGIN * storage.files:
        what = f"{state}, photos come from their files at {storage.files:.0f} a second ({storage.reading:.0%} of that "
        what += f"time is reading, the rest decoding) and {network}"
        remedy = "let every step read the pixels that are packed in the workspace, as all steps here do: they come at "
        remedy += f"{storage.packed:.0f} a second, {storage.packed / storage.files:.0f} times faster"
        if storage.reading > 0.5:
            remedy += "; before the next image size, which is packed anew, copy the photos to a disk of this machine"
        return [issue("", 1 - storage.files / storage.network, what, remedy)]
    return []
