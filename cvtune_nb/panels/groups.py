"""Which photos belong together: the rule, and what it would group, before it is used."""

import base64

import ipywidgets as w

from cvtune_nb.console import duration
from cvtune_nb.data import preview_groups
from cvtune_nb.data.groups import SHOWN, Grouping
from cvtune_nb.data.layout import photos_in_words
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.panels.thumbnails import small
from cvtune_nb.parameters import EXIF, GROUP_RULES, NO_GROUPS
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Job, headless
from cvtune_nb.widgets.layout import button, look, small_print
from cvtune_nb.workspace import Workspace

RULES = (NO_GROUPS, "column:group", EXIF, "time:10", r"(.*)_\d+", "(.*)/")
"""What is offered to choose from; any other rule can be typed."""
PHOTOS, SIDE = 4, 64
"""Of a group so many are shown, so many pixels high."""


class GroupsControl(w.VBox):
    """A field for the rule, a box to draw the split anew, and under them what the rule would group.

    rule, redraw: the fields; workspace: the photos that the preview is of, once they are open; job: makes the preview,
    which takes a while where the times of many photos have to be read; end: stops it.
    """

    def __init__(self, rule: str, redraw: bool):
        self.rule = w.Combobox(
            value=rule,
            options=RULES,
            ensure_option=False,
            continuous_update=False,
            description="Group by",
            placeholder="as before",
            **look(),
        )
        self.redraw = w.Checkbox(
            value=redraw, description="Draw the split anew", indent=False, layout={"width": "auto"}
        )
        self.preview = w.HTML()
        self.workspace: Workspace | None = None
        self.job, self.attended = Job(), not headless()
        self.end = button("Stop the preview", "What was read so far is kept")
        self.end.layout.display = "none"
        self.end.on_click(lambda _: self.job.stop())
        self.job.listeners.append(self._follow)
        super().__init__(
            [
                self.rule,
                small_print(
                    "Photos that belong together, such as frames of one scene, are never on both sides of the split. "
                    + "; ".join(f"{rule}: {meaning}" for rule, meaning in GROUP_RULES.items())
                    + ". It is remembered."
                ),
                self.redraw,
                small_print(
                    "The split is frozen: where it divides new groups, it is drawn anew only if you say so. Runs made "
                    "before are of earlier data then, and photos of a test set that was opened can be trained on."
                ),
                self.preview,
                self.end,
            ]
        )

    def show(self, workspace: Workspace | None = None) -> None:
        """Show what the rule would group, in the background where somebody is there to wait for it.

        workspace: other photos are open now.
        """
        self.workspace = workspace or self.workspace
        if self.workspace is None:
            self.preview.value = html.status("Open your photos to see what it groups.") if self.rule.value else ""
            return
        open_now, rule = self.workspace, self.rule.value or self.workspace.group_by or NO_GROUPS
        self.job.start(lambda progress: _previewed(open_now, rule, progress), block=not self.attended, instead=True)

    def _follow(self, job: Job) -> None:
        """Show how far the preview is, and then the preview. Called in the working thread."""
        self.end.layout.display = None if job.running and job.words else "none"
        self.end.disabled = job.stopping
        if job.running:
            left = f", about {duration(job.left)} left" if job.left else ""
            self.preview.value = html.status(f"{job.share:.0%}: {html.text(job.words or 'looking at the paths')}{left}")
        elif job.state == "stopped":
            self.preview.value = html.status("The preview was stopped. Choose the rule again to go on from there.")
        elif job.error is not None:
            self.preview.value = html.alert(job.error)
        else:
            self.preview.value = job.result


def _previewed(workspace: Workspace, rule: str, progress: Progress) -> str:
    """What a rule would group, or why it can't be used."""
    try:
        grouping, undone = preview_groups(workspace, rule, progress)
    except InputError as error:
        return html.alert(error)
    return _in_pictures(grouping, workspace) + (html.card("Before it can be used", undone) if undone else "")


def _in_pictures(grouping: Grouping, workspace: Workspace) -> str:
    """The largest groups with some of their photos, and what could not be grouped."""
    if not grouping.rule:
        return html.status("No groups: each photo is alone, but for its copies.")
    lines = [html.status(html.text(f"{grouping.words[0].upper()}{grouping.words[1:]}."))]
    for group in grouping.sizes.head(SHOWN).itertuples():
        paths = grouping.some_of(group.name, PHOTOS)
        words = f"{group.name}: {photos_in_words(group.photos)}" + (
            f" of {group.classes} classes" if group.classes > 1 else ""
        )
        lines.append(f"<div>{html.text(words)}</div><div>{''.join(_picture(workspace, path) for path in paths)}</div>")
    return "".join(lines)


def _picture(workspace: Workspace, path: str) -> str:
    data = base64.b64encode(small(workspace, workspace.path_of(path), SIDE)).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.text(path)}" title="{html.text(path)}"> '
