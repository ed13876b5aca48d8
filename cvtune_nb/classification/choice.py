"""Which network to start with: the person's choice in this workspace, else the default."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import SQUARE, Preprocessing
from cvtune_nb.files import read_json, write_json
from cvtune_nb.models import backbones, sizes
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace, now

BY_HAND = "chosen by hand"
"""Why a network was chosen that was not recommended; what runs unattended leaves such a choice alone."""

RECOMMENDED = "recommended"
"""Why photos are framed as a comparison recommends."""


@dataclass(frozen=True)
class Choice:
    """The network and what it is shown that the person chose to go on with.

    why: the reason for the network, in a few words; framing_why: that for how photos are framed, "" where nobody chose;
    measured_with: the framing that the network was compared with, where that is another one, else "".
    """

    spec: FeatureSpec
    why: str
    framing_why: str = ""
    measured_with: str = ""

    def __str__(self) -> str:
        measured = f" (measured with {self.measured_with})" if self.measured_with else ""
        framing = f"; {in_words(self.spec.preprocessing)}: {self.framing_why}" if self.framing_why else ""
        return f"{self.spec}, {self.why}{measured}{framing}"


def in_words(shown: Preprocessing) -> str:
    """The framing, and the aspect ratio where it is no square: "crop at 4:3"."""
    return shown.framing if shown.aspect == SQUARE else f"{shown.framing} at {shown.aspect}"


def choose(workspace: Workspace, spec: FeatureSpec, why: str) -> Choice:
    """Have all later steps start with `spec`, unless they are told otherwise; a framing that was chosen stays.

    Parameters
    ----------
    workspace
        In which it is written down (network.json).
    spec
        The network, and what it was shown when it was compared.
    why
        In a few words.
    """
    known = choice(workspace)
    if not known or not known.framing_why:
        return _written(workspace, Choice(spec, why))
    measured, kept = spec.preprocessing, known.spec.preprocessing
    shown = replace(measured, framing=kept.framing, aspect=kept.aspect)
    spec = replace(spec, preprocessing=shown)
    differs = "" if in_words(measured) == in_words(shown) else in_words(measured)
    return _written(workspace, Choice(spec, why, known.framing_why, differs))


def framed_as(spec: FeatureSpec, words: str) -> FeatureSpec:
    """The network shown photos as `in_words` says."""
    framing, _, aspect = words.partition(" at ")
    return replace(spec, preprocessing=replace(spec.preprocessing, framing=framing, aspect=aspect or SQUARE))


def choose_framing(workspace: Workspace, framing: str, why: str) -> Choice:
    """Have all later steps show photos so; the network stays the one to start with.

    Parameters
    ----------
    workspace
        In which it is written down (network.json).
    framing
        As `in_words` has it: one of PARAMETERS["framing"], of what is no square with its aspect ratio.
    why
        In a few words.
    """
    known, spec = choice(workspace), framed_as(start_with(workspace), framing)
    return _written(workspace, Choice(spec, known.why if known else "the default", why))


def _written(workspace: Workspace, made: Choice) -> Choice:
    reasons = {"why": made.why, "framing_why": made.framing_why, "measured_with": made.measured_with}
    write_json(_file(workspace), {**made.spec.to_dict(), **reasons, "time": now()})
    return made


def choice(workspace: Workspace) -> Choice | None:
    """What the person chose; None before a choice was made."""
    try:
        known = read_json(_file(workspace))
    except FileNotFoundError:
        return None
    others = (str(known.get(name, "")) for name in ("framing_why", "measured_with"))  # unknown to earlier versions
    return Choice(FeatureSpec.from_dict(known), str(known["why"]), *others)


def start_with(workspace: Workspace | None, values: Mapping[str, Any] | None = None) -> FeatureSpec:
    """What a step starts with: what it is told, for the rest the person's choice, else the default.

    An image size that was chosen for one network says nothing about another; how photos are framed does.

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
    rest = chosen.spec.to_dict() if chosen else {}
    if rest.get("backbone") != backbone:
        size = told.get("image_size") or sizes.default(backbone)
        kept = {name: rest[name] for name in ("framing", "aspect")} if rest else {}
        rest = {**kept, "image_size": size, "pooling": PARAMETERS["pooling"].default}
    return FeatureSpec.from_dict({**rest, **told, "backbone": backbone})


def _file(workspace: Workspace) -> Path:
    return workspace.folder / "network.json"
