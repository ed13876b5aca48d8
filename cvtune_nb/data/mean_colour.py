"""The mean colour of a data set: what lies around photos that a network is shown whole.

Measured once on training photos and written down, so that what is cached, trained and exported agrees whatever photos
are added later.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from cvtune_nb.data.photo import BLACK, Colour, UnreadablePhoto, read_photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.workspace import Workspace

PHOTOS = 500
"""Training photos that are looked at: the mean of so many is good to about 2 of 255."""


def padding_for(workspace: Workspace, preprocessing: Preprocessing, progress: Progress = silent) -> Colour:
    """The colour around photos: the mean colour of the set, measured when it is first needed; BLACK for crops.

    Parameters
    ----------
    workspace
        Whose photos they are; the colour is kept there.
    preprocessing
        What a network is shown of them.
    progress
        Called with the progress of measuring.

    Raises
    ------
    InputError
        None of the training photos can be read any more.
    """
    if preprocessing.framing == "crop":
        return BLACK
    if workspace.mean_colour is None:
        workspace.keep_mean_colour(_measured(workspace, progress))
    assert workspace.mean_colour is not None
    return workspace.mean_colour


def require_same(workspace: Workspace, padding: Colour, run: str) -> None:
    """Raises InputError where a run was trained on photos with another colour around them.

    Parameters
    ----------
    workspace
        The workspace.
    padding
        The run's; BLACK for crops.
    run
        Its id, for the message.
    """
    if padding not in (BLACK, workspace.mean_colour):
        raise InputError(
            f"run {run} has learned from photos with the colour {padding} around them, and the workspace has "
            f"{workspace.mean_colour}: train again"
        )


def _measured(workspace: Workspace, progress: Progress) -> Colour:
    photos = workspace.photos()
    train = photos[photos["split"] == "train"].sort_values(["sha256", "path"])
    paths = train["path"].iloc[np.linspace(0, len(train) - 1, min(len(train), PHOTOS)).astype(int)]

    def colour(path: str) -> np.ndarray | None:
        try:
            small = read_photo(workspace.path_of(path), 32, workspace.levels).resize((1, 1), Image.Resampling.BOX)
        except (OSError, UnreadablePhoto):  # whoever needs its pixels will say so
            return None
        return np.asarray(small, float)[0, 0]

    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, one in enumerate(pool.map(colour, paths)):
            progress(number / len(paths), f"measuring the mean colour: {number} of {len(paths)} photos")
            if one is not None:
                found.append(one)
    if not found:
        raise InputError(f"none of the training photos in {workspace.source} can be read: open the data again")
    red, green, blue = (round(value) for value in np.mean(found, axis=0))
    return red, green, blue
