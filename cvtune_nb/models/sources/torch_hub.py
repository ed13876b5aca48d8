"""Files where PyTorch's hub keeps them, so that other programs find them too."""

import re
from pathlib import Path
from urllib.parse import urlparse

from cvtune_nb.files import Progress
from cvtune_nb.models import downloads
from cvtune_nb.models.downloads import Remote, hub_folder

DIGEST = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
"""How the SHA-256 of a file begins, in the name that PyTorch's hub gives it."""


def file_of(url: str) -> Path:
    """Where PyTorch's hub keeps (or would keep) the weights of that address on disk."""
    return hub_folder() / "checkpoints" / Path(urlparse(url).path).name


def remote(url: str) -> Remote:
    """A file of weights as PyTorch's hub keeps it: its name holds the beginning of its SHA-256."""
    file = file_of(url)
    found = DIGEST.search(file.name)
    return Remote(url, file, found[1] if found else "")


def fetch(url: str, what: str, progress: Progress) -> Path:
    """The file of that address, fetched where it is not on disk yet.

    Parameters
    ----------
    url
        Where it is.
    what
        Whose weights they are, for messages.
    progress
        Called while they are fetched; Stopped, raised in it, keeps what has come.

    Raises
    ------
    OSError
        They are not on disk and can't be fetched.
    InputError
        What came is damaged.
    """
    file = file_of(url)
    if not file.exists():
        if not downloads.answers(url):
            raise OSError("no answer from the network")
        downloads.fetch(remote(url), what, progress)
    return file
