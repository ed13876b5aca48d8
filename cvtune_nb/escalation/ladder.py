"""The ladders: rungs of parameters, the cheapest first.

A family of backbones has one in its row (models.backbones); any list of configs is a ladder too, and a person's own is
kept in the workspace as rungs.csv.
"""

import contextlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, write_csv
from cvtune_nb.imbalance import NONE
from cvtune_nb.models import sizes
from cvtune_nb.models.backbones import RANDOM, family_of
from cvtune_nb.models.families import CONTRAST, FAMILIES, PROGRESSIVE
from cvtune_nb.models.recipes import recommended
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.workspace import Workspace

LARGER = (math.sqrt(2), 2.0)
"""The topmost rungs of a network that is on no family's ladder: its image size times these, minibatch and learning rate
halved at each."""

PUBLISHED_2018 = """\
rung,backbone,image_size,time_low,time_high,accuracy
1,resnet18,224,1,1,0.826
2,resnet18,500,2,5,0.902
3,resnet50,224,2,5,0.875
4,resnet50,500,5,15,0.928
"""

COLUMNS = [name for name in PARAMETERS if name != "seed"]
"""Of rungs.csv: every parameter but the seed."""
WORDS = [
    parameter.name
    for parameter in PARAMETERS.values()
    if parameter.scale in ("name", "menu", "policies", "remedy", "text", "file", "run")
]
"""Columns that hold words, not numbers."""


def ladders() -> list[str]:
    """The families that have a ladder."""
    return [family.name for family in FAMILIES.values() if family.ladder]


def ladder(family: str) -> list[Config]:
    """The rungs of a family, one of `ladders`, cheapest first. Raises InputError for one that has no ladder."""
    if family not in ladders():
        raise InputError(f"there is no ladder for {family!r}: choose {' or '.join(ladders())}")
    row = FAMILIES[family]
    return [recommended(**{**row.shared_by_rungs, **rung.values}) for rung in row.ladder]


def resized(rungs: Sequence[Config], image_sizes: Sequence[int] = (), epochs: int = 0) -> list[Config]:
    """Rungs with other image sizes and epochs.

    Parameters
    ----------
    rungs : sequence of Config
        Cheapest first.
    image_sizes : sequence of int
        One for each rung, the last one for all beyond; empty: the rungs' own.
    epochs : int
        Those of all rungs; 0: the rungs' own.
    """
    if image_sizes:
        sizes_of = [*image_sizes, *[image_sizes[-1]] * len(rungs)]
        rungs = [replace(rung, image_size=size) for rung, size in zip(rungs, sizes_of, strict=False)]
    return [replace(rung, epochs=epochs, schedule="") for rung in rungs] if epochs else list(rungs)


def shown_as(rung: Config, spec: FeatureSpec) -> Config:
    """A rung of which the network sees photos, and gives features, as `spec` says, but for the image size."""
    shown = spec.preprocessing
    return replace(rung, framing=shown.framing, aspect=shown.aspect, pooling=spec.pooling)


def climbs_alone(backbone: str, weights: str = "") -> bool:
    """Whether a network has rungs of its own: its family has no ladder, or no other network has its weights."""
    return not family_of(backbone).ladder or bool(weights) or backbone.endswith(RANDOM)


def ladder_of(spec: FeatureSpec) -> list[Config]:
    """The rungs for a backbone, cheapest first: those of its family, else of the network alone.

    What the network is shown, and which of its features count, is the same on all of them, but for the image size.
    """
    family = family_of(spec.backbone)
    if not climbs_alone(spec.backbone, spec.weights):
        return [shown_as(rung, spec) for rung in ladder(family.name)]
    first = shown_as(recommended(spec.backbone, weights=spec.weights, **family.shared_by_rungs), spec)
    rungs = [first] if family.shared_by_rungs else [first, replace(first, **CONTRAST)]
    for factor in LARGER:
        size = sizes.nearest(spec.backbone, round(first.image_size * factor / 32) * 32)[0]
        if size > rungs[-1].image_size:
            rungs.append(_progressive(replace(rungs[-1].halved(), image_size=size)))
    return rungs


def _progressive(rung: Config) -> Config:
    """The same with what rungs of larger photos have besides, where its network and its loss take that."""
    if rung.loss == PARAMETERS["loss"].default:
        return rung
    with contextlib.suppress(InputError):
        sizes.smaller(rung.backbone, rung.image_size)
        return replace(rung, **PROGRESSIVE)
    return rung


def read_rungs(file: Path, imbalance: str = NONE) -> list[Config]:
    """The rungs in a CSV file with a column for each parameter, at least `backbone`.

    What is left out is as recommended for the backbone, and the remedy for imbalance this one. Raises InputError that
    names the file and the rung.
    """
    return _read(file, lambda **values: recommended(**{"imbalance": imbalance, **values}))


def _read(file: Path, complete: Callable[..., Config]) -> list[Config]:
    """The rungs in a file; `complete` makes one of the values that it has."""
    try:
        table = read_csv(Path(file), **dict.fromkeys(WORDS, str))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} can't be read as a table of rungs ({error}): give a CSV file") from None
    names = [name for name in table.columns if name != "rung"]
    if "backbone" not in names:
        raise InputError(f"{file} has no column backbone: name its columns {', '.join(COLUMNS)}")
    rungs = []
    for number, row in enumerate(table[names].to_dict("records"), 1):
        values = {name: value for name, value in row.items() if value != ""}
        try:
            if "backbone" not in values:
                raise InputError("it names no backbone")
            rungs.append(complete(**values))
        except InputError as error:
            raise InputError(f"{file}, rung {number}: {error}") from None
    return rungs


def own_rungs(workspace: Workspace) -> list[Config]:
    """The rungs that the person has edited in this workspace; empty when there are none.

    A parameter that an earlier version did not know has the value that this version had.
    """
    file = workspace.folder / "rungs.csv"
    return _read(file, lambda **values: Config.from_file(values)) if file.exists() else []


def save_rungs(workspace: Workspace, rungs: Sequence[Config]) -> None:
    """Keep the person's rungs; without any, the ladder of the family is shown again."""
    file = workspace.folder / "rungs.csv"
    if rungs:
        write_csv(file, pd.DataFrame([rung.to_dict() for rung in rungs])[COLUMNS])
    else:
        file.unlink(missing_ok=True)


def reference_2018() -> pd.DataFrame:
    """What was published in 2018.

    rung,backbone,image_size,time_low,time_high (times that of rung 1),accuracy (0 to 1, mean of three data sets).
    """
    return pd.read_csv(io.StringIO(PUBLISHED_2018)).astype({"time_low": float, "time_high": float})
