"""Scores of how much a photo is like what was trained on, which tests.benchmarks.known compares."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logsumexp, softmax
from sklearn.covariance import ledoit_wolf

from cvtune_nb.classification.known import KnownScore, likeness
from cvtune_nb.classification.svm import normalised


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
        parts = [(each - mean) / max(spread, 1e-9) for each, (mean, spread) in zip(found, spreads, strict=True)]
        return np.sum(parts, axis=0)

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
