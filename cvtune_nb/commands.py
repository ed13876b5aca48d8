"""The commands: each takes its arguments and a Meter for progress, and gives a Result.

A command imports what it needs when it runs: `cvtune predict` starts without torch and pandas.
"""

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtune_nb.console import Meter, one_line, table
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import DETECTOR_PARAMETERS, PARAMETERS, Parameter

DONE, BAD_INPUT, STOPPED = 0, 2, 3
"""Exit status: all done; bad input, and one sentence says what to do; stopped early with the work kept."""

FIRST_RUNGS = 4
"""Rungs that are climbed when none are named: those of 2018."""

NETWORK = ("backbone", "image_size", "seed")
"""The parameters of the commands that do not train."""


@dataclass(frozen=True)
class Result:
    """What a command found: `values` for --json, `text` to read without it."""

    values: dict[str, Any]
    text: str
    status: int = DONE


def sample(arguments: argparse.Namespace, meter: Meter) -> Result:
    """make the sample photos: a first data set, with things planted for the audit to find"""
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


def audit(arguments: argparse.Namespace, meter: Meter) -> Result:
    """look for wrong labels, duplicates, leaks and bad photos"""
    from cvtune_nb.audit import audit as look

    values = _parameters(arguments, NETWORK)
    workspace = _open(arguments, meter, meter)
    found = look(workspace, values.get("backbone"), values.get("image_size", 224), progress=meter)
    issues = found.issues.to_dict("records")
    text = table(issues, ["issue", "score", "path", "suggestion"]) if issues else "nothing to report"
    text += f"\n\n{gain}" if (gain := found.summary["forecast"]) else ""
    report = workspace.audit / "report.html"
    text += f"\n\n{len(issues)} issues, {found.seconds:.0f} s; a page to mail: {report}; the tables lie beside it"
    return Result(
        {"issues": issues, "summary": found.summary, "report": str(report), "seconds": found.seconds}, text
    )


def baseline(arguments: argparse.Namespace, meter: Meter) -> Result:
    """a frozen network and an SVM: an accuracy in seconds"""
    from cvtune_nb.baseline import baseline as fit_baseline

    values = _parameters(arguments, NETWORK)
    workspace = _open(arguments, meter, meter)
    found = fit_baseline(
        workspace,
        values.get("backbone"),
        values.get("image_size", 224),
        C=arguments.C,
        kernel=arguments.kernel,
        open_test=arguments.open_test,
        progress=meter,
    )
    text = (
        f"{found.backbone} at {found.image_size} pixels, frozen, and a {found.kernel} SVM (C = {found.C:g})\n"
        f"train {found.train}\nvalidation {found.validation}\n"
        + (f"test {found.test}\n" if found.test else "")
    )
    text += f"\n{table(found.per_class.to_dict('records'), list(found.per_class))}\n\n{found.seconds:.1f} s"
    return Result(found.to_dict(), text + (", features from the cache" if found.cached else ""))


def train(arguments: argparse.Namespace, meter: Meter) -> Result:
    """fine-tune one network; the same parameters again go on with a run that was stopped"""
    from cvtune_nb import training
    from cvtune_nb.training.cost import past_errors, past_in_words
    from cvtune_nb.workbook import run_values

    values = _parameters(arguments, tuple(PARAMETERS))
    if arguments.resume and values:
        raise InputError(f"--resume keeps the run's own parameters: leave out {flag(next(iter(values)))}")
    with training.processes.joined():
        with training.processes.first_alone():
            workspace = _open(arguments, meter, meter)
            if arguments.resume:
                earlier = training.load_run(workspace, arguments.resume)
                config = earlier.config
            else:
                config = _config(values)
                earlier = training.earlier_run(workspace, config)
            if earlier:
                meter.say(f"run {earlier.id} has these parameters: going on with it, or showing it if it is done")
            cost = training.predict_cost(workspace, config, meter)
            past = past_in_words(past_errors(training.runs(workspace)))
            meter.say(f"{config.backbone} at {config.image_size} pixels, epochs: {config.epochs}, {cost.words}"
                      + (f"; {past}" if past else ""))  # fmt: skip
        if arguments.ray_workers:
            from cvtune_nb.escalation.cluster import train_over_workers

            run = train_over_workers(workspace, config, arguments.ray_workers, meter, run=earlier and earlier.id)
        else:
            run = training.fit(workspace, config, run=earlier and earlier.id, progress=meter)
    text = (
        f"run {run.id}: {run.state}\n\n{table(run.history.to_dict('records'), list(run.history))}\n\n"
        f"best epoch {run.best_epoch}: train {run.train}, validation {run.validation}"
    )
    found = run_values(run, workspace)
    text += "".join(f"\n- {finding['title']}: {finding['evidence']}" for finding in found["findings"])
    return Result(found, text, STOPPED if run.state == "stopped" else DONE)


def escalate(arguments: argparse.Namespace, meter: Meter) -> Result:
    """climb the ladder of parameters, rung by rung, within a time budget"""
    seconds = budget_seconds(arguments.budget)
    values = _parameters(arguments, NETWORK)
    if arguments.sweep is not None and arguments.sweep < 1:
        raise InputError(f"--sweep is {arguments.sweep}: give the number of trials, 1 or more")

    from cvtune_nb.advice import what_helps
    from cvtune_nb.escalation import escalate as climb
    from cvtune_nb.escalation import sweep
    from cvtune_nb.training import load_run
    from cvtune_nb.workbook import escalation_values

    workspace, end = _open(arguments, meter, meter), time.monotonic() + seconds
    rungs = _rungs(arguments.rungs, values)
    result = climb(workspace, list(rungs.values()), seconds, None, meter, list(rungs), arguments.on)
    found = escalation_values(result)
    shown = ["rung", "backbone", "image_size", "epochs", "predicted_seconds", "seconds", "expected",
             "validation_accuracy", "state", "note"]  # fmt: skip
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
        text += "\n\nwhat would help most:" + "".join(f"\n- {gain.title}: {gain.words}" for gain in gains)
        text += "".join(f"\n- not told: {line}" for line in silent)
    return Result(found, text, STOPPED if meter.stop.is_set() else DONE)


def export(arguments: argparse.Namespace, meter: Meter) -> Result:
    """write a run as a folder that works elsewhere, and measure it on the test photos"""
    if arguments.detector and arguments.similarity:
        raise InputError("a run is exported as a detector or for similarity, not as both: leave out one of the two")
    for name in ("components", "distance"):
        if getattr(arguments, name) and not arguments.similarity:
            raise InputError(f"{flag(name)} says how look-alikes are found: give --similarity too, or leave it out")
    if arguments.detector:
        return _export_detector(arguments, meter)
    if arguments.similarity:
        return _export_similarity(arguments, meter)
    from cvtune_nb.export import export_run

    workspace = _open(arguments, meter, meter)
    variants = tuple(name.strip() for name in arguments.variants.split(",") if name.strip() not in ("", "none"))
    made = export_run(workspace, arguments.run, arguments.out, meter, variants, arguments.threshold)
    before, after = made.calibration_error
    columns = ["variant", "file", "megabytes", "milliseconds", "accuracy", "verdict"]
    text = (
        f"{made.folder}: {', '.join(made.files)}\n{made.zip}\n\n"
        f"test accuracy {made.test or 'not measured, no photos'}; test set opened {made.openings} time(s)\n"
        f"PyTorch and ONNX Runtime agree to {made.parity:.1e} ({made.parity_photos} photos)\n"
        f"calibration error {before:.1%}, with temperature {made.temperature:.3g} {after:.1%}\n\n"
        f"{table(made.variants.to_dict('records'), columns)}"
    )
    return Result(made.to_dict(), text)


def _export_detector(arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.detection import export_detector, open_dataset

    dataset = open_dataset(arguments.data, arguments.workspace, progress=meter)
    made = export_detector(dataset, arguments.run, arguments.out, meter)
    text = (
        f"{made.folder}: {', '.join(made.files)}\n{made.zip}\n\n{made.validation.words}\n"
        f"{made.test.words if made.test else 'test not measured, no photos'}; test set opened {made.openings} time(s)\n"
        f"PyTorch and ONNX Runtime agree to {made.parity:.1e} ({made.parity_photos} photos)"
    )
    return Result(made.to_dict(), text)


def _export_similarity(arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.similarity import export_similarity

    workspace = _open(arguments, meter, meter)
    made = export_similarity(
        workspace, arguments.run, arguments.out, meter, arguments.components or "pca", arguments.distance or "cosine"
    )
    text = (
        f"{made.folder}: {', '.join(made.files)}\n{made.zip}\n\n"
        f"{made.embedder.words}, {made.photos} photos in the index\nvalidation: {made.validation.words}\n"
        f"test: {made.test.words if made.test else 'not measured, no photos'}\n"
        f"test set opened {made.openings} time(s)\n"
        f"PyTorch and ONNX Runtime agree to {made.parity:.1e} ({made.parity_photos} photos)"
    )
    return Result(made.to_dict(), text)


def predict(arguments: argparse.Namespace, meter: Meter) -> Result:
    """classify photos, find objects in them, or photos like them, with an exported model"""
    from cvtune_nb.export import open_export
    from cvtune_nb.export.predict import lines_of, photo

    model = open_export(arguments.export, arguments.variant)
    paths = photo.photos_in(arguments.images)
    if not paths:
        raise InputError(f"{', '.join(arguments.images)} holds no photos: name photos, or folders of photos")
    rows = []
    for number, path in enumerate(paths):
        meter(number / len(paths), f"classifying photos: {number} of {len(paths)}")
        rows += model.predict([path])
    _require_one(rows)
    if any("similar" in row for row in rows):
        return Result({"predictions": rows}, _alike(rows))
    if any("boxes" in row for row in rows):
        return Result({"predictions": rows}, "\n".join(line for row in rows for line in lines_of(row)))
    lines = [{"chance": f"{row['probability']:.1%}" if "label" in row else "-",
              "label": row.get("label", "-") + ("" if row.get("sure", True) else "?"),
              "photo": row["path"] + (f" ({row['error']})" if "error" in row else "")} for row in rows]  # fmt: skip
    sure = all(row.get("sure", True) for row in rows)
    note = "" if sure else "\n?: not sure, below the threshold that it was exported with"
    return Result({"predictions": rows}, table(lines, ["chance", "label", "photo"]) + note)


def _require_one(rows: list[dict[str, Any]]) -> None:
    """Raises InputError when none of the photos could be used."""
    if all("error" in row for row in rows):
        raise InputError(f"{rows[0]['path']} can't be used ({rows[0]['error']}): give photos")


def _alike(rows: list[dict[str, Any]]) -> str:
    """What is printed of photos that were looked up: path, and similar or error."""
    parts = []
    for row in rows:
        if "error" in row:
            parts.append(one_line(f"{row['path']}: {row['error']}"))
        else:
            near = [{**each, "distance": f"{each['distance']:.3f}"} for each in row["similar"]]
            parts.append(f"nearest to {one_line(row['path'])}\n{table(near, ['distance', 'label', 'path'])}")
    return "\n\n".join(parts)


LIMITS = {
    "megabytes": "of a request (20)",
    "photos": "in a request (32)",
    "megapixels": "of a photo (50)",
    "seconds": "until a request is answered (30)",
    "waiting": "requests at the same time (128)",
}
"""What `cvtune serve` limits: export.serving.Limits."""


def serve(arguments: argparse.Namespace, meter: Meter) -> Result:
    """an exported model as a web service: photos in, JSON out, and a page to drop a photo on"""
    from cvtune_nb.export import open_export

    try:
        from cvtune_nb.export import serving
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install 'cvtune-nb[serve]'") from None
    given = {name: getattr(arguments, f"max_{name}") for name in LIMITS}
    for name, value in given.items():
        if value is not None and not 0 < value < 1e6:
            raise InputError(f"--max-{name} is {value:g}: give a number over 0 and below 1000000")
    kinds = {name: int if name in ("photos", "waiting") else float for name in LIMITS}
    limits = serving.Limits(**{name: kinds[name](value) for name, value in given.items() if value is not None})
    if not 0 <= arguments.port < 65536:
        raise InputError(f"--port is {arguments.port}: give a number from 0 to 65535")
    model = open_export(arguments.export, arguments.variant)
    meter.close()
    serving.serve(model, arguments.host, arguments.port, arguments.token, limits)
    return Result({}, "")


def detect(arguments: argparse.Namespace, meter: Meter) -> Result:
    """small objects: train a Faster R-CNN on boxes from VOC, COCO or YOLO files, or drawn in notebook 06"""
    values = _parameters(arguments, tuple(DETECTOR_PARAMETERS), DETECTOR_PARAMETERS)
    if arguments.resume and values:
        raise InputError(f"--resume keeps the run's own parameters: leave out {flag(next(iter(values)))}")

    from cvtune_nb import detection
    from cvtune_nb.training.cost import past_errors, past_in_words

    dataset = detection.open_dataset(arguments.data, arguments.workspace, values.get("seed", 0), arguments.boxes, meter)
    meter.say(f"photos: {dataset.workspace.source}; workspace: {dataset.workspace.folder}")
    sizes, problems = detection.sizes(dataset.annotations), dataset.annotations.problems
    meter.say(f"{sizes.words}; photos without a box: {sizes.negatives}")
    if len(problems):
        first = " ".join(problems.loc[0, ["file", "where", "words"]])
        meter.say(f"{len(problems)} boxes or files are wrong (all of them: --json), first {first}")
    detection.require_learnable(dataset)
    train = dataset.part("train")
    if arguments.resume:
        earlier = detection.load_run(dataset, arguments.resume)
        config = earlier.config
    else:
        suggested = {"detector": detection.default()[0],
                     "image_size": detection.suggested_size(train.boxes, train.photos)[0]}  # fmt: skip
        config = detection.DetectorConfig.from_values(**{**suggested, **values})
        earlier = detection.earlier_run(dataset, config)
    if earlier:
        meter.say(f"run {earlier.id} has these parameters: going on with it, or showing it if it is done")
    cost, past = detection.predict_cost(dataset, config, meter), past_in_words(past_errors(detection.runs(dataset)))
    meter.say(f"{config.detector} at {config.image_size} pixels, epochs: {config.epochs}, {cost.words}"
              + (f"; {past}" if past else ""))  # fmt: skip
    run = detection.fit(dataset, config, run=earlier and earlier.id, progress=meter)
    if arguments.hard_negatives and run.state == "done":
        alarms = detection.look(dataset, run, meter)
        meter.say(alarms.words)
        run = detection.one_round(dataset, run, alarms, progress=meter) if alarms.worth else run
        meter.say(detection.outcome(dataset, run) or f"no round: {run.id} stays as it is")
    found = {**run.to_dict(), "splits": dataset.photos["split"].value_counts().to_dict(),
             "problems": problems.to_dict("records")}  # fmt: skip
    text = f"run {run.id}: {run.state}\n\n{table(run.history.to_dict('records'), list(run.history))}"
    verdicts = [detection.verdict(dataset, run)]
    found["findings"] = [finding.to_dict() for finding in detection.findings(dataset, verdicts[0])]
    if len(run.history):
        if arguments.open_test:
            openings = dataset.workspace.open_test(f"detect {run.id}")
            verdicts.append(detection.verdict_on_test(dataset, verdicts[0], meter))
            meter.say(f"test set opened {openings} time(s)")
        for verdict in verdicts:
            found[verdict.on] = verdict.to_dict()
            text += f"\n\n{verdict.words}\n"
            text += table(verdict.scores.by_class.to_dict("records"), list(verdict.scores.by_class))
        if beside := detection.beside_classifier(dataset, verdicts[0]):
            found["beside_classifier"] = {"detector": beside.detector.to_dict(), "words": beside.words,
                                          "classifier": beside.classifier.to_dict()}  # fmt: skip
            text += f"\n\n{beside.words}"
    text += "".join(f"\n- {finding['title']}: {finding['evidence']}" for finding in found["findings"])
    return Result(found, text, STOPPED if run.state == "stopped" else DONE)


USES = {
    "with an export": ("photos", "k"),
    "with photos to look up": ("photos", "k", "embedder", "distance", "rerank", "components"),
    "without photos to look up": ("embedder", "distance", "rerank", "components", "open_test"),
    "with --label-next": ("label_next", "embedder", "count", "like"),
}
"""What `cvtune similar` is used for, and which of its arguments have a meaning there."""


def similar(arguments: argparse.Namespace, meter: Meter) -> Result:
    """look-alikes of photos, how well they are found, and which photos to label next"""
    where = Path(arguments.where).expanduser()
    if not (where / "workspace.json").exists():
        _require_use(arguments, "with an export")
        return _similar_by_export(where, arguments, meter)
    if arguments.label_next:
        _require_use(arguments, "with --label-next")
    else:
        _require_use(arguments, "with photos to look up" if arguments.photos else "without photos to look up")

    from cvtune_nb.similarity import embedder

    workspace = _open(argparse.Namespace(data="", workspace=str(where), pixels_gb=""), meter, meter)
    of = embedder(workspace, arguments.embedder)
    meter.say(f"embedder: {of.words}")
    if arguments.label_next:
        return _to_label(workspace, of, arguments, meter)
    return (_similar_in_workspace if arguments.photos else _measured)(workspace, of, arguments, meter)


def _require_use(arguments: argparse.Namespace, case: str) -> None:
    """Raises InputError for an argument that has no meaning in that case of USES, and for a number that makes none."""
    for name in dict.fromkeys(name for names in USES.values() for name in names):
        given = getattr(arguments, name)
        if given not in (None, "", []) and given is not False and name not in USES[case]:
            words = "photos have" if name == "photos" else f"{flag(name)} has"
            raise InputError(f"{words} no meaning {case}: leave {'them' if name == 'photos' else 'it'} out")
    if arguments.k is not None and arguments.k < 1:
        raise InputError(f"--k is {arguments.k}: give the number of look-alikes of each photo, 1 or more")


def _ways(arguments: argparse.Namespace) -> dict[str, Any]:
    """How photos are compared."""
    return {"distance": arguments.distance or "cosine", "rerank": arguments.rerank,
            "components": arguments.components or "pca"}  # fmt: skip


def _photos_to_look_up(arguments: argparse.Namespace) -> list[str]:
    from cvtune_nb.export.predict import photo

    paths = photo.photos_in(arguments.photos)
    if not paths:
        given = ", ".join(arguments.photos)
        raise InputError(f"{given} holds no photos: name photos, or folders of photos" if given else
                         f"no photos are given: name those to look up in {arguments.where}")  # fmt: skip
    return paths


def _similar_by_export(where: Path, arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.export import open_export
    from cvtune_nb.export.predict import Similar

    if not where.is_file() and not (where / "model.onnx").exists():
        raise InputError(
            f"{where} is neither an export nor a workspace: give the folder or zip that `cvtune export --similarity` "
            "made, or the folder of a workspace"
        )
    paths, model = _photos_to_look_up(arguments), open_export(where)
    if not isinstance(model, Similar):
        raise InputError(f"{where} does not hold look-alikes: use `cvtune predict`, or `cvtune export --similarity`")
    rows = []
    for number, path in enumerate(paths):
        meter(number / len(paths), f"looking up photos: {number} of {len(paths)}")
        rows += model.predict([path], arguments.k or model.TOP)
    _require_one(rows)
    return Result({"similar": rows}, _alike(rows))


def _similar_in_workspace(workspace: Any, of: Any, arguments: argparse.Namespace, meter: Meter) -> Result:
    """The photos nearest to each of those given among all of the workspace, the same file left out."""
    from cvtune_nb.data import photo, sha256_of
    from cvtune_nb.export.predict import Similar
    from cvtune_nb.similarity import look_up

    rows = [{"path": path} for path in _photos_to_look_up(arguments)]
    known = look_up(workspace, of, **_ways(arguments), progress=meter)
    for number, row in enumerate(rows):
        meter(number / len(rows), f"looking up photos: {number} of {len(rows)}")
        try:
            vector = known.of_file(row["path"])
            others = (known.photos["sha256"] != sha256_of(row["path"])).to_numpy()
            near = known.nearest(vector, arguments.k or Similar.TOP, others)
            row["similar"] = near[["path", "label", "distance"]].to_dict("records")
        except photo.UnreadablePhoto as error:
            row["error"] = str(error)
    _require_one(rows)
    return Result({"similar": rows}, _alike(rows))


def _measured(workspace: Any, of: Any, arguments: argparse.Namespace, meter: Meter) -> Result:
    """How well photos of validation, and where asked for of test, find theirs; beside the same network frozen."""
    from cvtune_nb.similarity import Embedder, compare, measure

    ways = _ways(arguments)
    measured, beside = [measure(workspace, of, **ways, progress=meter)], None
    values: dict[str, Any] = {"measured": measured[0].to_dict(), "frozen": None, "compared": None}
    text = f"{of.words}"
    if of.run:
        frozen = Embedder(f"{of.backbone}@{of.image_size}", of.backbone, of.image_size)
        beside = measure(workspace, frozen, **ways, progress=meter)
        values |= {"frozen": beside.to_dict(), "compared": compare(beside, measured[0]).words}
    if arguments.open_test:
        measured.append(measure(workspace, of, "test", **ways, progress=meter))
        values |= {"test": measured[1].to_dict(), "test_openings": workspace.test_openings()}
    for found in measured:
        text += f"\n\n{found.split}: {found.words}\n{table(found.by_class.to_dict('records'), list(found.by_class))}"
    if beside:
        text += f"\n\nfrozen, validation: {beside.words}\nwhat training brought: {values['compared']}"
    if arguments.open_test:
        text += f"\ntest set opened {values['test_openings']} time(s)"
    return Result(values, text)


def _to_label(workspace: Any, of: Any, arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.similarity import to_label

    count = 50 if arguments.count is None else arguments.count
    found = to_label(workspace, arguments.label_next, of, count, arguments.like or (), progress=meter)
    photos, left_out = found.table.to_dict("records"), found.left_out.to_dict("records")
    text = f"{table(photos, ['path', 'looks_like', 'probability', 'why', 'like'])}\n\n{found.words}"
    if left_out:
        text += one_line(f"; files left out: {len(left_out)}, first {left_out[0]['path']}, {left_out[0]['reason']}")
    return Result({"file": str(found.file), "photos": photos, "left_out": left_out}, text)


def run(arguments: argparse.Namespace, meter: Meter) -> Result:
    """the whole workbook within a time budget: audit, baseline, train, escalate, export"""
    seconds = budget_seconds(arguments.budget)
    values = _parameters(arguments, tuple(PARAMETERS))

    from cvtune_nb.workbook import Workbook

    workbook = Workbook(_config(values), arguments.started, seconds, meter)
    found = workbook.run(lambda progress: _open(arguments, meter, progress))
    text = workbook.summary() + "".join(f"\n- {note}" for note in found["notes"])
    return Result(found, text, DONE if found["state"] == "done" else STOPPED)


def lab(arguments: argparse.Namespace, _: Meter) -> Result:
    """open the workbook in JupyterLab, on this machine only"""
    from cvtune_nb.lab import lab as serve

    return Result({}, "", serve(port=arguments.port, open_browser=not arguments.no_browser))


# -- from arguments to what the steps take ------------------------------------------------------------------


def flag(name: str) -> str:
    """The flag of a parameter: --image-size for image_size."""
    return "--" + name.replace("_", "-")


def _open(arguments: argparse.Namespace, meter: Meter, progress: Callable[[float, str], None]) -> Any:
    """The workspace that --data and --workspace name; says which it is and what was left out."""
    from cvtune_nb.data import conflicts, open_workspace

    folder = Path(arguments.workspace).expanduser() if arguments.workspace else None
    if folder and not arguments.data and not (folder / "workspace.json").exists():
        raise InputError(f"{folder} is not a workspace yet: name your photos too, with --data")
    seed = PARAMETERS["seed"].check(getattr(arguments, "seed", None) or 0)
    workspace = open_workspace(arguments.data, arguments.workspace, seed, progress, pixels_gb=arguments.pixels_gb)
    meter.say(f"photos: {workspace.source}; workspace: {workspace.folder}")
    skipped, contested = workspace.skipped(), conflicts(workspace)
    if len(skipped):
        meter.say(f"files left out: {len(skipped)}, for the reasons in {workspace.folder / 'skipped.csv'}")
    if len(contested):
        meter.say(
            f"{len(contested)} photos lie in two classes, for example {contested['path'].iloc[0]}: "
            "they are left out until you decide (notebook 01)"
        )
    return workspace


def _parameters(
    arguments: argparse.Namespace, names: tuple[str, ...], declared: dict[str, Parameter] = PARAMETERS
) -> dict[str, Any]:
    """The parameters given on the command line, checked. Raises InputError."""
    given = {name: getattr(arguments, name) for name in names}
    return {name: declared[name].check(value) for name, value in given.items() if value is not None}


def _config(values: dict[str, Any]) -> Any:
    from cvtune_nb import backbones
    from cvtune_nb.parameters import Config

    return Config.from_values(**{**values, "backbone": values.get("backbone") or backbones.default()[0]})


def _rungs(text: str | None, values: dict[str, Any]) -> dict[int, Any]:
    """The rungs that `text` names, by number: "1,2" of the ladder of the backbone's family (without it the first four),
    or all in a CSV file."""
    from dataclasses import replace

    from cvtune_nb import backbones
    from cvtune_nb.escalation import ladder, read_rungs

    seed = values.get("seed", PARAMETERS["seed"].default)
    if text and text.endswith(".csv"):
        return {number: replace(rung, seed=seed) for number, rung in enumerate(read_rungs(Path(text)), 1)}
    name = values.get("backbone") or backbones.default()[0]
    if name not in backbones.KNOWN:
        raise InputError(f"there is no ladder for {name}: choose one of {', '.join(backbones.KNOWN)}")
    rungs = [replace(rung, seed=seed) for rung in ladder(backbones.KNOWN[name].family)]
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
