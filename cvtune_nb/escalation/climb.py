"""Climb a ladder within a time budget, the rung with the highest expected gain for its time first."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import pandas as pd

from cvtune_nb.classification import Run, earlier_run, fit, load_run, predict_cost, runs
from cvtune_nb.classification import objective as judged
from cvtune_nb.classification.baseline import baseline_score, last_baseline
from cvtune_nb.classification.parent import BELOW, alike, named_parent
from cvtune_nb.console import duration
from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.escalation.expected_accuracy import ExpectedAccuracy, expected_accuracies
from cvtune_nb.escalation.stopping import Prospect, beaten, in_words, smallest_shown, why_not
from cvtune_nb.escalation.verdict import verdict
from cvtune_nb.files import Progress, silent
from cvtune_nb.objectives import USUAL, Objective
from cvtune_nb.parameters import LADDER_PARAMETERS, Config
from cvtune_nb.runs import lock
from cvtune_nb.runs.store import TRAINING, UNFINISHED
from cvtune_nb.workspace import Workspace

COLUMNS = [
    "rung",
    "run",
    *(parameter.name for parameter in fields(Config)),
    "predicted_seconds",
    "seconds",
    "expected",
    "expected_low",
    "expected_high",
    *Run.MEASURES,
    "state",
    "note",
]
LOOK_AHEAD = 0.1
"""Fraction of the budget within which features of all rungs are computed first, so that what to expect of them is based
on measurements: a rung that starts from the SVM needs them anyway."""
PLACES = ("local", "ray")
"""Where rungs can be run."""
LOCK = "ladder.lock"
"""The file in a workspace that the process which climbs its ladder has locked."""
RAN_BEFORE = "run before"
"""In the note of a rung that this climb did not run."""


@dataclass(frozen=True)
class Escalation:
    """The rungs of a ladder as they stand.

    Attributes
    ----------
    rungs : pandas.DataFrame
        One row each (columns: COLUMNS). expected: the accuracy expected before it ran; state: waiting, skipped, or the
        run's.
    best : str
        Id of the run that is best on validation by the workspace's objective, "" before any.
    why : str
        Which rung to stop at, in words.
    """

    rungs: pd.DataFrame
    best: str
    why: str

    @property
    def measured(self) -> pd.DataFrame:
        """The rungs that have a validation accuracy."""
        return self.rungs.dropna(subset=["validation_accuracy"])

    @property
    def times(self) -> tuple[float, float]:
        """Seconds that this climb took and was expected to take, without the rungs that were run before."""
        now = self.rungs[~self.rungs["note"].str.contains(RAN_BEFORE) & self.rungs["seconds"].notna()]
        return float(now["seconds"].sum()), float(now["predicted_seconds"].sum())


def escalate(
    workspace: Workspace,
    configs: list[Config],
    budget_seconds: float = 1800.0,
    on_rung: Callable[[Escalation], None] | None = None,
    progress: Progress = silent,
    numbers: Sequence[int] = (),
    on: str = "local",
    others: Mapping[int, Config] | None = None,
    least_gain: float = LADDER_PARAMETERS["least_gain"].default,
) -> Escalation:
    """Train the configs within budget_seconds.

    The next rung is always the one with the highest expected gain over the best accuracy so far for its time
    (`expected_accuracies`, by what counts). A rung that was run before
    with the same parameters is not run again; one that was stopped goes on. When the rungs left would take longer than
    the time left, the epochs of each are cut by the same factor, and a rung of which not one epoch fits is skipped, the
    one with the lowest expected gain for its time first; the note says so. So is a rung that can't be run here at all:
    weights that can't be had, an image_size larger than the photos or one that the network does not take, or a run that
    another program is training. A rung is given up when it can't become the best any more (`beaten`). A rung that goes
    on from the one below waits for it. Stopped, raised in `progress`, ends the climb and keeps the work.

    Parameters
    ----------
    workspace : Workspace
        Where photos and runs are.
    configs : list of Config
        The rungs.
    budget_seconds : float
        Seconds for all of them.
    on_rung : callable, optional
        Called after every rung and every epoch.
    progress : Progress
        Called with the fraction done and words.
    numbers : sequence of int
        Which rungs of a ladder they are; without it they are called 1, 2, ...
    on : str
        "local": this machine; "ray": a Ray cluster (ray_cluster.train_trials), which runs as many rungs at once as it
        has room for, each with all its epochs, and gives none up.
    others : mapping, optional
        Rungs, by number, that are not to be run but are compared if they were run before.
    least_gain : float
        Points an hour below which no rung is worth its time (stopping.why_not); 0: all that fit the budget are run.

    Raises
    ------
    InputError
        When no rung is given, and when none can be run and nothing was ever trained in this workspace.
    lock.Held
        When another program climbs in this workspace.
    """
    if not configs:
        raise InputError("no rung is chosen: choose at least one")
    if on not in PLACES:
        raise InputError(f"there is no place called {on!r} to run on: choose {' or '.join(PLACES)}")
    deadline, report = time.monotonic() + budget_seconds, on_rung or (lambda _: None)
    way_out = "wait for it to end: the same rungs then cost nothing"
    with lock.holding(workspace.folder / LOCK, f"climbing the ladder in {workspace.folder}", way_out):
        climb = Climb(workspace, configs, numbers or range(1, len(configs) + 1), deadline, report, progress)
        climb.least_gain = LADDER_PARAMETERS["least_gain"].check(least_gain)
        others = others or {}
        climb.compare_with(others)
        try:
            climb.look()
            climb.compare_with(others)
            while climb.left and not climb.ends():
                if on == "ray":
                    climb.run_on_ray()
                else:
                    climb.run_next()
                climb.compare_with(others)  # one may go on from what was just run
        except Stopped:
            pass
        return climb.summary()


def so_far(workspace: Workspace, rungs: Mapping[int, Config]) -> Escalation:
    """What is known of the rungs, by number, that were run before with the same parameters; nothing is run."""
    climb = Climb(workspace, [], [], 0.0, lambda _: None, silent)
    climb.compare_with(rungs)
    return climb.summary()


class Climb:
    """One climb: rows has one dict a rung, left the indices of those still to run.

    Each rung's best epoch is chosen by the workspace's objective of today.
    """

    def __init__(
        self,
        workspace: Workspace,
        configs: list[Config],
        numbers: Sequence[int],
        deadline: float,
        report: Callable[[Escalation], None],
        progress: Progress,
    ):
        self.workspace, self.deadline, self.report = workspace, deadline, report
        self.objective: Objective = judged.objective_in(workspace)
        self.configs = [replace(config, objective=self.objective.text) for config in configs]
        self.progress, self.looking = progress, lambda _, words: progress(0.0, words)
        self.rows = [_row(number, config) for number, config in zip(numbers, self.configs, strict=True)]
        self.left = list(range(len(configs)))
        self.expected: dict[int, ExpectedAccuracy] = {}
        self.least_gain, self.ended = 0.0, ""

    def compare_with(self, others: Mapping[int, Config]) -> None:
        """Add a row for each of these that was run before, once no rung is left that it goes on from; none is run."""
        there = {row["rung"] for row in self.rows}
        for number, other in sorted(others.items()):
            if number in there or self._waits(number, other, self.left):
                continue
            try:
                config = self._with_parent(number, replace(other, objective=self.objective.text))
            except InputError:  # the run that it goes on from is gone, or of earlier photos
                continue
            before = earlier_run(self.workspace, config)
            if before is not None and len(before.history):
                self.rows.append(_row(number, config))
                self._fill(len(self.rows) - 1, before, RAN_BEFORE)

    def look(self) -> None:
        """Which rungs can be run here, which were, and what to expect of the others."""
        able = [index for index, config in enumerate(self.configs) if self._can_run(index, config)]
        if not able and runs(self.workspace).empty:
            raise InputError(self.rows[0]["note"])
        self.left = []
        for index in able:  # one that goes on from a rung that is run now is another run
            number, config = self._number(index), self.configs[index]
            if self._waits(number, config, able) or not self._ran_before(index, self._with_parent(number, config)):
                self.left.append(index)
        if len(self.left) < 2 and not self.least_gain:
            return
        start = sum(self._cost(self.configs[index], 0) for index in self.left)
        compute = start <= LOOK_AHEAD * (self.deadline - time.monotonic())
        try:
            left = [self.configs[index] for index in self.left]
            found = expected_accuracies(self.workspace, left, compute, self.looking)
        except InputError:  # too few photos to estimate it: in the order given
            return
        self.expected = dict(zip(self.left, found, strict=True))
        for index, expected in self.expected.items():
            self.rows[index] |= {
                "expected": expected.accuracy,
                "expected_low": expected.low,
                "expected_high": expected.high,
            }

    def ends(self) -> bool:
        """Whether no rung left is worth its time (stopping.why_not); their rows then say why."""
        finished, known = self._finished(), [index for index in self.left if index in self.expected]
        if not self.least_gain or not finished or len(known) < len(self.left):
            return False
        seconds = {index: self._cost(self.configs[index], self.configs[index].epochs) for index in known}
        left = {self._number(index): Prospect(self.expected[index], seconds[index]) for index in known}
        photos = finished[0].validation.n
        shown = smallest_shown(finished, photos) if self.objective.text == USUAL else 0.0
        reasons = why_not(left, self.best(), self.least_gain, shown, photos)
        for index in known if reasons else []:
            self.rows[index] |= {"state": "skipped", "note": reasons[self._number(index)]}
            self.left.remove(index)
        self.ended = in_words(reasons)
        return bool(reasons)

    def run_next(self) -> None:
        """Run the rung with the highest expected gain for its time, or say why it is skipped."""
        epochs = self._plan()
        for index in [index for index in self.left if not epochs[index]]:
            least = self._cost(self.configs[index], 1)
            note = f"one epoch takes about {duration(least)}: more than its share of the budget"
            self.rows[index] |= {"state": "skipped", "note": note}
            self.left.remove(index)
        if not self.left:
            return
        index = max(self._ready(), key=lambda index: self._worth(index, epochs[index]))  # ties: the first
        self.left.remove(index)
        row, note = self.rows[index], ""
        config = self._with_parent(row["rung"], self.configs[index])
        if epochs[index] < config.epochs:
            note = f"{epochs[index]} of {config.epochs} epochs fit the budget"
            config = replace(config, epochs=epochs[index], schedule="")
        if self._ran_before(index, config, note):
            return
        before = earlier_run(self.workspace, config)
        done = len(self.configs) - len(self.left) - 1
        self.progress(done / len(self.configs), f"rung {row['rung']}")
        row["predicted_seconds"] = self._cost(config, config.epochs)
        finished, gave_up = self._finished(), []

        def on_epoch(run: Run) -> None:
            self._fill(index, run, note)
            row["state"] = "running"
            self.report(Escalation(self.table(), "", ""))
            if why := beaten(run, finished):
                gave_up.append(why)
                raise Beaten

        try:
            run = fit(self.workspace, config, before and before.id, on_epoch=on_epoch, progress=self._until(done, row))
        except InputError as error:  # weights or photos are gone, memory is short, or another program trains it
            row |= {"state": "skipped", "note": str(error)}
            return
        if run.state == "stopped" and time.monotonic() > self.deadline:
            gave_up.append("the budget ended")
        self._fill(index, run, "; ".join([note, *gave_up] if note else gave_up))
        self.report(self.summary())

    def run_on_ray(self) -> None:
        """Run all rungs left as trials on a Ray cluster, but for those that wait for one of them."""
        from cvtune_nb.escalation.ray_cluster import train_trials

        indices = sorted(self._ready(), key=lambda index: -self._worth(index, self.configs[index].epochs))
        self.left = [index for index in self.left if index not in indices]
        for index in indices:
            self.configs[index] = self._with_parent(self._number(index), self.configs[index])
            self.rows[index]["predicted_seconds"] = self._cost(self.configs[index], self.configs[index].epochs)

        def on_epoch(run: Run) -> None:
            for index in indices:
                if self.configs[index] == run.config:
                    self._fill(index, run, "")
                    self.rows[index]["state"] = "running"
            self.report(Escalation(self.table(), "", ""))

        asked = [self.configs[index] for index in indices]
        trials = train_trials(self.workspace, asked, on_epoch, self.progress, self.deadline)
        for index, trial in zip(indices, trials, strict=True):
            if trial.run is None:
                self.rows[index] |= {"state": "skipped", "note": trial.note or "the budget ended"}
            else:
                self._fill(index, trial.run, trial.note)

    def table(self) -> pd.DataFrame:
        """The rungs as they stand, by number."""
        return pd.DataFrame(self.rows, columns=COLUMNS).sort_values("rung", kind="stable", ignore_index=True)

    def summary(self) -> Escalation:
        """Which rung to stop at, and why; and why the ladder has ended, where that was before its last rung."""
        table = self.table()
        best, why = verdict(self.workspace, table, self.objective)
        return Escalation(table, best, f"{why}; {self.ended}" if self.ended else why)

    # -- rungs that go on from others ---------------------------------------------------------------------------

    def _number(self, index: int) -> int:
        return self.rows[index]["rung"]

    def _ready(self) -> list[int]:
        """The rungs left that wait for none of the others."""
        return [index for index in self.left if not self._waits(self._number(index), self.configs[index], self.left)]

    def _waits(self, number: int, config: Config, left: Sequence[int]) -> bool:
        """Whether a rung goes on from one that is among these, which are still to run."""
        below = [other for other in left if self._number(other) < number and alike(config, self.configs[other])]
        return config.parent == BELOW and bool(below)

    def _with_parent(self, number: int, config: Config) -> Config:
        """`config` with the run of the nearest rung below that has the same network; without any it starts anew."""
        if config.parent != BELOW:
            return named_parent(self.workspace, config)
        ran = [row for row in self.rows if row["rung"] < number and row["run"] and row["state"] != "diverged"]
        for row in sorted(ran, key=lambda row: -row["rung"]):
            parent = load_run(self.workspace, row["run"])
            if alike(config, parent.config) and len(parent.history):
                return named_parent(self.workspace, replace(config, parent=parent.id))
        return replace(config, parent="")

    # -- one rung ---------------------------------------------------------------------------------------------

    def _can_run(self, index: int, config: Config) -> bool:
        """Whether this machine and these photos allow the config at all; if not, its row says why."""
        try:
            predict_cost(self.workspace, replace(config, epochs=0, schedule=""), self.looking)
        except InputError as error:
            self.rows[index] |= {"state": "skipped", "note": str(error)}
            return False
        return True

    def _ran_before(self, index: int, config: Config, note: str = "") -> bool:
        """Whether a run with these parameters is there already; its row then shows it."""
        before = earlier_run(self.workspace, config)
        if before is None or before.state in (*UNFINISHED, TRAINING):
            return False
        self._fill(index, before, f"{note}; {RAN_BEFORE} with the same parameters".removeprefix("; "))
        return True

    def _fill(self, index: int, run: Run, note: str) -> None:
        row = self.rows[index]
        row |= run.config.to_dict()
        row |= {
            "run": run.id,
            "state": run.state,
            "note": "; ".join(filter(None, [*run.changes, note])),
            "seconds": run.seconds,
            "predicted_seconds": run.predicted_seconds,
        }
        if len(run.history):
            row |= {
                "train_accuracy": run.train.value,
                "validation_accuracy": run.validation.value,
                "low": run.validation.low,
                "high": run.validation.high,
            }
            if score := run.score(self.objective):
                row |= {
                    "objective_value": score.value,
                    "objective_low": score.low,
                    "objective_high": score.high,
                    "merit": self.objective.merit(score.value),
                }

    def _until(self, done: int, row: dict) -> Progress:
        """The progress of one rung as a part of the whole climb; it stops the rung when the budget has ended."""

        def in_time(share: float, words: str) -> None:
            self.progress((done + share) / len(self.configs), f"rung {row['rung']}: {words}")
            if time.monotonic() > self.deadline:
                raise Stopped

        return in_time

    def _finished(self) -> list[Run]:
        """The climb's runs so far."""
        return [load_run(self.workspace, row["run"]) for row in self.rows if row["state"] in ("done", "beaten")]

    # -- what fits, and what is worth it ----------------------------------------------------------------------

    def _cost(self, config: Config, epochs: int) -> float:
        """Seconds of a config with so many epochs."""
        if epochs != config.epochs:
            config = replace(config, epochs=epochs, schedule="")
        return predict_cost(self.workspace, config).seconds

    def best(self) -> float:
        """The best value on validation so far by what counts, the baseline's SVM included."""
        if self.objective.text != USUAL:
            return self._best_by_objective()
        ran = [row["validation_accuracy"] for row in self.rows if not pd.isna(row["validation_accuracy"])]
        known = last_baseline(self.workspace)
        return max([*ran, known["validation_accuracy"] if known else 0.0])

    def _best_by_objective(self) -> float:
        ran = [row["objective_value"] for row in self.rows if not pd.isna(row["objective_value"])]
        svm = baseline_score(self.workspace, self.objective)
        known = [*ran, *([svm.value] if svm else [])]
        if not known and not self.objective.SHARE:  # no loss is the worst there can be: the worst that is expected
            known = [expected.high for expected in self.expected.values()]
        return max(known, key=self.objective.merit, default=0.0)

    def _worth(self, index: int, epochs: int) -> float:
        """Expected gain for its time; rungs of which nothing is known are equal: they run in the order given."""
        expected = self.expected.get(index)
        return expected.better_than(self.best()) / self._cost(self.configs[index], epochs) if expected else 0.0

    def _plan(self) -> dict[int, int]:
        """Epochs for each of the rungs left that together fit into the time left; 0 means it is left out."""
        seconds, start, full = self.deadline - time.monotonic(), {}, {}
        for index in self.left:
            start[index] = self._cost(self.configs[index], 0)
            full[index] = self._cost(self.configs[index], self.configs[index].epochs)
        kept, epochs = set(self.left), {}
        while kept:
            work = sum(full[index] - start[index] for index in kept)
            factor = min(1.0, max(0.0, seconds - sum(start[index] for index in kept)) / max(work, 1e-9))
            epochs = {index: int(self.configs[index].epochs * factor + 1e-6) for index in kept}
            if all(epochs.values()):
                break
            kept.remove(min(kept, key=lambda index: (self._worth(index, self.configs[index].epochs), -full[index])))
        return {index: epochs[index] if index in kept else 0 for index in self.left}


def _row(number: int, config: Config) -> dict:
    known = {"rung": number, "run": "", "state": "waiting", "note": ""}
    return dict.fromkeys(COLUMNS, float("nan")) | known | config.to_dict()
