"""Look-alikes: similar."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.common import open_workspace_of, require_use
from cvtune_nb.commands.exported import alike, answers, photos_named, require_one, with_left_out
from cvtune_nb.commands.flags import COMPONENTS, DISTANCE, OPEN_TEST, argument
from cvtune_nb.console import Meter, table
from cvtune_nb.errors import InputError

if TYPE_CHECKING:
    from cvtune_nb.similarity.metric import Metric
    from cvtune_nb.similarity.model import Embedder
    from cvtune_nb.workspace import Workspace

USES = {
    "with an export": ("photos", "k"),
    "with photos to look up": ("photos", "k", "embedder", "distance", "rerank", "components"),
    "without photos to look up": ("embedder", "distance", "rerank", "components", "open_test"),
    "with --label-next": ("label_next", "embedder", "count", "like"),
}
"""What `cvtune similar` is used for, and which of its arguments have a meaning there."""


@command(
    argument("where", metavar="WHERE", help="what `cvtune export --similarity` made, or the folder of a workspace"),
    argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="photos to look up, or folders of them; in a workspace without any: "
        "how well its validation photos find theirs among the training photos",
    ),
    argument("--k", type=int, metavar="N", help="look-alikes of each photo (10)"),
    argument(
        "--embedder",
        default="",
        metavar="NAME",
        help="a run's id, best, last, or a frozen "
        "BACKBONE@SIZE, or BACKBONE@SIZE-weights=FILE (the best run, or before there is one what `cvtune compare` "
        "chose)",
    ),
    DISTANCE,
    argument("--rerank", action="store_true", help="re-rank by the neighbours that photos have in common"),
    COMPONENTS,
    argument("--label-next", default="", metavar="FOLDER", help="list which of its photos to label next"),
    argument("--count", type=int, metavar="N", help="photos to label next (50)"),
    argument("--like", nargs="+", metavar="PHOTO", help="label next only photos like these"),
    OPEN_TEST,
)
def similar(arguments: argparse.Namespace, meter: Meter) -> Result:
    """look-alikes of photos, how well they are found, and which photos to label next"""
    where = Path(arguments.where).expanduser()
    if not (where / "workspace.json").exists():
        _require_use(arguments, "with an export")
        return _search_export(where, arguments, meter)
    if arguments.label_next:
        _require_use(arguments, "with --label-next")
    else:
        _require_use(arguments, "with photos to look up" if arguments.photos else "without photos to look up")

    from cvtune_nb.similarity import Metric, find_embedder

    metric = Metric.of(arguments.components, arguments.distance)
    given = argparse.Namespace(data="", workspace=str(where), pixels_gb="", layout="", draw_validation=None)
    workspace = open_workspace_of(given, meter, meter)
    embedder = find_embedder(workspace, arguments.embedder)
    meter.say(f"embedder: {embedder.words}")
    if arguments.label_next:
        return _label_next(workspace, embedder, arguments, meter)
    return (_search if arguments.photos else _evaluate)(workspace, embedder, metric, arguments, meter)


def _require_use(arguments: argparse.Namespace, case: str) -> None:
    """Raises InputError for an argument that has no meaning in that case of USES, and for a number that makes none."""
    require_use(arguments, USES, case)
    if arguments.k is not None and arguments.k < 1:
        raise InputError(f"--k is {arguments.k}: give the number of look-alikes of each photo, 1 or more")


def _photos_to_look_up(arguments: argparse.Namespace) -> tuple[list[str], list[tuple[str, str]]]:
    if not arguments.photos:
        raise InputError(f"no photos are given: name those to look up in {arguments.where}")
    return photos_named(arguments.photos)


def _search_export(where: Path, arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.export import open_export
    from cvtune_nb.export.predict import Similar

    if not where.is_file() and not (where / "model.onnx").exists():
        raise InputError(
            f"{where} is neither an export nor a workspace: give the folder or zip that `cvtune export --similarity` "
            "made, or the folder of a workspace"
        )
    (paths, left_out), model = _photos_to_look_up(arguments), open_export(where)
    if model.KIND != Similar.KIND:
        raise InputError(f"{where} does not hold look-alikes: use `cvtune predict`, or `cvtune export --similarity`")
    rows = answers(paths, partial(model.predict, top=arguments.k), meter)
    return with_left_out("similar", rows, alike(rows), left_out)


def _search(
    workspace: "Workspace", embedder: "Embedder", metric: "Metric", arguments: argparse.Namespace, meter: Meter
) -> Result:
    """The photos of the workspace that look most like each of those given."""
    from cvtune_nb.export.predict import Similar
    from cvtune_nb.similarity import build_index

    paths, left_out = _photos_to_look_up(arguments)
    index = build_index(workspace, embedder, metric, arguments.rerank, meter)
    rows = index.predict(paths, arguments.k or Similar.TOP, meter)
    require_one(rows)
    return with_left_out("similar", rows, alike(rows), left_out)


def _evaluate(
    workspace: "Workspace", embedder: "Embedder", metric: "Metric", arguments: argparse.Namespace, meter: Meter
) -> Result:
    """How well photos of validation, and where asked for of test, find theirs; beside the same network frozen."""
    from cvtune_nb.similarity import evaluate

    found = evaluate(workspace, embedder, metric, arguments.rerank, arguments.open_test, meter)
    text = embedder.words
    for scores in filter(None, (found.validation, found.test)):
        text += f"\n\n{scores.note}" if scores.note else ""
        by_class = table(scores.by_class.to_dict("records"), list(scores.by_class))
        text += f"\n\n{scores.split}: {scores.words}\n{by_class}"
    if found.frozen and found.gain:
        text += f"\n\nfrozen, validation: {found.frozen.words}\nwhat training brought: {found.gain.words}"
    if found.test:
        text += f"\ntest set opened {found.test_openings} time(s)"
    return Result(found.to_dict(), text)


def _label_next(workspace: "Workspace", embedder: "Embedder", arguments: argparse.Namespace, meter: Meter) -> Result:
    from cvtune_nb.similarity import label_next

    count = 50 if arguments.count is None else arguments.count
    found = label_next(workspace, arguments.label_next, embedder, count, arguments.like or (), progress=meter)
    photos = found.table.to_dict("records")
    text = f"{table(photos, ['path', 'looks_like', 'probability', 'why', 'like'])}\n\n{found.words}"
    listed = with_left_out("photos", photos, text, found.left_out)
    return Result({"file": str(found.file), **listed.values}, listed.text)
