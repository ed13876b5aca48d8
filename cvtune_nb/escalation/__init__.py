"""Climbing the ladder of parameters: more pixels, deeper networks, smaller minibatches."""

from cvtune_nb.escalation.climb import Escalation, escalate
from cvtune_nb.escalation.ladder import LADDERS, ladder

__all__ = ["LADDERS", "Escalation", "escalate", "ladder"]
