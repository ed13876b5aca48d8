"""What every rule keeps to, whatever the task."""

import inspect
import re

import pytest


def keeps_its_form(rule) -> None:
    """A rule is described, and says when it speaks and where it comes from, in one line each."""
    assert inspect.getdoc(type(rule)) and inspect.getdoc(type(rule).look)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.code)
    assert rule.when and rule.source and "\n" not in rule.when + rule.source


def finds(rule, case, says: str, change: dict) -> None:
    """A rule says that about a case, and suggests that change."""
    finding = rule.speak(case)
    assert finding is not None, f"{rule.code} is silent"
    assert says in f"{finding.title}; {finding.evidence}"
    assert finding.change.keys() == change.keys()
    for name, value in change.items():
        assert finding.change[name] == (pytest.approx(value) if isinstance(value, float) else value)


def keeps_the_contract(rule, case) -> None:
    """Whatever it looks at, a rule gives None or a finding with whole words and a change that can be carried out."""
    finding = rule.speak(case)
    if finding is None:
        return
    assert finding.code == rule.code and finding.source == rule.source
    assert finding.title
    assert re.search(r"\d|notebook", finding.evidence), "evidence holds numbers"
    if finding.change:
        changed = type(case.config).from_values(**(case.config.to_dict() | finding.change))
        assert changed != case.config, "Apply would change nothing"
