"""What can be exported: a fine-tuned run, the SVM on a frozen network, or a combination of these."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.classification import Run, after_the_fact, load_run, runs
from cvtune_nb.classification.at_test_time import AtTestTime, Mirrored, chosen_for, tried
from cvtune_nb.classification.baseline import SvmExplorer, baseline_score, last_baseline
from cvtune_nb.classification.combining.combination import is_combination, load_combination, stored_combinations
from cvtune_nb.classification.combining.network import Combined, View
from cvtune_nb.classification.extra_photos import BESIDE, in_words, of_baseline
from cvtune_nb.classification.features import FeatureSpec, suited
from cvtune_nb.classification.model import Classifier, build, load_best
from cvtune_nb.classification.objective import measure, objective_in
from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.data import levels, mean_colour
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, named, silent
from cvtune_nb.imbalance import NONE
from cvtune_nb.metrics import Accuracy
from cvtune_nb.models import networks
from cvtune_nb.models.pooling import LAST
from cvtune_nb.parameters import Config
from cvtune_nb.runs.provenance import Provenance, of_photos, present, require_present
from cvtune_nb.workspace import Workspace

SVM = "svm"
"""Stands for the workspace's last baseline where the id of a run is asked for."""
COMBINED = "combination"
"""The kind of several classifiers as one."""


@dataclass(frozen=True)
class Candidate:
    """A classifier to export.

    Attributes
    ----------
    id
        Of the run or combination, or "svm".
    kind
        "run", the kernel of an SVM, or COMBINED.
    network
        From uint8 photos (n, height, width, 3) to logits (n, classes), in eval mode on the processor.
    parameters
        As they go into config.json.
    history
        A row an epoch; empty for an SVM.
    how, origin
        How it was made, in words.
    weights
        Exactly which weights its backbone started from (networks.origin).
    provenance
        Which photos it was trained on.
    at_test_time
        What it is shown once it is exported, where that is not what it was trained on.
    tried
        Among how many that was chosen on validation photos.
    logit_adjustment
        Strength of the logit adjustment in its bias (after_the_fact); 0: none.
    """

    id: str
    kind: str
    network: nn.Module
    classes: list[str]
    spec: FeatureSpec
    parameters: dict[str, Any]
    train: Accuracy
    validation: Accuracy
    history: pd.DataFrame
    how: str
    origin: str
    weights: str
    provenance: Provenance
    at_test_time: AtTestTime | None = None
    tried: int = 1
    logit_adjustment: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether it is used otherwise than it was measured as it was trained."""
        return self.at_test_time is not None or self.logit_adjustment > 0

    @property
    def shown(self) -> Preprocessing:
        """What it is shown once it is exported."""
        return self.at_test_time or self.spec.preprocessing


def choices(workspace: Workspace) -> pd.DataFrame:
    """What can be exported, the best on validation first.

    That is every run with a finished epoch, SVM for the baseline, and every combination, whose figures are corrected
    for having been chosen.

    Returns
    -------
    pandas.DataFrame
        run, data (as in RunStore.table), validation_accuracy (NaN for a baseline that would be fitted again), and
        objective_value and merit by what counts today.
    """
    known = runs(workspace).dropna(subset=["validation_accuracy"])
    known = known[["run", "data", "validation_accuracy", "objective_value", "merit"]].reset_index(drop=True)
    if last_baseline(workspace, earlier=True):
        objective, svm = objective_in(workspace), last_baseline(workspace)
        score = baseline_score(workspace, objective) if svm else None
        value = score.value if score else float("nan")
        accuracy = svm["validation_accuracy"] if svm else float("nan")
        known.loc[len(known)] = [SVM, "", accuracy, value, objective.merit(value)]
    for stored in stored_combinations(workspace):
        data = stored.provenance.standing(present(workspace))
        objective = objective_in(workspace) if not data else None
        answers = stored.answers(objective) if objective else None
        value = measure(objective, answers).value if objective and answers else float("nan")
        merit = objective.merit(value) if objective else float("nan")
        known.loc[len(known)] = [stored.id, data, stored.validation.value, value, merit]
    return Run.best_first(known)


def trained_with(workspace: Workspace, name: str) -> FeatureSpec:
    """The network of one of `choices`, and what it was shown in training. Raises InputError where there is none.

    Of a combination that of its heaviest network, and what the combination is shown.
    """
    if is_combination(name):
        return FeatureSpec.from_dict(load_combination(workspace, name).network)
    if name != SVM:
        return FeatureSpec.of(load_run(workspace, name).config)
    return FeatureSpec.from_dict(_last_baseline(workspace))


def candidate(workspace: Workspace, name: str, progress: Progress = silent, earlier_data: bool = False) -> Candidate:
    """The best epoch of a run, or the last baseline, fitted again on its cached features.

    Parameters
    ----------
    workspace
        Where they are.
    name
        A run's id, "best" or "last", "svm" for the baseline, or a combination's id, "combination" for the last one.
    progress
        Called with the progress of a baseline's features.
    earlier_data
        Accept one whose classes are not today's.

    Raises
    ------
    InputError
        When there is no such run, or its classes are not today's.
    """
    if is_combination(name):
        return _combination(workspace, name, earlier_data)
    return _svm(workspace, progress) if name == SVM else _run(workspace, name, earlier_data)


def as_chosen(workspace: Workspace, chosen: Candidate) -> Candidate:
    """The same as the person wants it used: its logits adjusted, and what it is shown at test time."""
    if tau := after_the_fact.chosen_for(workspace, chosen):
        chosen = after_the_fact.adjusted(chosen, tau)
    option = chosen_for(workspace, chosen.id, chosen.spec)
    if option is None:
        return chosen
    network = Mirrored(chosen.network).eval() if option.mirrored else chosen.network
    how = f"{chosen.how}; at test time it is shown {option}"
    among = chosen.tried * len(tried(chosen.spec, workspace.photos()))
    return replace(chosen, network=network, at_test_time=option, tried=among, how=how)


def _run(workspace: Workspace, name: str, earlier_data: bool) -> Candidate:
    run = load_run(workspace, name)
    require_present(run.id, run.provenance, present(workspace), earlier_data)
    levels.require_same(workspace, run.levels, run.id)
    mean_colour.require_same(workspace, run.padding, run.id)
    return Candidate(
        run.id,
        "run",
        load_best(run),
        run.classes,
        FeatureSpec.of(run.config),
        _without_folder(run.config.to_dict()),
        run.train,
        run.validation,
        run.history,
        "fine-tuned" if run.best_epoch else "frozen, with the SVM as its last layer",
        f"Run {run.id}, {run.state}, {run.seconds:.0f} seconds. The weights are those of epoch {run.best_epoch} (0: "
        "before any fine-tuning)." + _sentence(run.beside.get(BESIDE, {})) + _taught(run),
        run.origin,
        run.provenance,
    )


def _taught(run: Run) -> str:
    """Which combination taught it, and with what, as a further sentence; "" for none."""
    if not (teacher := run.beside.get("teacher")):
        return ""
    start, others = run.beside.get("start"), run.beside.get("unlabelled", 0)
    began = f" It began with the weights of run {start}." if start else ""
    with_others = f" and on {others} photos without labels" if others else ""
    learned = f" It learned to answer as {teacher} does, a combination of classifiers, on its training photos"
    return f"{learned}{with_others}.{began}"


def _combination(workspace: Workspace, name: str, earlier_data: bool) -> Candidate:
    stored = load_combination(workspace, name)
    require_present(stored.id, stored.provenance, present(workspace), earlier_data)
    spec = FeatureSpec.from_dict(stored.network)
    parameters = {**stored.network, "weights": named(spec.weights)}
    return Candidate(
        stored.id,
        COMBINED,
        rebuilt(COMBINED, parameters, stored.classes, load_file(stored.weights)),
        stored.classes,
        spec,
        parameters,
        stored.train,
        stored.validation,
        pd.DataFrame(),
        stored.how,
        " ".join(stored.combination.words),
        stored.origin,
        stored.provenance,
    )


def _svm(workspace: Workspace, progress: Progress) -> Candidate:
    last = _last_baseline(workspace)
    spec, C, kernel = FeatureSpec.from_dict(last), last["C"], last["kernel"]
    imbalance = str(last.get("imbalance", NONE))  # unknown to earlier versions
    extra = of_baseline(workspace, last)
    explorer = SvmExplorer(workspace, spec, progress, imbalance=imbalance, extra=extra)
    svm = explorer.svm(C, kernel)
    backbone = spec.network(progress)
    network = classifier(kernel, backbone, len(svm.classes))
    network.start_from(svm)
    return Candidate(
        SVM,
        kernel,
        network.eval(),
        svm.classes,
        spec,
        {**_without_folder(spec.to_dict()), "kernel": kernel, "C": C, "imbalance": imbalance},
        explorer.accuracy(C, kernel, "train"),
        explorer.accuracy(C, kernel, "validation"),
        pd.DataFrame(),
        f"frozen, with an SVM on its features ({kernel} kernel)",
        f"An SVM with C = {C:g}, chosen on validation."
        + (f" Classes of different size: {imbalance}." if imbalance != NONE else "")
        + _sentence(last.get(BESIDE, {})),
        networks.origin(spec.backbone, spec.size, spec.weights, progress),
        of_photos(explorer.photos).beside(explorer.extra.as_trained()),
    )


def _sentence(facts: dict[str, Any]) -> str:
    words = in_words(facts)
    return words and f" {words}."


def _last_baseline(workspace: Workspace) -> dict[str, Any]:
    last = last_baseline(workspace, earlier=True)
    if last is None:
        raise InputError("there is no baseline in this workspace yet: make one in notebook 02, or name a run")
    return last


def _without_folder(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters as an export has them: a file of weights by its name and digest, not where it lies here."""
    return {**parameters, "weights": named(parameters["weights"])}


def classifier(kernel: str, backbone: networks.Backbone, classes: int, support: int = 1) -> "Classifier | RbfSvm":
    """The network of an SVM, before it has any weights.

    Parameters
    ----------
    kernel
        "linear" or "rbf".
    backbone
        The frozen network.
    classes
        How many.
    support
        Number of support vectors of an RBF kernel.
    """
    if kernel == "linear":
        return Classifier(backbone, classes, 0.0, normalise=True)
    return RbfSvm(backbone, classes, support)


def rebuilt(
    kind: str,
    parameters: dict[str, Any],
    classes: list[str],
    weights: dict[str, torch.Tensor],
    mirrored: bool = False,
) -> nn.Module:
    """The network of an export.

    Parameters
    ----------
    kind, parameters, classes
        What config.json holds.
    weights
        What model.safetensors holds.
    mirrored
        Whether it averages over mirror images.

    Raises
    ------
    InputError, KeyError, RuntimeError
        When these don't belong together.
    """
    if kind == "run":
        network = build(Config.from_file(parameters), classes, pretrained=False)
    elif kind == COMBINED:
        network = _combined(parameters, classes, weights)
    elif kind in ("linear", "rbf"):
        name, pooling = str(parameters["backbone"]), str(parameters.get("pooling", LAST))
        shown = suited(Preprocessing.from_dict(parameters), name)
        backbone = networks.load(name, False, shown.size, pooling=pooling)
        network = classifier(kind, backbone, len(classes), _support(weights))
    else:
        raise InputError(f"no kind of model is called {kind!r}")
    network = Mirrored(network) if mirrored else network
    network.load_state_dict(weights)
    return network.eval()


def _combined(parameters: dict[str, Any], classes: list[str], weights: dict[str, torch.Tensor]) -> Combined:
    """The networks of a combination, each rebuilt with its part of the weights."""
    parts = []
    for number, each in enumerate(parameters["networks"]):
        start = f"networks.{number}."
        own = {key.removeprefix(start): tensor for key, tensor in weights.items() if key.startswith(start)}
        parts.append(rebuilt(each["kind"], each["parameters"], classes, own))
    shape = FeatureSpec.from_dict({**parameters, "weights": ""}).preprocessing.shape
    return Combined(parts, [View.from_dict(view) for view in parameters["views"]], shape)


def _support(weights: dict[str, torch.Tensor]) -> int:
    """How many support vectors there are among the weights; 1 for a linear SVM, which has none."""
    return next((len(tensor) for name, tensor in weights.items() if name.endswith("support")), 1)


class RbfSvm(nn.Module):
    """A backbone and an SVM with an RBF kernel, which decides as scikit-learn does.

    That is one vote for each pair of classes, and among classes with equally many votes the greatest sum of decision
    values (sklearn.utils.multiclass._ovr_decision_function).
    """

    support: torch.Tensor
    coefficients: torch.Tensor
    intercepts: torch.Tensor
    gamma: torch.Tensor
    sides: torch.Tensor

    def __init__(self, backbone: networks.Backbone, classes: int, support: int):
        super().__init__()
        pairs = list(combinations(range(classes), 2))
        self.backbone, self.classes = backbone, classes
        self.register_buffer("support", torch.zeros(support, backbone.width))
        self.register_buffer("coefficients", torch.zeros(support, len(pairs)))
        self.register_buffer("intercepts", torch.zeros(len(pairs)))
        self.register_buffer("gamma", torch.zeros(1))
        sides = torch.zeros(2, len(pairs), classes)
        for number, pair in enumerate(pairs):
            for side, label in enumerate(pair):
                sides[side, number, label] = 1
        self.register_buffer("sides", sides, persistent=False)

    def start_from(self, svm: Svm) -> None:
        """Take the weights of a fitted SVM."""
        support, coefficients, intercepts, gamma = svm.kernel_machine()
        for name, value in (
            ("support", support),
            ("coefficients", coefficients),
            ("intercepts", intercepts),
            ("gamma", [gamma]),
        ):
            setattr(self, name, torch.as_tensor(value, dtype=torch.float32).contiguous())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of uint8 photos (n, size, size, 3)."""
        return self.classify(self.backbone(images))

    def seen(self, images: torch.Tensor, pooling: str) -> tuple[torch.Tensor, torch.Tensor]:
        """As Classifier.seen."""
        features = self.backbone(images, pooling)
        return self.classify(features[:, : self.backbone.width]), features

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of features (n, width)."""
        features = nn.functional.normalize(features)
        decisions = torch.exp(-self.gamma * (2 - 2 * features @ self.support.T)) @ self.coefficients + self.intercepts
        if self.classes == 2:
            return SVM_SCALE * torch.cat([-decisions, decisions], dim=1)
        first, second = self.sides
        won = (decisions > 0).to(decisions.dtype)
        votes = won @ first + (1 - won) @ second
        margin = decisions @ first - decisions @ second
        return SVM_SCALE * (votes + margin / (3 * (margin.abs() + 1)))
