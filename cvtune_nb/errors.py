"""The errors that a person can cause and mend."""

import errno


class InputError(ValueError):
    """Bad input. The message is one sentence: what is wrong, where (file name), what to do.

    The command line prints it without a traceback and exits with 2; a notebook shows it in a box. `found` is what
    --json gives besides.
    """

    def __init__(self, words: str = "", **found: object):
        super().__init__(words)
        self.found = found

    def _render_traceback_(self) -> list[str]:  # what IPython asks for: one line in a cell, no traceback
        return [f"▸ {self}"]


class Stopped(Exception):
    """The person pressed Stop (or Ctrl-C, or the time budget ended); what was done so far is kept."""


class Beaten(Stopped):
    """Stops a run that can't become the best any more; it is not offered to be resumed."""


class WorkerDied(RuntimeError):
    """The process that works for a notebook ended before its work had (cvtune_nb.worker).

    The message is for a person. `out_of_memory`: the operating system killed it because memory ran out; `details`: the
    last that it wrote.
    """

    def __init__(self, words: str, out_of_memory: bool = False, details: str = ""):
        super().__init__(words)
        self.out_of_memory, self.details = out_of_memory, details


def in_words(error: OSError) -> str:
    """One sentence a person can act on for the errors of a disk: full, read-only, no permission."""
    where = error.filename or "the workspace"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full while writing {where}: free some space, or choose a workspace on another disk"
    if error.errno == errno.EROFS:
        return f"the disk of {where} can only be read: choose a workspace on another disk"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to read or write {where}: change its permissions, or choose another folder"
    return f"{error.strerror or error} ({where}): check the folder and try again"
