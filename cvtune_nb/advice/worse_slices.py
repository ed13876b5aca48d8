"""The rule about photos that have something in common and are reliably worse."""

from cvtune_nb.advice.rule import Case, Rule
from cvtune_nb.advice.slices import SOURCE
from cvtune_nb.runs.finding import Finding


class WorseSlices(Rule[Case]):
    """It fails on photos that have something in common."""

    code = "slices"
    when = "photos that have something in common are reliably worse (notebook 03, or `cvtune slices`)"
    source = SOURCE

    def look(self, case: Case) -> Finding | None:
        """Which photos to add."""
        return case.slices.finding() if case.slices else None
