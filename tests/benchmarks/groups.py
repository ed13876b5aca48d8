"""Frames of one scene on both sides of the split: how much they flatter, whether the audit says so, and what is true.

    python -m tests.benchmarks.groups --work FOLDER [--data PHOTOS ...] [--silent PHOTOS ...] [--seeds 3]

Of a folder of photos in class folders 150 are each made 8 frames, as of a video: cropped, turned, lit, blurred, noisy
and compressed anew each time, called scene-000_0.jpg, scene-000_1.jpg and so on. The other photos, a frame of each, are
the truth: scenes that no model has seen. In the folders given with --silent nothing was filmed: the audit should say
so. Intervals and paired tests of groups are simulated. Every figure is printed as one JSON line.
"""

import argparse
import io
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter

from cvtune_nb import metrics
from cvtune_nb.audit import audit
from cvtune_nb.audit.context import Context
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.cross_validation import FOLDS, cross_validate
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.data.split import SPLITS, assign_splits
from cvtune_nb.objectives import objective_of
from cvtune_nb.workspace import Workspace
from tests.benchmarks.common import say

SCENES, FRAMES, SIDE = 150, 8, 160
DRAWS = 10
SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(96))


def frame(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    """The photo as a hand-held camera sees it a moment later."""
    photo = photo.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor=tuple(random.integers(0, 256, 3)))
    width, height = photo.size
    zoom = random.uniform(0.6, 0.85)
    left, top = random.uniform(0.0, 1 - zoom) * width, random.uniform(0.0, 1 - zoom) * height
    photo = photo.resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + zoom * width, top + zoom * height)
    )
    for enhance, spread in ((ImageEnhance.Brightness, 0.25), (ImageEnhance.Contrast, 0.2), (ImageEnhance.Color, 0.2)):
        photo = enhance(photo).enhance(random.uniform(1 - spread, 1 + spread))
    photo = photo.filter(ImageFilter.GaussianBlur(random.uniform(0.0, 0.8)))
    noisy = np.asarray(photo, float) + random.normal(0, random.uniform(2, 8), (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def film(data: Path, folder: Path, seed: int) -> tuple[Path, Path]:
    """(frames, truth): SCENES photos of `data` with FRAMES frames each, and one frame of each other photo."""
    random = np.random.default_rng(seed)
    context = Context(open_workspace(data, folder / "photos"), SPEC)
    different = context.photos[~pd.Series(context.duplicates.groups).duplicated()]  # one of each photo's copies
    paths, labels = [context.workspace.path_of(path) for path in different["path"]], different["label"].to_numpy(str)
    place = np.empty(len(paths))
    for label in set(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        place[rows] = (np.arange(len(rows)) + random.random()) / len(rows)
    order = np.argsort(place, kind="stable")  # as many scenes of each class as it has of the photos
    frames, truth = folder / "frames", folder / "truth"
    for number, row in enumerate(order):
        photo = Image.open(paths[row]).convert("RGB")
        parts = range(FRAMES) if number < SCENES else range(1)
        for part in parts:
            file = (frames if number < SCENES else truth) / labels[row] / f"scene-{number:03d}_{part}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            taken = io.BytesIO()
            frame(photo, random).save(taken, "JPEG", quality=int(random.integers(40, 85)))
            file.write_bytes(taken.getvalue())
    return frames, truth


def answers(trained: Workspace, tested: Workspace, splits: tuple[str, ...]) -> tuple[pd.DataFrame, np.ndarray]:
    """(photos, which are right): of these splits of a workspace, by a linear SVM on the train photos of another."""
    photos, others = trained.photos(), tested.photos()
    photos, others = photos[photos["split"] == "train"], others[others["split"].isin(splits)]
    svm = Svm(1.0).fit(features(trained, photos, SPEC).matrix, photos["label"].to_numpy(dtype=object))
    said = svm.predict(features(tested, others, SPEC).matrix)
    return others, said == others["label"].to_numpy(dtype=object)


def filmed(data: Path, work: Path, seed: int) -> None:
    """The ungrouped figure, the audit's warning, and the figure once its groups are applied, beside the truth."""
    folder = work / f"{data.name}-{seed}"
    frames, truth = film(data, folder, seed)
    others = open_workspace(truth, folder / "others")
    space = open_workspace(frames, folder / "workspace")
    say(data=data.name, seed=seed, **figures(space, others, "ungrouped"))
    found = audit(space, SPEC).summary["scenes"]
    if not found:
        say(data=data.name, seed=seed, warned="no")
        return
    names = ("rule", "groups", "nearest", "chance", "apart", "together", "flatters", "low", "high")
    say(data=data.name, seed=seed, warned="yes", **{name: found[name] for name in names})
    say(data=data.name, seed=seed, **figures(space, others, "copies together"))
    space = open_workspace(frames, space.folder, group_by=found["rule"], redraw_split=True)
    say(data=data.name, seed=seed, **figures(space, others, "grouped"))
    say(data=data.name, seed=seed, split=f"grouped, mean of {DRAWS} draws", held_back=mean_of_draws(space))
    folds = cross_validate(SvmExplorer(space, SPEC), C=1.0).accuracy
    say(data=data.name, seed=seed, **beside(f"{FOLDS} folds of groups", folds, true_on(space, others)))
    again = audit(space, SPEC).summary["scenes"]
    say(data=data.name, seed=seed, warned_again="yes" if again else "no")


def mean_of_draws(space: Workspace) -> float:
    """The accuracy on what splits of many seeds hold back, each with the groups of the workspace whole."""
    photos, hits = space.photos(), []
    x, labels = features(space, photos, SPEC).matrix, photos["label"].to_numpy(dtype=object)
    for seed in range(DRAWS):
        known = (assign_splits(photos.assign(split=""), seed) == "train").to_numpy()
        hits.append((Svm(1.0).fit(x[known], labels[known]).predict(x[~known]) == labels[~known]).mean())
    return float(np.mean(hits))


def figures(space: Workspace, others: Workspace, split: str) -> dict[str, str | float | list[float]]:
    """Accuracy on what the split of a workspace holds back, and on other scenes, with their intervals."""
    photos, hits = answers(space, space, ("validation", "test"))
    own = metrics.rate(hits, photos["group"] if split == "grouped" else None)
    return beside(split, own, true_on(space, others))


def true_on(space: Workspace, others: Workspace) -> metrics.Accuracy:
    """Accuracy on other scenes, one photo of each."""
    return metrics.rate(answers(space, others, SPLITS)[1])


def beside(split: str, own: metrics.Accuracy, true: metrics.Accuracy) -> dict[str, str | float | list[float]]:
    """A figure beside the true one, with their intervals."""
    inside = "yes" if true.low <= own.value <= true.high else "no"
    holds = "yes" if own.low <= true.value <= own.high else "no"
    return {
        "split": split,
        "held_back": own.value,
        "interval": own.interval,
        "truth": true.value,
        "truth_interval": true.interval,
        "flatters": own.value - true.value,
        "inside": inside,
        "holds": holds,
    }


def unfilmed(data: Path, work: Path) -> None:
    """Whether the audit warns where nothing was filmed."""
    context = Context(open_workspace(data, work / f"unfilmed-{data.name}"), SPEC)
    found = context.scenes
    say(data=data.name, photos=len(context.photos), warned=found.words if found else "no")


def scenes(count: int, correlation: float, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """(truth, probabilities, group) of frames of so many scenes, 8 each on average, of three classes in turn."""
    sizes, ids = 1 + random.poisson(7, size=count), np.arange(count) % 3
    p, a = np.array([0.7, 0.85, 0.95])[ids], 1 / correlation - 1 if correlation else 0.0
    own = random.beta(p * a, (1 - p) * a) if correlation else p
    truth, right = np.repeat(ids, sizes), random.random(sizes.sum()) < np.repeat(own, sizes)
    answers = np.where(right, truth, (truth + random.integers(1, 3, len(truth))) % 3)
    return truth, np.where(answers[:, None] == np.arange(3), 0.8, 0.1), np.repeat(np.arange(count), sizes)


def intervals(draws: int = 300) -> None:
    """How often intervals of groups and of photos hold what is true, where photos of a group are alike."""
    random = np.random.default_rng(0)
    for count, correlation in itertools.product((3, 6, 9, 15, 30, 60), (0.0, 0.3, 0.8)):
        known = [scenes(count, correlation, random) for _ in range(draws)]
        everything, held = scenes(6_000, correlation, random), dict[str, float]()
        for text in ("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "costs:a>b=5", "recall:a@.7"):
            objective = objective_of(text, ["a", "b", "c"])
            true = objective.value(*everything[:2])
            found = [objective.measure(*each) for each in known]
            held[text] = np.mean([score.low <= true <= score.high for score in found])
        hits = [metrics.rate(truth == chances.argmax(1)) for truth, chances, _ in known]
        true = objective_of("accuracy", ["a", "b", "c"]).value(*everything[:2])
        held["accuracy, of photos"] = np.mean([one.low <= true <= one.high for one in hits])
        say(groups=count, correlation=correlation, **held)


def comparisons(draws: int = 1_000) -> None:
    """How often two equally good classifiers are called different, and the interval of their difference misses 0."""
    random = np.random.default_rng(0)
    for count, correlation in itertools.product((6, 9, 15, 30, 60), (0.3, 0.8)):
        alarms, missed = {"groups": 0, "photos": 0}, {"groups": 0, "photos": 0}
        for _ in range(draws):
            sizes, a = 1 + random.poisson(7, size=count), 1 / correlation - 1
            rates = random.beta(0.8 * a, 0.2 * a, size=(2, count))
            first, second = (random.random(sizes.sum()) < np.repeat(rate, sizes) for rate in rates)
            for what, groups in (("groups", np.repeat(np.arange(count), sizes)), ("photos", None)):
                found = metrics.paired(first, second, groups)
                alarms[what] += found.p < metrics.CERTAIN
                missed[what] += not found.low <= 0 <= found.high
        rates = {f"called different, of {what}": count / draws for what, count in alarms.items()}
        rates |= {f"0 outside, of {what}": count / draws for what, count in missed.items()}
        say(groups=count, correlation=correlation, **rates)


def main() -> None:
    """Read the arguments, and do all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--silent", type=Path, nargs="*", default=[])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    intervals()
    comparisons()
    for data in arguments.silent:
        unfilmed(data, arguments.work)
    for data in arguments.data:
        for seed in range(arguments.seeds):
            filmed(data, arguments.work, seed)


if __name__ == "__main__":
    main()
