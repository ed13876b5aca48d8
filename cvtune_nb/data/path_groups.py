"""Photos whose paths say that they belong together, by a regular expression, within a time that is bearable."""

import time
from collections.abc import Iterable
from typing import Any

import regex

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent

SECONDS, A_PATH = 10.0, 1e-4
"""For all paths together, and more for each of them: ten times what one takes. An expression that can match one name in
very many ways, such as (a|aa)+b, would take for ever (Davis and others 2018, "The impact of regular expression denial
of service")."""
A_TIME = 2_000
"""Paths between two reports of progress."""


def compiled(pattern: str) -> Any:
    """The expression, as `regex` has it, which reads what `re` reads. Raises InputError where it is none."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise InputError(f"--group-by {pattern} is no regular expression ({error})") from None


def by_path(pattern: str, paths: Iterable[str], progress: Progress = silent) -> list[str]:
    """What a pattern finds of each path: in its named groups, joined; else in its first group; else all of it.

    Parameters
    ----------
    pattern
        A regular expression.
    paths
        Of the photos.
    progress
        Called now and then; may raise Stopped.

    Raises
    ------
    InputError
        It is no expression, or matching takes longer than SECONDS, and A_PATH for each path.
    """
    expression, every, found = compiled(pattern), list(paths), list[str]()
    seconds = SECONDS + A_PATH * len(every)
    end = time.monotonic() + seconds
    for number, path in enumerate(every):
        if number % A_TIME == 0:
            progress(number / len(every), f"matching paths: {number:,} of {len(every):,}")
        try:
            # other threads go on meanwhile
            match = expression.search(path, timeout=max(1e-3, end - time.monotonic()), concurrent=True)
        except TimeoutError:
            raise InputError(
                f"--group-by {pattern} takes more than {seconds:.1f} seconds, for it can match a name such as {path} "
                "in very many ways: leave out repeats within repeats, such as (a+)* or (a|aa)*"
            ) from None
        found.append(_captured(match) if match else "")
    return found


def _captured(match: Any) -> str:
    if named := match.groupdict():
        return " ".join(value for value in named.values() if value)
    return (match[1] or "") if match.re.groups else match[0]
