"""Weights of runs and of the SVM, and averages of them."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from cvtune_nb.classification import SVM, fit, load_run
from cvtune_nb.classification.combining.ingredients import LAST, START, UNAVERAGED, Blend, Ingredients, averaged
from cvtune_nb.classification.extra_photos import COLUMNS, ExtraPhotos
from cvtune_nb.classification.run import Run
from cvtune_nb.errors import InputError
from cvtune_nb.files import sha256_of
from cvtune_nb.parameters import Config
from tests.photos import make_photos

FIRST, SECOND, LARGER = (f"00{n}-test_efficientnet-random-{size}" for n, size in ((1, 64), (2, 64), (3, 96)))


@pytest.fixture(scope="module")
def ingredients(several):
    return Ingredients(several, [SVM, FIRST, SECOND, LARGER])


def test_blends_have_names():
    assert str(Blend.equal(["a"])) == "a" and Blend.equal(["a"]).single
    assert str(Blend.equal(["a", "b"])) == "50% a + 50% b"


def test_a_run_alone_says_what_it_has_recorded(ingredients, several):
    photos = several.photos()
    photos = photos[photos["split"] == "validation"]
    logits, known = ingredients.recorded(Blend.equal([FIRST]), photos), load_run(several, FIRST).predictions()
    answers = [ingredients.candidates[FIRST].classes[number] for number in logits.argmax(1)]
    assert answers == known.set_index("path")["predicted"][photos["path"]].tolist()
    assert ingredients.recorded(Blend.equal([SVM]), photos) is None
    assert ingredients.recorded(Blend.equal([FIRST, SECOND]), photos) is None
    assert ingredients.recorded(Blend.equal([FIRST]), several.photos()) is None, (
        "of training photos nothing is recorded"
    )


def test_only_runs_of_one_network_are_averaged(ingredients):
    assert ingredients.alike(FIRST) == ingredients.alike(SECOND) == [FIRST, SECOND]
    assert ingredients.alike(LARGER) == [LARGER] and ingredients.alike(SVM) == []


def test_the_average_of_two_runs(ingredients):
    both = ingredients.network(Blend.equal([FIRST, SECOND])).state_dict()
    one, other = ingredients.weights(FIRST), ingredients.weights(SECOND)
    assert torch.allclose(both["last.weight"], (one["last.weight"] + other["last.weight"]) / 2, atol=1e-6)
    assert not torch.equal(one["last.weight"], other["last.weight"])
    assert ingredients.network(Blend.equal([FIRST])) is ingredients.candidates[FIRST].network


def test_the_start_is_made_again_from_the_svm(ingredients, several):
    assert load_run(several, LARGER).best_epoch == 0 and not ingredients.has_start(LARGER)  # nothing lies between
    started, kept = ingredients.weights(LARGER + START), ingredients.weights(LARGER)
    assert all(torch.equal(started[name], kept[name]) for name in kept)


def test_the_start_of_a_run_with_more_photos_is_the_svm_that_saw_them(workspace, tmp_path, monkeypatch):
    files = sorted(make_photos(tmp_path / "more", ("circle",), per_class=9, size=96, seed=5).rglob("*.jpg"))
    rows = [(str(file), sha256_of(file), 96, 96, workspace.classes[-1], 1.0) for file in files]
    extra = ExtraPhotos(pd.DataFrame(rows, columns=COLUMNS))
    config = Config("efficientnet_lite0", image_size=64, epochs=1, batch_size=16)
    runs = [fit(workspace, replace(config, epochs=0), extra=one).id for one in (extra, None)]
    known = Ingredients(workspace, runs)
    for run in runs:
        started, kept = known.weights(run + START), known.weights(run)
        assert torch.equal(started["last.weight"], kept["last.weight"])
    first, second = (known.weights(run + START)["last.weight"] for run in runs)
    assert not torch.equal(first, second)
    monkeypatch.setattr(Run, "best_epoch", 1)
    assert known.has_start(runs[0]) and known.has_start(runs[1])


def test_the_last_epoch_is_in_the_checkpoint(ingredients):
    assert ingredients.checkpoints(FIRST) == [FIRST + UNAVERAGED] and ingredients.checkpoints(LARGER) == []
    started = ingredients.weights(FIRST + START)
    plain = ingredients.weights(FIRST + UNAVERAGED)
    mean = ingredients.weights(FIRST + LAST)
    assert torch.equal(mean["last.weight"], ingredients.weights(FIRST)["last.weight"])  # its last epoch is its best
    assert plain.keys() == mean.keys() == started.keys()
    assert not torch.equal(plain["last.weight"], mean["last.weight"])


def test_a_blend_of_the_start_lies_between(ingredients):
    blend = Blend(((FIRST, 0.25), (FIRST + START, 0.75)))
    found = ingredients.network(blend).state_dict()["last.bias"]
    ends = ingredients.weights(FIRST)["last.bias"], ingredients.weights(FIRST + START)["last.bias"]
    assert torch.allclose(found, 0.25 * ends[0] + 0.75 * ends[1], atol=1e-6)


def test_digests_tell_weights_apart(ingredients):
    blends = [Blend.equal([FIRST]), Blend.equal([FIRST, SECOND]), Blend(((FIRST, 0.25), (SECOND, 0.75)))]
    digests = {ingredients.digest(blend) for blend in [*blends, Blend.equal([SVM]), Blend.equal([FIRST + LAST])]}
    assert len(digests) == 5 and ingredients.digest(Blend.equal([FIRST])) in digests


def test_other_networks_are_refused_and_whole_numbers_are_the_firsts():
    with pytest.raises(InputError, match="combine their probabilities"):
        averaged([({"a": torch.zeros(2)}, 0.5), ({"a": torch.zeros(3)}, 0.5)])
    found = averaged([({"n": torch.tensor(3)}, 0.5), ({"n": torch.tensor(5)}, 0.5)])
    assert found["n"] == 3
