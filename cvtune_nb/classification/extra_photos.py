"""Photos that training sees beside those of the workspace: labelled by machine, or by a person who looked at those.

They are never measured on, and may lie anywhere on the disk.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, write_csv
from cvtune_nb.workspace import Workspace

COLUMNS = ["path", "sha256", "width", "height", "label", "weight"]
"""path: absolute; weight: how much a photo counts beside a labelled one, which counts 1."""
FILE = "extra_photos.csv"
"""In the folder of a run: those that it is trained on."""
BESIDE = "machine_labels"
"""What a run and a baseline have of them among what they were trained on beside their parameters (Run.beside)."""


@dataclass(frozen=True)
class ExtraPhotos:
    """A table of extra photos (COLUMNS, and whatever else is known of them)."""

    table: pd.DataFrame

    @classmethod
    def none(cls) -> "ExtraPhotos":
        """A table of none."""
        return cls(pd.DataFrame(columns=COLUMNS))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> np.ndarray:
        """The label of each, (n,)."""
        return self.table["label"].to_numpy(dtype=object)

    @property
    def weights(self) -> np.ndarray:
        """How much each counts, float (n,)."""
        return self.table["weight"].to_numpy(float)

    @property
    def confirmed(self) -> np.ndarray:
        """Whether a person has decided about each, (n,)."""
        if "decision" not in self.table:
            return np.zeros(len(self), dtype=bool)
        return self.table["decision"].fillna("").ne("").to_numpy()

    @cached_property
    def key(self) -> str:
        """A short name for exactly these photos, labels and weights, and for which of them a person has confirmed."""
        rows = self.table[["sha256", "label", "weight"]].assign(confirmed=self.confirmed)
        rows = rows.sort_values("sha256").to_csv(index=False)
        return hashlib.sha256(rows.encode()).hexdigest()[:16]

    def usable(self, photos: pd.DataFrame) -> "ExtraPhotos":
        """Those of today's classes that are not among today's photos themselves, in whatever split.

        photos: columns sha256, label.
        """
        fits = self.table["label"].isin(photos["label"]) & ~self.table["sha256"].isin(photos["sha256"])
        return ExtraPhotos(self.table[fits & (self.table["weight"] > 0)].reset_index(drop=True))

    def as_trained(self) -> pd.DataFrame:
        """As rows of a run's list of its photos (runs.provenance): sha256, group, label, split."""
        keys = self.table["sha256"]
        return pd.DataFrame({"sha256": keys, "group": keys.str[:16], "label": self.table["label"], "split": "train"})

    def facts(self) -> dict[str, Any]:
        """What a run keeps of them: photos, how many of them a person has confirmed, and a key."""
        return {"photos": len(self), "confirmed": int(self.confirmed.sum()), "key": self.key}

    def save(self, folder: Path) -> None:
        """Write them into the folder of a run."""
        write_csv(folder / FILE, self.table)

    def require_there(self) -> None:
        """Raises InputError that names a photo whose file is gone."""
        if gone := [path for path in self.table["path"] if not Path(path).is_file()]:
            raise InputError(
                f"{gone[0]} is not there any more, one of {len(self)} photos that were labelled by machine: put it "
                "back, or label them again with `cvtune self-train`"
            )


def in_folder(folder: Path) -> ExtraPhotos | None:
    """The extra photos of the run in this folder; None where it has none."""
    file = folder / FILE
    return read(file) if file.exists() else None


def read(file: Path) -> ExtraPhotos:
    """The table in a file. Raises InputError where it has not the COLUMNS."""
    table = read_csv(file, path=str, sha256=str, label=str)
    if missing := [name for name in COLUMNS if name not in table]:
        raise InputError(f"{file} has no column {missing[0]}: give a table with the columns {', '.join(COLUMNS)}")
    return ExtraPhotos(table)


def of_baseline(workspace: Workspace, baseline: dict[str, Any]) -> ExtraPhotos | None:
    """The extra photos that the workspace's baseline was trained on; None where there were none.

    baseline: what its baseline.json says. Raises InputError where the list is gone.
    """
    if not (facts := baseline.get(BESIDE)):
        return None
    extra = in_folder(workspace.folder / "self_training" / facts["key"])
    if extra is None:
        raise InputError("the list of photos labelled by machine is gone that the SVM was trained on: fit it again")
    return extra


def in_words(facts: dict[str, Any]) -> str:
    """What `facts` says, as part of a sentence; "" for none."""
    if not facts:
        return ""
    confirmed = facts.get("confirmed", 0)
    seen = f", of which a person confirmed {confirmed}" if confirmed else ""
    return f"{facts['photos']} more training photos were labelled by machine{seen}"


def rows_of(workspace: Workspace, extra: ExtraPhotos | None, classes: Sequence[str]) -> pd.DataFrame:
    """The extra photos of these classes as training reads photos: path, label, split and so on, by their weight.

    Parameters
    ----------
    workspace
        Whose photos they are not.
    extra
        None: no rows.
    classes
        Those that there are.
    """
    if extra is None:
        return pd.DataFrame(columns=[*COLUMNS, "split"])
    used = extra.usable(workspace.photos())
    used.require_there()
    table = used.table[used.table["label"].isin(list(classes))]
    return table[COLUMNS].assign(split="train").reset_index(drop=True)
