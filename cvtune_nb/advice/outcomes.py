"""What came of predicted gains: the runs made since that did what was proposed, and nothing else that matters."""

from typing import Any

import pandas as pd

from cvtune_nb.classification import Run, load_run, runs
from cvtune_nb.classification import objective as judged
from cvtune_nb.files import read_json_lines
from cvtune_nb.objectives import Counted, objective_of
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace

TUNED = {"batch_size", "schedule", "dropout", "seed"} | {
    name for name, parameter in PARAMETERS.items() if parameter.by_network and name != "epochs"
}
"""Parameters that are set anew with every step: a run that differs in these, too, still shows what the step brought."""


def real_gains(workspace: Workspace) -> pd.DataFrame:
    """What came of the predictions.

    A row for every predicted action that was taken since: action,title,predicted,low,high,real,run,words,objective. It
    was taken by the first run begun after the prediction that differs from the run it was about as the action says.
    real: how much better that run is than the earlier one on validation, by what counted in the prediction.
    """
    rows, known = [], runs(workspace)
    known = known[known["best_epoch"] >= 0]
    loaded = {name: load_run(workspace, name) for name in known["run"]}
    seen: set[tuple[str, str]] = set()
    for entry in reversed(read_json_lines(workspace.folder / "gains.jsonl")):
        base = loaded.get(entry["run"])
        if base is None:
            continue
        for gain in entry["gains"]:
            after = (run for run in loaded.values() if run.id > entry["last_run"])
            later = next((run for run in after if _took(gain, entry, base, run)), None)
            if later is None or (key := (gain["action"], later.id)) in seen:
                continue
            counted = Counted.from_dict(entry)
            real = _real(base, later, counted)
            if real is None:
                continue
            seen.add(key)
            rows.append(
                {
                    "action": gain["action"],
                    "title": gain["title"],
                    "predicted": gain["gain"],
                    "low": gain["low"],
                    "high": gain["high"],
                    "real": real,
                    "run": later.id,
                    "words": compared_in_words(gain, (base, later), real, counted),
                    "objective": counted.objective,
                }
            )
    columns = ["action", "title", "predicted", "low", "high", "real", "run", "words", "objective"]
    return pd.DataFrame(rows[::-1], columns=columns)


def _took(gain: dict[str, Any], entry: dict[str, Any], base: Run, run: Run) -> bool:
    """Whether `run` is `base` with what `gain` proposes, and nothing else that matters."""
    before, after = base.config.to_dict(), run.config.to_dict()
    if gain["action"] in ("photos", "labels"):
        grew = run.train_photos >= 1.5 * entry["train_photos"]
        return after == before and run.data_id != base.data_id and grew == (gain["action"] == "photos")
    wanted = before | gain["change"]
    return run.data_id == base.data_id and all(after[name] == wanted[name] for name in wanted if name not in TUNED)


def _real(base: Run, later: Run, counted: Counted) -> float | None:
    """How much better the later run is than the earlier one, on what both were measured on.

    None where that is nothing, or their probabilities were not kept.
    """
    if base.classes != later.classes:
        return None
    if not counted.by_accuracy:
        objective = objective_of(counted.objective, base.classes)
        one, other = base.answers(objective), later.answers(objective)
        if one is None or other is None or one.labels.index.intersection(other.labels.index).empty:
            return None
        return judged.compare(objective, one, other).difference
    both = base.predictions().merge(later.predictions(), on=["path", "label"])
    if both.empty:
        return None
    return float((both["predicted_y"] == both["label"]).mean() - (both["predicted_x"] == both["label"]).mean())


def compared_in_words(gain: dict[str, Any], pair: tuple[Run, Run], real: float, counted: Counted) -> str:
    """A prediction beside what came of it.

    Parameters
    ----------
    gain
        Fields of a Gain.
    pair
        The run that it was about, and the one that did it.
    real
        How much better that is.
    counted
        By what.
    """
    inside, (base, later) = "inside" if gain["low"] <= real <= gain["high"] else "outside", pair
    unit = "points" if counted.by_accuracy else f"points of {counted.label}"
    if counted.share:
        predicted = f"{gain['gain'] * 100:+.1f} {unit} ({gain['low'] * 100:.1f} to {gain['high'] * 100:.1f})"
    else:
        predicted = f"{counted.label} better by {gain['gain']:+.3f} ({gain['low']:.3f} to {gain['high']:.3f})"
    return (
        f"{gain['title']}: predicted {predicted}, real {counted.change(real, '')}, {inside} the interval "
        f"({later.id} against {base.id})"
    )
