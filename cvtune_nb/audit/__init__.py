"""The audit of a data set: wrong labels, copies, leaks, bad photos; and what acting on it was worth."""

from cvtune_nb.audit.check import COLUMNS, OTHERS, Check
from cvtune_nb.audit.checks import ABOUT_COPIES, CHECKS, KINDS
from cvtune_nb.audit.payoff import Payoff, payoff
from cvtune_nb.audit.report import Audit, audit, load_audit

__all__ = [
    "ABOUT_COPIES",
    "CHECKS",
    "COLUMNS",
    "KINDS",
    "OTHERS",
    "Audit",
    "Check",
    "Payoff",
    "audit",
    "load_audit",
    "payoff",
]
