"""Logit adjustment of a finished classifier: its answers made fair to small classes without training it again.

From the logits a part of the logarithm of the classes' shares in training is taken (Menon and others 2021, section
4.1), which is a change of the last layer's bias. What that brings is measured on validation photos; what the person
chooses is exported. How much it brings: docs/measurements.md, "Remedies for imbalance".
"""

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax
from torch import nn

from cvtune_nb.classification.model import Classifier
from cvtune_nb.classification.remedies import Comparison, concluded, what_counts
from cvtune_nb.classification.variants_accuracy import fairly
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.pixels import pixels
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.imbalance import LOGITS, NONE, TAU, Balance, Remedy, counted
from cvtune_nb.models import networks
from cvtune_nb.objectives import objective_of
from cvtune_nb.workspace import Workspace

if TYPE_CHECKING:
    from cvtune_nb.classification.exportable import Candidate

TAUS = (0.25, 0.5, 1.0, 1.5)
"""Strengths that are tried: 1 is that of the theory, for logits that are calibrated."""
BATCH = 32
FILE = "logit_adjustment.json"


def measure(workspace: Workspace, chosen: "Candidate", objective: str = "", progress: Progress = silent) -> Comparison:
    """What each of TAUS brings on validation photos, beside none.

    Parameters
    ----------
    workspace, chosen
        Where the photos are, and the classifier, as it was trained.
    objective
        What counts (objectives); "": what counts in this workspace.
    progress
        Called with the progress; may raise Stopped.

    Raises
    ------
    InputError
        The classifier has no last layer (an RBF kernel), or there are no validation photos that it was not trained on.
    """
    _last_layer(chosen.network)
    photos = fairly(workspace, chosen.provenance, workspace.photos()).validation
    if photos.empty:
        raise InputError(f"there are no validation photos to measure {chosen.id} on: open data that has some")
    truth = photos["label"].map({label: number for number, label in enumerate(chosen.classes)}).to_numpy()
    squares, logits = pixels(workspace, photos, chosen.spec.preprocessing, progress), list[np.ndarray]()
    network = chosen.network.to(networks.device()).eval()
    for first in range(0, len(photos), BATCH):
        progress(first / len(photos), f"measuring: {first} of {len(photos)} photos")
        logits.append(networks.forward(network, squares.centre(range(first, min(first + BATCH, len(photos))))))
    network.cpu()
    plain, counts = np.concatenate(logits), shares_of(chosen)
    answers = {NONE: softmax(plain, axis=1)}
    for tau in TAUS:
        remedy = Remedy(LOGITS, tau)
        answers[remedy.text] = softmax(plain - _prior(remedy, counts), axis=1)
    judged_by = objective_of(objective or what_counts(workspace), chosen.classes)
    found = concluded(answers, truth, judged_by, Balance(counts), dependent(photos))
    return replace(found, network=f"{chosen.id} on {chosen.spec}")


def shares_of(chosen: "Candidate") -> dict[str, int]:
    """Training photos of each class. Raises InputError where it is not known what the classifier was trained on."""
    photos = chosen.provenance.listed()
    return counted(photos.loc[photos["split"] == "train", "label"], chosen.classes)


def adjusted(chosen: "Candidate", tau: float) -> "Candidate":
    """The classifier with that adjustment in the bias of its last layer.

    Parameters
    ----------
    chosen
        As it was trained.
    tau
        Strength, above 0.

    Raises
    ------
    InputError
        As `measure`.
    """
    network = copy.deepcopy(chosen.network)
    last = _last_layer(network)
    prior = _prior(Remedy(LOGITS, tau), shares_of(chosen))
    last.bias.data -= last.bias.data.new_tensor(prior)
    how = f"{chosen.how}; its logits are adjusted to the classes' shares in training (strength {tau:g})"
    return replace(chosen, network=network, how=how, logit_adjustment=tau, tried=chosen.tried * (1 + len(TAUS)))


def choose(workspace: Workspace, chosen: "Candidate", tau: float) -> None:
    """Have exports of this classifier be adjusted.

    Parameters
    ----------
    workspace
        In which it is written down (FILE).
    chosen
        The classifier.
    tau
        Strength, from 0 (not at all) to TAU.
    """
    if not 0 <= tau <= TAU:
        raise InputError(f"the strength of logit adjustment is {tau:g}: choose 0 (none) to {TAU:g}")
    if tau:  # a choice can always be taken back
        _last_layer(chosen.network)
    known = {name: value for name, value in _all(workspace).items() if name != chosen.id}
    own = {chosen.id: {"tau": tau, "trained": _trained(chosen)}} if tau else {}
    write_json(workspace.folder / FILE, {**known, **own})


def chosen_for(workspace: Workspace, chosen: "Candidate") -> float:
    """The strength that was chosen for a classifier; 0 where none was.

    A choice for another baseline is none for this one, nor is one for a classifier without a last layer.
    """
    if not isinstance(chosen.network, Classifier):
        return 0.0
    known = _all(workspace).get(chosen.id)
    return float(known["tau"]) if known and known["trained"] == _trained(chosen) else 0.0


def strength(remedy: str) -> float:
    """The strength of a row of the table of `measure`."""
    return 0.0 if remedy == NONE else float(remedy.partition(":")[2] or 1.0)


def _trained(chosen: "Candidate") -> str:
    return f"{chosen.kind}, {chosen.spec}, {chosen.parameters.get('imbalance', NONE)}, {chosen.parameters.get('C', '')}"


def _prior(remedy: Remedy, counts: dict[str, int]) -> np.ndarray:
    """What is taken from the logits, (classes,)."""
    prior = remedy.prior({label: max(1, count) for label, count in counts.items()})
    return np.zeros(len(counts)) if prior is None else prior


def _last_layer(network: nn.Module) -> nn.Linear:
    if not isinstance(network, Classifier):
        raise InputError(
            "a combination has no last layer to adjust, nor has an SVM with an RBF kernel: choose a run, or the linear "
            "kernel"
        )
    return network.last


def _all(workspace: Workspace) -> dict[str, Any]:
    try:
        return read_json(workspace.folder / FILE)
    except FileNotFoundError:
        return {}
