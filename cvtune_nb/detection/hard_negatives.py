"""Hard negatives: photos with nothing to find in which the detector finds something.

Training continues with these photos shown more often, one round at a time, until another is no longer worth its time.
"""

from dataclasses import dataclass, replace

import pandas as pd

from cvtune_nb.detection.average_precision import against_threshold, best_threshold
from cvtune_nb.detection.dataset import Dataset
from cvtune_nb.detection.evaluation import verdict
from cvtune_nb.detection.inference import detections
from cvtune_nb.detection.model import load_best
from cvtune_nb.detection.pixels import pictures
from cvtune_nb.detection.run import DetectorRun, load_run
from cvtune_nb.detection.train import fit
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models.networks import device
from cvtune_nb.runs.fitting import OnEpoch

FEWEST, LEAST_SHARE = 3, 0.02
"""Photos with false alarms, and their fraction of all photos without a box, from which a round is worth its time."""
ROUND = 3
"""A round has a third of the run's epochs and begins at a third of its learning rate: it mends, and begins nothing."""


@dataclass(frozen=True)
class Round:
    """What a run finds, at its threshold, in training photos without a box.

    Attributes
    ----------
    photos
        path, sha256, alarms (how many), score (of the surest), worst first.
    looked
        Number of photos looked at.
    worth
        Whether a round is worth its time.
    words
        Why, or why not.
    """

    photos: pd.DataFrame
    looked: int
    worth: bool
    words: str


def look(dataset: Dataset, run: DetectorRun, progress: Progress = silent) -> Round:
    """False alarms of a run's best epoch, and whether a round is worth its time.

    It is not where there are too few of them, nor after a round that did not reduce them.

    Parameters
    ----------
    dataset, run
        The training photos without a box, and the detector.
    progress
        Called while it looks.
    """
    part = dataset.part("train")
    threshold = best_threshold(against_threshold(dataset.part("validation"), run.detections()))
    empty = part.photos[~part.photos["path"].isin(part.boxes["path"])].reset_index(drop=True)
    columns = ["path", "sha256", "alarms", "score"]
    if empty.empty:
        words = "no training photo is without a box: add photos in which there is nothing to find"
        return Round(pd.DataFrame(columns=columns), 0, False, words)
    shown = pictures(dataset.workspace, empty, run.config.image_size, progress)
    seen = detections(load_best(run).to(device()), empty, shown, run.classes, progress)
    alarms = seen[seen["score"] >= threshold].groupby("path")["score"].agg(alarms="size", score="max").reset_index()
    photos = alarms.merge(empty[["path", "sha256"]], on="path").sort_values(["alarms", "score"], ascending=False)
    words = f"false alarms in {len(photos)} of {len(empty)} training photos without a box, at threshold {threshold:g}"
    worth = len(photos) >= max(FEWEST, LEAST_SHARE * len(empty))
    if (
        worth
        and run.start
        and alarms_on_validation(dataset, run) >= (alarms_on_validation(dataset, load_run(dataset, run.start)))
    ):
        worth, words = False, f"{words}; the last round did not lower those on validation photos: stop here"
    elif not worth:
        words = f"{words}: too few for a round (rule: {FEWEST}, and {LEAST_SHARE:.0%} of them)"
    return Round(photos[columns].reset_index(drop=True), len(empty), worth, words)


def alarms_on_validation(dataset: Dataset, run: DetectorRun) -> int:
    """Detections in validation photos without a box, at the run's threshold."""
    table = against_threshold(dataset.part("validation"), run.detections()).set_index("threshold")
    return int(table.at[best_threshold(table.reset_index()), "on_negatives"])


def one_round(
    dataset: Dataset,
    run: DetectorRun,
    found: Round,
    on_epoch: OnEpoch[DetectorRun] | None = None,
    progress: Progress = silent,
) -> DetectorRun:
    """A new run that goes on from the best epoch of another, with hard negatives shown once more in every epoch.

    Parameters
    ----------
    dataset, run
        What it is trained on, and the run it goes on from.
    found
        What `look` says of that run.
    on_epoch, progress
        As in runs.fitting.fit.

    Raises
    ------
    InputError
        The round is not worth its time.
    """
    if not found.worth:
        raise InputError(f"no round of hard negatives: {found.words}")
    rate = max(run.config.DECLARED["learning_rate"].low, run.config.learning_rate / ROUND)
    config = replace(run.config, epochs=max(1, run.config.epochs // ROUND), learning_rate=rate)
    hard = found.photos["sha256"].tolist()
    return fit(dataset, config, on_epoch=on_epoch, progress=progress, start=run.id, hard=hard)


def outcome(dataset: Dataset, after: DetectorRun) -> str:
    """What a round brought, in words; empty for a run that is none."""
    if not after.start or after.history.empty:
        return ""
    before = load_run(dataset, after.start)
    was, now = (alarms_on_validation(dataset, run) for run in (before, after))
    first, second = (verdict(dataset, run).scores for run in (before, after))
    low, high = first.ap_interval
    same = "no reliable difference" if low <= second.ap <= high else "a difference beyond chance"
    kept = after.id if now < was and second.ap >= low else before.id
    return (
        f"hard negatives: {was} false alarms on validation photos without a box before, {now} after; AP {first.ap:.3f} "
        f"and {second.ap:.3f} ({same}): keep {kept}"
    )
