"""How fast: features, a training epoch, sliders, and how time and memory grow with the photos."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cvtune_nb.classification import fit
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.last_layer_preview import LastLayer
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.models import backbones
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace
from tests.benchmarks import limits
from tests.benchmarks.common import alone, say, seconds

BACKBONES = ("efficientnet_lite0", "resnet18:random")
MOVES = 40
"""Moves of a slider, none to a place where it was before."""


def fresh(folder: Path, work: Path) -> Workspace:
    """The workspace of the photos, new, with nothing in its cache: opening it decodes every photo already."""
    workspace = open_workspace(folder, work / f"fresh-{time.time_ns()}")
    shutil.rmtree(workspace.cache, ignore_errors=True)
    return workspace


def measure_features(folder: Path, work: Path, size: int) -> None:
    """From photos to features: a first and a second run, the limit, the plain loop. The limit resizes as the networks
    were trained (bicubic) and computes with what PyTorch and ONNX Runtime offer; beside it is told how it would be with
    the cheaper bilinear, and with a network that is fused as ours."""
    for backbone in BACKBONES:
        workspace = fresh(folder, work)
        photos = workspace.photos()
        first = seconds(lambda: features(workspace, photos, FeatureSpec(backbone, Preprocessing(size))))  # noqa: B023 - called at once
        second = seconds(lambda: features(workspace, photos, FeatureSpec(backbone, Preprocessing(size))))  # noqa: B023
        decoding, cheaper = (
            limits.least_decoding(workspace, photos, size, resampling)
            for resampling in (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
        )
        forward, way, fused = limits.least_forward(backbone, size)
        limit = decoding + forward * len(photos)
        plain = plain_loop(workspace, backbone, size, "features")["features"]
        say(
            row="features",
            backbone=backbone,
            image_size=size,
            photos=len(photos),
            first_s=first,
            second_s=second,
            limit_s=limit,
            limit_decoding_s=decoding,
            limit_way=way,
            plain_s=plain,
            first_over_limit=first / limit,
            first_over_limit_bilinear=first / (limit - decoding + cheaper),
            first_over_limit_fused=first / (decoding + fused * len(photos)),
            plain_over_first=plain / first,
        )
        shutil.rmtree(workspace.folder)


def plain_loop(workspace: Workspace, backbone: str, size: int, what: str) -> dict[str, float]:
    """What plain.py says."""
    return json.loads(alone("plain", workspace=str(workspace.folder), backbone=backbone, image_size=size, what=what))


def measure_epoch(folder: Path, work: Path, size: int, peers: str) -> None:
    """One epoch: the training steps alone, and with the accuracies that each side measures after them (ours on train
    and validation, the others on validation)."""
    for backbone in BACKBONES:
        workspace = fresh(folder, work)
        photos = workspace.photos()
        figures = {
            "row": "epoch",
            "backbone": backbone,
            "image_size": size,
            "photos": int((photos["split"] == "train").sum()),
        }
        steps, epoch, measured = our_epoch(workspace, backbone, size)
        step, way = limits.least_step(backbone, size)
        forward, *_ = limits.least_forward(backbone, size)
        limit = step * figures["photos"]
        say(**figures, side="cvtune", steps_s=steps, epoch_s=epoch)
        say(
            **figures,
            side="limit",
            steps_s=limit,
            epoch_s=limit + forward * measured,
            way=way,
            ours_steps_over_it=steps / limit,
            ours_epoch_over_it=epoch / (limit + forward * measured),
        )
        for side, (its_steps, its_epoch) in others(workspace, folder, work, backbone, size, peers):
            say(
                **figures,
                side=side,
                steps_s=its_steps,
                epoch_s=its_epoch,
                its_steps_over_ours=its_steps / steps,
                its_epoch_over_ours=its_epoch / epoch,
            )
        shutil.rmtree(workspace.folder)


def our_epoch(workspace: Workspace, backbone: str, size: int) -> tuple[float, float, int]:
    """Seconds of the steps, seconds of the epoch with its accuracies, and on how many photos these were measured."""
    seen: dict[str, float] = {}
    head = "random" if backbone.endswith(backbones.RANDOM) else "svm"
    run = fit(
        workspace,
        Config(backbone, image_size=size, epochs=1, head=head),
        progress=lambda _, words: seen.setdefault(words, time.perf_counter()),
    )
    epoch = float(run.history["seconds"].iloc[-1])
    return seen["epoch 1 of 1: measuring"] - seen["epoch 1 of 1"], epoch, sum(run.counts)


def others(workspace: Workspace, folder: Path, work: Path, backbone: str, size: int, peers: str):
    """(side, (seconds of the steps, seconds of the epoch)) of the plain loop, timm's and fastai's."""
    plain = plain_loop(workspace, backbone, size, "epoch")
    yield "plain loop", (plain["steps"], plain["steps"] + plain["validate"])
    settings = {"photos": str(folder), "backbone": backbone, "image_size": size}
    found = json.loads(alone("peers_timm", **settings))
    yield "timm, the loop of its train.py", (found["train_seconds"], found["epoch_seconds"])
    if not peers:
        say(row="epoch", side="fastai", missing="give --peers, the folder that it is installed in")
        return
    out = work / "epoch-fastai"
    alone("peers_fastai", **settings, peers=peers, out=str(out), seed=0, fine_tune=0)
    row = pd.read_csv(out / "history.csv").iloc[-1]
    yield "fastai", (row["train_seconds"], row["epoch_seconds"])


def measure_slider(folder: Path, work: Path, size: int) -> None:
    """What a move of C, and of the learning rate, takes on features that are in the cache."""
    backbone = BACKBONES[0]
    workspace = open_workspace(folder, work / "slider")
    explorer = SvmExplorer(workspace, FeatureSpec(backbone, Preprocessing(size)))
    explorer.best_C()
    layer = LastLayer(workspace, FeatureSpec(backbone, Preprocessing(size)))
    places, rates = np.geomspace(0.011, 90, MOVES), np.geomspace(1e-5, 0.1, MOVES)
    configs = [Config(backbone, image_size=size, learning_rate=float(rate)) for rate in rates]
    moves = {
        "C of the SVM": [seconds(lambda C=C: explorer.fit(float(C), "linear")) for C in places],
        "learning rate, previewed": [seconds(lambda config=config: layer.preview(config)) for config in configs],
    }
    for what, times in moves.items():
        median, high = 1000 * np.median(times), 1000 * np.percentile(times, 95)
        say(row="slider", what=what, photos=len(explorer.photos), moves=MOVES, median_ms=median, percentile_95_ms=high)


def measure_scale(work: Path, most: int) -> None:
    """An eighth of `most` made photos, a quarter, half, all: seconds a photo and memory, each in a fresh process."""
    first = None
    for count in (most // 8, most // 4, most // 2, most):
        found = json.loads(alone("growth", count=count, folder=str(work / f"scale-{count}")))
        first = first or found
        say(row="scale", **found, memory_over_first=found["peak_mb"] / first["peak_mb"])
