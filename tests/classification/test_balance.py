"""What a remedy for imbalance does to the loss, to the photos that are drawn, to the SVM, and to a run."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from cvtune_nb.augmentation.mixing import Mixed
from cvtune_nb.classification import fit, load_best, load_run
from cvtune_nb.classification.balance import SMOOTHING, Balance, drawn_evenly
from cvtune_nb.classification.baseline import C_table_file, SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.losses import order
from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json, write_json
from cvtune_nb.imbalance import log_shares, remedy_of
from cvtune_nb.parameters import Config
from tests.classification.conftest import outcome, stop_at
from tests.photos import make_photos

LABELS = torch.tensor([0] * 12 + [1] * 3)
CLASSES = ["lemon", "lime"]
SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def balance(text: str) -> Balance:
    return Balance.of(Config("resnet18", imbalance=text), LABELS, CLASSES)


@pytest.fixture
def logits():
    return torch.randn(15, 2, generator=torch.Generator().manual_seed(0))


def test_without_a_remedy_the_loss_is_the_plain_one_to_the_bit(logits):
    assert torch.equal(balance("none").loss(logits, LABELS), cross_entropy(logits, LABELS, label_smoothing=SMOOTHING))
    equal = Balance(torch.ones(2))
    assert torch.allclose(equal.loss(logits, LABELS), balance("none").loss(logits, LABELS))


def test_weights_count_photos_as_often(logits):
    """As if every photo of the small class were there 4 times."""
    weighted = balance("balanced").loss(logits, LABELS)
    rows = torch.cat([torch.arange(12), *[torch.arange(12, 15)] * 4])
    repeated = cross_entropy(logits[rows], LABELS[rows], label_smoothing=SMOOTHING)
    assert torch.allclose(weighted, repeated)


def test_a_mixed_photo_counts_by_both_its_labels(logits):
    others, own = torch.arange(15).flip(0), torch.linspace(0.1, 0.9, 15)
    mixture, weights = Mixed(torch.empty(15), others, own), balance("balanced").weights
    each = cross_entropy(logits, LABELS, label_smoothing=SMOOTHING, reduction="none") * weights[LABELS]
    theirs = (
        cross_entropy(logits, LABELS[others], label_smoothing=SMOOTHING, reduction="none") * weights[LABELS[others]]
    )
    expected = (own * each + (1 - own) * theirs).mean()
    assert torch.allclose(balance("balanced").loss(logits, LABELS, mixture), expected)


def test_logit_adjustment_adds_the_prior_in_training(logits):
    prior = torch.tensor([0.8, 0.2]).log()
    for mixture in (None, Mixed(torch.empty(15), torch.arange(15).flip(0), torch.full((15,), 0.7))):
        adjusted = balance("logit-adjustment:1.5").loss(logits, LABELS, mixture)
        assert torch.allclose(adjusted, balance("none").loss(logits + 1.5 * prior, LABELS, mixture))


def test_sampling_draws_classes_evenly_and_leaves_nothing_out_that_need_not_be():
    torch.manual_seed(0)
    rows = drawn_evenly(LABELS)
    assert len(rows) == 15 and abs(int((LABELS[rows] == 0).sum()) - 7) <= 1
    small = rows[LABELS[rows] == 1]
    times = torch.bincount(small - 12, minlength=3)
    assert times.min() >= 2 and times.max() - times.min() <= 1
    assert len(rows[LABELS[rows] == 0].unique()) == int((LABELS[rows] == 0).sum()), "none of the large class twice"
    torch.manual_seed(1)
    plain = balance("none").order(LABELS, "cross-entropy")
    torch.manual_seed(1)
    assert torch.equal(plain, order(LABELS, "cross-entropy"))
    drawn = balance("sampling").order(LABELS, "triplet")
    assert len(drawn) == 15


def test_own_weights_of_an_unknown_class_are_refused():
    with pytest.raises(InputError, match="there is no class 'orange', but lemon, lime"):
        balance("weights:orange=2")


# -- the SVM ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blobs():
    """Two overlapping classes, 20 to 1; train, and as many of each to ask about."""
    random = np.random.default_rng(0)

    def drawn(a, b):
        rows = random.normal(0, 0.6, (a + b, 8))
        rows[:a, 0] += 1
        rows[a:, 1] += 1
        return rows, np.array(["a"] * a + ["b"] * b, dtype=object)

    return drawn(400, 20), drawn(500, 500)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("text", ["balanced", "square-root", "sampling", "logit-adjustment", "weights:b=20"])
def test_the_small_class_is_found_more_often(blobs, kernel, text):
    (matrix, labels), (asked, truth) = blobs
    plain = Svm(1.0, kernel).fit(matrix, labels)
    helped = Svm(1.0, kernel, remedy_of(text)).fit(matrix, labels)
    recall = [(svm.predict(asked)[truth == "b"] == "b").mean() for svm in (plain, helped)]
    assert recall[1] > recall[0] + 0.1
    scores = helped.scores(asked)
    assert (np.array(helped.classes)[scores.argmax(1)] == helped.predict(asked)).all()


def test_logit_adjustment_of_a_linear_svm_is_in_its_bias(blobs):
    (matrix, labels), (asked, _) = blobs
    plain, adjusted = Svm(1.0).fit(matrix, labels), Svm(1.0, remedy=remedy_of("logit-adjustment")).fit(matrix, labels)
    shift = -log_shares({"a": 400, "b": 20}) / SVM_SCALE
    assert np.allclose(adjusted.scores(asked), plain.scores(asked) + shift)
    assert np.allclose(adjusted.weights()[1], plain.weights()[1] + shift)


# -- runs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def skewed(tmp_path_factory):
    """A workspace of which one class has few training photos."""
    folder = tmp_path_factory.mktemp("skewed")
    photos = make_photos(folder / "photos", ("circle", "square", "stripes"), per_class=16, size=96)
    for file in sorted((photos / "stripes").iterdir())[6:]:
        file.unlink()
    return open_workspace(photos, folder / "workspace")


@pytest.fixture
def own(skewed, tmp_path):
    return open_workspace(skewed.source, shutil.copytree(skewed.folder, tmp_path / "workspace"))


@pytest.mark.parametrize("text", ["balanced", "logit-adjustment", "sampling"])
def test_epoch_0_is_the_svm_with_the_same_remedy(skewed, text):
    run = fit(skewed, Config("efficientnet_lite0", image_size=64, epochs=0, imbalance=text))
    explorer = SvmExplorer(skewed, SPEC, imbalance=text)
    assert run.validation.value == explorer.accuracy(explorer.best_C(), "linear", "validation").value
    bias = load_best(run).last.bias.detach().numpy()
    assert np.allclose(bias, SVM_SCALE * explorer.svm(explorer.best_C()).weights()[1], atol=1e-4)


def test_tables_of_the_best_constant_are_kept_apart(skewed):
    photos = skewed.photos()
    files = {
        text: C_table_file(skewed, photos, SPEC, imbalance=text) for text in ("none", "balanced", "weights:circle=2")
    }
    assert len(set(files.values())) == 3
    assert files["none"] == C_table_file(skewed, photos, SPEC), "what earlier versions computed is still there"


@pytest.mark.parametrize("text", ["balanced", "sampling", "logit-adjustment"])
def test_a_stopped_run_ends_as_the_one_that_was_not(own, config, text):
    config = replace(config, imbalance=text, head="random", epochs=2)
    whole = fit(own, config)
    stopped = fit(own, config, progress=stop_at("epoch 2"))
    assert stopped.state == "stopped"
    assert outcome(fit(own, run=stopped.id)) == outcome(whole)


def test_a_run_of_an_earlier_version_goes_on_without_a_remedy(own, config):
    config = replace(config, head="random", epochs=2)
    whole = fit(own, config)
    stopped = fit(own, config, progress=stop_at("epoch 2"))
    known = read_json(stopped.folder / "config.json")
    del known["config"]["imbalance"]
    write_json(stopped.folder / "config.json", known)
    assert load_run(own, stopped.id).config.imbalance == "none"
    assert outcome(fit(own, run=stopped.id)) == outcome(whole)


def test_own_weights_of_an_unknown_class_are_refused_before_a_run_is_there(own, config):
    with pytest.raises(InputError, match="there is no class 'lime'"):
        fit(own, replace(config, imbalance="weights:lime=2", head="random"))
