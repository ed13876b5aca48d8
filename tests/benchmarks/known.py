"""Scores of how much a photo is like what was trained on: python -m tests.benchmarks.known --data A B C --work FOLDER.

Of each set two classes are held out, in turn, with --seeds pairs; scores are fitted on the training photos of the other
classes, and tell photos of these that nobody has seen (validation and test) from

    near    photos of the two classes that were held out
    far     photos of the other sets

A line for each set, pair, network (frozen with a linear SVM; fine-tuned with --epochs), features ("last": those that
the last layer sees, "stages": pooling "stages" of the same pass) and score: AUROC, and the share of strangers that are
kept where 95% of the known photos are (FPR95). At the end means over sets, pairs and seeds. Finished lines are kept in
FOLDER/known.csv, so that the command can be killed at any time.

    top probability      softmax of the logits (Hendrycks and Gimpel 2017)
    largest logit        (Hendrycks and others 2022)
    energy               log of the sum of exponentials of the logits (Liu and others 2020)
    Mahalanobis          distance to the nearest class mean, shared covariance shrunk (Lee and others 2018)
    relative Mahalanobis less the distance to the mean of all (Ren and others 2021)
    nearest, 5th nearest photo of training, features of length 1 (Sun and others 2022)
    prototypes           cosine to the nearest class mean
    residual             length outside the principal subspace, ViM: with energy (Wang and others 2022)
    claim                of the nearest class by the least-squares SVM of the audit, RBF kernel, at most N landmarks
    linear claim         the same with a linear kernel
    linear claim and residual   both together, as exports have them (classification.known)
    ReAct, ASH, SCALE   energy of features that are clipped, pruned or scaled (Sun and others 2021; Djurisic and others
                2023; Xu and others 2024)
    GEN         generalised entropy of the probabilities (Liu and others 2023)
    of its class    cosine to the 5th nearest photo of the class that is predicted
    NNGuide     energy times the cosine to the nearest photos, weighed by theirs (Park and others 2023)
    fDBD        distance to the decision boundary beside that to the mean of all (Liu and Qin 2024)
    A + B       both, each less its mean on validation photos and over its spread there

With --epochs features are also given averaged over a photo and its mirror image ("mirrored").
"""

import argparse
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from cvtune_nb.classification import fit
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.known import KnownScore, likeness, scale, scaled
from cvtune_nb.classification.model import SVM_SCALE, Classifier, load_best
from cvtune_nb.classification.svm import Svm, normalised
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.models import networks
from cvtune_nb.models.pooling import STAGES
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import BATCH, photo_folder, say
from tests.benchmarks.known_scores import SCORES, Given

STRANGERS = 200
"""Photos of each other set that a fine-tuned network is asked about."""


def noise(photos: int = 1_000, width: int = 1_792) -> None:
    """How far float32 moves a score, and `known` with it, where few or nearly equal validation photos make it steep."""
    random = np.random.default_rng(0)
    rows = np.maximum(random.normal(size=(photos, width)), 0).astype(np.float32)
    labels = random.integers(10, size=photos)
    score = likeness(rows, labels)
    single = KnownScore(score)
    with torch.inference_mode():
        one = single(torch.from_numpy(rows)).numpy().astype(np.float64)
        several = KnownScore(score)
        parts = [several(torch.from_numpy(rows[n : n + 1])).numpy() for n in range(200)]  # sums in another order
    moved = np.abs(one[:200] - np.concatenate(parts)).max() / max(1.0, np.abs(one).max())
    for what, among in (
        ("one photo", one[:1]),
        ("nearly the same", one[0] + 1e-6 * random.normal(size=50)),
        ("1,000 photos", one),
    ):
        by = scale(among)
        asked = np.concatenate([among, np.linspace(by.first - by.tail, among.max() + by.tail, 2_000)])
        step = max(np.abs(scaled(asked + shift, by) - scaled(asked, by)).max() for shift in (1e-6, -1e-6))
        say(photos=what, score_moved=float(f"{moved:.2g}") * 1e6, known_moved_by_1e6=float(step) * 1e6)


def held_out(classes: list[str], pairs: int) -> Iterator[tuple[str, ...]]:
    """Pairs of classes, spread over all that there are."""
    every = list(itertools.combinations(classes, 2))
    random = np.random.default_rng(0)
    for number in random.permutation(len(every))[:pairs]:
        yield every[number]


def main() -> None:
    """Read the command line, measure what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, nargs="*", default=[], help="folders of labelled photos; none: float32 alone"
    )
    parser.add_argument("--work", type=Path, help="folder for workspaces and known.csv")
    parser.add_argument("--photos", type=int, default=1_000, help="of each set, train, validation and test (0: all)")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--pairs", type=int, default=5, help="of classes held out, of each set")
    parser.add_argument("--scores", nargs="+", choices=list(SCORES), default=list(SCORES), help="which of them")
    parser.add_argument("--epochs", type=int, default=0, help="of fine-tuning; 0: the frozen network")
    parser.add_argument("--seeds", type=int, default=1, help="of fine-tuning")
    arguments = parser.parse_args()
    if not arguments.data:
        noise()
        return
    os.environ |= {"CVTUNE_HOME": str(arguments.work / "home")}
    table = arguments.work / "known.csv"
    spaces = {
        data.name: open_workspace(
            photo_folder(data, arguments.work, arguments.photos), arguments.work / f"ws-{data.name}"
        )
        for data in arguments.data
    }
    for name, workspace in spaces.items():
        classes = sorted(workspace.photos()["label"].unique())
        for pair in held_out(classes, arguments.pairs):
            for seed in range(arguments.seeds if arguments.epochs else 1):
                measure(table, spaces, name, pair, seed, arguments)
    sum_up(pd.read_csv(table))


def measure(
    table: Path,
    spaces: dict[str, Workspace],
    name: str,
    pair: tuple[str, ...],
    seed: int,
    arguments: argparse.Namespace,
) -> None:
    """Add the lines of one set without two classes, unless they are there."""
    network = "fine-tuned" if arguments.epochs else "frozen"
    about = {"data": name, "held_out": "+".join(pair), "network": network, "seed": seed, "size": arguments.image_size}
    done = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=[*about, "score"])
    if done[list(about)].eq(pd.Series(about)).all(axis=1).any():
        return
    rows = []
    for kind, given, known, near in passes(spaces, name, pair, seed, arguments):
        for score in arguments.scores:
            values = SCORES[score](given)
            row = {**about, "features": kind, "score": score}
            for what, strangers in (("near", near), ("far", ~known & ~near)):
                row |= {
                    what: auroc(values[known], values[strangers]),
                    f"{what}_fpr95": fpr95(values[known], values[strangers]),
                }
            rows.append(row)
    pd.DataFrame(rows).to_csv(table, mode="a", index=False, header=not table.exists())
    say(**about, **{row["score"]: row["near"] for row in rows if row["features"] == "last"})


def passes(
    spaces: dict[str, Workspace], name: str, pair: tuple[str, ...], seed: int, arguments: argparse.Namespace
) -> Iterator[tuple[str, Given, np.ndarray, np.ndarray]]:
    """Kind of features, what scores are given, and which of the photos that they are asked about are known, or near."""
    size, own = (
        arguments.image_size,
        FeatureSpec(arguments.backbone, Preprocessing(arguments.image_size)).network().width,
    )
    photos = {each: space.photos() for each, space in spaces.items()}
    mine = photos[name]
    kept = ~mine["label"].isin(pair)
    train = mine[kept & (mine["split"] == "train")]
    known = mine[kept & (mine["split"] != "train")]
    near = mine[~kept]
    far = {
        each: rows.sample(min(len(rows), STRANGERS), random_state=0) for each, rows in photos.items() if each != name
    }
    asked = {name: pd.concat([train, known, near])} | far
    if arguments.epochs:
        file = arguments.work / f"tuned-{name}-{'+'.join(pair)}-{seed}-{size}.npz"
        if not file.exists():
            deep = tuned(spaces[name], pair, seed, arguments)
            weights = {"weight": deep.last.weight, "bias": deep.last.bias}
            deep.backbone.pooling = STAGES
            both = {each: of_network(deep.backbone, spaces[each], rows, size) for each, rows in asked.items()}
            plain = {each: rows for each, (rows, _) in both.items()}
            mirrored = {f"mirrored_{each}": rows for each, (_, rows) in both.items()}
            last = {f"last_{part}": each.detach().numpy() for part, each in weights.items()}
            np.savez(file, **plain, **mirrored, **last)
        kept = dict(np.load(file))
        wide = {each: kept[each] for each in asked}
        mirrored = {each: (kept[each] + kept[f"mirrored_{each}"]) / 2 for each in asked}
        weight, bias = kept["last_weight"], kept["last_bias"]
    else:
        spec = FeatureSpec(arguments.backbone, Preprocessing(size), pooling=STAGES)
        wide = {each: features(spaces[each], rows, spec).matrix for each, rows in asked.items()}
        svm = Svm(1.0).fit(wide[name][: len(train), :own], train["label"].to_numpy(dtype=object))
        mirrored = None
        weight, bias = (SVM_SCALE * part for part in svm.weights())
    labels = np.unique(train["label"].to_numpy(dtype=str), return_inverse=True)[1]
    length = sum(map(len, wide.values())) - len(train)
    is_known, is_near, validation = (np.zeros(length, bool) for _ in range(3))
    is_known[: len(known)] = True
    is_near[len(known) : len(known) + len(near)] = True
    validation[: len(known)] = known["split"] == "validation"
    for suffix, rows in (("", wide), (", mirrored", mirrored)):
        if rows is None:
            continue
        everything = np.concatenate(list(rows.values()))
        logits = normalised(everything[:, :own]) @ weight.T + bias
        for kind, part in (("last", everything[:, :own]), ("stages", everything)):
            train_rows, asked_rows = np.split(part.astype(np.float64), [len(train)])
            about = logits[: len(train)], asked_rows, logits[len(train) :], weight, bias, own, validation
            yield f"{kind}{suffix}", Given(train_rows, labels, *about), is_known, is_near


def tuned(workspace: Workspace, pair: tuple[str, ...], seed: int, arguments: argparse.Namespace) -> Classifier:
    """A network that was fine-tuned without two classes."""
    place = arguments.work / f"without-{workspace.folder.name}-{'+'.join(pair)}"
    if not place.exists():
        for number, row in enumerate(workspace.photos().itertuples()):
            if row.label not in pair:
                link = place / row.split / row.label / f"{number:06d}{Path(row.path).suffix}"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(workspace.path_of(row.path).resolve())
    space = open_workspace(place, place.with_name(f"ws-{place.name}"))
    return load_best(
        fit(space, Config(arguments.backbone, image_size=arguments.image_size, epochs=arguments.epochs, seed=seed))
    )


def of_network(
    backbone: networks.Backbone, workspace: Workspace, photos: pd.DataFrame, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features of photos, and of their mirror images, by a network that is not in any cache."""
    squares, every = pixels(workspace, photos, Preprocessing(size)), range(len(photos))
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for first in every[::BATCH]:
        images = squares.centre(every[first : first + BATCH])
        parts.append((networks.forward(backbone, images), networks.forward(backbone, images[:, :, ::-1].copy())))
    return np.concatenate([plain for plain, _ in parts]), np.concatenate([mirrored for _, mirrored in parts])


def auroc(known: np.ndarray, strangers: np.ndarray) -> float:
    """How often a known photo has a larger score than a stranger; nan without strangers."""
    if not len(strangers):
        return float("nan")
    truth = np.r_[np.ones(len(known)), np.zeros(len(strangers))]
    return float(roc_auc_score(truth, np.r_[known, strangers]))


def fpr95(known: np.ndarray, strangers: np.ndarray) -> float:
    """The share of strangers above the score that 95% of the known photos reach."""
    return float((strangers >= np.quantile(known, 0.05)).mean()) if len(strangers) else float("nan")


def sum_up(known: pd.DataFrame) -> None:
    """Means over pairs and seeds by set, and over sets."""
    values = ["near", "near_fpr95", "far", "far_fpr95"]
    by_set = known.groupby(["network", "features", "score", "data"], sort=False)[values].mean()
    for (network, kind), part in by_set.groupby(level=[0, 1], sort=False):
        over = part.groupby("score", sort=False).mean()
        sets = part["near"].unstack("data")
        print(f"\n{network}, {kind}\n{over.join(sets.add_prefix('near ')).sort_values('near').round(3).to_string()}")


if __name__ == "__main__":
    main()
