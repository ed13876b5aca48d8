"""The commands: each takes its arguments and a Meter for progress, and gives a Result.

A command imports what it needs when it runs: `cvtune predict` starts without torch and pandas.
"""

import argparse

from cvtune_nb.commands.classifier import audit, baseline, budget_seconds, escalate, run, sample, train
from cvtune_nb.commands.common import BAD_INPUT, DONE, NETWORK, STOPPED, Result, flag
from cvtune_nb.commands.detector import detect
from cvtune_nb.commands.exported import LIMITS, export, predict, serve
from cvtune_nb.commands.look_alikes import similar
from cvtune_nb.console import Meter

__all__ = [
    "BAD_INPUT",
    "DONE",
    "LIMITS",
    "NETWORK",
    "STOPPED",
    "Result",
    "audit",
    "baseline",
    "budget_seconds",
    "detect",
    "escalate",
    "export",
    "flag",
    "lab",
    "predict",
    "run",
    "sample",
    "serve",
    "similar",
    "train",
]


def lab(arguments: argparse.Namespace, _: Meter) -> Result:
    """open the workbook in JupyterLab, on this machine only"""
    from cvtune_nb.jupyter.launch import lab as serve

    return Result({}, "", serve(port=arguments.port, open_browser=not arguments.no_browser))
