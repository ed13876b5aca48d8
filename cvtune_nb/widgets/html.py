"""The pieces a panel is made of, as HTML: text of the person's files is escaped here and nowhere else."""

import base64
import html
import shlex
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import ipywidgets
import pandas as pd
from IPython.display import HTML, Image
from matplotlib.figure import Figure

from cvtune_nb import plots
from cvtune_nb.errors import InputError, WorkerDied, in_words


def text(value: Any) -> str:
    """`value` as text that is safe inside HTML."""
    return html.escape(str(value))


def status(words: str) -> str:
    """A line that screen readers read out when it changes. `words` is HTML."""
    return f'<div role="status" aria-live="polite">{words}</div>'


def card(title: str, *lines: str, why: Iterable[str] = ()) -> str:
    """A finding: a title in bold, lines of plain text, and lines that are folded behind the word Why."""
    shown = "".join(f"<br>{text(line)}" for line in lines if line)
    folded = "<br>".join(text(line) for line in why)
    folded = f"<details><summary>Why</summary>{folded}</details>" if folded else ""
    return f'<div class="cvtune-card"><b>{text(title)}</b>{shown}{folded}</div>'


def alert(error: BaseException) -> str:
    """A box that says what went wrong: one sentence, and for what we did not foresee the details, folded."""
    if isinstance(error, InputError):
        return f'<div class="cvtune-alert" role="alert">{text(error)}</div>'
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, WorkerDied):
        sentence, trace = str(error), error.details
    else:
        sentence = in_words(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return (
        f'<div class="cvtune-alert" role="alert">{text(sentence)}'
        f"<details><summary>Details</summary><pre>{text(trace)}</pre></details></div>"
    )


def table(rows: pd.DataFrame, names: Mapping[str, str], caption: str = "", most: int = 40) -> str:
    """The first rows of a table as HTML; "" for an empty one.

    Parameters
    ----------
    rows
        Fractions are formatted by the caller.
    names
        Column -> heading, of the columns to show.
    caption
        A line above the table.
    most
        Rows to show at most.
    """
    if rows.empty:
        return ""
    numeric = {column: pd.api.types.is_numeric_dtype(rows[column]) for column in names}

    def cell(tag: str, column: str, value: Any) -> str:
        # inline, because in a cell's ordinary output the page's own style aligns every table to the right
        side = ' class="number"' if numeric[column] else ' style="text-align:left"'
        return f"<{tag}{side}>{value}</{tag}>"

    head = "".join(cell("th", column, text(name)) for column, name in names.items())
    body = "".join(
        f"<tr>{''.join(cell('td', column, _written(row[column])) for column in names)}</tr>"
        for _, row in rows.head(most).iterrows()
    )
    more = f"<div class='cvtune-faint'>and {len(rows) - most} more</div>" if len(rows) > most else ""
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return f"<table class='cvtune-table'>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _written(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.4g}"
    return text(value)


def copyable(lines: Iterable[str]) -> str:
    """Lines of code with a button that copies them.

    It needs no kernel. Where the browser keeps the clipboard from the page (no https, not this machine), the lines are
    selected, to be copied by hand.
    """
    press = (
        "const told = this.nextElementSibling, code = this.previousElementSibling;"
        "getSelection().selectAllChildren(code);"
        "const copying = navigator.clipboard?.writeText(code.textContent) ?? Promise.reject();"
        "copying.then(() => told.textContent = 'Copied.', () => told.textContent = 'Selected: press Ctrl+C to copy.')"
    )
    # the mark keeps Enter and the space bar from JupyterLab's shortcuts
    button = f'<button type="button" data-lm-suppress-shortcuts="true" onclick="{text(press)}">Copy</button>'
    return f'<pre>{text(chr(10).join(lines))}</pre>{button} <span role="status"></span>'


def uses(folder: str, lines: Iterable[str]) -> HTML:
    """How an export in `folder` is used: lines of Python after its folder is on the path, and commands."""
    code = copyable([f"import sys; sys.path.insert(0, {folder!r})", *lines])
    commands = (f"python {shlex.quote(f'{folder}/predict.py')} photo.jpg", f"cvtune serve {shlex.quote(folder)}")
    terminal = " or, as a page and for programs, ".join(f"<code>{text(line)}</code>" for line in commands)
    return HTML(f"{code}<div>In a terminal: {terminal}</div>")


def test_warning(openings: int) -> str:
    """What an export does to the test set, which was opened so many times."""
    opened = f"It was opened {times(openings)} so far." if openings else "It has not been opened yet."
    return card(
        "Exporting opens the locked test set.",
        f"{opened} Every look that leads to another choice makes its figure less honest: "
        "export when you are done choosing.",
    )


def times(count: int) -> str:
    """In words: "once", "3 times"."""
    return "once" if count == 1 else f"{count} times"


def listed(lines: Iterable[str]) -> HTML:
    """Lines of plain text as a list, to be a cell's output."""
    return HTML(f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>")


def percent(accuracy: Any) -> str:
    """An accuracy with its interval: "88.4% (85.1 to 91.0%)". accuracy: metrics.Accuracy."""
    return f"{accuracy.value:.1%} ({accuracy.low * 100:.1f} to {accuracy.high * 100:.1f}%)"


def size(count: float) -> str:
    """Bytes in words: "80.0 kB", "14.0 MB", "1.3 GB"."""
    for unit, of in ((1e9, "GB"), (1e5, "MB")):
        if count >= unit:
            return f"{count / max(unit, 1e6):.1f} {of}"
    return f"{count / 1e3:.1f} kB"


def image(data: bytes, alt: str) -> str:
    """An <img> that carries its bytes (PNG or JPEG) and says in `alt` what it shows."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f'<img src="data:image/{kind};base64,{base64.b64encode(data).decode()}" alt="{text(alt)}">'


SHARPER = 1.5
"""How much finer than at their own size pictures are drawn, so that they stay sharp on a wide page."""


class Picture(ipywidgets.HTML):
    """A live picture: a figure drawn as PNG, with alt text, which ipywidgets.Image can't have."""

    def __init__(self) -> None:
        super().__init__()
        self.add_class("cvtune-picture")
        self.png, self.alt, self._width = b"", "", 0

    def draw(self, figure: Figure, alt: str) -> None:
        """Show `figure`, from any thread: as wide as there is room, up to the width at which it is still sharp."""
        width = round(figure.get_figwidth() * figure.dpi)
        figure.set_dpi(SHARPER * figure.dpi)
        self.png, self.alt, self._width = plots.png(figure), alt, width
        self.value = f'<div style="max-width:{SHARPER * width:.0f}px">{image(self.png, alt)}</div>'

    def output(self) -> Image:
        """The same as an ordinary output of a cell, which stays when the kernel is gone."""
        return Image(self.png, format="png", width=self._width, alt=self.alt, metadata={"needs_background": "light"})


def still(figure: Figure, alt: str) -> Image:
    """A figure as an ordinary output of a cell, with the text `alt` for screen readers."""
    picture = Picture()
    picture.draw(figure, alt)
    return picture.output()
