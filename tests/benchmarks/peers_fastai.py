"""fastai as its documentation writes it, in a process of its own, on the photos and the ImageNet weights that cvtune
has. Settings (common.told): peers, photos (split/class/photo), out, backbone, image_size, seed, and fine_tune: that
many epochs of fine_tune at its default rate; 0: one epoch of the whole network.

Writes history.csv (epoch,validation_accuracy,train_seconds,epoch_seconds,seconds; the last from the photos on disk,
without imports) and predictions.csv (path,label,predicted of validation and test) into `out`.
"""

import sys
import time
from pathlib import Path

from tests.benchmarks.common import BATCH, told

settings = told()
sys.path.append(settings["peers"])

import pandas as pd  # noqa: E402
import torch  # noqa: E402
from fastai.callback.core import Callback  # noqa: E402
from fastai.vision.all import (  # noqa: E402
    ImageDataLoaders,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    get_image_files,
    set_seed,
    vision_learner,
)

from cvtune_nb.models import backbones  # noqa: E402
from cvtune_nb.models.sources.package import Package  # noqa: E402


class Clock(Callback):
    """What was reached, and when."""

    order = 100  # after the Recorder

    def __init__(self, start: float):
        self.start, self.rows = start, []

    def before_epoch(self) -> None:
        """Note the time."""
        self.begun = time.perf_counter()

    def after_train(self) -> None:
        """Note the time."""
        self.trained = time.perf_counter()

    def after_epoch(self) -> None:
        """Note what was reached."""
        now = time.perf_counter()
        reached = float(self.learn.recorder.log[3])  # after epoch and the two losses
        self.rows.append((len(self.rows) + 1, reached, self.trained - self.begun, now - self.begun, now - self.start))


def main() -> None:
    """Train, and write what was found."""
    photos, out, size = Path(settings["photos"]), Path(settings["out"]), settings["image_size"]
    random, start = settings["backbone"].endswith(backbones.RANDOM), time.perf_counter()
    set_seed(settings["seed"], reproducible=True)
    # photos are first made only a little larger than image_size: documentation takes 460, which is slower
    loaders = ImageDataLoaders.from_folder(
        photos,
        train="train",
        valid="validation",
        seed=settings["seed"],
        bs=BATCH,
        item_tfms=Resize(round(size * 256 / 224)),
        batch_tfms=[*aug_transforms(size=size), Normalize.from_stats([0.5] * 3, [0.5] * 3)],
    )
    name = settings["backbone"].removesuffix(backbones.RANDOM)
    timm_name = f"tf_{name}" if "lite" in name else name
    learner = vision_learner(loaders, timm_name, pretrained=False, normalize=False, metrics=accuracy)
    if not random:
        body = learner.model[0].model
        shipped = torch.load(Package().file(name), map_location="cpu", weights_only=True)
        # in the same order, the last layer at the end (networks._lite)
        body.load_state_dict(dict(zip(body.state_dict(), shipped.values(), strict=False)))
    clock = Clock(start)
    with learner.no_bar(), learner.no_logging():
        if settings["fine_tune"]:
            learner.fine_tune(settings["fine_tune"], cbs=clock)
        else:
            learner.unfreeze()
            learner.fit_one_cycle(1, cbs=clock)
        tables = []
        for split in ("validation", "test"):
            files = sorted(get_image_files(photos / split))
            chances, _ = learner.get_preds(dl=loaders.test_dl(files))
            tables.append(
                pd.DataFrame(
                    {
                        "path": [file.relative_to(photos).as_posix() for file in files],
                        "label": [file.parent.name for file in files],
                        "predicted": [loaders.vocab[number] for number in chances.argmax(1)],
                    }
                )
            )
    columns = ["epoch", "validation_accuracy", "train_seconds", "epoch_seconds", "seconds"]
    out.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(clock.rows, columns=columns).to_csv(out / "history.csv", index=False)
    pd.concat(tables).to_csv(out / "predictions.csv", index=False)  # last: that it is there says that all is


if __name__ == "__main__":
    main()
