"""What self-training came to, as the workspace keeps it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cvtune_nb.classification.extra_photos import COLUMNS
from cvtune_nb.files import read_csv, read_json, write_csv, write_json
from cvtune_nb.metrics import Paired
from cvtune_nb.objectives import Score
from cvtune_nb.workspace import Workspace

LABELS = [*COLUMNS, "probability", "round", "agreed", "decision"]
"""Columns of labels.csv: round is the one in which a photo was first labelled, agreed who said so."""


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes
    ----------
    number
        From 1.
    photos
        How many were labelled by machine, or by the person who reviewed them.
    svm, run
        The gain of the SVM and of the fine-tuned network on validation, over what was kept before; None: not trained.
    run_id
        Of that network, "" for none.
    kept
        What of it is no worse, and goes on: "svm", "run".
    words
        All of it in a sentence.
    """

    number: int
    photos: int
    svm: Paired
    run: Paired | None
    run_id: str
    kept: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class SelfTraining:
    """What self-training came to. labels: LABELS; left_out: how many files, by reason."""

    folder: str
    labels: pd.DataFrame
    rounds: list[Round]
    pool: int
    left_out: dict[str, int]
    before: Score
    after: Score
    run: str
    state: str
    seconds: float

    @property
    def kept(self) -> bool:
        """Whether any round was kept."""
        return any(one.kept for one in self.rounds)

    @property
    def by_class(self) -> dict[str, int]:
        """How many photos got each label, the most first."""
        return self.labels["label"].value_counts().to_dict()

    def least_sure_first(self) -> list[dict[str, Any]]:
        """The labels (LABELS), those of the least probability first."""
        return self.labels.sort_values("probability", kind="stable").to_dict("records")

    @property
    def words(self) -> str:
        """All of it in one sentence."""
        if self.state == "stopped":
            return "stopped; what was done is kept, and the same goes on from there"
        if not self.rounds:
            return "the classifiers agree about no photo: nothing was labelled by machine"
        if not self.kept:
            return f"{len(self.labels)} photos were labelled by machine, but training on them was worse on validation"
        words = (
            f"{len(self.labels)} of {self.pool} photos are labelled; the SVM: {self.before} before, {self.after} after"
        )
        return f"{words}; the best network: run {self.run}" if self.run else words

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the JSON of `cvtune self-train`."""
        return {
            "folder": self.folder,
            "state": self.state,
            "pool": self.pool,
            "labelled": len(self.labels),
            "left_out": self.left_out,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "run": self.run,
            "rounds": [asdict(one) for one in self.rounds],
            "seconds": self.seconds,
            "words": self.words,
        }

    def save(self, workspace: Workspace) -> None:
        """Keep it: self_training/result.json, and the list in self_training/labels.csv."""
        folder = folder_of(workspace)
        write_csv(folder / "labels.csv", self.labels)
        write_json(folder / "result.json", self.to_dict())


def last(workspace: Workspace) -> SelfTraining | None:
    """What `self_train` gave last in this workspace; None before that."""
    file = folder_of(workspace) / "result.json"
    if not file.exists():
        return None
    known = read_json(file)
    types = dict.fromkeys(("path", "sha256", "label", "agreed", "decision"), str)
    labels = read_csv(folder_of(workspace) / "labels.csv", **types)
    rounds = [
        Round(
            **{
                **one,
                "svm": Paired(**one["svm"]),
                "run": one["run"] and Paired(**one["run"]),
                "kept": tuple(one["kept"]),
            }
        )
        for one in known["rounds"]
    ]
    before, after = Score(**known["before"]), Score(**known["after"])
    return SelfTraining(
        known["folder"], labels, rounds, known["pool"], known["left_out"], before, after, known["run"], known["state"],
        known["seconds"],
    )  # fmt: skip


def folder_of(workspace: Workspace) -> Path:
    """Where self-training keeps its files."""
    return workspace.folder / "self_training"
