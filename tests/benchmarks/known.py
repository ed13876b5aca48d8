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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logsumexp, softmax
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import roc_auc_score

from cvtune_nb.classification import fit
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.known import KnownScore, likeness
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

STRANGERS = 200
"""Photos of each other set that a fine-tuned network is asked about."""


@dataclass(frozen=True)
class Given:
    """What scores are fitted on, and what they are asked about.

    train, labels: features (n, width) and class numbers of training photos; asked: features (m, width); train_logits
    and logits: of both. weight, bias: of the last layer, which sees the first `own` features at length 1. validation:
    which of the photos that are asked about are known, and on validation.
    """

    train: np.ndarray
    labels: np.ndarray
    train_logits: np.ndarray
    asked: np.ndarray
    logits: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    own: int
    validation: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Of each class (classes, width)."""
        return np.stack([self.train[self.labels == label].mean(0) for label in np.unique(self.labels)])


def unit(given: Given) -> Given:
    """The same with the features centred on the training photos and of length 1, as the audit sees them."""
    centre = normalised(given.train).mean(0)
    train, asked = (normalised(normalised(rows) - centre) for rows in (given.train, given.asked))
    return replace(given, train=train, asked=asked)


def of_length_1(given: Given) -> Given:
    """The same with the features of length 1, not centred."""
    return replace(given, train=normalised(given.train), asked=normalised(given.asked))


def reduced(given: Given, most: int = 256) -> Given:
    """The same in the training photos' first principal components, of raw features."""
    centre = given.train.mean(0)
    _, _, axes = np.linalg.svd(given.train - centre, full_matrices=False)
    axes = axes[:most].T
    return replace(given, train=(given.train - centre) @ axes, asked=(given.asked - centre) @ axes)


def nearest_mean(rows: np.ndarray, means: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distance of each row to the nearest of some means."""
    apart = rows[:, None] - means[None]
    return np.einsum("ncd,de,nce->nc", apart, precision, apart, optimize=True).min(1)


def mahalanobis(given: Given) -> np.ndarray:
    """Minus the distance to the nearest class mean."""
    within = given.train - given.means[np.unique(given.labels, return_inverse=True)[1]]
    return -nearest_mean(given.asked, given.means, np.linalg.inv(ledoit_wolf(within, assume_centered=True)[0]))


def relative_mahalanobis(given: Given) -> np.ndarray:
    """The same, less the distance to the mean of all photos."""
    middle = given.train.mean(0, keepdims=True)
    precision = np.linalg.inv(ledoit_wolf(given.train - middle, assume_centered=True)[0])
    return mahalanobis(given) + nearest_mean(given.asked, middle, precision)


def neighbour(rank: int) -> Callable[[Given], np.ndarray]:
    """Cosine to the training photo of that rank."""
    return lambda given: np.sort(given.asked @ given.train.T, axis=1)[:, -min(rank, len(given.train))]


def prototypes(given: Given) -> np.ndarray:
    """Cosine to the nearest class mean."""
    return (given.asked @ normalised(given.means).T).max(1)


def residual(given: Given) -> np.ndarray:
    """Minus the length outside the first principal components of the training photos (half of the rank at most)."""
    _, _, axes = np.linalg.svd(given.train - given.train.mean(0), full_matrices=False)
    axes = axes[: min(len(axes) // 2, 256)]
    moved = given.asked - given.train.mean(0)
    return -np.linalg.norm(moved - moved @ axes.T @ axes, axis=1)


def vim(given: Given) -> np.ndarray:
    """Energy less the residual in the scale of logits."""
    of_train = replace(given, asked=given.train, logits=given.train_logits)
    alpha = given.train_logits.max(1).mean() / max(-residual(of_train).mean(), 1e-9)
    return alpha * residual(given) + logsumexp(given.logits, axis=1)


def claim(landmarks: int, bandwidth: float = 1.0, ridge: float = 1.0) -> Callable[[Given], np.ndarray]:
    """Of the class that claims a photo most: kernel ridge regression of +-1, the audit's."""

    def score(given: Given) -> np.ndarray:
        random = np.random.default_rng(0)
        chosen = np.sort(random.permutation(len(given.train))[:landmarks])
        known = given.train[chosen]
        squared = np.maximum(2 - 2 * known @ known.T, 0)
        scale = bandwidth * np.median(squared[squared > 1e-9])
        of_train, of_asked = (
            np.exp(-np.maximum(2 - 2 * rows @ known.T, 0) / scale) for rows in (given.train, given.asked)
        )
        gram = np.exp(-squared / scale)
        targets = np.where(given.labels[:, None] == np.unique(given.labels), 1.0, -1.0)
        mean = targets.mean(0)
        # regression on the landmarks' kernel, the same as the audit's Z'Z + 1
        weights = cho_solve(
            cho_factor(of_train.T @ of_train + ridge * gram + 1e-6 * np.eye(len(gram))), of_train.T @ (targets - mean)
        )
        return (mean + of_asked @ weights).max(1)

    return score


def linear_claim(given: Given) -> np.ndarray:
    """The same with a linear kernel."""
    targets = np.where(given.labels[:, None] == np.unique(given.labels), 1.0, -1.0)
    mean = targets.mean(0)
    weights = cho_solve(
        cho_factor(given.train.T @ given.train + 0.5 * np.eye(given.train.shape[1])), given.train.T @ (targets - mean)
    )
    return (mean + given.asked @ weights).max(1)


def ours(given: Given) -> np.ndarray:
    """What exports have (classification.known)."""
    score = KnownScore(likeness(given.train, given.labels))
    with torch.inference_mode():
        return score(torch.from_numpy(given.asked.astype(np.float32))).numpy()


def energy_of(given: Given, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Energy of logits of changed features; change is given those of training and those that are asked about."""
    train, asked = (normalised(rows[:, : given.own]) for rows in (given.train, given.asked))
    return logsumexp(change(train, asked) @ given.weight.T + given.bias, axis=1)


def react(train: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Clipped at what 90% of the training photos' features do not reach."""
    return np.minimum(asked, np.quantile(train, 0.9))


def ash(_: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The largest 35% alone, enlarged by what was lost."""
    least = np.quantile(asked, 0.65, axis=1, keepdims=True)
    left = np.where(asked >= least, asked, 0)
    return left * np.exp(asked.sum(1, keepdims=True) / np.maximum(left.sum(1, keepdims=True), 1e-9))


def scale_(_: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """All, enlarged as by `ash`."""
    least = np.quantile(asked, 0.85, axis=1, keepdims=True)
    largest = np.where(asked >= least, asked, 0).sum(1, keepdims=True)
    return asked * np.exp(asked.sum(1, keepdims=True) / np.maximum(largest, 1e-9))


def gen(given: Given) -> np.ndarray:
    """Minus the generalised entropy, gamma .1, of at most 100 classes."""
    chances = np.sort(softmax(given.logits, axis=1), axis=1)[:, -100:]
    return -((chances * (1 - chances)) ** 0.1).sum(1)


def of_its_class(given: Given) -> np.ndarray:
    """Cosine to the 5th nearest training photo of the class that is predicted."""
    alike = given.asked @ given.train.T
    alike[given.logits.argmax(1)[:, None] != given.labels] = -1
    return np.sort(alike, axis=1)[:, -5]


def nnguide(given: Given) -> np.ndarray:
    """Energy times the mean cosine to the 10 nearest training photos, each weighed by its own energy."""
    bank = given.train * logsumexp(given.train_logits, axis=1)[:, None]
    nearest = np.sort(given.asked @ bank.T, axis=1)[:, -10:].mean(1)
    return nearest * logsumexp(given.logits, axis=1)


def fdbd(given: Given) -> np.ndarray:
    """Mean distance to the boundaries with other classes, over the distance to the mean of all."""
    asked, middle = normalised(given.asked[:, : given.own]), normalised(given.train[:, : given.own]).mean(0)
    best = given.logits.argmax(1)
    apart = np.linalg.norm(given.weight[best][:, None] - given.weight[None], axis=2)
    far = np.where(apart > 0, (given.logits.max(1)[:, None] - given.logits) / np.maximum(apart, 1e-9), 0)
    return far.sum(1) / (len(given.weight) - 1) / np.linalg.norm(asked - middle, axis=1)


def both(*scores: str) -> Callable[[Given], np.ndarray]:
    """The sum of scores, each in the spread that it has on known photos of validation."""

    def score(given: Given) -> np.ndarray:
        found = [SCORES[name](given) for name in scores]
        spreads = [(each[given.validation].mean(), each[given.validation].std()) for each in found]
        return sum((each - mean) / max(spread, 1e-9) for each, (mean, spread) in zip(found, spreads, strict=True))

    return score


OURS = "linear claim and residual"
SCORES: dict[str, Callable[[Given], np.ndarray]] = {
    "top probability": lambda given: softmax(given.logits, axis=1).max(1),
    "largest logit": lambda given: given.logits.max(1),
    "energy": lambda given: logsumexp(given.logits, axis=1),
    "Mahalanobis": lambda given: mahalanobis(reduced(given)),
    "Mahalanobis, length 1": lambda given: mahalanobis(reduced(unit(given))),
    "relative Mahalanobis": lambda given: relative_mahalanobis(reduced(given)),
    "relative Mahalanobis, length 1": lambda given: relative_mahalanobis(reduced(unit(given))),
    "nearest photo": lambda given: neighbour(1)(unit(given)),
    "5th nearest photo": lambda given: neighbour(5)(unit(given)),
    "prototypes": lambda given: prototypes(unit(given)),
    "residual": residual,
    "ViM": vim,
    "claim": lambda given: claim(2_000)(unit(given)),
    "claim, 300 landmarks": lambda given: claim(300)(unit(given)),
    "claim, half as wide": lambda given: claim(2_000, 0.5)(unit(given)),
    "claim, a quarter as wide": lambda given: claim(2_000, 0.25)(unit(given)),
    "linear claim": lambda given: linear_claim(unit(given)),
    "ViM, length 1": lambda given: vim(of_length_1(given)),
    OURS: ours,
    "ReAct": lambda given: energy_of(given, react),
    "ASH": lambda given: energy_of(given, ash),
    "SCALE": lambda given: energy_of(given, scale_),
    "GEN": gen,
    "5th nearest of its class": lambda given: of_its_class(unit(given)),
    "NNGuide": lambda given: nnguide(unit(given)),
    "fDBD": fdbd,
}
SCORES |= {
    f"{one} + {other}": both(one, other)
    for one, other in (
        ("top probability", OURS),
        ("largest logit", OURS),
        ("GEN", OURS),
        ("5th nearest of its class", OURS),
        ("Mahalanobis, length 1", OURS),
        ("relative Mahalanobis, length 1", OURS),
        ("top probability", "claim"),
        ("Mahalanobis, length 1", "claim"),
    )
}
SCORES["top probability + Mahalanobis, length 1 + linear claim and residual"] = both(
    "top probability", "Mahalanobis, length 1", OURS
)


def held_out(classes: list[str], pairs: int) -> Iterator[tuple[str, ...]]:
    """Pairs of classes, spread over all that there are."""
    every = list(itertools.combinations(classes, 2))
    random = np.random.default_rng(0)
    for number in random.permutation(len(every))[:pairs]:
        yield every[number]


def main() -> None:
    """Read the command line, measure what is not in the table yet, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled photos")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and known.csv")
    parser.add_argument("--photos", type=int, default=1_000, help="of each set, train, validation and test (0: all)")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--pairs", type=int, default=5, help="of classes held out, of each set")
    parser.add_argument("--scores", nargs="+", choices=list(SCORES), default=list(SCORES), help="which of them")
    parser.add_argument("--epochs", type=int, default=0, help="of fine-tuning; 0: the frozen network")
    parser.add_argument("--seeds", type=int, default=1, help="of fine-tuning")
    arguments = parser.parse_args()
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
