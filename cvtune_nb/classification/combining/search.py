"""Combine the classifiers of a workspace: soup, interpolation and weighted mean, chosen and judged on validation.

What each way brings on three sets: docs/measurements.md, "Combining classifiers".
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from torch import nn

from cvtune_nb import metrics
from cvtune_nb.classification.at_test_time import larger_sizes
from cvtune_nb.classification.candidates import Speeds
from cvtune_nb.classification.combining.chooser import GRID, MOST_MEGABYTES, MOST_NETWORKS, Chooser, Part
from cvtune_nb.classification.combining.combination import (
    KINDS,
    SINGLE,
    Combination,
    is_combination,
    keep,
    new_id,
)
from cvtune_nb.classification.combining.ingredients import Ingredients
from cvtune_nb.classification.combining.judging import Judged
from cvtune_nb.classification.combining.network import Combined, View
from cvtune_nb.classification.combining.pool import Pool, passed
from cvtune_nb.classification.exportable import Candidate, choices, trained_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import objective_in
from cvtune_nb.classification.run import load_run
from cvtune_nb.classification.variants_accuracy import fairly
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.metrics import Accuracy
from cvtune_nb.runs.provenance import COLUMNS, present
from cvtune_nb.workspace import Workspace

MOST_RUNS = 6
"""Classifiers that are combined unless some are named, the best ones: each costs some passes over validation."""
TRAIN_PHOTOS = 300
"""Training photos that the combination is measured on: good to about 4 points."""


def offered(workspace: Workspace, names: Sequence[str] = ()) -> list[str]:
    """Ids of the classifiers to combine, the best on validation first.

    Parameters
    ----------
    workspace
        Where they are.
    names
        Those to use, "best" and "last" of the runs among them; none: the best MOST_RUNS of today's photos and classes,
        the SVM among them where it is one.

    Raises
    ------
    InputError
        There is no classifier, one of the names is none, or it is of other photos than today's.
    """
    known = choices(workspace)
    known = known[~known["run"].map(is_combination).astype(bool)]
    names = [load_run(workspace, name).id if name in ("best", "last") else name for name in names]
    today = known.loc[known["data"] == "", "run"].tolist()
    for name in names:
        if name not in today:
            why = "is of earlier data" if name in known["run"].tolist() else "is no classifier of this workspace"
            raise InputError(f"{name} {why}: choose among {', '.join(today) or 'none yet: train first'}")
    if not today:
        raise InputError("there is nothing to combine yet: train runs first (notebook 03, or cvtune train)")
    return [name for name in today if name in names] if names else today[:MOST_RUNS]


def expected_seconds(workspace: Workspace, runs: Sequence[str] = ()) -> float:
    """What `combine` takes at most; less where it goes on from an earlier call.

    Parameters
    ----------
    workspace, runs
        As for `combine`.

    Raises
    ------
    InputError
        As `offered`.
    """
    names, photos = offered(workspace, runs), workspace.photos()
    photos = photos[photos["split"] == "validation"]
    specs = [trained_with(workspace, name) for name in names]
    speeds, seconds = Speeds(workspace, specs), 0.0
    for spec in specs:
        seconds += 4 * len(photos) / speeds.of(spec)  # itself, and soups with it, of all photos and of folds
    for spec in specs[: MOST_NETWORKS + 1]:
        sizes = [spec.image_size, *larger_sizes(spec, photos)[:1]]
        seconds += sum(2 * (size / spec.image_size) ** 2 for size in sizes) * len(photos) / speeds.of(spec)
    first = specs[0]
    return seconds + (len(GRID) + 4) * len(photos) / speeds.of(first) + TRAIN_PHOTOS * len(specs) / speeds.of(first)


def combine(
    workspace: Workspace,
    runs: Sequence[str] = (),
    budget_seconds: float = math.inf,
    progress: Progress = silent,
    use: str = "",
) -> Combination:
    """Combine classifiers, and keep the combination where it is not worse than the best of them alone.

    Every way in KINDS is chosen on validation photos by what counts in the workspace. The figures are corrected for
    that: each photo is judged by what was chosen without it and its group (five folds), and the choice among the kinds
    is corrected as that among runs (objectives.best_of).

    Parameters
    ----------
    workspace
        Whose classifiers they are.
    runs
        Which, by id, "svm" among them; none: as `offered`.
    budget_seconds
        Classifiers are measured until then; what was measured is combined.
    progress
        Called with the progress. Stopped, raised in it, passes through; what was measured is kept, and the same call
        goes on from there.
    use
        Of KINDS: keep this way to combine, whether or not it is the best; "": the best.

    Returns
    -------
    Combination
        `kept` says whether it is in the workspace now.

    Raises
    ------
    InputError
        As `offered`; there are no validation photos that all have not seen; `use` is not to be had.
    """
    if use and use not in list(KINDS)[1:]:
        raise InputError(f"there is no way to combine called {use!r}: choose among {', '.join(list(KINDS)[1:])}")
    deadline, objective = time.monotonic() + budget_seconds, objective_in(workspace)
    ingredients = Ingredients(workspace, offered(workspace, runs), progress)
    left_out = _one_framing(ingredients)
    candidates = ingredients.candidates
    photos = _photos(workspace, candidates.values())
    classes = next(iter(candidates.values())).classes
    truth = photos["label"].map({label: number for number, label in enumerate(classes)}).to_numpy()
    groups = dependent(photos)
    size = max(megabytes(candidate.network) for candidate in candidates.values())
    pool = Pool(workspace, ingredients, photos, deadline, progress)
    most = max(1, min(MOST_NETWORKS, int(MOST_MEGABYTES // size)))
    chooser = Chooser(pool, list(candidates), truth, objective, most)
    _measure_all(pool, chooser)
    every = np.arange(len(photos))
    chosen = chooser.choose(every)
    judged = Judged.of(chooser, photos["label"], groups)
    left_out += chooser.left_out
    if most < MOST_NETWORKS:
        left_out.append(f"Means are of {most} networks at most: a combination has {MOST_MEGABYTES} MB at most.")
    if pool.incomplete:
        left_out.append("The time was over before all was measured: the same command goes on from there.")
    networks = {kind: made(ingredients, parts) for kind, parts in chosen.items()}
    first = {kind: pixels(workspace, photos[:1], shown_to(facts)).centre([0]) for kind, (_, facts) in networks.items()}
    kinds = judged.table(
        {kind: (network, first[kind]) for kind, (network, _) in networks.items()},
        {kind: megabytes(network) for kind, (network, _) in networks.items()},
    )
    kind = use or judged.best(chosen)
    if kind not in chosen:
        there = ", ".join(chosen)
        raise InputError(f"{kind} is not to be had from these classifiers, or would be one of them alone: {there} are")
    network, facts = networks[kind]
    progress(1.0, "measuring the combination itself")
    own = softmax(passed(network, workspace, photos, shown_to(facts), silent), axis=1)
    shift = objective.value(truth, own) - objective.value(truth, chooser.chances(chosen[kind], every))
    single = judged.measure(SINGLE)
    kept = kind != SINGLE and (bool(use) or not judged.worse(kind, shift))
    kinds["chosen"] = kinds["kind"] == (kind if kept else SINGLE)
    combination = Combination(
        id=new_id(workspace) if kept else "",
        kind=kind if kept else SINGLE,
        single=str(chosen[SINGLE][0].blend),
        objective=objective.text,
        score=judged.score(kind, shift, best_of_all=not use) if kept else single,
        single_score=single,
        verdict=judged.compare(kind),
        members=pd.DataFrame([_row(part) for part in chosen[kind if kept else SINGLE]]),
        kinds=kinds,
        photos=len(photos),
        left_out=left_out,
    )
    if kept:
        right = np.array(classes, dtype=object)[judged.of_kind(kind).argmax(1)]
        validation = metrics.accuracy(photos["label"], right, groups)
        about = _about(workspace, ingredients, network, facts, combination, validation)
        seen = pd.concat([each.provenance.listed()[COLUMNS] for each in candidates.values()]).drop_duplicates()
        answers = _predictions(photos, classes, own, groups)
        keep(workspace, combination, classes, facts, about, seen, answers, (own, judged.of_kind(kind)), network)
    return combination


# -- what is combined ---------------------------------------------------------------------------------------------


def _one_framing(ingredients: Ingredients) -> list[str]:
    """Leave out what is shown another part of a photo than the best; returns what was, in sentences."""
    first = next(iter(ingredients.candidates.values())).spec.preprocessing
    told = []
    for name, other in list(ingredients.candidates.items()):
        shown = other.spec.preprocessing
        if (shown.framing, shown.aspect) != (first.framing, first.aspect):
            del ingredients.candidates[name]
            told.append(
                f"{name} is not combined: it sees photos otherwise ({shown.framing}, {shown.aspect}) than the best, "
                "and a combination is shown a photo once."
            )
    return told


def _photos(workspace: Workspace, candidates: Iterable[Candidate]) -> pd.DataFrame:
    """The validation photos that none of the classifiers has learned from."""
    every = workspace.photos()
    photos = every[every["split"] == "validation"]
    for each in candidates:
        own = fairly(workspace, each.provenance, every).validation
        photos = photos[photos["sha256"].isin(own["sha256"])]
    if photos.empty:
        raise InputError("there are no validation photos to choose a combination on: open data that has some")
    return photos.reset_index(drop=True)


def _measure_all(pool: Pool, chooser: Chooser) -> None:
    """Measure all single classifiers as trained: with little time these count most; the rest is measured when asked."""
    pool.planned = 2 * len(chooser.singles) + len(GRID) + 5 * chooser.most_networks
    measured = [pool.logits(blend, chooser.looks[blend][0].shown) for blend in chooser.singles]
    if measured[0] is None:
        raise InputError("the time was over before a single classifier was measured: give more")


def made(ingredients: Ingredients, parts: Sequence[Part]) -> tuple[Combined, dict[str, Any]]:
    """The network of a combination, and what it is rebuilt from.

    Parameters
    ----------
    ingredients
        Whose weights they are.
    parts
        What it is made of, the heaviest first.
    """
    blends = list(dict.fromkeys(part.blend for part in parts))
    views = [
        View(
            blends.index(part.blend),
            part.look.shown.shape,
            mirrored,
            part.temperature,
            part.weight / len(part.look.passes),
        )
        for part in parts
        for mirrored in part.look.passes
    ]
    largest = max((part.look.shown for part in parts), key=lambda shown: shown.shape)
    spec = replace(ingredients.base(blends[0]).spec, preprocessing=largest)
    network = Combined([ingredients.network(blend) for blend in blends], views, spec.preprocessing.shape)
    bases = [ingredients.base(blend) for blend in blends]
    facts = {
        **spec.to_dict(),
        "networks": [
            {"made_of": str(blend), "kind": base.kind, "parameters": base.parameters}
            for blend, base in zip(blends, bases, strict=True)
        ],
        "views": [view.to_dict() for view in views],
    }
    return network.eval(), facts


def megabytes(network: nn.Module) -> float:
    """Of its weights."""
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values()) / 1e6


# -- what is written down ---------------------------------------------------------------------------------------------


def shown_to(network: dict[str, Any]) -> Preprocessing:
    """What a combination is shown; network: Stored.network."""
    return FeatureSpec.from_dict(network).preprocessing


def _row(part: Part) -> dict[str, Any]:
    return {
        "network": str(part.blend),
        "weight": part.weight,
        "image_size": part.look.shown.image_size,
        "passes": len(part.look.passes),
        "temperature": part.temperature,
    }


def _predictions(
    photos: pd.DataFrame, classes: list[str], chances: np.ndarray, groups: pd.Series | None
) -> pd.DataFrame:
    """As runs keep them."""
    table = photos[["path", "label"]].assign(
        predicted=[classes[number] for number in chances.argmax(1)], probability=chances.max(1)
    )
    return table if groups is None else table.assign(group=groups.to_numpy())


def _about(
    workspace: Workspace,
    ingredients: Ingredients,
    network: nn.Module,
    facts: dict[str, Any],
    combination: Combination,
    validation: Accuracy,
) -> dict[str, Any]:
    """Stored.facts."""
    photos = workspace.photos()
    train = photos[photos["split"] == "train"]
    train = train.iloc[np.unique(np.linspace(0, len(train) - 1, min(len(train), TRAIN_PHOTOS)).astype(int))]
    logits = passed(network, workspace, train, shown_to(facts), silent)
    classes = next(iter(ingredients.candidates.values())).classes
    answers = np.array(classes, dtype=object)[logits.argmax(1)]
    today, origins = present(workspace), dict.fromkeys(each.weights for each in ingredients.candidates.values())
    return {
        "data_id": today.id,
        "measured_on": today.measured_on,
        "how": f"a combination: {KINDS[combination.kind]}, of {'; '.join(combination.members['network'])}",
        "weights": "; ".join(filter(None, origins)),
        "train": metrics.accuracy(train["label"], answers, dependent(train)).to_dict(),
        "validation": validation.to_dict(),
    }
