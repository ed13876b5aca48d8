"""What the export panels of notebooks 05, 06 and 07 have in common."""

from collections.abc import Iterable
from typing import Any, ClassVar

import ipywidgets as w
from IPython.display import HTML

from cvtune_nb.console import duration
from cvtune_nb.export import predict
from cvtune_nb.export.packaging import Exported
from cvtune_nb.panels.panel import Panel
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.widgets import html
from cvtune_nb.widgets.job import NotReady


class BaseExportPanel(Panel):
    """Export something, see what the test set says, and how it is used elsewhere. A subclass defines `sentences`, too.

    kind: the class of what is exported, by which it is used elsewhere.
    """

    kind: ClassVar[type[predict.Model]] = predict.Model

    def __init__(self, workspace: Any):
        super().__init__(workspace)
        self.model: predict.Model | None = None
        self.warning = w.HTML()
        self.earlier = w.Checkbox(description="Export it even if its classes are not those of today", indent=False)
        self.earlier.layout.display = "none"
        self.warn()

    def choose_from(self, menu: w.Dropdown, options: list[tuple[str, str]], earlier: list[tuple[str, str]]) -> None:
        """Fill a menu with runs.

        Parameters
        ----------
        menu
            The menu.
        options
            What is shown of a run, and its id; the first is chosen.
        earlier
            The same for runs of earlier data, which come last. None of them is chosen by itself, and one that a person
            chooses has a box beside it.
        """
        chosen, self._of_earlier = menu.value, {name for _, name in earlier}
        menu.options = [*options, *((f"{EARLIER}: {words}", name) for words, name in earlier)]
        first = options[0][1] if options else None
        menu.value = chosen if chosen in {name for _, name in menu.options} else first
        menu.observe(self._offer_earlier, "value")
        self._offer_earlier({"new": menu.value})

    def _offer_earlier(self, change: dict[str, Any]) -> None:
        asked = change["new"] in self._of_earlier
        self.earlier.layout.display = None if asked else "none"
        self.earlier.value = self.earlier.value and asked

    def exported_model(self) -> predict.Model:
        """The model to try; NotReady until there is one."""
        if self.model is None:
            raise NotReady(self.waiting)
        return self.model

    def sentences(self, made: Any) -> Iterable[str]:
        """What the export says, in sentences; the first is what was exported."""
        raise NotImplementedError

    def openings(self) -> int:
        """How often the test set has been looked at."""
        return self.workspace.test_openings()

    def warn(self) -> None:
        """Say what exporting does to the test set."""
        self.warning.value = html.test_warning(self.openings())

    def exported(self, made: Exported) -> str:
        """The status once it is exported; its cost, and the warning, are brought up to date."""
        self.cost.value = f"Exporting took {duration(made.seconds)}."
        self.warn()
        return f"Exported to {html.text(made.folder)}, and as a zip beside it. Now run the cells below."

    def how_to_use(self) -> None:
        """A few lines that use it anywhere onnxruntime, numpy and Pillow are."""
        self.report(self.usage)

    def usage(self) -> HTML:
        """What `how_to_use` shows."""
        made = self.result()
        return html.uses(str(made.folder), self.program_lines(made))

    def program_lines(self, made: Exported) -> list[str]:
        """Those lines, for Python."""
        folder, name = str(made.folder), self.kind.__name__
        return [f"from predict import {name}", f"{name}({folder!r}).predict(['photo.jpg'])"]

    def lessons(self) -> HTML:
        """What we learned, from the export above."""
        made = self.result()
        opened = f"The test set of this workspace has been opened {html.times(made.openings)}."
        return html.listed([*self.sentences(made), *(f"{note}." for note in made.notes), opened])


def agreement(made: Exported, in_what: str = "on") -> str:
    """How far PyTorch and what was exported are the same."""
    return (
        f"The exported model and PyTorch agree to {made.parity:.1g} {in_what} {made.parity_photos} photos, among them "
        "grey, turned, tiny and huge ones."
    )


def noted(made: Exported) -> str:
    """What must be known of the figures, as HTML."""
    return "".join(f"<div class='cvtune-words'>{html.text(note)}.</div>" for note in made.notes)


def beside_validation(low: float, validation: float, high: float) -> str:
    """Whether validation agrees with test, in words.

    Parameters
    ----------
    low, high
        The interval on test.
    validation
        The same measure on validation.
    """
    return "in agreement with validation" if low <= validation <= high else "not in agreement with validation"
