"""What a linear SVM on frozen features says of photos that it was not trained on.

Every prediction of a gain is based on it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb.audit.forecast import FORECAST_C
from cvtune_nb.classification.calibration import tempered
from cvtune_nb.classification.features import FeatureSpec, features, missing
from cvtune_nb.classification.objective import keep_chances, kept_chances
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.groups import groups_id
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, silent, write_csv
from cvtune_nb.workspace import Workspace, photos_id

FOLDS = 4
"""Parts of the cross-validation."""
DRAWS = 2
"""How often photos are drawn when not all are trained on."""
ENOUGH = 5_000
"""Of more photos so many are drawn, so that time and memory stay the same."""


def right_by_photo(
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    progress: Progress = silent,
    fraction: float = 1.0,
    taught: pd.Series | None = None,
) -> pd.Series:
    """How often a photo is right that the SVM was not trained on; kept in the cache.

    Parameters
    ----------
    workspace : Workspace
        Where the photos are.
    photos : pandas.DataFrame
        Rows of the manifest (columns path, label, group, split).
    spec : FeatureSpec
        The frozen network and what it is shown.
    progress : Progress
        Called with the fraction done and words.
    fraction : float
        Of each class that is trained on.
    taught : pandas.Series, optional
        Other labels to train on, by path; a photo still counts as right when it gets the label that `photos` has.

    Returns
    -------
    pandas.Series
        The fraction (0 to 1) of the times that it was right, by path.

    Raises
    ------
    InputError
        When there are too few photos of a class, or the features can't be had.
    """
    learned = _learned(photos, taught)
    file = _file(workspace, photos, spec, fraction, learned, ".csv")
    if file.exists():
        table = read_csv(file, path=str, right=float)
        return table.set_index("path")["right"]
    photos = judged(photos)
    hits, labels = np.zeros(len(photos)), photos["label"].to_numpy(dtype=object)
    for svm, asked, matrix, _ in _fitted(workspace, photos, spec, progress, fraction, learned):
        hits[asked] += (svm.predict(matrix) == labels[asked]) / _draws(fraction)
    write_csv(file, pd.DataFrame({"path": photos["path"].to_numpy(), "right": hits}))
    return pd.Series(hits, index=photos["path"].to_numpy())


def chances_by_photo(
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    progress: Progress = silent,
    fraction: float = 1.0,
    taught: pd.Series | None = None,
) -> np.ndarray:
    """The same as probabilities (draws, n, classes): photos as `judged` has them, classes sorted; kept in the cache.

    Arguments and errors as for `right_by_photo`. Of each draw at the temperature that suits its answers best.
    """
    learned = _learned(photos, taught)
    order = hashlib.sha256("\n".join(photos["path"]).encode()).hexdigest()[:8]  # rows are told apart by nothing else
    file = _file(workspace, photos, spec, fraction, learned, f"-{order}.npy")
    if (known := kept_chances(file)) is not None:
        return known
    classes, photos = sorted(photos["label"].unique()), judged(photos)
    logits = np.zeros((_draws(fraction), len(photos), len(classes)))
    for svm, asked, matrix, draw in _fitted(workspace, photos, spec, progress, fraction, learned):
        logits[draw, asked] = svm.logits(matrix, classes)
    truth = pd.Index(classes).get_indexer(photos["label"])
    keep_chances(file, np.stack([tempered(each, truth) for each in logits]))
    return np.load(file, allow_pickle=False)


def _learned(photos: pd.DataFrame, taught: pd.Series | None) -> pd.DataFrame:
    """The photos with the labels that are trained on."""
    return photos if taught is None else photos.assign(label=photos["path"].map(taught).fillna(photos["label"]))


def _file(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, fraction: float, learned: pd.DataFrame, suffix: str
) -> Path:
    """Where answers are kept.

    Parameters
    ----------
    workspace, photos, spec, fraction
        As for `right_by_photo`.
    learned
        The photos with the labels that are trained on.
    suffix
        The end of the name.
    """
    ids = "-".join(dict.fromkeys([photos_id(photos), photos_id(learned)]))
    own = groups_id(photos)
    drawn = "-whole" if own and fraction < 1 else ""  # earlier versions drew single photos of groups
    return workspace.cache / f"answers-{spec.key}-{fraction:g}-{ids}{own}{drawn}{suffix}"


def _draws(fraction: float) -> int:
    return DRAWS if fraction < 1 else 1


def _fitted(
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    progress: Progress,
    fraction: float,
    learned: pd.DataFrame,
) -> Iterator[tuple[Svm, np.ndarray, np.ndarray, int]]:
    """Each SVM, the rows of photos that it was not trained on, their features, and the number of the draw."""
    labels, groups = (photos[name].to_numpy(dtype=object) for name in ("label", "group"))
    given = learned.set_index("path")["label"][photos["path"]].to_numpy(dtype=object)
    matrix = features(workspace, photos, spec, progress).matrix
    random, draws, together = np.random.default_rng(0), _draws(fraction), groups if groups_id(photos) else None
    for number, (fit, asked) in enumerate(_folds(matrix, labels, groups) * draws):
        progress(number / (FOLDS * draws), f"cross-validating {spec}")
        known = _subsample(fit, labels, fraction, random, together)
        yield Svm(FORECAST_C).fit(matrix[known], given[known]), asked, matrix[asked], number // FOLDS


def cached(workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec) -> bool:
    """Whether the features that `right_by_photo` needs are in the cache.

    Parameters
    ----------
    workspace, photos
        Whose features they are.
    spec
        Which features.
    """
    try:
        return not missing(workspace, spec, list(judged(photos)["sha256"]))
    except InputError:  # a network whose weights can't be had
        return False


def judged(photos: pd.DataFrame) -> pd.DataFrame:
    """The train and validation photos, at most ENOUGH of them."""
    photos = photos[photos["split"] != "test"]
    if len(photos) > ENOUGH:
        photos = photos.sample(ENOUGH, random_state=0).sort_index()
    if photos.groupby("label")["group"].nunique().min() < FOLDS:
        raise InputError(f"a class has fewer than {FOLDS} different photos: too few to estimate what would help")
    return photos.reset_index(drop=True)


def _folds(matrix: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(matrix, labels, groups))


def _subsample(
    rows: np.ndarray,
    labels: np.ndarray,
    fraction: float,
    random: np.random.Generator,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Of each class a fraction of the rows, at least one; of photos that belong together all before the next group."""
    if fraction >= 1:
        return rows
    own = [random.permutation(rows[labels[rows] == label]) for label in np.unique(labels[rows])]
    if groups is not None:
        own = [part[np.argsort(pd.factorize(groups[part])[0], kind="stable")] for part in own]
    return np.concatenate([part[: max(1, round(fraction * len(part)))] for part in own])
