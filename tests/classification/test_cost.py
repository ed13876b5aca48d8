import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from cvtune_nb.classification import cost, fit, predict_cost
from cvtune_nb.classification.baseline import C_table_file
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.run import HISTORY_COLUMNS, new_run
from cvtune_nb.data.pixels import kept_bytes
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json
from cvtune_nb.runs.cost import DECODE_SECONDS, Speed


def test_cost_is_linear_in_epochs(workspace, config):
    seconds = [predict_cost(workspace, replace(config, epochs=n)).seconds for n in (0, 1, 2, 20)]
    epoch = seconds[1] - seconds[0]
    assert epoch > 0
    assert seconds[2] == pytest.approx(seconds[0] + 2 * epoch)
    assert seconds[3] == pytest.approx(seconds[0] + 20 * epoch)


def test_cost_counts_photos_and_what_is_not_in_the_cache_yet(workspace, config, monkeypatch):
    probe = {"train_seconds": 2.0, "forward_seconds": 1.0, "weight_bytes": 1e6, "activation_bytes": 2e6}
    monkeypatch.setattr(Speed, "probe", lambda *_: probe)
    photos = workspace.photos()
    train, validation = ((photos["split"] == name).sum() for name in ("train", "validation"))
    one = replace(config, epochs=1, head="random", ema=0.0)
    epoch = 2 * train + train + validation
    assert predict_cost(workspace, one).seconds == pytest.approx(epoch)
    fits = train * photos["label"].nunique() * cost.SVM_SECONDS
    assert predict_cost(workspace, replace(one, head="svm")).seconds == pytest.approx(epoch + len(photos) + fits)
    C_table_file(workspace, photos, FeatureSpec.of(one)).touch()
    assert predict_cost(workspace, replace(one, head="svm")).seconds == pytest.approx(epoch + len(photos))
    larger = replace(one, image_size=256)
    found = predict_cost(workspace, larger)
    assert found.seconds == pytest.approx(epoch + len(photos) * DECODE_SECONDS)
    assert found.disk_megabytes == pytest.approx(len(photos) * 293 * 293 * 3 / 1e6 + 5)
    workspace.limit_pixels((kept_bytes(workspace) + 10 * 293 * 293 * 3) / 1e9)
    found = predict_cost(workspace, larger)
    assert found.unkept == len(photos) - 10
    assert found.seconds == pytest.approx(epoch + (len(photos) + found.unkept) * DECODE_SECONDS)
    assert found.disk_megabytes == pytest.approx(10 * 293 * 293 * 3 / 1e6 + 5)
    for path in photos.query("split == 'train'")["path"].iloc[:3]:
        workspace.decide(path, "exclude")
    assert predict_cost(workspace, one).seconds == pytest.approx(epoch - 9)
    assert predict_cost(workspace, one).megabytes == pytest.approx(4 + 2 * one.batch_size)


def test_memory_grows_with_the_minibatch_and_the_image(workspace, config):
    small, more, larger = (
        predict_cost(workspace, replace(config, batch_size=batch, image_size=size)).megabytes
        for batch, size in ((8, 64), (16, 64), (8, 96))
    )
    assert small < more
    assert small < larger


def test_the_probe_is_done_once_for_each_backbone_size_minibatch_and_optimizer(workspace, config, monkeypatch):
    said = []
    first = predict_cost(workspace, config, lambda share, words: said.append(words))
    assert said == ["measuring the speed of test_efficientnet:random at 64 pixels on this machine"]
    monkeypatch.setattr(cost, "build", lambda *a, **k: pytest.fail("it was measured again"))
    assert predict_cost(workspace, config) == first
    assert predict_cost(workspace, replace(config, dropout=0.3, learning_rate=0.1)).seconds == first.seconds
    for other in (replace(config, batch_size=4), replace(config, optimizer="sgd")):
        with pytest.raises(pytest.fail.Exception):
            predict_cost(workspace, other)
    assert "format" in read_json(workspace.cache / "speed.json")


def test_a_second_probe_keeps_the_first(workspace, config):
    predict_cost(workspace, config)
    predict_cost(workspace, replace(config, image_size=96))
    assert len(read_json(workspace.cache / "speed.json")) == 1 + 2


def test_the_prediction_is_written_into_the_run(trained):
    run = trained[1]
    assert read_json(run.folder / "config.json")["predicted_seconds"] == run.predicted_seconds > 0


def test_what_can_not_be_run_has_no_cost(workspace, config):
    with pytest.raises(InputError, match="image_size 512 is beyond the photos"):
        predict_cost(workspace, replace(config, image_size=512))
    with pytest.raises(InputError, match="there is no backbone called"):
        predict_cost(workspace, replace(config, backbone="resnet_18"))
    with pytest.raises(InputError, match="beyond the photos"):
        fit(workspace, replace(config, image_size=512))
    assert not list(workspace.runs.glob("*"))


def with_history(workspace, config, *seconds):
    """A finished run whose epochs took so long."""
    run = new_run(workspace, config, workspace.photos(), (50, 10), 10.0)
    rows = [(epoch, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, took) for epoch, took in enumerate(seconds)]
    run = replace(run, history=pd.DataFrame(rows, columns=HISTORY_COLUMNS), state="done")
    save_file({"w": torch.zeros(1)}, run.checkpoint, {"history": json.dumps(run.history.to_dict("records"))})
    run.save()
    return run


def test_a_run_corrects_the_next_prediction(workspace, config):
    one, none = (replace(config, epochs=n) for n in (1, 0))

    def epoch():
        return predict_cost(workspace, one).seconds - predict_cost(workspace, none).seconds

    first = epoch()
    cost.calibrate(workspace, with_history(workspace, config, 99.0, 3 * first, 3 * first, 50.0))
    assert epoch() == pytest.approx(3 * first)  # by the median; the first row is mostly preparation
    cost.calibrate(workspace, with_history(workspace, config, 99.0, 12 * first, 12 * first))
    assert epoch() == pytest.approx(6 * first)  # half of the way, in factors
    cost.calibrate(workspace, with_history(workspace, config, 99.0))
    assert epoch() == pytest.approx(6 * first)
    predict_cost(workspace, replace(config, image_size=96))
    assert epoch() == pytest.approx(6 * first), "a probe of another kind forgets nothing"


def test_a_real_run_leaves_its_pace(trained):
    workspace, _ = trained
    (known,) = (value for key, value in read_json(workspace.cache / "speed.json").items() if key != "format")
    assert known["pace"] > 0
