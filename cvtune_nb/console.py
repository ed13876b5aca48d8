"""What a command shows in a terminal: progress on stderr, tables and times as text, values fit for JSON."""

import dataclasses
import math
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from cvtune_nb.errors import Stopped

SECONDS_BETWEEN_LINES = 10
"""How often progress is written where lines can't be rewritten: a log file, a continuous-integration job."""


class Meter:
    """Progress on stderr: one line that is rewritten on a terminal, a line now and then elsewhere.

    Raises Stopped at the next report once `stop` is set. quiet: nothing is written, for another process writes it.
    """

    def __init__(self, stop: Event | None = None, quiet: bool = False) -> None:
        self.stop, self.quiet = stop or Event(), quiet
        self._last = time.monotonic()
        self._open = False

    def __call__(self, share: float, words: str) -> None:
        """Show `words` and the fraction done (0..1); nan: nothing new to show, only a moment to stop at."""
        if self.stop.is_set():
            self.close()
            raise Stopped
        terminal = sys.stderr.isatty()
        now = time.monotonic()
        if self.quiet or math.isnan(share) or now - self._last < (0.2 if terminal else SECONDS_BETWEEN_LINES):
            return
        self._last = now
        line = f"{min(max(share, 0), 1):4.0%}  {one_line(words)}"
        if terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[2K" + line[:width])
            self._open = True
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the line that was being rewritten empty, for what is printed next."""
        if self._open:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._open = False

    def say(self, words: str) -> None:
        """A sentence on stderr, on a line of its own."""
        if self.quiet:
            return
        self.close()
        print(one_line(words), file=sys.stderr, flush=True)


def one_line(value: object) -> str:
    """`value` as text without line breaks or control characters: names of files never steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in " ".join(str(value).split()))


def table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """The `columns` of `rows` as aligned text, one line a row; numbers to the right, missing values empty."""
    values = [[row.get(column) for column in columns] for row in rows]
    numeric = [
        bool(values) and all(isinstance(row[i], int | float | None) for row in values) for i in range(len(columns))
    ]
    cells = [list(columns)] + [[_cell(value) for value in row] for row in values]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = []
    for row in cells:
        parts = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else one_line(value)


def duration(seconds: float) -> str:
    """0.4 s, 48 s, 3.2 min, 24 min, 1.5 h."""
    unit, of = ("s", 1) if seconds < 90 else ("min", 60) if seconds < 5400 else ("h", 3600)
    count = max(0.1, seconds / of)
    return f"{round(count, 1 if count < 10 else None):g} {unit}"


def plain(value: Any) -> Any:
    """`value` as what JSON can hold: numbers, text, lists, objects; NaN and infinity become null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return plain(value.to_dict("records"))
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value) if isinstance(value, Path) else _text_or_null(value)


def _text_or_null(value: object) -> str | None:
    return None if value != value else str(value)  # pandas' missing values are not equal to themselves
