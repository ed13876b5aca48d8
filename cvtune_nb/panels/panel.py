"""What every panel has in common: parameters left, a live picture right, findings under it, then what it cost."""

import contextlib
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import ipywidgets as w
from IPython.display import HTML, display

from cvtune_nb.files import Progress
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import Job, NotReady, Work, headless
from cvtune_nb.widgets.layout import WIDTH, row
from cvtune_nb.widgets.page import Page
from cvtune_nb.worker import Worker, attach, under_way

LATER = "<i>This appears here when the work above has ended.</i>"
STILL = '<div class="cvtune-still">{}</div>'
AS_ABOVE = "As in the panel above; a copy is kept here for when the kernel is gone."

_OPEN: dict[tuple[type, str], Any] = {}
"""The panels of this kernel, so that running a cell again finds the one whose work is still going on."""

WORKER = Worker()
"""The process that does this kernel's heavy work."""


class Panel:
    """One step of the workbook. A subclass makes its controls, and defines `work` and `paint`.

    Attributes
    ----------
    button
        What the main button says.
    by_itself
        Whether work starts when the panel is shown (it takes seconds), or waits for the press.
    interruptible
        Whether the main button works at any time and ends what is under way.
    waiting
        What a cell that needs the result says until then.
    attended
        Whether a person can press its buttons.
    """

    button: ClassVar[str] = "Run"
    by_itself: ClassVar[bool] = False
    interruptible: ClassVar[bool] = False
    waiting: ClassVar[str] = "Press Run above first, then run this cell again."

    @classmethod
    def of(cls, workspace: Any, **values: Any) -> Self:
        """The panel for this workspace and these values.

        A cell that is run again gets the same panel back, with its running work and its results; new values make a new
        one, unless work is still running.
        """
        key = (cls, str(getattr(workspace, "folder", workspace)))
        known = _OPEN.get(key)
        if known is None or (known.values != values and not known.job.running):
            known = _OPEN[key] = cls(workspace, **values)
            known.values = values
        elif not known.job.running:
            known.workspace = workspace  # opened anew: there may be more in it
        return known

    @classmethod
    def opened(cls, workspace: Any) -> Self | None:
        """The panel of this workspace that is open in this kernel; None if there is none."""
        return _OPEN.get((cls, str(getattr(workspace, "folder", workspace))))

    def __init__(self, workspace: Any):
        self.workspace, self.values, self.job = workspace, {}, Job()
        self.attended = not headless()  # asked in the cell: a message of a widget does not name one
        self.go = w.Button(description=self.button, button_style="primary")
        self.end = w.Button(description="Stop", disabled=True)
        self.bar = w.FloatProgress(min=0, max=1, layout={"width": WIDTH})
        self.status, self.alert, self.cost = w.HTML(), w.HTML(), w.HTML()
        self.picture, self.text = html.Picture(), w.HTML()
        self.controls, self.buttons, self.more = w.VBox(), row(self.go, self.end), w.VBox()
        self.left = w.VBox([self.controls, self.buttons, self.bar, self.status, self.alert, self.more])
        self.right, self.below = w.VBox([self.picture, self.text]), w.VBox()
        self.left.add_class("cvtune-left")
        self.right.add_class("cvtune-right")
        columns = row(self.left, self.right)
        columns.layout.align_items = "flex-start"
        self.box = w.VBox([Page(), columns, self.below, self.cost])
        self.box.add_class("cvtune")
        self.reports: list[tuple[Any, Callable[[], Any] | w.HTML]] = []
        self.go.on_click(self.guard(lambda _: self.start()))
        self.end.on_click(self.guard(lambda _: self._stop()))
        self.job.listeners.append(self._follow)

    # -- what a subclass defines ------------------------------------------------------------------------------

    def work(self) -> Work:
        """Read the controls, once, and return what to run with them."""
        raise NotImplementedError

    def paint(self, result: Any) -> str:
        """Show the result (called in the working thread); returns one line of HTML for the status."""
        raise NotImplementedError

    def unstarted(self) -> bool:
        """Whether there is nothing yet to show, so that work starts when the panel is shown."""
        return self.job.result is None

    def live(self) -> dict[str, Callable[..., Any]]:
        """Calls that show the work as it goes, by name, for work that was begun by another kernel."""
        return {}

    def lessons(self) -> HTML:
        """What we learned, in sentences filled in from the results."""
        raise NotImplementedError

    # -- running ----------------------------------------------------------------------------------------------

    def start(self, block: bool = False) -> bool:
        """Press the main button. block=True completes in place and raises what goes wrong."""
        return self.begin(self.work(), block)

    def begin(self, work: Work, block: bool = False) -> bool:
        """Run `work` as this panel's job; False when one is running already that may not be interrupted."""
        self.alert.value = ""
        return self.job.start(lambda progress: self._painted(work(progress)), block, self.interruptible)

    def in_worker(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        progress: Progress,
        live: Mapping[str, Callable[..., Any]] | None = None,
        give: bool = True,
        **named: Any,
    ) -> Any:
        """`function(*arguments, progress=progress, **live, **named)`, in the worker; where nobody watches, right here.

        Parameters
        ----------
        function
            Of a module; what it is given and returns is copied from process to process.
        progress
            The job's.
        live
            Calls that show the work as it goes, by the name of the argument that they are. They run here.
        give
            False: what counts is in the files that it leaves; what it returns stays in the worker.

        Raises
        ------
        WorkerDied
            The worker was killed, or crashed.
        Exception
            What the function raises.
        """
        if not self.attended:
            return function(*arguments, progress=progress, **(live or {}), **named)
        return WORKER.run(function, *arguments, progress=progress, live=live, record=self._record, give=give, **named)

    @property
    def _record(self) -> Path | None:
        """The file by which another kernel can watch what this panel has begun."""
        folder = getattr(self.workspace, "folder", None)
        return folder and folder / "work" / f"{type(self).__name__}.json"

    def result(self) -> Any:
        """What the work gave. Until then it raises NotReady, which a notebook shows as one friendly line."""
        if self.job.running:
            raise NotReady("This is still running: wait for it to finish, then run this cell again.")
        if self.job.state == "failed" and self.job.error:
            raise self.job.error
        if self.job.result is None:
            raise NotReady(self.waiting)
        return self.job.result

    def _painted(self, result: Any) -> Any:
        self._words = self.paint(result)
        return result

    def _stop(self) -> None:
        self.job.stop()
        self.end.disabled = True
        self.say("Stopping: what is done so far is kept.")

    def _follow(self, job: Job) -> None:
        """Show the job's state. Called in the working thread: writes nothing that the person edits."""
        self.go.disabled = job.running and not self.interruptible
        self.end.disabled = not job.running or job.stopping
        self.bar.value = 1.0 if job.state == "done" else job.share
        if job.running:
            self.say(html.text(job.words) or "Starting")
        elif job.state == "failed" and job.error:
            self.say("That did not work: see the box below.")
            self.show_error(job.error)
        else:
            words = self.__dict__.pop("_words", "")
            self.say(words or ("Stopped." if job.state == "stopped" else "Done."))
            self.refresh_reports()

    # -- showing ----------------------------------------------------------------------------------------------

    def say(self, words: str) -> None:
        """Write `words` (HTML) into the status line."""
        self.status.value = html.status(words)

    def show_error(self, error: BaseException) -> None:
        """Show what went wrong, in the panel."""
        self.alert.value = html.alert(error)

    def guard(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call` as a callback whose errors reach the page; without a page, the caller."""

        @functools.wraps(call)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            except Exception as error:
                if headless():
                    raise
                self.show_error(error)

        return guarded

    def _ipython_display_(self) -> None:
        display(self.box)
        if self.attended and self.job.state == "idle" and self._record:
            WORKER.warm("cvtune_nb.classification.train")
            if under_way(record := self._record):  # begun by a kernel that is gone
                self.begin(lambda progress: attach(record, progress, self.live()))
        if self.job.state != "idle" or not self.unstarted():
            return
        if headless():
            self.start(block=True)
        elif self.by_itself:
            self.guard(self.start)()

    def report(self, *parts: Callable[[], Any] | w.HTML, always: bool = False) -> None:
        """Show something as ordinary outputs of the cell, which stay in the notebook when the kernel is gone.

        They are brought up to date when the work ends. While it runs, a line in their place says so, and Run All goes
        on. NotReady when there is no result and none on its way.

        Parameters
        ----------
        parts
            What to show: calls that give an output, or pictures and texts of this panel (by default its main ones),
            which are hidden as long as the panel itself shows them.
        always
            Whether they can be shown without a result.
        """
        if not (always or self.job.running):
            self.result()
        above = AS_ABOVE
        for part in parts or (self.picture, self.text):
            if isinstance(part, w.HTML):
                display(HTML(STILL.format(above)))
                above = ""
            later = self.job.running and not always
            handle = display(HTML(LATER) if later else self._output(part), display_id=True)
            self.reports.append((handle, part))

    def learned(self) -> None:
        """What we learned: the panel's `lessons`, kept up to date as long as the kernel lives."""
        self.report(self.lessons)

    def refresh_reports(self) -> None:
        """Bring the outputs made by `report` up to date; while work runs they wait for its end."""
        if self.job.running:
            return
        for handle, part in self.reports:
            with contextlib.suppress(Exception):  # the page may be gone; the panel itself is what counts
                try:
                    handle.update(self._output(part))
                except NotReady as why:  # it was stopped or failed
                    handle.update(HTML(html.text(str(why))))

    def _output(self, part: Callable[[], Any] | w.HTML) -> Any:
        """What `report` shows as the output of a cell."""
        if isinstance(part, html.Picture):
            return part.output() if part.png else HTML("<i>No picture yet.</i>")
        if callable(part):
            return part()
        return HTML(part.value + (self.cost.value if part is self.text else ""))
