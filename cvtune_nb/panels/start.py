"""Notebook 00: choose photos, see what was found and what this machine can do."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification.choice import start_with
from cvtune_nb.console import duration
from cvtune_nb.data import NATIVE, colours, conflicts, levels, open_workspace, opened_last
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.pixels import added_bytes, kept_bytes
from cvtune_nb.data.sample import make_sample
from cvtune_nb.data.summary import class_sizes, classes_by_split, in_two_classes, previews, short_sides
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.models import backbones, benchmark
from cvtune_nb.panels.groups import GroupsControl
from cvtune_nb.panels.panel import Panel
from cvtune_nb.parameters import RECOGNISE
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Job, Work
from cvtune_nb.widgets.layout import button, folded, look, small_print
from cvtune_nb.workbook import steps
from cvtune_nb.workspace import Workspace, home

if TYPE_CHECKING:
    from cvtune_nb.panels.presets import PresetsPanel

_LAYOUTS = {
    "as before, or recognised": "",
    "recognise it anew": RECOGNISE,
    "each folder is a class": "classes",
    "train, validation, test folders": "splits",
    "the CSV file in the folder": "csv",
    "beginnings of file names": "names",
    "Hugging Face: imagefolder": "imagefolder",
    "Label Studio": "label-studio",
    "CVAT": "cvat",
    "labelme": "labelme",
    "Roboflow": "roboflow",
    "Pascal VOC": "voc",
    "Open Images": "open-images",
    "WebDataset": "webdataset",
    "Parquet files": "parquet",
    "frames of videos, one a second": "frames",
    "a list of addresses": "urls",
}
_DRAWN = {"as before, or nothing": "", "some of its train photos": "yes", "nothing: it is refused": "no"}
_AS_ASKED = {"": None, "yes": True, "no": False}  # a dropdown shows None as no choice at all
SAMPLE = "the sample photos"


@dataclass(frozen=True)
class Started:
    """What notebook 00 found out: the open workspace and the measured machine."""

    workspace: Workspace
    machine: benchmark.Machine


class StartPanel(Panel):
    """A path to the photos (or the sample), a workspace; then the photos, what was left out, and the machine."""

    button = "Open these photos"
    by_itself = True
    interruptible = True
    waiting = "Press Open these photos above first, then run this cell again."

    @classmethod
    def of(
        cls,
        data: str = "",
        workspace: str = "",
        layout: str = "",
        draw_validation: bool | None = None,
        group_by: str = "",
        redraw_split: bool = False,
    ) -> Self:
        """The panel.

        Parameters
        ----------
        data
            The photos; "" for those opened last, else the sample photos.
        workspace, layout, draw_validation, group_by, redraw_split
            As open_workspace takes them.
        """
        asked = {"layout": layout, "draw_validation": draw_validation, "group_by": group_by}
        return super().of("start", data=data, folder=workspace, redraw_split=redraw_split, **asked)

    def __init__(
        self,
        subject: str,
        data: str,
        folder: str,
        layout: str = "",
        draw_validation: bool | None = None,
        group_by: str = "",
        redraw_split: bool = False,
    ):
        super().__init__(subject)
        layouts = _LAYOUTS | ({layout: layout} if layout.startswith("frames:") else {})
        if layout not in layouts.values():
            names = ", ".join(value for value in layouts.values() if value)
            raise InputError(f"LAYOUT is {layout!r}: choose {names}, or nothing")
        self.data = w.Text(value=data, description="Photos", placeholder="folder, file or torchvision:NAME", **look())
        self.folder = w.Text(value=folder, description="Workspace", placeholder="made for you", **look())
        self.layout = w.Dropdown(options=layouts, value=layout, description="Layout", **look())
        drawn = next(word for word, value in _AS_ASKED.items() if value == draw_validation)
        self.drawn = w.Dropdown(options=_DRAWN, value=drawn, description="Validation", **look())
        self.pixels = w.Text(description="Pixels, GB", placeholder="as it is", **look())
        self.sample = button("Use the sample photos")
        self.sample.on_click(self.guard(lambda _: self._use_sample()))
        self.black, self.white = (
            w.Text(description=f"Shown {name}", placeholder="as it is", **look()) for name in ("black", "white")
        )
        self.apply = button("Show the photos so")
        self.apply.on_click(self.guard(lambda _: self.begin(self.work(self.black.value, self.white.value))))
        self.bands = w.Text(description="Bands", placeholder="as it is", **look())
        self._presets: PresetsPanel | None = None
        self._presets_for, self._open = ("", 0.0), ("", 0)
        self.groups = GroupsControl(group_by, redraw_split)
        self.groups.rule.observe(self.guard(lambda _: self.groups.show()), "value")
        self._asking = [self.data, self.folder, self.layout, self.drawn, self.pixels, self.bands]
        self._asking, self._asked = [*self._asking, self.groups.rule, self.groups.redraw], []
        self.levels = w.VBox(
            [
                small_print(
                    "These photos have more than 8 bits a channel. Choose which values are shown black and white, for "
                    "all of them: numbers, or auto (decided from the photos). Another choice makes new pixels, and "
                    "runs made before it are not compared with new ones."
                ),
                self.black,
                self.white,
                self.apply,
            ],
            layout={"display": "none"},
        )
        more = [
            self.layout,
            small_print("Choose where your folders can be read in several ways. It is remembered."),
            self.drawn,
            small_print("What a class gets that has no validation photos in a split of your own. It is remembered."),
            self.groups,
            self.pixels,
            small_print(
                "The most disk space for decoded pixels: gigabytes, or all (as much as there is room for). Photos "
                "beyond it are decoded again each time, which is slower."
            ),
            self.bands,
            small_print(
                "Which bands of TIFFs of more than three are shown red, green and blue, such as 3,2,1. They are "
                "remembered."
            ),
        ]
        self.folded = folded("More choices", more)
        self.controls.children = [
            self.data,
            small_print(
                "A folder with one folder per class, or as Label Studio, CVAT, labelme, Roboflow, Hugging Face or "
                "Pascal VOC keep it; a CSV file with the columns path (or url) and label; videos in a folder per "
                "class; a zip or tar; torchvision:NAME. Empty: what was opened last, else the sample photos."
            ),
            self.folder,
            small_print("Where results are kept; empty: a folder of its own. Your photos are only read."),
            self.levels,
        ]
        self.buttons.children = [self.go, self.sample, self.end]
        self.more.children = [self.folded]

    def work(self, black: str = "", white: str = "") -> Work:
        """Open what the text boxes name, show it, then measure the machine. black, white: what levels.choose takes."""
        data, folder, limit, bands = (box.value.strip() for box in (self.data, self.folder, self.pixels, self.bands))
        layout, draw_validation = self.layout.value, _AS_ASKED[self.drawn.value]
        group_by, redraw_split = self.groups.rule.value, self.groups.redraw.value

        def run(progress: Progress) -> Started:
            if data == str(_sample()) and not _sample().exists():
                make_sample(_sample(), progress=progress, on_first=self._preview)
            workspace = open_workspace(
                data,
                folder,
                progress=progress,
                on_sample=self._preview,
                pixels_gb=limit,
                layout=layout,
                draw_validation=draw_validation,
                black=black.strip(),
                white=white.strip(),
                bands=bands,
                group_by=group_by,
                redraw_split=redraw_split,
            )
            self.show_photos(workspace)
            progress(0.9, "measuring what this machine can do")
            return Started(workspace, benchmark.measure(backbones.default()[0]))

        return run

    def paint(self, result: Started) -> str:
        """Show what the machine can do."""
        m = result.machine
        facts = {
            "Networks run on": m.device,
            "Precision": m.precision,
            "Processor cores": m.cores,
            "Memory": f"{m.memory_gb:g} GB",
            "Speed": f"{m.images_per_second:.0f} photos a second ({m.backbone}, {m.image_size} pixels, frozen)",
        }
        rows = pd.DataFrame({"what": facts.keys(), "value": [str(value) for value in facts.values()]})
        why = html.text(backbones.default()[1])
        self.cost.value = (
            html.table(rows, {"what": "", "value": ""}, "What this machine can do")
            + f"<div class='cvtune-faint'>Starting with {why}.</div>"
            + _networks()
        )
        photos = result.workspace.photos()
        seconds = len(photos) / m.images_per_second
        return f"Open: {len(photos)} photos. Their features will take about {duration(seconds)}."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        self.apply.disabled = job.running
        if job.state == "failed":
            self.folded.selected_index = 0  # perhaps a choice there is what it takes
        if self._presets is not None and self._open != (job.state, id(job.result)):
            self._open = job.state, id(job.result)
            self._presets.photos_opened()

    def start(self, block: bool = False) -> bool:
        """Open what the controls say; a second press, while that is under way, changes nothing."""
        data, asked = self.data.value.strip(), [control.value for control in self._asking]
        if data == str(_sample()) or not (data or self.folder.value.strip() or opened_last()):
            asked[0] = SAMPLE
        if self.job.running and not self.job.stopping and asked == self._asked:
            return False
        self._asked = asked
        return super().start(block)

    def _use_sample(self) -> None:
        """Open the sample photos, whatever was opened before."""
        self.data.value, self.folder.value = str(_sample()), ""
        self.start()

    def _preview(self, folder: Path) -> None:
        """The first sample photos, while the others are still being made."""
        made = sorted(folder.glob("*/*.jpg"))
        photos = pd.DataFrame({"path": map(str, made), "label": [path.parent.name for path in made]})
        self.picture.draw(plots.contact_sheet(photos, Path, levels=FULL), _sheet_in_words(photos))

    def show_photos(self, workspace: Workspace) -> None:
        """Show some photos of each class, and what was found and left out."""
        photos = workspace.photos()
        sheet = plots.contact_sheet(photos, workspace.path_of, levels=workspace.levels)
        self.picture.draw(sheet, _sheet_in_words(photos))
        self.text.value = _photos_in_words(workspace)
        self.groups.redraw.value = False  # once is enough
        self.groups.show(workspace)
        self.levels.layout.display = None if workspace.depth else "none"
        if workspace.depth:
            self.black.value, self.white.value = (f"{value:g}" for value in levels.black_and_white(workspace.depth))

    # -- what the cells below show ----------------------------------------------------------------------------

    def counts(self) -> None:
        """Photos a class by split, as a picture and a table."""
        self.report(self._counts_picture, self._counts_table)

    def presets(self, preset: str = "", budget_minutes: float = 0) -> "PresetsPanel":
        """The buttons that do all of the workbook in one go, on the photos that are open.

        Parameters
        ----------
        preset, budget_minutes
            As PresetsPanel takes them.
        """
        from cvtune_nb.panels.presets import PresetsPanel  # brings torch, which the first look at photos does not need

        asked = preset, budget_minutes
        if self._presets is None or (self._presets_for != asked and not self._presets.job.running):
            self._presets, self._presets_for = PresetsPanel(lambda: self.result().workspace, *asked), asked
        return self._presets

    def map(self) -> None:
        """The workbook's notebooks, and what is done so far in this workspace."""
        self.report(lambda: HTML(workbook_map(self.result().workspace)))

    def lessons(self) -> HTML:
        """What we learned, from the photos and the machine."""
        found = self.result()
        photos, speed = found.workspace.photos(), found.machine.images_per_second
        counts, skipped = class_sizes(photos), len(found.workspace.skipped())
        by_size = [f"{label} ({count})" for label, count in counts.items()]
        needed = duration(len(photos) / speed)
        lines = [
            f"{len(photos)} photos in {len(counts)} classes are open; files left out: {skipped}.",
            f"The smallest class is {by_size[-1]}, the largest {by_size[0]}.",
            f"This machine turns {speed:.0f} photos a second into features, so {needed} for all of them.",
        ]
        return html.listed(lines)

    def _counts_picture(self) -> Any:
        photos = self.result().workspace.photos()
        return html.still(plots.class_counts(photos), "photos of each class, by split")

    def _counts_table(self) -> Any:
        counts = classes_by_split(self.result().workspace.photos())
        return HTML(html.table(counts, {name: name for name in counts} | {"label": "class"}, most=60))


def _sample() -> Path:
    """Where the sample photos are, or will be made."""
    return home() / "sample"


def _sheet_in_words(photos: pd.DataFrame) -> str:
    return f"contact sheet: photos of {', '.join(sorted(class_sizes(photos))[:12])}"


def _photos_in_words(workspace: Workspace) -> str:
    photos, skipped, contested = workspace.photos(), workspace.skipped(), conflicts(workspace)
    smallest, largest, median = short_sides(photos)
    lines = [
        f"<b>{len(photos)} photos in {len(class_sizes(photos))} classes</b>, from {html.text(workspace.source)}",
        f"Short side: {smallest} to {largest} pixels, half of them under {median:.0f}.",
        f"Results are kept in {html.text(workspace.folder)}",
        _disk(workspace, photos),
    ]
    sentences = (
        workspace.moved,
        workspace.recognised and f"recognised: {workspace.recognised}",
        workspace.chosen,
        workspace.grouped,
        workspace.regrouped,
        levels.in_words(workspace),
        previews(photos),
        colours.tones(workspace, photos, NATIVE).words,
    )
    lines[1:1] = [html.text(f"{words[0].upper()}{words[1:]}.") for words in sentences if words]
    if len(contested):
        lines.append(html.text(f"{in_two_classes(contested, photos)}."))
    summary = "".join(f"<div>{line}</div>" for line in lines)
    names = {"path": "file", "reason": "left out, because"}
    return summary + html.table(skipped, names, f"{len(skipped)} files left out", most=12)


def _disk(workspace: Workspace, photos: pd.DataFrame) -> str:
    """What the decoded pixels take on disk, and what those of other image sizes would add."""
    added = added_bytes(workspace, photos, (224, 320, 500), start_with(workspace).preprocessing)
    more = "".join(f", image size {size} would add {html.size(count)}" for size, count in added.items())
    limit = "no limit is set" if workspace.pixels_gb is None else f"the limit is {workspace.pixels_gb:g} GB"
    free = html.size(shutil.disk_usage(workspace.folder).free)
    return f"Decoded pixels take {html.size(kept_bytes(workspace))} of disk{more}. {free} are free; {limit}."


def workbook_map(workspace: Workspace) -> str:
    """Ordinary HTML output: its links open in JupyterLab; a widget's would leave the page."""
    left = "<td style='text-align:left'>"
    rows = "".join(
        f"<tr>{left}<a href='{step.notebook}.ipynb'>{step.notebook}</a></td>{left}{step.gives}</td>"
        f"{left}{html.text(step.done or 'not yet')}</td></tr>"
        for step in steps(workspace)
    )
    heads = ("notebook", "what it gives", "done so far")
    head = "".join(f"<th style='text-align:left'>{name}</th>" for name in heads)
    return f"<table class='cvtune-table'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _networks() -> str:
    """The networks that can be chosen, folded."""
    networks = backbones.table()
    rows = networks.assign(
        download=networks["download_mb"].map("{} MB".format),
        right=networks["imagenet"].map(lambda accuracy: "" if pd.isna(accuracy) else f"{accuracy:.1%}"),
    )
    names = {
        "group": "group",
        "name": "network",
        "download": "size",
        "right": "right on ImageNet",
        "licence": "licence",
        "commercial": "commercial use",
        "weights": "weights",
    }
    summary = f"{len(rows)} networks to choose from in notebooks 02 and 03, and any other of timm's by its name"
    return f"<details><summary>{summary}</summary>{html.table(rows, names)}</details>"
