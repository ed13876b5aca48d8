"""The notebooks of the workbook, and what has been done with each in a workspace."""

from dataclasses import dataclass

from cvtune_nb import classification
from cvtune_nb.classification import baseline
from cvtune_nb.export import exports_in
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.workspace import Workspace


@dataclass(frozen=True)
class Step:
    """A notebook.

    Attributes
    ----------
    notebook
        Its file without .ipynb.
    gives, done
        What it gives, and what is done so far in a workspace, "" for nothing.
    """

    notebook: str
    gives: str
    done: str


def steps(workspace: Workspace) -> list[Step]:
    """The notebooks in their order."""
    runs, before = classification.runs(workspace), baseline.last_baseline(workspace, earlier=True)
    earlier, runs = int((runs["data"] != "").sum()), runs[runs["data"] == ""]
    tried = len(runs[["backbone", "image_size"]].drop_duplicates())
    kinds = exports_in(workspace.exports)
    similar = [name for name, kind in kinds.items() if kind == "similarity"]
    known = baseline.last_baseline(workspace)
    detectors = len(list(workspace.folder.glob("detection/runs/*/config.json")))
    audited = (workspace.audit / "summary.json").exists()
    trained = [_counted(len(runs), "run") if len(runs) else "", f"{earlier} of {EARLIER}" if earlier else ""]
    on_earlier = f"on {EARLIER}" if before else ""
    return [
        Step("00_start_here", "photos and machine", f"{len(workspace.photos())} photos open"),
        Step(
            "01_data_quality_audit",
            "what is wrong with the photos and labels",
            f"audited, {_counted(len(workspace.standing()), 'decision')}" if audited else "",
        ),
        Step(
            "02_frozen_dnn_svm_baseline",
            "an accuracy in seconds",
            f"{known['validation_accuracy']:.1%} on validation" if known else on_earlier,
        ),
        Step("03_dnn_fine_tuning", "train all layers", ", ".join(filter(None, trained))),
        Step(
            "04_parameter_escalation",
            "which size and network is worth its time",
            f"{tried} networks and sizes tried" if tried > 1 else "",
        ),
        Step("05_export_and_use", "a model that runs elsewhere", _exported(list(kinds))),
        Step(
            "06_small_objects",
            "boxes, and a detector that finds small things",
            _counted(detectors, "detector") if detectors else "",
        ),
        Step("07_image_similarity", "what looks most like a photo", _exported(similar)),
    ]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _exported(names: list[str]) -> str:
    return f"exported {', '.join(names[:3])}" if names else ""
