"""The commands: each takes its arguments and a Meter for progress, and gives a Result.

A command is a function with its flags in front of it (`command.command`), listed in COMMANDS. It imports what it needs
when it runs: `cvtune predict` starts without torch and pandas.
"""

from cvtune_nb.commands.augmentation import augmentations
from cvtune_nb.commands.classifier import audit, baseline, escalate, objective, run, sample, train
from cvtune_nb.commands.combining import combine
from cvtune_nb.commands.command import Command
from cvtune_nb.commands.detector import detect
from cvtune_nb.commands.exported import export, predict, serve, tta
from cvtune_nb.commands.imbalance import adjust, remedies
from cvtune_nb.commands.jupyter import lab
from cvtune_nb.commands.look_alikes import similar
from cvtune_nb.commands.networks import compare
from cvtune_nb.commands.self_training import self_train
from cvtune_nb.commands.slices import slices
from cvtune_nb.commands.tracking import track

__all__ = ["COMMANDS"]

_LISTED = (
    sample,
    audit,
    objective,
    compare,
    baseline,
    remedies,
    augmentations,
    train,
    escalate,
    self_train,
    combine,
    slices,
    tta,
    adjust,
    export,
    predict,
    serve,
    detect,
    similar,
    run,
    track,
    lab,
)

COMMANDS: dict[str, Command] = {command.name: command for command in _LISTED}
"""By name, in the order in which `cvtune --help` lists them."""
