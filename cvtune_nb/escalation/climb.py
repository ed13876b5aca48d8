"""Climb a ladder within a time budget, the rung that promises most for its time first."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.advice.rule import aligned, on_same_photos, right_of
from cvtune_nb.classification import Run, earlier_run, fit, load_run, predict_cost, runs
from cvtune_nb.classification.svm import last_baseline
from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.escalation.expected_accuracy import promises
from cvtune_nb.files import Progress, silent
from cvtune_nb.parameters import Config
from cvtune_nb.runs import lock
from cvtune_nb.runs.cost import duration
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
    "train_accuracy",
    "validation_accuracy",
    "low",
    "high",
    "state",
    "note",
]
LOOK_AHEAD = 0.1
"""Share of the budget within which features of all rungs are computed first, so that their promises are measured: a
rung that starts from the SVM needs them anyway."""
PLACES = ("local", "ray")
"""Where rungs can be run."""
LOCK = "ladder.lock"
"""The file in a workspace that the process which climbs its ladder has locked."""
HALF = 0.5
"""Share of its epochs before which no rung is given up: with a falling rate, the first half says little."""


@dataclass(frozen=True)
class Escalation:
    """rungs: one row each (columns: COLUMNS; expected: the accuracy promised before it ran; state: waiting, skipped,
    or the run's). best: id of the run with the highest validation accuracy, "" before any. why: which rung to stop at,
    in words."""

    rungs: pd.DataFrame
    best: str
    why: str


def escalate(
    workspace: Workspace,
    configs: list[Config],
    budget_seconds: float = 1800.0,
    on_rung: Callable[[Escalation], None] | None = None,
    progress: Progress = silent,
    numbers: Sequence[int] = (),
    on: str = "local",
    others: Mapping[int, Config] | None = None,
) -> Escalation:
    """Train the configs within budget_seconds. `numbers` says which rungs of a ladder they are; without it they are
    called 1, 2, ... on: "local", this machine; "ray", a Ray cluster (cluster.train_trials), which runs as many rungs at
    once as it has room for, each with all its epochs, the most promising first, and gives none up. others: rungs, by
    number, that are not to be run but are compared if they were run before.

    The next rung is always the one with the highest expected gain over the best accuracy so far for its time
    (promise.promises). A rung that was run before with the same parameters is not run again; one that was stopped goes
    on. When the rungs left would take longer than the time left, the epochs of each are cut by the same factor, and a
    rung of which not one epoch fits is skipped, the one that promises least for its time first; the note says so. So
    is a rung that can't be run here at all: weights that can't be had, an image_size beyond the photos or one that the
    network does not take, or a run that another program is training. A rung is given up when it can't become the best
    any more (`beaten`). on_rung is called after every rung and every epoch. Stopped, raised in `progress`, ends the
    climb and keeps the work. Raises InputError when no rung is given, and when none can be run and nothing was ever
    trained in this workspace; lock.Held when another program climbs in this workspace.
    """
    if not configs:
        raise InputError("no rung is chosen: choose at least one")
    if on not in PLACES:
        raise InputError(f"there is no place called {on!r} to run on: choose {' or '.join(PLACES)}")
    deadline, tell = time.monotonic() + budget_seconds, on_rung or (lambda _: None)
    way_out = "wait for it to end: the same rungs then cost nothing"
    with lock.holding(workspace.folder / LOCK, f"climbing the ladder in {workspace.folder}", way_out):
        climb = _Climb(workspace, configs, numbers or range(1, len(configs) + 1), deadline, tell, progress)
        climb.compare_with(others or {})
        try:
            climb.look()
            if on == "ray":
                climb.run_on_ray()
            while climb.left:
                climb.run_next()
        except Stopped:
            pass
        return climb.summary()


def so_far(workspace: Workspace, rungs: Mapping[int, Config]) -> Escalation:
    """What is known of the rungs, by number, that were run before with the same parameters; nothing is run."""
    climb = _Climb(workspace, [], [], 0.0, lambda _: None, silent)
    climb.compare_with(rungs)
    return climb.summary()


def beaten(run: Run, finished: Sequence[Run]) -> str:
    """Why `run` can't become the best any more, in words; "" while it can, or that can't be told.

    After half of its epochs a run is beaten when even the upper end of its 95% interval, and on top of it the largest
    rise that any finished run showed from that share of its epochs to its best, stays below the best accuracy. A rule
    of ours; like successive halving (Jamieson and Talwalkar 2016) it compares runs in mid-course, but gives up none
    that the differences seen so far leave a chance.
    """
    whole = [other for other in finished if other.state == "done" and other.config.epochs and len(other.history)]
    share = run.history["epoch"].max() / max(1, run.config.epochs) if len(run.history) else 0.0
    if not whole or share < HALF:
        return ""
    best = max(whole, key=lambda other: other.validation.value)
    most = 0.0
    for other in whole:
        early = other.history[other.history["epoch"] <= share * other.config.epochs + 1e-9]
        if len(early):
            most = max(most, other.validation.value - early["validation_accuracy"].max())
    if run.validation.high + most >= best.validation.value:
        return ""
    return (
        f"given up in epoch {run.history['epoch'].max()}: {run.validation.high:.1%}, the upper end of its "
        f"interval, and the {most * 100:.1f} points that runs rise from there on at most stay below {best.id}'s "
        f"{best.validation.value:.1%}"
    )


class _Climb:
    """One climb: rows has one dict a rung, left the places of those still to run."""

    def __init__(
        self,
        workspace: Workspace,
        configs: list[Config],
        numbers: Sequence[int],
        deadline: float,
        tell: Callable[[Escalation], None],
        progress: Progress,
    ):
        self.workspace, self.configs, self.deadline, self.tell = workspace, configs, deadline, tell
        self.progress, self.looking = progress, lambda _, words: progress(0.0, words)
        self.rows = [_row(number, config) for number, config in zip(numbers, configs, strict=True)]
        self.left: list[int] = []

    def compare_with(self, others: Mapping[int, Config]) -> None:
        """Add a row for each of these that was run before; it is never run."""
        for number, config in others.items():
            before = earlier_run(self.workspace, config)
            if before is not None and len(before.history):
                self.rows.append(_row(number, config))
                self._fill(len(self.rows) - 1, before, "run before")

    def look(self) -> None:
        """Which rungs can be run here, which were, and what the others promise."""
        able = [place for place, config in enumerate(self.configs) if self._can_run(place, config)]
        if not able and runs(self.workspace).empty:
            raise InputError(self.rows[0]["note"])
        self.left = [place for place in able if not self._ran_before(place, self.configs[place])]
        if len(self.left) < 2:
            return
        start = sum(self._cost(self.configs[place], 0) for place in self.left)
        compute = start <= LOOK_AHEAD * (self.deadline - time.monotonic())
        try:
            told = promises(self.workspace, [self.configs[place] for place in self.left], compute, self.looking)
        except InputError:  # too few photos to tell: in the order given
            return
        for place, promise in zip(self.left, told, strict=True):
            self.rows[place] |= {
                "expected": promise.accuracy,
                "expected_low": promise.low,
                "expected_high": promise.high,
                "promise": promise,
            }

    def run_next(self) -> None:
        """Run the rung that promises most for its time, or say why it is skipped."""
        epochs = self._plan()
        for place in [place for place in self.left if not epochs[place]]:
            least = self._cost(self.configs[place], 1)
            note = f"one epoch takes about {duration(least)}: more than its share of the budget"
            self.rows[place] |= {"state": "skipped", "note": note}
            self.left.remove(place)
        if not self.left:
            return
        place = max(self.left, key=lambda place: self._worth(place, epochs[place]))  # of equals the first
        self.left.remove(place)
        config, row, note = self.configs[place], self.rows[place], ""
        if epochs[place] < config.epochs:
            note = f"{epochs[place]} of {config.epochs} epochs fit the budget"
            config = replace(config, epochs=epochs[place], schedule="")
        if self._ran_before(place, config, note):
            return
        before = earlier_run(self.workspace, config)
        done = len(self.configs) - len(self.left) - 1
        self.progress(done / len(self.configs), f"rung {row['rung']}")
        row["predicted_seconds"] = self._cost(config, config.epochs)
        finished, gave_up = self._finished(), []

        def on_epoch(run: Run) -> None:
            self._fill(place, run, note)
            row["state"] = "running"
            self.tell(Escalation(self.table(), "", ""))
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
        self._fill(place, run, "; ".join([note, *gave_up] if note else gave_up))
        self.tell(self.summary())

    def run_on_ray(self) -> None:
        """Run all rungs left as trials on a Ray cluster."""
        from cvtune_nb.escalation.ray_cluster import train_trials

        places = sorted(self.left, key=lambda place: -self._worth(place, self.configs[place].epochs))
        self.left = []
        for place in places:
            self.rows[place]["predicted_seconds"] = self._cost(self.configs[place], self.configs[place].epochs)

        def on_epoch(run: Run) -> None:
            for place in places:
                if self.configs[place] == run.config:
                    self._fill(place, run, "")
                    self.rows[place]["state"] = "running"
            self.tell(Escalation(self.table(), "", ""))

        asked = [self.configs[place] for place in places]
        trials = train_trials(self.workspace, asked, on_epoch, self.progress, self.deadline)
        for place, trial in zip(places, trials, strict=True):
            if trial.run is None:
                self.rows[place] |= {"state": "skipped", "note": trial.note or "the budget ended"}
            else:
                self._fill(place, trial.run, trial.note)

    def table(self) -> pd.DataFrame:
        """The rungs as they stand, by number."""
        return pd.DataFrame(self.rows, columns=COLUMNS).sort_values("rung", kind="stable", ignore_index=True)

    def summary(self) -> Escalation:
        """Which rung to stop at, and why."""
        table = self.table()
        ran = table[table["validation_accuracy"].notna()]
        if ran.empty:
            skipped = len(table) and (table["state"] == "skipped").all()
            why = "no rung was run: the note of each says why" if skipped else "no rung has finished an epoch yet"
            return Escalation(table, "", why)
        best = ran.loc[ran["validation_accuracy"].idxmax()]
        interval = f"{best['low']:.1%} to {best['high']:.1%}"
        words = f"rung {best['rung']} is best on validation: {best['validation_accuracy']:.1%} ({interval})"
        right = {run: right_of(load_run(self.workspace, run).predictions()) for run in ran["run"].unique()}
        if len(right) > 1:
            chosen = metrics.best_of(on_same_photos(right))
            words += f"; as the best of {len(right)} it may be expected to get {chosen.expected:.1%} on other photos"
        cheaper = ran[(ran["seconds"] < best["seconds"]) & (ran["rung"] != best["rung"])].sort_values("seconds")
        for _, row in cheaper.iterrows():
            compared = metrics.paired(*aligned(right[row["run"]], right[best["run"]]))
            if compared.verdict is metrics.Verdict.BETTER:
                continue
            factor = best["seconds"] / max(row["seconds"], 1e-9)
            words += f"; rung {row['rung']} took 1/{factor:.1f} of its time: "
            if compared.verdict is metrics.Verdict.PROBABLY_BETTER:
                words += f"rung {best['rung']} is {compared.words}: more validation photos would settle it"
            else:
                words += f"{compared.words}, so stopping at rung {row['rung']} is the better bargain"
            return Escalation(table, best["run"], words)
        if len(cheaper):
            words += "; every cheaper rung is worse beyond noise: worth its time"
        return Escalation(table, best["run"], words)

    # -- one rung ---------------------------------------------------------------------------------------------

    def _can_run(self, place: int, config: Config) -> bool:
        """Whether this machine and these photos allow the config at all; if not, its row says why."""
        try:
            predict_cost(self.workspace, replace(config, epochs=0, schedule=""), self.looking)
        except InputError as error:
            self.rows[place] |= {"state": "skipped", "note": str(error)}
            return False
        return True

    def _ran_before(self, place: int, config: Config, note: str = "") -> bool:
        """Whether a run with these parameters is there already; its row then shows it."""
        before = earlier_run(self.workspace, config)
        if before is None or before.state in (*UNFINISHED, TRAINING):
            return False
        self._fill(place, before, f"{note}; run before with the same parameters".removeprefix("; "))
        return True

    def _fill(self, place: int, run: Run, note: str) -> None:
        row = self.rows[place]
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

    def _best(self) -> float:
        """The highest validation accuracy so far, the baseline's SVM included."""
        ran = [row["validation_accuracy"] for row in self.rows if not pd.isna(row["validation_accuracy"])]
        known = last_baseline(self.workspace)
        return max([*ran, known["validation_accuracy"] if known else 0.0])

    def _worth(self, place: int, epochs: int) -> float:
        """Expected gain for its time; rungs without a promise are equal, so that they run in the order given."""
        promise = self.rows[place].get("promise")
        return promise.better_than(self._best()) / self._cost(self.configs[place], epochs) if promise else 0.0

    def _plan(self) -> dict[int, int]:
        """Epochs for each of the rungs left that together fit into the time left; 0 means it is left out."""
        seconds, start, full = self.deadline - time.monotonic(), {}, {}
        for place in self.left:
            start[place] = self._cost(self.configs[place], 0)
            full[place] = self._cost(self.configs[place], self.configs[place].epochs)
        kept, epochs = set(self.left), {}
        while kept:
            work = sum(full[place] - start[place] for place in kept)
            factor = min(1.0, max(0.0, seconds - sum(start[place] for place in kept)) / max(work, 1e-9))
            epochs = {place: int(self.configs[place].epochs * factor + 1e-6) for place in kept}
            if all(epochs.values()):
                break
            kept.remove(min(kept, key=lambda place: (self._worth(place, self.configs[place].epochs), -full[place])))
        return {place: epochs[place] if place in kept else 0 for place in self.left}


def _row(number: int, config: Config) -> dict:
    known = {"rung": number, "run": "", "state": "waiting", "note": ""}
    return dict.fromkeys(COLUMNS, float("nan")) | known | config.to_dict()
