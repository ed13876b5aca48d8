"""What to change next, and why: every rule of the method as a small function that can be carried out.

A rule looks at one run and what surrounds it and gives a Finding or None. Its `change` is a set of parameters that
Apply (in the notebook) sets.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd

from cvtune_nb import backbones, metrics
from cvtune_nb.baseline import baseline_predictions
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.training import Run, load_run, runs
from cvtune_nb.workspace import Workspace

METHOD = "the tuning guide of the Azure ML Package for Computer Vision, 2018"
ENOUGH_PHOTOS = 100
"""Training photos a class that are a good start (2018 guide; computervision-recipes say the same)."""
TRAIN_ERROR = 0.05
"""Train error above which a fine-tuned network has not learned its own training photos (2018 guide)."""


@dataclass(frozen=True)
class Finding:
    """code and title say what; evidence holds the numbers, source where the rule comes from, change the parameters
    to set next (empty: nothing to set)."""

    code: str
    title: str
    evidence: str
    source: str
    change: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """What the rules look at: a run, the photos it learned from, all runs, and each one's right answers."""

    run: Run
    photos: pd.DataFrame
    runs: pd.DataFrame
    right: pd.Series
    right_baseline: pd.Series | None
    right_others: dict[str, pd.Series]

    @property
    def last(self) -> pd.Series:
        """The history's last row."""
        return self.run.history.iloc[-1]

    @property
    def trained(self) -> pd.DataFrame:
        """The history without epoch 0, which only shows the start."""
        return self.run.history[self.run.history["epoch"] > 0]


def few_images(case: Case) -> Finding | None:
    """A class has fewer than 100 training photos."""
    counts = case.photos[case.photos["split"] == "train"]["label"].value_counts()
    few = counts[counts < ENOUGH_PHOTOS].sort_values()
    if few.empty:
        return None
    named = ", ".join(f"{label} ({count}: {ENOUGH_PHOTOS - count} more)" for label, count in few.head(5).items())
    rest = f" and {len(few) - 5} more classes" if len(few) > 5 else ""
    evidence = f"under {ENOUGH_PHOTOS} training photos: {named}{rest}; notebook 02 shows whether more would help"
    return Finding("few-images", "Some classes have few photos", evidence, METHOD)


def diverged(case: Case) -> Finding | None:
    """The loss is not finite, or ended above where it began."""
    config, losses = case.run.config, case.run.history["train_loss"]
    rate = _rate(config.learning_rate / 10)
    if case.run.state == "diverged":
        evidence = f"the loss became infinite with learning rate {config.learning_rate:g}"
    elif len(case.trained) and len(losses) > 1 and losses.iloc[-1] > losses.iloc[0] + math.log(2):
        evidence = f"train loss rose from {losses.iloc[0]:.2f} to {losses.iloc[-1]:.2f}"
    else:
        return None
    return Finding("diverged", "Training ran away", evidence, METHOD, {"learning_rate": rate, "schedule": ""})


def underfit(case: Case) -> Finding | None:
    """Train error above 5% after fine-tuning: the rate is too high, or the epochs were too few."""
    if case.trained.empty or diverged(case) or 1 - case.last["train_accuracy"] <= TRAIN_ERROR:
        return None
    config, losses = case.run.config, case.trained["train_loss"].tolist()
    evidence = f"train error is {1 - case.last['train_accuracy']:.1%} after {len(losses)} epochs (rule: over 5%)"
    if len(losses) < 2 or losses[-1] < 0.95 * losses[-2]:
        change = {"epochs": min(200, 2 * config.epochs), "schedule": ""}
        return Finding("underfit", "It has not learned enough: double the epochs",
                       f"{evidence}, and the loss was still falling", METHOD, change)  # fmt: skip
    return Finding("underfit", "It has not learned enough: halve the learning rate",
                   f"{evidence}, and the loss no longer falls", METHOD,
                   {"learning_rate": _rate(config.learning_rate / 2), "schedule": ""})  # fmt: skip


def overfit(case: Case) -> Finding | None:
    """Train accuracy is above validation accuracy beyond noise, and the gap grew."""
    if len(case.trained) < 2:
        return None
    gaps = metrics.gap(case.trained, case.run.counts)
    first, last = gaps.iloc[0], gaps.iloc[-1]
    if last["low"] <= 0 or last["gap"] <= first["gap"]:
        return None
    epoch = metrics.opened(metrics.gap(case.run.history, case.run.counts))
    since = "" if epoch is None else f"; the gap opened in epoch {epoch}"
    config = case.run.config
    change = {"dropout": min(0.9, round(config.dropout + 0.2, 2)), "weight_decay": min(0.1, config.weight_decay * 3)}
    return Finding("overfit", "It knows its training photos by heart",
                   f"train accuracy is {last['gap']:.1%} above validation (95% interval {last['low']:.1%} to "
                   f"{last['high']:.1%}), {first['gap']:.1%} after the first epoch{since}; small data sets overfit and "
                   "may still test well: judge by validation", METHOD, change)  # fmt: skip


def below_baseline(case: Case) -> Finding | None:
    """The fine-tuned network is not better than the SVM on the same validation photos, paired."""
    if case.right_baseline is None or case.trained.empty:
        return None
    compared = metrics.paired(*_aligned(case.right_baseline, case.right))
    if case.right_baseline.all() or (compared.p < 0.05 and compared.difference > 0):
        return None
    return Finding("below-baseline", "Not better than the frozen network and SVM",
                   f"fine-tuned against SVM on the same validation photos: {compared.words}",
                   "paired comparison (McNemar)",
                   {"learning_rate": _rate(case.run.config.learning_rate / 3), "schedule": ""})  # fmt: skip


def noise(case: Case) -> Finding | None:
    """The best other run differs by no more than chance."""
    if not case.right_others or case.right.empty:
        return None
    other = max(case.right_others, key=lambda name: case.right_others[name].mean())
    compared = metrics.paired(*_aligned(case.right_others[other], case.right))
    if compared.p < 0.05:
        return None
    evidence = f"against {other}: {compared.words}; more validation photos, or several seeds, would tell them apart"
    return Finding("noise", f"Run {other} is as good, as far as one can tell", evidence, "paired comparison (McNemar)")


def edge(case: Case) -> Finding | None:
    """The best of the values tried for learning rate or image size lies at the edge of what was tried."""
    config = case.run.config
    alike = case.runs[case.runs["validation_accuracy"].notna() & (case.runs["backbone"] == config.backbone)]
    for name, code, lower, upper in (("learning_rate", "lr-edge", 1 / 3, 3), ("image_size", "size-edge", None, 1.4)):
        other = "image_size" if name == "learning_rate" else "learning_rate"
        tried = alike[(alike[other] == getattr(config, other)) & (alike["head"] == config.head)]
        values = sorted(tried[name].unique())
        if len(values) < 2 or config.to_dict()[name] not in values:
            continue
        best = tried.loc[tried["validation_accuracy"].idxmax(), name]
        factor = upper if best == values[-1] else lower if best == values[0] else None
        value = best * factor if factor else None
        if value and name == "image_size":
            value = round(value / 32) * 32
        if value and PARAMETERS[name].low <= value <= PARAMETERS[name].high:
            label = PARAMETERS[name].label.lower()
            return Finding(code, f"The best {label} is the {'highest' if factor > 1 else 'lowest'} you tried",
                           f"tried {', '.join(f'{v:g}' for v in values)}; best {best:g}: look beyond it",
                           "search beyond the edge of what was tried",
                           {name: value} | ({"schedule": ""} if name == "learning_rate" else {}))  # fmt: skip
    return None


def wide_features(case: Case) -> Finding | None:
    """A backbone with a wider last layer has its weights at hand and was not tried."""
    table = backbones.table()
    own = backbones.KNOWN.get(case.run.config.backbone)
    wider = table[(table["weights"] == "on disk") & (table["features"] > (own.width if own else 10_000))]
    wider = wider[~wider["name"].isin(case.runs["backbone"])]
    if wider.empty:
        return None
    name, features = wider.iloc[0][["name", "features"]]
    return Finding("wide-features", f"{name} gives {features} numbers a photo instead of {own.width}",
                   "try it with the SVM first (notebook 02): it takes seconds", METHOD, {"backbone": name})  # fmt: skip


def next_rung(case: Case) -> Finding | None:
    """All is well: larger photos, with minibatch and learning rate halved together."""
    if case.run.state != "done" or case.trained.empty or case.right.all() or diverged(case) or underfit(case):
        return None
    config: Config = case.run.config
    size = min(1000, round(config.image_size * 1.43 / 32) * 32)
    short = float(case.photos[["width", "height"]].min(axis=1).median())
    if size > short or size == config.image_size or config.batch_size < 2:
        return None
    change = {"image_size": size, "batch_size": config.batch_size // 2, "schedule": "",
              "learning_rate": _rate(config.learning_rate / 2)}  # fmt: skip
    return Finding("next-rung", "All is well: climb a rung (notebook 04)",
                   f"it learned its training photos, and half of your photos have {short:.0f} pixels or more: "
                   f"image size {size}, minibatch {config.batch_size // 2}", METHOD, change)  # fmt: skip


RULES: tuple[Callable[[Case], Finding | None], ...] = (
    diverged, underfit, overfit, below_baseline, edge, noise, few_images, wide_features, next_rung,
)  # fmt: skip
"""In the order in which findings are shown: what is broken first."""


def advise(workspace: Workspace, run: Run) -> list[Finding]:
    """What the rules say about `run`, the most pressing first."""
    table = runs(workspace)
    standing = baseline_predictions(workspace)
    others = {
        name: _right(load_run(workspace, name).predictions())
        for name in table["run"]
        if name != run.id and table.set_index("run").at[name, "best_epoch"] >= 0
    }
    case = Case(run, workspace.photos(), table, _right(run.predictions()),
                None if standing is None else _right(standing), others)  # fmt: skip
    return [finding for rule in RULES if (finding := spoken(rule, case)) is not None]


def spoken(rule: Callable[[Case], Finding | None], case: Case) -> Finding | None:
    """What a rule says, without its change when that would change nothing: the parameter is at its limit already."""
    finding = rule(case)
    if finding and finding.change and replace(case.run.config, **finding.change) == case.run.config:
        return replace(finding, change={})
    return finding


def _rate(value: float) -> float:
    """A learning rate to suggest: two digits are enough, and the lowest there is is the lowest."""
    return max(PARAMETERS["learning_rate"].low, float(f"{value:.2g}"))


def _right(predictions: pd.DataFrame) -> pd.Series:
    """Which photos were right, by path."""
    right = predictions["label"] == predictions["predicted"]
    return pd.Series(right.to_numpy(dtype=bool), index=predictions["path"])


def _aligned(first: pd.Series, second: pd.Series) -> tuple[pd.Series, pd.Series]:
    both = first.index.intersection(second.index)
    return first[both], second[both]
