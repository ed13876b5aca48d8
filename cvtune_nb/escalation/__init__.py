"""Climbing the ladder of parameters: more pixels, deeper networks, smaller minibatches; and a sweep round a rung."""

from cvtune_nb.escalation.climb import Escalation, escalate, so_far
from cvtune_nb.escalation.expected_accuracy import ExpectedAccuracy, expected_accuracies
from cvtune_nb.escalation.ladder import (
    climbs_alone,
    ladder,
    ladder_of,
    ladders,
    own_rungs,
    read_rungs,
    reference_2018,
    resized,
    save_rungs,
    shown_as,
)
from cvtune_nb.escalation.parameter_sweep import Sweep, run_to_search_round, sweep

__all__ = [
    "Escalation",
    "ExpectedAccuracy",
    "Sweep",
    "climbs_alone",
    "escalate",
    "expected_accuracies",
    "ladder",
    "ladder_of",
    "ladders",
    "own_rungs",
    "read_rungs",
    "reference_2018",
    "resized",
    "run_to_search_round",
    "save_rungs",
    "shown_as",
    "so_far",
    "sweep",
]
