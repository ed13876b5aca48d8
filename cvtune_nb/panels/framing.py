"""Notebook 02: how photos should fit what the network sees."""

from IPython.display import HTML

from cvtune_nb import plots
from cvtune_nb.classification.choice import BY_HAND, RECOMMENDED, choice, choose_framing, start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.framing import (
    PHOTOS,
    FramingComparison,
    compare_framings,
    expected_seconds,
    last_framings,
    most_cut_off,
    specs,
)
from cvtune_nb.data.summary import cut_off_in_words
from cvtune_nb.files import Progress
from cvtune_nb.panels.baseline import BaselinePanel
from cvtune_nb.panels.comparison import changed_since
from cvtune_nb.panels.tried_on_photos import TriedOnPhotosPanel
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import NotReady, Work
from cvtune_nb.widgets.layout import button, row, small_print
from cvtune_nb.workspace import Workspace


class FramingPanel(TriedOnPhotosPanel):
    """Framings compared with the network chosen, what the crop cuts off, and which one to go on with."""

    button = "Compare framings"
    waiting = "Press Compare framings above first, then run this cell again."

    def __init__(self, workspace: Workspace, photos: int = PHOTOS, unattended: bool = True):
        """The panel.

        Parameters
        ----------
        photos
            Training photos to compare on, at most.
        unattended
            Whether to compare where nobody can press the button; a framing chosen by hand stays.
        """
        super().__init__(workspace, photos, unattended)
        self.meaning = small_print()
        self.meaning.value = html.text(f"{PARAMETERS['framing'].label}: {PARAMETERS['framing'].meaning}.")
        self.cut = html.Picture()
        self.use = {one: button(f"Use {one}") for one in specs(workspace, start_with(workspace))}
        self.controls.children = [self.meaning, self.photos, self.price]
        self.right.children = [*self.right.children, self.cut]
        self.below.children = [row(*self.use.values()), self.chosen]
        for one, press in self.use.items():
            press.on_click(self.guard(lambda _, one=one: self._choose(one, BY_HAND)))
        self._seen = last_framings(workspace)
        self._draw()
        self._show_cut_off()
        self._show_choice()
        self.predict_soon()

    # -- what it will cost ----------------------------------------------------------------------------------------

    def seconds(self, spec: FeatureSpec, photos: int) -> float:
        """What a comparison takes."""
        return expected_seconds(self.workspace, spec, photos)

    # -- comparing ------------------------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read the controls."""
        spec, photos = start_with(self.workspace), self.photos.value

        def run(progress: Progress) -> FramingComparison:
            return self.in_worker(compare_framings, self.workspace, spec, photos, progress=progress)

        return run

    def paint(self, result: FramingComparison) -> str:
        """Show it; with nobody there, go on with what is recommended."""
        self._seen = result
        self._draw()
        made = choice(self.workspace)
        if not self.attended and not (made and made.framing_why == BY_HAND):
            self._choose(result.recommended, RECOMMENDED)
        return "Now say below which one to go on with."

    def _draw(self) -> None:
        found = self._seen
        if found is None:
            self.say("Nothing compared yet.")
            return
        words = "; ".join(f"{one.framing} {found.value_in_words(one)}" for one in found.table.itertuples())
        alt = f"{found.counted.label} by framing: {words}"
        self.picture.draw(plots.framings_compared(found.table, found.recommended, found.counted), alt)
        self.text.value = html.status("".join(f"<div>{html.text(line)}</div>" for line in found.sentences))
        for one, press in self.use.items():
            press.button_style = "success" if one == found.recommended else ""
        changed = changed_since(self.workspace, found.measured_on, found.counted)
        self.say(f"The last comparison is shown.{changed}")

    def _show_cut_off(self) -> None:
        photos, rows = self.workspace.photos(), most_cut_off(self.workspace)
        words = "; ".join(f"{one.path}: {one.cut_off:.0%} cut off" for one in rows.itertuples())
        self.cut.draw(plots.cut_off(rows, self.workspace.path_of, self.workspace.levels), words)
        self.cost.value = html.text(f"The crop leaves out {cut_off_in_words(photos)}.")

    # -- which one to go on with ----------------------------------------------------------------------------------

    @property
    def seen(self) -> FramingComparison:
        """What is shown; NotReady before there is anything."""
        if self._seen is None:
            raise NotReady(self.waiting)
        return self._seen

    def _choose(self, framing: str, why: str) -> None:
        found = self._seen
        told = RECOMMENDED if found and framing == found.recommended else why
        made = choose_framing(self.workspace, framing, told)
        self._show_choice()
        if baseline := BaselinePanel.opened(self.workspace):
            baseline.set(made.spec)
        self.refresh_reports()

    def _show_choice(self) -> None:
        words = f"Later steps start with {choice(self.workspace) or start_with(self.workspace)}."
        self.chosen.value = html.status(html.text(words))

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """Pictures and words as ordinary outputs; nothing before there is something to show."""
        if self.job.running or self._seen:
            self.report(self.picture, self.cut, self.lessons, always=not self.job.running)

    def lessons(self) -> HTML:
        """What was found, and what later steps start with."""
        made = choice(self.workspace) or start_with(self.workspace)
        cut = f"The crop leaves out {cut_off_in_words(self.workspace.photos())}."
        return html.listed([*self.seen.sentences, cut, f"Later steps start with {made}."])
