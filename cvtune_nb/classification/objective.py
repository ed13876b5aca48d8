"""What counts in this workspace, and what classifiers say of the validation photos, judged by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json, replacing, write_json
from cvtune_nb.metrics import Chosen, Paired
from cvtune_nb.objectives import USUAL, Objective, Score, objective_of
from cvtune_nb.workspace import Workspace, now

NOT_KEPT = "made before probabilities were kept: judged by accuracy only"
"""Why a run of an earlier version has no value of some objectives."""


def chosen(workspace: Workspace) -> str:
    """The text of the workspace's objective: the person's choice, else accuracy."""
    try:
        return str(read_json(_file(workspace))["objective"])
    except FileNotFoundError:
        return USUAL


def choose(workspace: Workspace, text: str) -> Objective:
    """Have everything in this workspace chosen by this objective from now on (objective.json).

    Raises InputError where it is none, or names a class that there is not.
    """
    objective = objective_of(text, workspace.classes)
    if objective.text != chosen(workspace):
        write_json(_file(workspace), {"objective": objective.text, "time": now()})
    return objective


def objective_in(workspace: Workspace, classes: Sequence[str] = ()) -> Objective:
    """The workspace's objective on these classes, or today's. Raises InputError where it names one that is gone."""
    text = chosen(workspace)
    try:
        return objective_of(text, classes or workspace.classes)
    except InputError as error:
        raise InputError(f"{error}: choose another objective (notebook 02, or `cvtune objective accuracy`)") from None


def objective_for(workspace: Workspace, classes: Sequence[str]) -> Objective | None:
    """The workspace's objective for a model of these classes; None where it names one that the model does not have."""
    try:
        return objective_of(chosen(workspace), classes)
    except InputError:
        return None


def _file(workspace: Workspace) -> Path:
    return workspace.folder / "objective.json"


@dataclass(frozen=True)
class Answers:
    """What a classifier says of photos.

    labels: the true one of each, by path. chances: probabilities, a row for each path, a column for each class. groups:
    the group of each, by path, where photos belong together.
    """

    labels: pd.Series
    chances: pd.DataFrame
    groups: pd.Series | None = None

    def on(self, paths: pd.Index) -> "Answers":
        """The same on these photos."""
        return Answers(self.labels[paths], self.chances.loc[paths], None if self.groups is None else self.groups[paths])

    def truth(self, objective: Objective) -> np.ndarray:
        """Class ids (n,) of the true labels."""
        return pd.Index(objective.classes).get_indexer(self.labels)


def answers_of(
    objective: Objective, predictions: pd.DataFrame, chances: np.ndarray | None, classes: Sequence[str]
) -> Answers | None:
    """What a classifier says, as far as the objective needs it; None where its probabilities were not kept.

    Parameters
    ----------
    objective
        What counts.
    predictions
        path,label,predicted of n photos, and group where photos belong together.
    chances
        Probabilities (n, classes), or None.
    classes
        Their columns.
    """
    paths = pd.Index(predictions["path"])
    if objective.BY_ANSWERS:
        answered = np.equal(predictions["predicted"].to_numpy()[:, None], np.array(objective.classes, dtype=object))
        table = pd.DataFrame(answered.astype(float), index=paths, columns=list(objective.classes))
    elif chances is None or chances.shape != (len(paths), len(classes)):
        return None
    else:
        table = pd.DataFrame(np.asarray(chances, float), index=paths, columns=list(classes))
        table = table[list(objective.classes)]
    labels = pd.Series(predictions["label"].to_numpy(), index=paths)
    groups = pd.Series(predictions["group"].to_numpy(), index=paths) if "group" in predictions else None
    return Answers(labels, table, groups)


def measure(objective: Objective, answers: Answers) -> Score:
    """The objective with its interval."""
    return objective.measure(answers.truth(objective), answers.chances.to_numpy(), answers.groups)


def compare(objective: Objective, first: Answers, second: Answers) -> Paired:
    """Two classifiers on the photos that both have answers for; above 0: the second is better."""
    both = first.labels.index.intersection(second.labels.index)
    one, other = first.on(both), second.on(both)
    groups = one.groups if one.groups is not None else other.groups
    return objective.compare(one.truth(objective), one.chances.to_numpy(), other.chances.to_numpy(), groups)


def best_of(objective: Objective, answers: Mapping[str, Answers]) -> Chosen:
    """The best of several classifiers on the photos that all have answers for."""
    paths = next(iter(answers.values())).labels.index
    for each in answers.values():
        paths = paths.intersection(each.labels.index)
    on_all = {name: each.on(paths) for name, each in answers.items()}
    truth = next(iter(on_all.values())).truth(objective)
    groups = next((each.groups for each in on_all.values() if each.groups is not None), None)
    return objective.best_of(truth, {name: each.chances.to_numpy() for name, each in on_all.items()}, groups)


def keep_chances(file: Path, chances: np.ndarray) -> None:
    """Write probabilities (n, classes) as float32, atomically."""
    with replacing(file) as path, path.open("wb") as made:
        np.save(made, np.asarray(chances, np.float32))


def kept_chances(file: Path) -> np.ndarray | None:
    """The probabilities (n, classes) in a file; None where there is none."""
    return np.load(file, allow_pickle=False) if file.exists() else None
