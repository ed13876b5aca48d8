"""What an exported model and its smaller variants answer on photos, and how they compare."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from cvtune_nb.classification.judge import Judge, Said, joined
from cvtune_nb.data.groups import dependent
from cvtune_nb.export.predict import Model, photo
from cvtune_nb.export.variants import file_of
from cvtune_nb.files import Progress
from cvtune_nb.objectives import USUAL, Objective, Score, objective_of
from cvtune_nb.runs.provenance import Provenance, frozen, groups_of, of_photos, standing_words
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True)
class Fair:
    """Photos that a model may be measured by.

    Attributes
    ----------
    validation, test
        Photos of its classes that it was not trained on, nor on copies of them; the test photos were not used to choose
        it either.
    left_out
        Test photos that are not among them.
    notes
        Why, and what else must be known of its figures, a sentence each.
    split
        How the photos were split, in words.
    """

    validation: pd.DataFrame
    test: pd.DataFrame
    left_out: int
    notes: tuple[str, ...]
    split: str


def fairly(workspace: Workspace, own: Provenance, photos: pd.DataFrame) -> Fair:
    """The photos that a classifier may be measured by.

    Parameters
    ----------
    workspace
        Where they are.
    own
        What the classifier was trained on.
    photos
        The photos of the workspace.
    """
    now, groups = of_photos(photos), groups_of(workspace)
    mine = photos[photos["label"].isin(own.classes)]
    validation = own.unlearned(mine[mine["split"] == "validation"], now, groups)
    unseen = own.unseen(mine[mine["split"] == "test"], now, groups)
    others = int(((photos["split"] == "test") & ~photos["label"].isin(own.classes)).sum())
    foreign = f"{others} test photo{'s' * (others != 1)} of classes that it does not know: not counted"
    notes = (standing_words(own, now), unseen.words, foreign if others else "")
    left_out, split = unseen.left_out + others, frozen(own, now, workspace.seed)
    return Fair(validation, unseen.photos, left_out, tuple(filter(None, notes)), split)


@dataclass(frozen=True)
class Measured:
    """Answers of a model and its variants.

    Attributes
    ----------
    chances
        By variant: probabilities (n, classes) of the photos in `seen`, nan for a photo that can't be read.
    seen
        By variant: the rows (n,) of the measured photos that it looked at.
    milliseconds
        By variant: median time of a photo, scaled already, one at a time.
    known
        By variant: its output `known` (n,), as `chances`.
    decide
        The answers (n,) to probabilities (n, classes): Model.decide.
    limits
        Thresholds of single classes (classes,), NaN where one has none; None: none has.
    """

    chances: dict[str, np.ndarray]
    seen: dict[str, np.ndarray]
    milliseconds: dict[str, float]
    known: dict[str, np.ndarray]
    decide: Callable[[np.ndarray], np.ndarray]
    limits: np.ndarray | None = None

    def logits(self, variant: str) -> np.ndarray:
        """Logits (n, classes), up to a constant a row."""
        return np.log(np.maximum(self.chances[variant], np.finfo(np.float32).tiny))

    def tempered(self, temperature: float) -> "Measured":
        """The same with all logits divided by `temperature`."""
        return replace(self, chances={name: softmax(self.logits(name) / temperature, axis=1) for name in self.chances})

    def answered_by(self, model: Model) -> "Measured":
        """The same with the answers of another model to these probabilities."""
        return replace(self, decide=model.decide, limits=model.thresholds)

    def sureness(self, variant: str) -> np.ndarray:
        """The confidence (n,), endless where the answer has a threshold of its own and reaches it or does not.

        So that a threshold for all classes changes only what it decides (Model.least_of).
        """
        confidence = self.confidence(variant)
        if self.limits is None:
            return confidence
        own = self.limits[self.decide(self.chances[variant])]
        return np.where(np.isnan(own), confidence, np.where(confidence >= own, np.inf, -np.inf))

    def confidence(self, variant: str) -> np.ndarray:
        """The probability of the answer for each photo (n,)."""
        chances = self.chances[variant]
        return np.take_along_axis(chances, self.decide(chances)[:, None], axis=1)[:, 0]

    def right(self, variant: str, photos: pd.DataFrame, classes: list[str]) -> np.ndarray:
        """Which photos a variant gets right (n,); one that can't be read is wrong.

        Parameters
        ----------
        variant
            Its name.
        photos
            The rows that were measured.
        classes
            Names of the classes, in the order of probabilities.
        """
        found = np.array(classes, dtype=object)[self.decide(self.chances[variant])]
        truth = photos["label"].to_numpy()[self.seen[variant]]
        return (found == truth) & np.isfinite(self.chances[variant]).all(axis=1)

    def answers(self, classes: list[str]) -> pd.DataFrame:
        """The class predicted for each photo, and its probability, by model.onnx: what `cvtune predict` gives.

        "" and 0 for a photo that can't be read.
        """
        chances = self.chances["fp32"]
        readable = np.isfinite(chances).all(axis=1)
        predicted = np.where(readable, np.array(classes, dtype=object)[self.decide(chances)], "")
        return pd.DataFrame({"predicted": predicted, "probability": np.where(readable, self.confidence("fp32"), 0.0)})

    def score(self, objective: Objective, photos: pd.DataFrame) -> Score:
        """The objective on the photos that model.onnx could read, with its interval; photos: as in `right`.

        Of the probabilities, without thresholds of single classes.
        """
        chances, labels = self.chances["fp32"], photos["label"].to_numpy()[self.seen["fp32"]]
        readable = np.isfinite(chances).all(axis=1)
        truth = [objective.classes.index(label) for label in labels[readable]]
        groups = self.groups("fp32", photos)
        return objective.measure(truth, chances[readable], None if groups is None else groups[readable])

    def groups(self, variant: str, photos: pd.DataFrame) -> np.ndarray | None:
        """The group of each photo that a variant looked at, where some belong together; photos: as in `right`."""
        own = dependent(photos)
        return None if own is None else own.to_numpy()[self.seen[variant]]

    @staticmethod
    def beside(
        *parts: tuple["Measured", pd.DataFrame], classes: list[str], objective: Objective | None = None
    ) -> pd.DataFrame:
        """Each variant beside fp32 on the same photos.

        Parameters
        ----------
        parts
            What was measured, and on which photos; all of them together are compared.
        classes
            Names of the classes, in the order of probabilities.
        objective
            What counts; None: accuracy.

        Returns
        -------
        A row a variant: variant, milliseconds, accuracy, objective_value where another objective than accuracy counts,
        difference, low, high and verdict by what counts: above 0 is better than fp32.
        """
        rows, counts = [], objective or objective_of(USUAL, classes)
        by_accuracy = counts.text == USUAL
        for name in parts[0][0].chances:
            mine, full, labels, groups = list[Said](), list[Said](), [], []
            for measured, photos in parts:
                seen = measured.seen[name]
                also = np.isin(measured.seen["fp32"], seen)
                mine.append(Said(measured.right(name, photos, classes), _readable(measured.chances[name])))
                full.append(
                    Said(measured.right("fp32", photos, classes)[also], _readable(measured.chances["fp32"][also]))
                )
                labels.append(photos["label"].to_numpy()[seen])
                groups.append(measured.groups(name, photos))
            times = [measured.milliseconds[name] for measured, _ in parts if name in measured.milliseconds]
            if not times:  # no photo of these classes is left
                rows.append((name, *[float("nan")] * (5 if by_accuracy else 6), "not measured"))
                continue
            together = None if any(own is None for own in groups) else np.concatenate(groups)
            judge = Judge(counts, pd.Index(classes).get_indexer(np.concatenate(labels)), together)
            one, other = joined(full), joined(mine)
            found = judge.compare(one, other)
            words = found.words if by_accuracy else f"{counts.label}: {found.words}"
            figures = [float(np.median(times)), float(other.right.mean())]
            figures += [] if by_accuracy else [judge.value(other)]
            apart = (found.difference, found.low, found.high)
            rows.append((name, *figures, *apart, "reference" if name == "fp32" else words))
        value = [] if by_accuracy else ["objective_value"]
        columns = ["variant", "milliseconds", "accuracy", *value, "difference", "low", "high", "verdict"]
        return pd.DataFrame(rows, columns=columns)


def _readable(chances: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes), the same for all classes of a photo that could not be read."""
    return np.where(np.isfinite(chances), chances, 1 / chances.shape[1])


def measure(
    workspace: Workspace,
    folder: Path,
    variants: list[str],
    photos: pd.DataFrame,
    progress: Progress,
    most: int | None = None,
) -> Measured:
    """Classify photos with every variant, one photo at a time, as `cvtune predict` does; each is decoded once.

    Parameters
    ----------
    workspace
        Where the photos are.
    folder
        Of the export.
    variants
        Names of variants, fp32 among them.
    photos
        Rows of the manifest.
    progress
        Called with the progress.
    most
        Photos, spread evenly, that all but fp32 look at; None: all.
    """
    models = {name: Model(folder, file_of(name)) for name in variants}
    count, classes = len(photos), len(models["fp32"].labels)
    every = np.arange(count)
    some = every if most is None else np.unique(np.linspace(0, max(0, count - 1), min(most, count)).astype(int))
    seen = {name: every if name == "fp32" else some for name in variants}
    chances = {name: np.full((len(seen[name]), classes), np.nan, np.float32) for name in variants}
    known = {name: np.full(len(seen[name]), np.nan, np.float32) for name in variants}
    places = {name: dict(zip(seen[name].tolist(), range(len(seen[name])), strict=True)) for name in variants}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number, path in enumerate(photos["path"]):
        if number % 8 == 0:
            progress(number / count, f"{photos['split'].iloc[0]} photos: {number} of {count}")
        try:
            pixels = models["fp32"].prepared(workspace.path_of(path))[None]
        except photo.UnreadablePhoto:
            continue
        for name, model in models.items():
            if number in places[name]:
                start = time.perf_counter()
                place = places[name][number]
                chances[name][place], known[name][place] = model.infer(pixels)[0]
                times[name].append(1000 * (time.perf_counter() - start))
    took = {name: float(np.median(taken)) for name, taken in times.items() if taken}
    return Measured(chances, seen, took, known, models["fp32"].decide, models["fp32"].thresholds)
