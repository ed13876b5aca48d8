"""From a person's photos, in any layout, to a manifest with a frozen split, and pixels that are decoded once."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb.data import colours, file_types, levels, photo
from cvtune_nb.data.archive import is_archive, unpack
from cvtune_nb.data.formats import PACKED, open_packed
from cvtune_nb.data.grouped_split import divided, grouped_split, require_asked, split_changed
from cvtune_nb.data.groups import Grouping, checked, grouping_of, usual_rule
from cvtune_nb.data.layout import Layout, require_classes
from cvtune_nb.data.pixels import room, store_of, thumbnail
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.read import read_layout
from cvtune_nb.data.sample import OnFirst, make_sample
from cvtune_nb.data.torchvision_sets import PREFIX, torchvision_table
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, sha256_of, silent, write_json
from cvtune_nb.parameters import RECOGNISE
from cvtune_nb.workspace import LONG_AGO, MANIFEST_COLUMNS, Workspace, home, workspace_name

__all__ = ["conflicts", "keep_together", "make_sample", "open_workspace", "preview_groups", "thumbnail"]

NATIVE = Preprocessing(224)
"""What pixels are kept for while every photo is decoded for its check anyway: most networks' own size."""


def open_workspace(
    data: str | Path = "",
    workspace: str | Path = "",
    seed: int = 0,
    progress: Progress = silent,
    on_sample: OnFirst | None = None,
    pixels_gb: float | str = "",
    layout: str = "",
    draw_validation: bool | None = None,
    black: float | str = "",
    white: float | str = "",
    bands: str = "",
    group_by: str = "",
    redraw_split: bool = False,
) -> Workspace:
    """The workspace of the photos at `data`, made on first use.

    `data` is a folder, an archive, or a file of photos or labels; or torchvision:NAME.

    Every photo is opened once: what can't be read is listed in skipped.csv with the reason, the rest is split (given
    splits are respected) and written to manifest.csv. Opening it again reads only files that are new or have changed;
    the split of known photos never changes.

    Parameters
    ----------
    data
        Where the photos are. Empty: the workspace itself if it exists, else what was opened last, else the sample
        photos.
    workspace
        The workspace's folder. Empty: one of its own in `home()`.
    seed
        Of the split, where it is drawn here.
    progress
        Called with the share done (0..1) and a few words.
    on_sample
        `on_first` of make_sample, where the sample photos are made.
    pixels_gb
        What Workspace.limit_pixels takes; empty leaves the limit as it is.
    layout
        One of parameters.LAYOUTS, where the folders can be read in several ways, or RECOGNISE; empty: as chosen before.
    draw_validation
        What assign_splits takes; None: as chosen before.
    black, white, bands
        What levels.choose takes.
    group_by
        One of parameters.GROUP_RULES: which photos belong together, and are never on both sides of the split. Empty: as
        chosen before, at first by the column group of a table that has one.
    redraw_split
        Draw the split anew, but only where the one there is, which is frozen otherwise, divides groups.

    Raises
    ------
    InputError
        When there is no photo to open, or the workspace belongs to other photos.
    """
    if not str(data):
        existing = Path(workspace).expanduser() if str(workspace) else opened_last()
        if existing and (existing / "workspace.json").exists():
            known = Workspace(existing)
            data, workspace = known.source, known.folder
        else:
            data = make_sample(home() / "sample", progress=progress, on_first=on_sample).directory
    if str(data).startswith(PREFIX):
        data = torchvision_table(str(data), home(), progress)
    source, folder = places(data, workspace)
    known = Workspace(folder) if (folder / "workspace.json").exists() else None
    said = "" if layout == RECOGNISE else layout or (known.layout if known else "")
    drawn = draw_validation if draw_validation is not None else bool(known and known.draw_validation)
    found = _layout(source, folder, said, progress)
    rule = checked(group_by) if group_by.strip() else known.group_by if known and known.has_manifest else None
    space = Workspace.create(folder, found.root, str(source), seed)
    if pixels_gb != "":
        space.limit_pixels(pixels_gb)
    levels.choose(space, black, white, bands)
    rule = usual_rule(found) if rule is None else rule
    _refresh(space, found, drawn, progress, rule, redraw_split)
    space.keep(layout=said, recognised=found.recognised, draw_validation=drawn, group_by=rule)
    levels.require_high_depth(space)
    levels.require_many_bands(space, space.manifest()["path"], bands)
    write_json(home() / "opened_last.json", {"workspace": str(space.folder)})
    return space


def places(data: str | Path, workspace: str | Path) -> tuple[Path, Path]:
    """Where the photos at `data` are and where their workspace is, by default one of its own in `home()`.

    Raises InputError, before anything is unpacked, when the photos are not there, when the workspace would lie among
    them, and when it belongs to others.
    """
    source = Path(data).expanduser().resolve()
    folder = Path(workspace).expanduser() if str(workspace) else _own_workspace(source)
    if source.is_dir() and folder.resolve().is_relative_to(source):
        raise InputError(f"the workspace {folder} lies inside the photo folder {source}: choose another folder for it")
    known = Workspace(folder) if (folder / "workspace.json").exists() else None
    if not source.exists() and not (known and known.source == str(source) and _unpacked_before(known)):
        if known and known.source == str(source):
            raise InputError(
                f"the photos of the workspace {known.folder} are no longer at {source}: say once where they are "
                "now, with --data beside --workspace (in notebook 00: Photos and Workspace)"
            )
        raise InputError(f"{source} does not exist: give the folder of your photos, a CSV file, a zip or a tar")
    if known:
        known.require_photos(str(source), _root(source, folder), content=False)
    return source, folder


def _own_workspace(source: Path) -> Path:
    """Where the workspace of these photos is when nobody said.

    The one that is theirs already, else the one they had when they lay somewhere else, else a new one, called like
    them. Raises InputError when several fit.
    """
    folder, name = home() / "workspaces", workspace_name(source)
    spaces = []
    for file in sorted(folder.glob("*/workspace.json")):
        with contextlib.suppress(InputError, KeyError):
            spaces.append(Workspace(file.parent))
    names = [name, *(f"{name}-{number}" for number in range(2, len(spaces) + 2))]
    for space in spaces:
        if space.source == str(source) and space.folder.name in names:
            return folder / space.folder.name
    fitting = []
    for space in spaces if source.exists() else ():
        root = _root(source, space.folder)
        if root and not Path(space.source).exists() and space.agreement(root, content=False)[0]:
            with contextlib.suppress(InputError):
                space.require_photos(str(source), root)
                fitting.append(folder / space.folder.name)
    if len(fitting) > 1:
        raise InputError(
            f"{source} holds the photos of several workspaces, {', '.join(map(str, fitting))}: name the right one with "
            "--workspace"
        )
    free = next(folder / each for each in names if not (folder / each / "workspace.json").exists())
    return fitting[0] if fitting else free


def _root(source: Path, folder: Path) -> Path | None:
    """The folder that paths of photos at `source` are relative to; None for an archive that is not unpacked yet."""
    if source.is_dir():
        return source
    if not is_archive(source):
        return source.parent
    into = _place_of(source, folder) if source.exists() else None
    return unpack(source, into) if into and into.exists() else None


def _place_of(archive: Path, folder: Path) -> Path:
    return folder / f"unpacked-{sha256_of(archive)[:12]}"


def _unpacked_before(space: Workspace) -> bool:
    """Whether what the workspace's archive held is there still, whatever became of the archive."""
    return is_archive(space.source) and space.data.is_relative_to(space.folder) and space.data.exists()


def unpacked(source: Path, folder: Path) -> Path:
    """`source`, or where it is an archive what is unpacked from it into the workspace `folder`, once."""
    if not is_archive(source) or source.is_dir():
        return source
    return unpack(source, _place_of(source, folder)) if source.exists() else Workspace(folder).data


def _layout(source: Path, folder: Path, layout: str, progress: Progress = silent) -> Layout:
    """read_layout of the photos, or of what is in their archive; or what had to be unpacked from other files."""
    place = unpacked(source, folder)
    found = open_packed(PACKED.values(), place, folder, layout, progress)
    if found is None:
        return read_layout(place, layout, str(source))
    require_classes(found, str(source), layout)
    return found


def opened_last() -> Path | None:
    """The folder of the workspace that was opened last."""
    try:
        return Path(read_json(home() / "opened_last.json")["workspace"])
    except (FileNotFoundError, ValueError):
        return None


def _refresh(
    space: Workspace, layout: Layout, draw_validation: bool, progress: Progress, rule: str, redraw_split: bool
) -> None:
    """Bring manifest.csv and skipped.csv up to date with the files there are.

    A known file that has kept its length and was not written to since is not opened again, and known content keeps its
    split, whatever its file is called now.
    """
    found, left_out = layout.found, layout.left_out
    if layout.kind != "csv":  # who names every photo means each of them
        beside = file_types.beside_jpeg(found["path"])
        if beside:
            others = found[found["path"].isin(beside)][["path", "label"]]
            others = others.assign(reason=[beside[path] for path in others["path"]])
            left_out = pd.concat([left_out, others], ignore_index=True)
            found = found[~found["path"].isin(beside)].reset_index(drop=True)
    manifest = space.folder / "manifest.csv"
    first = not manifest.exists()
    known = pd.DataFrame(columns=MANIFEST_COLUMNS) if first else space.manifest()
    states = [space.path_of(path).stat() for path in found["path"]]
    files = found.assign(bytes=[state.st_size for state in states])
    written = 0.0 if first else manifest.stat().st_mtime
    untouched = [path for path, state in zip(found["path"], states, strict=True) if state.st_mtime <= written]
    if not space.settled:  # the workspace is older than levels are, or they are to be decided anew
        untouched = sorted(set(untouched) - set(levels.high_depth(space, set(known["path"]) & set(untouched))))
    colours.settle(space)
    facts = known[known["path"].isin(untouched)][["path", "bytes", "sha256", "width", "height"]]
    facts = facts.merge(files[["path", "bytes"]], on=["path", "bytes"])
    inspected, reasons = _inspect(space, sorted(set(files["path"]) - set(facts["path"])), progress)
    facts = pd.concat([facts.drop(columns="bytes"), inspected], ignore_index=True) if len(facts) else inspected

    table = files.merge(facts, on="path").sort_values("path", ignore_index=True)
    skipped = pd.concat([left_out, files.merge(reasons, on="path")[["path", "label", "reason"]]], ignore_index=True)
    if table.empty:
        raise InputError(
            f"none of the {len(files)} files in {space.source} can be read as a photo, for example "
            f"{skipped['path'].iloc[-1]}: {skipped['reason'].iloc[-1]}; give a folder of photos"
        )
    grouping = grouping_of(space, table, rule, layout, progress)
    if rule and (first or rule != space.group_by):
        grouping.require_useful()
    split, copies = (dict(zip(known["sha256"], known[column], strict=True)) for column in ("split", "copies"))
    frozen = pd.Series([split.get(key, "") for key in table["sha256"]], index=table.index, dtype=str)
    table["copies"] = pd.Series([copies.get(key, key[:16]) for key in table["sha256"]], index=table.index, dtype=str)
    anew = False
    if not first and (redraw_split or rule != space.group_by):
        try:
            require_asked(space, table, frozen, grouping)
        except InputError:
            if not redraw_split:
                raise
            anew = True
    before = frozen.mask(frozen != "", "") if anew else frozen
    drawn = grouped_split(table, grouping, space.seed, before, draw_validation)
    space.grouped = grouping.words + divided(grouping, drawn)
    space.regrouped = split_changed(space, table["sha256"], frozen, drawn["split"], anew)
    if redraw_split and not anew and not first:
        space.regrouped = space.regrouped or "the split was left as it is: it divides no groups"
    table = table.assign(**drawn)
    skipped = skipped.sort_values("path", ignore_index=True)
    if first or not _alike(table[MANIFEST_COLUMNS], known) or not _alike(skipped, space.skipped()):
        space.save_manifest(table, skipped)
    elif written < LONG_AGO:
        manifest.touch()  # every photo was looked at


def preview_groups(space: Workspace, rule: str, progress: Progress = silent) -> tuple[Grouping, str]:
    """What a rule would group of the photos of a workspace, and why its split would have to be drawn anew, or "".

    rule: one of parameters.GROUP_RULES. Raises InputError where it can't be used.
    """
    table, layout = space.manifest(), _layout(Path(space.source), space.folder, space.layout)
    split = dict(zip(layout.found["path"], layout.found["split"], strict=True))
    grouping = grouping_of(space, table, rule, layout, progress)
    if grouping.rule:
        grouping.require_useful()
    try:
        require_asked(space, table.assign(split=table["path"].map(split).fillna("")), table["split"], grouping)
    except InputError as error:
        return grouping, str(error)
    return grouping, ""


def keep_together(space: Workspace, copies: dict[str, str]) -> int:
    """From now on copies of one photo share a group and, where the split was drawn here, a split.

    Splits that the data came with stay. Returns how many photos have changed their split by that.

    copies: sha256 of a photo -> name of its group, the same for all its copies; the group of other photos stays.
    """
    manifest, file = space.manifest(), space.folder / "manifest.csv"
    rows = zip(manifest["sha256"], manifest["copies"], strict=True)
    alike = pd.Series([copies.get(key, group) for key, group in rows], index=manifest.index, dtype=str)
    if alike.equals(manifest["copies"]):
        return 0
    layout = _layout(Path(space.source), space.folder, space.layout)
    split = dict(zip(layout.found["path"], layout.found["split"], strict=True))
    given = pd.Series([split.get(path, "") for path in manifest["path"]], index=manifest.index, dtype=str)
    table = manifest.assign(split=given, copies=alike)
    grouping = grouping_of(space, table, space.group_by, layout)
    drawn = grouped_split(table, grouping, space.seed, manifest["split"], space.draw_validation)
    written = file.stat()
    space.save_manifest(manifest.assign(**drawn), space.skipped())
    os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))  # no photo was looked at: what changed since, counts
    return int((drawn["split"] != manifest["split"]).sum())


def _alike(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Whether two tables hold the same, whatever the types of their columns."""
    return first.to_dict("list") == second.to_dict("list")


def _inspect(space: Workspace, paths: list[str], progress: Progress) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open every photo once: (path,sha256,width,height of the readable ones, path,reason of the rest).

    The pixels that had to be decoded for it are kept. Photos of more than 8 bits a channel come last, when it is known
    what all of them hold.
    """
    side = NATIVE.side
    deep: dict[str, tuple[str, int, int]] = {}
    facts, reasons = [], []

    def look(path: str) -> tuple[str, int, int, np.ndarray | None] | str:
        try:
            file = space.path_of(path)
            width, height, is_deep = photo.header(file, space.levels)
            square = None if is_deep and path not in deep else photo.centre_square(file, side, space.levels)
            sha256 = deep[path][0] if path in deep else sha256_of(file)
            return sha256, width, height, square
        except photo.UnreadablePhoto as error:
            return str(error)
        except PermissionError:
            return photo.LOCKED
        except OSError as error:
            return f"can't be read ({error.strerror or error})"

    def look_at(paths: list[str]) -> None:
        store = store_of(space, NATIVE)
        disk = f"their pixels: {min(len(paths), room(space, store)) * store.row_bytes / 1e9:.1f} GB of disk"
        for start in range(0, len(paths), store.shard_rows):
            batch = paths[start : start + store.shard_rows]
            squares = {}
            for number, (path, seen) in enumerate(zip(batch, pool.map(look, batch), strict=True), start):
                if isinstance(seen, str):
                    reasons.append((path, seen))
                elif seen[-1] is None:
                    deep[path] = seen[:-1]
                else:
                    sha256, width, height, square = seen
                    facts.append((path, sha256, width, height))
                    squares[sha256] = square
                if number % 16 == 0:
                    progress(number / len(paths), f"reading photos: {number} of {len(paths)}; {disk}")
            new = store.missing(list(squares))[: room(space, store)]
            store.add(new, np.stack([squares[key] for key in new]) if new else np.empty((0, *store.shape)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        look_at(paths)
        refused = levels.settle(space, list(deep), progress)
        reasons += refused.items()
        look_at([path for path in deep if path not in refused])
    return (
        pd.DataFrame(facts, columns=["path", "sha256", "width", "height"]),
        pd.DataFrame(reasons, columns=["path", "reason"]),
    )


def conflicts(space: Workspace) -> pd.DataFrame:
    """Photos whose exact copy lies in another class and which are left out until that is decided: path,label,sha256."""
    manifest, photos = space.manifest(), space.photos()
    contested = manifest.groupby("sha256")["label"].transform("nunique") > 1
    undecided = ~manifest["path"].isin(photos["path"]) & ~manifest["path"].isin(space.standing())
    return manifest[contested & undecided][["path", "label", "sha256"]].reset_index(drop=True)


def look(file: Path, decode: bool = False, levels: photo.Levels = photo.FULL) -> tuple[str, int, int, int] | str:
    """sha256, width, height and bytes of a photo; or why it can't be read.

    Parameters
    ----------
    file
        The photo.
    decode
        Find out whether its pixels can be decoded, too, at the smallest scale there is.
    levels
        Black and white for photos of more than 8 bits a channel, and which of many bands are shown.
    """
    try:
        if decode:
            photo.read_photo(file, 1, levels)
        return sha256_of(file), *photo.upright_size(file, levels), file.stat().st_size
    except photo.UnreadablePhoto as error:
        return str(error)
    except OSError as error:
        return f"can't be read ({error.strerror or error})"
