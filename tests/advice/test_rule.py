"""Advice about runs that were really made."""

import pytest

from cvtune_nb.advice import RULES, advise
from cvtune_nb.models import backbones
from cvtune_nb.parameters import Config
from cvtune_nb.runs.finding import Finding


@pytest.fixture(autouse=True)
def only_lite_on_disk(monkeypatch):
    """The same weights at hand on every machine."""
    monkeypatch.setattr(backbones, "on_disk", lambda name: name.startswith("efficientnet"))


def test_advice_about_a_real_run_comes_in_the_order_of_the_rules(trained_run):
    workspace, run = trained_run
    findings = advise(workspace, run)
    assert "few-images" in [finding.code for finding in findings]
    assert all(isinstance(finding, Finding) for finding in findings)
    codes = [rule.code for rule in RULES]
    places = [codes.index(finding.code) for finding in findings]
    assert places == sorted(places)
    assert findings[0].to_dict().keys() == {"code", "title", "evidence", "source", "change"}


@pytest.fixture
def trained_run(workspace):
    from cvtune_nb.classification import fit

    return workspace, fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=0))


def test_advice_compares_with_the_baseline_and_other_runs(trained_run):
    workspace, first = trained_run
    from cvtune_nb.classification import fit

    second = fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=0, seed=1))
    findings = {finding.code: finding for finding in advise(workspace, second)}
    assert f"against {first.id}: no reliable difference" in findings["noise"].evidence
    assert "below-baseline" not in findings  # nothing was trained: only the start from the SVM is there
