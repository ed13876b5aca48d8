"""What the presets reach: python -m tests.benchmarks.presets --data NAME=PHOTOS ... --work FOLDER.

For each set and seed `cvtune run --preset best` is done whole on --per-class training photos of a class and
--validation of each to choose on, drawn by the seed among the set's own training and validation photos; the test
photos are the set's own, which nothing is chosen on. With --classes only these are in the set. What each preset is
expected to reach is asked before. After it every classifier that was made is measured on the test photos: the SVM
(quick), the run of the first step (good), each rung, each trial of the sweep, the combination, and the one that was
exported (best). --distil: the combination is distilled, too. A finished set and seed is some lines of
FOLDER/presets.csv and is not done again. At the end it prints, for each step, accuracy on test, the difference to good
with a 95% interval over photos (a photo counts once, by how often it was right), by set and pooled, and how often the
accuracy was within the interval that was told before.
"""

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.classification import SVM
from cvtune_nb.classification.combining.distillation import distil
from cvtune_nb.classification.combining.pool import passed
from cvtune_nb.classification.exportable import candidate
from cvtune_nb.data import open_workspace
from cvtune_nb.files import silent
from cvtune_nb.models import memory
from cvtune_nb.models.families import FAMILIES, Rung
from cvtune_nb.models.recipes import recommended
from cvtune_nb.pipeline import PRESETS, Workbook, offers
from cvtune_nb.runs.provenance import groups_of
from cvtune_nb.workspace import Workspace
from tests.benchmarks.combining import interval
from tests.benchmarks.common import say
from tests.benchmarks.ladder import by_photo

KEY = ["data", "seed", "step"]
FOUND = ["what", "seconds", "validation", "expected", "low", "high", "test", "right"]
FIRST = "good"
"""What others are compared with."""


def main() -> None:
    """Read the command line, do what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=PHOTOS", help="what a set is called, and where")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and presets.csv")
    parser.add_argument("--per-class", type=int, default=30, help="training photos of a class")
    parser.add_argument("--validation", type=int, default=15, help="validation photos of a class")
    parser.add_argument("--classes", nargs="+", default=[], help="only these")
    parser.add_argument("--image-size", type=int, default=224, help="of good; the ladder's other sizes go with it")
    parser.add_argument("--budget", type=float, default=PRESETS["best"].budget, help="seconds of the whole")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--distil", action="store_true", help="distil each combination that is kept")
    parser.add_argument("--only-sum", action="store_true", help="train nothing, and sum up all that is in the table")
    arguments = parser.parse_args()
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    scale(arguments.image_size / 224)
    table = arguments.work / "presets.csv"
    if not arguments.only_sum:
        with memory.retain_freed_memory():
            for seed in arguments.seeds:
                for name, folder in (pair.split("=", 1) for pair in arguments.data):
                    known = read(table)
                    if not ((known["data"] == name) & (known["seed"] == seed)).any():
                        rows = pd.DataFrame(list(measured(name, Path(folder), seed, arguments)), columns=[*KEY, *FOUND])
                        with table.open("a") as file:
                            file.write(rows.to_csv(index=False, header=known.empty))
    sum_up(read(table))


def read(table: Path) -> pd.DataFrame:
    """What has been measured so far."""
    return pd.read_csv(table, dtype={"right": str}) if table.exists() else pd.DataFrame(columns=[*KEY, *FOUND])


def scale(factor: float) -> None:
    """Give the rungs of the ladder so many times their image size, to the next multiple of 16."""
    family = FAMILIES["efficientnet_lite"]
    rungs = []
    for backbone, size, batch_size, learning_rate, others in family.ladder:
        rungs.append(Rung(backbone, round(size * factor / 16) * 16, batch_size, learning_rate, others))
    FAMILIES[family.name] = replace(family, ladder=tuple(rungs))


def drawn(name: str, data: Path, seed: int, arguments: argparse.Namespace) -> Path:
    """Photos in split/class/photo, links to those of `data`."""
    folder = arguments.work / f"photos-{name}-{seed}"
    if folder.exists():
        return folder
    begun = folder.with_name(f"{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    source = open_workspace(data, arguments.work / f"manifest-{name}")
    photos, groups = source.photos(), groups_of(source)
    if arguments.classes:
        photos = photos[photos["label"].isin(arguments.classes)]
    photos = photos.assign(group=[groups.get(key, key) for key in photos["sha256"]])
    test = photos[photos["split"] == "test"]
    others = photos[photos["split"] != "test"]
    others = others[~others["group"].isin(test["group"])].sample(frac=1, random_state=seed)
    validation = others.groupby("label").head(arguments.validation)
    train = others[~others["group"].isin(validation["group"])].groupby("label").head(arguments.per_class)
    for split, rows in (("train", train), ("validation", validation), ("test", test)):
        for number, row in enumerate(rows.sort_values("path").itertuples()):
            original = source.path_of(row.path)
            link = begun / split / row.label / f"{number:06d}{original.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(original.resolve())
    begun.rename(folder)
    return folder


def measured(name: str, data: Path, seed: int, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The rows of one set and seed."""
    folder = drawn(name, data, seed, arguments)
    workspace = open_workspace(folder, arguments.work / f"ws-{name}-{seed}")
    config = recommended("efficientnet_lite0", image_size=arguments.image_size, seed=seed)
    told = {offer.preset.name: offer for offer in offers(workspace, config, PRESETS.values())}
    for offer in told.values():
        print("  ", offer.words, flush=True)
    book = Workbook(lambda _: config, time.monotonic(), arguments.budget, silent, preset=PRESETS["best"])
    found = book.run(lambda _: workspace)
    print(book.summary(), *found["notes"], sep="\n", flush=True)
    for step, each in steps(found).items():
        figures = {"data": name, "seed": seed, "step": step, **each, **of_classifier(workspace, each["what"])}
        if step in told and (expected := told[step].expected):
            figures |= {"expected": expected.accuracy, "low": expected.low, "high": expected.high}
        say(**{key: value for key, value in figures.items() if key != "right"})
        yield figures
    made = found.get("combine", {}).get("id")
    if made and arguments.distil:
        begun = time.monotonic()
        run = distil(workspace)
        seconds = time.monotonic() - begun
        yield {"data": name, "seed": seed, "step": "distilled", "what": run.id, "seconds": seconds} | of_classifier(
            workspace, run.id
        )


def steps(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each classifier that a pass through the workbook made: what it is called, seconds until it is there, and what
    was expected of it."""
    began = sum(found[step].get("seconds") or 0 for step in ("audit", "baseline") if step in found)
    made = {"quick": {"what": SVM, "seconds": began}}
    good = found.get("train", {}).get("run", "")
    if good:
        made["good"] = {"what": good, "seconds": began + found["train"]["seconds"]}
    for rung in found.get("escalate", {}).get("rungs", []):
        if rung["run"] and rung["run"] != good and rung["state"] in ("done", "beaten"):
            step = f"{rung['backbone']} at {rung['image_size']}, {rung['loss']}"
            named = zip(("expected", "low", "high"), ("expected", "expected_low", "expected_high"), strict=True)
            made[step] = {"what": rung["run"], "seconds": rung["seconds"], **{key: rung[own] for key, own in named}}
    for trial in found.get("sweep", {}).get("trials", []):
        if trial["run"] and not pd.isna(trial["validation_accuracy"]):
            made[f"trial {trial['trial']}"] = {"what": trial["run"], "seconds": trial.get("seconds")}
    if combined := found.get("combine", {}).get("id"):
        made["combination"] = {"what": combined, "seconds": found["combine"]["seconds"]}
    made["best"] = {"what": found["export"]["run"], "seconds": found["seconds"]}
    return made


def of_classifier(workspace: Workspace, name: str) -> dict[str, Any]:
    """Figures of a classifier on validation and test photos."""
    chosen, photos = candidate(workspace, name), workspace.photos()
    photos = photos[photos["split"] == "test"].reset_index(drop=True)
    answers = passed(chosen.network, workspace, photos, chosen.shown, silent).argmax(1)
    right = np.array(chosen.classes)[answers] == photos["label"].to_numpy()
    return {
        "validation": chosen.validation.value,
        "test": right.mean(),
        "right": "".join(map(str, right.astype(int))),
    }


def sum_up(known: pd.DataFrame) -> None:
    """Print what each step reaches, by set and pooled, and what it gains over the first."""
    named = known[~known["step"].str.startswith("trial")]
    for step in dict.fromkeys(named["step"]):
        own = named[named["step"] == step].set_index(["data", "seed"])
        first = named[named["step"] == FIRST].set_index(["data", "seed"])
        both = own.index.intersection(first.index).sort_values()
        if both.empty:
            continue
        own, first = own.loc[both], first.loc[both]
        within = (own["low"] <= own["test"]) & (own["test"] <= own["high"])
        within = float(within[own["low"].notna()].mean())
        each = {}
        for data in dict.fromkeys(both.get_level_values("data")):
            part, begin = own.loc[[data]], first.loc[[data]]
            gain = interval(by_photo(part) - by_photo(begin))
            each[str(data)] = [round(float(value), 3) for value in (part["test"].mean(), *gain.values())]
        pooled = interval(by_photo(own) - by_photo(first))
        gains = {key: value * 100 for key, value in pooled.items()}
        say(step=step, cells=len(both), test=own["test"].mean(), **gains, seconds=own["seconds"].mean(), within=within)
        print("  ", each, flush=True)


if __name__ == "__main__":
    main()
