"""The choice of what counts, in every notebook where something is chosen by it: one file, several places to see it."""

from collections.abc import Callable
from typing import Any

from cvtune_nb.classification.baseline import baseline_score, last_baseline, most_confused
from cvtune_nb.classification.objective import choose, chosen, objective_for, objective_in
from cvtune_nb.errors import InputError
from cvtune_nb.objectives import ACCURACY, USUAL, Counted, Score
from cvtune_nb.widgets import html
from cvtune_nb.widgets.controls import Control
from cvtune_nb.workspace import Workspace


def objective_control(
    workspace: Workspace, guard: Callable[..., Any], then: Callable[[], None], given: str = ""
) -> Control:
    """A control that decides what counts in a workspace.

    Parameters
    ----------
    workspace
        In which the choice is written down (objective.json).
    guard
        Shows the errors of what is called (Panel.guard).
    then
        Called after another choice.
    given
        What counts from now on; "": what was chosen before.
    """
    if given:
        choose(workspace, given)
    control = Control("objective", chosen(workspace))
    say_classes(control, workspace)

    def keep(text: str) -> None:
        if text != chosen(workspace):
            choose(workspace, text)
            then()

    control.on_change(guard(keep))
    return control


def say_classes(control: Control, workspace: Workspace) -> None:
    """Tell it which classes there are, and which the last baseline mixes up most."""
    control.widget.suit(workspace.classes, most_confused(workspace))


def counted_in(workspace: Workspace) -> Counted:
    """What counts in a workspace; accuracy where its objective names a class that is gone."""
    objective = objective_for(workspace, workspace.classes)
    return Counted.of(objective) if objective else ACCURACY


def standing_of_svm(workspace: Workspace) -> float | None:
    """What the last baseline reaches on validation by what counts; None without one, or where that can't be told."""
    known, objective = last_baseline(workspace), objective_for(workspace, workspace.classes)
    if known is None or objective is None or objective.text == USUAL:
        return known["validation_accuracy"] if known else None
    score = baseline_score(workspace, objective)
    return score.value if score else None


def counts_in_words(workspace: Workspace) -> str:
    """What counts, in a line of plain text; where it names a class that is gone, that."""
    try:
        return f"What counts is {objective_in(workspace).label}."
    except InputError as error:
        return str(error)


def beside_accuracy(score: Score | None, text: str) -> str:
    """A score in large type, to stand before the accuracy; "" where accuracy itself counts, or nothing is known.

    text: that of the objective.
    """
    if score is None or text == USUAL:
        return ""
    low, high = (f"{end:.1%}" if score.share else f"{end:.3f}" for end in score.interval)
    value = f"{score.value:.1%}" if score.share else f"{score.value:.3f}"
    label = f'<span class="cvtune-number">{value}</span> {html.text(score.label)}'
    return f"{label}; 95% interval {low} to {high}, {score.n} validation photos.<br>"
