"""When a rung is given up, and when a ladder ends before its last rung: what is left is not worth it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cvtune_nb import metrics
from cvtune_nb.classification import Run
from cvtune_nb.escalation.expected_accuracy import ExpectedAccuracy

HOUR = 3600.0
HALF = 0.5
"""Fraction of its epochs before which no rung is given up: with a falling rate, the first half says little."""


def beaten(run: Run, finished: Sequence[Run]) -> str:
    """Why `run` can't become the best any more by its objective, in words; "" while it can, or that can't be known.

    After half of its epochs a run is beaten when even the better end of its 95% interval, and on top of it the largest
    rise that any finished run of this objective showed from that fraction of its epochs to its best, stays short of the
    best value. A rule of ours; like successive halving (Jamieson and Talwalkar 2016) it compares runs in mid-course,
    but gives up none that the differences seen so far leave a chance.
    """
    objective = run.objective
    known = {
        other.id: (other, score)
        for other in finished
        if other.state == "done" and other.config.epochs and other.config.objective == objective.text
        if (score := other.score(objective))
    }
    own = run.score(objective)
    share = run.history["epoch"].max() / max(1, run.config.epochs) if len(run.history) else 0.0
    if not known or own is None or share < HALF:
        return ""
    best, value = max(known.values(), key=lambda pair: objective.merit(pair[1].value))
    most = 0.0
    for other, score in known.values():
        early = other.history.loc[other.history["epoch"] <= share * other.config.epochs + 1e-9, "objective"]
        if len(early):
            most = max(most, objective.merit(score.value) - early.map(objective.merit).max())
    end = own.high if objective.HIGHER_IS_BETTER else own.low
    if objective.merit(end) + most >= objective.merit(value.value):
        return ""
    which, short = ("upper", "below") if objective.HIGHER_IS_BETTER else ("lower", "above")
    rise = f"{most * 100:.1f} points" if objective.SHARE else f"{most:.3f}"
    return (
        f"given up in epoch {run.history['epoch'].max()}: {objective.in_words(end)}, the {which} end of its "
        f"interval, and the {rise} that runs improve from there on at most stay {short} {best.id}'s "
        f"{objective.in_words(value.value)}"
    )


@dataclass(frozen=True)
class Prospect:
    """A rung that is left: what it is expected to reach, and the seconds that it takes."""

    expected: ExpectedAccuracy
    seconds: float

    def points_an_hour(self, best: float) -> float:
        """Points (of a loss or cost, hundredths) that it is expected to gain over `best`, for an hour of its time."""
        return 100 * self.expected.better_than(best) * HOUR / max(self.seconds, 1e-9)


def why_not(left: Mapping[int, Prospect], best: float, least_gain: float, shown: float, photos: int) -> dict[int, str]:
    """Why the ladder ends here: the reason for each rung left, in words; empty while one of them may be worth it.

    A rung is not worth it when the gain to be expected of it, for its time, is below least_gain; nor when even the
    upper end of its interval exceeds the best accuracy so far by less than the validation photos can show.

    Parameters
    ----------
    left
        The rungs left, by number, of all of which it is known what to expect.
    best
        The best accuracy so far, 0 to 1.
    least_gain
        Points an hour (LADDER_PARAMETERS); 0: the ladder does not end early.
    shown
        The smallest difference of accuracies that the validation photos can show, 0 to 1; 0 where another objective
        counts, of which that is not known.
    photos
        How many validation photos there are.
    """
    if not least_gain:
        return {}
    found = {}
    for number, prospect in left.items():
        points, most = prospect.points_an_hour(best), prospect.expected.at_most(best)
        if points < least_gain:
            unit = prospect.expected.counted.points
            found[number] = f"expected to gain {points:.1f} {unit} an hour, less than the {least_gain:g} asked for"
        elif most < shown:
            found[number] = (
                f"expected to gain {most * 100:.1f} points at most, and {photos} validation photos show no difference "
                f"below {shown * 100:.1f}"
            )
        else:
            return {}
    return found


def in_words(reasons: Mapping[int, str]) -> str:
    """The same in a sentence, for all rungs left; "" where the ladder did not end early."""
    if not reasons:
        return ""
    first = next(iter(reasons.values()))
    asked = [number for number, reason in reasons.items() if "asked for" in reason]
    if len(reasons) == 1:
        return f"the ladder ends here: rung {next(iter(reasons))} is {first}"
    if len(asked) == len(reasons):
        return "the ladder ends here: no rung left is expected to gain as much an hour as was asked for"
    if not asked:
        return "the ladder ends here: no rung left is expected to gain as much as the validation photos can show"
    return (
        "the ladder ends here: of the rungs left some are expected to gain less an hour than was asked for, the others "
        "less than the validation photos can show"
    )


def smallest_shown(runs: Sequence[Run], photos: int) -> float:
    """The smallest difference of accuracies, 0 to 1, that so many validation photos can show between two runs.

    How often two runs disagree is what the runs there are say; of one alone, as often as it is wrong: as many photos
    as the next one gets right in its place, and wrong in turn, make up for half of its errors each.

    Parameters
    ----------
    runs
        Those of this ladder, with a finished epoch, on the same photos.
    photos
        How many validation photos there are.
    """
    right = [_right(run) for run in runs]
    pairs = [np.mean(one != other) for number, one in enumerate(right) for other in right[:number]]
    discordant = float(np.mean(pairs)) if pairs else min((1 - run.validation.value for run in runs), default=1.0)
    return metrics.smallest_difference(discordant, photos)


def _right(run: Run) -> np.ndarray:
    predictions = run.predictions().sort_values("path")
    return (predictions["label"] == predictions["predicted"]).to_numpy()
