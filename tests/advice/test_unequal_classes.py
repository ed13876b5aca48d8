"""The rule about classes of very different size: what was measured is what is advised."""

from cvtune_nb.advice import rules
from tests.advice.measured import compared
from tests.advice.test_rules import case, unequal


def test_the_remedy_that_was_measured_is_advised():
    finding = rules.Imbalance().speak(case(photos=unequal(), remedies=compared("square-root")))
    assert finding is not None and finding.change == {"imbalance": "square-root"}
    assert "+50.0 points" in finding.evidence and "of balanced accuracy" in finding.evidence
