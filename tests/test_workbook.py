"""What is done so far in a workspace, notebook by notebook."""

from pathlib import Path

from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import write_json
from cvtune_nb.workbook import steps
from tests.made_runs import made_run


def done(workspace):
    return [step.done for step in steps(workspace)]


def test_every_notebook_is_a_step(workspace):
    notebooks = sorted((Path(__file__).parent.parent / "notebooks").glob("0*.ipynb"))
    assert [step.notebook for step in steps(workspace)] == [path.stem for path in notebooks]
    assert done(workspace)[1] == "" and done(workspace)[3:] == [""] * 5


def test_what_is_done_is_counted_and_earlier_data_apart(workspace):
    count = len(workspace.photos())
    result = baseline(workspace, FeatureSpec("test_efficientnet:random", Preprocessing(64)), C=1.0)
    made_run(workspace, 0.5)
    made_run(workspace, 0.5, image_size=96)
    workspace.audit.mkdir(exist_ok=True)
    write_json(workspace.audit / "summary.json", {})
    for name in ("1", "2"):
        folder = workspace.folder / "detection" / "runs" / name
        folder.mkdir(parents=True)
        write_json(folder / "config.json", {})
    assert done(workspace) == [
        f"{count} photos open",
        "audited, 0 decisions",
        f"{result.validation.value:.1%} on validation",
        "2 runs",
        "2 networks and sizes tried",
        "",
        "2 detectors",
        "",
    ]
    photos = workspace.photos()
    workspace.decide(photos.loc[photos["split"] == "validation", "path"].iloc[0], "exclude")
    made_run(workspace, 0.5)
    assert done(workspace)[:5] == [
        f"{count - 1} photos open",
        "audited, 1 decision",
        "on earlier data",
        "1 run, 2 of earlier data",
        "",
    ]
