"""What the generators of labelled photos and of boxes share: tiny photos, names that people use, and what else lies
between photos. Each set knows the truth about its files by their content, so that no path has to be compared."""

import hashlib
import io
import tarfile
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

SPLIT_NAMES = (
    ("train", "val", "test"),
    ("Train", "Valid", "Test"),
    ("training_set", "validation_set", "test_set"),
    ("seg_train", "seg_val", "seg_test"),
    ("train2017", "val2017", "test2017"),
    ("TRAIN", "dev", "TEST"),
    ("train_images", "val_images", "test_images"),
    ("training", "validation", "testing"),
    ("abc_train", "abc_val", "abc_test"),
    ("trainset", "valset", "testset"),
    ("Train Images", "Val Images", "Test Images"),
)
SPLITS = ("train", "validation", "test")

SYSTEM_FILES = ("Thumbs.db", ".DS_Store", "desktop.ini", "._1.jpg")
"""What nobody wants to hear about."""


def photo(rng: np.random.Generator, suffix: str = ".jpg", width: int = 32, height: int = 24) -> bytes:
    """The bytes of a photo that no other is a copy of."""
    memory = io.BytesIO()
    pixels = rng.integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    Image.fromarray(pixels).save(memory, "JPEG" if suffix.lower() in (".jpg", ".jpeg") else "PNG", quality=92)
    return memory.getvalue()


def key(content: bytes) -> str:
    """What photos are known by."""
    return hashlib.sha256(content).hexdigest()


def nfc(name: str) -> str:
    """A name as it is told."""
    return unicodedata.normalize("NFC", name)


def stem(rng: np.random.Generator, number: int) -> str:
    """A file's name, the same numbers in every folder."""
    kinds = ("{n}", "{n:04d}", "IMG {n}, b", "ü{n}", "x.{n}", "{n} (1)", "frame_{n:03d}.rf.3f", "test_{n}", "label{n}")
    return kinds[int(rng.integers(len(kinds)))].format(n=number)


def noise(rng: np.random.Generator, files: dict[str, bytes], folders: list[str]) -> None:
    """Put a few of the things that lie about among photos into `files`, in some of the `folders` ("" is the root)."""
    for _ in range(int(rng.integers(0, 6))):
        folder = folders[int(rng.integers(len(folders)))]
        at = f"{folder}/" if folder else ""
        picture = photo(rng)
        kind = int(rng.integers(10))
        if kind == 0:
            files[f"{at}.ipynb_checkpoints/1-checkpoint.jpg"] = picture
        elif kind == 1:
            files[f"{at}@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg"] = picture
        elif kind == 2:
            files[at + SYSTEM_FILES[int(rng.integers(len(SYSTEM_FILES)))]] = b"\0\1\2"
        elif kind == 3:
            files[f"{at}NOTES.md"] = b"about these photos"
        elif kind == 4:
            files[f"{at}broken.jpg"] = picture[:200]
        elif kind == 5:
            files[f"{at}empty.png"] = b""
        elif kind == 6:
            files[f"{at}IMG_9.HEIC"] = b"\0\0\0\x18ftypheic" + bytes(100)
        elif kind == 7:
            files[f"{at}$RECYCLE.BIN/deleted.jpg"] = picture
        elif kind == 8:
            files[f"{at}.hidden.jpg"] = picture
        else:
            files[f"{at}page.jpg"] = b"<!doctype html><p>not found"


def write(root: Path, files: dict[str, bytes], container: str = "folder") -> Path:
    """Write files (path -> content) as a folder or an archive; gives what a person would name as their data."""
    if container == "folder":
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    if container.startswith("zip"):
        archive = root.with_name(root.name + ".zip")
        with zipfile.ZipFile(archive, "w") as opened:
            for path, content in files.items():
                entry = zipfile.ZipInfo(path)
                entry.filename = path.replace("/", "\\") if container == "zip-backslash" else path
                opened.writestr(entry, content)
        return archive
    archive = root.with_name(root.name + (".tar" if container == "tar" else ".tar.gz"))
    with tarfile.open(archive, "w" if container == "tar" else "w:gz") as opened:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return archive


def accounted_for(path: str, reported: list[str]) -> bool:
    """Whether a file, by its path in the set, is in a report: itself or a folder that it lies in; the report may count
    from a folder further in."""
    pure = PurePosixPath(path)
    if pure.name in SYSTEM_FILES or pure.name.startswith("._"):
        return True
    above = [str(part) for part in (pure, *pure.parents) if str(part) != "."]
    reported = [row.replace("\\", "/").strip("/") for row in reported]
    return any(f"/{part}".endswith(f"/{row}") or row.endswith(f"/{part}") for part in above for row in reported)
