"""Runs are compared only among the same classes and on the same validation photos."""

import pandas as pd
import pytest

from cvtune_nb.advice import advise, real_gains
from cvtune_nb.advice.rule import case_of
from cvtune_nb.classification import best_run, earlier_run, load_run, runs
from cvtune_nb.classification.baseline import baseline, baseline_predictions, last_baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import append_json_lines, read_csv, read_json, write_json
from cvtune_nb.runs.provenance import EARLIER, present
from tests.made_runs import as_before, made_run


def of(workspace, split):
    """The paths of a split."""
    photos = workspace.photos()
    return photos.loc[photos["split"] == split, "path"].tolist()


def renamed(workspace):
    """Each photo of the class circle is called disc from now on."""
    photos = workspace.photos()
    paths = photos.loc[photos["label"] == "circle", "path"]
    workspace.decide_all((path, "relabel", "disc", "") for path in paths)


def test_a_run_keeps_its_photos(workspace):
    run, photos = made_run(workspace, 0.9), workspace.photos()
    kept = read_csv(run.folder / "photos.csv", sha256=str, group=str, label=str, split=str)
    pd.testing.assert_frame_equal(kept, photos[["sha256", "group", "label", "split"]], check_dtype=False)
    assert load_run(workspace, run.id).provenance.comparable(present(workspace))


@pytest.mark.parametrize("change", ["exclude", "relabel", "rename", "train"])
def test_the_best_is_the_best_on_the_photos_there_are_now(workspace, change):
    flattered = made_run(workspace, 1.0)
    if change == "rename":
        renamed(workspace)
    elif change == "relabel":
        workspace.decide(of(workspace, "validation")[0], "relabel", to="stripes")
    else:
        workspace.decide(of(workspace, "train" if change == "train" else "validation")[0], "exclude")
    worse = made_run(workspace, 0.5)
    best = flattered if change == "train" else worse
    assert runs(workspace)["data"].tolist() == ["" if change == "train" else EARLIER, ""]
    assert load_run(workspace, "best").id == best_run(workspace).id == best.id
    assert load_run(workspace, "last").id == worse.id
    assert load_run(workspace, flattered.id).id == flattered.id, "it can still be named"


def test_where_all_are_of_earlier_data_it_is_said_what_changed(workspace):
    with pytest.raises(InputError, match="has no training run yet"):
        load_run(workspace, "best")
    run = made_run(workspace, 1.0)
    workspace.decide(of(workspace, "validation")[0], "exclude")
    changed = r"\(1 validation photo changed: added, removed or relabelled\): train again, or name a run by its id"
    with pytest.raises(InputError, match=f"only runs of earlier data, the newest of them {run.id} {changed}"):
        load_run(workspace, "best")
    assert best_run(workspace) is None
    renamed(workspace)
    with pytest.raises(InputError, match="classes renamed: circle to disc"):
        load_run(workspace, "best")


def test_a_run_of_an_earlier_version_is_compared_where_nothing_changed(workspace):
    run = made_run(workspace, 1.0)
    as_before(run)
    assert load_run(workspace, "best").id == run.id
    assert load_run(workspace, run.id).measured_on == ""
    workspace.decide(of(workspace, "train")[0], "exclude")
    assert runs(workspace)["data"].tolist() == [EARLIER]
    with pytest.raises(InputError, match="made before runs kept a list of their photos"):
        load_run(workspace, "best")


def test_a_run_without_a_finished_epoch_is_never_the_best(workspace):
    made_run(workspace, 0.5)
    begun = made_run(workspace, 0.9, state="stopped")
    begun.checkpoint.unlink()
    assert load_run(workspace, "best").id != begun.id


# -- the baseline -------------------------------------------------------------------------------------------------


def test_a_baseline_of_other_photos_is_none(workspace):
    assert last_baseline(workspace)["validation_accuracy"] > 0
    workspace.decide(of(workspace, "train")[0], "exclude")
    assert last_baseline(workspace), "it is measured on validation"
    workspace.decide(of(workspace, "validation")[0], "exclude")
    assert last_baseline(workspace) is None and baseline_predictions(workspace) is None
    assert last_baseline(workspace, earlier=True)["backbone"] == "efficientnet_lite0"
    baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)))
    assert last_baseline(workspace)
    renamed(workspace)
    assert last_baseline(workspace) is None


def test_a_baseline_of_an_earlier_version_is_known_by_its_predictions(workspace):
    file = workspace.folder / "baseline.json"
    known = {key: value for key, value in read_json(file).items() if key not in ("measured_on", "format")}
    write_json(file, known)
    assert last_baseline(workspace)
    workspace.decide(of(workspace, "validation")[0], "relabel", to="stripes")
    assert last_baseline(workspace) is None
    workspace.decide(of(workspace, "validation")[0], "undo")
    renamed(workspace)
    assert last_baseline(workspace) is None


def test_copies_of_what_a_baseline_has_learned_are_not_its_test(workspace):
    photos = workspace.manifest()
    first, second = (photos.index[photos["split"] == name][0] for name in ("train", "test"))
    photos.loc[second, "group"] = photos.loc[first, "group"]  # as in data that came divided so
    workspace.save_manifest(photos, workspace.skipped())
    found = baseline(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64)), open_test=True)
    assert found.test.n == int((photos["split"] == "test").sum()) - 1
    assert found.to_dict()["note"].startswith("1 test photo is not counted: this run has trained on them or on copies")


# -- what is told from runs -----------------------------------------------------------------------------------------


def test_advice_looks_at_runs_and_a_baseline_of_the_same_photos_alone(workspace):
    for seed in range(3):
        made_run(workspace, 1.0, seed=seed, learning_rate=0.1)
    workspace.decide(of(workspace, "validation")[0], "exclude")
    run = made_run(workspace, 0.9)
    other = made_run(workspace, 0.8, seed=1)
    case = case_of(workspace, run)
    assert case.runs["run"].tolist() == [run.id, other.id]
    assert list(case.right_others) == [other.id]
    assert case.right_baseline is None
    assert not {"best-of-many", "lr-edge", "below-baseline"} & {finding.code for finding in advise(workspace, run)}


def test_an_earlier_run_is_judged_beside_its_own(workspace):
    first, second = made_run(workspace, 1.0), made_run(workspace, 0.9, seed=1)
    workspace.decide(of(workspace, "validation")[0], "exclude")
    made_run(workspace, 0.5)
    case = case_of(workspace, first)
    assert list(case.right_others) == [second.id]
    assert case.right_baseline is None, "the baseline is of earlier data, too, but it is not known to be of this one's"


def test_real_gains_are_told_on_the_photos_that_both_were_measured_on(workspace):
    first = made_run(workspace, 0.5)
    wrong = first.predictions().query("label != predicted")["path"].tolist()
    entry = {"time": "", "run": first.id, "last_run": first.id, "train_photos": first.train_photos, "accuracy": 0.5}
    gain = {"action": "labels", "title": "Cleaner labels", "gain": 0.1, "low": 0.0, "high": 0.2, "change": {}}
    append_json_lines(workspace.folder / "gains.jsonl", {**entry, "gains": [gain]})
    right = first.predictions().query("label == predicted")
    workspace.decide_all((path, "exclude", "", "") for path in wrong)
    other = next(label for label in workspace.classes if label != right["label"].iloc[0])
    workspace.decide(right["path"].iloc[0], "relabel", to=other)
    later = made_run(workspace, 1.0)
    assert later.validation.value - first.validation.value > 0.4
    real = real_gains(workspace)
    assert real["run"].tolist() == [later.id]
    assert real["real"].tolist() == [0.0], "what is left was right before, too"
    renamed(workspace)
    made_run(workspace, 1.0)
    assert real_gains(workspace)["run"].tolist() == [later.id]


def test_the_same_parameters_on_changed_photos_are_a_new_run(workspace):
    run = made_run(workspace, 0.9)
    assert earlier_run(workspace, run.config).id == run.id
    workspace.decide(of(workspace, "train")[0], "exclude")
    assert earlier_run(workspace, run.config) is None
