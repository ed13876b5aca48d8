"""From photos to a classifier: sample, audit, baseline, train, escalate, run."""

import argparse
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import DONE, STOPPED, Result, command
from cvtune_nb.commands.common import (
    NO_EPOCH,
    found_again,
    names_in,
    open_workspace_of,
    parameters_given,
    say_weights,
    trained,
)
from cvtune_nb.commands.flags import NETWORK, argument, flag, parameters
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import NONE
from cvtune_nb.objectives import FORMS, USUAL
from cvtune_nb.parameters import LADDER_PARAMETERS, PARAMETERS, differing

if TYPE_CHECKING:
    from cvtune_nb.classification.baseline import Baseline
    from cvtune_nb.classification.cross_validation import CrossValidated
    from cvtune_nb.classification.features import FeatureSpec
    from cvtune_nb.classification.folds import FoldRuns
    from cvtune_nb.classification.run import Run
    from cvtune_nb.workspace import Workspace

FIRST_RUNGS = 4
"""Rungs that are climbed when none are named: those of 2018."""


@command(
    argument("directory", metavar="DIR", help="a new folder"),
    argument("--images-per-class", type=int, default=120, metavar="N", help="photos a class (120)"),
    argument(
        "--kind",
        choices=("photos", "digits", "scenes"),
        default="photos",
        help="photos: rendered; digits: scikit-learn's 1,797 handwritten ones; scenes: N rendered photos of many small "
        "objects, with their boxes",
    ),
    *parameters(["seed"]),
)
def sample(arguments: argparse.Namespace, meter: Meter) -> Result:
    """make sample photos: a first data set, with mistakes planted for the audit to find"""
    from cvtune_nb.data import make_sample

    seed = PARAMETERS["seed"].check(arguments.seed or 0)
    made = make_sample(Path(arguments.directory), arguments.images_per_class, seed, arguments.kind, meter)
    values = {
        "directory": made.directory,
        "classes": made.classes,
        "images": made.images,
        "planted": made.planted,
    }
    return Result(values, f"{made.images} photos in {len(made.classes)} classes: {made.directory}")


@command(*flags.PHOTOS, *flags.LAYOUT, *parameters(NETWORK))
def audit(arguments: argparse.Namespace, meter: Meter) -> Result:
    """find wrong labels, duplicates, leaks and bad photos"""
    from cvtune_nb.audit import audit as look

    values = parameters_given(arguments, NETWORK)
    workspace = open_workspace_of(arguments, meter, meter)
    found = look(workspace, _features(None, values, meter), meter)
    issues = found.issues.to_dict("records")
    text = table(issues, ["issue", "score", "path", "suggestion"]) if issues else "nothing to report"
    text += f"\n\n{gain}" if (gain := found.summary["forecast"]) else ""
    report = workspace.audit / "report.html"
    text += f"\n\n{len(issues)} issues, {found.seconds:.0f} s; a page to mail: {report}; the tables lie beside it"
    return Result({"issues": issues, "summary": found.summary, "report": str(report), "seconds": found.seconds}, text)


@command(
    argument(
        "objective", nargs="?", default="", metavar="OBJECTIVE", help=f"{FORMS}; without it: which one counts now"
    ),
    *flags.PHOTOS,
    *flags.LAYOUT,
)
def objective(arguments: argparse.Namespace, meter: Meter) -> Result:
    """say what counts: everything is chosen by it from now on, and the runs so far are ranked by it"""
    from cvtune_nb.classification import runs
    from cvtune_nb.classification.baseline import baseline_score
    from cvtune_nb.classification.objective import objective_in
    from cvtune_nb.classification.run import Run, untold

    workspace = open_workspace_of(arguments, meter, meter)
    now = objective_in(workspace)
    svm, known = baseline_score(workspace, now), runs(workspace)
    known = Run.ranked(known)
    shown = known[["run", "objective_value", "objective_low", "objective_high"]].to_dict("records")
    values = {"objective": now.text, "label": now.label, "baseline": svm and svm.to_dict(), "runs": shown}
    text = f"objective: {now.label} ({now.text}): {now.MEANING}"
    text += f"\nthe SVM on the frozen network: {svm}" if svm else ""
    text += f"\n\n{table(shown, list(shown[0]))}" if shown else ""
    words = untold(known)
    return Result(values, text + (f"\n{words}" if words else ""))


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    *parameters([*NETWORK, "imbalance"]),
    argument("--C", type=float, metavar="X", help="how closely the SVM fits the training set (chosen on validation)"),
    argument("--kernel", choices=("linear", "rbf"), default="linear", help="kernel of the SVM (linear)"),
    argument(
        "--folds",
        type=int,
        metavar="K",
        help="cross-validate too: every training and validation photo is judged by an SVM that has not seen its fold, "
        "for one figure over all of them; 5 suits sets of fewer than 1,000 photos",
    ),
    flags.OBJECTIVE,
    flags.OPEN_TEST,
)
def baseline(arguments: argparse.Namespace, meter: Meter) -> Result:
    """fit an SVM on a frozen network: a first accuracy in seconds"""
    from cvtune_nb.classification.baseline import baseline as fit_baseline
    from cvtune_nb.classification.cross_validation import FEW_PHOTOS, FOLDS, counts
    from cvtune_nb.classification.remedies import chosen_remedy

    values = parameters_given(arguments, (*NETWORK, "imbalance"))
    workspace = open_workspace_of(arguments, meter, meter)
    imbalance = values.pop("imbalance", None) or chosen_remedy(workspace)
    found = fit_baseline(
        workspace,
        _features(workspace, values, meter),
        C=arguments.C,
        kernel=arguments.kernel,
        open_test=arguments.open_test,
        progress=meter,
        imbalance=imbalance,
    )
    remedy = "" if imbalance == NONE else f", imbalance: {imbalance}"
    text = (
        f"{found.spec}, frozen, and a {found.kernel} SVM (C = {found.C:g}){remedy}\n"
        f"train {found.train}\nvalidation {found.validation}\n"
        + (f"objective, {found.score.label}: {found.score}\n" if found.objective != USUAL else "")
        + (f"answered as costs least (the table below): {found.answered} right\n" if found.answered else "")
        + (f"test {found.test}\n" if found.test else "")
        + (f"{found.note}\n" if found.note else "")
    )
    text += f"\n{table(found.per_class.to_dict('records'), list(found.per_class))}\n\n{found.seconds:.1f} s"
    text += ", features from the cache" if found.cached else ""
    folds = _cross_validated(workspace, found, arguments, meter)
    values = found.to_dict() | ({"cross_validated": folds.to_dict()} if folds else {})
    used, validation, what = counts(workspace.photos())
    advice = f"judge all {used} training and validation {what}, not only {validation}: --folds {FOLDS}"
    return Result(values, f"{text}\n{folds.words if folds else advice if used < FEW_PHOTOS else ''}".rstrip())


def _cross_validated(
    workspace: "Workspace", found: "Baseline", arguments: argparse.Namespace, meter: Meter
) -> "CrossValidated | None":
    """What cross-validation says of the baseline, where it is asked for; kept."""
    from cvtune_nb.classification.baseline import SvmExplorer
    from cvtune_nb.classification.cross_validation import cross_validate, expected_seconds

    if not arguments.folds:
        return None
    seconds = expected_seconds(workspace.photos(), arguments.folds, arguments.C is not None)
    meter(0.0, f"cross-validating, about {duration(seconds)}")
    explorer = SvmExplorer(workspace, found.spec, meter, imbalance=found.imbalance)
    folds = cross_validate(explorer, arguments.folds, arguments.kernel, arguments.C, meter)
    folds.save(workspace)
    return folds


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    *parameters(PARAMETERS),
    flags.RESUME,
    flags.WAIT,
    argument("--ray-workers", type=int, metavar="N", help="train on N workers of a Ray cluster"),
    argument(
        "--folds",
        type=int,
        metavar="K",
        help="cross-validate too: train a run for each of K folds, for one figure over all training and validation "
        "photos; 5 suits sets of fewer than 1,000 photos",
    ),
)
def train(arguments: argparse.Namespace, meter: Meter) -> Result:
    """fine-tune one network; the same command again resumes a run that was stopped"""
    from cvtune_nb import classification
    from cvtune_nb.classification.features import FeatureSpec
    from cvtune_nb.classification.parent import named_parent
    from cvtune_nb.models.recipes import in_words, of_network
    from cvtune_nb.pipeline import run_values
    from cvtune_nb.runs import distributed
    from cvtune_nb.runs.cost import past_errors, past_in_words

    values = parameters_given(arguments, tuple(PARAMETERS))
    if arguments.folds and arguments.ray_workers:
        raise InputError("--folds trains on this machine: leave out --ray-workers, or cross-validate without it")
    if arguments.resume and values:
        raise InputError(f"--resume keeps the run's own parameters: leave out {flag(next(iter(values)))}")
    with distributed.process_group():
        with distributed.rank_zero_first():
            workspace = open_workspace_of(arguments, meter, meter)
            load = partial(classification.load_run, workspace)
            resumed = load(arguments.resume) if arguments.resume else None
            config = resumed.config if resumed else named_parent(workspace, config_of(workspace, values, meter))
        find = partial(load, resumed.id) if resumed else partial(classification.earlier_run, workspace, config)

        def go_on(earlier: classification.Run | None) -> classification.Run:
            with distributed.rank_zero_first():
                if earlier:
                    meter.say(found_again(earlier))
                cost = classification.predict_cost(workspace, config, meter)
                past = past_in_words(past_errors(classification.runs(workspace)))
                words = [f"{FeatureSpec.of(config)}, {in_words(of_network(config))}", cost.words, past]
                meter.say("; ".join(filter(None, words)))
            if arguments.ray_workers:
                from cvtune_nb.escalation.ray_cluster import train_over_workers

                return train_over_workers(workspace, config, arguments.ray_workers, meter, run=earlier and earlier.id)
            return classification.fit(workspace, config, run=earlier and earlier.id, progress=meter)

        alone = distributed.world_size() == 1  # of several the first one's run counts, and it alone may find it locked
        run = trained(find, load, go_on, arguments.wait, meter) if alone else go_on(find())
        folds = _trained_folds(workspace, run, arguments.folds, meter) if arguments.folds else None
    text = f"run {run.id}: {run.state}\n\n{table(run.history.to_dict('records'), list(run.history))}\n\n" + (
        f"best epoch {run.best_epoch}: train {run.train}, validation {run.validation}" if len(run.history) else NO_EPOCH
    )
    if run.config.objective != USUAL and (score := run.score(run.objective)):
        text += f"\nobjective, {score.label}: {score}"
    found = run_values(run, workspace)
    text += "".join(f"\n- {finding['title']}: {finding['evidence']}" for finding in found["findings"])
    if folds:
        found, text = {**found, "cross_validated": folds.to_dict()}, f"{text}\n{folds.words}"
    ended = run.state != "stopped" and (folds is None or folds.accuracy is not None)
    return Result(found, text, DONE if ended else STOPPED)


def _trained_folds(workspace: "Workspace", run: "Run", folds: int, meter: Meter) -> "FoldRuns | None":
    """The same training in each of some folds; None where the run itself was not done."""
    from cvtune_nb.classification.folds import expected_seconds, fit_folds
    from cvtune_nb.runs import distributed

    if run.state != "done":
        return None
    with distributed.rank_zero_first():
        meter.say(f"{folds} folds: about {duration(expected_seconds(workspace, run.config, folds))}")
    return fit_folds(workspace, run.config, folds, progress=meter)


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    *parameters(NETWORK),
    argument(
        "--rungs", metavar="1,2", help="which rungs of the ladder (the first four), or a CSV file of your own rungs"
    ),
    argument("--budget", default="30m", metavar="TIME", help="such as 90s, 20m or 1.5h (30m)"),
    argument("--on", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster (local)"),
    *parameters(LADDER_PARAMETERS, LADDER_PARAMETERS),
    argument("--sweep", type=int, metavar="N", help="then N trials around the best rung, in the time left"),
)
def escalate(arguments: argparse.Namespace, meter: Meter) -> Result:
    """climb the ladder of parameters, rung by rung, within a time budget"""
    seconds = budget_seconds(arguments.budget)
    values = parameters_given(arguments, NETWORK)
    stop = parameters_given(arguments, tuple(LADDER_PARAMETERS), LADDER_PARAMETERS)
    if arguments.sweep is not None and arguments.sweep < 1:
        raise InputError(f"--sweep is {arguments.sweep}: give the number of trials, 1 or more")

    from cvtune_nb.advice import what_helps
    from cvtune_nb.classification import load_run
    from cvtune_nb.classification.features import FeatureSpec
    from cvtune_nb.classification.objective import chosen
    from cvtune_nb.escalation import escalate as climb
    from cvtune_nb.escalation import sweep
    from cvtune_nb.pipeline import escalation_values

    workspace, end = open_workspace_of(arguments, meter, meter), time.monotonic() + seconds
    rungs = _rungs(arguments.rungs, workspace, values)
    if values.get("weights"):
        say_weights(FeatureSpec.of(next(iter(rungs.values()))), meter)
    result = climb(workspace, list(rungs.values()), seconds, None, meter, list(rungs), arguments.on, **stop)
    found = escalation_values(result)
    shown = [
        "rung",
        *differing(result.rungs, always=("backbone", "image_size", "epochs")),
        "predicted_seconds",
        "seconds",
        "expected",
        "validation_accuracy",
        *(["objective_value"] if chosen(workspace) != USUAL else []),
        "state",
        "note",
    ]
    text = f"{table(found['rungs'], shown)}\n\nbest: {found['best'] or 'none'}; {found['why']}"
    best = load_run(workspace, result.best) if result.best else None
    if arguments.sweep and best and not meter.stop.is_set():
        tried = sweep(workspace, best.config, arguments.sweep, end - time.monotonic(), None, meter, arguments.on)
        found["sweep"] = {"trials": tried.trials.to_dict("records"), "best": tried.best, "why": tried.why}
        text += f"\n\nsweep: {tried.why}"
    if best and not meter.stop.is_set():
        try:
            gains, silent = what_helps(workspace, best, progress=meter)
        except InputError as error:
            gains, silent = [], [str(error)]
        found["gains"] = [gain.to_dict() for gain in gains]
        by = f", by {gains[0].counted.label}" if gains and not gains[0].counted.by_accuracy else ""
        text += f"\n\nwhat would help most{by}:" + "".join(f"\n- {gain.title}: {gain.words}" for gain in gains)
        text += "".join(f"\n- not estimated: {line}" for line in silent)
    return Result(found, text, STOPPED if meter.stop.is_set() else DONE)


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    *parameters(PARAMETERS),
    argument(
        "--preset",
        choices=("quick", "good", "best"),
        help="how much is done: quick, the SVM; good, one fine-tuned network; best, the ladder, a sweep and a "
        "combination (without it: one fine-tuned network and the ladder)",
    ),
    argument(
        "--dry-run",
        action="store_true",
        help="only say what each preset costs here and is expected to reach: time, disk, download, accuracy",
    ),
    argument("--budget", metavar="TIME", help="such as 90s, 20m or 1.5h (20m; with --preset good 1h, with best 4h)"),
    argument(
        "--compare-networks",
        nargs="?",
        const="",
        metavar="A,B",
        help="first compare these networks (without a name: all that can be used here) in a fifth of the budget, and "
        "go on with the one recommended for accuracy, unless one was chosen by hand",
    ),
    argument("--download", action="store_true", help="compare also networks whose weights have to be fetched"),
)
def run(arguments: argparse.Namespace, meter: Meter) -> Result:
    """do the whole workbook within a time budget: audit, baseline, train, escalate, export"""
    seconds = budget_seconds(arguments.budget) if arguments.budget else None
    values, names = parameters_given(arguments, tuple(PARAMETERS)), arguments.compare_networks
    if names is None and arguments.download:
        raise InputError("--download has no meaning without --compare-networks: leave it out, or compare networks")
    if told := [flag(name) for name in ("backbone", "weights") if names is not None and values.get(name)]:
        raise InputError(f"--compare-networks finds the network to go on with, and {told[0]} names it: give only one")

    from cvtune_nb.classification.candidates import listed
    from cvtune_nb.pipeline import PRESETS, USUAL, Workbook

    if arguments.dry_run:
        return _dry_run(arguments, values, seconds, meter)
    preset = PRESETS[arguments.preset] if arguments.preset else USUAL
    config, candidates = partial(config_of, values=values, meter=meter), None
    if names is not None:
        candidates = partial(
            listed,
            names=names_in(names),
            image_sizes=[values["image_size"]] if "image_size" in values else (),
            fetch=arguments.download,
            pooling=values.get("pooling", ""),
            framing=values.get("framing", ""),
            aspect=values.get("aspect", ""),
        )
    framed = any(values.get(name) for name in ("framing", "aspect"))
    workbook = Workbook(config, arguments.started, seconds or preset.budget, meter, candidates, framed, preset)
    found = workbook.run(lambda progress: open_workspace_of(arguments, meter, progress))
    text = workbook.summary() + "".join(f"\n- {note}" for note in found["notes"])
    return Result(found, text, DONE if found["state"] == "done" else STOPPED)


def _dry_run(arguments: argparse.Namespace, values: dict[str, Any], seconds: float | None, meter: Meter) -> Result:
    """What the presets, or the one that is named, cost here and are expected to reach."""
    from cvtune_nb.pipeline import PRESETS, offers

    workspace = open_workspace_of(arguments, meter, meter)
    config = config_of(workspace, values, meter)
    asked = [PRESETS[arguments.preset]] if arguments.preset else PRESETS.values()
    made = list(offers(workspace, config, asked, seconds or float("inf"), meter))
    text = "".join(
        f"{one.preset.name}: {one.preset.meaning}\n  cost: {one.cost}\n  accuracy: {one.accuracy}\n" for one in made
    )
    return Result({"presets": [one.to_dict() for one in made]}, f"{text}nothing was trained: leave out --dry-run")


def config_of(workspace: "Workspace", values: dict[str, Any], meter: Meter) -> Any:
    """The parameters given; those that are not given are what is recommended for the network to start with.

    What counts, and what is done about imbalance, is what was chosen in the workspace.
    """
    from cvtune_nb.classification.objective import chosen
    from cvtune_nb.classification.remedies import chosen_remedy
    from cvtune_nb.models.recipes import recommended

    remedy = {"imbalance": chosen_remedy(workspace)}
    what = {"objective": chosen(workspace)}  # one that is given was written down when the workspace was opened
    return recommended(**{**remedy, **values, **_features(workspace, values, meter).to_dict(), **what})


def _features(workspace: "Workspace | None", values: dict[str, Any], meter: Meter) -> "FeatureSpec":
    """The network to start with, and what it is shown.

    Says how the tensors of a file of weights fit, and what has to be downloaded. Raises InputError for such a file.
    """
    from cvtune_nb.classification.choice import start_with

    spec = start_with(workspace, values)
    say_weights(spec, meter)
    return spec


def _rungs(text: str | None, workspace: "Workspace", values: dict[str, Any]) -> dict[int, Any]:
    """The rungs that are asked for, by number.

    Parameters
    ----------
    text
        "1,2": those of the ladder of the backbone's family; None: its first four; or a CSV file: all in it.
    workspace, values
        Where the backbone is chosen, or given.
    """
    from dataclasses import replace

    from cvtune_nb.classification.choice import start_with
    from cvtune_nb.classification.remedies import chosen_remedy
    from cvtune_nb.escalation import ladder_of, read_rungs

    seed, imbalance = values.get("seed", PARAMETERS["seed"].default), chosen_remedy(workspace)
    if text and text.endswith(".csv"):
        return {number: replace(rung, seed=seed) for number, rung in enumerate(read_rungs(Path(text), imbalance), 1)}
    spec = start_with(workspace, values)
    rungs = [replace(rung, seed=seed, imbalance=imbalance) for rung in ladder_of(spec)]
    known = {str(number): rung for number, rung in enumerate(rungs, 1)}
    numbers = text.split(",") if text else list(known)[:FIRST_RUNGS]
    wrong = [number for number in numbers if number.strip() not in known]
    if wrong:
        raise InputError(
            f"--rungs is {text!r}: choose from 1 to {len(rungs)}, for example 1,2, or name a CSV file of rungs"
        )
    return {int(number): known[number.strip()] for number in numbers}


def budget_seconds(text: str) -> float:
    """The seconds in a time like 90s, 20m, 1.5h or 1h30m. Raises InputError for anything else."""
    words = text.strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", words)
    seconds = sum(float(number) * {"s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != words or not 0 < seconds <= 30 * 24 * 3600:
        raise InputError(f"--budget is {text!r}: give a time of up to 30 days, such as 90s, 20m or 1.5h")
    return seconds
