"""Which network to start with: the person's choice in this workspace, else the default."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.files import read_json, write_json
from cvtune_nb.models import backbones, sizes
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace, now

BY_HAND = "chosen by hand"
"""Why a network was chosen that was not recommended; what runs unattended leaves such a choice alone."""


@dataclass(frozen=True)
class Choice:
    """The network and image size that the person chose to go on with, and why, in a few words."""

    spec: FeatureSpec
    why: str

    def __str__(self) -> str:
        return f"{self.spec}, {self.why}"


def choose(workspace: Workspace, spec: FeatureSpec, why: str) -> Choice:
    """Have all later steps start with `spec`, unless they are told otherwise.

    Parameters
    ----------
    workspace
        In which it is written down (network.json).
    spec
        The network, and what it is shown.
    why
        In a few words.
    """
    write_json(_file(workspace), {**spec.to_dict(), "why": why, "time": now()})
    return Choice(spec, why)


def choice(workspace: Workspace) -> Choice | None:
    """What the person chose; None before a choice was made."""
    try:
        known = read_json(_file(workspace))
    except FileNotFoundError:
        return None
    return Choice(FeatureSpec.from_dict(known), str(known["why"]))


def start_with(workspace: Workspace | None, values: Mapping[str, Any] | None = None) -> FeatureSpec:
    """What a step starts with: what it is told, for the rest the person's choice, else the default.

    An image size that was chosen for one network says nothing about another.

    Parameters
    ----------
    workspace
        Whose choice counts; None: no choice is asked for.
    values
        Parameters by name; those that are missing, empty or 0 are not told.
    """
    told = {name: value for name, value in (values or {}).items() if value}
    chosen = choice(workspace) if workspace else None
    backbone = told.get("backbone") or (chosen.spec.backbone if chosen else backbones.default()[0])
    if chosen and chosen.spec.backbone == backbone:
        rest = chosen.spec.to_dict()
    else:
        rest = {
            "image_size": told.get("image_size") or sizes.default(backbone),
            "pooling": PARAMETERS["pooling"].default,
        }
    return FeatureSpec.from_dict({**rest, **told, "backbone": backbone})


def _file(workspace: Workspace) -> Path:
    return workspace.folder / "network.json"
