"""Notebook 03: photos without labels, labelled by machine where networks agree; reviewed in a gallery."""

import functools
from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb import self_training
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import chosen
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress
from cvtune_nb.models.recipes import recommended
from cvtune_nb.panels.panel import Panel
from cvtune_nb.panels.thumbnails import small
from cvtune_nb.parameters import SELF_TRAINING_PARAMETERS, Config
from cvtune_nb.self_training.decisions import Decisions
from cvtune_nb.self_training.result import SelfTraining
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.gallery import Gallery, GalleryPhoto
from cvtune_nb.widgets.job import Work
from cvtune_nb.widgets.layout import Pager, button, look, row, small_print
from cvtune_nb.workspace import Workspace

A_PAGE = 40
"""Photos a page of the gallery."""
SMALL, LARGE = 150, 480
"""Longest side of a photo among many, and of the one in hand, in pixels."""


class SelfTrainingPanel(Panel):
    """Name a folder without labels, train on what networks agree about, and review what was labelled."""

    button = "Label and train"
    waiting = "Name a folder and press Label and train above first, then run this cell again."

    def __init__(self, workspace: Workspace, folder: str = ""):
        super().__init__(workspace)
        self.folder = w.Text(
            value=folder, description="Folder", placeholder="photos without labels", continuous_update=False, **look()
        )
        self.least, self.most, self.rounds = (
            Control(SELF_TRAINING_PARAMETERS[name]) for name in ("least", "most", "rounds")
        )
        self.train = w.Checkbox(value=True, description="Fine-tune in each round, too", indent=False)
        self.price = small_print()
        self.gallery, self.pager = Gallery(workspace.classes), Pager("page", self.guard(self.turn))
        self.where, self.confirm = w.HTML(), button("Confirm this page", "Confirm all labels of this page")
        self.review = w.VBox(
            [row(self.pager, self.where, self.confirm), self.gallery], layout={"display": "none", "width": "100%"}
        )
        self.controls.children = [
            self.folder,
            small_print("Photos without labels, in this folder and below it. They are only read."),
            *(control.box for control in (self.least, self.most, self.rounds)),
            self.train,
            small_print("Without it only the SVM learns from them: in seconds, and with a smaller gain."),
            self.price,
        ]
        self.below.children = [self.review]
        self.rows: list[dict[str, Any]] = []
        self._thumbnail = functools.lru_cache(1000)(lambda path, side: small(workspace, Path(path), side))
        self.gallery.on_decide = self.guard(self.decide)
        self.gallery.on_turn = self.guard(self.turn)
        self.gallery.on_look = self.guard(self._look)
        self.confirm.on_click(self.guard(lambda _: self._confirm_page()))
        self._soon = Soon(self.predict)
        for control in (self.folder, self.rounds.widget, self.train, self.most.widget):
            control.observe(lambda _: self._predict_soon(), "value")
        earlier = self_training.last(workspace)
        if earlier is not None:
            self.job.result = earlier
            self.folder.value = self.folder.value or earlier.folder
            self.say(self.paint(earlier))
        else:
            self.say("Name a folder of photos that nobody has labelled.")
            self._predict_soon()

    @property
    def config(self) -> Config:
        """The run that is trained in each round: what is recommended for the network to start with."""
        space = self.workspace
        what = {"objective": chosen(space), "imbalance": chosen_remedy(space)}
        return recommended(**{**start_with(space).to_dict(), **what})

    def unstarted(self) -> bool:
        """Where nobody is there, only when a folder is named."""
        return super().unstarted() and bool(self.folder.value.strip())

    def _named(self) -> str:
        folder = self.folder.value.strip()
        if not folder:
            raise InputError("no folder is named: type the folder of the photos without labels")
        if not Path(folder).expanduser().is_dir():
            raise InputError(f"{folder} is no folder: give the folder of the photos without labels")
        return folder

    def _predict_soon(self) -> None:
        if self.attended and self.folder.value.strip():
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down what it will take."""
        try:
            config, folder = self.config, self._named()
            rounds, train, most = self.rounds.value, self.train.value, self.most.value
            seconds = self_training.expected_seconds(self.workspace, folder, config, rounds, train, most=most)
            who = f"{FeatureSpec.of(config)} and other frozen networks that are here"
            words = f"{html.text(who)}: about <b>{duration(seconds)}</b>."
        except (InputError, OSError, ValueError) as error:
            words = html.text(str(error))
        if still():
            self.price.value = html.status(words)

    def work(self) -> Work:
        """Read the controls."""
        config, folder, space = self.config, self._named(), self.workspace
        rounds, train, least, most = self.rounds.value, self.train.value, self.least.value, self.most.value

        def run(progress: Progress) -> SelfTraining:
            options = {"rounds": rounds, "train": train, "least": least, "most": most}
            return self.in_worker(self_training.self_train, space, folder, config, **options, progress=progress)

        return run

    def paint(self, result: SelfTraining) -> str:
        """Show the rounds, and what was labelled, the least sure first."""
        left_out = [f"{count} files left out: {why}" for why, count in result.left_out.items()]
        self.text.value = html.status("".join(f"<div>{html.text(line)}</div>" for line in self._lines(result)))
        self.cost.value = html.text("; ".join(left_out))
        self.rows = result.least_sure_first()
        self.review.layout.display = None if self.rows else "none"
        self.turn(0)
        return html.text(f"{result.words[0].upper()}{result.words[1:]}.")

    @staticmethod
    def _lines(result: SelfTraining) -> list[str]:
        lines = [f"{one.words[0].upper()}{one.words[1:]}." for one in result.rounds]
        named = ", ".join(f"{label} {count}" for label, count in result.by_class.items())
        return [*lines, *([f"Labelled by machine: {named}."] if named else [])]

    # -- the gallery ------------------------------------------------------------------------------------------

    def turn(self, page: int, at: int = 0) -> None:
        """Show a page of what was labelled, with the photo number `at` in hand."""
        pages = max(1, -(-len(self.rows) // A_PAGE))
        page = self.pager.show(page, pages)
        shown, place = self._shown(), ("labelled by machine", page, pages)
        photos = [self._photo(one) for one in shown]
        self.gallery.show(photos, [self._thumbnail(one["path"], SMALL) for one in shown], self._states(), place, at)
        self._count()

    def _shown(self) -> list[dict[str, Any]]:
        return self.rows[self.pager.at * A_PAGE : (self.pager.at + 1) * A_PAGE]

    def _photo(self, one: dict[str, Any]) -> GalleryPhoto:
        return GalleryPhoto(
            finding={"path": one["path"], "other": "", "issue": one["sha256"]},
            path=one["path"],
            label=one["label"],
            score=float(one["probability"]),
            detail=f"labelled by machine in round {one['round']}: {one['agreed']}",
            suggestion="keep it if the label is right, choose another class, or exclude it from training",
            others=[],
            suggested="keep",
            to=one["label"],
            pair=False,
            decidable=True,
        )

    def _states(self) -> list[dict[str, Any]]:
        decisions = Decisions(self.workspace)
        found = [decisions.of(one["sha256"]) for one in self._shown()]
        return [
            {"words": one.words if one else "", "action": one.action if one else "", "apart": False} for one in found
        ]

    def _look(self, number: int) -> None:
        self.gallery.look(number, [self._thumbnail(self._shown()[number]["path"], LARGE)])

    def _count(self) -> None:
        decisions = Decisions(self.workspace)
        decided = sum(decisions.of(one["sha256"]) is not None for one in self.rows)
        self.where.value = html.status(f"{len(self.rows)} labelled by machine, the least sure first; {decided} decided")

    def decide(self, finding: dict[str, str], action: str, label: str) -> None:
        """Write one decision down, at once, and show it.

        Parameters
        ----------
        finding
            The photo: its path, and as issue its SHA-256.
        action
            keep, relabel, exclude or undo.
        label
            The new label, of relabel.
        """
        made = next((one["label"] for one in self.rows if one["sha256"] == finding["issue"]), "")
        try:
            words = Decisions(self.workspace).decide(
                finding["path"], finding["issue"], action, label if action == "relabel" else made
            )
            self.say(html.text(f"{words}. The next round uses it: press {self.button} again."))
        finally:
            self.gallery.states = self._states()
            self._count()

    def _confirm_page(self) -> None:
        decisions = Decisions(self.workspace)
        undecided = [one for one in self._shown() if decisions.of(one["sha256"]) is None]
        decisions.decide_all((one["path"], one["sha256"], "keep", one["label"]) for one in undecided)
        self.gallery.states = self._states()
        self._count()
        self.say(f"{len(undecided)} labels confirmed. The next round uses them: press {self.button} again.")

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """What came of it as ordinary outputs; nothing before there is something to show."""
        if self.job.running or self.job.result:
            self.report(self._table, self.lessons)

    def _table(self) -> HTML:
        rows = pd.DataFrame(
            [{"round": one.number, "photos": one.photos, "what": one.words} for one in self.result().rounds]
        )
        return HTML(html.table(rows, {name: name for name in rows}) if len(rows) else "")

    def lessons(self) -> HTML:
        """What was found."""
        result = self.result()
        return html.listed([f"{result.words[0].upper()}{result.words[1:]}."])
