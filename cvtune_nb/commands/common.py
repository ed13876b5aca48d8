"""What the commands share: how arguments become what the steps take, and a run that another program may be training."""

import argparse
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtune_nb.commands.flags import flag
from cvtune_nb.console import Meter
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import PARAMETERS, Parameter

if TYPE_CHECKING:
    from cvtune_nb.classification.features import FeatureSpec

NO_EPOCH = "no epoch was finished"
"""Printed instead of a run's figures."""


def open_workspace_of(arguments: argparse.Namespace, meter: Meter, progress: Callable[[float, str], None]) -> Any:
    """Open the workspace that --data and --workspace name; says which it is and what was left out.

    An --objective that is given is what counts in it from now on.

    Parameters
    ----------
    arguments
        Of a command with flags.PHOTOS and flags.LAYOUT.
    meter
        Says it.
    progress
        Called with the progress of reading the photos.

    Returns
    -------
    A Workspace.

    Raises
    ------
    InputError
        When there are no photos that can be used, and no workspace.
    """
    from cvtune_nb.data import conflicts, levels, open_workspace
    from cvtune_nb.data.summary import in_two_classes, previews

    folder = Path(arguments.workspace).expanduser() if arguments.workspace else None
    if folder and not arguments.data and not (folder / "workspace.json").exists():
        raise InputError(f"{folder} is not a workspace yet: name your photos too, with --data")
    seed = PARAMETERS["seed"].check(getattr(arguments, "seed", None) or 0)
    workspace = open_workspace(
        arguments.data,
        arguments.workspace,
        seed,
        progress,
        pixels_gb=arguments.pixels_gb,
        layout=arguments.layout,
        draw_validation=arguments.draw_validation,
        black=getattr(arguments, "black", ""),
        white=getattr(arguments, "white", ""),
        bands=getattr(arguments, "bands", ""),
        group_by=getattr(arguments, "group_by", ""),
        redraw_split=getattr(arguments, "redraw_split", False),
    )
    meter.say(f"photos: {workspace.source}; workspace: {workspace.folder}")
    if getattr(arguments, "objective", None):
        from cvtune_nb.classification.objective import choose

        choose(workspace, PARAMETERS["objective"].check(arguments.objective))
    recognised = workspace.recognised and f"recognised: {workspace.recognised}"
    shown = levels.in_words(workspace), previews(workspace.photos())
    for words in (workspace.moved, recognised, workspace.chosen, workspace.grouped, workspace.regrouped, *shown):
        if words:
            meter.say(words)
    skipped, contested = workspace.skipped(), conflicts(workspace)
    if len(skipped):
        meter.say(f"files left out: {len(skipped)}, for the reasons in {workspace.folder / 'skipped.csv'}")
    if len(contested):
        meter.say(in_two_classes(contested, workspace.photos()))
    return workspace


def require_use(arguments: argparse.Namespace, uses: Mapping[str, tuple[str, ...]], case: str) -> None:
    """Refuse arguments that would be ignored.

    Parameters
    ----------
    arguments
        Of a command.
    uses
        Which of them have a meaning only in some cases, by case.
    case
        The one at hand.

    Raises
    ------
    InputError
        For one that is given and has no meaning in this case; says in which it has one.
    """
    for name in dict.fromkeys(name for names in uses.values() for name in names):
        given = getattr(arguments, name)
        if given not in (None, "", []) and given is not False and name not in uses[case]:
            words, it = ("photos have", "them") if name == "photos" else (f"{flag(name)} has", "it")
            others = " or ".join(other for other, names in uses.items() if name in names)
            raise InputError(f"{words} no meaning {case}, only {others}: leave {it} out")


def trained(
    find: Callable[[], Any], load: Callable[[str], Any], train: Callable[[Any], Any], wait: bool, meter: Meter
) -> Any:
    """Train a run, new or resumed, once no other program trains it.

    Parameters
    ----------
    find
        Gives the run that is asked for; None: a new one.
    load
        A run by its id, which says how far another program is with it.
    train
        Trains that run, or a new one, and gives it; a run that is done is given as it is.
    wait
        Wait while another program trains the run.
    meter
        Says who does, and how far it is.

    Returns
    -------
    What `train` gives.

    Raises
    ------
    lock.Held
        When another program trains the run, without `wait`.
    Stopped
        When the person ends the wait.
    """
    from cvtune_nb.runs import lock
    from cvtune_nb.runs.store import require_idle

    while True:
        run = find()
        try:
            if run is not None:
                require_idle(run)
            return train(run)
        except lock.Held as busy:
            if not wait or run is None:
                raise
            file, name = busy.file, run.id
        by = lock.holder(file)
        meter.say(f"run {name} is being trained by {by.words if by else 'another program'}: waiting for it to end")
        lock.wait(file, lambda _, words, name=name: meter(_done(load(name)), words), f"waiting for run {name}")


def found_again(run: Any) -> str:
    """What a message says about an earlier run with the same parameters."""
    from cvtune_nb.runs.store import RESUMABLE

    words = ": going on with it" if run.state in RESUMABLE else f" and is {run.state}: showing it"
    return f"run {run.id} has these parameters{words}"


def _done(run: Any) -> float:
    """The fraction of its epochs that a run has finished."""
    return 0.0 if run.history.empty else float(run.history["epoch"].max()) / max(1, run.config.epochs)


def names_in(text: str) -> list[str]:
    """The names in a text such as "resnet18, resnet50"."""
    return [name.strip() for name in text.split(",") if name.strip()]


def say_weights(spec: "FeatureSpec", meter: Meter) -> None:
    """How the tensors of a file of weights fit, or what has to be downloaded. Raises InputError for the file."""
    from cvtune_nb.models import backbones

    if spec.weights:
        from cvtune_nb.models import networks

        meter.say(f"own weights: {networks.origin(spec.backbone, spec.size, spec.weights)}")
        return
    with contextlib.suppress(InputError):  # what is in the cache needs no weights; what is not says so itself
        if download := backbones.download(spec.backbone):
            meter.say(f"weights of {spec.backbone}: {download.words}")


def parameters_given(
    arguments: argparse.Namespace, names: tuple[str, ...], declared: dict[str, Parameter] = PARAMETERS
) -> dict[str, Any]:
    """The parameters given on the command line, checked.

    Parameters
    ----------
    arguments
        Of a command with flags for them.
    names
        Of the parameters.
    declared
        PARAMETERS, or those of a detector.

    Raises
    ------
    InputError
        For a value that a parameter may not have.
    """
    given = {name: getattr(arguments, name) for name in names}
    return {name: declared[name].check(value) for name, value in given.items() if value is not None}
