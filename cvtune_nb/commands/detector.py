"""Small objects: detect."""

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import DONE, STOPPED, Result, command
from cvtune_nb.commands.common import NO_EPOCH, found_again, parameters_given, trained
from cvtune_nb.commands.flags import argument, flag, parameters
from cvtune_nb.console import Meter, table
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import DETECTOR_PARAMETERS

if TYPE_CHECKING:
    from cvtune_nb.detection import Dataset


@command(
    *flags.PHOTOS,
    *parameters(DETECTOR_PARAMETERS, DETECTOR_PARAMETERS),
    argument(
        "--hard-negatives",
        action="store_true",
        help="then train one more round on photos without boxes in which something was found, if that is worth it",
    ),
    flags.BOXES,
    flags.WAIT,
    flags.RESUME,
    flags.OPEN_TEST,
)
def detect(arguments: argparse.Namespace, meter: Meter) -> Result:
    """train a Faster R-CNN for small objects, on boxes from VOC, COCO, YOLO, CVAT or labelme or drawn in notebook 06"""
    found: dict[str, Any] = {"problems": [], "left_out": []}
    try:
        values = parameters_given(arguments, tuple(DETECTOR_PARAMETERS), DETECTOR_PARAMETERS)
        if arguments.resume and values:
            raise InputError(f"--resume keeps the run's own parameters: leave out {flag(next(iter(values)))}")
        dataset = _opened(arguments, meter, values.get("seed", 0))
        found = {
            "problems": dataset.annotations.problems.to_dict("records"),
            "left_out": dataset.left_out.to_dict("records"),
        }
        return _trained(arguments, meter, values, dataset, found)
    except InputError as error:
        error.found |= found
        raise


def _opened(arguments: argparse.Namespace, meter: Meter, seed: int) -> "Dataset":
    """The photos and boxes; says what was found, and what is left out."""
    from cvtune_nb import detection
    from cvtune_nb.data import levels

    dataset = detection.open_dataset(
        arguments.data,
        arguments.workspace,
        seed,
        arguments.boxes,
        meter,
        black=arguments.black,
        white=arguments.white,
        bands=arguments.bands,
    )
    annotations, left_out = dataset.annotations, len(dataset.left_out)
    meter.say(f"photos: {dataset.workspace.source}; workspace: {dataset.workspace.folder}")
    for words in (dataset.workspace.moved, levels.in_words(dataset.workspace)):
        if words:
            meter.say(words)
    sizes = detection.sizes(annotations)
    meter.say(f"{sizes.words}; photos without a box: {sizes.negatives}")
    if annotations.lost:
        first = " ".join(word for word in annotations.problems.loc[0, ["file", "where", "words"]] if word)
        meter.say(f"{annotations.lost} (all of them: --json), first {first}")
    if left_out:
        meter.say(f"files that were not used: {left_out}, for the reasons in {dataset.folder / 'left_out.csv'}")
    return dataset


def _trained(
    arguments: argparse.Namespace, meter: Meter, values: dict[str, Any], dataset: "Dataset", found: dict[str, Any]
) -> Result:
    """The run that was asked for, and how good it is; `found` is what --json tells besides."""
    from cvtune_nb import detection
    from cvtune_nb.runs.cost import past_errors, past_in_words

    detection.require_boxes(dataset.annotations)
    detection.require_learnable(dataset)
    train = dataset.part("train")
    load = partial(detection.load_run, dataset)
    if arguments.resume:
        resumed = load(arguments.resume)
        config, find = resumed.config, partial(load, resumed.id)
    else:
        suggested = {
            "detector": detection.default()[0],
            "image_size": detection.suggested_size(train.boxes, train.photos)[0],
        }
        config = detection.DetectorConfig.from_values(**{**suggested, **values})
        find = partial(detection.earlier_run, dataset, config)

    def go_on(earlier: detection.DetectorRun | None) -> detection.DetectorRun:
        if earlier:
            meter.say(found_again(earlier))
        cost, past = detection.predict_cost(dataset, config, meter), past_in_words(past_errors(detection.runs(dataset)))
        meter.say(
            f"{config.detector} at {config.image_size} pixels, epochs: {config.epochs}, {cost.words}"
            + (f"; {past}" if past else "")
        )
        return detection.fit(dataset, config, run=earlier and earlier.id, progress=meter)

    run = trained(find, load, go_on, arguments.wait, meter)
    if arguments.hard_negatives and run.state == "done":
        alarms = detection.look(dataset, run, meter)
        meter.say(alarms.words)
        run = detection.one_round(dataset, run, alarms, progress=meter) if alarms.worth else run
        meter.say(detection.outcome(dataset, run) or f"no round: {run.id} stays as it is")
    found = {**run.to_dict(), "splits": dataset.photos["split"].value_counts().to_dict(), **found}
    text = f"run {run.id}: {run.state}\n\n"
    text += table(run.history.to_dict("records"), list(run.history)) if len(run.history) else NO_EPOCH
    verdicts = [detection.verdict(dataset, run)]
    found["findings"] = [finding.to_dict() for finding in detection.advise(dataset, verdicts[0])]
    if len(run.history):
        if arguments.open_test:
            detection.require_tested(dataset, run)  # before it is counted as opened
            openings = dataset.workspace.open_test(f"detect {run.id}")
            verdicts.append(detection.verdict_on_test(dataset, verdicts[0], meter))
            meter.say(f"test set opened {openings} time(s)")
        for verdict in verdicts:
            found[verdict.on] = verdict.to_dict()
            text += f"\n\n{verdict.words}\n" + "".join(f"{note}\n" for note in verdict.notes)
            text += table(verdict.scores.by_class.to_dict("records"), list(verdict.scores.by_class))
        if beside := detection.beside_classifier(dataset, verdicts[0]):
            found["beside_classifier"] = {
                "detector": beside.detector.to_dict(),
                "words": beside.words,
                "classifier": beside.classifier.to_dict(),
            }
            text += f"\n\n{beside.words}"
    text += "".join(f"\n- {finding['title']}: {finding['evidence']}" for finding in found["findings"])
    return Result(found, text, STOPPED if run.state == "stopped" else DONE)
