"""The rule about classes of very different size: what was measured is what is advised."""

from dataclasses import replace

import pytest

from cvtune_nb.advice import rules
from tests.advice.measured import compared
from tests.advice.test_rules import case, unequal


def test_the_remedy_that_was_measured_is_advised():
    finding = rules.Imbalance().speak(case(photos=unequal(), remedies=compared("square-root")))
    assert finding is not None and finding.change == {"imbalance": "square-root"}
    assert "+50.0 points" in finding.evidence and "of balanced accuracy" in finding.evidence


@pytest.mark.parametrize(
    ("objective", "change"), [("accuracy", {}), ("log-loss", {}), ("macro-f1", {"imbalance": "balanced"})]
)
def test_without_a_measurement_no_remedy_is_advised_where_it_may_harm(objective, change):
    asked = case(photos=unequal())
    run = replace(asked.run, config=replace(asked.config, objective=objective))
    assert rules.Imbalance().speak(replace(asked, run=run)).change == change
