"""Backbone + last layer: the network that is fine-tuned and exported."""

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.classification.features import shown_in
from cvtune_nb.classification.run import Run
from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import networks
from cvtune_nb.models.depthwise import with_fast_depthwise
from cvtune_nb.parameters import Config


class Classifier(nn.Module):
    """A backbone and one linear layer. With normalise, the last layer sees features of length 1, as the SVM did."""

    def __init__(self, backbone: networks.Backbone, classes: int, dropout: float, normalise: bool):
        super().__init__()
        self.backbone, self.normalise = backbone, normalise
        self.dropout, self.last = nn.Dropout(dropout), nn.Linear(backbone.width, classes)

    def forward(
        self, images: torch.Tensor, with_features: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes) of uint8 photos (n, height, width, 3); with_features: and the features, (n, width)."""
        features = self.backbone(images)
        logits = self.classify(features)
        return (logits, features) if with_features else logits

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


def load_best(run: Run) -> Classifier:
    """The classifier as it was after the run's best epoch, in eval mode on the processor.

    Raises InputError before the run has one.
    """
    weights = load_file(run.best_weights())
    network = build(run.config, run.classes, pretrained=False)
    network.load_state_dict(weights)
    return network.eval()
