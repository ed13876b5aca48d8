"""Pictures made of photos: what the folder holds, and where the model errs."""

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from cvtune_nb.data.photo import FULL, Levels
from cvtune_nb.data.pixels import thumbnail
from cvtune_nb.plots.accuracy import bars
from cvtune_nb.plots.style import BLUE, INK, ORANGE, figure, shortened

PathOf = Callable[[str], Path]
"""Where a manifest's path lies on disk: `workspace.path_of`."""


def contact_sheet(
    photos: pd.DataFrame, path_of: PathOf, per_class: int = 8, classes: int = 12, levels: Levels = FULL
) -> Figure:
    """One row of photos for each class, evenly picked.

    Parameters
    ----------
    photos
        path,label.
    path_of
        `workspace.path_of`.
    per_class
        Photos in a row.
    classes
        Most rows; the largest classes are shown where there are more.
    levels
        `workspace.levels`.
    """
    sizes = photos["label"].value_counts()
    shown = sorted(sizes.index[:classes])
    made = figure(8.4, 0.95 * max(1, len(shown)) + 0.35)
    grid = made.subplots(max(1, len(shown)), per_class, squeeze=False)
    for row, label in zip(grid, shown, strict=False):
        paths = photos.loc[photos["label"] == label, "path"].tolist()
        picked = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, per_class).astype(int))]
        for axes, path in zip(row, [*picked, *[None] * per_class], strict=False):
            _show(axes, path, path_of, levels=levels)
        row[0].text(
            -0.08,
            0.5,
            f"{shortened(label, 16)}\n{len(paths)}",
            transform=row[0].transAxes,
            fontsize=9,
            ha="right",
            va="center",
            color=INK,
            parse_math=False,
        )
    left_out = f", the {classes} largest shown" if len(sizes) > classes else ""
    noun = "class" if len(sizes) == 1 else "classes"
    made.suptitle(f"{len(photos)} photos in {len(sizes)} {noun}{left_out}", fontsize=11, x=0.01, ha="left")
    return made


def mistakes(
    rows: pd.DataFrame, path_of: PathOf, most: int = 12, levels: Levels = FULL, decided: bool = False
) -> Figure:
    """The photos that the model got wrong, the most confident first.

    Parameters
    ----------
    rows
        path,label,predicted,score (larger: the model was more confident).
    path_of
        `workspace.path_of`.
    most
        How many to show.
    levels
        `workspace.levels`.
    decided
        Whether answers are those that cost least, not the likeliest classes.
    """
    rows = rows.sort_values("score", ascending=False, kind="stable")
    shown = rows.head(most)
    columns = 6
    lines = max(1, -(-len(shown) // columns))
    made = figure(8.4, 1.75 * lines + 0.35)
    grid = made.subplots(lines, columns, squeeze=False).ravel()
    for axes, row in zip(grid, shown.itertuples(), strict=False):
        _show(axes, row.path, path_of, levels=levels)
        axes.set_title(f"true: {shortened(row.label, 16)}", fontsize=8, color=BLUE, pad=2, parse_math=False)
        axes.set_xlabel(
            f"{'answered' if decided else 'predicted'}: {shortened(row.predicted, 14)}",
            fontsize=8,
            color=ORANGE,
            labelpad=2,
            parse_math=False,
        )
    for axes in grid[len(shown) :]:
        axes.axis("off")
    noun = "mistake" if len(rows) == 1 else "mistakes"
    title = f"{len(rows) or 'No'} {noun} on the validation photos"
    confident = f"; the {most} most confident" if len(rows) > most else ""
    made.suptitle(title + confident, fontsize=11, x=0.01, ha="left")
    return made


def cut_off(rows: pd.DataFrame, path_of: PathOf, levels: Levels = FULL) -> Figure:
    """Photos with what a centre square leaves out of them under a veil.

    Parameters
    ----------
    rows
        path,width,height,cut_off (the fraction of the area).
    path_of
        `workspace.path_of`.
    levels
        `workspace.levels`.
    """
    columns = 4
    lines = max(1, -(-len(rows) // columns))
    made = figure(8.4, 1.6 * lines + 0.4)
    grid = made.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(rows) :]:
        axes.axis("off")
    for axes, row in zip(grid, rows.itertuples(), strict=False):
        side = 160
        _show(axes, row.path, path_of, side, levels)
        axes.set_xlabel(f"{row.cut_off:.0%} cut off", fontsize=8, color=ORANGE, labelpad=2)
        scale = side / max(row.width, row.height)
        width, height = row.width * scale, row.height * scale
        square = min(width, height)
        veil = ((width - square) / 2, height) if row.width > row.height else (width, (height - square) / 2)
        for far in (0, 1):  # one end of the photo, then the other
            left, top = (side - width) / 2 + far * (width - veil[0]), (side - height) / 2 + far * (height - veil[1])
            axes.add_patch(Rectangle((left, top), *veil, facecolor=ORANGE, alpha=0.55, edgecolor=INK, linewidth=0.8))
    most = rows["cut_off"].max() if len(rows) else 0
    title = f"The crop cuts off up to {most:.0%} of a photo" if most else "The crop cuts nothing off"
    made.suptitle(title, fontsize=11, x=0.01, ha="left")
    return made


def answer(
    path: Path,
    table: pd.DataFrame,
    square: np.ndarray | None = None,
    heat: np.ndarray | None = None,
    levels: Levels = FULL,
) -> Figure:
    """One photo and, beside it, how probable a model finds its classes.

    Parameters
    ----------
    path
        The photo.
    table
        label,probability, best first.
    square
        The photo as the network sees it, uint8 RGB (s, s, 3); shown with `heat` where both are given.
    heat
        How much each pixel mattered, (s, s), 0..1.
    levels
        The model's, for photos of more than 8 bits a channel.
    """
    made = figure(8.4 if heat is not None else 7.6, 2.8)
    if heat is None:
        left, right = made.subplots(1, 2, width_ratios=[1, 1.6])
    else:
        left, middle, right = made.subplots(1, 3, width_ratios=[1, 1, 1.5])
        middle.imshow(square)
        middle.imshow(heat, cmap="inferno", alpha=0.25 + 0.45 * heat, vmin=0, vmax=1)
        middle.set(xticks=[], yticks=[])
        middle.spines[:].set_visible(False)
        middle.set_title(f"evidence for {shortened(table['label'].iloc[0], 20)}", fontsize=8, parse_math=False)
    _show(left, str(path), Path, 320, levels)
    bars(right, table)
    return made


def rows_of_photos(rows: Mapping[str, Sequence[str]], path_of: PathOf, levels: Levels = FULL) -> Figure:
    """A row of photos under each name.

    Parameters
    ----------
    rows
        Paths by name; at most six of each are shown.
    path_of, levels
        `workspace.path_of` and `workspace.levels`.
    """
    count, columns = max(1, len(rows)), 6
    made = figure(8.4, 0.2 + 1.7 * count)
    for part, (name, paths) in zip(made.subfigures(count, 1, squeeze=False).ravel(), rows.items(), strict=False):
        part.suptitle(shortened(name, 90), fontsize=9, x=0.01, ha="left").set_parse_math(False)
        for axes, path in zip_longest(part.subplots(1, columns), paths[:columns]):
            _show(axes, path, path_of, levels=levels)
    return made


def _show(axes: Axes, path: str | None, path_of: PathOf, side: int = 128, levels: Levels = FULL) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if path is None:
        return
    try:
        with Image.open(io.BytesIO(thumbnail(path_of(path), side, levels))) as image:
            axes.imshow(ImageOps.pad(image.convert("RGB"), (side, side), color="white"), interpolation="antialiased")
    except (OSError, ValueError) as error:  # moved or damaged since it was listed: say so in its place
        text = f"can't be read:\n{type(error).__name__}"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, fontsize=8, ha="center", va="center", color=INK)
