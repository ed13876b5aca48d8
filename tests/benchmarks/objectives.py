"""How often the intervals and tests of the objectives are right, simulated: python -m tests.benchmarks.objectives.

A world of classes of unequal size, in which a classifier's scores are normal; its true value on endless photos is found
on 200,000. Then many samples of few photos are drawn: how often the 95% interval holds the true value; how often the
paired test calls equally good classifiers different at p < .05; and how wide the intervals are.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.special import softmax

from cvtune_nb.objectives import Objective, objective_of
from tests.benchmarks.common import say

TEXTS = ("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "recall:c1@.8", "costs:c0>c1=5")
SHARES = np.array([0.5, 0.25, 0.13, 0.08, 0.04])
"""Of the classes."""
SEPARATION = 1.8
"""Of the classes' scores, in standard deviations: about 60 to 80% are right."""


def world(n: int, random: np.random.Generator, classifiers: int = 1) -> tuple[np.ndarray, list[np.ndarray]]:
    """Class ids (n,), and the probabilities (n, classes) of equally good classifiers that share half of their noise."""
    truth = random.choice(len(SHARES), size=n, p=SHARES)
    shared = random.normal(size=(n, len(SHARES)))
    logits = [shared + random.normal(size=shared.shape) for _ in range(classifiers)]
    return truth, [softmax(one / 2**0.5 + SEPARATION * np.eye(len(SHARES))[truth], axis=1) for one in logits]


def covered(objective: Objective, n: int, times: int) -> Iterator[tuple[bool, float]]:
    """Whether the interval of each of so many samples holds the truth, and how wide it is."""
    known, (given,) = world(200_000, np.random.default_rng(10_000))
    true = objective.value(known, given)
    for number in range(times):
        truth, (probabilities,) = world(n, np.random.default_rng(number))
        found = objective.measure(truth, probabilities)
        yield found.low <= true <= found.high, found.high - found.low


def alarms(objective: Objective, n: int, times: int) -> Iterator[bool]:
    """Whether two equally good classifiers are called different, in each of so many samples."""
    for number in range(times):
        truth, (first, second) = world(n, np.random.default_rng(number), classifiers=2)
        yield objective.compare(truth, first, second).p < 0.05


def main() -> None:
    """Read the command line and simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="60,200,1000", help="sizes of the samples")
    parser.add_argument("--times", type=int, default=400)
    arguments = parser.parse_args()
    classes = [f"c{number}" for number in range(len(SHARES))]
    for n in map(int, arguments.photos.split(",")):
        for text in TEXTS:
            objective = objective_of(text, classes)
            holds, widths = zip(*covered(objective, n, arguments.times), strict=True)
            false = list(alarms(objective, n, arguments.times // 2))
            say(photos=n, objective=text, covered=np.mean(holds), width=np.mean(widths), false_alarms=np.mean(false))


if __name__ == "__main__":
    main()
