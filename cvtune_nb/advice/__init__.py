"""What to change next, and why: every rule of the method as a small class whose findings can be carried out."""

from cvtune_nb.advice.applied import outcome, write_down
from cvtune_nb.advice.gains import Gain, what_helps
from cvtune_nb.advice.outcomes import real_gains
from cvtune_nb.advice.rule import Case, Rule, case_of
from cvtune_nb.advice.rules import RULES, advise

__all__ = [
    "RULES",
    "Case",
    "Gain",
    "Rule",
    "advise",
    "case_of",
    "outcome",
    "real_gains",
    "what_helps",
    "write_down",
]
