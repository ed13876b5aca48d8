"""A detector's training runs, in detection/runs/ of the workspace."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from cvtune_nb.detection.anchors import Anchors
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.errors import InputError
from cvtune_nb.runs.provenance import BEFORE, UNLISTED, Provenance
from cvtune_nb.runs.store import RunStore, StoredRun
from cvtune_nb.workspace import Workspace

HISTORY_COLUMNS = ["epoch", "learning_rate", "loss", "validation_ap", "validation_ap50", "seconds"]


@dataclass(frozen=True)
class DetectorRun(StoredRun[DetectorConfig]):
    """One run of a detector.

    In its history, loss is the mean of an epoch's steps, and the average precisions are on validation.

    Attributes
    ----------
    anchors
        Where its search begins.
    max_detections
        Detections a photo.
    start
        The run whose best epoch it began with, "" for none.
    hard
        sha256 of training photos that are shown once more in every epoch (detection.hard_negatives).
    """

    anchors: Anchors = field(kw_only=True)
    max_detections: int = field(kw_only=True)
    start: str = ""
    hard: list[str] = field(default_factory=list)

    CONFIG = DetectorConfig
    HISTORY = HISTORY_COLUMNS
    BEST_BY: ClassVar = {"validation_ap": False, "validation_ap50": False}
    RANKED_BY = "validation_ap"
    MEASURES = ("validation_ap", "validation_ap50")
    OUTPUTS = "detections.csv"

    @classmethod
    def from_settings(cls, settings: dict[str, Any], **shared: Any) -> Self:
        """The run that config.json describes."""
        sizes, ratios = (tuple(settings["anchors"][name]) for name in ("sizes", "ratios"))
        return cls(
            **shared,
            data_id=settings["data"],
            anchors=Anchors(sizes, ratios, settings["covered"]),
            max_detections=settings["most"],
            start=settings["start"],
            hard=settings["hard"],
        )

    def settings(self) -> dict[str, Any]:
        """What config.json holds."""
        return {
            "config": self.config.to_dict(),
            "classes": self.classes,
            "anchors": {"sizes": list(self.anchors.sizes), "ratios": list(self.anchors.ratios)},
            "most": self.max_detections,
            "covered": self.anchors.covered,
            "data": self.data_id,
            "predicted_seconds": self.predicted_seconds,
            "changes": self.changes,
            "start": self.start,
            "hard": self.hard,
            "measured_on": self.measured_on,
            "levels": self.levels,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values: result.json, and the JSON of `cvtune detect`."""
        return {
            "run": self.id,
            "state": self.state,
            "config": self.config.to_dict(),
            "classes": self.classes,
            "anchors": {
                "sizes": list(self.anchors.sizes),
                "ratios": list(self.anchors.ratios),
                "covered": self.anchors.covered,
            },
            "best_epoch": self.best_epoch,
            **self.measures(),
            "seconds": self.seconds,
            "predicted_seconds": self.predicted_seconds,
            "changes": self.changes,
            "start": self.start,
            "history": self.history.to_dict("records"),
        }

    def measures(self) -> dict[str, float]:
        """The average precisions of the best epoch, 0 before any."""
        return {name: self.best(name) for name in self.MEASURES}

    def same_training(self, config: DetectorConfig, at_least: bool = False) -> bool:
        """Not that of a run which began with another."""
        return not self.start and super().same_training(config, at_least)

    def detections(self) -> pd.DataFrame:
        """What the best epoch finds in the validation photos: DETECTION_COLUMNS. Empty before any."""
        return self.outputs(DETECTION_COLUMNS, path=str, label=str)


def run_store(dataset: Dataset) -> RunStore[DetectorConfig, DetectorRun]:
    """The detector's runs of a data set."""
    none_yet = "has no trained detector yet: train one (notebook 06, or cvtune detect)"
    return RunStore(DetectorRun, dataset.folder / "runs", lambda: dataset.provenance, none_yet)


def kept_detectors(workspace: Workspace) -> list[DetectorRun]:
    """All detectors of a workspace as their files say, oldest first; its photos and boxes are not read."""

    def unread() -> Provenance:
        raise InputError(f"open the photos of {workspace.folder} with cvtune detect to compare its detectors")

    store = RunStore(DetectorRun, workspace.folder / "detection" / "runs", unread, "has no trained detector yet")
    return [store.on_disk(name) for name in store.ids()]


def new_run(
    dataset: Dataset,
    config: DetectorConfig,
    anchors: Anchors,
    max_detections: int,
    predicted_seconds: float,
    folder: Path | None = None,
    start: str = "",
    hard: list[str] | None = None,
) -> DetectorRun:
    """Write a new run.

    Parameters
    ----------
    dataset, config
        The photos and boxes it is trained on, and its parameters.
    anchors, max_detections, start, hard
        As in DetectorRun.
    predicted_seconds
        What it is expected to take.
    folder
        Its folder; by default a new one.

    Raises
    ------
    InputError
        It begins with a run of which it is not known what it has seen.
    """
    photos = [dataset.provenance.listed()]
    if start:
        photos.append(_seen_before(dataset, load_run(dataset, start)))
    return run_store(dataset).new(
        config,
        dataset.provenance,
        pd.concat(photos, ignore_index=True),
        folder,
        anchors=anchors,
        max_detections=max_detections,
        predicted_seconds=predicted_seconds,
        levels=dataset.workspace.levels,
        start=start,
        hard=hard or [],
    )


def require_known(dataset: Dataset, start: DetectorRun) -> None:
    """Raises InputError where no run can begin with `start`: other classes, or it is not known what it has seen."""
    if start.classes != dataset.labels:
        raise InputError(f"the classes have changed since run {start.id}: train a new detector first")
    _seen_before(dataset, start)


def _seen_before(dataset: Dataset, start: DetectorRun) -> pd.DataFrame:
    """The photos (provenance.COLUMNS) that a run which begins with `start` has seen through it alone."""
    present = dataset.provenance
    own = start.provenance.seen_among(present)
    if own is None:
        raise InputError(f"run {start.id} can't be gone on from ({UNLISTED}): train a new detector first")
    now = present.listed().set_index("sha256")["split"].to_dict()
    then = own.assign(now=own["sha256"].map(now))
    learned = own[then["split"].isin(["train", BEFORE]) & (then["now"] != "train")]
    judged_by = own[(then["split"] == "validation") & ~then["now"].isin(["train", "validation"])]
    return pd.concat([learned, judged_by], ignore_index=True).assign(split=BEFORE)


def load_run(dataset: Dataset, run: str) -> DetectorRun:
    """The run with this id, the "best" by average precision on validation, or the "last".

    The best is chosen among the runs that are comparable on today's photos and boxes (provenance). Raises InputError
    when there is none.
    """
    return run_store(dataset).load(run)


def earlier_run(dataset: Dataset, config: DetectorConfig) -> DetectorRun | None:
    """A run of this config on exactly these photos and boxes, or None (RunStore.earlier)."""
    return run_store(dataset).earlier(config)


def exportable(dataset: Dataset) -> pd.DataFrame:
    """Of `runs` those that have learned something, the best first."""
    known = runs(dataset)
    return DetectorRun.best_first(known[known["best_epoch"] > 0])


def runs(dataset: Dataset) -> pd.DataFrame:
    """All runs, oldest first (RunStore.table), with validation_ap and validation_ap50."""
    return run_store(dataset).table()
