"""The audit as one page that a person can mail or print: no other file, no script, nothing is loaded."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from cvtune_nb.audit.check import OTHERS
from cvtune_nb.audit.checks import ABOUT_COPIES, KINDS
from cvtune_nb.data import thumbnail
from cvtune_nb.files import write_text
from cvtune_nb.workspace import Workspace, now

SHOWN = 12
"""Findings of a kind that are shown, the worst ones; issues.csv has all."""

SIDE = 128
"""Longest side of a photo, in pixels: about 5 kB, so that a page with every kind of issue stays under 8 MB, which any
mail server takes."""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
:root { color-scheme: light dark; --faint: #666; --line: #ccc; }
@media (prefers-color-scheme: dark) { :root { --faint: #aaa; --line: #555; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:nth-child(2) { text-align: right; }
.faint { color: var(--faint); }
.photos { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; width: 17.5rem; break-inside: avoid; overflow-wrap: anywhere; }
figure div { display: flex; gap: .3rem; align-items: flex-end; flex-wrap: wrap; }
figure img { max-width: 8.5rem; max-height: 8.5rem; }
figure img:not(:only-child):first-child { outline: 3px solid #1976d2; }
figcaption { font-size: .85rem; }
h2 { margin-top: 2.2rem; break-after: avoid; }
</style>
<h1>$title</h1>
<p class="faint">$made</p>
$body
</html>
""")


def about_whole_set(issues: pd.DataFrame, summary: dict[str, Any]) -> list[str]:
    """What was found about the set and not about single photos, in sentences. The arguments are parts of an Audit."""
    whole = [f"{row.detail}: {row.suggestion}" for row in issues[issues["path"] == ""].itertuples()]
    return [*filter(None, [summary.get("forecast")]), *summary["notes"], *whole]


def write_report(workspace: Workspace, issues: pd.DataFrame, scores: pd.DataFrame, summary: dict[str, Any]) -> Path:
    """Write audit/report.html: what was found, the worst SHOWN of each kind with their photos, and what to do.

    Parameters
    ----------
    workspace
        Where it is written.
    issues, scores, summary
        The parts of an Audit.

    Returns
    -------
    Path
        The file.
    """
    labels = dict(zip(scores["path"], scores["label"], strict=True))
    about_photos = issues[issues["path"] != ""]
    sections = [(kind, rows, rows.head(SHOWN)) for kind, rows in about_photos.groupby("issue", sort=False)]
    wanted = {path for _, _, shown in sections for name in ("path", *OTHERS) for path in shown[name] if path}
    wanted = sorted(wanted & set(labels))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pictures = dict(zip(wanted, pool.map(lambda path: _picture(workspace, path), wanted), strict=True))

    sentences = about_whole_set(issues, summary)
    body = [_counts(issues)]
    if sentences:
        body.append(f"<h2>About the whole set</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in sentences)}</ul>")
    for kind, rows, shown in sections:
        more = f" The worst {len(shown)} of {len(rows)}; issues.csv has all." if len(rows) > len(shown) else ""
        framed = " The framed photo is the one that is meant." if shown["other"].any() else ""
        body.append(f"<h2>{escape(kind)} ({len(rows)})</h2><p>{escape(KINDS[kind])}.{more}{framed}</p>")
        body.append("<div class='photos'>")
        body += [_figure(row, labels, pictures) for row in shown.to_dict("records")]
        body.append("</div>")
    title = f"Audit of {Path(workspace.source).name}"
    made = (
        f"{summary['photos']} photos of {scores['label'].nunique()} classes in {workspace.source}; judged by "
        f"{summary['backbone']} at {summary['image_size']} pixels; {now()[:16].replace('T', ' ')} UTC. Suggested "
        "labels and scores are a model's opinion: agree with it only when you see it too."
    )
    file = workspace.audit / "report.html"
    write_text(file, PAGE.substitute(title=escape(title), made=escape(made), body="\n".join(body)))
    return file


def _counts(issues: pd.DataFrame) -> str:
    if issues.empty:
        return "<p>Nothing was found.</p>"
    rows = "".join(
        f"<tr><td>{escape(kind)}</td><td>{count}</td><td>{escape(KINDS[kind])}</td></tr>"
        for kind, count in issues["issue"].value_counts(sort=False).items()
    )
    return f"<table><tr><th>issue</th><th>found</th><th>meaning</th></tr>{rows}</table>"


def _figure(issue: dict[str, Any], labels: dict[str, str], pictures: dict[str, str]) -> str:
    """One finding: its photos side by side, and what to do."""
    paths = [issue["path"], *(issue[name] for name in OTHERS if issue[name])]
    if issue["issue"] in ABOUT_COPIES:
        paths = paths[:2]
    images = "".join(_image(path, labels, pictures) for path in paths if pictures.get(path))
    beside = f" beside {', '.join(paths[1:])}" if len(paths) > 1 else ""
    return (
        f"<figure><div>{images}</div><figcaption><b>{escape(issue['path'])}</b>"
        f"<span class='faint'>{escape(beside)}</span><br>{escape(issue['detail'])}. {escape(issue['suggestion'])}."
        "</figcaption></figure>"
    )


def _image(path: str, labels: dict[str, str], pictures: dict[str, str]) -> str:
    words = escape(f"{path}, labelled {labels[path]}")
    return f'<img src="data:image/jpeg;base64,{pictures[path]}" alt="{words}" title="{words}">'


def _picture(workspace: Workspace, path: str) -> str:
    """A small JPEG in base64; "" for a photo that can't be opened any more."""
    try:
        return base64.b64encode(thumbnail(workspace.path_of(path), SIDE, workspace.levels)).decode()
    except (OSError, ValueError):
        return ""
