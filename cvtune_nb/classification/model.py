"""Backbone + last layer: the network that is fine-tuned and exported."""

from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.classification.features import shown_in
from cvtune_nb.classification.run import Run
from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import networks, sizes
from cvtune_nb.models.depthwise import with_fast_depthwise
from cvtune_nb.parameters import PARAMETERS, Config


class Classifier(nn.Module):
    """A backbone and one linear layer. With normalise, the last layer sees features of length 1, as the SVM did.

    projection: what a loss beside the cross-entropy sees the features through in training (PARAMETERS); None: nothing.
    """

    projection: nn.Module | None

    def __init__(self, backbone: networks.Backbone, classes: int, dropout: float, normalise: bool):
        super().__init__()
        self.backbone, self.normalise = backbone, normalise
        self.dropout, self.last = nn.Dropout(dropout), nn.Linear(backbone.width, classes)
        self.projection = None

    def forward(
        self, images: torch.Tensor, with_features: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes) of uint8 photos (n, height, width, 3).

        with_features: and the features (n, width), in training through the projection, where there is one.
        """
        features = self.backbone(images)
        logits = self.classify(features)
        if not with_features:
            return logits
        return logits, self.projection(features) if self.projection else features

    def seen(self, images: torch.Tensor, pooling: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes), and the features (n, wider) of another pooling that begin with the network's own."""
        features = self.backbone(images, pooling)
        return self.classify(features[:, : self.backbone.width]), features

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of features (n, width): the last layer alone."""
        if self.normalise:
            features = nn.functional.normalize(features)
        return self.last(self.dropout(features))

    def start_from(self, svm: Svm) -> None:
        """Take over a linear SVM: the same photos get the same labels as from the baseline."""
        weight, bias = svm.weights()
        with torch.no_grad():
            self.last.weight.copy_(torch.from_numpy(np.asarray(weight * SVM_SCALE, np.float32)))
            self.last.bias.copy_(torch.from_numpy(np.asarray(bias * SVM_SCALE, np.float32)))


def add_projection(network: Classifier, config: Config) -> None:
    """Give a network that is to be trained the projection head that its config wants.

    Two layers, as of Khosla and others 2020, "Supervised contrastive learning".
    """
    if config.projection and config.counted_loss != PARAMETERS["loss"].default:
        width, features = network.backbone.width, config.projection
        network.projection = nn.Sequential(nn.Linear(width, features), nn.ReLU(), nn.Linear(features, features))


def build(config: Config, classes: list[str], pretrained: bool = True, progress: Progress = silent) -> Classifier:
    """The untrained classifier of a config; same seed, same last layer.

    Parameters
    ----------
    config
        The backbone, its weights, image size, drop path and pooling, the seed and dropout.
    classes
        Their names.
    pretrained
        Whether the backbone gets its weights, those of ImageNet or of a file; False: they are about to be replaced.
    progress
        Called while weights are downloaded.

    Raises
    ------
    InputError
        As networks.load.
    """
    backbone = networks.load(
        config.backbone,
        pretrained,
        shown_in(config).size,
        config.weights,
        config.drop_path,
        config.pooling,
        progress,
    )
    backbone = with_fast_depthwise(backbone)
    torch.manual_seed(config.seed)
    return Classifier(backbone, len(classes), config.dropout, normalise=config.head == "svm")


def in_epoch(config: Config, epoch: int) -> Config:
    """The parameters by which an epoch trains: with a smaller image size, where photos are resized progressively.

    Raises InputError for a network that takes no other size.
    """
    if epoch > config.small_epochs:
        return config
    return replace(config, image_size=sizes.smaller(config.backbone, config.image_size))


def load_best(run: Run) -> Classifier:
    """The classifier as it was after the run's best epoch, in eval mode on the processor.

    Raises InputError before the run has one.
    """
    network = build(run.config, run.classes, pretrained=False)
    network.load_state_dict(best_tensors(run))
    return network.eval()


def best_tensors(run: Run) -> dict[str, torch.Tensor]:
    """The weights after the run's best epoch, without a projection head, which only training needs.

    Raises InputError before the run has one.
    """
    tensors = load_file(run.best_weights())
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("projection.")}
