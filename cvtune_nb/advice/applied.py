"""Which advice was applied, and whether it helped: applied.jsonl in the workspace, which only grows."""

from typing import Any

from cvtune_nb import metrics
from cvtune_nb.advice.rule import aligned, right_of
from cvtune_nb.classification import Run, load_run
from cvtune_nb.classification import objective as judged
from cvtune_nb.data.groups import groups_at
from cvtune_nb.errors import InputError
from cvtune_nb.files import append_json_lines, read_json_lines
from cvtune_nb.metrics import Verdict
from cvtune_nb.objectives import USUAL
from cvtune_nb.runs.finding import Finding
from cvtune_nb.runs.provenance import present
from cvtune_nb.workspace import Workspace, now

OUTCOMES = {
    Verdict.BETTER: "helped",
    Verdict.PROBABLY_BETTER: "probably helped, not yet certain",
    Verdict.NO_DIFFERENCE: "made no reliable difference",
    Verdict.WORSE: "did harm",
}
SOURCE = "paired comparison on the same validation photos"


def write_down(workspace: Workspace, finding: Finding, run: str) -> None:
    """Remember that the change a finding suggests was applied.

    Parameters
    ----------
    workspace
        Where it is written: applied.jsonl.
    finding
        Whose change it was.
    run
        The run that the finding was about.
    """
    entry = {"time": now(), "run": run, "code": finding.code, "title": finding.title, "change": finding.change}
    append_json_lines(workspace.folder / "applied.jsonl", entry)


def outcome(workspace: Workspace, run: Run) -> Finding | None:
    """Whether the advice that `run` carried out has helped; None when it carried out none that can be compared.

    A run carries out the newest advice whose parameters it has and that was given about an earlier run.
    """
    for entry in reversed(read_json_lines(workspace.folder / "applied.jsonl")):
        if entry["run"] < run.id and _carried_out(run, entry["change"]):
            break
    else:
        return None
    try:
        before = load_run(workspace, entry["run"])
    except InputError:  # its folder was deleted
        return None
    first, second = aligned(right_of(before.predictions()), right_of(run.predictions()))
    if first.empty or before.data_id != run.data_id:
        return None
    objective = judged.objective_in(workspace)
    one, other = before.answers(objective), run.answers(objective)
    compared = metrics.paired(first, second, groups_at(workspace.photos(), first.index))
    if objective.text != USUAL and one and other and run.provenance.comparable(present(workspace)):
        compared = judged.compare(objective, one, other)
    title = f"“{entry['title']}” {OUTCOMES[compared.verdict]}"
    return Finding("applied", title, f"{run.id} against {before.id}, before it: {compared.words}", SOURCE)


def _carried_out(run: Run, change: dict[str, Any]) -> bool:
    values = run.config.to_dict()
    # a schedule of "" means only that none was typed
    return all(values[name] == value for name, value in change.items() if name != "schedule")
