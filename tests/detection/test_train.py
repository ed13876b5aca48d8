"""Training a detector: it learns, stops, goes on, survives."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from cvtune_nb.detection import DetectorConfig, earlier_run, fit, load_run, open_dataset, predict_cost, runs
from cvtune_nb.detection import train as module
from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, Anchors
from cvtune_nb.detection.config import DetectorConfig as Config
from cvtune_nb.detection.inference import detections, found_in
from cvtune_nb.detection.model import load_best
from cvtune_nb.detection.pixels import pictures
from cvtune_nb.detection.run import new_run
from cvtune_nb.errors import InputError, Stopped
from tests.photos import make_photos


def test_a_run_learns_and_says_what_it_did(trained_detector, detector_config):
    dataset, run = trained_detector
    assert run.state == "done"
    assert run.config == detector_config
    assert run.classes == ["dot", "tile"]
    assert run.history["epoch"].tolist() == [1, 2, 3]
    assert run.history["loss"].iloc[-1] < 0.8 * run.history["loss"].iloc[0]
    assert run.predicted_seconds > 0
    assert (run.history["seconds"] > 0).all()
    assert load_run(dataset, "best").to_dict() == run.to_dict()
    assert runs(dataset)["run"].tolist() == [run.id] == ["001-efficientnet_lite0_fpn-128"]


def test_it_finds_what_it_was_shown(dataset, detector_config):
    run = fit(dataset, replace(detector_config, epochs=10, learning_rate=0.002))
    assert run.best("validation_ap50") > 0.5, run.history


def test_detections_are_those_of_the_best_epoch_and_inside_the_photos(trained_detector):
    dataset, run = trained_detector
    photos = dataset.part("validation").photos
    seen = run.detections()
    again = detections(load_best(run), photos, pictures(dataset.workspace, photos, 128), run.classes)
    assert seen["label"].tolist() == again["label"].tolist()
    assert np.allclose(seen["score"], again["score"], atol=1e-5)
    assert set(seen["path"]) <= set(photos["path"])
    sides = seen[["left", "top", "width", "height"]]
    assert (sides >= 0).all(axis=None)
    assert ((seen["left"] + seen["width"]).max(), (seen["top"] + seen["height"]).max()) <= (1.0001, 1.0001)
    assert seen["score"].between(0.01, 1).all()


def test_one_photo_and_many_together_give_the_same(trained_detector):
    dataset, run = trained_detector
    photos = dataset.part("test").photos
    seen, network = pictures(dataset.workspace, photos, 128), load_best(run)
    together = found_in(network, seen.batch(range(3)))
    for number in range(3):
        alone = found_in(network, [seen[number]])[0]
        assert np.allclose(alone["scores"], together[number]["scores"], atol=0.02)


def test_a_resumed_run_ends_as_an_unbroken_one(trained_detector, dataset, detector_config):
    _, whole = trained_detector

    def stop(run):
        if len(run.history) == 1:
            raise Stopped("enough")

    stopped = fit(dataset, detector_config, on_epoch=stop)
    assert stopped.state == "stopped" and stopped.history["epoch"].tolist() == [1]
    assert earlier_run(dataset, detector_config).id == stopped.id
    resumed = fit(dataset, run=stopped.id)
    assert resumed.state == "done"
    for column in ("epoch", "loss", "validation_ap", "validation_ap50"):
        assert resumed.history[column].tolist() == whole.history[column].tolist(), column
    first, second = (load_best(run).state_dict() for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_stop_in_the_middle_of_an_epoch_keeps_whole_ones(dataset, detector_config):
    def progress(share, words):
        if words.startswith("epoch 2"):
            raise Stopped("enough")

    run = fit(dataset, detector_config, progress=progress)
    assert run.state == "stopped" and len(run.history) == 1
    assert load_run(dataset, run.id).state == "stopped"


def test_out_of_memory_halves_minibatch_and_rate_and_goes_on(dataset, detector_config, monkeypatch):
    real, failed = module.step, []

    def step(network, optimizer, images, targets, *rest):
        if len(images) > 2 and len(failed) < 1:
            failed.append(True)
            raise RuntimeError("out of memory")
        return real(network, optimizer, images, targets, *rest)

    monkeypatch.setattr(module, "step", step)
    run = fit(dataset, replace(detector_config, epochs=1))
    assert run.state == "done"
    assert (run.config.batch_size, run.config.learning_rate) == (2, 0.0005)
    assert run.changes == ["out of memory: minibatch 2, learning rate 0.0005 from here"]
    assert load_run(dataset, run.id).changes == run.changes
    assert runs(dataset)["changed"].tolist() == [True]


def test_other_errors_pass_through(dataset, detector_config, monkeypatch):
    def step(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(module, "step", step)
    with pytest.raises(RuntimeError, match="something else"):
        fit(dataset, detector_config)


def test_a_loss_that_runs_away_ends_the_run(dataset, detector_config, monkeypatch):
    monkeypatch.setattr(module, "step", lambda *_: torch.tensor(torch.nan))
    run = fit(dataset, detector_config)
    assert run.state == "diverged" and run.history.empty
    assert load_run(dataset, run.id).state == "diverged"


def test_changed_boxes_are_not_mixed_into_a_run(dataset, detector_config):
    from cvtune_nb.detection import box_journal

    def stop(_):
        raise Stopped("enough")

    run = fit(dataset, detector_config, on_epoch=stop)
    row = dataset.photos.iloc[0]
    box_journal.draw(dataset.workspace, row["path"], row["sha256"], [("dot", 0.1, 0.1, 0.1, 0.1)])
    with pytest.raises(InputError, match="photos or boxes have changed"):
        fit(dataset.redrawn(), run=run.id)
    assert earlier_run(dataset.redrawn(), detector_config) is None


def test_too_few_boxes_are_said(tmp_path, detector_config):
    folder = make_photos(tmp_path / "photos", ("circle", "square"), per_class=6)
    dataset = open_dataset(folder, tmp_path / "workspace")
    with pytest.raises(InputError, match="there are 0 boxes on training photos"):
        fit(dataset, detector_config)


@pytest.mark.parametrize("augmentation", ["scale-flip", "scale+flip+vertical-flip+d4+noise"])
def test_augmentation_moves_the_boxes_with_the_photo(dataset, detector_config, augmentation):
    detector_config = replace(detector_config, augmentation=augmentation)
    run = new_run(dataset, detector_config, Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0), 100, 1.0)
    train = module.shown(dataset, "train", run, lambda *_: None)
    number = next(n for n, boxes in enumerate(train.boxes) if len(boxes))
    rng = np.random.default_rng(0)
    for _ in range(8):
        picture, target = module.augmented(train, number, detector_config, rng)
        assert len(target["boxes"]) == len(train.boxes[number])
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            x, y = round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2)
            red, _, blue = picture[y, x].tolist()
            assert (red > blue) == (run.classes[label - 1] == "dot"), "the middle of a dot is red, of a tile blue"
    plain, target = module.augmented(train, number, replace(detector_config, augmentation="none"), rng)
    assert np.array_equal(plain, train.pictures[number])


def test_every_photo_is_seen_once_an_epoch(dataset, detector_config, monkeypatch):
    counts = []
    monkeypatch.setattr(module, "step", lambda _, __, images, *rest: counts.append(len(images)) or torch.ones(()))
    fit(dataset, replace(detector_config, epochs=1, batch_size=4))
    assert counts == [4, 4, 4, 4, 1]


def test_cost_is_predicted_and_measured_once(dataset, detector_config):
    said = []
    (dataset.workspace.cache / "speed-detectors.json").unlink()
    cost = predict_cost(dataset, detector_config, lambda _, words: said.append(words))
    assert cost.seconds > 0 and cost.megabytes > 10 and cost.disk_megabytes > 0
    assert said == ["measuring the speed of efficientnet_lite0_fpn at 128 pixels on this machine"]
    said.clear()
    twice = predict_cost(dataset, replace(detector_config, epochs=6), lambda _, words: said.append(words))
    assert said == []
    assert twice.seconds == pytest.approx(2 * cost.seconds, rel=0.35)
    assert predict_cost(dataset, replace(detector_config, batch_size=8)).megabytes > cost.megabytes


def test_predictions_learn_from_what_runs_took(trained_detector, dataset, detector_config):
    from cvtune_nb.detection.cost import calibrate

    _, run = trained_detector
    before = predict_cost(dataset, detector_config).seconds
    slow = replace(run, history=run.history.assign(seconds=100.0))
    calibrate(dataset, slow)
    assert predict_cost(dataset, detector_config).seconds == pytest.approx(300, rel=0.05)
    calibrate(dataset, replace(run, history=run.history.assign(seconds=25.0)))
    assert predict_cost(dataset, detector_config).seconds == pytest.approx(150, rel=0.05), "half of the way"
    calibrate(dataset, replace(run, history=run.history.iloc[:1]))
    assert predict_cost(dataset, detector_config).seconds == pytest.approx(150, rel=0.05)
    assert before < 100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("detector", "yolo"),
        ("image_size", 100),
        ("image_size", 2000),
        ("epochs", 0),
        ("batch_size", 3),
        ("proposals", 5),
        ("learning_rate", 5),
    ],
)
def test_parameters_are_checked(name, value):
    with pytest.raises(InputError, match=name):
        DetectorConfig.from_values(**{"detector": "efficientnet_lite0_fpn", name: value})


def test_a_name_that_is_no_parameter_is_named():
    with pytest.raises(InputError, match=r"dropout is not a parameter: choose from .*detector"):
        Config.from_values(detector="efficientnet_lite0_fpn", dropout=0.5)


def test_a_minibatch_of_one_photo_can_not_be_halved():
    with pytest.raises(InputError, match="minibatch of one photo"):
        Config("efficientnet_lite0_fpn", batch_size=1).halved()


def test_a_run_that_is_not_there_is_named(dataset):
    with pytest.raises(InputError, match="no trained detector yet"):
        load_run(dataset, "best")
    with pytest.raises(InputError, match="has no run 'x': choose one of those there are"):
        load_run(dataset, "x")


def test_killed_before_the_first_epoch_a_run_can_be_begun_again(dataset, detector_config):
    def stop(share, words):
        if words.startswith("epoch 1"):
            raise Stopped("enough")

    run = fit(dataset, replace(detector_config, epochs=1), progress=stop)
    assert run.state == "stopped" and run.history.empty
    shutil.rmtree(dataset.workspace.cache)
    assert fit(dataset, run=run.id).state == "done"
