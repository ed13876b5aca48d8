"""What is said about a trained detector."""

from dataclasses import replace

import pandas as pd
import pytest

from cvtune_nb.detection import verdict, verdict_on_test
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS
from cvtune_nb.detection.run import exportable


@pytest.fixture
def found(trained_detector):
    return verdict(*trained_detector)


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


def test_a_detector_is_compared_with_the_classifier_on_the_same_photos(workspace, tmp_path):
    from cvtune_nb.classification.baseline import baseline_predictions
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


def test_examples_are_the_photos_with_the_most_mistakes_and_then_others(found):
    names = ["good.jpg", "worst.jpg", "bad.jpg", "last.jpg"]
    paths = ["good.jpg", "bad.jpg", "worst.jpg", "worst.jpg"]
    table = pd.DataFrame({"path": paths, "kind": ["found", "missed", "missed", "nothing there"]})
    part = replace(found.part, photos=pd.DataFrame({"path": names}))
    made = replace(found, judged=table, part=part)
    assert made.examples(1) == ["worst.jpg"]
    assert made.examples(6) == ["worst.jpg", "bad.jpg", "good.jpg", "last.jpg"]
    assert made.kinds == "2 missed, 1 found, 1 nothing there"


def test_only_what_has_learned_something_is_offered_for_export(trained_detector):
    dataset, run = trained_detector
    assert exportable(dataset)["run"].tolist() == [run.id]
