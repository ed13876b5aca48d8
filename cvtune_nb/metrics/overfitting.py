"""How far the accuracy on training photos is above that on others, and when that began."""

import numpy as np
import pandas as pd

from cvtune_nb.metrics.intervals import Z95


def gap(history: pd.DataFrame, counts: tuple[float, float]) -> pd.DataFrame:
    """Train minus validation accuracy by epoch: epoch,gap,low,high, all but the epoch -1..1.

    low..high is the 95% interval of Agresti and Caffo (2000), a Wald interval with one right and one wrong photo added
    to each side, which holds even where all training photos are right.

    history: columns epoch,train_accuracy,validation_accuracy. counts: photos that these two were measured on; of
    those that belong together as many as are independent of each other (`effective`).
    """
    parts = [history[f"{name}_accuracy"].to_numpy(dtype=float) for name in ("train", "validation")]
    p, q = ((part * n + 1) / (n + 2) for part, n in zip(parts, counts, strict=True))
    half = Z95 * np.sqrt(p * (1 - p) / (counts[0] + 2) + q * (1 - q) / (counts[1] + 2))
    found = parts[0] - parts[1]
    low = np.maximum(-1.0, np.minimum(found, p - q - half))
    high = np.minimum(1.0, np.maximum(found, p - q + half))
    return pd.DataFrame({"epoch": history["epoch"].to_numpy(dtype=int), "gap": found, "low": low, "high": high})


def opened(gaps: pd.DataFrame) -> int | None:
    """The epoch in which the gap opened, or None: from then on it is above 0 with its interval and wider than at first.

    gaps: what `gap` gives.
    """
    if gaps.empty:
        return None
    open_ = (gaps["low"] > 0) & (gaps["gap"] > gaps["gap"].iloc[0] + 1e-9)
    still = open_[::-1].cummin()[::-1]
    return int(gaps.loc[still, "epoch"].iloc[0]) if still.any() else None


def gap_in_words(gaps: pd.DataFrame) -> str:
    """For example "the gap opened in epoch 3: train is 12.0 points (8.1 to 16.2) above validation".

    gaps: what `gap` gives, at least one row.
    """
    first, last, epoch = gaps.iloc[0], gaps.iloc[-1], opened(gaps)
    size = f"{last['gap'] * 100:.1f} points ({last['low'] * 100:.1f} to {last['high'] * 100:.1f})"
    if last["low"] <= 0:
        return f"no gap beyond chance: train minus validation is {size}"
    if epoch is not None and first["low"] <= 0:
        return f"the gap opened in epoch {epoch}: train is {size} above validation"
    before = f"{first['gap'] * 100:.1f}"
    if epoch is not None:
        return f"the gap, {before} points at the start, opened further in epoch {epoch}: {size}"
    return f"train is {size} above validation" + (f", not more than at the start ({before})" if len(gaps) > 1 else "")
