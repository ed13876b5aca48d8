"""What is said about a trained detector."""

from dataclasses import replace

import pandas as pd
import pytest

from cvtune_nb.detection import findings, verdict, verdict_on_test
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS, judged, scores
from cvtune_nb.detection.evaluation import _noise


@pytest.fixture
def found(trained_detector):
    return verdict(*trained_detector)


def codes(dataset, found):
    return [finding.code for finding in findings(dataset, found)]


def perfect(dataset, found, **others):
    """The verdict on detections that are the boxes themselves, with what is given in others changed."""
    part = found.part
    seen = part.boxes[DETECTION_COLUMNS[:-1]].assign(score=0.9)
    seen = others.pop("detections", seen)
    table = judged(part, seen, 0.5)
    made = replace(found, detections=seen, threshold=0.5, judged=table, scores=scores(part, seen, found.run.classes))
    return replace(made, **others)


def test_a_verdict_is_of_validation_and_fits_together(found, trained_detector):
    dataset, run = trained_detector
    assert found.on == "validation"
    assert found.scores.photos == len(dataset.part("validation").photos)
    assert found.scores.ap == pytest.approx(run.best("validation_ap"), abs=1e-9)
    assert found.threshold in found.by_threshold["threshold"].tolist()
    count = found.counts
    assert count.get("found", 0) <= found.scores.boxes
    assert found.words.startswith("validation: AP 0.")
    assert set(found.to_dict()) >= {"ap", "ap50", "ap50_interval", "by_class", "by_size", "threshold", "counts"}


def test_the_test_photos_are_judged_at_the_threshold_of_validation(found, trained_detector):
    dataset, _ = trained_detector
    tested = verdict_on_test(dataset, found)
    assert (tested.on, tested.threshold) == ("test", found.threshold)
    assert set(tested.detections["path"]) <= set(dataset.part("test").photos["path"])
    assert len(tested.by_threshold) == len(found.by_threshold)


def test_few_boxes_are_found_and_many_are_not(found, trained_detector):
    dataset, _ = trained_detector
    assert "few-boxes" in codes(dataset, found)
    boxes = dataset.annotations.boxes
    many = replace(dataset, annotations=replace(dataset.annotations, boxes=pd.concat([boxes] * 30)))
    assert "few-boxes" not in codes(many, found)


def test_divergence_comes_first_with_a_tenth_of_the_rate(found, trained_detector):
    dataset, run = trained_detector
    first = findings(dataset, replace(found, run=replace(run, state="diverged")))[0]
    assert first.code == "diverged"
    assert first.change == {"learning_rate": 0.0001}


def test_small_objects_ask_for_larger_photos(found, trained_detector):
    dataset, _ = trained_detector
    boxes = dataset.annotations.boxes.copy()
    boxes[["width", "height"]] /= 8
    photos = dataset.annotations.photos.assign(width=1600, height=1200)
    tiny = replace(dataset, annotations=replace(dataset.annotations, boxes=boxes, photos=photos))
    small = [finding for finding in findings(tiny, found) if finding.code == "small-objects"]
    assert small[0].change == {"image_size": 192, "batch_size": 2, "learning_rate": 0.0005}
    assert "pixels" in small[0].evidence
    assert "small-objects" not in codes(dataset, found)


def test_a_run_that_still_rises_is_given_more_epochs(found, trained_detector):
    dataset, run = trained_detector

    def after(*values):
        rows = [(n, 0.001, 1.0, value, value, 1.0) for n, value in enumerate(values, 1)]
        return replace(found, run=replace(run, history=pd.DataFrame(rows, columns=run.history.columns)))

    rising = [f for f in findings(dataset, after(0.1, 0.2, 0.3, 0.4, 0.5)) if f.code == "rising"]
    assert rising[0].change == {"epochs": 6}
    assert "rising" not in codes(dataset, after(0.1, 0.3, 0.5, 0.5, 0.5))
    assert "rising" not in codes(dataset, after(0.1, 0.5))


def test_confused_classes_are_named(found, trained_detector):
    dataset, _ = trained_detector
    dots = replace(found, part=replace(found.part, boxes=found.part.boxes.assign(label="dot")))
    tiles = dots.part.boxes[DETECTION_COLUMNS[:-1]].assign(score=0.9, label="tile")
    confused = [f for f in findings(dataset, perfect(dataset, dots, detections=tiles)) if f.code == "confused"]
    assert confused[0].title == "dot is taken for tile"
    assert f"{len(tiles)} of {len(tiles)} boxes" in confused[0].evidence
    assert "confused" not in codes(dataset, perfect(dataset, found))


def test_missing_much_and_making_up_much_are_told_apart(found, trained_detector):
    dataset, _ = trained_detector
    none = pd.DataFrame(columns=["path", "kind", "label", "true", "score", "left", "top", "width", "height"])

    def with_kinds(**counts):
        rows = [
            ("a", kind.replace("_", " "), "dot", "dot", 0.9, 0, 0, 0.1, 0.1)
            for kind, n in counts.items()
            for _ in range(n)
        ]
        boxes = pd.DataFrame(
            [("001.jpg", "dot")] * (counts.get("missed", 0) + counts.get("found", 0)), columns=["path", "label"]
        )
        return replace(found, judged=pd.DataFrame(rows, columns=none.columns), part=replace(found.part, boxes=boxes))

    assert "missed" in codes(dataset, with_kinds(missed=30, found=10, nothing_there=2))
    assert "made-up" in codes(dataset, with_kinds(missed=2, found=10, nothing_there=30))
    assert not {"missed", "made-up"} & set(codes(dataset, with_kinds(missed=12, found=10, nothing_there=10)))


def test_crowded_photos_ask_for_more_proposals(found, trained_detector):
    dataset, _ = trained_detector
    row = dataset.part("train").boxes.iloc[:1]
    boxes = pd.concat([dataset.annotations.boxes, *[row] * 40])
    full = replace(dataset, annotations=replace(dataset.annotations, boxes=boxes))
    crowded = [finding for finding in findings(full, found) if finding.code == "crowded"]
    assert crowded[0].change["proposals"] >= 120
    assert "crowded" not in codes(dataset, found)


def test_runs_that_can_not_be_told_apart_are_called_so(found, trained_detector, monkeypatch):
    dataset, run = trained_detector
    from cvtune_nb.detection import evaluation

    value = sum(found.scores.ap_interval) / 2
    table = pd.DataFrame([{"run": "002", "best_epoch": 2, "validation_ap": value}])
    monkeypatch.setattr(evaluation, "runs", lambda _: table)
    monkeypatch.setattr(evaluation, "load_run", lambda *_: run)
    assert [finding.code for finding in _noise(dataset, found)] == ["noise"]
    monkeypatch.setattr(evaluation, "runs", lambda _: table.assign(validation_ap=found.scores.ap_interval[1] + 0.1))
    assert _noise(dataset, found) == []


def test_every_finding_says_what_why_and_where_from(found, trained_detector):
    dataset, _ = trained_detector
    for finding in findings(dataset, found):
        assert finding.title and finding.evidence and finding.source


def test_a_detector_is_compared_with_the_classifier_on_the_same_photos(workspace, tmp_path):
    from cvtune_nb.classification.svm import baseline_predictions
    from cvtune_nb.detection import beside_classifier, box_journal, open_dataset
    from cvtune_nb.detection.run import DetectorRun

    dataset = open_dataset("", workspace.folder)
    assert dataset.photos.empty
    for row in dataset.annotations.photos.itertuples():
        box_journal.draw(workspace, row.path, row.sha256, [(row.path.split("/")[0], 0.2, 0.2, 0.5, 0.5)])
    dataset = dataset.redrawn()
    splits = workspace.photos().set_index("path")["split"]
    assert dict(splits) == dict(dataset.photos.set_index("path")["split"]), "the splits are those of the classifier"
    part = dataset.part("validation")
    seen = part.boxes[DETECTION_COLUMNS[:-1]].assign(score=0.9)
    run = DetectorRun("1", tmp_path, None, dataset.labels, "", pd.DataFrame(), anchors=None, max_detections=100)
    whole = verdict(dataset, run, "validation", seen)
    beside = beside_classifier(dataset, whole)
    svm = baseline_predictions(workspace)
    assert beside.detector.value == 1 and beside.detector.n == len(svm)
    assert beside.classifier.value == (svm["label"] == svm["predicted"]).mean()
    nothing = beside_classifier(dataset, replace(whole, detections=seen[:0]))
    assert nothing.detector.value == 0 and "the classifier serves better here" in nothing.words
    assert beside_classifier(dataset, replace(whole, on="test")) is None


def test_without_a_classifier_there_is_nothing_to_compare_with(found, trained_detector):
    from cvtune_nb.detection import beside_classifier

    assert beside_classifier(trained_detector[0], found) is None
