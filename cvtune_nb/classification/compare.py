"""Which frozen network suits these photos: all that can be used race on training photos, within a time budget.

Each is judged by a linear SVM on its features, cross-validated on a sample of the training photos, and by what counts
in the workspace; validation and test photos are left for later steps. The sample grows from round to round, and a
network that can't win any more is dropped. The network that leads on ImageNet stays to the end, because a frozen
network does not show all that fine-tuning makes of it (Renggli and others 2020, "Which model to transfer?"). How good
what is recommended turns out: docs/measurements.md, "Comparing networks".

Features go into the cache that every later step reads, and answers are kept: what was stopped goes on where it was.
"""

import functools
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb.classification.calibration import tempered
from cvtune_nb.classification.candidates import Candidate, Speeds, comes_along
from cvtune_nb.classification.comparison import (
    DROPPED,
    FINISHED,
    OUT_OF_BUDGET,
    OUT_OF_REACH,
    STOPPED,
    WAITING,
    Comparison,
    Entry,
    below,
    concluded,
    ranked,
    training_photos_id,
)
from cvtune_nb.classification.features import features, missing
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.classification.objective import keep_chances, kept_chances, objective_in
from cvtune_nb.classification.svm import Svm
from cvtune_nb.console import duration
from cvtune_nb.data.groups import dependent, groups_id
from cvtune_nb.data.pixels import pixels
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.models import backbones
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.workspace import Workspace, photos_id

PHOTOS = 2_000
"""Training photos to compare on: enough to tell accuracies 2 points apart."""
FIRST, A_CLASS = 250, 10
"""Photos of the first round: so many, or where there are many classes so many of each on average."""
BUDGET = 300.0
"""Seconds that a comparison takes at most."""
FOLDS = 4
"""Parts of the cross-validation."""
USUAL_C = 1.0
"""C of the SVM (docs/measurements.md, "L2-normalised features")."""


def compare(
    workspace: Workspace,
    candidates: Sequence[Candidate],
    photos: int = PHOTOS,
    budget_seconds: float = BUDGET,
    on_change: Callable[[Comparison], None] | None = None,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
) -> Comparison:
    """Compare frozen networks on training photos, the cheapest first.

    In rounds of about 250, 500, 1,000 ... photos. After each round those are dropped that are reliably worse than the
    best on the same photos, by what counts in the workspace. When the next round of all would take longer than the time
    left, the worse ones are left out. Stopped, raised in `progress`, ends the comparison and keeps the work; the same
    call again goes on with it.

    Parameters
    ----------
    workspace
        Whose training photos they are compared on; the result is kept there.
    candidates
        What `candidates.listed` gives; those that can't be used here are only listed.
    photos
        Training photos to compare on, at most.
    budget_seconds
        Time for all of it.
    on_change
        Called with how they stand whenever that changes.
    progress
        Called with the progress; may raise Stopped.
    clock
        Seconds, to keep the budget by.

    Raises
    ------
    InputError
        There are too few training photos, or no candidate can be used here.
    """
    if not any(candidate.usable for candidate in candidates):
        reasons = "; ".join(f"{candidate.spec}: {candidate.why_not}" for candidate in candidates[:3])
        raise InputError(f"no network can be compared here ({reasons}): choose others, or allow downloads")
    race = _Race(workspace, candidates, sample(workspace.photos(), photos), clock() + budget_seconds, progress, clock)
    race.run(on_change or (lambda _: None))
    return race.standing()


def sample(photos: pd.DataFrame, count: int = PHOTOS, seed: int = 0) -> pd.DataFrame:
    """At most `count` training photos, drawn from each class in proportion; so are the first n of them, for every n.

    Parameters
    ----------
    photos
        The manifest's rows.
    count
        How many.
    seed
        Of the draw.

    Raises
    ------
    InputError
        They are too few to be cross-validated.
    """
    train = photos[photos["split"] == "train"].sort_values(["sha256", "path"]).sample(frac=1, random_state=seed)
    place = (train.groupby("label").cumcount() + 0.5) / train.groupby("label")["path"].transform("size")
    drawn = train.iloc[np.argsort(place.to_numpy(), kind="stable")[:count]].reset_index(drop=True)
    if (drawn.groupby("label")["group"].nunique() >= FOLDS).sum() < 2:
        raise InputError(
            f"fewer than two classes have {FOLDS} different photos among {len(drawn)} for training: too few to compare "
            "networks on"
        )
    return drawn


def rounds(count: int, classes: int) -> list[int]:
    """Photos of each round, twice as many as in the one before; all of `count` in the last.

    Parameters
    ----------
    count
        Photos there are.
    classes
        That they are of.
    """
    found = [min(count, max(FIRST, A_CLASS * classes))]
    while found[-1] * 3 <= count:
        found.append(found[-1] * 2)
    return found if found[-1] == count else [*found, count]


def cross_validated(
    matrix: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    progress: Progress = silent,
    classes: Sequence[str] = (),
) -> Said:
    """What a linear SVM says of photos that it was not trained on; copies stay together.

    Parameters
    ----------
    matrix
        Features (n, width).
    labels, groups
        Of each photo.
    progress
        Called before each fold.
    classes
        Names of all classes, where probabilities are needed: the columns of these.
    """
    right, logits = np.zeros(len(labels), bool), np.zeros((len(labels), len(classes)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # its photos count as wrong
        folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(matrix, labels, groups))
    for fit, asked in folds:
        progress(math.nan, "")
        if len(asked) and len(np.unique(labels[fit])) > 1:
            svm = Svm(USUAL_C).fit(matrix[fit], labels[fit])
            right[asked] = svm.predict(matrix[asked]) == labels[asked]
            if classes:
                logits[asked] = svm.logits(matrix[asked], classes)
    return Said(right, tempered(logits, pd.Index(classes).get_indexer(labels)) if classes else None)


def judge_of(workspace: Workspace, photos: pd.DataFrame) -> Judge:
    """What counts in a workspace, on these photos of it.

    Raises InputError where that names a class that there is not.
    """
    objective = objective_in(workspace, sorted(workspace.photos()["label"].unique()))
    own = dependent(photos)
    groups = None if own is None else own.to_numpy()
    return Judge(objective, pd.Index(objective.classes).get_indexer(photos["label"]), groups)


class _OutOfBudget(Stopped):
    """The time is up: not the person's stop."""


class _Race:
    """The candidates as they stand, and what is done next."""

    def __init__(
        self,
        workspace: Workspace,
        candidates: Sequence[Candidate],
        photos: pd.DataFrame,
        end: float,
        progress: Progress,
        clock: Callable[[], float],
    ):
        self.workspace, self.photos, self.progress, self.clock = workspace, photos, progress, clock
        self.began, self.end, self.left = clock(), end, 0.0
        self.classes, self.measured_on = photos["label"].nunique(), training_photos_id(workspace)
        self.rounds, self.judge = rounds(len(photos), self.classes), judge_of(workspace, photos)
        self.entries = [
            Entry(one.spec, WAITING if one.usable else OUT_OF_REACH, one.why_not, judge=self.judge)
            for one in candidates
        ]
        self.speeds = Speeds(workspace, [entry.spec for entry in self.waiting], progress)
        published = {one.spec.backbone: _on_imagenet(one.spec.backbone) for one in self.waiting if one.published}
        self.leader_on_imagenet = max(published, key=lambda name: published[name]) if any(published.values()) else ""

    @property
    def waiting(self) -> list[Entry]:
        """Those still in the race."""
        return [entry for entry in self.entries if entry.state == WAITING]

    def run(self, show: Callable[[Comparison], None]) -> None:
        """All rounds; how they stand is kept and shown after each candidate."""
        try:
            for photos in self.rounds:
                self.fit_into_budget(photos)
                self.decode(photos)
                for entry in self.cheapest_first(photos):
                    self.measure(entry, photos)
                    self.keep(show)
                self.drop(photos)
        except _OutOfBudget:
            self.end_all(OUT_OF_BUDGET, "the time was up")
        except Stopped:
            self.end_all(STOPPED, "the same comparison again goes on with it")
        for entry in self.waiting:
            entry.state = FINISHED
        self.keep(show)

    def end_all(self, state: str, why: str) -> None:
        """The end for those that are not through with it."""
        for entry in self.waiting:
            if entry.photos < self.rounds[-1]:
                entry.state, entry.why = state, _after(entry, why)

    def standing(self) -> Comparison:
        """How they stand now."""
        speeds, leader = self.speeds, self.leader_on_imagenet
        return concluded(self.entries, speeds.of, speeds.measured, leader, self.measured_on, self.judge)

    def keep(self, show: Callable[[Comparison], None]) -> None:
        """Write down how they stand, and show it."""
        standing = self.standing()
        standing.save(self.workspace)
        show(standing)

    # -- one round ------------------------------------------------------------------------------------------------

    def measure(self, entry: Entry, count: int) -> None:
        """Features of the first `count` photos and what an SVM makes of them, unless that is known already."""
        photos, begun = self.photos.head(count), self.clock()
        file = self.answers(entry, photos)
        if not self.answered(file):
            report = functools.partial(self.report, f"{entry.spec}, {count} photos")
            report(0.0, "")
            try:
                matrix = features(self.workspace, photos, entry.spec, report).matrix
            except InputError as error:
                entry.state, entry.why = OUT_OF_REACH, str(error)
                return
            labels, groups = (photos[name].to_numpy(dtype=object) for name in ("label", "group"))
            fitting = self.clock()
            said = cross_validated(matrix, labels, groups, report, self.judge.columns)
            now = self.clock()
            self.speeds.fitted(now - fitting, count, self.classes)
            if said.chances is not None:
                keep_chances(_chances_beside(file), said.chances)
            write_json(file, {"seconds": now - begun, "wrong": sorted(set(photos["sha256"][~said.right]))})
        known = read_json(file)
        right = ~photos["sha256"].isin(known["wrong"]).to_numpy()
        entry.said[count] = Said(right, None if self.judge.by_accuracy else kept_chances(_chances_beside(file)))
        entry.seconds += known["seconds"]

    def decode(self, count: int) -> None:
        """Decode once what is needed, at the largest size of all: smaller squares are scaled from these."""
        lacking = {entry.spec: self.missing(entry, count) for entry in self.waiting}
        wanted = {key for keys in lacking.values() for key in keys}
        if wanted:
            largest = max((spec.preprocessing for spec, keys in lacking.items() if keys), key=lambda one: one.shape)
            photos = self.photos[self.photos["sha256"].isin(wanted)]
            pixels(self.workspace, photos, largest, functools.partial(self.report, ""))

    def missing(self, entry: Entry, count: int) -> list[str]:
        """Those of the first `count` photos whose features are not there yet."""
        return missing(self.workspace, entry.spec, list(self.photos["sha256"].head(count)))

    def cost(self, entry: Entry, count: int) -> float:
        """Seconds that a round with the first `count` photos will take."""
        photos = self.photos.head(count)
        if self.answered(self.answers(entry, photos)):
            return 0.0
        along = comes_along(entry.spec, [one.spec for one in self.waiting])
        computing = 0.0 if along else self.speeds.features_seconds(entry.spec, list(photos["sha256"]))
        return self.speeds.download_seconds(entry.spec) + computing + self.speeds.fit_seconds(count, self.classes)

    def cheapest_first(self, count: int) -> list[Entry]:
        """Those still in the race, in the order of their cost; features that come along follow those they come with."""
        costs = {entry.spec: self.cost(entry, count) for entry in self.waiting}
        return sorted(
            self.waiting,
            key=lambda one: (costs.get(replace(one.spec, pooling=STAGES), costs[one.spec]), one.spec.pooling == LAST),
        )

    def answered(self, file: Path) -> bool:
        """Whether what was kept in a file suffices for what counts."""
        return file.exists() and (self.judge.by_accuracy or _chances_beside(file).exists())

    def answers(self, entry: Entry, photos: pd.DataFrame) -> Path:
        """Where it is kept which of these photos it gets right."""
        return self.workspace.cache / f"compared-{entry.spec.key}-{photos_id(photos)}{groups_id(photos)}.json"

    def report(self, what: str, share: float, words: str) -> None:  # noqa: ARG002 - the share of one step says little
        """Say what is done and how much time is left. When the budget is used up, it ends the work."""
        now = self.clock()
        if now > self.end:
            raise _OutOfBudget
        most, guess = self.end - now, self.left - (now - self.began)
        left = guess if 0 < guess < most else most
        done = (now - self.began) / max(now - self.began + left, 1e-9)
        limit = "about" if left == guess else "at most"
        self.progress(done, f"{what or words}; {limit} {duration(left)} left")

    # -- who stays in the race ------------------------------------------------------------------------------------

    def favourite(self) -> Entry | None:
        """The network that leads on ImageNet, at the size at which it does best here."""
        sizes = [one for one in self.waiting if one.published and one.spec.backbone == self.leader_on_imagenet]
        return max(sizes, key=lambda entry: (entry.merit(), entry.spec.image_size), default=None)

    def fit_into_budget(self, count: int) -> None:
        """Leave out what the time left has no room for.

        In the first round that is the dearest, later the worst; the network that leads on ImageNet comes
        first if it can get to the end.
        """
        before, favourite = max((entry.photos for entry in self.waiting), default=0), self.favourite()
        order = ranked(self.waiting, before) if before else self.cheapest_first(count)
        room = self.end - self.clock()
        if favourite and self.cost(favourite, self.rounds[-1]) <= room:  # else it would only take the others' time
            order.sort(key=lambda entry: entry is not favourite)
        for entry in order:
            cost = self.cost(entry, count)
            if cost <= room:
                room -= cost
            else:
                entry.state = OUT_OF_BUDGET
                why = f"{count} photos would take about {duration(cost)}, and {duration(max(0.0, room))} were left"
                entry.why = _after(entry, why)
        self.left = self.clock() - self.began + sum(self.cost(entry, self.rounds[-1]) for entry in self.waiting)

    def drop(self, count: int) -> None:
        """After a round, the end for those that are reliably worse than the best; not after the last one."""
        there = [entry for entry in self.waiting if count in entry.said]
        if not there or count == self.rounds[-1]:
            return
        best, favourite = ranked(there, count)[0], self.favourite()
        for entry in there:
            apart = entry.minus(best)
            if apart.high < 0 and entry is not favourite:
                entry.state, entry.why = (
                    DROPPED,
                    _after(entry, f"{below(apart, self.judge.objective)} than {best.spec}"),
                )


def _chances_beside(file: Path) -> Path:
    """Where probabilities are kept, beside the photos that are wrong."""
    return file.with_suffix(".npy")


def _on_imagenet(name: str) -> float:
    """The published accuracy of a network that menus offer; 0 where there is none."""
    return (backbones.KNOWN[name].imagenet or 0.0) if name in backbones.KNOWN else 0.0


def _after(entry: Entry, why: str) -> str:
    return f"after {entry.photos} photos: {why}" if entry.photos else why
