"""What a trained detector finds and misses on photos that it was not trained on."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification import best_run as best_classifier
from cvtune_nb.classification.baseline import baseline_predictions
from cvtune_nb.detection.average_precision import Scores, against_threshold, best_threshold, judged, scores
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.inference import detections
from cvtune_nb.detection.model import load_best
from cvtune_nb.detection.pixels import pictures
from cvtune_nb.detection.run import DetectorRun
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy
from cvtune_nb.models.networks import device
from cvtune_nb.runs.provenance import groups_of


@dataclass(frozen=True)
class Verdict:
    """What a run finds and misses on the photos of a split.

    Attributes
    ----------
    run : DetectorRun
        The run.
    on : str
        The split.
    part, detections : Part, pandas.DataFrame
        Photos and boxes, and what was found.
    scores : Scores
        Average precisions.
    by_threshold : pandas.DataFrame
        What average_precision.against_threshold gives.
    threshold : float
        With the highest f1.
    judged : pandas.DataFrame
        What average_precision.judged gives at it.
    left_out : int
        Photos of the split that are not counted.
    notes : tuple of str
        Why not, a sentence each.
    """

    run: DetectorRun
    on: str
    part: Part
    detections: pd.DataFrame
    scores: Scores
    by_threshold: pd.DataFrame
    threshold: float
    judged: pd.DataFrame
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind of average_precision.KINDS came, at the threshold."""
        return {str(kind): int(count) for kind, count in self.judged["kind"].value_counts().items()}

    @property
    def kinds(self) -> str:
        """The counts in words, for example "51 found, 4 missed"."""
        return ", ".join(f"{count} {kind}" for kind, count in self.counts.items())

    def examples(self, count: int) -> list[str]:
        """At most so many photos: those with the most mistakes first, then others in their order."""
        wrong = self.judged.loc[self.judged["kind"] != "found", "path"].value_counts().index
        return list(dict.fromkeys([*wrong, *self.part.photos["path"]]))[:count]

    @property
    def words(self) -> str:
        """For example "validation: AP 0.512, AP50 0.874 (95% interval 0.81 to 0.92), 55 photos ..."."""
        low, high = self.scores.ap50_interval
        return (
            f"{self.on}: AP {self.scores.ap:.3f}, AP50 {self.scores.ap50:.3f} (95% interval {low:.3f} to {high:.3f}), "
            f"{self.scores.photos} photos, {self.scores.boxes} boxes; at threshold {self.threshold:g}: {self.kinds}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "on": self.on,
            **self.scores.to_dict(),
            "threshold": self.threshold,
            "counts": self.counts,
            "left_out": self.left_out,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Fair:
    """The photos and boxes of a split by which a run may be judged.

    left_out: how many photos are not among them, and notes: why, a sentence each.
    """

    part: Part
    left_out: int
    notes: tuple[str, ...]


def fairly(dataset: Dataset, run: DetectorRun, on: str) -> Fair:
    """The photos of a split by which a run may be judged.

    Test photos that it has not seen, nor copies of them; validation photos that it was measured on, where their boxes
    are still the same. Photos with objects of other classes than its own are left out.

    Parameters
    ----------
    dataset, run
        The photos and boxes, and the detector.
    on
        "validation" or "test".
    """
    part, present, notes = dataset.part(on), dataset.provenance, []
    foreign = part.boxes.loc[~part.boxes["label"].isin(run.classes), "path"].nunique()
    photos = part.photos[~part.photos["path"].isin(part.boxes.loc[~part.boxes["label"].isin(run.classes), "path"])]
    if on == "test":
        unseen = run.provenance.unseen(photos, present, groups_of(dataset.workspace))
        photos, notes = unseen.photos, [unseen.words]
    elif not run.provenance.comparable(present):
        then, today = run.provenance.photos, present.photos
        if then is not None and today is not None:
            measured = then.query("split == 'validation'").drop(columns="split")
            same = today.merge(measured, on=["sha256", "label"])
            photos = photos[photos["sha256"].isin(same["sha256"])]
    if foreign:
        notes.append(f"{foreign} {on} photos with objects of classes that it does not know: not counted")
    kept = part.boxes[part.boxes["path"].isin(photos["path"])].reset_index(drop=True)
    left_out = len(part.photos) - len(photos)
    return Fair(Part(photos.reset_index(drop=True), kept), left_out, tuple(filter(None, notes)))


def verdict(
    dataset: Dataset,
    run: DetectorRun,
    on: str = "validation",
    seen: pd.DataFrame | None = None,
    threshold: float | None = None,
) -> Verdict:
    """What a run finds and misses; only photos count by which it may be judged (`fairly`).

    Parameters
    ----------
    dataset : Dataset
        Photos and boxes.
    run : DetectorRun
        Its best epoch is judged.
    on : str
        The split.
    seen : pandas.DataFrame, optional
        Detections on another split than validation.
    threshold : float, optional
        One that was chosen on validation; None: the one with the highest f1.
    """
    fair = fairly(dataset, run, on)
    part, everything = fair.part, run.detections() if seen is None else seen
    counted = everything[everything["path"].isin(part.photos["path"])]
    table = against_threshold(part, counted)
    chosen = best_threshold(table) if threshold is None else threshold
    return Verdict(
        run,
        on,
        part,
        counted,
        scores(part, counted, run.classes),
        table,
        chosen,
        judged(part, counted, chosen),
        fair.left_out,
        fair.notes,
    )


def verdict_on_test(dataset: Dataset, chosen: Verdict, progress: Progress = silent) -> Verdict:
    """The verdict of a run on the test photos that it has not seen, at the threshold chosen on validation.

    Parameters
    ----------
    dataset
        The photos and boxes.
    chosen
        The run's verdict on validation.
    progress
        Called while it detects.

    Raises
    ------
    InputError
        Where there are no such photos.
    """
    run, part = chosen.run, fairly(dataset, chosen.run, "test").part
    require_tested(dataset, run)
    seen = pictures(dataset.workspace, part.photos, run.config.image_size, progress)
    network = load_best(run).to(device())
    found = detections(network, part.photos, seen, run.classes, progress)
    return verdict(dataset, run, "test", found, chosen.threshold)


def require_tested(dataset: Dataset, run: DetectorRun) -> None:
    """Raises InputError where there is no test photo by which the run may be judged."""
    fair = fairly(dataset, run, "test")
    if fair.part.photos.empty:
        why = "; ".join(fair.notes) or "there are no test photos"
        raise InputError(f"run {run.id} can't be measured on the test set ({why}): add test photos, or train again")


@dataclass(frozen=True)
class Beside:
    """A detector as a classifier of whole photos, by its surest box, beside the best classifier of the workspace.

    Both accuracies on the same validation photos, and in words which serves better.
    """

    detector: Accuracy
    classifier: Accuracy
    words: str


def beside_classifier(dataset: Dataset, found: Verdict) -> Beside | None:
    """The comparison on photos that both were measured on.

    None where the workspace has no classifier, or none of its classes is one that is detected. A photo in which nothing
    is found is wrong.
    """
    space = dataset.workspace
    known = baseline_predictions(space) if space.has_manifest else None
    name = "the SVM"
    if known is not None and (best := best_classifier(space)) is not None:
        name, known = best.id, best.predictions()
    if known is None or found.on != "validation":
        return None
    known = known[known["label"].isin(found.run.classes) & known["path"].isin(found.part.photos["path"])]
    if known.empty:
        return None
    surest = found.detections.sort_values("score", ascending=False).drop_duplicates("path")
    named = dict(zip(surest["path"], surest["label"], strict=True))
    ours = [named.get(path) == label for path, label in zip(known["path"], known["label"], strict=True)]
    theirs = (known["label"] == known["predicted"]).tolist()
    compared = metrics.paired(theirs, ours)
    sides = f"its surest box names {sum(ours)} of {len(ours)} validation photos right, {name} {sum(theirs)}"
    better = {
        metrics.Verdict.BETTER: "the detector serves better here",
        metrics.Verdict.WORSE: "the classifier serves better here, and is simpler",
    }.get(compared.verdict, compared.words)
    detector, classifier = (metrics.share(sum(right), len(right)) for right in (ours, theirs))
    return Beside(detector, classifier, f"as a classifier, {sides}: {better}")
