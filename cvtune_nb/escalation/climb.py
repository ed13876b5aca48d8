"""Climb a ladder within a time budget, rung by rung, on this machine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import Progress, silent
from cvtune_nb.parameters import Config
from cvtune_nb.training import Run, earlier_run, fit, load_run, predict_cost
from cvtune_nb.training.cost import duration
from cvtune_nb.training.run import UNFINISHED
from cvtune_nb.workspace import Workspace

COLUMNS = ["rung", "run", "backbone", "image_size", "batch_size", "learning_rate", "epochs", "predicted_seconds",
           "seconds", "train_accuracy", "validation_accuracy", "low", "high", "state", "note"]  # fmt: skip


@dataclass(frozen=True)
class Escalation:
    """rungs: one row each (columns: COLUMNS; state: waiting, skipped, or the run's). best: id of the run with the
    highest validation accuracy, "" before any. why: which rung to stop at, in words."""

    rungs: pd.DataFrame
    best: str
    why: str


def escalate(
    workspace: Workspace, configs: list[Config], budget_seconds: float = 1800.0,
    on_rung: Callable[[Escalation], None] | None = None, progress: Progress = silent,
    numbers: Sequence[int] = (),
) -> Escalation:  # fmt: skip
    """Train the configs in order within budget_seconds. `numbers` says which rungs of a ladder they are; without it
    they are called 1, 2, ...

    A rung that was run before with the same parameters is not run again; one that was stopped goes on. When the
    rungs left would take longer than the time left, the epochs of each are cut by the same factor, and a rung of
    which not one epoch fits is skipped, the most expensive first; the note says so. So is a rung that can't be run
    here at all: weights that can't be had, an image_size beyond the photos. on_rung is called after every rung and
    every epoch. Stopped, raised in `progress`, ends the climb and keeps the work. Raises InputError when no rung is
    given or can be run.
    """
    if not configs:
        raise InputError("no rung is chosen: choose at least one")
    deadline = time.monotonic() + budget_seconds
    rows = [_row(number, config) for number, config in zip(numbers or range(1, len(configs) + 1), configs, strict=True)]
    tell = on_rung or (lambda _: None)

    try:
        able = [i for i, config in enumerate(configs) if _can_run(workspace, config, rows[i], progress)]
        if not able:
            raise InputError(rows[0]["note"])
        for place, done in enumerate(able):
            config = configs[done]
            progress(done / len(configs), f"rung {rows[done]['rung']}")
            before = earlier_run(workspace, config)
            if _finished(before):
                _fill(rows[done], before, "run before with the same parameters")
                continue
            later = [configs[i] for i in able[place + 1 :]]
            left = [config, *(each for each in later if not _finished(earlier_run(workspace, each)))]
            epochs = _plan(workspace, left, deadline - time.monotonic(), progress)
            if not epochs[0]:
                least = predict_cost(workspace, replace(config, epochs=1, schedule="")).seconds
                note = f"one epoch takes about {duration(least)}: more than its share of the budget"
                rows[done] |= {"state": "skipped", "note": note}
                continue
            fits, note = config, ""
            if epochs[0] < config.epochs:
                fits = replace(config, epochs=epochs[0], schedule="")
                note = f"{epochs[0]} of {config.epochs} epochs fit the budget"
                before = earlier_run(workspace, fits)
                if _finished(before):
                    _fill(rows[done], before, f"{note}; run before with the same parameters")
                    continue
            rows[done]["predicted_seconds"] = predict_cost(workspace, fits).seconds
            run = fit(workspace, fits, before and before.id, on_epoch=lambda run: tell(_so_far(rows, run)),
                      progress=_until(deadline, progress, done, rows))  # fmt: skip
            if run.state == "stopped" and time.monotonic() > deadline:
                note = f"{note}; the budget ended".removeprefix("; ")
            _fill(rows[done], run, note)
            tell(_summary(workspace, rows))
    except Stopped:
        pass
    return _summary(workspace, rows)


def _can_run(workspace: Workspace, config: Config, row: dict, progress: Progress) -> bool:
    """Whether this machine and these photos allow the config at all; if not, `row` says why."""
    try:
        predict_cost(workspace, replace(config, epochs=0, schedule=""), progress)
    except InputError as error:
        row |= {"state": "skipped", "note": str(error)}
    return row["state"] != "skipped"


def _until(deadline: float, progress: Progress, done: int, rows: list[dict]) -> Progress:
    """The progress of one rung as a part of the whole climb; it stops the rung when the budget has ended."""

    def in_time(share: float, words: str) -> None:
        progress((done + share) / len(rows), f"rung {rows[done]['rung']}: {words}")
        if time.monotonic() > deadline:
            raise Stopped

    return in_time


def _row(number: int, config: Config) -> dict:
    shown = {name: value for name, value in config.to_dict().items() if name in COLUMNS}
    return dict.fromkeys(COLUMNS, float("nan")) | {"rung": number, "run": "", "state": "waiting", "note": ""} | shown


def _fill(row: dict, run: Run, note: str) -> None:
    row |= {name: value for name, value in run.config.to_dict().items() if name in COLUMNS}
    row |= {"run": run.id, "state": run.state, "note": "; ".join(filter(None, [*run.changes, note]))}
    row |= {"seconds": run.seconds, "predicted_seconds": run.predicted_seconds}
    if len(run.history):
        row |= {"train_accuracy": run.train.value, "validation_accuracy": run.validation.value,
                "low": run.validation.low, "high": run.validation.high}  # fmt: skip


def _so_far(rows: list[dict], run: Run) -> Escalation:
    shown = [dict(row) for row in rows]
    current = next(row for row in shown if row["state"] == "waiting")
    _fill(current, run, "")
    current["state"] = "running"
    return Escalation(pd.DataFrame(shown, columns=COLUMNS), "", "")


def _finished(run: Run | None) -> bool:
    return run is not None and run.state not in UNFINISHED


def _plan(workspace: Workspace, configs: list[Config], seconds: float, progress: Progress) -> list[int]:
    """Epochs for each of the rungs still to run that together fit into `seconds`; 0 means the rung is left out."""
    start = [predict_cost(workspace, replace(config, epochs=0, schedule=""), progress).seconds for config in configs]
    full = [predict_cost(workspace, config).seconds for config in configs]
    epoch = [(whole - first) / max(1, c.epochs) for whole, first, c in zip(full, start, configs, strict=True)]
    kept = set(range(len(configs)))
    while kept:
        work = sum(full[i] - start[i] for i in kept)
        factor = min(1.0, max(0.0, seconds - sum(start[i] for i in kept)) / max(work, 1e-9))
        epochs = {i: int(configs[i].epochs * factor + 1e-6) for i in kept}
        if all(epochs.values()):
            break
        kept.remove(max(kept, key=lambda i: start[i] + epoch[i]))
    return [epochs[i] if i in kept else 0 for i in range(len(configs))]


def _summary(workspace: Workspace, rows: list[dict]) -> Escalation:
    table = pd.DataFrame(rows, columns=COLUMNS)
    ran = table[table["validation_accuracy"].notna()]
    if ran.empty:
        return Escalation(table, "", "no rung has finished an epoch yet")
    best = ran.loc[ran["validation_accuracy"].idxmax()]
    interval = f"{best['low']:.1%} to {best['high']:.1%}"
    words = f"rung {best['rung']} is best on validation: {best['validation_accuracy']:.1%} ({interval})"
    cheaper = ran[(ran["seconds"] < best["seconds"]) & (ran["rung"] != best["rung"])].sort_values("seconds")
    for _, row in cheaper.iterrows():
        compared = _compare(workspace, row["run"], best["run"])
        if compared.p >= 0.05:
            factor = best["seconds"] / max(row["seconds"], 1e-9)
            words += (f"; rung {row['rung']} took 1/{factor:.1f} of its time and there is {compared.words}: stopping "
                      f"at rung {row['rung']} is the better bargain")  # fmt: skip
            return Escalation(table, best["run"], words)
    if len(cheaper):
        words += "; every cheaper rung is worse beyond noise: worth its time"
    return Escalation(table, best["run"], words)


def _compare(workspace: Workspace, first: str, second: str) -> metrics.Paired:
    both = load_run(workspace, first).predictions().merge(load_run(workspace, second).predictions(), on="path")
    return metrics.paired(both["label_x"] == both["predicted_x"], both["label_y"] == both["predicted_y"])
