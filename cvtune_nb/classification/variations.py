"""What policies of augmentation do to a workspace's photos: to look at, and what they cost a frozen network and SVM.

A variation by which photos are still told apart as well as before is one that training may use: it does not change
what a photo shows. Mirrored digits are no longer the same digits.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cvtune_nb import metrics
from cvtune_nb.augmentation.minibatch import augmented
from cvtune_nb.augmentation.mixing import mixed
from cvtune_nb.augmentation.policies import OF_CLASSIFIERS, POLICIES
from cvtune_nb.classification import candidates
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import BATCH, FeatureSpec
from cvtune_nb.data.groups import dependent
from cvtune_nb.data.mean_colour import padding_for
from cvtune_nb.data.pixels import pixels, still_there
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import Progress, read_csv, silent, write_csv
from cvtune_nb.models import memory
from cvtune_nb.workspace import Workspace, photos_id

SHOWN, DRAWS = 9, 3
"""Photos that are shown, and how often each is varied beside them."""
MOST = 500
"""Validation photos that a policy is tried on, at most."""
HARMLESS, DOUBTFUL, HARMFUL = "harmless", "too few photos to tell", "harmful"
TOLERATED = 0.05
"""A policy whose interval reaches to this cost is not called harmless. Ours: what cost training most cost far more here
(docs/measurements.md, "Augmentation"), and less would take more validation photos than many sets have: forty show it
only where none of them is lost."""
COLUMNS = ["policy", "strength", "photos", "accuracy", "varied", "difference", "low", "high", "p", "verdict"]
MEASURED = {name: policy.strength for name, policy in POLICIES.items() if name in OF_CLASSIFIERS and not policy.mixes}
"""Strengths of the policies that can be measured: not of those that mix labels."""


class Examples:
    """Some training photos of a workspace, spread over its classes, that policies are shown on."""

    def __init__(self, workspace: Workspace, preprocessing: Preprocessing):
        photos = workspace.photos()
        photos = photos[photos["split"] == "train"].sample(frac=1, random_state=workspace.seed)
        turn = photos.groupby("label").cumcount()  # one of each class, then another of each
        photos = photos.assign(turn=turn).sort_values(["turn", "label"]).head(SHOWN)
        self.preprocessing = preprocessing
        padding, paths = padding_for(workspace, preprocessing), map(workspace.path_of, photos["path"])
        decode = partial(preprocessing.decode, levels=workspace.levels, padding=padding)
        squares = [still_there(path, decode, preprocessing.side) for path in paths]  # so few are not worth a store
        self._squares = torch.from_numpy(np.stack(squares))

    def varied(self, chosen: Mapping[str, float], seed: int = 0) -> np.ndarray:
        """The photos as they are measured, and DRAWS times as they are trained on.

        Parameters
        ----------
        chosen
            Strengths by name (augmentation.policies).
        seed
            Of what is drawn.

        Returns
        -------
        numpy.ndarray
            uint8 (1 + DRAWS, photos, height, width, 3).
        """
        size = self.preprocessing.shape
        rows = [augmented(self._squares, size, {})]
        random = torch.Generator().manual_seed(seed)  # the global one may be drawn from by a training run meanwhile
        for _ in range(DRAWS):
            photos = augmented(self._squares, size, chosen, random)
            mixture = mixed(photos, chosen, random)
            rows.append(mixture.photos if mixture else photos)
        return torch.stack(rows).numpy()


def known_costs(workspace: Workspace, spec: FeatureSpec) -> pd.DataFrame:
    """What `measure_costs` has measured on today's photos, of all strengths: COLUMNS."""
    file = _file(workspace, spec)
    return read_csv(file, policy=str, verdict=str) if file.exists() else pd.DataFrame(columns=COLUMNS)


def cost_of(costs: pd.DataFrame, policy: str, strength: float) -> pd.Series | None:
    """What was measured of a policy at that strength, else at a greater one that did no harm; None: nothing."""
    rows = costs[costs["policy"] == policy] if len(costs) else costs
    if rows.empty:
        return None
    strength = _whole(policy, strength)
    same = rows[np.isclose(rows["strength"].astype(float), strength)]
    stronger = rows[(rows["strength"] > strength) & (rows["verdict"] == HARMLESS)]
    rows = same if len(same) else stronger
    return None if rows.empty else rows.iloc[0]


def in_points(cost: pd.Series) -> str:
    """What one row of the table says was lost or gained."""
    return f"{cost['difference'] * 100:+.1f} points ({cost['low'] * 100:+.1f} to {cost['high'] * 100:+.1f})"


def in_words(cost: pd.Series) -> str:
    """One row of the table as a sentence."""
    points, photos = in_points(cost), f"on {cost['photos']:.0f} validation photos varied so"
    if cost["verdict"] == HARMLESS:
        return f"No reliable cost {photos}: {points}."
    if cost["verdict"] == HARMFUL:
        return f"Costs accuracy {photos}: {points}."
    return f"Too few validation photos ({cost['photos']:.0f}) to tell: {points}."


def predicted_seconds(
    workspace: Workspace, spec: FeatureSpec, chosen: Mapping[str, float] | None = None, progress: Progress = silent
) -> float:
    """How long `measure_costs` takes, with the features that are not there yet; arguments as there.

    0 where all was measured before. Raises InputError as candidates.predicted_seconds.
    """
    lacking = _lacking(known_costs(workspace, spec), _wanted(chosen))
    if not lacking:
        return 0.0
    photos = workspace.photos()
    validation = min(MOST, int((photos["split"] == "validation").sum()))
    before = candidates.predicted_seconds(workspace, [candidates.Candidate(spec)], photos, progress)
    return before + len(lacking) * validation / candidates.Speeds(workspace, [spec], progress).of(spec)


@memory.retain_freed_memory()
def measure_costs(
    workspace: Workspace,
    spec: FeatureSpec,
    chosen: Mapping[str, float] | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Classify validation photos varied by each policy alone, and compare with the same photos as they are.

    By the workspace's frozen network and SVM. Where a strength is how many photos are varied, all are. What was
    measured once is kept in the cache.

    Parameters
    ----------
    workspace, spec
        The photos, and the features that the SVM is fitted on.
    chosen
        Strengths by name; None: every policy at its usual strength. Those that mix labels are left out.
    progress
        Called for every minibatch; may raise Stopped, which keeps the policies that are done.

    Returns
    -------
    pandas.DataFrame
        COLUMNS, a row for each policy: accuracy of the photos as they are and varied, the difference with its 95%
        interval and the p value of McNemar's test, and the verdict.

    Raises
    ------
    InputError
        As SvmExplorer.
    """
    wanted, known = _wanted(chosen), known_costs(workspace, spec)
    lacking = _lacking(known, wanted)
    if lacking:
        trial = _Trial(workspace, spec, progress)
        for number, (name, strength) in enumerate(lacking.items()):
            share = number / len(lacking), 1 / len(lacking)
            row = trial.row(
                name, strength, lambda part, words, share=share: progress(share[0] + part * share[1], words)
            )
            new = pd.DataFrame([row], columns=COLUMNS)
            known = pd.concat([known, new], ignore_index=True) if len(known) else new
            write_csv(_file(workspace, spec), known)
    rows = [_row(known, name, strength) for name, strength in wanted.items()]
    return pd.concat(rows, ignore_index=True) if rows else known.head(0)


class _Trial:
    """A frozen network, its SVM, and the validation photos that both are tried on."""

    def __init__(self, workspace: Workspace, spec: FeatureSpec, progress: Progress):
        from cvtune_nb.models import networks
        from cvtune_nb.models.inference import fastest

        explorer = SvmExplorer(workspace, spec, progress)
        self.svm, self.size, self.seed = (
            explorer.svm(explorer.best_C(progress=progress)),
            spec.preprocessing.shape,
            workspace.seed,
        )
        rows = np.flatnonzero((explorer.photos["split"] == "validation").to_numpy())
        rows = np.sort(np.random.default_rng(workspace.seed).permutation(rows)[:MOST])
        photos = explorer.photos.iloc[rows]
        self.labels, self.groups = photos["label"].to_numpy(dtype=object), dependent(photos)
        self.right = self.svm.predict(explorer.features.rows[rows]) == self.labels
        self.squares = pixels(workspace, photos, spec.preprocessing, progress)
        network = spec.network(progress)
        network = network.eval().to(networks.device())
        few = self.squares.centre(range(min(BATCH, len(photos))))
        self.features = fastest(network, few, len(photos) * len(MEASURED))

    def row(self, policy: str, strength: float, progress: Progress) -> tuple:
        """What COLUMNS says, of one policy."""
        random, found = torch.Generator().manual_seed(self.seed), []
        for first in range(0, len(self.labels), BATCH):
            progress(first / len(self.labels), f"photos varied by {policy}: {first} of {len(self.labels)}")
            squares = torch.from_numpy(self.squares[range(first, min(first + BATCH, len(self.labels)))])
            found.append(self.features(augmented(squares, self.size, {policy: strength}, random).numpy()))
        right = self.svm.predict(np.concatenate(found)) == self.labels
        compared = metrics.paired(self.right, right, self.groups)
        accuracies = float(self.right.mean()), float(right.mean())
        interval = compared.difference, compared.low, compared.high, compared.p
        return (policy, strength, len(right), *accuracies, *interval, verdict_on(compared))


def verdict_on(compared: metrics.Paired) -> str:
    """Of photos that are varied, beside the same photos as they are: harmless is what is shown to cost little."""
    if compared.verdict is metrics.Verdict.WORSE:
        return HARMFUL
    return HARMLESS if compared.low > -TOLERATED and compared.high >= 0 else DOUBTFUL


def _wanted(chosen: Mapping[str, float] | None) -> dict[str, float]:
    given = MEASURED if chosen is None else chosen
    return {name: _whole(name, strength) for name, strength in given.items() if name in MEASURED}


def _lacking(known: pd.DataFrame, wanted: Mapping[str, float]) -> dict[str, float]:
    return {name: strength for name, strength in wanted.items() if _row(known, name, strength).empty}


def _whole(policy: str, strength: float) -> float:
    return 1.0 if POLICIES[policy].chance else strength


def _row(costs: pd.DataFrame, policy: str, strength: float) -> pd.DataFrame:
    return costs[(costs["policy"] == policy) & np.isclose(costs["strength"].astype(float), strength)].head(1)


def _file(workspace: Workspace, spec: FeatureSpec) -> Path:
    return workspace.cache / f"variations-{spec.key}-{photos_id(workspace.photos())}.csv"
