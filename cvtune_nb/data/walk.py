"""Which files does a folder of photos hold? The one walk through folders.

For whatever is done with the photos then: training, detection, predict, similar. Stands alone on Python: a copy of this
file travels with every export.
"""

import errno
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

SYSTEM_FOLDERS = {
    "__macosx",
    "network trash folder",
    "temporary items",  # macOS
    "$recycle.bin",
    "recycler",
    "recycled",
    "system volume information",  # Windows
    "lost+found",  # Linux
    "@eadir",
    "#recycle",
    "#snapshot",
    "@tmp",
    "@sharebin",
    "@sharesnap",  # Synology
    "@recycle",
    "@recently-snapshot",
    "@__thumb",  # QNAP
    "~snapshot",  # NetApp
    "__pycache__",
}
"""Folders, in lower case, that systems and network storage put beside photos: bins, thumbnails, snapshots."""

SYSTEM_FILES = {
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",
    ".ds_store",
    ".localized",
    ".directory",
    ".picasa.ini",
    "picasa.ini",
    ".nomedia",
    ".gitkeep",
    ".gitignore",
    ".unpacked.json",
}
"""Files, in lower case, that systems and programs put beside photos; passed over without a word, as are macOS's
resource forks (._name), which exist once for each photo on some disks."""

NOT_PHOTOS = {
    ".txt",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".cls",
    ".xml",
    ".md",
    ".ini",
    ".db",
    ".sqlite",
    ".yaml",
    ".yml",
    ".names",
    ".toml",
    ".log",
    ".cache",
    ".parquet",
    ".npy",
    ".npz",
    ".mat",
    ".h5",
    ".hdf5",
    ".pkl",
    ".pickle",
    ".pt",
    ".pth",
    ".onnx",
    ".safetensors",
    ".tfrecord",
    ".tfrecords",
    ".record",
    ".data",
    ".lmdb",  # labels, tables, models
    ".py",
    ".ipynb",
    ".html",
    ".htm",
    ".js",
    ".css",
    ".sh",
    ".bat",
    ".url",
    ".lnk",
    ".zip",
    ".tar",
    ".gz",
    ".tgz",
    ".bz2",
    ".xz",
    ".rar",
    ".7z",
    ".mp4",
    ".mov",
    ".avi",
    ".mkv",
    ".m4v",
    ".webm",
    ".wmv",
    ".mpg",
    ".mp3",
    ".wav",
    ".pdf",
    ".doc",
    ".docx",
    ".xls",
    ".xlsx",
    ".ppt",
    ".pptx",
    ".odt",
    ".ods",
    ".rtf",
    ".xmp",
    ".aae",
    ".thm",
    ".lrv",
    ".modd",  # what cameras and photo programs put beside a photo
}
"""Extensions of what people keep beside photos, which are not opened."""

HIDDEN = "hidden"
SYSTEM = "made by the system or by network storage"
LOCKED = "no permission to read it; change its permissions"
LINK = "a link to a folder, which is not followed; copy its photos here"
BROKEN_LINK = "a link to nothing; mend the link, or delete it"


def is_system(name: str) -> bool:
    """Whether a folder of this name is one that systems and network storage make."""
    return name.lower() in SYSTEM_FOLDERS or re.fullmatch(r"found\.\d{3}", name.lower()) is not None


def entries(folder: str | os.PathLike[str]) -> tuple[list[Path], list[Path], list[tuple[Path, str]]]:
    """What lies in `folder`, in order of name: folders, files, and (path, reason) of what is passed over.

    Links to folders count as files, so that no walk runs in circles. Raises OSError where it can't be listed.
    """
    folders, files, left_out = [], [], []
    with os.scandir(folder) as inside:
        listed = sorted(inside, key=lambda entry: entry.name)
    for entry in listed:
        path, name = Path(entry.path), entry.name.lower()
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and (name in SYSTEM_FILES or name.startswith("._")):
            continue
        if is_folder and is_system(name):
            left_out.append((path, SYSTEM))
        elif name.startswith("."):
            left_out.append((path, HIDDEN))
        else:
            (folders if is_folder else files).append(path)
    return folders, files, left_out


def files_below(folder: str | os.PathLike[str]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """All files in `folder` and below it, and (path, reason) of what is passed over.

    In order of name, a folder's own files before those of the folders in it. Folders that can't be listed are passed
    over too.
    """
    files, left_out, waiting = [], [], [Path(folder)]
    while waiting:  # and no recursion: folders may lie deeper than Python's stack is
        at = waiting.pop()
        try:
            folders, inside, passed_over = entries(at)
        except PermissionError:
            left_out.append((at, LOCKED))
        except OSError as error:
            left_out.append((at, f"can't be listed ({error.strerror or error})"))
        else:
            waiting += reversed(folders)
            files += inside
            left_out += passed_over
    return files, left_out


def no_photo(path: Path) -> str:
    """Why `path` can't be a photo, as far as can be told without opening it; "" where it may be one."""
    if shown(str(path)) != str(path):
        return "its name is no UTF-8 text; rename it"
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return LOCKED
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return BROKEN_LINK if path.is_symlink() else "the file is gone"
        return f"can't be read ({error.strerror or error})"
    if stat.S_ISDIR(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return "a pipe, socket or device; delete it"
    return f"not a photo ({path.suffix} file)" if path.suffix.lower() in NOT_PHOTOS else ""


def shown(name: str) -> str:
    """`name` as text that can be written down: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def photos_in(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[str], list[tuple[str, str]]]:
    """`paths` with each folder replaced by its files that may be photos, and (path, reason) of the other files.

    Files may be photos whatever their extension. One that is named itself is always kept.
    """
    photos, left_out = [], []
    for path in paths:
        if not os.path.isdir(path):
            photos.append(str(path))
            continue
        files, passed_over = files_below(path)
        left_out += [(shown(str(inside)), reason) for inside, reason in passed_over]
        for file in files:
            if reason := no_photo(file):
                left_out.append((shown(str(file)), reason))
            else:
                photos.append(str(file))
    return photos, left_out
