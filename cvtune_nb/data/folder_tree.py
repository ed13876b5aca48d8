"""A tree of folders, looked at once: which of them hold photos, and how many."""

from functools import cached_property
from pathlib import Path

from cvtune_nb.data import walk
from cvtune_nb.errors import InputError


class Folder:
    """A folder whose contents are looked at when they are first asked for."""

    def __init__(self, path: Path):
        self.path, self.name = path, path.name

    @cached_property
    def entries(self) -> tuple[list[Path], list[tuple[Path, str]], list[tuple[Path, str]]]:
        """Its folders, its files with the reason why one can't be a photo or "", and (path, reason) of what is skipped.

        A link to a folder counts as a folder here unless that folder holds the link.
        """
        try:
            folders, paths, passed_over = walk.entries(self.path)
        except PermissionError as error:
            raise InputError(
                f"no permission to read the folder {error.filename or self.path}: change its permissions"
            ) from None
        files = [(path, walk.no_photo(path)) for path in paths]
        links = {
            path for path, reason in files if reason == walk.LINK and not path.absolute().is_relative_to(path.resolve())
        }
        return sorted([*folders, *links]), [file for file in files if file[0] not in links], passed_over

    @property
    def files(self) -> list[tuple[Path, str]]:
        """The files in it, and in no folder of it, with the reason why one can't be a photo, "" where it may be."""
        return self.entries[1]

    @cached_property
    def folders(self) -> list["Folder"]:
        """The folders in it."""
        return [Folder(path) for path in self.entries[0]]

    @cached_property
    def full(self) -> list["Folder"]:
        """The folders in it that hold photos."""
        return [folder for folder in self.folders if folder.count]

    @cached_property
    def photos(self) -> list[Path]:
        """The files in it, and in no folder of it, that may be photos."""
        return [path for path, reason in self.files if not reason]

    @cached_property
    def below(self) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
        """`files` of it and of all folders below it, links to folders being files; and what is passed over."""
        files, passed_over = list(self.files), list(self.entries[2])
        for folder in self.folders:
            if folder.path.is_symlink():
                files.append((folder.path, walk.no_photo(folder.path)))
            else:
                files += folder.below[0]
                passed_over += folder.below[1]
        return files, passed_over

    @cached_property
    def count(self) -> int:
        """How many of the files in it and below it may be photos."""
        return sum(not reason for _, reason in self.below[0])


def unwrapped(folder: Folder) -> Folder:
    """Past folders that hold nothing but one folder of folders."""
    while len(folder.full) == 1 and folder.full[0].full:
        folder = folder.full[0]
    return folder
