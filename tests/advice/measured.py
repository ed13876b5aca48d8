"""What was measured of a case of the rules: remedies for imbalance, and slices."""

import numpy as np
import pandas as pd

from cvtune_nb.advice.slices import Slices, sliced
from cvtune_nb.classification.remedies import concluded
from cvtune_nb.imbalance import Balance
from cvtune_nb.objectives import objective_of


def compared(remedy):
    """A comparison that recommends `remedy`, which makes all photos right; without one, half of them are."""
    truth = np.repeat([0, 1], 100)
    answers = {"none": np.eye(2)[np.zeros(200, int)]}
    answers |= {remedy: np.eye(2)[truth]} if remedy != "none" else {}
    return concluded(answers, truth, objective_of("balanced-accuracy", ["a", "b"]), Balance({"a": 400, "b": 100}))


def dark(share=0.4):
    """Slices of 100 photos of which the darkest 20 are right so often, and all others."""
    names = pd.Series(["the darkest photos"] * 20 + [""] * 80)
    rows, hits = pd.DataFrame({"path": names.index.astype(str), "label": "a"}), np.arange(100) >= 20 - round(share * 20)
    return Slices(sliced(rows, hits, {"brightness": names}), "001", 100, float(hits.mean()))
