"""What a rule is, whatever the task, and what the rules of classifiers look at."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.advice.slices import Slices, last_slices
from cvtune_nb.audit import load_audit
from cvtune_nb.classification import Run, load_run, runs
from cvtune_nb.classification import objective as judged
from cvtune_nb.classification.baseline import baseline_answers, baseline_predictions
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import Answers
from cvtune_nb.classification.remedies import Comparison, holds, last_remedies
from cvtune_nb.classification.variations import known_costs
from cvtune_nb.data.groups import groups_at
from cvtune_nb.metrics import Chosen, Paired
from cvtune_nb.objectives import USUAL, Objective
from cvtune_nb.parameters import Config
from cvtune_nb.runs.finding import Finding
from cvtune_nb.runs.provenance import present
from cvtune_nb.workspace import Workspace

BASELINE = "svm"
"""Stands for the baseline among the answers of runs."""


class HasConfig(Protocol):
    """What any case has: the parameters of the run that it is about."""

    @property
    def config(self) -> Any:
        """A dataclass."""


C = TypeVar("C", bound=HasConfig)


class Rule(ABC, Generic[C]):
    """One rule of the method, which looks at a case of its task.

    Attributes
    ----------
    code
        What it finds, in one word.
    when
        When it applies, in one line.
    source
        Where it comes from.
    """

    code: ClassVar[str]
    when: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def look(self, case: C) -> Finding | None:
        """What it says about `case`, or None."""

    def speak(self, case: C) -> Finding | None:
        """The same, without its change when that would change nothing: the parameter is at its limit already."""
        finding = self.look(case)
        if finding and finding.change and replace(case.config, **finding.change) == case.config:
            return replace(finding, change={})
        return finding

    def finding(self, title: str, evidence: str, **change: Any) -> Finding:
        """A finding of this rule. change: parameters to set next."""
        return Finding(self.code, title, evidence, self.source, change)


@dataclass(frozen=True)
class Case:
    """What the rules of classifiers look at.

    Attributes
    ----------
    run : Run
        The run that advice is asked about.
    photos : pandas.DataFrame
        The photos it was trained on.
    runs : pandas.DataFrame
        The table of the runs that may be compared with it, its own among them.
    right, right_baseline : pandas.Series
        Which validation photos the run and the SVM got right, by path; None for an SVM that can't be compared.
    right_others : dict
        The same for each of the other runs.
    issues : pandas.DataFrame
        The last audit's table, without what was decided since.
    variations : pandas.DataFrame
        What policies of augmentation cost a frozen network and SVM (classification.variations).
    objective : Objective or None
        What counts in the workspace, where that is not accuracy; None, too, where the run kept no probabilities.
    answers : dict
        What the run, the others and the BASELINE say, as far as the objective needs it; empty without an objective.
    remedies : Comparison or None
        What remedies for imbalance bring (classification.remedies), where that was measured on today's photos.
    slices : Slices or None
        Where the run fails (advice.slices), if that was looked for.
    """

    run: Run
    photos: pd.DataFrame
    runs: pd.DataFrame
    right: pd.Series
    right_baseline: pd.Series | None
    right_others: dict[str, pd.Series]
    issues: pd.DataFrame
    variations: pd.DataFrame = field(default_factory=pd.DataFrame)
    remedies: Comparison | None = None
    objective: Objective | None = None
    answers: Mapping[str, Answers] = field(default_factory=dict)
    slices: Slices | None = None

    @property
    def config(self) -> Config:
        """The run's parameters."""
        return self.run.config

    @property
    def last(self) -> pd.Series:
        """The history's last row."""
        return self.run.history.iloc[-1]

    @property
    def trained(self) -> pd.DataFrame:
        """The history without epoch 0, which only shows the start."""
        return self.run.history[self.run.history["epoch"] > 0]

    @property
    def best_other(self) -> str:
        """The best of the other runs by what counts; "" where there is none."""
        if self.objective is None:
            others = {name: float(right.mean()) for name, right in self.right_others.items()}
        else:
            scores = {name: judged.measure(self.objective, self.answers[name]) for name in self._others}
            others = {name: self.objective.merit(score.value) for name, score in scores.items()}
        return max(others, key=others.__getitem__, default="")

    @property
    def _others(self) -> list[str]:
        return [name for name in self.right_others if name in self.answers]

    def against(self, other: str) -> Paired | None:
        """The run beside another one, or the BASELINE, by what counts; None where they can't be compared."""
        if self.objective is not None:
            known = self.answers.get(other)
            return known and judged.compare(self.objective, known, self.answers[self.run.id])
        right = self.right_baseline if other == BASELINE else self.right_others[other]
        if right is None:
            return None
        first, second = aligned(right, self.right)
        return metrics.paired(first, second, groups_at(self.photos, first.index))

    def best_of_all(self, at_least: int) -> Chosen | None:
        """What to expect of the best run, where there are so many that can be compared and this is it; else None."""
        if self.objective is not None:
            answers = {name: self.answers[name] for name in (self.run.id, *self._others)}
            chosen = judged.best_of(self.objective, answers) if len(answers) >= at_least else None
        else:
            right = on_same_photos({self.run.id: self.right, **self.right_others})
            groups = groups_at(self.photos, right.index)
            chosen = metrics.best_of(right, groups=groups) if right.shape[1] >= at_least and len(right) else None
        return chosen if chosen and chosen.run == self.run.id else None

    def issue(self, kind: str) -> pd.Series | None:
        """The worst issue of a kind, or None."""
        rows = self.issues[self.issues["issue"] == kind]
        return None if rows.empty else rows.iloc[0]


def case_of(workspace: Workspace, run: Run) -> Case:
    """The case of `run`, from what is on disk.

    Runs, and a baseline, on other validation photos, labels or classes are left out: they can't be compared with it.
    """
    table, own, found = runs(workspace), run.provenance, load_audit(workspace)
    others = [load_run(workspace, name) for name in table["run"] if name != run.id]
    others = [other for other in others if other.provenance.comparable(own)]
    standing = baseline_predictions(workspace) if own.comparable(present(workspace)) else None
    objective, answers = judged.objective_in(workspace), dict[str, Answers]()
    if objective.text != USUAL and (own_answers := run.answers(objective)) and own.comparable(present(workspace)):
        known = {other.id: other.answers(objective) for other in others if len(other.history)}
        known |= {run.id: own_answers, BASELINE: baseline_answers(workspace, objective)}
        answers = {name: each for name, each in known.items() if each}
    remedies, slices = last_remedies(workspace), last_slices(workspace)
    issues = found.issues if found else pd.DataFrame(columns=["path", "issue", "score", "detail", "suggestion"])
    return Case(
        run,
        workspace.photos(),
        table[table["run"].isin([run.id, *(other.id for other in others)])],
        right_of(run.predictions()),
        None if standing is None else right_of(standing),
        {other.id: right_of(other.predictions()) for other in others if len(other.history)},
        issues[~issues["path"].isin(list(workspace.standing()))],
        known_costs(workspace, FeatureSpec.of(run.config)),
        remedies if remedies and holds(workspace, remedies) else None,
        objective if answers else None,
        answers,
        slices if slices and slices.model == run.id else None,
    )


def right_of(predictions: pd.DataFrame) -> pd.Series:
    """Which photos were right, by path."""
    right = predictions["label"] == predictions["predicted"]
    return pd.Series(right.to_numpy(dtype=bool), index=predictions["path"])


def on_same_photos(right: Mapping[str, pd.Series]) -> pd.DataFrame:
    """What `right_of` gave for several runs, as a column each, on the photos that all of them have."""
    return pd.DataFrame(right).dropna().astype(bool)


def aligned(first: pd.Series, second: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both of them on the photos that both have."""
    both = first.index.intersection(second.index)
    return first[both], second[both]
