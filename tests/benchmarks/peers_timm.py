"""One epoch of timm's training, in a process of its own: its train.py is not in the package, so this is the loop of
that script with its default settings, made from timm's own loaders, optimizer, schedule and loss; minibatches as on all
sides, and a worker a core. Settings (common.told): photos, backbone, image_size. Prints seconds of the training steps
and of the validation.
"""

import json
import os
import time

import timm
import torch
from timm import utils
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch import nn

from cvtune_nb.models import backbones
from tests.benchmarks.common import BATCH, told


def main() -> None:
    """Train, validate, print."""
    settings, device = told(), torch.device("cpu")
    utils.random_seed(42, 0)
    name = settings["backbone"].removesuffix(backbones.RANDOM)
    parts = {split: create_dataset("", root=settings["photos"], split=split) for split in ("train", "validation")}
    classes = len(parts["train"].reader.class_to_idx)
    model = timm.create_model(f"tf_{name}" if "lite" in name else name, num_classes=classes)
    size = (3, settings["image_size"], settings["image_size"])
    data = resolve_data_config({"input_size": size}, model=model)
    loaders = [
        create_loader(
            part,
            input_size=data["input_size"],
            batch_size=BATCH,
            is_training=split == "train",
            mean=data["mean"],
            std=data["std"],
            interpolation="random" if split == "train" else data["interpolation"],
            crop_pct=data["crop_pct"],
            num_workers=os.cpu_count(),
            device=device,
        )
        for split, part in parts.items()
    ]
    optimizer = create_optimizer_v2(model, "sgd", lr=0.05, weight_decay=2e-5, momentum=0.9)
    scheduler, _ = create_scheduler_v2(optimizer, num_epochs=1, updates_per_epoch=len(loaders[0]))
    loss_of, validation_loss, losses = LabelSmoothingCrossEntropy(0.1), nn.CrossEntropyLoss(), utils.AverageMeter()

    start = time.perf_counter()
    model.train()
    for number, (images, labels) in enumerate(loaders[0]):
        loss = loss_of(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), len(images))
        scheduler.step_update(number, metric=losses.avg)
    trained = time.perf_counter()
    model.eval()
    with torch.inference_mode():
        for images, labels in loaders[1]:
            output = model(images)
            validation_loss(output, labels).item()
            utils.accuracy(output, labels, topk=(1, min(5, classes)))
    print(json.dumps({"train_seconds": trained - start, "epoch_seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
