"""What panels that train have in common: parameters and their estimated cost, Train, Stop, Resume, all runs."""

from typing import Any, ClassVar

import ipywidgets as w
import pandas as pd

from cvtune_nb.console import duration
from cvtune_nb.errors import InputError, WorkerDied
from cvtune_nb.files import Progress
from cvtune_nb.panels.panel import Panel
from cvtune_nb.runs.cost import Cost, past_errors, past_in_words
from cvtune_nb.runs.finding import Finding
from cvtune_nb.runs.fitting import halve
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.runs.store import TRAINING, UNFINISHED, StoredRun
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.findings import Findings
from cvtune_nb.widgets.job import Job, NotReady, Work
from cvtune_nb.widgets.layout import folded, small_print

FIRST = "the first estimate here, so it may be far off; during the first epoch it is replaced by what is measured"
"""What is shown with a prediction that no finished run has corrected yet."""

HALVINGS = 3
"""How often a run whose process was killed for memory goes on by itself, with half the minibatch."""
ENDED = {"stopped": "Stopped; Resume continues from its last whole epoch.", "diverged": "Stopped: the loss diverged."}


class RunPanel(Panel):
    """Choose parameters, see the estimated cost, train, stop, resume, and follow the findings.

    A subclass lays out the parts, calls `ready`, and defines what is not implemented here.

    Attributes
    ----------
    first
        The parameters that matter most; the others fold out.
    apart
        Those that a part of the panel of their own shows.
    kind
        The class of its runs.
    noun
        What a run is called.
    """

    first: ClassVar[tuple[str, ...]]
    apart: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[type[StoredRun]]
    noun: ClassVar[str] = "run"

    def __init__(self, subject: Any, controls_of: dict[str, Control]):
        super().__init__(subject)
        self.controls_of = controls_of
        self.resume = w.Button(description="Resume")
        self.cost_line, self.compared = small_print(), w.HTML()
        self.findings = Findings(self.guard(self._apply), controls_of)
        others = [control.box for name, control in controls_of.items() if name not in (*self.first, *self.apart)]
        self.folded = folded("More parameters", others)
        self.buttons.children = [self.go, self.end, self.resume]
        self.resume.on_click(self.guard(lambda _: self._resume()))
        self._soon = Soon(self.predict)
        for control in controls_of.values():
            control.on_change(lambda _: self._predict_soon())

    # -- what a subclass defines ------------------------------------------------------------------------------

    def config(self) -> Any:
        """The parameters as they stand. Raises InputError."""
        raise NotImplementedError

    def estimate_cost(self, config: Any) -> Cost:
        """What a run with them will cost."""
        raise NotImplementedError

    def priced(self, config: Any) -> None:
        """Called when the estimated cost is shown, beside the kernel."""

    def fit(self, progress: Progress, **what: Any) -> Any:
        """Train a run of `config`, or resume `run`; returns the run."""
        raise NotImplementedError

    def table(self) -> pd.DataFrame:
        """All runs of the workspace, oldest first."""
        raise NotImplementedError

    def load(self, name: str) -> Any:
        """The run with this id."""
        raise NotImplementedError

    def show_run(self, run: Any) -> None:
        """Show a run: curves, findings, comparison."""
        raise NotImplementedError

    def draw_nothing(self) -> None:
        """What is shown before the first run."""
        raise NotImplementedError

    def rows_of(self, runs: pd.DataFrame, caption: str) -> str:
        """A table of these runs, the best on top, under a caption."""
        raise NotImplementedError

    def comparison_of(self, runs: pd.DataFrame) -> str:
        """All runs beside each other; those that may not be compared with them in a table of their own."""
        now, compared = runs["data"] == "", f"{self.noun.capitalize()}s, best first"
        apart = f"{EARLIER.capitalize()}: other validation photos, labels or classes, so these figures are not compared"
        parts = ((runs[now], compared), (runs[~now], apart))
        return "".join(self.rows_of(part, caption) for part, caption in parts if len(part))

    # -- parameters and their estimated cost ---------------------------------------------------------------------

    def set(self, values: dict[str, Any]) -> None:
        """Move the controls to `values`; parameters that are not named stay."""
        for name, value in values.items():
            self.controls_of[name].value = value

    def _apply(self, finding: Finding) -> None:
        change = {name: value for name, value in finding.change.items() if name in self.controls_of}
        self.set(change)
        self.say(f"Applied {html.text(', '.join(change))}: press {self.button}.")

    def _predict_soon(self) -> None:
        """Predict time and memory once the controls have come to rest, beside the kernel: it runs a few steps."""
        self._soon.cancel()
        if self.job.running:
            return
        self.cost_line.value = html.status("Estimating time and memory …")
        self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Show estimated time and memory, while they are wanted."""
        try:
            config = self.config()
            cost = self.estimate_cost(config)
            if still() and not self.job.running:
                past = past_in_words(past_errors(self.table()))
                words = f"This will take <b>{html.text(cost.words)}</b>; {past or FIRST}."
                self.cost_line.value = html.status(words)
                self.priced(config)
        except (InputError, OSError, ValueError, RuntimeError) as error:
            self.cost_line.value = html.alert(error)

    # -- running ----------------------------------------------------------------------------------------------

    def ready(self) -> None:
        """What a person who comes back finds: the last run; and the estimated cost of the next."""
        run = self.last()
        self.resume.disabled = self._unfinished() is None
        if run is not None:
            self.show_run(run)
            self.say(f"The last {self.noun} of this workspace is shown: {html.text(run.id)}.")
        else:
            self.draw_nothing()
            known = self.table()
            self.compared.value = self.comparison_of(known)
            earlier = f"; the {self.noun}s listed below are of {EARLIER}" if len(known) else ""
            self.say(f"Not trained yet on these photos{earlier}." if earlier else "Not trained yet.")
        if self.attended:
            self._predict_soon()

    def work(self) -> Work:
        """Read the parameters."""
        config = self.config()
        return lambda progress: self.train(progress, config=config)

    def train(self, progress: Progress, **what: Any) -> Any:
        """`fit`; where memory runs out, so that the worker is killed, the run goes on with half the minibatch."""
        for _ in range(HALVINGS):
            try:
                return self.fit(progress, **what)
            except WorkerDied as died:
                unfinished = self._unfinished(*UNFINISHED, TRAINING)
                if not died.out_of_memory or unfinished is None:
                    raise
                what = {"run": halve(self.load(unfinished)).id}
        return self.fit(progress, **what)

    def _resume(self) -> None:
        unfinished = self._unfinished(*UNFINISHED, TRAINING)  # one that another program trains by now is refused by fit
        if unfinished is not None:
            self.begin(lambda progress: self.train(progress, run=unfinished))

    def _unfinished(self, *states: str) -> str | None:
        known = self.kind.unfinished(self.table(), states or UNFINISHED)
        return None if known.empty else str(known["run"].iloc[-1])

    def ended(self, run: Any, best: str) -> str:
        """Show what a run took; gives the sentence for the status line. best: what its best epoch reached."""
        predicted = f"; predicted were {duration(run.predicted_seconds)}." if run.predicted_seconds else "."
        self.cost.value = html.text(f"It took {duration(run.seconds)}{predicted}")
        if run.history.empty:
            return f"{ENDED.get(run.state, 'Finished.')} No epoch was finished."
        return f"{ENDED.get(run.state, 'Finished.')} Best epoch {run.best_epoch}: {best} Now run the cells below."

    def _follow(self, job: Job) -> None:
        super()._follow(job)
        if job.words.startswith("epoch") and (left := job.left) is not None:
            self.say(f"{html.text(job.words)}; about {duration(left)} left, as measured so far.")
        self.resume.disabled = job.running or self._unfinished() is None
        if not job.running and self.attended:
            self._predict_soon()

    def last(self) -> Any:
        """The last run with a finished epoch on today's photos; None before there is one."""
        known = self.kind.finished(self.table())
        return None if known.empty else self.load(str(known["run"].iloc[-1]))

    def result(self) -> Any:
        """The run made here, or the workspace's last one. NotReady until there is one with a finished epoch."""
        here = self.job.result
        made = here is not None and isinstance(here, self.kind) and len(here.history)
        if self.job.running or self.job.state == "failed" or made:
            return super().result()
        run = self.last()
        if run is None:
            raise NotReady(self.waiting)
        return run
