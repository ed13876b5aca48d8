"""Training on a cluster: many configs as trials of Ray Tune, or one run as a job of Ray Train over several workers.

All machines of the cluster share the disk of the workspace. What a worker has learned is in the workspace after every
epoch, and that alone is what another goes on from when it is lost. Driver and workers talk through a folder in the
workspace's cache: work goes on as long as its file `go` is there, and <number>.json says which run a trial became.
"""

import contextlib
import logging
import math
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cvtune_nb.classification import Run, earlier_run, fit, load_run
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.split import require_learnable
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.parameters import Config
from cvtune_nb.runs import distributed, lock
from cvtune_nb.runs.store import TRAINING, UNFINISHED, require_idle
from cvtune_nb.workspace import Workspace

RETRIES = 3
"""How often the workers of a trial may be lost before it is given up."""
LOST = 120.0
"""Seconds for which a worker tries the lock of a run that its job has begun: a host that was lost may seem to hold it
until the shared disk notices (runs.lock)."""
POLL = 0.2
"""Seconds between two looks at what the workers have written."""


@dataclass(frozen=True)
class Trial:
    """What became of a config: its run, None where it has none; note says what is wrong with it, "" if nothing."""

    config: Config
    run: Run | None
    note: str = ""


def train_trials(
    workspace: Workspace,
    configs: list[Config],
    on_epoch: Callable[[Run], None] | None = None,
    progress: Progress = silent,
    deadline: float = math.inf,
    cpus: int | None = None,
) -> list[Trial]:
    """Train each config as one trial of Ray Tune.

    Runs on the cluster Ray is connected to, else on that of RAY_ADDRESS or one that runs here, else on this machine
    alone. A config that was run before is not run again, one that was stopped goes on, and equal ones are one trial.
    Each trial gets a GPU where the cluster has any. A lost worker costs the epoch it was in. When on_epoch or progress
    raises Stopped, on Ctrl-C and when time.monotonic() passes `deadline`, all trials end within a minibatch and keep
    their whole epochs; then, except for the deadline, Stopped is raised. What is wrong with one config is in its note
    and doesn't disturb the others.

    Parameters
    ----------
    workspace : Workspace
        On a disk that all machines share.
    configs : list of Config
        What to train.
    on_epoch : callable, optional
        Called here with the Run after every epoch.
    progress : Progress
        Called all the time with the fraction done and words.
    deadline : float
        In seconds of time.monotonic().
    cpus : int, optional
        Cores of each trial; by default as many as let the most trials run at once: those of the smallest node divided
        by the trials that come to a node (of the smallest node with a GPU, by its GPUs), at least 1.

    Returns
    -------
    list of Trial
        One for each config, in their order.

    Raises
    ------
    InputError
        Without Ray, when no cluster answers at RAY_ADDRESS, and for more cpus than a node has.
    """
    different = list(dict.fromkeys(configs))
    trials = [Trial(config, earlier_run(workspace, config)) for config in different]
    waiting = [number for number, trial in enumerate(trials) if not is_over(trial.run)]
    if waiting:
        with connected(), channel(workspace) as folder:
            resources = _resources(len(waiting), cpus)
            job = _job(workspace, folder, different, resources)
            lost = follow_workers(
                lambda: _tune(job, waiting, resources), workspace, folder, trials, on_epoch, progress, deadline
            )
        for number, words in lost.items():
            trials[number] = Trial(trials[number].config, trials[number].run, trials[number].note or words)
    return [trials[different.index(config)] for config in configs]


def train_over_workers(
    workspace: Workspace,
    config: Config,
    workers: int,
    progress: Progress = silent,
    on_epoch: Callable[[Run], None] | None = None,
    run: str | None = None,
) -> Run:
    """Train one run as a job of Ray Train: processes that share every minibatch (runs.distributed).

    It goes on with the unfinished run called `run`, else with an earlier one of this config; one that is done is not
    run again. Where it runs, on_epoch and lost workers: as in train_trials, except that all workers start anew from the
    last whole epoch when one is lost. Stopped, raised in `progress`, and Ctrl-C end it at the next minibatch; the Run
    is returned with what whole epochs have learned (before there is a run to keep, Stopped passes through).

    Parameters
    ----------
    workspace : Workspace
        On a disk that all machines share.
    config : Config
        What to train.
    workers : int
        Processes, each with a GPU where the cluster has any.
    progress : Progress
        Called with the fraction done and words.
    on_epoch : callable, optional
        Called here with the Run after every epoch.
    run : str, optional
        Id of an unfinished run.

    Raises
    ------
    InputError
        As train_trials, and when the cluster has no room for that many workers.
    """
    before = load_run(workspace, run) if run else earlier_run(workspace, config)
    if before:
        if is_over(before):
            return before
        require_idle(before)
    photos = workspace.photos()  # what is wrong with them is said before workers start, which takes minutes
    require_learnable(photos)
    FeatureSpec.of(config).require_usable(photos)
    trials = [Trial(config, before)]
    with connected(), channel(workspace) as folder:
        resources = _resources(workers, None)
        _refuse_beyond(workers, resources)
        if before:
            _say(folder, 0, run=before.id)
        job = _job(workspace, folder, [config], resources)
        try:
            follow_workers(lambda: _train(job, workers, resources), workspace, folder, trials, on_epoch, progress)
        except Stopped:
            if not trials[0].run:
                raise
    (trial,) = trials
    if trial.note or not trial.run:
        raise InputError(trial.note or "the workers ended before there was a run to keep")
    return trial.run


# -- the cluster --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Within it Ray is connected, quietly; afterwards as it was before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # Tune's newer output prints a table when told to be silent, too
    try:
        import ray
        import ray.train.torch
        import ray.tune
    except ImportError:
        raise InputError("training on a cluster needs Ray: pip install 'cvtune-nb[cluster]'") from None
    with contextlib.ExitStack() as after:
        after.enter_context(contextlib.redirect_stdout(sys.stderr))  # for what Ray prints: stdout may be our JSON
        if not ray.is_initialized():
            _connect()
            after.callback(ray.shutdown)
        yield


def _connect() -> None:
    import ray

    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    except ConnectionError:
        raise InputError(
            f"no Ray cluster answers at {os.environ.get('RAY_ADDRESS', 'its address')}: start it with `ray start "
            "--head`, or unset RAY_ADDRESS to use this machine alone"
        ) from None
    if callable(on_terminate) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_terminate)  # Ray's own would end us before the result is printed


def _resources(trials: int, cpus: int | None) -> dict[str, float]:
    """What one of so many trials gets: {"CPU", "GPU"}."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        raise InputError("no node of the Ray cluster has a core to train on: add one with `ray start --address`")
    with_gpu = [node for node in nodes if node.get("GPU", 0) >= 1]
    cores = int(min(node["CPU"] for node in with_gpu or nodes))
    if cpus and cpus > cores:
        raise InputError(f"{cpus} cpus a trial are more than a node of the Ray cluster has: choose at most {cores}")
    at_once = max(node["GPU"] for node in with_gpu) if with_gpu else math.ceil(trials / len(nodes))
    return {"CPU": cpus or max(1, int(cores // at_once)), "GPU": 1 if with_gpu else 0}


def _refuse_beyond(workers: int, resources: dict[str, float]) -> None:
    """Raises InputError when the cluster has no room for that many workers: Ray would wait for it for ever."""
    import ray

    rooms = [
        min(node["Resources"].get(kind, 0) // need for kind, need in resources.items() if need)
        for node in ray.nodes()
        if node["Alive"]
    ]
    if not 1 <= workers <= sum(rooms):
        raise InputError(f"the Ray cluster has room for 1 to {int(sum(rooms))} workers, not {workers}: choose as many")


@contextlib.contextmanager
def channel(workspace: Workspace) -> Iterator[Path]:
    """The folder through which driver and workers talk; Ray's own files are in it, too. Gone afterwards."""
    folder = workspace.cache / "ray" / uuid.uuid4().hex[:8]
    folder.mkdir(parents=True)
    (folder / "go").touch()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(folder: Path, number: int, run: str = "", note: str = "") -> None:
    write_json(folder / f"{number}.json", {"run": run, "note": note})


def _said(folder: Path, number: int) -> dict[str, str]:
    with contextlib.suppress(FileNotFoundError):
        return read_json(folder / f"{number}.json")
    return {"run": "", "note": ""}


def is_over(run: Run | None) -> bool:
    """Whether a run is there, and nothing is left to be trained or resumed."""
    return run is not None and run.state not in (*UNFINISHED, TRAINING)


# -- the driver ---------------------------------------------------------------------------------------------


def _job(workspace: Workspace, folder: Path, configs: list[Config], resources: dict[str, float]) -> dict[str, Any]:
    """What a worker needs to know, in plain values."""
    return {
        "workspace": str(workspace.folder),
        "folder": str(folder),
        "threads": int(resources["CPU"]),
        "configs": [config.to_dict() for config in configs],
        "number": 0,
    }


def _tune(job: dict[str, Any], numbers: list[int], resources: dict[str, float]) -> dict[int, str]:
    """Run these trials to their ends. Returns what was wrong with those that were given up, by number."""
    from ray import tune

    results = tune.Tuner(
        tune.with_resources(run_trial, {kind.lower(): need for kind, need in resources.items()}),
        param_space={**job, "number": tune.grid_search(numbers)},
        run_config=tune.RunConfig(
            storage_path=job["folder"], verbose=0, failure_config=tune.FailureConfig(max_failures=RETRIES)
        ),
    ).fit()
    return {
        result.config["number"]: f"given up after {RETRIES} retries: {str(result.error).strip().splitlines()[-1]}"
        for result in results
        if result.error and result.config
    }


def _train(job: dict[str, Any], workers: int, resources: dict[str, float]) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    TorchTrainer(
        run_member,
        train_loop_config=job,
        torch_config=TorchConfig(timeout_s=int(distributed.TIMEOUT.total_seconds())),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=resources["GPU"] > 0, resources_per_worker=resources),
        run_config=RunConfig(storage_path=job["folder"], failure_config=FailureConfig(max_failures=RETRIES)),
    ).fit()


def follow_workers(
    work: Callable[[], Any],
    workspace: Workspace,
    folder: Path,
    trials: list[Trial],
    on_epoch: Callable[[Run], None] | None,
    progress: Progress,
    deadline: float = math.inf,
) -> Any:
    """Do `work` in a thread of its own, so that Stop and Ctrl-C arrive in this one, and keep `trials` up to date.

    Parameters
    ----------
    work
        What starts the workers and waits for them.
    workspace, folder
        Where the runs are, and where the workers report.
    trials
        Changed in place as workers report.
    on_epoch
        Called with a run after each of its epochs; None: nothing is.
    progress
        Called all the time; may raise Stopped.
    deadline
        time.monotonic() from which on the workers are stopped.

    Returns
    -------
    Any
        What `work` returns.

    Raises
    ------
    Stopped
        Once all workers have ended.
    """
    done, stopped = Future(), False

    def in_thread() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            done.set_exception(error)

    threading.Thread(target=in_thread, daemon=True).start()
    while True:
        try:
            ended = bool(wait([done], POLL).done)
            _read(workspace, folder, trials, on_epoch or (lambda _: None))
            if not stopped:
                progress(*_so_far(trials))
            if ended:
                break
        except (Stopped, KeyboardInterrupt):
            if stopped:  # the second Ctrl-C: at once
                raise
            stopped = True
        if stopped or time.monotonic() > deadline:
            (folder / "go").unlink(missing_ok=True)
    result = done.result()
    if stopped:
        raise Stopped
    return result


def _read(workspace: Workspace, folder: Path, trials: list[Trial], on_epoch: Callable[[Run], None]) -> None:
    """Bring `trials` up to date with what the workers have kept."""
    for number, trial in enumerate(trials):
        said = _said(folder, number)
        if said["note"]:
            trials[number] = Trial(trial.config, trial.run, said["note"])
        elif said["run"]:
            run = load_run(workspace, said["run"])
            trials[number] = Trial(trial.config, run)
            if _epochs(run) > _epochs(trial.run):
                on_epoch(run)


def _epochs(run: Run | None) -> int:
    """Rows of its history: the start from the SVM counts."""
    return len(run.history) if run else 0


def _so_far(trials: list[Trial]) -> tuple[float, str]:
    """The fraction of epochs done, and how far that is in words."""
    over = [bool(trial.note) or is_over(trial.run) for trial in trials]
    epochs = [int(trial.run.history["epoch"].max()) if trial.run and _epochs(trial.run) else 0 for trial in trials]
    fractions = [
        1.0 if ended else epoch / max(1, trial.config.epochs)
        for ended, epoch, trial in zip(over, epochs, trials, strict=True)
    ]
    of_all = f"{sum(over)} of {len(trials)} trials, " if len(trials) > 1 else ""
    return sum(fractions) / len(trials), f"{of_all}{sum(epochs)} epochs"


# -- the workers --------------------------------------------------------------------------------------------


def run_trial(job: dict[str, Any]) -> None:
    """One trial, in a worker. Bad input is written down, not raised: Tune would try again."""
    from ray import tune

    folder, number = Path(job["folder"]), job["number"]
    go_on = _while_there(folder / "go")

    def keep(run: Run) -> None:
        _say(folder, number, run.id)
        tune.report({"run": run.id, **run.history[["epoch", "validation_accuracy"]].iloc[-1].to_dict()})

    note = ""
    try:
        go_on(0.0, "")
        _fit(job, keep, go_on)
    except InputError as error:
        note = str(error)
        _say(folder, number, _said(folder, number)["run"], note)
    except Stopped:
        note = "stopped before there was a run to keep"
    tune.report({"note": note})  # at least one report: of a trial without any Tune prints that it is done


def run_member(job: dict[str, Any]) -> None:
    """One of the processes of a run over several workers."""
    folder = Path(job["folder"])
    over = not (folder / "go").exists() or bool(_said(folder, 0)["note"])
    if sum(distributed.all_reduce_values(over)):  # whichever of them saw it
        return
    try:
        _fit(job, lambda run: _say(folder, 0, run.id), _while_there(folder / "go"))
    except InputError as error:
        if distributed.rank() == 0:
            _say(folder, 0, _said(folder, 0)["run"], str(error))
        raise  # ends the others, which wait for this one; started anew, all find the note


def _while_there(file: Path) -> Progress:
    """A Progress that raises Stopped once `file` is gone."""

    def progress(share: float, words: str) -> None:  # noqa: ARG001
        if not file.exists():
            raise Stopped

    return progress


def _fit(job: dict[str, Any], keep: Callable[[Run], None], progress: Progress) -> None:
    """Train the job's run from where it is.

    A run that this job has begun is known by its name, for its parameters may have changed on the way (memory).
    """
    torch.set_num_threads(job["threads"])
    workspace, config = Workspace(Path(job["workspace"])), Config.from_values(**job["configs"][job["number"]])
    name, patience = None, lock.PATIENCE
    if distributed.rank() == 0:  # the others hear it from the first
        before, begun = earlier_run(workspace, config), _said(Path(job["folder"]), job["number"])["run"]
        name, patience = begun or (before and before.id), LOST if begun else lock.PATIENCE
    run = fit(workspace, config, name, keep, progress, patience)
    if distributed.rank() == 0:
        _say(Path(job["folder"]), job["number"], run.id)
