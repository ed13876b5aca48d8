"""The audit of a data set: wrong labels, copies, leaks, bad photos; and what acting on it was worth."""

from cvtune_nb.audit.issue import ABOUT_COPIES, COLUMNS, KINDS, OTHERS
from cvtune_nb.audit.payoff import Payoff, payoff
from cvtune_nb.audit.report import Audit, audit, load_audit

__all__ = ["ABOUT_COPIES", "COLUMNS", "KINDS", "OTHERS", "Audit", "Payoff", "audit", "load_audit", "payoff"]
