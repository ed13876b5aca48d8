"""The rules, in the order in which their findings are shown: what is broken first.

To add one: a class, and its name in RULES.
"""

import math
from typing import ClassVar

from cvtune_nb import metrics
from cvtune_nb.advice.next_values import (
    harmful_in_use,
    harmless_augmentation,
    larger_photos,
    recommended_rate,
    slower,
    stronger_augmentation,
)
from cvtune_nb.advice.rule import BASELINE, Case, Rule, case_of
from cvtune_nb.advice.unequal_classes import Imbalance, LargeClassesCount
from cvtune_nb.advice.worse_slices import WorseSlices
from cvtune_nb.audit.dataset import ENOUGH_IMAGES, small_classes
from cvtune_nb.classification import Run
from cvtune_nb.classification.variations import in_points
from cvtune_nb.data.pixels import median_side
from cvtune_nb.metrics import Verdict
from cvtune_nb.models import backbones
from cvtune_nb.models.recipes import changes
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.runs.finding import Finding
from cvtune_nb.workspace import Workspace

METHOD = "the tuning guide of the Azure ML Package for Computer Vision, 2018"
PAIRED = "paired comparison (McNemar 1947)"
BEYOND = "search beyond the edge of what was tried"
TRAIN_ERROR = 0.05
"""Train error above which a fine-tuned network does not fit its own training photos (2018 guide)."""
MANY = 4
"""Runs on the same photos from which the best one's accuracy is said to flatter it: ours
(docs/measurements.md, "The best of several runs")."""


class Diverged(Rule[Case]):
    """The loss was lost."""

    code = "diverged"
    when = "the loss is not finite, or ended above where it began"
    source = METHOD

    def look(self, case: Case) -> Finding | None:
        """A tenth of the rate."""
        config, losses = case.config, case.run.history["train_loss"]
        if case.run.state == "diverged":
            evidence = f"the loss became infinite with learning rate {config.learning_rate:g}"
        elif len(case.trained) and len(losses) > 1 and losses.iloc[-1] > losses.iloc[0] + math.log(2):
            evidence = f"train loss rose from {losses.iloc[0]:.2f} to {losses.iloc[-1]:.2f}"
        else:
            return None
        change, why = slower(config, 10)
        return self.finding("Training ran away", f"{evidence}{why}", **change)


class Underfit(Rule[Case]):
    """It does not fit its own training photos."""

    code = "underfit"
    when = "train error is above 5% after fine-tuning: the rate is too high, or the epochs were too few"
    source = METHOD

    def look(self, case: Case) -> Finding | None:
        """Twice the epochs while the loss falls, half the rate once it does not."""
        if case.trained.empty or DIVERGED.look(case) or 1 - case.last["train_accuracy"] <= TRAIN_ERROR:
            return None
        config, losses = case.config, case.trained["train_loss"].tolist()
        evidence = f"train error is {1 - case.last['train_accuracy']:.1%} after {len(losses)} epochs (rule: over 5%)"
        if len(losses) < 2 or losses[-1] < 0.95 * losses[-2]:
            return self.finding(
                "It has not learned enough: double the epochs",
                f"{evidence}, and the loss was still falling",
                epochs=min(PARAMETERS["epochs"].high, 2 * config.epochs),
                schedule="",
            )
        change, why = slower(config, 2)
        title = f"It has not learned enough: {'lower' if why else 'halve'} the learning rate"
        return self.finding(title, f"{evidence}, and the loss no longer falls{why}", **change)


class Overfit(Rule[Case]):
    """It overfits."""

    code = "overfit"
    when = "train accuracy is above validation accuracy beyond noise, and the gap grew"
    source = METHOD

    def look(self, case: Case) -> Finding | None:
        """More dropout and weight decay, and photos varied more, in a way that does no harm."""
        if len(case.trained) < 2:
            return None
        gaps = metrics.gap(case.trained, case.run.independent)
        first, last = gaps.iloc[0], gaps.iloc[-1]
        if last["low"] <= 0 or last["gap"] <= first["gap"]:
            return None
        epoch = metrics.opened(metrics.gap(case.run.history, case.run.independent))
        since = "" if epoch is None else f"; the gap opened in epoch {epoch}"
        config = case.config
        change, why = stronger_augmentation(config, case.variations)
        return self.finding(
            "It overfits: it memorised its training photos",
            f"train accuracy is {last['gap']:.1%} above validation (95% interval {last['low']:.1%} to "
            f"{last['high']:.1%}), {first['gap']:.1%} after the first epoch{since}; small data sets overfit and "
            f"may still test well: judge by validation; {why}",
            dropout=min(PARAMETERS["dropout"].high, round(config.dropout + 0.2, 2)),
            weight_decay=min(PARAMETERS["weight_decay"].high, config.weight_decay * 3),
            **change,
        )


class HarmfulAugmentation(Rule[Case]):
    """It was trained on photos varied in a way that costs accuracy."""

    code = "harmful-augmentation"
    when = "validation photos varied by a policy in use cost a frozen network and SVM accuracy"
    source = PAIRED

    def look(self, case: Case) -> Finding | None:
        """The same list without it."""
        harmful = harmful_in_use(case.config, case.variations)
        if not harmful:
            return None
        lost = "; ".join(f"{name} {in_points(cost)}" for name, cost in harmful.items())
        return self.finding(
            f"Train without {' and '.join(harmful)}: photos varied so are told apart less well",
            f"by a frozen network and SVM, on validation photos: {lost}",
            **harmless_augmentation(case.config, case.variations),
        )


class BelowBaseline(Rule[Case]):
    """Fine-tuning has not paid, or not yet for certain."""

    code = "below-baseline"
    when = "the fine-tuned network is not certainly better than the SVM on the same validation photos"
    source = PAIRED

    def look(self, case: Case) -> Finding | None:
        """A third of the rate, or keep the SVM; of a probable gain only more validation photos."""
        if case.right_baseline is None or case.trained.empty:
            return None
        compared = case.against(BASELINE)
        if compared is None or case.right_baseline.all() or compared.verdict is Verdict.BETTER:
            return None
        evidence = f"fine-tuned against SVM on the same validation photos: {compared.words}"
        if compared.verdict is Verdict.PROBABLY_BETTER:
            return self.finding(
                "Probably better than the frozen network and SVM, not yet certain",
                f"{evidence}; more validation photos, or the same comparison on other folds, would settle it",
            )
        worse = "Worse than" if compared.verdict is Verdict.WORSE else "No reliable difference from"
        change, why = slower(case.config, 3)
        words = f"{evidence}; the SVM is the cheaper model, unless a lower rate helps{why}"
        return self.finding(f"{worse} the frozen network and SVM", words, **change)


class Edge(Rule[Case]):
    """The best value of one parameter lies at the edge of what was tried; lower, upper: how far to go beyond it.

    fixed: parameters that the runs which are compared have in common.
    """

    source = BEYOND
    name: ClassVar[str]
    fixed: ClassVar[tuple[str, ...]]
    lower: ClassVar[float | None]
    upper: ClassVar[float]

    def look(self, case: Case) -> Finding | None:
        """A value beyond the edge."""
        config = case.config
        tried = case.runs[case.runs["merit"].notna()]
        for fixed in self.fixed:
            tried = tried[tried[fixed] == getattr(config, fixed)]
        values = sorted(tried[self.name].unique())
        if len(values) < 2 or config.to_dict()[self.name] not in values:
            return None
        best = tried.loc[tried["merit"].idxmax(), self.name]
        factor = self.upper if best == values[-1] else self.lower if best == values[0] else None
        if factor is None:
            return None
        value, parameter = self.beyond(config, best, factor), PARAMETERS[self.name]
        if not parameter.low <= value <= parameter.high:
            return None
        title = f"The best {parameter.label.lower()} is the {'highest' if factor > 1 else 'lowest'} you tried"
        words = f"tried {', '.join(f'{v:g}' for v in values)}; best {best:g}: look beyond it"
        return self.finding(title, words, **{self.name: value}, **self.also)

    also: ClassVar[dict] = {}

    def beyond(self, config: Config, best: float, factor: float) -> float:
        """The value to try next.

        Parameters
        ----------
        config
            Of the run that advice is asked about.
        best, factor
            The best value that was tried, and lower or upper.
        """
        raise NotImplementedError


class LearningRateEdge(Edge):
    """The best learning rate is the highest or lowest that was tried."""

    code, name, lower, upper = "lr-edge", "learning_rate", 1 / 3, 3
    fixed = ("backbone", "head", "optimizer", "layer_decay", "image_size")
    when = "the best learning rate is the highest or lowest that was tried"
    also: ClassVar[dict] = {"schedule": ""}

    def beyond(self, config: Config, best: float, factor: float) -> float:
        """Three times as far, or what is recommended for the network where that is farther."""
        further = max if factor > 1 else min
        return further(best * factor, recommended_rate(config) or best * factor)


class ImageSizeEdge(Edge):
    """The best image size is the largest that was tried."""

    code, name, lower, upper = "size-edge", "image_size", None, 1.4
    fixed = ("backbone", "head", "learning_rate")
    when = "the best image size is the largest that was tried"

    def beyond(self, config: Config, best: float, factor: float) -> float:  # noqa: ARG002 - the same for all
        """A multiple of 32."""
        return round(best * factor / 32) * 32


class Noise(Rule[Case]):
    """Which of two runs is better is not certain."""

    code = "noise"
    when = "it is not certain which is better, this run or the best other one"
    source = PAIRED

    def look(self, case: Case) -> Finding | None:
        """More validation photos, or seeds."""
        if not (other := case.best_other) or case.right.empty:
            return None
        compared = case.against(other)
        if compared is None or compared.p < metrics.CERTAIN:
            return None
        title = f"No reliable difference from run {other}"
        if compared.verdict is Verdict.PROBABLY_BETTER:
            title = f"Probably better than run {other}, not yet certain"
        elif compared.difference < 0 and compared.p < metrics.PROBABLE:
            title = f"Run {other} is probably better, not yet certain"
        evidence = f"against {other}: {compared.words}; more validation photos, or several seeds, would settle it"
        return self.finding(title, evidence)


class BestOfMany(Rule[Case]):
    """The accuracy of the best run flatters it, for it was chosen by it."""

    code = "best-of-many"
    when = f"the run is the best of {MANY} or more on the same validation photos"
    source = "Tsamardinos, Greasidou and Borboudakis 2018 (bootstrap bias corrected choice)"

    def look(self, case: Case) -> Finding | None:
        """What may be expected of it."""
        chosen = case.best_of_all(MANY)
        if chosen is None:
            return None
        label = case.objective.label if case.objective else "accuracy"
        return self.finding(f"Its {label} flatters it: the best of {1 + len(case.right_others)} runs", chosen.words)


class FewImages(Rule[Case]):
    """Some classes have few photos."""

    code = "few-images"
    when = f"a class has fewer than {ENOUGH_IMAGES} training photos"
    source = METHOD

    def look(self, case: Case) -> Finding | None:
        """Which, how many more, and what the audit's learning curve expects of that."""
        few = sorted(small_classes(case.photos).items(), key=lambda item: item[1])
        if not few:
            return None
        named = ", ".join(f"{label} ({count}: {ENOUGH_IMAGES - count} more)" for label, count in few[:5])
        rest = f" and {len(few) - 5} more classes" if len(few) > 5 else ""
        worst = case.issue("few-images")
        more = worst["suggestion"] if worst is not None else "notebook 04 estimates whether more would help"
        evidence = f"under {ENOUGH_IMAGES} training photos: {named}{rest}; {more}"
        return self.finding("Some classes have few photos", evidence)


class FromAudit(Rule[Case]):
    """An issue of the whole set that the audit found."""

    source = METHOD
    title: ClassVar[str]

    def look(self, case: Case) -> Finding | None:
        """The audit's own words."""
        found = case.issue(self.code)
        return None if found is None else self.finding(self.title, f"{found['detail']}: {found['suggestion']}")


class SmallObjects(FromAudit):
    """What the photos show is too small."""

    code, title = "small-objects", "The objects are too small to classify whole photos"
    when = "the boxed objects take under 20% of the photos' width and height"


class SlowStorage(FromAudit):
    """Photos are read more slowly than the network takes them."""

    code, title = "slow-storage", "The storage is slower than the network"
    when = "reading is slower than the network consumes"


class Unreviewed(Rule[Case]):
    """The audit found photos that nobody has decided about."""

    code = "unreviewed"
    when = "photos that the audit listed as badly labelled, copies or of bad quality are not decided"
    source = "the audit (notebook 01)"
    kinds: ClassVar[tuple[str, ...]] = (
        "mislabelled",
        "ambiguous",
        "two-classes",
        "leak",
        "duplicate",
        "dark",
        "over-exposed",
        "low-contrast",
        "blurry",
        "corrupt",
    )

    def look(self, case: Case) -> Finding | None:
        """How many of each kind."""
        counts = case.issues["issue"].value_counts()
        left = [f"{counts[kind]} {kind}" for kind in self.kinds if kind in counts]
        if not left:
            return None
        return self.finding(
            "The audit's findings are not all decided",
            f"{', '.join(left)}: see the gallery of notebook 01; notebook 04 estimates what cleaner labels would bring",
        )


class WideFeatures(Rule[Case]):
    """A network with a wider last layer was not tried."""

    code = "wide-features"
    when = "a backbone with a wider last layer has its weights at hand and was not tried"
    source = METHOD

    def look(self, case: Case) -> Finding | None:
        """That backbone."""
        table = backbones.table()
        own = backbones.KNOWN.get(case.config.backbone)
        if own is None or case.config.weights:  # a person's own are of this network only
            return None
        wider = table[(table["weights"] == "on disk") & (table["features"] > own.width)]
        wider = wider[~wider["name"].isin(case.runs["backbone"])]
        if wider.empty:
            return None
        name, features = wider.iloc[0][["name", "features"]]
        return self.finding(
            f"{name} gives {features} numbers a photo instead of {own.width}",
            "try it with the SVM first (notebook 02): it takes seconds",
            **changes(case.config, name),
        )


class NextRung(Rule[Case]):
    """It fits its training photos, and there is a rung above."""

    code = "next-rung"
    when = "it learned its training photos, and the photos have more pixels than it saw"
    source = METHOD

    def look(self, case: Case) -> Finding | None:
        """Larger photos, with minibatch and learning rate halved together."""
        if case.run.state != "done" or case.trained.empty or case.right.all():
            return None
        if DIVERGED.look(case) or UNDERFIT.look(case):
            return None
        change = larger_photos(case.config, case.photos)
        if not change:
            return None
        return self.finding(
            "It learned its training photos: climb a rung (notebook 04)",
            f"it learned its training photos, and half of your photos have {median_side(case.photos):.0f} pixels or "
            f"more: image size {change['image_size']}, minibatch {change['batch_size']}",
            **change,
        )


DIVERGED, UNDERFIT = Diverged(), Underfit()

RULES: tuple[Rule[Case], ...] = (
    DIVERGED,
    UNDERFIT,
    Overfit(),
    HarmfulAugmentation(),
    BelowBaseline(),
    LargeClassesCount(),
    Imbalance(),
    LearningRateEdge(),
    ImageSizeEdge(),
    Noise(),
    BestOfMany(),
    WorseSlices(),
    FewImages(),
    SmallObjects(),
    SlowStorage(),
    Unreviewed(),
    WideFeatures(),
    NextRung(),
)


def advise(workspace: Workspace, run: Run) -> list[Finding]:
    """What the rules say about `run`, the most pressing first."""
    case = case_of(workspace, run)
    return [finding for rule in RULES if (finding := rule.speak(case)) is not None]
