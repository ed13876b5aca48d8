"""The notebooks: where they are, and a person's own copy of them, kept up to date."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from cvtune_nb import __version__
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json, write_json, write_text

FIRST = "00_start_here.ipynb"
COPIED = ".cvtune.json"
"""The file in a folder of copies that says what was copied: the digest of each notebook."""
PACKAGE = Path(__file__).parents[1]


def checkout() -> Path | None:
    """The folder that holds `notebooks/`: the current one, or the checkout that this package runs from."""
    folders = (Path.cwd(), PACKAGE.parent)
    return next((folder for folder in folders if (folder / "notebooks" / FIRST).is_file()), None)


def shipped() -> Path:
    """The folder of the notebooks that came with this version: in the package, or in its checkout.

    Raises InputError where there are none.
    """
    for folder in (PACKAGE / "notebooks", PACKAGE.parent / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise InputError(f"this installation of cvtune has no notebooks in {PACKAGE}: install it again")


def copy_to(folder: Path) -> list[str]:
    """Copy the notebooks into a folder, or bring the copies there up to date.

    A notebook that the person has changed stays as it is: a newer version is put beside it. Outputs are no change.

    Returns
    -------
    What the person should know, in sentences: which notebooks have been changed and have a newer version.

    Raises
    ------
    InputError
        The folder can't be written to.
    """
    told, list_file = list[str](), folder / COPIED
    known = read_json(list_file)["notebooks"] if list_file.exists() else {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for original in sorted(shipped().glob("*.ipynb")):
            copy, digest = folder / original.name, digest_of(original)
            text = original.read_text(encoding="utf-8")
            if not copy.exists() or (digest_of(copy) == known.get(original.name) != digest):
                write_text(copy, text)
            elif digest not in (digest_of(copy), known.get(original.name)):
                newer = copy.with_name(f"{copy.stem}.{__version__}.ipynb")
                write_text(newer, text)
                told.append(
                    f"You have changed {copy.name}, so it was left as it is; the newer version is {newer.name}."
                )
            known[original.name] = digest
        write_json(list_file, {"version": __version__, "notebooks": known})
    except OSError as error:
        raise InputError(f"the notebooks can't be copied to {folder} ({error.strerror}): name another folder") from None
    return told


def digest_of(notebook: Path) -> str:
    """SHA-256 of what a person writes in a notebook: its cells, without outputs. "" where it can't be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        written = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return ""
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def names(folder: Path) -> Iterable[str]:
    """The notebooks in a folder, by name."""
    return sorted(path.name for path in folder.glob("*.ipynb"))
