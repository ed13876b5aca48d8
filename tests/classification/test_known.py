"""How much a photo is like those of training: what the score finds, what its rank promises, and its export."""

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

from cvtune_nb import classification
from cvtune_nb.classification import export_run, known
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.cli import main
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import onnx_known, onnx_model, open_export, verification
from cvtune_nb.export.serving.reading import Limits
from cvtune_nb.export.serving.service import Service
from cvtune_nb.parameters import Config
from tests.photos import make_photos

WIDTH = 24


def clusters(classes, per_class, seed=0, spread=0.5) -> tuple[np.ndarray, np.ndarray]:
    """Features of classes, which differ in the first 8 columns only, and labels."""
    means = np.zeros((10, WIDTH))
    means[:, :8] = np.random.default_rng(9).normal(size=(10, 8))
    labels = np.repeat(np.array(classes), per_class)
    noise = np.zeros((len(labels), WIDTH))
    noise[:, :10] = np.random.default_rng(seed).normal(size=(len(labels), 10))
    return (means[labels] + spread * noise).astype(np.float32), labels.astype(str)


def scores(score, rows) -> np.ndarray:
    with torch.inference_mode():
        return known.KnownScore(score)(torch.from_numpy(np.asarray(rows, np.float32))).numpy()


def test_near_and_far_strangers_score_lower():
    score = known.likeness(*clusters(range(6), 40))
    mine, near = (scores(score, clusters(classes, 40, seed=1)[0]) for classes in (range(6), (7, 8)))
    far = scores(score, np.random.default_rng(2).normal(size=(40, WIDTH)))
    assert np.median(near) < np.quantile(mine, 0.2)
    assert far.max() < np.quantile(mine, 0.01), "columns that no training photo uses"


@pytest.mark.parametrize("keep", [0.8, 0.95, 0.99])
def test_the_threshold_keeps_the_share_that_was_asked_for(keep):
    random = np.random.default_rng(0)
    kept = photos = 0
    for _ in range(60):
        by = known.scale(random.normal(size=137))
        fresh = known.scaled(random.normal(size=200), by)
        kept, photos = kept + int((fresh >= known.below(keep, 137)).sum()), photos + 200
    found = binomtest(kept, photos).proportion_ci(0.999)
    assert found.high >= keep, "at least so many"
    assert kept / photos < keep + 2 / 138, "and hardly more"


def test_known_is_the_rank_among_validation_photos_and_never_jumps():
    by = known.scale(np.arange(99.0))
    assert known.scaled(np.arange(99.0), by) == pytest.approx(np.arange(1, 100) / 100)
    finely = known.scaled(np.linspace(-300, 300, 60_001), by)
    assert (np.diff(finely) >= 0).all() and np.diff(finely).max() < 1e-3
    assert 0 <= finely.min() < 1e-3 and finely.max() == pytest.approx(1)
    for odd in ([3.0], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0 + 1e-9, 5.0, np.nan]):
        by = known.scale(np.array(odd))
        here, beside = known.scaled(np.array([odd[0], odd[0] - 1e-7]), by)
        assert 0 < beside < here <= 1 and here - beside < 1e-3
    assert known.scaled(np.array([2.0]), known.scale(np.array([2.0] * 30)))[0] > 0.9, "equals are not unlike"


@pytest.mark.parametrize("scores", [[-3.0], [0.5], [0.5, 0.5 + 2e-6], list(np.linspace(-2, -2 + 1e-4, 40))])
def test_ranks_of_few_or_nearly_the_same_photos_hide_the_noise_of_float32(scores):
    by = known.scale(np.array(scores))
    around = np.linspace(min(scores) - 0.1, max(scores) + 0.3, 4_001)
    noise = 1e-6 * max(1.0, np.abs(scores).max())
    assert np.abs(known.scaled(around + noise, by) - known.scaled(around, by)).max() < 1e-4 / 3


def test_few_photos_promise_nothing_and_a_share_of_0_is_off():
    assert known.below(0.95, 18) == 0 and known.below(0.95, 19) == pytest.approx(0.05)
    assert known.below(0.0, 1_000) == 0
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(InputError, match="keep-known"):
            known.require_keep(wrong)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lambda x: np.where(np.arange(WIDTH) == 3, np.nan, x), id="not a number"),
        pytest.param(lambda x: np.where(np.arange(WIDTH) == 3, np.inf, x), id="endless"),
        pytest.param(lambda x: np.where(np.arange(WIDTH) == 3, 7.0, x), id="constant"),
        pytest.param(np.zeros_like, id="nothing"),
        pytest.param(np.ones_like, id="all the same"),
        pytest.param(lambda x: x[::20], id="two photos a class"),
    ],
)
@pytest.mark.parametrize("ranked", [False, True])
def test_onnx_and_pytorch_agree_and_survive_broken_columns(rows, ranked):
    x, labels = clusters(range(4), 40)
    x, labels = rows(x), labels[:: len(x) // len(rows(x))]
    score = known.likeness(x, labels)
    raw = scores(score, x)
    by = known.scale(raw) if ranked else None
    graph = onnx_known.known(score, by)
    onnx.checker.check_model(graph)
    asked = np.concatenate([rows(clusters((1, 8), 40, seed=3)[0]), 1e3 * np.ones((1, WIDTH), np.float32)])
    asked = asked.astype(np.float32)
    theirs = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"features": asked})[0]
    with torch.inference_mode():
        ours = known.KnownScore(score, by)(torch.from_numpy(asked)).numpy()
    assert np.isfinite(ours).all() and np.abs(ours - theirs).max() < 1e-4
    if by:
        assert ours == pytest.approx(known.scaled(scores(score, asked), by), abs=1e-4)
        assert (ours >= 0).all() and (ours <= 1 + 1e-6).all()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = tmp_path_factory.mktemp("known")
    return open_workspace(make_photos(place / "photos", per_class=48, size=80), place / "workspace")


@pytest.fixture(scope="module")
def made(workspace):
    run = classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16))
    return export_run(workspace, run.id)


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Noise in colour: nothing that was trained on looks like it."""
    folder = tmp_path_factory.mktemp("strange")
    for number in range(8):
        noise = np.random.default_rng(number).integers(0, 256, (80, 80, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return folder


def test_an_export_tells_strangers_from_its_own_photos(made, workspace, strange):
    model = open_export(made.folder)
    assert made.parity < 1e-4
    figures = made.known
    assert figures.keep == 0.95 and figures.below == model.known_below > 0
    mine = [workspace.path_of(path) for path in figures.validation["path"]]
    found = [row["known"] for row in model.predict(mine)]
    assert found == pytest.approx(figures.validation["known"].tolist(), abs=1e-4)
    assert np.mean([row["unlike"] for row in model.predict(mine)]) <= 0.05
    strangers = model.predict(sorted(strange.iterdir()))
    assert all(row["unlike"] for row in strangers) and max(row["known"] for row in strangers) < min(found)
    assert set(strangers[0]) == {"path", "label", "probability", "sure", "top", "known", "unlike"}
    assert "don't know: unlike all classes" in model.lines(strangers[0])[0]
    assert figures.test_kept.n == made.test.n
    assert figures.left_out["label"].tolist() == sorted(model.labels) and 0 <= figures.expected <= 1
    assert made.to_dict()["known"]["expected_auroc"] == figures.expected
    written = pd.read_csv(made.folder / "test_predictions.csv")
    assert ((written["known"] >= 0) & (written["known"] <= 1)).all()


def test_the_card_and_the_labels_say_what_it_means(made):
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "## None of these" in card and f"Below {made.known.below:.3f} the model calls a photo unlike" in card
    assert f"{made.known.expected:.2f} on average" in card
    assert json.loads((made.folder / "config.json").read_text())["known"]["below"] == made.known.below
    assert open_export(made.folder).about()["known_below"] == made.known.below


def test_each_variant_ranks_by_its_own_scores(made, workspace):
    mine = [workspace.path_of(path) for path in made.known.validation["path"]]
    for variant in ("fp16", "int8"):
        rows = open_export(made.folder, variant).predict(mine)
        assert np.mean([row["unlike"] for row in rows]) <= 0.05, variant


def test_pt2_gives_known_too(made, workspace):
    model = open_export(made.folder)
    shown = model.prepared(workspace.path_of(made.known.validation["path"].iloc[0]))
    start = (shown.shape[0] - 64) // 2
    square = torch.from_numpy(shown[start : start + 64, start : start + 64][None].copy())
    chances, found = torch.export.load(made.folder / "model.pt2").module()(square)
    ours, theirs = model.answers(shown[None])
    assert chances.detach().numpy() == pytest.approx(ours, abs=1e-4)
    assert found.detach().numpy() == pytest.approx(theirs, abs=1e-4)


def test_predict_prints_known_and_which_of_the_two_reasons(made, strange, capsys):
    photos = [str(path) for path in sorted(strange.iterdir())[:2]]
    assert main(["predict", str(made.folder), *photos]) == 0
    said = capsys.readouterr().out
    assert "known" in said and "unlike all classes" in said
    assert main(["predict", str(made.folder), *photos, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert all(row["unlike"] and 0 <= row["known"] < made.known.below for row in rows)


def test_the_service_answers_the_same(made, workspace, strange):
    model = open_export(made.folder)
    paths = [workspace.path_of(path) for path in made.known.validation["path"][:4]] + sorted(strange.iterdir())[:2]

    async def ask():
        service = Service(model, Limits())
        work = asyncio.create_task(service.work())
        rows = await service.predict([(path.name, path.read_bytes()) for path in paths], 5)
        work.cancel()
        service.close()
        return rows

    with ThreadPoolExecutor(1) as thread:  # where a browser test has run before, this one has an event loop already
        served = json.loads(json.dumps(thread.submit(asyncio.run, ask()).result()))
    expected = model.predict(paths)
    assert [row["known"] for row in served] == pytest.approx([row["known"] for row in expected], abs=1e-4)
    assert [row["unlike"] for row in served] == [row["unlike"] for row in expected]


def test_the_svm_has_it_too_and_the_share_can_be_chosen(workspace, tmp_path, capsys):
    baseline(workspace, FeatureSpec("test_resnet:random", Preprocessing(64)))
    common = ["export", "--workspace", str(workspace.folder), "--run", "svm", "--variants", "none"]
    assert main([*common, "--out", str(tmp_path / "a"), "--keep-known", "0.8"]) == 0
    assert "unlike all classes: known below 0." in capsys.readouterr().out
    assert 0.1 < open_export(tmp_path / "a").known_below <= 0.2
    assert main([*common, "--out", str(tmp_path / "b"), "--keep-known", "0"]) == 0
    assert open_export(tmp_path / "b").known_below == 0
    assert main([*common, "--out", str(tmp_path / "c"), "--keep-known", "1"]) == 2
    assert "keep-known" in capsys.readouterr().err


def test_an_export_of_an_earlier_version_still_works(made, workspace, tmp_path):
    (tmp_path / "old").mkdir()
    network = classification.load_best(classification.load_run(workspace, "last"))
    graph = onnx_model.network(onnx_model.program(network, 64))
    labels = json.loads((made.folder / "labels.json").read_text())
    onnx_model.save(
        onnx_model.whole(graph, labels["labels"], Preprocessing(64), 1.0, threshold=0), tmp_path / "old" / "model.onnx"
    )
    (tmp_path / "old" / "labels.json").write_text(json.dumps(labels))
    verification.write_hashes(tmp_path / "old")
    model = open_export(tmp_path / "old")
    row = model.predict([workspace.path_of(made.known.validation["path"].iloc[0])])[0]
    assert model.known_below is None and set(row) == {"path", "label", "probability", "sure", "top"}
    assert "  known " not in model.lines(row)[0] and "known_below" not in model.about()


def test_a_model_that_says_known_without_its_threshold_is_refused(made, tmp_path):
    (tmp_path / "bad").mkdir()
    proto = onnx.load(made.folder / "model.onnx")
    kept = {entry.key: entry.value for entry in proto.metadata_props if entry.key != "known_below"}
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, kept)
    onnx.save(proto, tmp_path / "bad" / "model.onnx")
    (tmp_path / "bad" / "labels.json").write_text((made.folder / "labels.json").read_text())
    verification.write_hashes(tmp_path / "bad")
    with pytest.raises(InputError, match="its notes are missing or damaged"):
        open_export(tmp_path / "bad")


def test_two_photos_a_class_are_survived(tmp_path):
    space = open_workspace(make_photos(tmp_path / "photos", per_class=6, size=80), tmp_path / "workspace")
    baseline(space, FeatureSpec("test_resnet:random", Preprocessing(64)))
    few = export_run(space, "svm", variants=())
    assert few.parity < 1e-4
    assert few.known is None or (few.known.below == 0 and not math.isnan(few.known.validation["known"].sum()))
    assert "## None of these" in (few.folder / "README.md").read_text(encoding="utf-8")


def test_photos_of_a_new_group_are_kept_too():
    """A share of .9 of new photos, where the frames of a scene are about as much like the training photos."""
    random, kept = np.random.default_rng(0), {"photos": [], "groups": []}
    for _ in range(300):
        scenes = random.normal(size=30)
        scores = np.repeat(scenes, 8) + random.normal(0, 0.1, 240)
        new = random.normal(size=2_000) + random.normal(0, 0.1, 2_000)
        ranks = known.scaled(new, known.scale(scores))
        kept["photos"].append((ranks >= known.below(0.9, 240)).mean())
        kept["groups"].append((ranks >= known.below(0.9, 240, 30)).mean())
    assert np.mean(kept["groups"]) >= 0.9 > np.mean(kept["photos"])


def test_one_group_each_is_what_photos_alone_are():
    for keep, photos in ((0.95, 100), (0.95, 19), (0.95, 18), (0.9, 57), (0.0, 50), (0.5, 7)):
        assert known.below(keep, photos, photos) == known.below(keep, photos)
    assert known.below(0.95, 200, 18) == 0.0, "too few groups to promise anything about a new one"
