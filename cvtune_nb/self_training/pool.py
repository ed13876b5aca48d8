"""The photos of a folder without labels, but for copies of photos that the workspace has."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cvtune_nb.audit import duplicates
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import features
from cvtune_nb.data.groups import COLUMN, is_of_time, names_by
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.similarity.active_learning import read_unlabelled
from cvtune_nb.workspace import Workspace

SAME_FILE = "the workspace has this file already"
COPY = "it is a copy of a {} photo, by which results are measured"
GROUP = "it belongs together with {} photos, by which results are measured"
TWICE = "the folder has this file twice"


@dataclass(frozen=True)
class Pool:
    """Photos that may be labelled by machine.

    Attributes
    ----------
    photos
        path (absolute), sha256, width, height, bytes.
    left_out
        Path and reason of all other files of the folder.
    folder
        Absolute.
    """

    photos: pd.DataFrame
    left_out: list[tuple[str, str]]
    folder: Path

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were left out, by reason, the most frequent first."""
        return pd.Series([why for _, why in self.left_out], dtype=object).value_counts().to_dict()


def read_pool(workspace: Workspace, folder: str | Path, progress: Progress = silent) -> Pool:
    """Read a folder, and leave out what the workspace has. What is left may be copies of its photos: `fair`.

    Parameters
    ----------
    workspace, folder
        Whose photos are known, and the photos without labels, in the folder and below it; they are only read.
    progress
        Called with the fraction done and what is under way.

    Raises
    ------
    InputError
        The folder has no photo that can be read, or none that is new.
    """
    found, left_out = read_unlabelled(folder, progress, workspace.levels)
    manifest = workspace.manifest()
    known, again = found["sha256"].isin(manifest["sha256"]), found["sha256"].duplicated()
    left_out += [(path, SAME_FILE) for path in found.loc[known, "path"]]
    left_out += [(path, TWICE) for path in found.loc[again & ~known, "path"]]
    photos = found[~known & ~again].reset_index(drop=True)
    if photos.empty:
        raise InputError(f"{folder} has no photo that the workspace has not: give a folder of other photos")
    return Pool(photos, left_out, Path(folder).expanduser().resolve())


def fair(workspace: Workspace, pool: Pool, explorer: SvmExplorer, progress: Progress = silent) -> Pool:
    """Leave out copies of validation and test photos, and what belongs together with these.

    Copies are found as the audit finds them: resized, recompressed, cropped, turned, mirrored. What a person said are
    no copies is left in. What belongs together is said by the workspace's rule, for paths below the folder as for
    those below the labelled photos; a column of a table says nothing about other photos.

    Parameters
    ----------
    workspace, pool
        Whose validation and test photos they are, and what `read_pool` gave.
    explorer
        The SVM on the features by which photos are compared.
    progress
        Called with the fraction done and what is under way.

    Raises
    ------
    InputError
        Nothing is left.
    """
    photos = pool.photos
    split = _measured_by(workspace, photos, workspace.manifest(), explorer, progress)
    beside = _grouped_with(workspace, pool, split, progress)
    reasons = [COPY.format(copy) if copy else GROUP.format(group) for copy, group in zip(split, beside, strict=True)]
    out = (split != "") | (beside != "")
    if out.all():
        raise InputError(
            "the folder has only copies of validation and test photos, or photos that belong together with these: give "
            "a folder of other photos"
        )
    told = [(path, why) for path, why, left in zip(photos["path"], reasons, out, strict=True) if left]
    return replace(pool, photos=photos[~out].reset_index(drop=True), left_out=[*pool.left_out, *told])


def new_photos(workspace: Workspace, folder: str | Path, progress: Progress = silent) -> Pool:
    """What `read_pool` and `fair` leave, with the network that is started with. Raises InputError as they do."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one with photos")
    pool = read_pool(workspace, folder, progress)
    return fair(workspace, pool, SvmExplorer(workspace, start_with(workspace), progress), progress)


def _measured_by(
    workspace: Workspace, photos: pd.DataFrame, manifest: pd.DataFrame, explorer: SvmExplorer, progress: Progress
) -> np.ndarray:
    """The split of the validation or test photo that each photo is a copy of, (n,) of text; "" for none."""
    both = pd.concat([manifest, photos], ignore_index=True)
    rows = features(workspace, both, explorer.spec, _part(progress, 0.0, 0.75)).own
    svm = explorer.svm(explorer.best_C(progress=progress))
    # by class, for photos of one class look more alike than others do
    guessed = svm.predict(features(workspace, photos, explorer.spec).matrix)
    both.loc[len(manifest) :, "label"] = guessed
    squares = pixels(workspace, both, replace(explorer.spec.preprocessing, framing="crop", aspect=SQUARE))
    copies = duplicates.find(both, rows, squares, _part(progress, 0.75, 1.0), workspace.distinct()).groups
    split = np.full(len(photos), "", dtype=object)
    for name in ("validation", "test"):  # the latter, where it is both
        measured = set(copies[: len(manifest)][(manifest["split"] == name).to_numpy()])
        split[[group in measured for group in copies[len(manifest) :]]] = name
    return split


def _grouped_with(workspace: Workspace, pool: Pool, copied: np.ndarray, progress: Progress) -> np.ndarray:
    """The split of the validation or test photos that each photo belongs together with, (n,) of text; "" for none.

    Parameters
    ----------
    workspace, pool, progress
        As in `fair`.
    copied
        The split of the photo that each is a copy of: what belongs together with it does so with that photo.
    """
    rule, known, photos = workspace.group_by, workspace.manifest(), pool.photos
    split = np.full(len(photos), "", dtype=object)
    if not rule or rule.startswith(COLUMN):
        return split
    below = photos if is_of_time(rule) else photos.assign(path=[_below(path, pool.folder) for path in photos["path"]])
    both = pd.concat([known, below], ignore_index=True)[["path", "sha256"]]
    names = np.array(names_by(workspace, both, rule, progress), dtype=object)
    old, new = names[: len(known)], names[len(known) :]
    for name in ("validation", "test"):  # the latter, where it is both
        groups = set(known.loc[known["split"] == name, "group"])
        measured = {*old[known["group"].isin(groups)], *new[copied == name]} - {""}
        split[[one in measured for one in new]] = name
    return split


def _below(path: str, folder: Path) -> str:
    """As a manifest has paths: below their folder, with "/"."""
    return Path(path).relative_to(folder).as_posix()


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, words: progress(start + (end - start) * share, words)
