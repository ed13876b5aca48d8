"""The rules about classes of very different size."""

from cvtune_nb.advice.rule import Case, Rule
from cvtune_nb.classification.remedies import balance_of
from cvtune_nb.imbalance import BALANCED, NONE, UNBALANCED
from cvtune_nb.objectives import USUAL
from cvtune_nb.runs.finding import Finding


class Imbalance(Rule[Case]):
    """One class has far more training photos than another, and nothing is done about it.

    What helped with ours: docs/measurements.md, "Remedies for imbalance".
    """

    code = "imbalance"
    when = "the largest class has more than 3 times the training photos of the smallest, and no remedy is used"
    source = "Menon and others 2021, Long-tail learning via logit adjustment"

    def look(self, case: Case) -> Finding | None:
        """What the comparison of notebook 02 recommends; without one, to make it, or the one that helped most."""
        balance, found = balance_of(case.photos), case.remedies
        if not balance.unbalanced or case.config.imbalance != NONE:
            return None
        if found is None:
            evidence = f"{balance}. Notebook 02 and `cvtune remedies` measure in seconds what each remedy brings here"
            if self._may_harm(case.config.objective):
                return self.finding("Large classes count most: measure what a remedy for imbalance brings", evidence)
            evidence += "; with ours balanced weights helped fine-tuned networks"
            return self.finding("Large classes count most: try a remedy for imbalance", evidence, imbalance=BALANCED)
        if found.recommended == NONE:
            return None
        gain, cost = found.gain(found.recommended), found.costs(found.recommended)
        expected = f"{gain} of {found.label}, {cost} of accuracy"
        evidence = f"{balance}. Expected of {found.recommended}, by a frozen network: {expected}"
        title = f"Large classes count most: use {found.recommended}"
        return self.finding(title, evidence, imbalance=found.recommended)

    @staticmethod
    def _may_harm(objective: str) -> bool:
        """Whether it counts the large classes, or how good probabilities are: a remedy can make it worse."""
        return objective in (USUAL, "log-loss") or objective.startswith("cost")


class LargeClassesCount(Rule[Case]):
    """The classes are of very different size, and accuracy counts the large ones most."""

    code = "large-classes-count"
    when = f"the largest class has more than {UNBALANCED:g} times the training photos of the smallest"
    source = "Brodersen and others 2010, the balanced accuracy and its posterior distribution"

    def look(self, case: Case) -> Finding | None:
        """Balanced accuracy, where accuracy counts."""
        balance = balance_of(case.photos)
        if case.config.objective != USUAL or not balance.unbalanced:
            return None
        return self.finding(
            "Large classes count most: choose by balanced accuracy",
            f"{balance}. By accuracy a network that never finds the small classes looks good; by balanced accuracy, "
            "the mean of the classes' recalls, each class counts the same",
            objective="balanced-accuracy",
        )
