"""Contexts in which what a check asks for is known already, and what checks say about them."""

from typing import Any

import pandas as pd

from cvtune_nb.audit.check import Check
from cvtune_nb.audit.checks import CHECKS, table
from cvtune_nb.audit.context import Context
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.workspace import Workspace

BY_NAME: dict[str, Check] = {check.name: check for check in CHECKS}
OF_LABELS = ("mislabelled", "ambiguous", "outlier")
OF_COPIES = ("two-classes", "leak", "duplicate")
OF_PHOTOS = ("corrupt", "dark", "over-exposed", "low-contrast", "blurry", "small", "odd-size", "odd-aspect")
OF_COLOURS = ("odd-range", "odd-colour", "colour-profile")


def known(workspace: Workspace | None = None, image_size: int = 224, **parts: Any) -> Context:
    """A context with these of its parts: photos, measures ..."""
    made = Context(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(image_size)))
    for name, value in parts.items():
        assert name in vars(Context), name
        setattr(made, name, value)
    return made


def issues(context: Context, *names: str) -> pd.DataFrame:
    """The table of what these checks find."""
    return table({name: BY_NAME[name].look(context)[0] for name in names})
