"""Look-alikes: similar."""

import argparse
from pathlib import Path
from typing import Any

from cvtune_nb.commands.command import COMPONENTS, DISTANCE, OPEN_TEST, Result, argument, command, flag
from cvtune_nb.commands.common import open_workspace_of
from cvtune_nb.commands.exported import alike, photos_named, require_one, with_left_out
from cvtune_nb.console import Meter, one_line, table
from cvtune_nb.errors import InputError

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
        "BACKBONE@SIZE (the best run, or before there is one the default backbone)",
    ),
    DISTANCE,
    argument("--rerank", action="store_true", help="then rank again by the neighbours that photos have in common"),
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
        return _similar_by_export(where, arguments, meter)
    if arguments.label_next:
        _require_use(arguments, "with --label-next")
    else:
        _require_use(arguments, "with photos to look up" if arguments.photos else "without photos to look up")

    from cvtune_nb.similarity import embedder

    given = argparse.Namespace(data="", workspace=str(where), pixels_gb="", layout="", draw_validation=None)
    workspace = open_workspace_of(given, meter, meter)
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
    return {
        "distance": arguments.distance or "cosine",
        "rerank": arguments.rerank,
        "components": arguments.components or "pca",
    }


def _photos_to_look_up(arguments: argparse.Namespace) -> tuple[list[str], list[tuple[str, str]]]:
    if not arguments.photos:
        raise InputError(f"no photos are given: name those to look up in {arguments.where}")
    return photos_named(arguments.photos)


def _similar_by_export(where: Path, arguments: argparse.Namespace, meter: Meter) -> Result:
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
    rows = []
    for number, path in enumerate(paths):
        meter(number / len(paths), f"looking up photos: {number} of {len(paths)}")
        rows += model.predict([path], arguments.k or model.TOP)
    require_one(rows)
    return with_left_out("similar", rows, alike(rows), left_out)


def _similar_in_workspace(workspace: Any, of: Any, arguments: argparse.Namespace, meter: Meter) -> Result:
    """The photos nearest to each of those given among all of the workspace, the same file left out."""
    from cvtune_nb.data import photo
    from cvtune_nb.export.predict import Similar
    from cvtune_nb.files import sha256_of
    from cvtune_nb.similarity import look_up

    paths, left_out = _photos_to_look_up(arguments)
    rows: list[dict[str, Any]] = [{"path": path} for path in paths]
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
    require_one(rows)
    return with_left_out("similar", rows, alike(rows), left_out)


def _measured(workspace: Any, of: Any, arguments: argparse.Namespace, meter: Meter) -> Result:
    """How well photos of validation, and where asked for of test, find theirs; beside the same network frozen."""
    from cvtune_nb.similarity import compare, measure

    ways = _ways(arguments)
    measured, beside = [measure(workspace, of, **ways, progress=meter)], None
    values: dict[str, Any] = {"measured": measured[0].to_dict(), "frozen": None, "compared": None}
    text = f"{of.words}"
    if of.run:
        beside = measure(workspace, of.frozen, **ways, progress=meter, fair_to=of)
        values |= {"frozen": beside.to_dict(), "compared": compare(beside, measured[0]).words}
    if arguments.open_test:
        measured.append(measure(workspace, of, "test", **ways, progress=meter))
        values |= {"test": measured[1].to_dict(), "test_openings": workspace.test_openings()}
    for found in measured:
        text += f"\n\n{found.note}" if found.note else ""
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
