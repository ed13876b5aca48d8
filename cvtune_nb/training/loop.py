"""The training loop, on one screen."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from cvtune_nb import memory
from cvtune_nb.baseline import SvmExplorer
from cvtune_nb.data.pixels import Pixels, pixels
from cvtune_nb.data.split import require_learnable
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import Progress, silent, write_csv
from cvtune_nb.networks import device, forward, half
from cvtune_nb.parameters import Config
from cvtune_nb.training import checkpoint
from cvtune_nb.training.augmentation import augmented
from cvtune_nb.training.cost import predict_cost
from cvtune_nb.training.model import Classifier, build
from cvtune_nb.training.optimizer import optimizer_for
from cvtune_nb.training.run import MEASURED_TRAIN_PHOTOS, UNFINISHED, Run, load_run, new_run
from cvtune_nb.workspace import Workspace, photos_id

WARM_UP = 20
"""Steps over which the learning rate rises from nothing, so that the start from the SVM is not lost (KNOWHOW)."""
SMOOTHING = 0.1
"""Label smoothing of the training loss (Szegedy and others 2016); reported losses are without it."""
OnEpoch = Callable[[Run], None]


@dataclass(frozen=True)
class Part:
    """Photos of one split as the network sees them, and the numbers of their classes."""

    squares: Pixels
    labels: torch.Tensor
    photos: pd.DataFrame

    def some(self, most: int, seed: int) -> "Part":
        """At most `most` of the photos, drawn by the seed."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.labels))[:most])
        return Part(self.squares.take(chosen), self.labels[chosen], self.photos.iloc[chosen])


@memory.kept()
def fit(
    workspace: Workspace, config: Config | None = None, run: str | None = None, on_epoch: OnEpoch | None = None,
    progress: Progress = silent,
) -> Run:  # fmt: skip
    """Train a new run with `config`, or go on with the unfinished run called `run` from its last whole epoch.

    on_epoch is called with the Run after every epoch; raising Stopped in `progress` ends training and keeps what
    whole epochs have learned (before there is a run to keep, it passes through). Whatever ends it, the best epoch so
    far is in best.safetensors. Out of memory, the minibatch and learning rate are halved together and the run goes
    on. Raises InputError.
    """
    photos = workspace.photos()
    require_learnable(photos)
    current = _resumed(workspace, run, photos) if run else _begun(workspace, config, photos, progress)
    if current.state not in UNFINISHED:
        return current
    while True:
        try:
            current = _train(workspace, current, photos, on_epoch or (lambda _: None), progress)
            break
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "memory" not in str(error):
                raise
            smaller = current.config.halved()
            change = f"out of memory: minibatch {smaller.batch_size}, learning rate {smaller.learning_rate:g} from here"
            current = replace(load_run(workspace, current.id), config=smaller, changes=[*current.changes, change])
            current.save()
    current.save()
    return current


def _begun(workspace: Workspace, config: Config, photos: pd.DataFrame, progress: Progress) -> Run:
    predicted = predict_cost(workspace, config, progress).seconds
    counts = (min(MEASURED_TRAIN_PHOTOS, int((photos["split"] == "train").sum())),
              int((photos["split"] == "validation").sum()))  # fmt: skip
    return new_run(workspace, config, photos, counts, predicted)


def _resumed(workspace: Workspace, name: str, photos: pd.DataFrame) -> Run:
    run = load_run(workspace, name)
    if run.state in UNFINISHED and run.photos != photos_id(photos):
        raise InputError(f"photos or labels have changed since run {run.id} began: start a new run instead of resuming")
    return run


def _train(workspace: Workspace, run: Run, photos: pd.DataFrame, on_epoch: OnEpoch, progress: Progress) -> Run:
    config, where = run.config, device()
    try:
        train, validation = (_part(workspace, run, photos, split, progress) for split in ("train", "validation"))
        measured = train.some(MEASURED_TRAIN_PHOTOS, config.seed)
        network = build(config, run.classes).to(where)
        optimizer = optimizer_for(network, config)
        if len(run.history):
            checkpoint.restore(run, network, optimizer)
        elif config.head == "svm":
            clock = time.perf_counter()
            logits = _start_from_svm(workspace, network, (measured, validation), config, progress)
            row = {"epoch": 0, "learning_rate": 0.0, **_scores(logits, measured, validation)}
            row["seconds"] = time.perf_counter() - clock
            run = _keep(run, network, optimizer, row, validation, logits[1], on_epoch)

        for epoch in range(1 + (int(run.history["epoch"].max()) if len(run.history) else 0), config.epochs + 1):
            clock = time.perf_counter()
            torch.manual_seed(config.seed * 1_000 + epoch)  # drawn anew every epoch: a resumed run repeats it exactly
            network.train()
            batches = torch.randperm(len(train.labels)).split(config.batch_size)
            for step, batch in enumerate(batches):
                progress((epoch - 1 + 0.8 * step / len(batches)) / config.epochs, f"epoch {epoch} of {config.epochs}")
                warm = min(1.0, ((epoch - 1) * len(batches) + step + 1) / WARM_UP)
                for group in optimizer.param_groups:
                    group["lr"] = warm * config.rate(epoch - 1 + step / len(batches))
                images = augmented(torch.from_numpy(train.squares[batch.tolist()]).to(where), config)
                with half(where):
                    logits = network(images)
                loss = cross_entropy(logits.float(), train.labels[batch].to(where), label_smoothing=SMOOTHING)
                if not math.isfinite(loss.item()):
                    return replace(run, state="diverged")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            share, words = (epoch - 0.1) / config.epochs, f"epoch {epoch} of {config.epochs}: measuring"
            logits = [_logits(network, part, partial(progress, share, words)) for part in (measured, validation)]
            row = {"epoch": epoch, "learning_rate": config.rates[epoch - 1], **_scores(logits, measured, validation)}
            row["seconds"] = time.perf_counter() - clock
            if not all(math.isfinite(value) for value in row.values()):  # the epoch's last step ran away
                return replace(run, state="diverged")
            run = _keep(run, network, optimizer, row, validation, logits[1], on_epoch)
    except Stopped:
        return replace(run, state="stopped")
    return replace(run, state="done")


def _part(workspace: Workspace, run: Run, photos: pd.DataFrame, split: str, progress: Progress) -> Part:
    rows = photos[photos["split"] == split].reset_index(drop=True)
    numbers = {label: number for number, label in enumerate(run.classes)}
    labels = torch.tensor([numbers[label] for label in rows["label"]])
    return Part(pixels(workspace, rows, run.config.image_size, progress), labels, rows)


def _logits(network: Classifier, part: Part, each_batch: Callable[[], None]) -> torch.Tensor:
    """The network's output for a part, in eval mode and without augmentation."""
    network.eval()
    outputs = []
    for batch in torch.arange(len(part.labels)).split(32):
        each_batch()
        outputs.append(torch.from_numpy(forward(network, part.squares.centre(batch.tolist()))))
    return torch.cat(outputs)


def _start_from_svm(
    workspace: Workspace, network: Classifier, parts: tuple[Part, ...], config: Config, progress: Progress
) -> list[torch.Tensor]:
    """Make the baseline's SVM the last layer; the logits of the parts follow from the features it was fitted on."""
    explorer = SvmExplorer(workspace, config.backbone, config.image_size, progress)
    network.start_from(explorer.svm(explorer.best_C()))
    network.eval()
    rows = pd.Series(range(len(explorer.photos)), index=explorer.photos["path"])
    logits = []
    for part in parts:
        matrix = torch.from_numpy(explorer.features.matrix[rows[part.photos["path"]].to_numpy()])
        with torch.inference_mode():
            logits.append(network.classify(matrix.to(network.last.weight.device)).cpu())
    return logits


def _scores(logits: list[torch.Tensor], *parts: Part) -> dict[str, float]:
    scores = {}
    for name, output, part in zip(("train", "validation"), logits, parts, strict=True):
        scores[f"{name}_accuracy"] = float((output.argmax(1) == part.labels).double().mean())
        scores[f"{name}_loss"] = float(cross_entropy(output, part.labels))
    return scores


def _keep(
    run: Run, network: Classifier, optimizer: torch.optim.Optimizer, row: dict[str, float], validation: Part,
    logits: torch.Tensor, on_epoch: OnEpoch,
) -> Run:  # fmt: skip
    rows = [*run.history.to_dict("records"), row]
    run = replace(run, history=pd.DataFrame(rows, columns=run.history.columns).astype({"epoch": int}))
    if run.best_epoch == row["epoch"]:
        chances, numbers = logits.softmax(1).max(1)
        predicted = validation.photos[["path", "label"]].assign(
            predicted=[run.classes[number] for number in numbers], probability=chances.numpy()
        )
        write_csv(run.folder / "predictions.csv", predicted)
    checkpoint.save(run, network, optimizer)  # last, as it is what counts: killed before, the epoch is done again
    run.save()
    on_epoch(run)
    return run
