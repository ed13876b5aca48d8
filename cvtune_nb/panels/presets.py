"""Notebook 00: all of the workbook in one go, in three sizes. What each costs and gives is said before."""

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML

from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.objective import chosen
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.escalation.expected_accuracy import ExpectedAccuracy
from cvtune_nb.files import Progress
from cvtune_nb.models.recipes import recommended
from cvtune_nb.panels.panel import Panel
from cvtune_nb.parameters import Config
from cvtune_nb.pipeline import PRESETS, Offer, offers, run_preset
from cvtune_nb.widgets import html
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.job import Job, NotReady, Work
from cvtune_nb.widgets.layout import button, look, row, small_print
from cvtune_nb.workspace import Workspace


class PresetsPanel(Panel):
    """Three buttons, each with its cost and the accuracy to expect; they do audit, training and export in one go."""

    waiting = "Press Quick, Good or Best above first, then run this cell again."

    def __init__(self, opened: Callable[[], Workspace], preset: str = "", budget_minutes: float = 0):
        """The panel.

        Parameters
        ----------
        opened
            Gives the workspace; NotReady while the photos are being opened.
        preset
            What is done where nobody can press a button; "": nothing.
        budget_minutes
            What it may take; 0: the preset's own.

        Raises
        ------
        InputError
            For a preset that there is not.
        """
        super().__init__("presets")
        self.photos_of = opened
        if preset and preset not in PRESETS:
            raise InputError(f"PRESET is {preset!r}: choose {', '.join(PRESETS)}, or nothing")
        self.preset = preset
        self.budget = w.BoundedFloatText(
            value=budget_minutes, min=0, max=30 * 24 * 60, description="Budget (min)", **look()
        )
        self.press = {name: button(name.capitalize(), one.meaning) for name, one in PRESETS.items()}
        self.offered = {name: w.HTML() for name in PRESETS}
        cards = [w.VBox([self.press[name], self.offered[name]]) for name in PRESETS]
        self.controls.children = [
            *cards,
            self.budget,
            small_print("Minutes that it may take at most (0 to 43200); 0: 20 for quick, 60 for good, 240 for best."),
        ]
        self.buttons.children = [row(self.end)]
        for name, press in self.press.items():
            press.on_click(self.guard(lambda _, name=name: self.choose(name)))
        self.estimate = Job()
        self.estimate.listeners.append(self._follow_estimate)
        self._soon = Soon(self.predict)
        self.budget.observe(lambda _: self._predict_soon(), "value")
        self.photos_opened()

    @property
    def config(self) -> Config:
        """What is trained first: as recommended for the network to start with."""
        space = self.photos_of()
        what = {"objective": chosen(space), "imbalance": chosen_remedy(space)}
        return recommended(**{**start_with(space).to_dict(), **what})

    def photos_opened(self) -> None:
        """Offer the presets for the photos that are open now, as soon as they are."""
        try:
            self.photos_of()
        except (NotReady, InputError, OSError, ValueError, RuntimeError):  # not open yet, or not to be opened
            ready, words = False, "This appears when the photos are open."
        else:
            ready, words = True, "Estimating what it costs ..."
        for name, press in self.press.items():
            press.disabled = not ready or self.job.running
            self.offered[name].value = html.status(f"{html.text(PRESETS[name].meaning)}. {words}")
        if ready and not self.job.running:
            self.say("Choose how much is done, or go on with the notebooks one by one.")
            self._predict_soon()

    def unstarted(self) -> bool:
        """Where nobody is there, only a preset that was asked for."""
        return super().unstarted() and bool(self.preset) and not self.attended

    def choose(self, preset: str) -> None:
        """Start one of the presets."""
        self.preset = preset
        self.start()

    def _budget(self, preset: str) -> float:
        return self.budget.value * 60 or PRESETS[preset].budget

    def _predict_soon(self) -> None:
        if self.attended and not self.job.running:
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down what each preset costs and is expected to reach, one after the other, until Stop is pressed."""
        left, said = list(PRESETS), self.status.value

        def wanted() -> bool:
            return still() and not self.job.running

        def work(progress: Progress) -> None:
            def report(share: float, words: str) -> None:
                if not wanted():
                    raise Stopped
                progress(share, words)

            budget = self.budget.value * 60 or math.inf
            for offer in offers(self.photos_of(), self.config, PRESETS.values(), budget, report):
                report(1.0, offer.preset.name)
                self._offer(offer)
                left.remove(offer.preset.name)

        why = "Not estimated: you pressed Stop. The button works all the same."
        try:
            self.estimate.start(work, block=True)
        except NotReady:
            return
        except (InputError, OSError, ValueError, RuntimeError) as error:
            left, why = list(PRESETS), str(error)
        if wanted():
            self.status.value = said
            for name in left:
                self.offered[name].value = html.status(f"{html.text(PRESETS[name].meaning)}. {html.text(why)}")

    def _follow_estimate(self, estimate: Job) -> None:
        """Show how far it is, while nothing else is under way."""
        if not self.job.running:
            self.bar.value = estimate.share if estimate.running else 0.0
            self.end.disabled = not estimate.running or estimate.stopping
            if estimate.running:
                self.say(f"Estimating what the presets cost and reach. {html.text(estimate.words)}")

    def _stop(self) -> None:
        if self.job.running:
            super()._stop()
        else:
            self.estimate.stop()
            self.end.disabled = True

    def _offer(self, offer: Offer) -> None:
        lines = [f"{offer.preset.meaning}.", f"<b>{html.text(offer.cost)}</b>", html.text(offer.accuracy)]
        self.offered[offer.preset.name].value = html.status("<br>".join(lines))

    def work(self) -> Work:
        """The chosen preset, in this workspace."""
        if not self.preset:
            raise InputError("no preset is chosen: press Quick, Good or Best")
        self._soon.cancel()
        space, config, preset = self.photos_of(), self.config, PRESETS[self.preset]
        budget = self._budget(self.preset)

        def run(progress: Progress) -> dict[str, Any]:
            return self.in_worker(run_preset, space, config, preset, budget, progress=progress)

        return run

    def paint(self, result: dict[str, Any]) -> str:
        """What was done, step by step."""
        rows = (
            pd.DataFrame(result["rows"])
            .assign(seconds=lambda table: table["seconds"].round(1))
            .reindex(columns=["step", "result", "seconds", "what"])
        )
        shown = html.table(
            rows.astype(object).where(rows.notna(), ""),
            {"step": "step", "result": "", "seconds": "seconds", "what": "what it gave"},
        )
        self.text.value = shown + "".join(f"<div>{html.text(note)}</div>" for note in result["notes"])
        if result["state"] == "stopped":
            return "Stopped: what was done is kept, and the same button goes on from there."
        return f"Done: {result['preset']}. The notebooks show all of it."

    def _follow(self, job: Any) -> None:
        super()._follow(job)
        for press in self.press.values():
            press.disabled = job.running
        self._predict_soon()  # what was not estimated yet; what is there by now costs nothing

    # -- what the cells below show --------------------------------------------------------------------------------

    def outcome(self) -> None:
        """What was done, and where it goes on; nothing before a button was pressed."""
        if self.job.running or self.job.result:
            self.report(self.lessons)

    def lessons(self) -> HTML:
        """What was reached, beside what was expected, and where to go on."""
        found = self.result()
        made, offer = found.get("export", {}), found.get("offer")
        lines = [f"Preset {found['preset']}: {found['state']} after {found['seconds'] / 60:.1f} minutes."]
        if made.get("test_accuracy") is not None:
            lines.append(f"On the test photos {made['test_accuracy']:.1%} are right; exported to {made['folder']}.")
        if offer and offer["expected"]:
            expected = ExpectedAccuracy.from_dict(offer["expected"])
            lines.append(f"Expected beforehand: {expected.counted.label} {expected}.")
        notebook = PRESETS[found["preset"]].notebook
        link = f"<p>Go on in <a href='{notebook}.ipynb'>{notebook}</a>, which shows what was done.</p>"
        return HTML(f"{html.listed(lines).data}{link}")
