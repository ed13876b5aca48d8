"""What combinations are made of: the weights of runs and of the SVM, and averages of weights.

Weights can be averaged where networks have the same architecture and began with the same weights (Wortsman and others
2022, "Model soups"). Batch norms keep the statistics of pretraining in every run (runs.fitting.train_mode), and most
are folded into convolutions: averaging them is exact, and there is nothing to estimate again.

Of one run there are up to four sets of weights, all on disk already: those of its best epoch; of its last, averaged
over the steps of training (EMA) or as they were (both from the checkpoint that a run is resumed from); and those it
began with, which are made again from the SVM.
"""

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from torch import nn

from cvtune_nb.classification import SVM, load_run
from cvtune_nb.classification.exportable import Candidate, candidate
from cvtune_nb.classification.extra_photos import BESIDE, in_folder
from cvtune_nb.classification.model import build
from cvtune_nb.classification.objective import kept_chances
from cvtune_nb.classification.run import PROBABILITIES
from cvtune_nb.classification.train import start_from_svm
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.runs.checkpoint import AVERAGE
from cvtune_nb.workspace import Workspace

LAST, UNAVERAGED, START = "@last", "@unaveraged", "@start"
"""What follows the id of a run where not the weights of its best epoch are meant."""

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Blend:
    """An average of weights, or the weights of one classifier.

    shares: names of ingredients, each with its share; all shares together are 1.
    """

    shares: tuple[tuple[str, float], ...]

    @classmethod
    def equal(cls, names: Sequence[str]) -> "Blend":
        """Of each the same share."""
        return cls(tuple((name, 1 / len(names)) for name in names))

    @property
    def single(self) -> bool:
        """Whether it is one classifier as it was trained."""
        return len(self.shares) == 1

    def __str__(self) -> str:
        if self.single:
            return self.shares[0][0]
        return " + ".join(f"{share:.0%} {name}" for name, share in self.shares)


class Ingredients:
    """The classifiers that may be combined, and their weights.

    Parameters
    ----------
    workspace
        Where they are.
    names
        Ids of runs, and SVM.
    progress
        Called while the SVM's features are computed.

    Raises
    ------
    InputError
        One of them can't be used (exportable.candidate).
    """

    def __init__(self, workspace: Workspace, names: Sequence[str], progress: Progress = silent):
        self.workspace = workspace
        self.candidates: dict[str, Candidate] = {name: candidate(workspace, name, progress) for name in names}
        self._weights: dict[str, Weights] = {}

    def of(self, name: str) -> Candidate:
        """The classifier that an ingredient is of."""
        return self.candidates[name.partition("@")[0]]

    def base(self, blend: Blend) -> Candidate:
        """The classifier that a blend has its architecture from."""
        return self.of(blend.shares[0][0])

    def alike(self, name: str) -> list[str]:
        """The runs whose weights may be averaged with those of one, itself among them; none for an SVM."""
        mine = self.candidates[name]
        if mine.kind != "run":
            return []
        kin = (other for other, each in self.candidates.items() if each.kind == "run" and _kin(each) == _kin(mine))
        return list(kin)

    def checkpoints(self, name: str) -> list[str]:
        """The other weights of a run that are on disk: of its last epoch."""
        if self.candidates[name].kind != "run":
            return []
        run = load_run(self.workspace, name)
        if run.history.empty or not run.checkpoint.exists() or run.best_epoch < 1:
            return []
        found = [LAST] if run.best_epoch != run.history["epoch"].iloc[-1] else []
        return [name + kind for kind in (*found, *([UNAVERAGED] if run.config.ema else []))]

    def has_start(self, name: str) -> bool:
        """Whether a run was trained from the SVM of the workspace's photos, so that its start can be made again."""
        mine = self.candidates[name]
        if mine.kind != "run" or mine.parameters["head"] != "svm":
            return False
        run = load_run(self.workspace, name)
        return run.best_epoch > 0 and not run.config.parent and run.beside.keys() <= {BESIDE}

    def recorded(self, blend: Blend, photos: pd.DataFrame) -> np.ndarray | None:
        """What a run itself has recorded of the photos, as logits (n, classes); None where there is no such record.

        So its figure is that of the run, to the last photo: in bfloat16 other minibatches round otherwise.
        """
        name = blend.shares[0][0]
        if not blend.single or "@" in name or self.candidates[name].kind != "run":
            return None
        run = load_run(self.workspace, name)
        chances, known = kept_chances(run.folder / PROBABILITIES), run.predictions()
        rows = pd.Index(known["path"]).get_indexer(photos["path"])
        if chances is None or len(chances) != len(known) or (rows < 0).any():
            return None
        return np.log(np.maximum(chances[rows], np.finfo(np.float32).tiny)).astype(np.float32)

    def weights(self, name: str, progress: Progress = silent) -> Weights:
        """Those of one ingredient. Raises InputError where they can't be had any more."""
        if name not in self._weights:
            self._weights[name] = self._found(name, progress)
        return self._weights[name]

    def network(self, blend: Blend, progress: Progress = silent) -> nn.Module:
        """The network with the averaged weights, in eval mode on the processor."""
        base = self.base(blend).network
        if blend.single and "@" not in blend.shares[0][0]:
            return base
        network = copy.deepcopy(base)
        network.load_state_dict(averaged([(self.weights(name, progress), share) for name, share in blend.shares]))
        return network.eval()

    def digest(self, blend: Blend) -> str:
        """A short name for exactly these weights."""
        parts = [(self._identity(name), round(share, 6)) for name, share in blend.shares]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    def _identity(self, name: str) -> list[object]:
        """What changes whenever the weights of an ingredient do."""
        base, _, kind = name.partition("@")
        if base == SVM:
            mine = self.candidates[SVM]
            last = mine.network.state_dict()  # but for the frozen backbone, of which mine.weights tells
            own = [key for key in sorted(last) if not key.startswith("backbone.")]
            learned = hashlib.sha256(b"".join(last[key].cpu().numpy().tobytes() for key in own)).hexdigest()
            return [name, mine.parameters, mine.provenance.id, mine.weights, learned]
        run = load_run(self.workspace, base)
        file = run.checkpoint if f"@{kind}" in (LAST, UNAVERAGED) else run.best_weights()
        status = file.stat()
        return [name, run.best_epoch, status.st_size, status.st_mtime_ns]

    def _found(self, name: str, progress: Progress) -> Weights:
        base, _, kind = name.partition("@")
        network = self.candidates[base].network
        if not kind:
            return network.state_dict()
        run = load_run(self.workspace, base)
        if f"@{kind}" == START:
            started = build(run.config, run.classes, progress=progress)
            start_from_svm(self.workspace, started, (), run.config, progress, in_folder(run.folder))
            return started.state_dict()
        with safe_open(run.checkpoint, "pt") as file:
            names = set(file.keys())
            found = {key: file.get_tensor(f"network.{key}") for key in network.state_dict()}
            if f"@{kind}" == LAST:
                for number, (key, _) in enumerate(network.named_parameters()):
                    if f"{AVERAGE}{number}" in names:
                        found[key] = file.get_tensor(f"{AVERAGE}{number}")
        return found


def averaged(parts: Sequence[tuple[Mapping[str, torch.Tensor], float]]) -> Weights:
    """The weighted average of weights of one architecture; what is no number with a fraction is that of the first.

    Raises InputError where their names or shapes differ.
    """
    first = parts[0][0]
    for other, _ in parts[1:]:
        if other.keys() != first.keys() or any(other[name].shape != first[name].shape for name in first):
            raise InputError("weights of different networks can't be averaged: combine their probabilities instead")
    return {
        name: sum((share * weights[name].double() for weights, share in parts), torch.zeros(())).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in first.items()
    }


def _kin(mine: Candidate) -> tuple[object, ...]:
    """Equal for classifiers whose weights may be averaged: architecture, what it is shown, and where it began."""
    head = mine.parameters["head"], mine.parameters["backbone"]
    return str(mine.spec), *head, mine.weights
