"""The ladders: rungs of parameters, in the order of their price. Rungs are data; any list of configs is a ladder
too, and a person's own is kept in the workspace as rungs.csv."""

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, write_csv
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.workspace import Workspace

LADDERS: dict[str, pd.DataFrame] = {
    "resnet": pd.read_csv(
        io.StringIO("""\
rung,backbone,image_size,batch_size,learning_rate,epochs,dropout,weight_decay,head,optimizer,time_2018,accuracy_2018
1,resnet18,224,32,0.05,15,0.5,0.0005,random,sgd,1x,0.826
2,resnet18,500,16,0.025,15,0.5,0.0005,random,sgd,2-5x,0.902
3,resnet50,224,16,0.025,15,0.5,0.0005,random,sgd,2-5x,0.875
4,resnet50,500,8,0.01,15,0.5,0.0005,random,sgd,5-15x,0.928
5,resnet101,500,4,0.005,15,0.5,0.0005,random,sgd,,
6,resnet152,500,4,0.005,15,0.5,0.0005,random,sgd,,
7,resnet152,704,2,0.0025,15,0.5,0.0005,random,sgd,,
""")
    ),
    "efficientnet_lite": pd.read_csv(
        io.StringIO("""\
rung,backbone,image_size,batch_size,learning_rate,epochs,dropout,weight_decay,head,optimizer,time_2018,accuracy_2018
1,efficientnet_lite0,224,32,0.0003,8,0,0.01,svm,adamw,,
2,efficientnet_lite0,320,16,0.00015,8,0,0.01,svm,adamw,,
3,efficientnet_lite2,224,16,0.00015,8,0,0.01,svm,adamw,,
4,efficientnet_lite2,320,8,0.000075,8,0,0.01,svm,adamw,,
5,efficientnet_lite2,448,4,0.0000375,8,0,0.01,svm,adamw,,
""")
    ),
}
"""family -> table. The resnet rungs 1 to 4 are 2018's, with the mean accuracy on three data sets that was published
with them (DESIGN section 3). Those of efficientnet_lite climb in the same way, for networks whose weights are installed
with cvtune; they start from the SVM, so their rates are those that suit that start (parameters.py). Beyond rung 4
networks get deeper or photos larger, minibatch and rate halved again."""

COLUMNS = [name for name in PARAMETERS if name != "seed"]
"""Of rungs.csv: every parameter but the seed; a column that is left out has its default."""
WORDS = [parameter.name for parameter in PARAMETERS.values() if parameter.scale in ("name", "menu", "text")]
"""Columns that hold words, not numbers."""


def ladder(family: str) -> list[Config]:
    """The rungs of a family, cheapest first. Raises InputError for a family that has no ladder."""
    if family not in LADDERS:
        raise InputError(f"there is no ladder for {family!r}: choose {' or '.join(LADDERS)}")
    names = [name for name in LADDERS[family].columns if name in PARAMETERS]
    return [Config.from_values(**row) for row in LADDERS[family][names].to_dict("records")]


def read_rungs(file: Path) -> list[Config]:
    """The rungs in a CSV file with a column for each parameter, at least `backbone`. Raises InputError that names the
    file and the rung."""
    try:
        table = read_csv(Path(file), **dict.fromkeys(WORDS, str))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} can't be read as a table of rungs ({error}): give a CSV file") from None
    names = [name for name in table.columns if name != "rung"]
    if "backbone" not in names:
        raise InputError(f"{file} has no column backbone: name its columns {', '.join(COLUMNS)}")
    rungs = []
    for number, row in enumerate(table[names].to_dict("records"), 1):
        try:
            rungs.append(Config.from_values(**{name: value for name, value in row.items() if value != ""}))
        except InputError as error:
            raise InputError(f"{file}, rung {number}: {error}") from None
    return rungs


def own_rungs(workspace: Workspace) -> list[Config]:
    """The rungs that the person has edited in this workspace; empty when there are none."""
    file = workspace.folder / "rungs.csv"
    return read_rungs(file) if file.exists() else []


def save_rungs(workspace: Workspace, rungs: Sequence[Config]) -> None:
    """Keep the person's rungs; without any, the ladder of the family is shown again."""
    file = workspace.folder / "rungs.csv"
    if rungs:
        write_csv(file, pd.DataFrame([rung.to_dict() for rung in rungs])[COLUMNS])
    else:
        file.unlink(missing_ok=True)


def reference_2018() -> pd.DataFrame:
    """What was published in 2018: rung,backbone,image_size,time_low,time_high (times that of rung 1),accuracy (0..1,
    mean of three data sets)."""
    table = LADDERS["resnet"].dropna(subset=["accuracy_2018"])
    times = table["time_2018"].str.rstrip("x").str.split("-")
    return table[["rung", "backbone", "image_size"]].assign(
        time_low=times.str[0].astype(float), time_high=times.str[-1].astype(float), accuracy=table["accuracy_2018"]
    )
