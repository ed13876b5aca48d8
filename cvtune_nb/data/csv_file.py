"""A CSV file as text: its columns and lines, whatever program wrote it."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from cvtune_nb.data.file_types import RAW
from cvtune_nb.data.layout import composed
from cvtune_nb.errors import InputError

TABLES = (".csv", ".tsv", ".tab")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

PATH_COLUMNS = {
    "path",
    "file",
    "filename",
    "filepath",
    "fname",
    "image",
    "imagepath",
    "imagename",
    "imagefile",
    "imageid",
    "img",
    "imgpath",
    "imgname",
    "imgfile",
    "imgid",
    "photo",
    "photopath",
    "photoname",
    "photoid",
    "picture",
    "id",
    "name",
    "uri",
    "relativepath",
}
LABEL_COLUMNS = {
    "label",
    "labels",
    "labelname",
    "class",
    "classes",
    "classname",
    "classlabel",
    "category",
    "categoryname",
    "target",
    "y",
    "species",
    "breed",
    "tag",
    "tags",
}
"""Names of columns, in lower case and without blanks, dashes and underscores."""

PHOTOS = {".jpg", ".jpeg", ".png", ".heic", ".avif", ".webp", ".tif", ".tiff", ".dcm", *RAW}
"""Extensions of photos: a first line that has one of them is no line of names."""
COLUMNS = "name the columns path,label[,split]"


@dataclass
class Table:
    """A CSV file as text: its columns, and each row with the number of its line."""

    file: Path
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str] = field(default_factory=list)
    doubtful: bool = False
    """Whether its encoding is only assumed."""

    @property
    def keys(self) -> list[str]:
        """The names of the columns without what people write differently."""
        return [re.sub(r"[\W_]+", "", column.casefold()) for column in self.columns]

    def named(self, names: set[str]) -> list[int]:
        """The columns that are called so; one that has the first of the README's names alone, where there is one."""
        found = [number for number, key in enumerate(self.keys) if key in names]
        exact = [number for number in found if self.keys[number] in ("path", "label", "split")]
        if len(exact) > 1:
            raise InputError(f"{self.file} has two columns called {self.columns[exact[0]]!r}: rename one of them")
        return exact or found

    def column(self, number: int) -> list[str]:
        """The values of a column, without blanks round them."""
        return [row[number].strip() for row in self.rows]

    def role(self, number: int, role: str) -> str:
        """What a column is used as, unless its name says it."""
        return "" if self.keys[number] == role else f"{self.columns[number]} is the {role}"

    def refuse(self, row: int, words: str) -> InputError:
        """The error for a row."""
        return InputError(f"{self.file} line {self.lines[row]}: {words}")


def parse(file: Path) -> Table:
    """The lines of a CSV file, whatever separates its columns and however it is encoded. Raises InputError."""
    text, encoding, doubtful = _decoded(file)
    notes = [f"encoding {encoding}"] if encoding != "UTF-8" else []
    begin = 1
    if stated := re.match(r'"?sep=(.)"?[^\S\t]*\r?\n', text, re.IGNORECASE):
        separator, text, begin = stated[1], text[stated.end() :], 2
    else:
        separator = _separator(text)
    if separator != ",":
        notes.append(f"separator {SEPARATORS.get(separator, repr(separator))}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, lines, last = [], [], begin - 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(last + 1)
            last = reader.line_num + begin - 1
    except csv.Error as error:
        raise _unreadable(file, f"line {last + 1}: {error}") from None
    if not rows:
        raise _unreadable(file, "it is empty")
    columns = [cell.strip().strip("'\"").strip() for cell in rows[0]]
    while columns and not columns[-1] and all(len(row) < len(columns) or not row[-1].strip() for row in rows[1:]):
        columns.pop()  # a separator at the end of each line
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if any(cell.strip() for cell in row[len(columns) :]):
            raise _unreadable(file, f"line {line} has {len(row)} columns and the first line {len(columns)}")
    body = [row[: len(columns)] + [""] * (len(columns) - len(row)) for row in rows[1:]]
    table = Table(file, columns, body, lines[1:], notes, doubtful)
    if any(Path(cell.strip().replace("\\", "/")).suffix.lower() in PHOTOS for cell in columns):
        raise InputError(f"{file} has no line with the names of its columns: {COLUMNS} in a first line")
    return table


def _unreadable(file: Path, why: str) -> InputError:
    return InputError(
        f"{file} can't be read as CSV ({why}): save it as UTF-8 CSV, with quotes around names that hold commas"
    )


def _decoded(file: Path) -> tuple[str, str, bool]:
    """(text, encoding, whether that is only assumed)."""
    data = file.read_bytes()
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            try:
                return data.decode(encoding), "UTF-8" if encoding == "utf-8-sig" else encoding.upper(), False
            except UnicodeDecodeError as error:
                raise _unreadable(file, f"it begins as {encoding.upper()} but is not: {error.reason}") from None
    if b"\0" in data[:200]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
        try:
            return data.decode(encoding), "UTF-16", False
        except UnicodeDecodeError:
            raise _unreadable(file, "it is not text") from None
    try:
        return data.decode(), "UTF-8", False
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        try:
            return data.decode("cp1252"), "Windows-1252", True
        except UnicodeDecodeError:
            raise _not_utf8(file, line) from None


def _not_utf8(file: Path, line: int) -> InputError:
    return InputError(
        f"{file} line {line} is not UTF-8 text, and its letters can be read in several ways: save it as UTF-8 CSV "
        "(in Excel: CSV UTF-8)"
    )


def require_known_encoding(table: Table, paths: list[str], labels: list[str]) -> None:
    """Raises InputError where a table's encoding was assumed and the names on disk do not confirm it.

    Parameters
    ----------
    table
        What was read.
    paths
        The photo of each row, as it is called on disk.
    labels
        The label of each row: with letters beyond ASCII it has to be part of the photo's path.
    """
    if not table.doubtful:
        return
    for place, (path, label) in enumerate(zip(paths, labels, strict=True)):
        if not label.isascii() and label not in map(composed, path.split("/")):
            raise _not_utf8(table.file, table.lines[place])


def _separator(text: str) -> str:
    """What separates the columns: what makes names of columns that are known here, else what makes most columns."""

    def score(separator: str) -> tuple[int, int]:
        first = next(csv.reader(io.StringIO(text.lstrip("\r\n")), delimiter=separator), [])
        keys = {re.sub(r"[\W_]+", "", column.casefold()) for column in first}
        return bool(keys & PATH_COLUMNS) + bool(keys & LABEL_COLUMNS), len(first)

    return max(SEPARATORS, key=score)
