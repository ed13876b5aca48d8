"""A sweep round one rung: learning rate, dropout, weight decay and what suits its network, searched by Optuna."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cvtune_nb.classification import Run, earlier_run, fit, load_run, predict_cost, ranked, runs
from cvtune_nb.classification import objective as judged
from cvtune_nb.console import duration
from cvtune_nb.errors import Beaten, InputError, Stopped
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import backbones
from cvtune_nb.objectives import USUAL
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs import lock
from cvtune_nb.runs.store import TRAINING, UNFINISHED
from cvtune_nb.workspace import Workspace, photos_id

SWEPT = ("learning_rate", "dropout", "weight_decay")
"""The parameters that are searched; all others are the rung's."""
OF_RECIPE = ("layer_decay", "drop_path")
"""Those that are searched besides where a value is recommended for the network."""
ADDED = {
    "objective": USUAL,
    "weights": "",
    "framing": "crop",
    "aspect": "1:1",
    "pooling": "last",
    "drop_path": 0.0,
    "layer_decay": 1.0,
    "warm_up": 20,
    "clip_norm": 0.0,
    "ema": 0.0,
    "imbalance": "none",
    "progressive": 0.0,
    "parent": "",
    "loss_weight": 1.0,
    "projection": 0,
    "precision": "auto",
}
"""Parameters that earlier versions did not know, with the values that training had then: the name of a journal is
without these, so that a sweep of such a version goes on."""
RESULTS = (
    "epochs",
    "seconds",
    "validation_accuracy",
    "low",
    "high",
    "objective_value",
    "objective_low",
    "objective_high",
    "state",
    "note",
)
"""Columns of a sweep's table, behind trial, run and the parameters that are searched."""
SHARES = ("accuracy", "balanced-accuracy", "macro-f1")
"""Objectives of which 0 is the worst."""
WIDER = {"learning_rate": 5.0, "weight_decay": 10.0}
"""How many times below and above the rung's own value is searched. Dropout is searched from 0 to MOST_DROPOUT, drop
path from 0, and layer decay from 1, to twice as far from these as the rung's own value or the recommended one."""
MOST_DROPOUT = 0.6
AT_ONCE = 4
"""Trials that a Ray cluster is given at a time: more of them learn less from each other."""
FIRST = 4
"""Trials before any is given up for being below the median of the others at the same epoch, and before Optuna's
tree-structured Parzen estimator takes over from random ones."""


@dataclass(frozen=True)
class Sweep:
    """The trials of a sweep as they stand.

    Attributes
    ----------
    trials : pandas.DataFrame
        One row each: trial, run, the parameters that are searched, and RESULTS.
    best : str
        Id of the run that is best on validation by its objective, "" before any.
    why : str
        What may be expected of it, in words.
    """

    trials: pd.DataFrame
    best: str
    why: str

    @property
    def names(self) -> list[str]:
        """The parameters that are searched."""
        return [name for name in (*SWEPT, *OF_RECIPE) if name in self.trials]

    @property
    def measured(self) -> pd.DataFrame:
        """The trials that have a validation accuracy."""
        return self.trials.dropna(subset=["validation_accuracy"])


def columns_of(names: Sequence[str]) -> list[str]:
    """Those of a table of trials in which these parameters are searched."""
    return ["trial", "run", *names, *RESULTS]


def run_to_search_round(workspace: Workspace) -> Run | None:
    """The best run that was trained for at least an epoch; None before there is one."""
    known = ranked(runs(workspace))
    known = known[known["epochs"] > 0]
    return None if known.empty else load_run(workspace, known["run"].iloc[0])


def sweep(
    workspace: Workspace,
    config: Config,
    trials: int = 8,
    budget_seconds: float = 3600.0,
    on_trial: Callable[[Sweep], None] | None = None,
    progress: Progress = silent,
    on: str = "local",
) -> Sweep:
    """Search round `config`, which is the first trial.

    What was tried is kept in sweeps/ of the workspace as Optuna's journal (JSON lines), so that calling it again goes
    on, after a crash, too: a trial that was cut off is run to its end first. Each trial is a run like any other. One
    that is below the median of the others at the same epoch is given up (Golovin and others 2017, "Google Vizier", as
    Optuna has it). Stopped, raised in `progress`, ends the sweep and keeps the work.

    Parameters
    ----------
    workspace : Workspace
        Where photos and runs are.
    config : Config
        The rung to search round; what counts is the workspace's objective of today.
    trials : int
        How many there are to be in all.
    budget_seconds : float
        Seconds after which no more is begun.
    on_trial : callable, optional
        Called after every epoch.
    progress : Progress
        Called with the fraction done and words.
    on : str
        "local", or "ray", where AT_ONCE trials are asked for at a time and none is given up.

    Raises
    ------
    InputError
        For `trials` below 1.
    lock.Held
        When another program sweeps round the same config, or trains the run of a trial.
    """
    if trials < 1:
        raise InputError(f"{trials} trials are too few: give 1 or more")
    config = replace(config, objective=judged.chosen(workspace))
    deadline, report = time.monotonic() + budget_seconds, on_trial or (lambda _: None)
    journal = journal_of(workspace, config)
    what = f"sweeping round {config.backbone} at {config.image_size} pixels in {workspace.folder}"
    with lock.holding(journal.with_suffix(".lock"), what, "wait for it to end: its trials then cost nothing"):
        return _search(workspace, config, journal, trials, deadline, report, progress, on)


def _search(
    workspace: Workspace,
    config: Config,
    journal: Path,
    trials: int,
    deadline: float,
    report: Callable[[Sweep], None],
    progress: Progress,
    on: str,
) -> Sweep:
    study, ended = _study(journal, config), ""
    try:
        while len(_ended(study)) < trials and on == "ray":
            count = min(AT_ONCE, trials - len(_ended(study)))
            if not _run_on_ray(workspace, study, config, count, deadline, report, progress):
                ended = "the budget ended"
                break
        while len(_ended(study)) < trials and on != "ray":
            trial = study.ask(_space(config))
            own = _config_of(trial, config)
            took = predict_cost(workspace, own).seconds
            if earlier_run(workspace, own) is None and time.monotonic() + took > deadline:
                ended = f"the next trial takes about {duration(took)}, more than is left of the budget"
                break
            _run_trial(workspace, study, trial, own, trials, deadline, report, progress)
    except Stopped:
        pass
    _ask_again(study)
    found = _summary(workspace, study, config)
    return replace(found, why=f"{found.why}; {ended}") if ended else found


def _run_trial(
    workspace: Workspace,
    study: Any,
    trial: Any,
    config: Config,
    trials: int,
    deadline: float,
    report: Callable[[Sweep], None],
    progress: Progress,
) -> None:
    from optuna.trial import TrialState

    done = len(_ended(study))

    def on_epoch(run: Run) -> None:
        trial.set_user_attr("run", run.id)
        trial.report(_merit(run), int(run.history["epoch"].max()))
        report(_summary(workspace, study, config))
        if trial.should_prune():
            raise Beaten

    def in_time(share: float, words: str) -> None:
        progress((done + share) / trials, f"trial {done + 1} of {trials}: {words}")
        if time.monotonic() > deadline:
            raise Stopped

    before = earlier_run(workspace, config)
    run = fit(workspace, config, before and before.id, on_epoch=on_epoch, progress=in_time)
    trial.set_user_attr("run", run.id)
    if run.state == "stopped":
        raise Stopped
    if run.state == "beaten":
        trial.set_user_attr("note", "given up: below the median of the others at the same epoch")
        study.tell(trial, state=TrialState.PRUNED)
    elif run.state == "diverged":
        trial.set_user_attr("note", "its loss was lost")
        study.tell(trial, _worst(config))  # so that the search keeps away from there
    else:
        study.tell(trial, _merit(run))
    report(_summary(workspace, study, config))


def _run_on_ray(
    workspace: Workspace,
    study: Any,
    config: Config,
    count: int,
    deadline: float,
    report: Callable[[Sweep], None],
    progress: Progress,
) -> bool:
    """Run `count` trials at once; False when the deadline has cut one of them off."""
    from cvtune_nb.escalation.ray_cluster import train_trials

    asked = [study.ask(_space(config)) for _ in range(count)]
    done = train_trials(workspace, [_config_of(trial, config) for trial in asked], None, progress, deadline)
    whole = True
    for trial, result in zip(asked, done, strict=True):
        if result.run is None or result.run.state in (*UNFINISHED, TRAINING):
            if result.note:
                raise InputError(result.note)
            whole = False
            continue
        trial.set_user_attr("run", result.run.id)
        study.tell(trial, _worst(config) if result.run.state == "diverged" else _merit(result.run))
    report(_summary(workspace, study, config))
    return whole


def _merit(run: Run) -> float:
    """What is maximised: the best epoch so far by the run's own objective, so that larger is better."""
    return run.objective.merit(run.best("objective"))


def _worst(config: Config) -> float:
    """What a lost run is told to have reached: none right; of costs and losses, more than any run has."""
    return 0.0 if config.objective in SHARES or config.objective.startswith("recall:") else -1e6


def _config_of(trial: Any, config: Config) -> Config:
    return replace(config, **_rounded(trial.params), **({"schedule": ""} if config.schedule else {}))


def journal_of(workspace: Workspace, config: Config) -> Path:
    """The journal of the search round this config on today's photos."""
    values = config.to_dict().items()
    fixed = {name: value for name, value in values if name not in SWEPT and value != ADDED.get(name)}
    fixed["centre"] = {name: value for name, value in centre(config).items() if name in SWEPT}
    text = json.dumps([fixed, photos_id(workspace.photos())], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = f"{backbones.file_name(config.backbone)}-{config.image_size}-{digest}"
    folder = workspace.folder / "sweeps"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.jsonl"


def _study(journal: Path, config: Config) -> Any:
    """Optuna's study of this journal; trials that a crash cut off are asked for again."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal), JournalFileOpenLock(str(journal))))
    study = optuna.create_study(
        storage=storage,
        study_name=journal.stem,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=config.seed, n_startup_trials=FIRST),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST, n_warmup_steps=config.epochs // 2),
    )
    if not study.trials:
        study.enqueue_trial(centre(config))
    _ask_again(study)
    return study


def _ask_again(study: Any) -> None:
    """Trials that were cut off come first when the search goes on; their runs go on from their last whole epoch."""
    from optuna.trial import TrialState

    for cut in [trial for trial in study.trials if trial.state == TrialState.RUNNING]:
        study.enqueue_trial(cut.params)
        study.tell(cut.number, state=TrialState.FAIL)


def swept(config: Config) -> tuple[str, ...]:
    """The parameters that are searched round `config`."""
    advised = backbones.recipe(config.backbone)
    return (*SWEPT, *(name for name in OF_RECIPE if name in advised))


def ranges(config: Config) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of each parameter that is searched round `config`."""
    own, advised = centre(config), backbones.recipe(config.backbone)
    found = {"dropout": (0.0, max(MOST_DROPOUT, own["dropout"]))}
    for name, times in WIDER.items():
        found[name] = max(PARAMETERS[name].low, own[name] / times), min(PARAMETERS[name].high, own[name] * times)
    if "drop_path" in own:
        found["drop_path"] = 0.0, min(PARAMETERS["drop_path"].high, 2 * max(own["drop_path"], advised["drop_path"]))
    if "layer_decay" in own:
        least = min(own["layer_decay"], advised["layer_decay"])
        found["layer_decay"] = max(PARAMETERS["layer_decay"].low, round(2 * least - 1, 2)), 1.0
    return found


def _space(config: Config) -> dict[str, Any]:
    from optuna.distributions import FloatDistribution

    steps = {"dropout": {"step": 0.05}, **{name: {"log": True} for name in WIDER}}
    return {name: FloatDistribution(low, high, **steps.get(name, {})) for name, (low, high) in ranges(config).items()}


def centre(config: Config) -> dict[str, float]:
    """The values that are searched round."""
    return _rounded({name: getattr(config, name) for name in swept(config)})


def _rounded(values: dict[str, float]) -> dict[str, float]:
    """Two digits are enough, and the same config is the same run."""

    def rounded(name: str, value: float) -> float:
        if name == "dropout":
            return round(value / 0.05) * 0.05
        return round(value, 2) if name in OF_RECIPE else float(f"{value:.2g}")

    return {name: rounded(name, value) for name, value in values.items()}


def _ended(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _summary(workspace: Workspace, study: Any, config: Config) -> Sweep:
    rows, names = [], swept(config)
    columns = columns_of(names)
    for trial in study.trials:
        if trial.state.name in ("WAITING", "FAIL"):  # FAIL: cut off, and asked for again
            continue
        row = dict.fromkeys(columns, float("nan")) | {"trial": trial.number + 1, "run": "", **_rounded(trial.params)}
        row |= {"state": trial.state.name.lower(), "note": trial.user_attrs.get("note", "")}
        if "run" in trial.user_attrs:
            run = load_run(workspace, trial.user_attrs["run"])
            row |= {
                **{name: getattr(run.config, name) for name in names},
                "run": run.id,
                "epochs": run.history["epoch"].max(),
                "seconds": run.seconds,
                "validation_accuracy": run.validation.value,
                "low": run.validation.low,
                "high": run.validation.high,
            }
            if score := run.score(run.objective):
                row |= {
                    "objective_value": score.value,
                    "objective_low": score.low,
                    "objective_high": score.high,
                }
        rows.append(row)
    table = pd.DataFrame(rows, columns=columns)
    ran = table[table["validation_accuracy"].notna()].drop_duplicates("run", keep="last")
    if ran.empty:
        return Sweep(table, "", "no trial has finished an epoch yet")
    loaded = [load_run(workspace, name) for name in ran["run"]]
    objective = loaded[0].objective
    answers = {run.id: each for run in loaded if (each := run.answers(objective))}
    chosen = judged.best_of(objective, answers)
    best = ran.set_index("run").loc[chosen.run]
    values = ", ".join(f"{name.replace('_', ' ')} {best[name]:g}" for name in names)
    words = f"trial {best['trial']:.0f} is best: {values}; {chosen.words}"
    first = ran["run"].iloc[0]
    if chosen.run != first:
        compared = judged.compare(objective, answers[first], answers[chosen.run])
        words += f"; against the rung's own values: {compared.words}"
    return Sweep(table, chosen.run, words)
