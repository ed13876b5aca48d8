"""Detectors are compared on the same validation photos with the same boxes, and tested on nothing they have seen."""

import json
import shutil

import pytest

from cvtune_nb import cli
from cvtune_nb.detection import (
    earlier_run,
    export_detector,
    fit,
    load_run,
    open_dataset,
    runs,
    verdict,
    verdict_on_test,
)
from cvtune_nb.detection.box_journal import draw
from cvtune_nb.detection.evaluation import fairly
from cvtune_nb.detection.run import new_run
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_csv, write_csv
from cvtune_nb.runs import lock
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.runs.store import LOCK, TRAINING, locked
from tests.made_runs import as_before


@pytest.fixture
def here(trained_detector, scene_folder, tmp_path):
    """(dataset, run) of a finished run, to work in."""
    dataset, run = trained_detector
    shutil.copytree(dataset.workspace.folder, tmp_path / "workspace")
    dataset = open_dataset(scene_folder, tmp_path / "workspace")
    return dataset, load_run(dataset, run.id)


def drawn_anew(dataset, split, label="", count=1):
    """The dataset after a person has drawn one box on `count` photos of a split."""
    part = dataset.part(split)
    for row in part.photos.head(count).itertuples():
        name = label or part.boxes["label"].iloc[0]
        draw(dataset.workspace, row.path, row.sha256, [(name, 0.1, 0.1, 0.4, 0.4)])
    return dataset.redrawn()


def moved(dataset, frm, to):
    """The dataset after its first photo of one split has come into another, as a redrawn split would have it."""
    file = dataset.folder / "photos.csv"
    known = read_csv(file, path=str, split=str, sha256=str)
    path = dataset.part(frm).photos["path"].iloc[0]
    known.loc[known["path"] == path, "split"] = to
    write_csv(file, known)
    return open_dataset("", dataset.workspace.folder), path


def test_a_run_keeps_its_photos_and_is_compared_while_validation_stays(here):
    dataset, run = here
    kept = run.provenance.photos
    assert kept["sha256"].tolist() == dataset.photos["sha256"].tolist()
    assert kept["split"].tolist() == dataset.photos["split"].tolist()
    assert runs(dataset)["data"].tolist() == [""]
    more = drawn_anew(dataset, "train")
    assert more.id != dataset.id
    assert runs(more)["data"].tolist() == [""]
    assert load_run(more, "best").id == run.id
    assert earlier_run(more, run.config) is None, "its photos are not quite the same"
    other = drawn_anew(more, "validation")
    assert runs(other)["data"].tolist() == [EARLIER]
    with pytest.raises(InputError, match=rf"newest of them {run.id} \(1 validation photo changed"):
        load_run(other, "best")
    new = new_run(other, run.config, run.anchors, run.max_detections, 1.0)
    for name in ("checkpoint.safetensors", "best.safetensors", "detections.csv"):
        shutil.copy(run.folder / name, new.folder)
    assert load_run(other, "best").id == new.id
    assert load_run(other, run.id).id == run.id


def test_a_run_of_an_earlier_version_is_compared_where_nothing_changed(here):
    dataset, run = here
    as_before(run)
    assert load_run(dataset, "best").id == run.id
    assert fairly(dataset, load_run(dataset, run.id), "test").left_out == 0
    changed = drawn_anew(dataset, "train")
    assert runs(changed)["data"].tolist() == [EARLIER]
    fair = fairly(changed, load_run(changed, run.id), "test")
    assert fair.part.photos.empty and "it is not known which ones" in fair.notes[0]


def test_a_validation_photo_whose_boxes_changed_is_not_judged_by(here):
    dataset, run = here
    changed = drawn_anew(dataset, "validation")
    path = dataset.part("validation").photos["path"].iloc[0]
    before, after = verdict(dataset, run), verdict(changed, run)
    assert after.left_out == 1 and path not in set(after.part.photos["path"]) | set(after.part.boxes["path"])
    assert len(after.part.photos) == len(before.part.photos) - 1


def test_what_it_has_trained_on_is_never_its_test(here):
    dataset, run = here
    changed, path = moved(dataset, "train", "test")
    assert path in set(changed.part("test").photos["path"])
    found = verdict_on_test(changed, verdict(changed, run))
    assert found.left_out == 1 and path not in set(found.part.photos["path"])
    assert "1 test photo is not counted: this run has trained on them or on copies" in found.notes[0]
    assert found.to_dict()["left_out"] == 1
    made = export_detector(changed, run.id)
    assert (made.left_out, made.test.left_out) == (1, 1)
    assert made.test.scores.photos == len(changed.part("test").photos) - 1
    card = (made.folder / "README.md").read_text()
    assert "1 test photo is not counted" in card
    assert "frozen" not in card.split("## Data")[1]
    assert path not in (made.folder / "test_detections.csv").read_text()


def test_the_command_opens_no_test_set_for_a_run_that_can_not_be_measured(here, capsys):
    dataset, run = here
    as_before(run)
    changed = drawn_anew(dataset, "train")
    where = ["--workspace", str(dataset.workspace.folder)]
    assert cli.main(["detect", *where, "--resume", run.id, "--open-test"]) == 2
    assert "can't be measured on the test set (no test photo is counted" in capsys.readouterr().err.splitlines()[-1]
    assert changed.workspace.test_openings() == 0


def test_other_classes_are_refused_before_anything_is_opened(here, capsys):
    dataset, run = here
    added = drawn_anew(dataset, "train", label="kiwi")
    where = ["export", "--detector", "--workspace", str(dataset.workspace.folder), "--run"]
    for name, words in (("best", "only runs of earlier data"), (run.id, f"run {run.id} is of earlier data")):
        assert cli.main([*where, name]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert words in told and "classes added: kiwi" in told and "--earlier-data" in told
    assert added.workspace.test_openings() == 0 and not list(added.workspace.exports.glob("*"))
    assert cli.main([*where, run.id, "--earlier-data", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["test_left_out"] == 0 and values["test"]["photos"] == len(added.part("test").photos)
    assert any("classes added: kiwi" in note for note in values["notes"])


def test_photos_with_objects_of_other_classes_are_not_measured_on(here):
    dataset, run = here
    added = drawn_anew(dataset, "test", label="kiwi")
    fair = fairly(added, run, "test")
    assert (fair.left_out, len(fair.notes)) == (1, 1) and "classes that it does not know" in fair.notes[0]


def test_a_run_that_goes_on_from_another_has_seen_what_that_has(here):
    dataset, run = here
    changed, path = moved(dataset, "train", "test")
    key = changed.photos.set_index("path").at[path, "sha256"]
    after = new_run(changed, run.config, run.anchors, run.max_detections, 1.0, start=run.id)
    assert after.provenance.photos.query("split == 'before'")["sha256"].tolist() == [key]
    assert fairly(changed, after, "test").left_out == 1
    assert runs(changed)["data"].tolist() == ["", ""]
    again = new_run(changed, run.config, run.anchors, run.max_detections, 1.0, start=after.id)
    assert fairly(changed, again, "test").left_out == 1, "and so has one that goes on from that"
    as_before(run)
    with pytest.raises(InputError, match=f"run {run.id} can't be gone on from"):
        new_run(changed, run.config, run.anchors, run.max_detections, 1.0, start=run.id)


def test_one_process_trains_a_detector_at_a_time(here, detector_config, capsys):
    dataset, run = here
    (run.folder / "result.json").unlink()
    with locked(run.folder):
        assert load_run(dataset, run.id).state == TRAINING
        assert runs(dataset)["state"].tolist() == [TRAINING]
        with pytest.raises(lock.Held, match=f"is training run {run.id}"):
            fit(dataset, run=run.id)
        where = ["--workspace", str(dataset.workspace.folder)]
        assert cli.main(["detect", *where, "--resume", run.id]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert f"is training run {run.id}" in told and "--wait" in told
    assert load_run(dataset, run.id).state == "interrupted"
    seen = []
    again = fit(
        dataset, run=run.id, on_epoch=lambda _: None, progress=lambda *_: seen.append(lock.holder(run.folder / LOCK))
    )
    assert again.state == "done" and all(seen)


def test_a_detector_without_a_finished_epoch_says_so(here, monkeypatch, capsys):
    from dataclasses import replace

    from cvtune_nb import detection

    dataset, run = here
    monkeypatch.setattr(detection, "fit", lambda *_, **__: replace(run, history=run.history[:0], state="stopped"))
    assert cli.main(["detect", "--workspace", str(dataset.workspace.folder), "--resume", run.id]) == 3
    told = capsys.readouterr().out
    assert "no epoch was finished" in told and "AP" not in told
