"""Which photos are there? Reads any layout that people keep labelled photos in: a folder per class, such folders
under train/validation/test, a CSV file, or a zip of one of these."""

import os
import shutil
import stat
import warnings
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import write_json

SPLIT_FOLDERS = {
    "train": "train", "training": "train", "validation": "validation", "val": "validation", "valid": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
NOT_PHOTOS = {".txt", ".csv", ".json", ".xml", ".md", ".ini", ".db", ".py", ".ipynb", ".html", ".npy", ".zip", ".log",
              ".yaml", ".yml", ".mp4", ".mov", ".avi", ".pdf"}  # fmt: skip
OF_FILE_MANAGERS = {"thumbs.db", "desktop.ini", "icon\r"}
"""Names, in lower case, of what Windows and macOS put into folders; hidden files are passed over as well."""

LARGEST_ZIP = 200e9
"""Bytes a zip may unpack to; more is refused as a bomb unless the disk's free space already refused it."""

OUTSIDE = "lies outside every class folder"
LAYOUTS = (
    "put one folder per class in it (tulip/1.jpg, rose/2.jpg), or train, validation and test folders with those "
    "inside, or give a CSV file with the columns path,label"
)


def read_layout(data: Path) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    """The photos of a folder or CSV file: (root, table of path,label,split, table of path,label,reason left out).

    Paths are relative to root, with forward slashes; split is "" where the data has none. No file is opened but
    the CSV. Raises InputError when there is nothing to learn from.
    """
    data = Path(data)
    if not data.exists():
        raise InputError(f"{data} does not exist: give the folder of your photos, a CSV file or a zip")
    if data.is_dir():
        root, found, left_out = data, *_read_folder(data)
    elif data.suffix.lower() == ".csv":
        root, found, left_out = data.parent, *_read_csv(data)
    else:
        raise InputError(f"{data} is a file, not a folder: give a folder of photos, a .csv file or a .zip")
    if found.empty:
        raise InputError(f"{data} has no photos: {LAYOUTS}")
    if found["label"].nunique() < 2:
        raise InputError(
            f"{data} has one class only, {found['label'].iloc[0]!r}: a classifier needs at least two; {LAYOUTS}"
        )
    return root, found, left_out


def _read_folder(root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    folders = _folders(root)
    inside = [folder for folder in folders if folder.name.lower() in SPLIT_FOLDERS and _folders(folder)]
    by_split = bool(inside) and any(SPLIT_FOLDERS[folder.name.lower()] == "train" for folder in inside)
    found: list[tuple[str, str, str]] = []
    left_out: list[tuple[str, str, str]] = []
    for path in _files(root):
        left_out.append((_shown(path.name), "", OUTSIDE))
    for top in folders:
        split = SPLIT_FOLDERS.get(top.name.lower(), "") if by_split else ""
        if by_split and not split:
            left_out.append((_shown(top.name), "", "folder is none of train, validation, test"))
            continue
        left_out += [(_shown(f"{top.name}/{path.name}"), "", OUTSIDE) for path in _files(top) if split]
        for folder in _folders(top) if split else [top]:
            for path in _files(folder, deep=True):
                name = path.relative_to(root).as_posix()
                if reason := _no_photo(path, name):
                    left_out.append((_shown(name), _shown(folder.name), reason))
                else:
                    found.append((name, folder.name, split))
    return _tables(found, left_out)


def _no_photo(path: Path, name: str) -> str:
    """Why `path` can't be a photo, as far as can be told without opening it; "" where it may be one."""
    if _shown(name) != name:
        return "its name is no UTF-8 text; rename it"
    if not path.exists():
        return "a link to nothing; mend the link, or delete it"
    if path.is_dir():
        return "a link to a folder, which is not followed; copy its photos here"
    if not path.is_file():
        return "a pipe, socket or device; delete it"
    return f"not a photo ({path.suffix} file)" if path.suffix.lower() in NOT_PHOTOS else ""


def _shown(name: str) -> str:
    """`name` as text that can be written down: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def _read_csv(file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # lines longer than the header
            table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} can't be read as CSV ({str(error).splitlines()[0]}): save it as UTF-8 CSV, with quotes around "
            "names that hold commas"
        ) from None
    table.columns = [str(column).strip().lower() for column in table.columns]
    for column in ("path", "label"):
        if column not in table:
            raise InputError(
                f"{file} has no column {column!r} (it has {', '.join(table.columns)}): name the columns path,label"
                "[,split]"
            )
    root = file.parent
    if "split" in table:
        split = table["split"].str.strip().str.lower().replace(SPLIT_FOLDERS)
        wrong = split[~split.isin([*SPLIT_FOLDERS.values(), ""])]
        if len(wrong):
            raise InputError(
                f"{file} line {wrong.index[0] + 2}: split is {wrong.iloc[0]!r}: use train, validation or test"
            )
    else:
        split = pd.Series("", index=table.index)
    labels = table["label"].str.strip()
    unlabelled = labels[labels == ""]
    if len(unlabelled):
        raise InputError(f"{file} line {unlabelled.index[0] + 2}: the label is empty: fill it in or take the line out")
    paths = [Path(os.path.normpath(root / name)) for name in table["path"].str.strip()]
    missing = [name for name, path in zip(table["path"], paths, strict=True) if not os.path.isfile(path)]
    if missing:
        raise InputError(
            f"{file} names {len(missing)} file(s) that are not there, first {missing[0]!r}: paths are relative to the "
            "CSV file's folder; mend them or take the lines out"
        )
    names = [Path(os.path.relpath(path, root)).as_posix() for path in paths]
    rows = list(zip(names, labels, split, strict=True))
    twice = pd.DataFrame(rows, columns=["path", "label", "split"]).drop_duplicates()
    twice = twice[twice["path"].duplicated()]
    if len(twice):
        raise InputError(
            f"{file} gives {twice['path'].iloc[0]!r} more than one label or split: leave one line for each photo"
        )
    return _tables(list(dict.fromkeys(rows)), [])


def _tables(found: list, left_out: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    return (
        pd.DataFrame(found, columns=["path", "label", "split"], dtype=str),
        pd.DataFrame(left_out, columns=["path", "label", "reason"], dtype=str),
    )


def _entries(folder: Path) -> list[Path]:
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
    except PermissionError:
        raise InputError(f"no permission to read the folder {folder}: change its permissions") from None
    return [path for path in inside if path.name.lower() not in OF_FILE_MANAGERS]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _files(folder: Path, deep: bool = False) -> list[Path]:
    """What lies in `folder` and is no folder; `deep`: nor in those below it, where a link to one is not followed."""
    files = []
    for path in _entries(folder):
        if not path.is_dir() or (deep and path.is_symlink()):
            files.append(path)
        elif deep:
            files += _files(path, deep=True)
    return files


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a zip of photos into the new folder `into` (once) and return what `read_layout` can read there.

    No entry may leave the folder: absolute paths, `..` and symbolic links are refused before anything is written.
    Raises InputError for these, for a damaged zip and for one that needs more room than the disk has.
    """
    if into.exists():
        return _layout_inside(into)
    partial = into.with_name(into.name + ".partial")
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            for entry in entries:
                _refuse_escape(archive, entry)
            size = sum(entry.file_size for entry in entries)
            into.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(into.parent).free
            if size > min(free * 0.95, LARGEST_ZIP):
                raise InputError(
                    f"{archive} unpacks to {size / 1e9:.1f} GB and {into.parent} has {free / 1e9:.1f} GB free: "
                    "free some space or choose a workspace on another disk"
                )
            shutil.rmtree(partial, ignore_errors=True)
            for entry in entries:
                target = partial / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
            partial.mkdir(exist_ok=True)
            write_json(partial / ".unpacked.json", {"zip": str(archive)})
            partial.rename(into)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{archive} can't be unpacked ({error}): make the zip again, without a password") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _layout_inside(into)


def _refuse_escape(archive: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename.replace("\\", "/")
    leaves = PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or ":" in name.split("/")[0]
    if leaves or stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(
            f"{archive} has an entry that points outside its folder, {entry.filename!r}: make the zip again from the "
            "photo folder itself"
        )


def _layout_inside(folder: Path) -> Path:
    """The folder in an unpacked zip where the layout starts: past single wrapping folders, or its one CSV file."""
    while True:
        tables = _csv_files(folder)
        if len(tables) == 1:
            return tables[0]
        folders = _folders(folder)
        if len(folders) != 1 or not (_folders(folders[0]) or _csv_files(folders[0])):
            return folder
        folder = folders[0]


def _csv_files(folder: Path) -> list[Path]:
    return [path for path in _files(folder) if path.suffix.lower() == ".csv"]
