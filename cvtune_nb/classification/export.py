"""Export a run: a folder with all that is needed to use the model elsewhere, checked before it is kept."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
from torch import nn

import cvtune_nb
from cvtune_nb.classification.calibration import temperature
from cvtune_nb.classification.exportable import Candidate, as_chosen, candidate, rebuilt
from cvtune_nb.classification.known import (
    FITTED,
    KEEP,
    Known,
    KnownScore,
    Seen,
    below,
    figures,
    groups_among,
    of_training,
    pooling_of,
    require_keep,
    scale,
)
from cvtune_nb.classification.known import (
    scaled as ranked,
)
from cvtune_nb.classification.model_card import curves, model_card
from cvtune_nb.classification.objective import objective_for
from cvtune_nb.classification.run import run_store
from cvtune_nb.classification.thresholds import Target, thresholds_for
from cvtune_nb.classification.thresholds import expected as expected_of_targets
from cvtune_nb.classification.variants_accuracy import Fair, Measured, fairly, measure
from cvtune_nb.data import photo, pixels
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.errors import InputError
from cvtune_nb.export import onnx_known, onnx_model, predict, verification
from cvtune_nb.export.formats import FORMATS
from cvtune_nb.export.packaging import Exported, destination, made_aside, sealed, versions, write_program, zip_of
from cvtune_nb.export.parity import compare
from cvtune_nb.export.variants import CALIBRATION_PHOTOS, VARIANTS, file_of, require_known
from cvtune_nb.files import Progress, read_json, silent, write_csv, write_json, write_text
from cvtune_nb.metrics import Accuracy, accuracy, calibration_error, coverage, per_class, rate, reliability
from cvtune_nb.objectives import Costs, Score
from cvtune_nb.tracking import following
from cvtune_nb.workspace import Workspace, now

COMPARED = 1_000
"""Photos of a split, drawn evenly over the classes, on which the smaller variants are judged and the temperature is
chosen: good to about 2 points."""


@dataclass(frozen=True, kw_only=True)
class Export(Exported):
    """What is known of an exported classifier; parity is that of probabilities.

    Attributes
    ----------
    validation, test
        Accuracy of the run, or that of model.onnx where it is used or answers otherwise than in training (what it is
        shown at test time, logit adjustment, costs, thresholds of single classes), on validation photos; and that of
        model.onnx on the test photos, None where there are none.
    per_class
        Test accuracy by class.
    variants
        A row a variant: variant, file, megabytes, milliseconds (a photo, scaled already), accuracy, difference, low,
        high, verdict; all on the same validation and test photos, differences from fp32.
    temperature
        What logits are divided by.
    calibration_error
        Before and after that, on test photos, or on validation photos where there are none.
    reliability
        `metrics.reliability` before and after, with a column `when`.
    coverage
        `metrics.coverage` on validation, from which a threshold can be chosen; classes that have one of their own
        follow that.
    threshold
        Probability below which the model is not sure.
    known
        How much a photo is like the training photos, and what is unlike them; None where there were no photos to tell.
    targets
        What thresholds of single classes change (thresholds.expected), None where there are none.
    objective, score
        What counted in the workspace, and its value without thresholds of single classes on test photos, or on
        validation photos where there are none; both None where it names classes that the model does not
        have, the value also without any photos.
    """

    validation: Accuracy
    test: Accuracy | None
    per_class: pd.DataFrame | None
    variants: pd.DataFrame
    temperature: float
    calibration_error: tuple[float, float]
    reliability: pd.DataFrame
    coverage: pd.DataFrame
    threshold: float
    known: Known | None
    targets: pd.DataFrame | None = None
    objective: str | None = None
    score: Score | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values, for JSON."""
        test = self.test
        return super().to_dict() | {
            "validation_accuracy": self.validation.value,
            "test_accuracy": test and test.value,
            "interval": test and test.interval,
            "test_photos": test.n if test else 0,
            "variants": self.variants.to_dict("records"),
            "temperature": self.temperature,
            "calibration_error": list(self.calibration_error),
            "threshold": self.threshold,
            "known": self.known and self.known.to_dict(),
            "targets": None if self.targets is None else plain(self.targets),
            "objective": self.objective,
            "objective_value": self.score and self.score.value,
            "objective_interval": self.score and self.score.interval,
        }


@dataclass(frozen=True)
class _Graphs:
    """The network in float32 and in each variant, by name, not calibrated yet.

    seen, likeness: its logits and features in PyTorch, and the score of these; None where there is no `known`.
    notes: why there is none, where there could be.
    """

    variants: dict[str, Any]
    seen: Seen | None
    likeness: onnx_known.Likeness | None
    notes: tuple[str, ...] = ()

    def without_known(self) -> "_Graphs":
        """The same where there is nothing to rank among."""
        for graph in self.variants.values():
            del graph.graph.output[1:]  # the features
        return replace(self, seen=None, likeness=None)

    def probabilities(self, network: nn.Module, warmth: float, by: onnx_known.Scale | None) -> onnx_model.Probabilities:
        """The same in PyTorch."""
        if self.seen is None or self.likeness is None:
            return onnx_model.Probabilities(network, warmth).eval()
        return onnx_model.KnownToo(self.seen, network, warmth, KnownScore(self.likeness, by)).eval()


def export_run(
    workspace: Workspace,
    run_id: str,
    out: str | Path | None = None,
    progress: Progress = silent,
    variants: tuple[str, ...] = tuple(VARIANTS),
    threshold: float = 0.0,
    earlier_data: bool = False,
    keep_known: float = KEEP,
    targets: Sequence[str] = (),
) -> Export:
    """Export the best weights of a run to a new folder, and to a zip beside it.

    Photos are shown to it as the person chose for test time (at_test_time). The test set is opened, and that is
    counted, once the ONNX model agrees with PyTorch. Test photos that the run was trained on, or copies of them, are
    never counted. Folder and zip appear only when they are complete; nothing is overwritten.

    Parameters
    ----------
    workspace
        Where the run and the photos are.
    run_id
        A run's id, "best" or "last"; "svm": the last baseline.
    out
        The new folder; by default workspace/exports/<run>, with a number where that exists.
    progress
        Called with the progress of the export.
    variants
        Names of VARIANTS to write too.
    threshold
        Probability, from 0 to below 1, under which the exported model says that it is not sure.
    earlier_data
        Accept a run whose classes are not today's; it is measured on photos of its own classes.
    keep_known
        The share of photos like those of validation, 0 (all) to known.LARGEST_KEEP, that the exported model does not
        call unlike all classes.
    targets
        Of single classes, CLASS:recall=.9 or CLASS:precision=.9: their thresholds are chosen on validation photos.

    Raises
    ------
    InputError
        For targets that can't be met, an unknown run, a run with other classes, an `out` that holds something, and a
        model that ONNX Runtime computes differently.
    OSError
        When the disk is full.
    """
    start, trackers = time.perf_counter(), following(workspace)
    require_known(variants)
    if not 0 <= threshold < 1:
        raise InputError(f"threshold is {threshold}: choose a probability from 0 (always answer) to below 1")
    require_keep(keep_known)
    chosen = as_chosen(workspace, candidate(workspace, run_id, progress, earlier_data))
    folder = destination(workspace, chosen.id, out)
    photos = workspace.photos()
    fair = fairly(workspace, chosen.provenance, photos)
    asked = [Target.of(text, chosen.classes) for text in targets]
    with made_aside(folder) as made:
        progress(0.0, "writing the model")
        objective = objective_for(workspace, chosen.classes)
        costs = {"costs": objective.matrix} if isinstance(objective, Costs) else {}
        held_back = _spread(fair.validation, COMPARED)
        learned = photos[(photos["split"] == "train") & photos["label"].isin(chosen.classes)]
        learned = learned[:0] if held_back.empty else _spread(learned, FITTED)
        graphs = _write_models(workspace, chosen, learned, made, variants, threshold, progress, **costs)
        progress(0.4, "calibrating on the validation photos")
        validation = measure(workspace, made, list(graphs.variants), held_back, _part(progress, 0.4, 0.6))
        truth = held_back["label"].map({label: number for number, label in enumerate(chosen.classes)}).to_numpy()
        warmth = temperature(validation.logits("fp32"), truth)
        ranks = {name: scale(scores) for name, scores in validation.known.items() if np.isfinite(scores).any()}
        if "fp32" in ranks:
            ranks = {name: ranks.get(name, ranks["fp32"]) for name in graphs.variants}
        else:
            ranks, graphs = {}, graphs.without_known()
        scores, groups = validation.known["fp32"], dependent(held_back)
        least = below(keep_known, int(np.isfinite(scores).sum()), groups_among(held_back, scores))
        validation = validation.tempered(warmth)
        reached = _reached(
            validation,
            truth,
            chosen.classes,
            asked,
            np.array(objective.matrix) if isinstance(objective, Costs) else None,
            None if groups is None else groups.to_numpy(),
        )
        limits = {"thresholds": reached.limits} if reached else {}
        _save(workspace, graphs, made, chosen, warmth, threshold, ranks, least, **costs, **limits)

        progress(0.6, "comparing with PyTorch")
        probabilities = graphs.probabilities(chosen.network, warmth, ranks.get("fp32"))
        tried = photos[photos["split"] == "validation"] if held_back.empty else held_back
        difference, compared = compare(workspace, probabilities, predict.Model(made), tried, chosen.shown)
        for one in FORMATS:
            one.write(probabilities, chosen.shown.size, made / one.file)
        write_json(made / "labels.json", {"labels": chosen.classes})
        write_program(made)

        rows = fair.test
        openings = workspace.open_test(f"export {chosen.id}") if len(rows) else workspace.test_openings()
        tested = measure(workspace, made, list(graphs.variants), rows, _part(progress, 0.7, 1.0), COMPARED)
        answers = tested.answers(chosen.classes)
        if ranks:
            answers["known"] = tested.known["fp32"]
        test = accuracy(rows["label"], answers["predicted"], dependent(rows)) if len(rows) else None
        by_class = (
            per_class(rows["label"], answers["predicted"], chosen.classes, dependent(rows)) if len(rows) else None
        )
        write_csv(made / "test_predictions.csv", rows[["path", "label"]].reset_index(drop=True).join(answers))
        write_csv(made / "data.csv", photos[["path", "label", "split", "sha256"]])

        validation = validation.answered_by(predict.Model(made))
        judged = (tested, rows) if len(rows) else (validation, held_back)
        errors, table = _calibration(*judged, chosen, warmth)
        right = validation.right("fp32", held_back, chosen.classes)
        beside = Measured.beside((validation, held_back), (tested, rows), classes=chosen.classes, objective=objective)
        beside.insert(1, "file", [file_of(name) for name in beside["variant"]])
        beside.insert(2, "megabytes", [(made / file).stat().st_size / 1e6 for file in beside["file"]])
        export = Export(
            folder=folder,
            zip=zip_of(folder),
            run=chosen.id,
            parity=difference,
            parity_photos=compared,
            openings=openings,
            left_out=fair.left_out,
            notes=fair.notes + graphs.notes,
            validation=rate(right, groups) if chosen.changed or costs or limits else chosen.validation,
            test=test,
            per_class=by_class,
            variants=beside,
            temperature=warmth,
            calibration_error=errors,
            reliability=table,
            coverage=coverage(validation.sureness("fp32"), right, groups),
            threshold=threshold,
            known=figures(
                workspace,
                chosen.spec,
                (learned, held_back, rows),
                (ranked(validation.known["fp32"], ranks["fp32"]), tested.known["fp32"]),
                (keep_known, least),
            )
            if ranks
            else None,
            targets=reached and reached.expected,
            objective=objective and objective.text,
            score=judged[0].score(objective, judged[1]) if objective and len(judged[1]) else None,
        )
        facts = _facts(workspace, chosen, export, fair)
        write_json(made / "config.json", facts)
        if len(chosen.history):
            write_text(made / "curves.svg", curves(chosen.history))
        write_text(made / "README.md", model_card(folder.name, chosen, export, facts, photos))
        export = sealed(export, made, start)
    if chosen.id in (store := run_store(workspace)).ids():
        trackers.write(store.on_disk(chosen.id))
    progress(1.0, f"exported to {folder}")
    return export


def load_bundle(folder: str | Path) -> nn.Module:
    """The exported network in PyTorch: uint8 photos (n, height, width, 3) to logits (n, classes).

    Raises InputError when `folder` is no export of a classifier, or a file in it was changed.
    """
    folder = verification.checked(folder)
    if (kind := predict.kind_of(folder).KIND) != predict.Model.KIND:
        raise InputError(f"{folder} holds no classifier ({kind}): use it with cvtune_nb.export.open_export")
    try:
        facts = read_json(folder / "config.json")
        weights = safetensors.torch.load_file(folder / "model.safetensors")
        mirrored = bool((facts.get("at_test_time") or {}).get("mirrored"))
        return rebuilt(facts["kind"], facts["config"], facts["classes"], weights, mirrored)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(f"{folder} is incomplete ({error}): export the run again") from None


# -- the files ------------------------------------------------------------------------------------------------


def _write_models(
    workspace: Workspace,
    chosen: Candidate,
    learned: pd.DataFrame,
    made: Path,
    variants: tuple[str, ...],
    threshold: float,
    progress: Progress,
    **answers: Any,
) -> _Graphs:
    """The network in float32 and in each variant, written to `made`; learned: photos that `known` is fitted on."""
    network, seen, likeness, notes = None, None, None, ()
    if learned["label"].nunique() > 1:
        try:
            likely = _with_features(chosen)
            likeness = of_training(workspace, likely[1], learned, chosen.shown, _part(progress, 0.0, 0.2))
            network, seen = likely
        except (InputError, photo.UnreadablePhoto) as error:  # a training photo that is gone refuses no export
            notes = (f"it does not say how much a photo is like those of training ({error})",)
    network = network or onnx_model.network(onnx_model.program(chosen.network, chosen.shown.size))
    graphs = {"fp32": network}
    photos = workspace.photos()
    train = _spread(photos[photos["split"] == "train"], CALIBRATION_PHOTOS) if variants else photos[:0]
    images = []
    for path in train["path"]:
        with suppress(photo.UnreadablePhoto):  # it is gone since
            images.append(pixels.square(workspace, workspace.path_of(path), chosen.shown))
    if variants and not images:
        raise InputError("no training photo can be read any more: export without smaller variants")
    for name in variants:
        progress(0.2, f"making the {name} variant")
        graphs[name] = VARIANTS[name].make(network, np.stack(images))
    written = _Graphs(graphs, seen, likeness, notes)
    _save(workspace, written, made, chosen, 1.0, threshold, {}, 0.0, **answers)
    return written


def _with_features(chosen: Candidate) -> tuple[Any, Seen]:
    """The network in ONNX with its features, and the same in PyTorch: of all stages, where these can be exported."""
    pooling = pooling_of(chosen.spec.backbone)
    for features in dict.fromkeys([pooling, chosen.spec.pooling]):
        seen = Seen(chosen.network, features).eval()
        try:
            return onnx_model.network(onnx_model.program(seen, chosen.shown.size), "logits", "features"), seen
        except InputError:
            if features == chosen.spec.pooling:
                raise
    raise AssertionError  # the last either returns or raises


def _save(
    workspace: Workspace,
    graphs: _Graphs,
    made: Path,
    chosen: Candidate,
    warmth: float,
    threshold: float,
    ranks: dict[str, onnx_known.Scale],
    least: float,
    **answers: Any,
) -> None:
    """answers: notes by which the program decides (predict.Model.decide)."""
    shown = chosen.shown
    for name, graph in graphs.variants.items():
        notes = {
            "run": chosen.id,
            "backbone": chosen.spec.backbone,
            "cvtune": cvtune_nb.__version__,
            "threshold": threshold,
            "variant": name,
            "levels": workspace.levels,
            **answers,
        }
        padding, known = padding_for(workspace, shown), None
        if graphs.likeness:
            notes["known_below"] = least
            known = onnx_known.known(graphs.likeness, ranks.get(name))
        whole = onnx_model.whole(graph, chosen.classes, shown, warmth, padding, known, **notes)
        onnx_model.save(whole, made / file_of(name))


@dataclass(frozen=True)
class _Reached:
    """Thresholds of the classes, None where one has none, and what they change (thresholds.expected)."""

    limits: list[float | None]
    expected: pd.DataFrame


def _reached(
    validation: Measured,
    truth: np.ndarray,
    classes: list[str],
    targets: Sequence[Target],
    costs: np.ndarray | None,
    groups: np.ndarray | None,
) -> _Reached | None:
    """What the targets ask for on the validation photos that can be read; None without any."""
    if not targets:
        return None
    chances = validation.chances["fp32"]
    read = np.isfinite(chances).all(axis=1)
    own = None if groups is None else groups[read]
    limits = thresholds_for(truth[read], chances[read], classes, targets, costs, own)
    table = expected_of_targets(truth[read], chances[read], classes, targets, costs, groups=own)
    return _Reached([None if np.isnan(limit) else float(limit) for limit in limits], table)


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows as values for JSON, None where there is none."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


# -- the figures ----------------------------------------------------------------------------------------------


def _spread(photos: pd.DataFrame, count: int) -> pd.DataFrame:
    """`count` of `photos` (or all), evenly over the table sorted by class."""
    rows = photos.sort_values(["label", "path"])
    return rows.iloc[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _part(progress: Progress, low: float, high: float) -> Progress:
    return lambda share, words: progress(low + (high - low) * share, words)


def _calibration(
    measured: Measured, photos: pd.DataFrame, chosen: Candidate, warmth: float
) -> tuple[tuple[float, float], pd.DataFrame]:
    """Calibration error before and after the temperature, and the tables of reliability that it comes from."""
    tables = []
    for when, form in (("before", measured.tempered(1 / warmth)), ("after", measured)):
        right = form.right("fp32", photos, chosen.classes)
        table = reliability(form.confidence("fp32"), right, form.groups("fp32", photos))
        tables.append(table.assign(when=when))
    before, after = (calibration_error(table) for table in tables)
    return (before, after), pd.concat(tables, ignore_index=True)


def _facts(workspace: Workspace, chosen: Candidate, export: Export, fair: Fair) -> dict[str, Any]:
    """What config.json holds: enough to rebuild the network and to know where it came from."""
    manifest = workspace.folder / "manifest.csv"
    summary = workspace.audit / "summary.json"
    return {
        "made": now(),
        "run": chosen.id,
        "kind": chosen.kind,
        "config": chosen.parameters,
        "classes": chosen.classes,
        "accuracy": {
            "train": chosen.train.to_dict(),
            "validation": export.validation.to_dict(),
            "test": export.test and export.test.to_dict(),
        },
        "objective": export.objective,
        "objective_score": export.score and export.score.to_dict(),
        "test_openings": export.openings,
        "test_left_out": export.left_out,
        "notes": list(export.notes),
        "parity": export.parity,
        "parity_photos": export.parity_photos,
        "variants": plain(export.variants),
        "temperature": export.temperature,
        "calibration_error": list(export.calibration_error),
        "threshold": export.threshold,
        "targets": None if export.targets is None else plain(export.targets),
        "known": export.known and export.known.to_dict(),
        "levels": workspace.levels,
        "padding": padding_for(workspace, chosen.shown),
        "at_test_time": chosen.at_test_time and asdict(chosen.at_test_time),
        "logit_adjustment": chosen.logit_adjustment,
        "data": {
            "split": fair.split,
            "name": Path(workspace.source).name,
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
            "seed": workspace.seed,
            "skipped": len(workspace.skipped()),
            "decisions": len(workspace.standing()),
            "audit": read_json(summary)["issues"] if summary.exists() else None,
        },
        "versions": versions(),
    }
