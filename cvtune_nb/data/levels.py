"""Photos that hold more than can be shown: which of their values are black and white, and which bands are colours.

Decided once for a data set. A 16-bit file may hold 10, 12 or 14 bits; one dark picture can't say which, all of them
together can. Which three of many bands are shown red, green and blue only a person can say.
"""

import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath

import numpy as np

from cvtune_nb.data import file_types, photo
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace

BITS = (8, 10, 12, 14, 16, 20, 24, 32)
"""What scanners, cameras and detectors give; the least that holds all values is taken."""

AUTO = "auto"
"""Stands for levels that are decided from the photos, where a person may choose others."""

DARK = 4
"""So many times darker than need be: from there it is said."""

ALWAYS_EIGHT = {".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".heic", ".heif", ".avif"}


def limit(value: float, floating: bool, bits: Sequence[int] = BITS) -> float:
    """The white that goes with a highest value, over 0: 4095 for 2600.

    Floating-point values below 128 are in a unit of their own, such as metres, and no bits: 7.0 for 6.97. So are all
    values where no bits are given.

    Parameters
    ----------
    value
        The highest value of the photos.
    floating
        Whether the values are floating-point ones.
    bits
        How many bits a camera or scanner may use, in ascending order.
    """
    if floating and (value < 128 or not bits):
        value = float(f"{value:.6g}")  # what float32 adds to 8.3 is none of it
        digits = 1 - math.floor(math.log10(value))
        return math.ceil(value * 10**digits) / 10**digits
    return float(next((2**count - 1 for count in bits if value < 2**count), value))


def levels_for(lowest: float, highest: float, floating: bool) -> photo.Levels:
    """Black and white for values from `lowest` to `highest`; FULL where they are what the file type is for.

    Black is 0 unless there are values below it.

    Parameters
    ----------
    lowest, highest
        Of the values of all photos.
    floating
        Whether they are floating-point values.
    """
    if lowest >= 0 and (highest <= 1 if floating else 2**14 <= highest < 2**16):
        return photo.FULL
    if floating and lowest >= -1 and highest <= 1:
        return -1.0, 1.0
    if lowest >= 0:
        return (0.0, limit(highest, floating)) if highest > 0 else photo.FULL
    bits = () if floating else range(33)
    white = limit(highest, floating, bits) if highest > 0 else 0.0
    return -limit(-lowest, True, ()) if floating else -1 - limit(-1 - lowest, False, bits), white


def high_depth(workspace: Workspace, paths: Iterable[str]) -> list[str]:
    """Those of `paths`, relative to the workspace's data, that have more than 8 bits a channel; by their headers."""

    def is_deep(path: str) -> bool:
        try:
            return photo.header(workspace.path_of(path), workspace.levels)[2]
        except (OSError, photo.UnreadablePhoto):
            return False

    paths = [path for path in paths if PurePath(path).suffix.lower() not in ALWAYS_EIGHT]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [path for path, deep in zip(paths, pool.map(is_deep, paths), strict=True) if deep]


def settle(workspace: Workspace, paths: Sequence[str], progress: Progress = silent) -> dict[str, str]:
    """Decide the workspace's levels from its high-depth photos, or note what these hold where they are decided already.

    Parameters
    ----------
    workspace
        Its levels are written to workspace.json.
    paths
        The high-depth photos, as the manifest names them.
    progress
        Called with the fraction done (0..1) and a few words.

    Returns
    -------
    dict
        The reason for each photo that can't be used: {path: reason}.
    """

    def look(path: str) -> tuple[bool, float, float] | str:
        try:
            return photo.value_range(workspace.path_of(path), workspace.levels)
        except photo.UnreadablePhoto as error:
            return str(error)

    seen, reasons = {}, {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (path, found) in enumerate(zip(paths, pool.map(look, paths), strict=True)):
            progress(number / len(paths), f"reading photos of more than 8 bits: {number} of {len(paths)}")
            (reasons if isinstance(found, str) else seen)[path] = found
    depth = workspace.depth or {}
    if seen:
        depth = _of_set(list(seen.values())) | depth  # what is decided stays
        strange = {path: reason for path, found in seen.items() if (reason := _strange(found, depth))}
        seen, reasons = {path: seen[path] for path in seen if path not in strange}, reasons | strange
        depth = _counted(depth, seen) if seen else depth
    if (depth or None) != workspace.depth or not workspace.settled:
        workspace.keep_depth(depth or None)
    return reasons


def _of_set(ranges: Sequence[tuple[bool, float, float]]) -> dict:
    """What is decided from the value ranges of photos.

    Where there are whole numbers, floating-point ones up to 1 have no say; others are taken for whole numbers that were
    saved so.
    """
    floating = all(each[0] for each in ranges)
    kinds, lows, highs = zip(*(each for each in ranges if floating or not _is_unit(each)), strict=True)
    black, white = levels_for(min(lows), max(highs), floating)
    if (black, white) == photo.FULL and len(set(kinds)) > 1:
        white = 65535.0  # for both kinds
    return {
        "black": black,
        "white": white,
        "chosen": False,
        "floating": floating,
        "typical": float(np.median(highs)),
        "photos": 0,
        "outside": 0,
        "first_outside": "",
    }


def _is_unit(found: tuple[bool, float, float]) -> bool:
    """Whether its values are floating-point ones from -1 to 1, and not all 0."""
    floating, lowest, highest = found
    return floating and lowest >= -1 and highest <= 1 and (lowest, highest) != (0, 0)


def _strange(found: tuple[bool, float, float], depth: dict) -> str:
    """Why a photo can't be shown with the same levels as the others; "" where it can."""
    if depth["chosen"]:
        return ""
    if _is_unit(found) and not depth["floating"]:
        return "floating-point values up to 1, where the other photos have whole numbers; save it as these are"
    if not found[0] and depth["floating"] and depth["white"] <= 1:
        return "whole numbers, where the other photos have floating-point values up to 1; save it as these are"
    return ""


def _counted(depth: dict, seen: dict[str, tuple[bool, float, float]]) -> dict:
    """`depth` with what these photos hold added.

    photos, outside: how often one was looked at, and how often it had values outside of the levels; a photo that has
    changed, or that a detector is trained on, too, is looked at again.
    """
    black, white = black_and_white(depth)
    outside = [path for path, (_, low, high) in seen.items() if low < black or high > white]
    lows, highs = ([found[side] for found in seen.values()] for side in (1, 2))
    return depth | {
        "photos": depth["photos"] + len(seen),
        "lowest": min([depth.get("lowest", math.inf), *lows]),
        "highest": max([depth.get("highest", -math.inf), *highs]),
        "outside": depth["outside"] + len(outside),
        "first_outside": depth["first_outside"] or next(iter(outside), ""),
    }


def black_and_white(depth: dict) -> photo.Levels:
    """Black and white in numbers."""
    if (depth["black"], depth["white"]) != photo.FULL:
        return depth["black"], depth["white"]
    return 0.0, 1.0 if depth["floating"] else 65535.0


def choose(workspace: Workspace, black: float | str = "", white: float | str = "", bands: str = "") -> None:
    """From now on show these values of high-depth photos black and white, and these bands red, green and blue.

    The pixels are made anew, and what was trained before belongs to earlier data.

    Parameters
    ----------
    workspace
        Whose photos.
    black, white
        A value; AUTO: decided from the photos at the next opening; empty: as it is.
    bands
        Three numbers with commas between them, for TIFFs of many bands; AUTO: none are chosen; empty: as it is.

    Raises
    ------
    InputError
        For what is no number, for black that is not below white, and for bands that are not three.
    """
    chosen = workspace.bands if bands == "" else () if bands == AUTO else _bands(bands)
    of_others = bool(chosen != workspace.bands and workspace.depth and not workspace.depth["chosen"])
    before = {} if of_others else workspace.depth or {}
    old = black_and_white(before) if before.get("photos") else (0.0, 65535.0)
    new = tuple(
        was if given in ("", AUTO) else _number(name, given)
        for name, given, was in zip(("black", "white"), (black, white), old, strict=True)
    )
    if not new[0] < new[1]:
        raise InputError(f"black is {new[0]:g} and white {new[1]:g}: choose a white above the black")
    if chosen != workspace.bands:
        workspace.keep_bands(chosen)
    if of_others or AUTO in (black, white):
        workspace.forget_depth()
    if AUTO in (black, white) or "" == black == white:
        return
    if new != old or not before:
        workspace.keep_depth(
            {"photos": 0}
            | before
            | {"black": new[0], "white": new[1], "chosen": True, "outside": 0, "first_outside": ""}
        )


def _bands(given: str) -> tuple[int, ...]:
    bands = given.replace(" ", "").split(",")
    if len(bands) != 3 or not all(band.isascii() and band.isdigit() and 1 <= int(band[:5]) <= 65535 for band in bands):
        raise InputError(f"bands is {given!r}: give three numbers from 1 up, such as 3,2,1, or {AUTO}")
    return tuple(map(int, bands))


def _number(name: str, given: float | str) -> float:
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not abs(value) < photo.NOTHING:
        raise InputError(f"{name} is {given!r}: give a number, such as 4095, or {AUTO}")
    return value


def require_high_depth(workspace: Workspace) -> None:
    """Raises InputError where levels were chosen for photos that have none; they are forgotten."""
    if workspace.depth and not workspace.depth["photos"]:
        workspace.keep_depth(None)
        raise InputError(
            f"none of the photos in {workspace.source} has more than 8 bits a channel: leave black and white out"
        )


def require_many_bands(workspace: Workspace, paths: Iterable[str], bands: str) -> None:
    """Raises InputError where bands are chosen now and no photo has more than three; the choice is forgotten.

    Parameters
    ----------
    workspace
        Whose photos they are.
    paths
        The photos, as the manifest names them.
    bands
        What `choose` was given.
    """
    if bands in ("", AUTO) or any(file_types.has_many_bands(workspace.path_of(path)) for path in paths):
        return
    workspace.keep_bands(())
    raise InputError(f"none of the photos in {workspace.source} is a TIFF of more than three bands: leave bands out")


def require_same(workspace: Workspace, levels: photo.Levels, run: str) -> None:
    """Raises InputError where a run was trained on photos with other levels than the workspace has now.

    Parameters
    ----------
    workspace
        The workspace.
    levels
        The run's.
    run
        Its id, for the message.
    """
    if tuple(levels) != tuple(workspace.levels):
        raise InputError(
            f"run {run} has learned from photos with {described(levels)}, and the workspace has "
            f"{described(workspace.levels)}: train again, or open the photos with the --black, --white and --bands of "
            "the run"
        )


def described(levels: Sequence[float]) -> str:
    """Levels in words."""
    black, white, *bands = levels
    words = (
        f"{black:g} as black and {white:g} as white" if (black, white) != photo.FULL else "the full range of the files"
    )
    return words + (f", bands {_listed(bands)} as red, green and blue" if bands else "")


def _listed(bands: Sequence[float]) -> str:
    red, green, blue = (f"{band:g}" for band in bands)
    return f"{red}, {green} and {blue}"


def in_words(workspace: Workspace) -> str:
    """What was decided and why, and what to do where it may be wrong; "" for photos of 8 bits and three bands."""
    several = (
        f"bands {_listed(workspace.bands)} of TIFFs of many are shown red, green and blue" if workspace.bands else ""
    )
    return "; ".join(filter(None, [_depth_in_words(workspace.depth), several]))


def _depth_in_words(depth: dict | None) -> str:
    if not depth or not depth.get("photos"):
        return ""
    black, white = black_and_white(depth)
    holds = f"{int(white).bit_length()} bits"
    if depth["chosen"] or depth["floating"] or black:
        holds = f"values from {depth['lowest']:g} to {depth['highest']:g}"
    words = f"photos of more than 8 bits a channel hold {holds}: {black:g} is shown black, {white:g} white"
    if depth["chosen"]:
        return words + ", as you chose; what lies outside is cut off"
    if depth["outside"]:
        words += f"; some values, first in {depth['first_outside']}, lie outside of that (from {depth['lowest']:g} to "
        words += f"{depth['highest']:g}) and are cut off: change it with --white and --black, or in notebook 00"
    less = limit(depth["typical"], depth["floating"]) if depth["typical"] > 0 else white
    if white >= DARK * less and less > black:
        words += f"; half of them stay below {less:g} and come out dark: --white {less:g} shows these brighter"
    return words
