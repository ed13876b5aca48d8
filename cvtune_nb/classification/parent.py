"""A run that goes on from another one: training starts from what that has learned, not from published weights."""

from dataclasses import replace

from cvtune_nb.classification.features import shown_in
from cvtune_nb.classification.model import Classifier, best_tensors
from cvtune_nb.classification.run import Run, load_run
from cvtune_nb.errors import InputError
from cvtune_nb.files import PIN, path_and_digest, pinned
from cvtune_nb.models import networks
from cvtune_nb.models.backbones import RANDOM
from cvtune_nb.models.depthwise import with_fast_depthwise
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace, photos_id

BELOW = "below"
"""Stands on a ladder for the nearest rung below that was run with the same network."""
ALIKE = ("backbone", "weights", "pooling", "head")
"""Parameters that a run and the one that it goes on from have in common: the same network, and a last layer that sees
the same of it."""


def alike(config: Config, other: Config) -> bool:
    """Whether a run can go on from one with the `other` parameters."""
    return all(getattr(config, name) == getattr(other, name) for name in ALIKE)


def named_parent(workspace: Workspace, config: Config) -> Config:
    """`config` with its parent named by id and by what its best epoch has learned, RUN@sha256:DIGITS.

    So a parent that goes on after that makes another run of it. Raises InputError for a parent that there is not, of
    another network, or that has seen other photos than today's.
    """
    if not config.parent or PIN in config.parent:
        return config
    if config.parent == BELOW:
        raise InputError(f"parent {BELOW} means a rung of a ladder: name a run, or best")
    run = load_run(workspace, config.parent)
    _require_alike(workspace, config, run)
    return replace(config, parent=f"{run.id}{PIN}{digest(run)}")


def parent_of(workspace: Workspace, config: Config) -> Run | None:
    """The run that a config goes on from; None: from none, or from a rung below, whichever that is.

    Raises InputError where it is gone, has learned more since it was chosen, or can't be gone on from.
    """
    if config.parent in ("", BELOW):
        return None
    name, pin = path_and_digest(named_parent(workspace, config).parent)
    run = load_run(workspace, str(name))
    _require_alike(workspace, config, run)
    if digest(run) != pin:
        raise InputError(
            f"run {run.id} has learned more since it was chosen to go on from: choose it again (--parent {run.id})"
        )
    return run


def take_over(network: Classifier, run: Run, config: Config) -> None:
    """Give a network the weights of a run's best epoch, its last layer included.

    What depends on the image size, such as a table of positions, is resampled as a person's own weights are.

    Parameters
    ----------
    network
        Built of `config`.
    run
        The parent.
    config
        Of the run that goes on from it.
    """
    tensors, own = best_tensors(run), network.state_dict()
    if any(own[name].shape != tensor.shape for name, tensor in tensors.items()):
        plain, weights = config.backbone.removesuffix(RANDOM), pinned(str(run.best_weights()))
        resampled = networks.load(plain, image_size=shown_in(config).size, weights=weights, pooling=config.pooling)
        state = with_fast_depthwise(resampled).state_dict()
        tensors |= {f"backbone.{name}": tensor for name, tensor in state.items()}
    network.load_state_dict({**own, **tensors})


def words(run: Run) -> str:
    """Where weights come from that are a run's, for a model card."""
    return f"{run.origin}; from there over run {run.id}, epoch {run.best_epoch}".removeprefix("; ")


def digest(run: Run) -> str:
    """Of what its best epoch has learned: enough digits to tell it from all others."""
    return path_and_digest(pinned(str(run.best_weights())))[1][:16]


def _require_alike(workspace: Workspace, config: Config, run: Run) -> None:
    if run.data_id != photos_id(workspace.photos()):
        raise InputError(
            f"run {run.id} was trained on earlier photos or labels, and may have seen what is validation now: choose "
            "another run to go on from"
        )
    if not alike(config, run.config):
        name = next(name for name in ALIKE if getattr(config, name) != getattr(run.config, name))
        raise InputError(
            f"run {run.id} has {name} {getattr(run.config, name) or 'not set'!s}, this one "
            f"{getattr(config, name) or 'not set'!s}: go on from a run of the same network"
        )
