"""Which rung of a ladder to stop at, and why."""

import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.classification import load_run
from cvtune_nb.classification import objective as judged
from cvtune_nb.objectives import USUAL, Objective
from cvtune_nb.workspace import Workspace


def verdict(workspace: Workspace, table: pd.DataFrame, objective: Objective) -> tuple[str, str]:
    """The id of the run that is best on validation, "" before any, and which rung to stop at in words.

    Parameters
    ----------
    workspace
        Where the runs are.
    table
        The rungs (climb.COLUMNS).
    objective
        What counts.
    """
    ran = table[table["validation_accuracy"].notna()]
    if ran.empty:
        skipped = len(table) and (table["state"] == "skipped").all()
        why = "no rung was run: the note of each says why" if skipped else "no rung has finished an epoch yet"
        return "", why
    told = ran[ran["merit"].notna()]
    if told.empty:
        return "", f"{objective.label} of these runs is not known: {judged.NOT_KEPT}"
    ran, untold = told, len(ran) - len(told)
    best = ran.loc[ran["merit"].idxmax()]
    low, high = (objective.in_words(best[end]) for end in ("objective_low", "objective_high"))
    by = "" if objective.text == USUAL else f" by {objective.label}"
    value = objective.in_words(best["objective_value"])
    words = f"rung {best['rung']} is best on validation{by}: {value} ({low} to {high})"
    words += f"; {untold} not compared, {judged.NOT_KEPT}" if untold else ""
    loaded = {run: load_run(workspace, run).answers(objective) for run in ran["run"].unique()}
    answers = {run: each for run, each in loaded.items() if each}
    if len(answers) > 1:
        chosen = judged.best_of(objective, answers)
        expected = objective.in_words(chosen.expected)
        words += f"; as the best of {len(answers)} it may be expected to get {expected} on other photos"
    cheaper = ran[(ran["seconds"] < best["seconds"]) & (ran["rung"] != best["rung"])].sort_values("seconds")
    for _, row in cheaper.iterrows():
        compared = judged.compare(objective, answers[row["run"]], answers[best["run"]])
        if compared.verdict is metrics.Verdict.BETTER:
            continue
        factor = best["seconds"] / max(row["seconds"], 1e-9)
        words += f"; rung {row['rung']} took 1/{factor:.1f} of its time: "
        if compared.verdict is metrics.Verdict.PROBABLY_BETTER:
            words += f"rung {best['rung']} is {compared.words}: more validation photos would settle it"
        else:
            words += f"{compared.words}, so stopping at rung {row['rung']} is the better bargain"
        return best["run"], words
    if len(cheaper):
        words += "; every cheaper rung is worse beyond noise: worth its time"
    return best["run"], words
