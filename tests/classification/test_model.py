import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from cvtune_nb.classification import build, load_best
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.model import Classifier
from cvtune_nb.classification.svm import SVM_SCALE
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.models import networks
from cvtune_nb.parameters import Config
from cvtune_nb.runs.fitting import train_mode


def images(n=4, size=64):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 255, (n, size, size, 3), np.uint8))


@pytest.mark.parametrize("pooling", ["last", "stages"])
@pytest.mark.parametrize("classes", [("circle", "square", "stripes"), ("circle", "square")])
def test_a_classifier_that_starts_from_the_svm_says_what_the_svm_says(workspace, classes, pooling):
    for path in workspace.photos().query("label not in @classes")["path"]:
        workspace.decide(path, "exclude")
    explorer = SvmExplorer(workspace, FeatureSpec("efficientnet_lite0", Preprocessing(64), pooling=pooling))
    svm = explorer.svm(1.0)
    classifier = build(Config("efficientnet_lite0", image_size=64, pooling=pooling), list(classes)).eval()
    classifier.start_from(svm)
    matrix = torch.from_numpy(explorer.features.matrix)
    with torch.inference_mode():
        logits = classifier.classify(matrix)
        through = classifier(torch.from_numpy(explorer_images(workspace, explorer)))
    np.testing.assert_allclose(logits, SVM_SCALE * svm.scores(explorer.features.matrix), atol=1e-3)
    assert [classes[i] for i in logits.argmax(1)] == svm.predict(explorer.features.matrix).tolist()
    # features are kept as bfloat16 gives them, where the machine has it
    torch.testing.assert_close(through, logits[:5], atol=0.1, rtol=0)


def explorer_images(workspace, explorer):
    return np.stack(
        [Preprocessing(64).square(workspace.path_of(path), FULL) for path in explorer.photos["path"].iloc[:5]]
    )


def test_the_same_seed_gives_the_same_last_layer():
    first, second, other = (
        build(Config("resnet18:random", seed=seed, head="random"), ["a", "b"]) for seed in (1, 1, 2)
    )
    assert torch.equal(first.last.weight, second.last.weight)
    assert not torch.equal(first.last.weight, other.last.weight)
    assert torch.equal(first.backbone.network.conv1.weight, other.backbone.network.conv1.weight)


class WithNorm(nn.Sequential):
    """A backbone whose batch norm can't be folded: nothing convolves before it."""

    width = 3

    def __init__(self):
        super().__init__(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_a_batch_norm_that_stays_keeps_its_statistics():
    classifier = Classifier(WithNorm(), 2, 0.5, normalise=False)
    train_mode(classifier)
    norm = classifier.backbone[0]
    assert not norm.training
    assert classifier.dropout.training
    before = norm.running_mean.clone()
    classifier(torch.rand(4, 3, 8, 8))
    assert torch.equal(norm.running_mean, before)


def test_dropout_is_there_in_training_only():
    classifier = build(Config("resnet18:random", dropout=0.5), ["a", "b"])
    features = torch.rand(8, 512)
    classifier.train()
    assert not torch.equal(classifier.classify(features), classifier.classify(features))
    classifier.eval()
    assert torch.equal(classifier.classify(features), classifier.classify(features))


def test_only_a_head_from_the_svm_sees_features_of_length_one():
    features = torch.rand(3, 512)
    for head, same in (("svm", True), ("random", False)):
        classifier = build(Config("resnet18:random", head=head), ["a", "b"]).eval()
        assert torch.allclose(classifier.classify(features), classifier.classify(9 * features), atol=1e-5) == same


def test_the_best_classifier_repeats_the_predictions_of_its_run(trained):
    workspace, run = trained
    classifier = load_best(run)
    assert not classifier.training
    rows = run.predictions()
    images = np.stack([Preprocessing(64).square(workspace.path_of(path), FULL) for path in rows["path"]])
    chances = softmax(networks.forward(classifier, images), axis=1)
    assert [run.classes[i] for i in chances.argmax(1)] == rows["predicted"].tolist()
    np.testing.assert_allclose(chances.max(1), rows["probability"], atol=2e-3)
