"""Combinations of classifiers, in combinations/ of the workspace: JSON, weights, and what they say of validation."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from cvtune_nb.classification.objective import Answers, answers_of, keep_chances, kept_chances
from cvtune_nb.console import plain
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, read_json, write_csv, write_json
from cvtune_nb.metrics import Accuracy, Paired
from cvtune_nb.objectives import Objective, Score
from cvtune_nb.objectives.objective import change, in_unit
from cvtune_nb.runs.checkpoint import write_tensors
from cvtune_nb.runs.provenance import PHOTOS, Provenance, save_photos
from cvtune_nb.workspace import Workspace, now

COMBINATION = "combination"
"""Stands for the last combination where the id of a run is asked for; those of combinations begin with it."""
SINGLE, SOUP, INTERPOLATION = "single", "soup", "interpolation"
MEAN, MIRRORED, LARGER = "mean", "mean-mirrored", "mean-larger"
KINDS = {
    SINGLE: "the best classifier alone",
    SOUP: "average of the weights of runs with the same network (greedy soup)",
    INTERPOLATION: "between the weights that a run began with and its best epoch (WiSE-FT)",
    MEAN: "weighted mean of the probabilities of the best few",
    MIRRORED: "the same, each asked about a photo and its mirror image",
    LARGER: "the same, each shown the photo larger than in training, and mirrored",
}
"""Ways to combine, and what each is."""


@dataclass(frozen=True)
class Combination:
    """Several classifiers as one, and how it compares with the best of them.

    Attributes
    ----------
    id
        "" where it was not kept.
    kind
        Of KINDS; "single": no way to combine was better.
    single
        The best classifier alone: a run's id or "svm".
    score, single_score
        By `objective`, each photo judged by what was chosen without it (cross-fitting), corrected for the choice among
        the kinds.
    verdict
        The combination against the single one, photo by photo, cross-fitted too.
    members
        A row for each network: network (what it is made of), weight, image_size, passes, temperature.
    kinds
        A row for each way that was measured: kind, value, low, high (cross-fitted), difference, difference_low,
        difference_high, p (against the single one), milliseconds (one photo, scaled already, PyTorch here), times (as
        long as the single one), megabytes (of weights), chosen.
    left_out
        What was not combined and why, a sentence each.
    photos
        Validation photos that it was chosen on.
    """

    id: str
    kind: str
    single: str
    objective: str
    score: Score
    single_score: Score
    verdict: Paired
    members: pd.DataFrame
    kinds: pd.DataFrame
    photos: int
    left_out: list[str] = field(default_factory=list)
    made: str = field(default_factory=now)

    @property
    def kept(self) -> bool:
        """Whether there is something to use."""
        return self.id != ""

    @property
    def milliseconds(self) -> float:
        """Of one photo, scaled already, in PyTorch here."""
        return self._own("milliseconds")

    @property
    def times(self) -> float:
        """The same as a multiple of the single classifier's."""
        return self._own("times")

    @property
    def megabytes(self) -> float:
        """Of its weights: on disk, and in an export."""
        return self._own("megabytes")

    def _own(self, column: str) -> float:
        return float(self.kinds.set_index("kind").at[self.kind, column])

    @property
    def words(self) -> list[str]:
        """What was found, in sentences."""
        alone = f"{self.single} alone: {self.single_score.label} {self.single_score}."
        if self.kind == SINGLE:
            tried = ", ".join(kind for kind in self.kinds["kind"] if kind != SINGLE)
            nothing = f"none was better on validation ({tried})" if tried else "there was nothing to combine it with"
            return [f"Nothing was kept: {nothing}.", alone, *self.left_out]
        times = f"{self.times:.1f} times as long as {self.single} alone"
        cost = f"{self.milliseconds:.1f} ms a photo, {times}, {self.megabytes:.0f} MB"
        gain = f"Against {self.single} on validation: {self.verdict.words}."
        name = f"{self.id}, " if self.kept else ""
        honest = "corrected for the choice: each photo is judged by what was chosen without it"
        combined = f"{name}{KINDS[self.kind]}: {self.score.label} {self.score}, {honest}."
        return [combined, alone, gain, f"It takes {cost}.", *self.left_out]

    @property
    def ways(self) -> pd.DataFrame:
        """The kinds as a person reads them: columns and cells in words."""
        share, by = self.score.share, "points" if self.score.share else self.score.label
        names = ["way", f"{self.score.label} (95%)", f"{by} from the best alone (95%)", "a photo takes", "size"]
        rows = []
        for row in self.kinds.itertuples():
            value, low, high = (in_unit(end, share) for end in (row.value, row.low, row.high))
            ends = (row.difference, row.difference_low, row.difference_high)
            apart, worst, best = (change(end, share, unit="") for end in ends)
            gain = "" if row.kind == SINGLE else f"{apart} ({worst} to {best})"
            cost = f"{row.milliseconds:.1f} ms, {row.times:.1f} times"
            rows.append((row.kind, f"{value} ({low} to {high})", gain, cost, f"{row.megabytes:.0f} MB"))
        return pd.DataFrame(rows, columns=names)

    @property
    def parts(self) -> pd.DataFrame:
        """The members as a person reads them: columns and cells in words."""
        return pd.DataFrame(
            {
                "network": self.members["network"],
                "weight": [f"{weight:.0%}" for weight in self.members["weight"]],
                "pixels": self.members["image_size"],
                "asked": ["with its mirror image" if many > 1 else "once" for many in self.members["passes"]],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values: combination.json, and the JSON of `cvtune combine`."""
        return {
            "id": self.id,
            "kind": self.kind,
            "single": self.single,
            "objective": self.objective,
            "score": self.score.to_dict(),
            "single_score": self.single_score.to_dict(),
            "verdict": vars(self.verdict),
            "members": self.members.to_dict("records"),
            "kinds": self.kinds.to_dict("records"),
            "photos": self.photos,
            "left_out": self.left_out,
            "made": self.made,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Combination":
        """From what `to_dict` gave, among whatever else there is."""
        same = ("id", "kind", "single", "objective", "photos", "left_out", "made")
        return cls(
            **{name: values[name] for name in same},
            score=Score(**values["score"]),
            single_score=Score(**values["single_score"]),
            verdict=Paired(**values["verdict"]),
            members=pd.DataFrame(values["members"]),
            kinds=pd.DataFrame(values["kinds"]),
        )


@dataclass(frozen=True)
class Stored:
    """A combination on disk.

    Attributes
    ----------
    folder
        Of its files: combination.json, model.safetensors, photos.csv (what its members have seen), predictions.csv and
        probabilities.npy (of the network itself, on validation), cross_fitted.npy (the same, corrected for the choice).
    combination
        How it compares.
    classes
        Names of the classes.
    network
        What its network is rebuilt from (exportable.rebuilt).
    facts
        Whatever else combination.json has.
    """

    folder: Path
    combination: Combination
    classes: list[str]
    network: dict[str, Any]
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def weights(self) -> Path:
        """The file of its weights."""
        return self.folder / "model.safetensors"

    @property
    def train(self) -> Accuracy:
        """On some training photos."""
        return Accuracy(**self.facts["train"])

    @property
    def validation(self) -> Accuracy:
        """On the validation photos, corrected for the choice."""
        return Accuracy(**self.facts["validation"])

    @property
    def how(self) -> str:
        """How it was made, in words."""
        return str(self.facts["how"])

    @property
    def origin(self) -> str:
        """Exactly which weights its networks started from."""
        return str(self.facts["weights"])

    @property
    def provenance(self) -> Provenance:
        """The photos that its members were trained and measured on."""
        return Provenance(self.classes, self.facts["data_id"], self.facts["measured_on"], self.folder / PHOTOS)

    def predictions(self) -> pd.DataFrame:
        """The validation photos as it sees them: path,label,predicted,probability, and group where there are any."""
        return read_csv(self.folder / "predictions.csv", path=str, label=str, predicted=str, group=str)

    def answers(self, objective: Objective, corrected: bool = True) -> Answers | None:
        """What it says of the validation photos.

        Parameters
        ----------
        objective
            For which.
        corrected
            For the choice: each photo judged by what was chosen without it.
        """
        chances = kept_chances(self.folder / ("cross_fitted.npy" if corrected else "probabilities.npy"))
        found = self.predictions()
        if corrected and chances is not None:
            found = found.assign(predicted=[self.classes[number] for number in objective.decide(chances)])
        return answers_of(objective, found, chances, self.classes)


def stored_combinations(workspace: Workspace) -> list[Stored]:
    """Those in a workspace, oldest first."""
    found = []
    for file in _folder(workspace).glob(f"{COMBINATION}-*/combination.json"):
        known = read_json(file)
        about = {name: known[name] for name in ("data_id", "measured_on", "how", "weights", "train", "validation")}
        found.append(Stored(file.parent, Combination.from_dict(known), known["classes"], known["network"], about))
    return sorted(found, key=lambda each: int(each.id.removeprefix(f"{COMBINATION}-")))


def is_combination(name: str) -> bool:
    """Whether the id is one of a combination, and not of a run."""
    return re.fullmatch(rf"{COMBINATION}(-\d+)?", name) is not None


def load_combination(workspace: Workspace, name: str = COMBINATION) -> Stored:
    """The combination with this id; COMBINATION: the last one. Raises InputError where there is none."""
    known = stored_combinations(workspace)
    found = [each for each in known if name in (COMBINATION, each.id)]
    if found:
        return found[-1]
    there = ", ".join(each.id for each in known)
    what = f"choose one of those there are ({there})" if there else "combine runs first (notebook 04, cvtune combine)"
    raise InputError(f"{workspace.folder} has no combination {name!r}: {what}")


def delete_combination(workspace: Workspace, name: str) -> str:
    """Delete one, with its weights; returns its id. The runs that it was made of stay. Raises InputError."""
    stored = load_combination(workspace, name)
    shutil.rmtree(stored.folder)
    return stored.id


def new_id(workspace: Workspace) -> str:
    """The next free id."""
    numbers = [int(each.id.removeprefix(f"{COMBINATION}-")) for each in stored_combinations(workspace)]
    return f"{COMBINATION}-{max(numbers, default=0) + 1}"


def keep(
    workspace: Workspace,
    combination: Combination,
    classes: Sequence[str],
    network: dict[str, Any],
    facts: dict[str, Any],
    photos: pd.DataFrame,
    predictions: pd.DataFrame,
    chances: tuple[np.ndarray, np.ndarray],
    made: nn.Module,
) -> None:
    """Write all files; combination.json comes last and makes it one.

    Parameters
    ----------
    workspace, combination
        Where, and what.
    classes, network, facts
        As Stored has them.
    photos
        What its members have seen (provenance.COLUMNS).
    predictions
        Of n validation photos.
    chances
        Probabilities (n, classes) of the network itself, and cross-fitted.
    made
        The network itself.
    """
    folder = _folder(workspace) / combination.id
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in made.state_dict().items()}
    write_tensors(folder / "model.safetensors", tensors)
    save_photos(folder, photos)
    write_csv(folder / "predictions.csv", predictions)
    for name, values in zip(("probabilities.npy", "cross_fitted.npy"), chances, strict=True):
        keep_chances(folder / name, values)
    about = plain({**combination.to_dict(), **facts, "classes": list(classes), "network": network})
    write_json(folder / "combination.json", about)


def _folder(workspace: Workspace) -> Path:
    return workspace.folder / "combinations"
