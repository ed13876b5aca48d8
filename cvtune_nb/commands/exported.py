"""Models that leave: export, predict, serve."""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvtune_nb.commands import flags
from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.common import open_workspace_of, require_use
from cvtune_nb.commands.flags import argument
from cvtune_nb.console import Meter, duration, one_line, table
from cvtune_nb.errors import InputError
from cvtune_nb.export.variants import VARIANTS
from cvtune_nb.objectives.forms import USUAL

if TYPE_CHECKING:
    import pandas as pd

    from cvtune_nb.classification.known import Known
    from cvtune_nb.export.packaging import Exported

NOT_MEASURED = "not measured, no photos"

OF_PHOTOS = ("layout", "draw_validation", "group_by", "redraw_split", "pixels_gb")
USES = {
    "for a classifier": ("variants", "threshold", "target", "keep_known", "objective", *OF_PHOTOS),
    "with --detector": ("boxes",),
    "with --similarity": ("components", "distance", *OF_PHOTOS),
}
"""What `cvtune export` exports, and which of its arguments have a meaning there only."""

USES_AN_EXPORT = (
    argument("export", metavar="EXPORT", help="the folder or zip that `cvtune export` made"),
    argument("--variant", choices=("fp32", *VARIANTS), default="fp32", help="which variant of the model to use (fp32)"),
)


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument(
        "--run",
        required=True,
        metavar="RUN",
        help="a run's id, best, last, svm for the baseline, or combination for the last one; with --similarity also a "
        "frozen BACKBONE@SIZE, or with own weights BACKBONE@SIZE-weights=FILE",
    ),
    argument("--earlier-data", action="store_true", help="export a run even if its classes are not those of today"),
    argument("--detector", action="store_true", help="the run is one of a detector (cvtune detect)"),
    flags.BOXES,
    argument("--similarity", action="store_true", help="export it to find look-alikes, with an index of all photos"),
    flags.COMPONENTS,
    flags.DISTANCE,
    argument("--out", metavar="DIR", help="a new folder (one in the workspace); a zip is written beside it"),
    argument(
        "--variants",
        metavar="V",
        help=f"smaller variants to write too, or none ({','.join(VARIANTS)})",
    ),
    argument("--threshold", type=float, metavar="P", help="not sure below this probability (0: always sure)"),
    argument(
        "--target",
        action="append",
        metavar="TARGET",
        help="a threshold for one class, such as lemon:recall=.9 or lemon:precision=.95; may be given for several",
    ),
    argument(
        "--keep-known",
        type=float,
        metavar="SHARE",
        help="of photos like those of validation, not to be called unlike all classes (0.95; 0: none is called so)",
    ),
    flags.OBJECTIVE,
)
def export(arguments: argparse.Namespace, meter: Meter) -> Result:
    """export a run to a folder that works elsewhere, and evaluate it on the test photos"""
    if arguments.detector and arguments.similarity:
        raise InputError("a run is exported as a detector or for similarity, not as both: leave out one of the two")
    if arguments.detector:
        require_use(arguments, USES, "with --detector")
        return _export_detector(arguments, meter)
    if arguments.similarity:
        require_use(arguments, USES, "with --similarity")
        return _export_similarity(arguments, meter)
    require_use(arguments, USES, "for a classifier")
    from cvtune_nb.classification import export_run

    workspace = open_workspace_of(arguments, meter, meter)
    given = VARIANTS if arguments.variants is None else arguments.variants.split(",")
    variants = tuple(name.strip() for name in given if name.strip() not in ("", "none"))
    threshold = arguments.threshold or 0.0
    keep = {} if arguments.keep_known is None else {"keep_known": arguments.keep_known}
    made = export_run(
        workspace,
        arguments.run,
        arguments.out,
        meter,
        variants,
        threshold,
        arguments.earlier_data,
        targets=arguments.target or (),
        **keep,
    )
    before, after = made.calibration_error
    value = ["objective_value"] if "objective_value" in made.variants else []
    columns = ["variant", "file", "megabytes", "milliseconds", "accuracy", *value, "verdict"]
    return _exported(
        made,
        f"test accuracy {made.test or NOT_MEASURED}",
        *([f"objective, {made.score.label}: {made.score}"] if made.score and made.objective != USUAL else []),
        f"calibration error {before:.1%}, with temperature {made.temperature:.3g} {after:.1%}",
        *known_words(made.known),
        *(target_words(made.targets) if made.targets is not None else ()),
        after=f"\n\n{table(made.variants.to_dict('records'), columns)}",
    )


def target_words(targets: "pd.DataFrame") -> list[str]:
    """What thresholds of single classes change, a line each; targets: thresholds.expected."""
    return [
        f"{f'{row.label}, {row.kind}' if row.label else 'accuracy'}: {row.before:.1%} before, {row.expected:.1%} "
        f"expected ({row.low:.1%} to {row.high:.1%})"
        + (f", from a probability of {row.threshold:.3f}" if row.label else "")
        for row in targets.itertuples()
    ]


def known_words(known: "Known | None") -> list[str]:
    """What is said of photos that are none of the classes, a line each."""
    if known is None:
        return ["how much a photo is like those of training: not measured, no validation photos"]
    kept = f"; of the test photos it keeps {known.test_kept}" if known.test_kept else ""
    lines = [
        f"unlike all classes: known below {known.below:.3f}{kept}"
        if known.below
        else f"no photo is called unlike all classes{': too few validation photos for that' if known.keep else ''}"
    ]
    if len(known.left_out):
        lines.append(f"a class that was left out: found with AUROC {known.expected:.3f} (each in turn, frozen network)")
    return lines


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument("--run", required=True, metavar="RUN", help="a run's id, best, last, or svm for the baseline"),
    argument(
        "--use",
        default="none",
        metavar="N",
        help="what exports of it do: best (the best by what counts, if it is reliably better than in training), the "
        "number of a line (1: as in training), or none: what was chosen before (none)",
    ),
    flags.OBJECTIVE,
)
def tta(arguments: argparse.Namespace, meter: Meter) -> Result:
    """measure larger photos, a wider crop and mirror images at test time, on validation"""
    from cvtune_nb.classification.at_test_time import (
        best,
        choose,
        chosen_for,
        expected_seconds,
        in_words,
        measure,
        tried,
        what_counts,
    )
    from cvtune_nb.classification.exportable import candidate, trained_with
    from cvtune_nb.objectives import Counted

    if arguments.use not in ("best", "none") and not arguments.use.isdecimal():
        raise InputError(f"--use is {arguments.use!r}: give best, none or the number of a line")
    workspace = open_workspace_of(arguments, meter, meter)
    spec, photos = trained_with(workspace, arguments.run), workspace.photos()
    _require_line(arguments.use, len(tried(spec, photos[photos["split"] == "validation"])))
    meter.say(f"{spec}: about {duration(expected_seconds(workspace, spec))} at most")
    made = candidate(workspace, arguments.run, meter)
    options, rows = measure(workspace, made, meter)
    _require_line(arguments.use, len(options))  # fewer where it was trained on some of today's validation photos
    if arguments.use == "best":
        choose(workspace, made, best(options, rows))
    elif arguments.use != "none":
        choose(workspace, made, options[int(arguments.use) - 1])
    chosen = chosen_for(workspace, made.id, made.spec) or options[0]
    columns = ["line", *rows]
    lines = table(rows.assign(line=range(1, len(rows) + 1)).to_dict("records"), columns)
    counted = Counted.of(what_counts(workspace, made.classes))
    learned = in_words(options, rows, counted)
    words = f"{learned}\nexports of {made.id} show photos at {chosen}"
    values = {"run": made.id, "tried": rows.to_dict("records"), "chosen": str(chosen), "words": learned}
    return Result({**values, **counted.to_dict()}, f"{lines}\n\n{words}")


def _require_line(use: str, lines: int) -> None:
    """Raises InputError where --use is a number, and no line has it."""
    if use.isdecimal() and not 1 <= int(use) <= lines:
        raise InputError(f"--use is {use}: give a line from 1 to {lines}")


def _export_detector(arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.detection import export_detector, open_dataset

    dataset = open_dataset(
        arguments.data,
        arguments.workspace,
        kind=arguments.boxes,
        progress=meter,
        black=arguments.black,
        white=arguments.white,
        bands=arguments.bands,
    )
    made = export_detector(dataset, arguments.run, arguments.out, meter, arguments.earlier_data)
    return _exported(made, made.validation.words, made.test.words if made.test else f"test {NOT_MEASURED}")


def _export_similarity(arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.similarity import Metric, export_similarity

    workspace = open_workspace_of(arguments, meter, meter)
    made = export_similarity(
        workspace,
        arguments.run,
        arguments.out,
        meter,
        Metric.of(arguments.components, arguments.distance),
        arguments.earlier_data,
    )
    return _exported(
        made,
        f"{made.embedder.words}, {made.photos} photos in the index",
        f"validation: {made.validation.words}",
        f"test: {made.test.words if made.test else NOT_MEASURED}",
    )


def _exported(made: "Exported", *figures: str, after: str = "") -> Result:
    """The result of any export: where it is, its figures, how far they can be trusted."""
    lines = [
        f"{made.folder}: {', '.join(made.files)}",
        str(made.zip),
        "",
        *figures,
        *made.notes,
        f"test set opened {made.openings} time(s)",
        f"PyTorch and ONNX Runtime agree to {made.parity:.1e} ({made.parity_photos} photos)",
    ]
    return Result(made.to_dict(), "\n".join(lines) + after)


@command(*USES_AN_EXPORT, argument("images", nargs="+", metavar="IMAGE", help="photos, or folders of photos"))
def predict(arguments: argparse.Namespace, meter: Meter) -> Result:
    """classify photos, find objects in them or look up similar ones, with an exported model"""
    from cvtune_nb.export import open_export

    model = open_export(arguments.export, arguments.variant)
    paths, left_out = photos_named(arguments.images)
    rows = answers(paths, model.predict, meter)
    return with_left_out("predictions", rows, AS_TEXT[model.KIND](rows), left_out)


def answers(
    paths: list[str], predict: Callable[[list[str]], list[dict[str, Any]]], meter: Meter
) -> list[dict[str, Any]]:
    """What an exported model makes of photos, one by one.

    Parameters
    ----------
    paths
        Of the photos.
    predict
        The model's.
    meter
        Shows how far it is.

    Returns
    -------
    A row for each photo.

    Raises
    ------
    InputError
        When none of the photos could be used.
    """
    rows = []
    for number, path in enumerate(paths):
        meter(number / len(paths), f"looking at photos: {number} of {len(paths)}")
        rows += predict([path])
    require_one(rows)
    return rows


def classified(rows: list[dict[str, Any]]) -> str:
    """What is printed of photos that were classified: path, and label, probability, known and doubts, or error."""
    from cvtune_nb.export.predict import doubts

    lines = [
        {
            "chance": f"{row['probability']:.1%}" if "label" in row else "-",
            "known": f"{row['known']:.3f}" if "known" in row else "-",
            "label": row.get("label", "-") + ("?" if doubts(row) else ""),
            "why": ", ".join(doubts(row)) or "-",
            "photo": row["path"] + (f" ({said})" if (said := row.get("error") or row.get("note")) else ""),
        }
        for row in rows
    ]
    columns = ["chance", *["known"] * any("known" in row for row in rows), "label"]
    doubted = any(doubts(row) for row in rows)
    note = "\n?: don't know, with the thresholds that it was exported with; why says which" if doubted else ""
    return table(lines, [*columns, *["why"] * doubted, "photo"]) + note


def boxes_found(rows: list[dict[str, Any]]) -> str:
    """What is printed of photos in which objects were looked for: path, and boxes or error."""
    from cvtune_nb.export.predict import Detector, lines_of

    return "\n".join(lines_of(rows, Detector))


def photos_named(given: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """walk.photos_in of what was named on the command line. Raises InputError where that holds no photo."""
    from cvtune_nb.export.predict import walk  # not that of cvtune_nb.data, which brings pandas

    paths, left_out = walk.photos_in(given)
    if not paths:
        first = f" ({left_out[0][0]}: {left_out[0][1]})" if left_out else ""
        raise InputError(f"{', '.join(given)} holds no photos{first}: name photos, or folders of photos")
    return paths, left_out


def with_left_out(name: str, rows: list[dict[str, Any]], text: str, left_out: list[tuple[str, str]]) -> Result:
    """The result of a command that was given photos and folders.

    Parameters
    ----------
    name
        Of the rows in the JSON.
    rows
        One for each photo.
    text
        What is printed of them.
    left_out
        (path, reason) of the files in the folders that were left out.
    """
    from cvtune_nb.export.predict import words_of

    values = {name: rows, "left_out": [{"path": path, "reason": reason} for path, reason in left_out]}
    return Result(values, "\n".join([text, *map(one_line, words_of(left_out))]))


def require_one(rows: list[dict[str, Any]]) -> None:
    """Raises InputError when none of the photos could be used."""
    if all("error" in row for row in rows):
        raise InputError(f"{rows[0]['path']} can't be used ({rows[0]['error']}): give photos")


def alike(rows: list[dict[str, Any]]) -> str:
    """What is printed of photos that were looked up: path, and similar or error."""
    parts = []
    for row in rows:
        if "error" in row:
            parts.append(one_line(f"{row['path']}: {row['error']}"))
        else:
            near = [{**each, "distance": f"{each['distance']:.3f}"} for each in row["similar"]]
            note = f" ({row['note']})" if "note" in row else ""
            parts.append(f"nearest to {one_line(row['path'])}{note}\n{table(near, ['distance', 'label', 'path'])}")
    return "\n\n".join(parts)


AS_TEXT = {"classifier": classified, "detector": boxes_found, "similarity": alike}
"""By kind of export: from the rows of its `predict` to text."""

LIMITS = {
    "megabytes": (float, "size of a request (20)"),
    "photos": (int, "photos in a request (32)"),
    "megapixels": (float, "size of a photo (50)"),
    "seconds": (float, "time to answer a request (30)"),
    "waiting": (int, "requests in progress at a time (128)"),
}
"""What `cvtune serve` limits: export.serving.Limits. Their types and meanings."""


@command(
    *USES_AN_EXPORT,
    argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1: this machine only)"),
    argument("--port", type=int, default=8000, help="0 to 65535; 0: a free one (8000)"),
    argument("--token", help="token that requests must carry ($CVTUNE_TOKEN, or none)"),
    *(argument(f"--max-{name}", type=kind, metavar="N", help=meaning) for name, (kind, meaning) in LIMITS.items()),
    has_result=False,
)
def serve(arguments: argparse.Namespace, meter: Meter) -> Result:
    """serve an exported model over HTTP: photos in, JSON out, and a page to drop a photo on"""
    from cvtune_nb.export import open_export

    try:
        from cvtune_nb.export import serving
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install 'cvtune-nb[serve]'") from None
    limits: dict[str, Any] = {}
    for name in LIMITS:
        value = getattr(arguments, f"max_{name}")
        if value is None:
            continue
        if not 0 < value < 1e6:
            raise InputError(f"--max-{name} is {value:g}: give a number over 0 and below 1000000")
        limits[name] = value
    if not 0 <= arguments.port < 65536:
        raise InputError(f"--port is {arguments.port}: give a number from 0 to 65535")
    model = open_export(arguments.export, arguments.variant)
    meter.close()
    token = os.environ.get("CVTUNE_TOKEN", "") if arguments.token is None else arguments.token
    serving.serve(model, arguments.host, arguments.port, token, serving.Limits(**limits))
    return Result({}, "")
