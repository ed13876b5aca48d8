"""A list of addresses and labels: the photos are downloaded into the workspace."""

import hashlib
import http.client
import re
import shutil
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from cvtune_nb.data.csv_file import PATH_COLUMNS, PHOTOS, TABLES, Table, parse
from cvtune_nb.data.formats.format import begins
from cvtune_nb.data.formats.packed import Packed, below
from cvtune_nb.data.layout import Layout, composed, in_words, laid_out, photos_in_words
from cvtune_nb.data.table import SEVERAL, labels_of, splits_of_rows
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, write_json

ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
AT_ONCE = 8
"""Downloads at a time: as many as browsers allow themselves, and one server bears."""
SILENCE = 10.0
"""Seconds without a byte after which a connection counts as broken."""
GIVEN_UP = 3
"""Addresses of one server in a row that can't be reached; the others are left for the next opening."""
REFUSED = ".refused.json"
"""Addresses whose server has said that there is no such photo: they are not asked for again."""


@dataclass(frozen=True)
class Line:
    """What a list says of one photo: its address, label and split, and the other columns."""

    number: int
    url: str
    label: str
    split: str
    columns: dict[str, str]

    @property
    def path(self) -> str:
        """The file that it is downloaded to."""
        suffix = Path(urlsplit(self.url).path).suffix.lower()
        return hashlib.sha256(self.url.encode()).hexdigest()[:16] + (suffix if suffix in PHOTOS else "")


class Urls(Packed):
    """A CSV file with a column of addresses and one of labels, or text of lines with both."""

    name, title, is_growing = "urls", "lists of addresses", True

    def find(self, source: Path) -> list[Path]:
        """The file itself, or the one in the folder."""
        return [path for path in below(source, *TABLES, ".txt") if ADDRESS.search(begins(path)) and _is_list(path)]

    def unpack(self, files: list[Path], source: Path, into: Path, progress: Progress) -> Layout:
        """What is there is not downloaded again; what can't be had is left out with the reason."""
        if len(files) > 1:
            names = in_words(path.name for path in files)
            raise InputError(f"{source} holds several lists of addresses, {names}: give one of them itself")
        lines = _lines(files[0])
        into.mkdir(parents=True, exist_ok=True)
        failed = _download(lines, into, progress)
        here = [line for line in lines if line.url not in failed]
        if not here:
            first = lines[0].url
            raise InputError(
                f"{files[0]}: none of its {len(lines):,} photos can be had, first {first} ({failed[first]}): check the "
                "addresses and the connection"
            )
        notes = [f"addresses in {files[0].name}"]
        notes += [f"{photos_in_words(len(failed))} can't be downloaded: left out"] * bool(failed)
        found = laid_out(
            into,
            [(line.path, line.label, line.split) for line in here],
            [(line.url, line.label, failed[line.url]) for line in lines if line.url in failed],
            notes,
            self.name,
        )
        return replace(found, columns=pd.DataFrame([line.columns for line in here], dtype=str))


# -- the list -------------------------------------------------------------------------------------------------


def _is_list(file: Path) -> bool:
    """Whether each line of text begins with an address, or a table has a column of them and none of paths."""
    if file.suffix.lower() == ".txt":
        lines = [line for line in begins(file).splitlines() if line.strip() and not line.startswith("#")]
        return all(ADDRESS.match(line) for line in lines[:-1] or lines)
    try:
        table = parse(file)
        columns = _address_columns(table)
        paths = [number for number in table.named(PATH_COLUMNS) if number not in columns]
    except InputError:
        return False
    return bool(columns) and not any(all(table.column(number)) for number in paths)


def _address_columns(table: Table) -> list[int]:
    return [
        number
        for number in range(len(table.columns))
        if (cells := table.column(number)) and all(ADDRESS.fullmatch(cell) for cell in cells)
    ]


def _lines(file: Path) -> list[Line]:
    """Each address once. Raises InputError for one with two labels, and for lines that can't be used."""
    lines: dict[str, Line] = {}
    for line in _of_text(file) if file.suffix.lower() == ".txt" else _of_table(file):
        known = lines.setdefault(line.url, line)
        if (known.label, known.split) != (line.label, line.split):
            both = in_words([known.label, line.label])
            raise InputError(
                f"{file} line {line.number}: {line.url} has another label or split than before ({both}): {SEVERAL}"
            )
    return list(lines.values())


def _of_text(file: Path) -> Iterator[Line]:
    for number, line in enumerate(file.read_bytes().decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        url, *rest = re.split(r"[\s,;]+", line.strip(), maxsplit=1)
        if not ADDRESS.fullmatch(url) or not rest or not rest[0]:
            raise InputError(
                f"{file} line {number}: {line.strip()!r} is not an address and a label: write both, a blank between"
            )
        yield Line(number, url, composed(rest[0]), "", {})


def _of_table(file: Path) -> Iterator[Line]:
    table = parse(file)
    columns = _address_columns(table)
    if len(columns) > 1:
        names = in_words(table.columns[number] for number in columns)
        raise InputError(f"{file} has several columns of addresses, {names}: leave one, called url")
    labels, splits = labels_of(table)[0], splits_of_rows(table)[0]
    for row, cells in enumerate(table.rows):
        others = {name: cell.strip() for name, cell in zip(table.columns, cells, strict=True)}
        yield Line(table.lines[row], cells[columns[0]].strip(), labels[row], splits[row], others)


# -- the downloads --------------------------------------------------------------------------------------------


def _download(lines: list[Line], into: Path, progress: Progress) -> dict[str, str]:
    """Fetch what is missing; returns why what is still missing can't be had, by address."""
    file = into / REFUSED
    refused: dict[str, str] = read_json(file) if file.exists() else {}
    failed = {line.url: refused[line.url] for line in lines if line.url in refused}
    missing = [line for line in lines if line.url not in failed and not (into / line.path).exists()]
    in_a_row: Counter[str] = Counter()

    def fetch(line: Line) -> tuple[str, str, bool]:
        host = urlsplit(line.url).netloc
        if in_a_row[host] >= GIVEN_UP:
            return line.url, f"{host} can't be reached; it is tried again when the photos are opened next", False
        why, is_final = _fetch(line.url, into / line.path)
        in_a_row[host] = in_a_row[host] + 1 if why and not is_final else 0
        return line.url, why, is_final

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for done, future in enumerate(as_completed([pool.submit(fetch, line) for line in missing]), 1):
            url, why, is_final = future.result()
            if why:
                failed[url] = why
            if is_final:
                refused[url] = why
            progress(done / len(missing), f"downloading photos: {done:,} of {len(missing):,}, {len(failed):,} failed")
    finally:
        pool.shutdown(cancel_futures=True)
        if refused:
            write_json(file, refused)
    return failed


def _fetch(url: str, file: Path) -> tuple[str, bool]:
    """Download one photo; returns why it can't be had, "" where it is there, and whether that is the server's word."""
    partial = file.with_name(f"{file.name}.part")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "cvtune"})  # noqa: S310 - ADDRESS is http or https
        with urllib.request.urlopen(request, timeout=SILENCE) as answer, open(partial, "wb") as sink:  # noqa: S310
            shutil.copyfileobj(answer, sink)
            length = answer.headers.get("Content-Length")
            if length and sink.tell() != int(length):
                raise OSError("it broke off")
        partial.replace(file)
        return "", False
    except urllib.error.HTTPError as error:
        is_final = 400 <= error.code < 500 and error.code not in (408, 429)
        return f"the server refuses it ({error.code} {error.reason})", is_final
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        return f"can't be downloaded ({why}); it is tried again when the photos are opened next", False
    finally:
        partial.unlink(missing_ok=True)
