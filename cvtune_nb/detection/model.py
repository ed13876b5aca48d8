"""Faster R-CNN: a backbone, its feature pyramid, region proposals, and what is in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from cvtune_nb.detection.anchors import Anchors
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.roi_align import Pooling
from cvtune_nb.detection.run import DetectorRun
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import downloads, networks
from cvtune_nb.models.depthwise import with_fast_depthwise
from cvtune_nb.models.downloads import Download
from cvtune_nb.models.families import IMAGENET
from cvtune_nb.models.sources import torch_hub
from cvtune_nb.models.sources.source import DAMAGED

LITE = "efficientnet_lite0_fpn"
OF_TORCHVISION = {
    "resnet50_fpn": "fasterrcnn_resnet50_fpn",
    "resnet50_fpn_v2": "fasterrcnn_resnet50_fpn_v2",
    "mobilenet_v3_large_fpn": "fasterrcnn_mobilenet_v3_large_fpn",
}
"""Detectors whose weights were trained on COCO, and their names there; ours start from ImageNet."""
CHANNELS, HIDDEN = 128, 512
"""Channels of the feature maps, and width of the box head, of our own detectors: half of what ResNet-50 has,
for a backbone with a tenth of its work. Time a step goes down with their square."""
REDUCTIONS = (4, 8, 16, 32)
"""Pixels a cell of the backbone's maps that are used; a fifth of 64 is pooled from the last."""
MAPS = ["0", "1", "2", "3"]
"""Names of the maps that proposals are pooled from, finest first, as torchvision has them."""
LEAST_SCORE = 0.01
"""Detections below it are not kept: low, because average precision counts them all. What is shown has a threshold."""


class Pyramid(nn.Module):
    """A backbone of timm's EfficientNet kind with its feature pyramid.

    Maps images (n, 3, height, width) to five maps of CHANNELS channels.
    """

    network: Any
    """timm's networks declare their parts at run time."""

    def __init__(self, network: Any):
        super().__init__()
        stages = {info["reduction"]: info for info in network.feature_info if info["reduction"] in REDUCTIONS}
        self.network, self.taps = network, [int(stages[size]["module"].split(".")[1]) for size in REDUCTIONS]
        channels = [stages[size]["num_chs"] for size in REDUCTIONS]
        self.fpn = FeaturePyramidNetwork(channels, CHANNELS, extra_blocks=LastLevelMaxPool())
        self.out_channels = CHANNELS
        for unused in ("conv_head", "bn2", "global_pool", "classifier"):
            setattr(network, unused, nn.Identity())

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """The maps by name, finest first."""
        maps, rest = {}, self.network.bn1(self.network.conv_stem(images))
        for number, block in enumerate(self.network.blocks):
            rest = block(rest)
            if number in self.taps:
                maps[str(self.taps.index(number))] = rest
        return self.fpn(maps)


class Predictor(FastRCNNPredictor):
    """The class of a proposal and the offsets of its box: in float32 always, for 8 bits place a box to 1% at best."""

    def forward(self, proposals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (n, classes) and offsets of boxes (n, 4 * classes) of proposals (n, HIDDEN)."""
        with torch.autocast(proposals.device.type, enabled=False):
            return super().forward(proposals.float())


class AsItIs(GeneralizedRCNNTransform):
    """Photos come scaled (detection.pixels), so nothing is left to scale."""

    def resize(self, image: torch.Tensor, target: dict | None) -> tuple[torch.Tensor, dict | None]:
        """Both as they are."""
        return image, target


def why(name: str) -> str:
    """In words, which weights a detector starts from."""
    if name not in OF_TORCHVISION:
        return f"{name} starts from ImageNet weights, which are installed with cvtune"
    return f"{name} starts from weights trained on COCO's 118,000 photos with boxes"


def default() -> tuple[str, str]:
    """The detector to start with, and why, in words.

    ResNet-50 where its weights are available and there is a GPU, MobileNet where they are available, else
    EfficientNet-Lite0.
    """
    gpu = networks.device().type != "cpu"
    wished = "resnet50_fpn" if gpu else "mobilenet_v3_large_fpn"
    if within_reach(wished):
        return wished, why(wished)
    return LITE, (
        f"{LITE}, because the COCO weights of {wished} are not on disk and can't be fetched; the ImageNet weights of "
        "EfficientNet-Lite0 are installed with cvtune"
    )


def coco_weights(name: str) -> WeightsEnum:
    """The weights of a detector of torchvision's that were trained on COCO."""
    return torchvision.models.get_model_weights(OF_TORCHVISION[name]).COCO_V1


def within_reach(name: str) -> bool:
    """Whether the weights of a detector are on disk or could be fetched now (asked for 3 seconds)."""
    if name not in OF_TORCHVISION:
        return True
    return torch_hub.file_of(coco_weights(name).url).exists() or downloads.answers(coco_weights(name).url)


def download(name: str) -> Download | None:
    """What fetching the weights of a detector is expected to take; None where they are on disk.

    Raises InputError where they can't be fetched now.
    """
    if name not in OF_TORCHVISION or torch_hub.file_of(coco_weights(name).url).exists():
        return None
    if not within_reach(name):
        raise _out_of_reach(name, "no answer from the network")
    # which torchvision states in units of 2^20 bytes
    return downloads.expected(coco_weights(name).meta["_file_size"] * 1.048576)


def build(
    config: DetectorConfig,
    classes: int,
    anchors: Anchors,
    max_detections: int = 100,
    pretrained: bool = True,
    progress: Progress = silent,
) -> FasterRCNN:
    """An untrained detector, whose images are float (3, height, width) in 0..1. The same seed gives the same layers.

    Parameters
    ----------
    config
        Its parameters.
    classes
        How many; their ids begin at 1, 0 is the background.
    anchors
        Where its search begins.
    max_detections
        Detections a photo.
    pretrained
        False: its weights are about to be replaced.
    progress
        Called while weights are downloaded.

    Raises
    ------
    InputError
        The weights are neither on disk nor in reach.
    """
    torch.manual_seed(config.seed)
    limits = {
        "min_size": config.image_size,
        "max_size": config.image_size,
        "box_score_thresh": LEAST_SCORE,
        "box_detections_per_img": max_detections,
        "rpn_post_nms_top_n_train": 2 * config.proposals,
        "rpn_pre_nms_top_n_train": 4 * config.proposals,
        "rpn_post_nms_top_n_test": config.proposals,
        "rpn_pre_nms_top_n_test": 4 * config.proposals,
        "box_batch_size_per_image": min(512, 2 * config.proposals),
    }
    if config.detector in OF_TORCHVISION:
        detector = _torchvision(config.detector, pretrained, limits, progress)
        detector.roi_heads.box_predictor = Predictor(
            detector.roi_heads.box_predictor.cls_score.in_features, classes + 1
        )
        detector.roi_heads.box_roi_pool = Pooling(MAPS, 7, 2)
        detector.rpn.anchor_generator = _generator(config.detector, anchors)
        mean, std = IMAGENET
    else:
        backbone = with_fast_depthwise(
            networks.load(config.detector.removesuffix("_fpn"), pretrained, progress=progress)
        )
        pyramid = Pyramid(backbone.network)
        detector = FasterRCNN(
            pyramid,
            rpn_anchor_generator=_generator(config.detector, anchors),
            box_roi_pool=Pooling(MAPS, 7, 2),
            box_head=TwoMLPHead(CHANNELS * 7 * 7, HIDDEN),
            box_predictor=Predictor(HIDDEN, classes + 1),
            **limits,
        )
        mean, std = backbone.colours
    detector.rpn.head.register_forward_hook(_in_float)
    detector.transform = AsItIs(config.image_size, config.image_size, list(mean), list(std), size_divisible=32)
    return detector.to(memory_format=torch.channels_last)


def load_best(run: DetectorRun) -> FasterRCNN:
    """The detector as it was after the run's best epoch, in eval mode on the processor.

    Raises InputError before the run has one.
    """
    state = load_file(run.best_weights())
    network = build(run.config, len(run.classes), run.anchors, run.max_detections, pretrained=False)
    network.load_state_dict(state)
    return network.eval()


def _in_float(_: nn.Module, __: tuple, answer: tuple[list[torch.Tensor], ...]) -> tuple[list[torch.Tensor], ...]:
    """The head's answer in float32, from which boxes are computed with full precision.

    With bfloat16's 8 bits, boxes come to lie up to 2 pixels off, or to have no width at all, from which there is no
    loss.
    """
    return tuple([each.float() for each in maps] for maps in answer)


def images_of(pictures: Sequence[np.ndarray | torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """uint8 photos (height, width, 3) as float (3, height, width) in 0..1."""
    tensors = (each if isinstance(each, torch.Tensor) else torch.from_numpy(np.array(each)) for each in pictures)
    return [each.to(device).permute(2, 0, 1).float() / 255 for each in tensors]


def _generator(name: str, anchors: Anchors) -> AnchorGenerator:
    if name.startswith("mobilenet"):  # its three maps share all sizes (torchvision)
        return AnchorGenerator((anchors.sizes,) * 3, (anchors.ratios,) * 3)
    return AnchorGenerator(tuple((size,) for size in anchors.sizes), (anchors.ratios,) * len(anchors.sizes))


def _torchvision(name: str, pretrained: bool, limits: dict, progress: Progress) -> FasterRCNN:
    make = getattr(torchvision.models.detection, OF_TORCHVISION[name])
    if not pretrained:
        return make(weights=None, weights_backbone=None, **limits)
    coco = coco_weights(name)
    try:
        file = torch_hub.fetch(coco.url, name, progress)
        detector = make(weights=None, weights_backbone=None, **limits)
        detector.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except InputError:
        raise
    except DAMAGED as error:
        raise _out_of_reach(name, str(error)) from None
    return detector


def _out_of_reach(name: str, why: str) -> InputError:
    file = torch_hub.file_of(coco_weights(name).url)
    return InputError(
        f"the COCO weights of {name} are not on disk and can't be fetched, or are damaged "
        f"({(why.splitlines() or ['no reason given'])[0][:100]}): put {file.name} into {file.parent}, connect to the "
        f"network once, or choose {LITE}, whose weights are installed"
    )
