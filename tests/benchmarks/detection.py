"""A detector beside a plain torchvision script with the same backbone, given the same time.

    python -m tests.benchmarks.detection --data BOXES --work FOLDER [--seeds 2] [--epochs 12] [--image-size 0]
                                         [--plain-side 500]

The script is what torchvision's tutorial and Microsoft's computervision-recipes do: Faster R-CNN with a feature pyramid
of 256 channels and the usual anchors, SGD at .005 (rising over the first epoch, as in the tutorial) with momentum .9,
weight decay .0005, minibatches of 2, the rate cut by 10 after two thirds, mirrored photos, in float32. --plain-side:
pixels of the photos' shorter side there. It gets as many epochs as fit into the time that ours took. Both
learn from the same training photos and are measured on the same test photos, ours in its best epoch on validation, the
script in its last. Every figure is one JSON line.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from cvtune_nb import detection
from cvtune_nb.detection.average_precision import DETECTION_COLUMNS, scores
from cvtune_nb.detection.dataset import Dataset, Part
from cvtune_nb.detection.evaluation import Verdict
from cvtune_nb.models.sources.package import Package
from tests.benchmarks.common import say

SHORT, LONGER = 500, 5 / 3
"""Pixels of the shorter side, and the most that the longer one has beside it, as computervision-recipes has them."""


class Plain(nn.Module):
    """timm's EfficientNet-Lite0 with its ImageNet weights and batch norms, and torchvision's pyramid on top."""

    def __init__(self) -> None:
        super().__init__()
        self.body = timm.create_model("tf_efficientnet_lite0")
        shipped = torch.load(Package().file("efficientnet_lite0"), weights_only=True)
        self.body.load_state_dict(dict(zip(self.body.state_dict(), shipped.values(), strict=True)))
        self.fpn = FeaturePyramidNetwork([24, 40, 112, 320], 256, extra_blocks=LastLevelMaxPool())
        self.out_channels = 256

    def train(self, mode: bool = True) -> "Plain":
        """As in PyTorch, with batch norms that stay frozen, as torchvision has them in its detectors."""
        super().train(mode)
        for norm in self.body.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eval()
        return self

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """The five maps."""
        found, rest = {}, self.body.bn1(self.body.conv_stem(images))
        for number, block in enumerate(self.body.blocks):
            rest = block(rest)
            if number in (1, 2, 4, 6):
                found[str(len(found))] = rest
        return self.fpn(found)


def plain_detector(classes: int, seed: int, side: int) -> FasterRCNN:
    """As a script builds it."""
    torch.manual_seed(seed)
    anchors = AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)
    pool = MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=7, sampling_ratio=2)
    return FasterRCNN(
        Plain(),
        classes + 1,
        rpn_anchor_generator=anchors,
        box_roi_pool=pool,
        min_size=side,
        max_size=round(LONGER * side),
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def photo_and_boxes(dataset: Dataset, part: Part, number: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """One photo as float (3, height, width), and its boxes in pixels."""
    row = part.photos.iloc[number]
    with Image.open(dataset.workspace.path_of(row["path"])) as image:
        photo = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
    boxes = part.boxes[part.boxes["path"] == row["path"]]
    sides = torch.tensor(boxes[["left", "top", "width", "height"]].to_numpy(np.float32)).reshape(-1, 4)
    sides[:, 2:] += sides[:, :2]
    sides *= torch.tensor([row["width"], row["height"]] * 2)
    labels = torch.tensor([dataset.labels.index(label) + 1 for label in boxes["label"]], dtype=torch.int64)
    return photo, {"boxes": sides, "labels": labels}


def train_plainly(dataset: Dataset, seed: int, seconds: float, side: int) -> tuple[FasterRCNN, int, float]:
    """The script's detector, its epochs and the seconds they took: as many as fit into `seconds`, one at least."""
    part = dataset.part("train")
    network = plain_detector(len(dataset.labels), seed, side).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.005, 0.9, weight_decay=0.0005)
    begun, epoch, epochs = time.perf_counter(), 0, 1
    while epoch < epochs:
        rate = 0.005 if epoch < 2 * epochs / 3 or epochs == 1 else 0.0005
        batches = torch.randperm(len(part.photos)).split(2)
        for place, numbers in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate * ((place + 1) / len(batches) if epoch == 0 else 1)
            images, targets = zip(*(photo_and_boxes(dataset, part, int(n)) for n in numbers), strict=True)
            images, targets = list(images), list(targets)
            for number in range(len(images)):
                if torch.rand(1) < 0.5:
                    images[number] = images[number].flip(2)
                    width, boxes = images[number].shape[2], targets[number]["boxes"]
                    targets[number]["boxes"] = torch.stack(
                        [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1
                    )
            loss = sum(network(images, targets).values())
            if not torch.isfinite(loss):
                raise RuntimeError(f"the script's loss was lost in epoch {epoch + 1}, minibatch {place + 1}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        epoch += 1
        if epoch == 1:
            epochs = max(1, int(seconds / (time.perf_counter() - begun)))
    return network.eval(), epoch, time.perf_counter() - begun


def found_plainly(dataset: Dataset, network: FasterRCNN, part: Part) -> pd.DataFrame:
    """DETECTION_COLUMNS of what it finds."""
    rows = []
    for number, row in enumerate(part.photos.itertuples()):
        with torch.inference_mode():
            answer = network([photo_and_boxes(dataset, part, number)[0]])[0]
        boxes = answer["boxes"].numpy() / np.array([row.width, row.height] * 2)
        boxes[:, 2:] -= boxes[:, :2]
        rows += [
            (row.path, dataset.labels[label - 1], *box, score)
            for box, label, score in zip(
                boxes.tolist(), answer["labels"].tolist(), answer["scores"].tolist(), strict=True
            )
        ]
    return pd.DataFrame(rows, columns=DETECTION_COLUMNS)


def ours(dataset: Dataset, seed: int, epochs: int, image_size: int) -> tuple[Verdict, float]:
    """The verdict on the test photos of our run, and the seconds of its training."""
    train = dataset.part("train")
    size = image_size or detection.suggested_size(train.boxes, train.photos)[0]
    config = detection.DetectorConfig("efficientnet_lite0_fpn", image_size=size, epochs=epochs, seed=seed)
    known = detection.earlier_run(dataset, config)
    run = detection.fit(dataset, config, run=known and known.id)
    say(
        row="history",
        seed=seed,
        image_size=size,
        predicted_s=run.predicted_seconds,
        real_s=run.seconds,
        ap=run.history["validation_ap"].round(3).tolist(),
    )
    return detection.verdict_on_test(dataset, detection.verdict(dataset, run)), run.seconds


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--image-size", type=int, default=0)
    parser.add_argument("--plain-side", type=int, default=SHORT)
    parser.add_argument("--only", choices=("ours", "both"), default="both")
    arguments = parser.parse_args()
    os.environ["CVTUNE_HOME"] = str(arguments.work / "home")
    dataset = detection.open_dataset(arguments.data, arguments.work / "workspace")
    say(row="data", photos=len(dataset.photos), splits=dataset.photos["split"].value_counts().to_dict(), split_seed=0)
    for seed in range(arguments.seeds):
        verdict, seconds = ours(dataset, seed, arguments.epochs, arguments.image_size)
        say(row="detector", side="cvtune", seed=seed, seconds=seconds, **verdict.to_dict())
        if arguments.only == "ours":
            continue
        part, kept = dataset.part("test"), arguments.work / f"plain-{seed}.safetensors"
        network, epochs, took = train_plainly(dataset, seed, seconds, arguments.plain_side)
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, kept)
        network.load_state_dict(load_file(kept))
        found = replace(verdict, detections=found_plainly(dataset, network, part))
        measured = scores(part, found.detections, dataset.labels)
        say(
            row="detector",
            side="plain torchvision",
            seed=seed,
            pixels=arguments.plain_side,
            seconds=took,
            epochs=epochs,
            **measured.to_dict(),
        )


if __name__ == "__main__":
    main()
