"""What would help most: the expected gain of each thing that could be done next, by what counts.

Based on features that are in the cache, the audit and the runs so far. A prediction is a ratio of errors, or of what is
lost by another objective (losses), measured with a frozen network and a linear SVM, cross-validated on the train and
validation photos (the test photos are not looked at), and carried over to the model at hand: what halves the SVM's
errors is taken to halve those of the fine-tuned network.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.advice.cross_validation import cached, right_by_photo
from cvtune_nb.advice.losses import Losses, of_answers, of_mistakes, on_svm, resampled, svm_answers, without
from cvtune_nb.advice.next_values import larger_photos
from cvtune_nb.advice.rule import right_of
from cvtune_nb.audit import load_audit
from cvtune_nb.classification import Run, predict_cost, runs
from cvtune_nb.classification.baseline import baseline_answers, baseline_predictions, last_baseline
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.objective import NOT_KEPT, measure, objective_in
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.data.groups import groups_at
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, append_json_lines, silent
from cvtune_nb.imbalance import NONE
from cvtune_nb.models import backbones
from cvtune_nb.models.recipes import changes, recommended
from cvtune_nb.objectives import ACCURACY, USUAL, Counted, Objective, Score
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace, now, photos_id

FRACTIONS = (0.25, 0.5, 1.0)
"""Of the training photos, those that the learning curve is fitted to, each twice as large as the one before."""


@dataclass(frozen=True)
class Gain:
    """One thing that could be done.

    Attributes
    ----------
    action : str
        photos, labels, image_size, backbone or epochs.
    title : str
        The same in words.
    gain, low, high : float
        Expected change of what counts with its 95% interval, above 0 where it gets better.
    seconds : float or None
        What a run that does it takes; None: it is not a run.
    basis : str
        What the expectation is based on.
    change : dict
        The parameters to set; empty: none.
    counted : Counted
        What counts.
    """

    action: str
    title: str
    gain: float
    low: float
    high: float
    seconds: float | None
    basis: str
    change: dict[str, Any] = field(default_factory=dict)
    counted: Counted = ACCURACY

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def words(self) -> str:
        """For example "+1.2 points (0.3 to 2.1)"; an interval that covers zero says what that means."""
        if self.counted.share:
            unit = "points" if self.counted.by_accuracy else f"points of {self.counted.label}"
            change = f"{self.gain * 100:+.1f} {unit} ({self.low * 100:.1f} to {self.high * 100:.1f})"
        else:
            change = f"{self.counted.label} better by {self.gain:+.3f} ({self.low:.3f} to {self.high:.3f})"
        return change if self.sure else f"{change}: no reliable gain"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values; those of `counted` beside the others."""
        plain = asdict(self)
        del plain["counted"]
        return {**plain, **self.counted.to_dict()}


def what_helps(
    workspace: Workspace, run: Run | None = None, compute: bool = False, progress: Progress = silent
) -> tuple[list[Gain], list[str]]:
    """What would help most.

    The predictions are kept in gains.jsonl (`real_gains` compares them with what came of them).

    Parameters
    ----------
    workspace : Workspace
        Where photos and runs are.
    run : Run, optional
        The model at hand; None: the baseline's SVM, or where there is none the default backbone's.
    compute : bool
        Compute the features of the next image size and of the next deeper network where they are not in the cache,
        which takes as long as notebook 02 takes with them.
    progress : Progress
        Called with the fraction done and words.

    Returns
    -------
    list of Gain
        The largest expected gain first.
    list of str
        What could not be estimated and why, a sentence each.

    Raises
    ------
    InputError
        When there are too few photos to estimate anything.
    """
    photos = workspace.photos()
    model = run.config if run else _baseline_config(workspace)
    spec, objective = FeatureSpec.of(model), objective_in(workspace)
    base, standing = _standing(workspace, run, spec, objective, progress)
    found: list[Gain] = []
    unknown: list[str] = []
    more = errors_with_more_photos(workspace, photos, spec, objective, progress)
    double = predict_cost(workspace, model).seconds * 2 if run else None
    basis = "learning curve of the SVM, from a quarter, half and all of the photos"
    found.append(_scaled("photos", "Twice the training photos", base, more, double, basis))
    labels = _cleaner_labels(workspace, photos, spec, objective, standing, progress)
    if isinstance(labels, str):
        unknown.append(labels)
    else:
        found.append(labels)
    for change in _steps(photos, model):
        name, value = next(iter(change.items()))
        other = FeatureSpec.of(replace(model, **{name: value}))
        if not (compute or cached(workspace, photos, other)):
            unknown.append(f"{value} ({name}): its features are not in the cache (notebook 02, or the button)")
            continue
        ratios = ratio_of_errors(*(on_svm(workspace, photos, one, objective, progress) for one in (spec, other)))
        seconds = predict_cost(workspace, replace(model, **change)).seconds
        title = f"Photos of {value} pixels" if name == "image_size" else f"A deeper network, {value}"
        basis = "the SVM on frozen features of both, cross-validated on the same photos"
        found.append(_scaled(name, title, base, ratios, seconds, basis, change))
    if run is not None:
        epochs = _more_epochs(workspace, run, objective)
        if isinstance(epochs, str):
            unknown.append(epochs)
        elif epochs:
            found.append(epochs)
    counted = Counted.of(objective)
    found = [replace(gain, counted=counted) for gain in found]
    found.sort(key=lambda gain: -gain.gain)
    last = max(runs(workspace)["run"], default="")
    entry = {
        "time": now(),
        "run": run.id if run else "",
        "last_run": last,
        "photos": photos_id(photos),
        "train_photos": int((photos["split"] == "train").sum()),
        **({"accuracy": base.value} if counted.by_accuracy else {"objective_value": base.value}),
        **counted.to_dict(),
    }
    append_json_lines(workspace.folder / "gains.jsonl", {**entry, "gains": [gain.to_dict() for gain in found]})
    return found, unknown


# -- what each prediction is based on -----------------------------------------------------------------------------


def ratio_of_errors(before: Losses, after: Losses) -> tuple[float, float, float]:
    """Errors after over errors before, on the same photos, with the 95% interval."""
    errors = resampled(before, after)
    ratios = errors[:, 1] / errors[:, 0]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return after.smoothed / before.smoothed, float(low), float(high)


def errors_with_more_photos(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, objective: Objective, progress: Progress
) -> tuple[float, float, float]:
    """The ratio of the error with twice the training photos to the error with those there are.

    A power law (Hestness and others 2017, "Deep learning scaling is predictable, empirically") fitted to a quarter,
    half and all of them.

    Parameters
    ----------
    workspace, photos
        The labelled photos.
    spec
        The features on which an SVM is cross-validated.
    objective
        What counts.
    progress
        Called while it computes.

    Returns
    -------
    tuple of float
        The ratio, and the low and high end of its 95% interval.
    """
    curve = [on_svm(workspace, photos, spec, objective, progress, part) for part in FRACTIONS]
    height = np.log(resampled(*curve))
    slope = (height[:, -1] - height[:, 0]) / (len(FRACTIONS) - 1)  # least squares on three places, equally far apart
    exact = [math.log(part.smoothed) for part in curve]
    now = (exact[-1] - exact[0]) / (len(FRACTIONS) - 1)
    low, high = np.exp(np.quantile(slope, [0.025, 0.975]))
    return math.exp(now), float(low), float(high)


def _scaled(
    action: str,
    title: str,
    base: Score,
    ratios: tuple[float, float, float],
    seconds: float | None,
    basis: str,
    change: dict[str, Any] | None = None,
) -> Gain:
    """The gain of a model with such a score, whose errors are multiplied by ratios (now, low, high)."""
    wrong = (1 - base.value) + (0.5 / base.n if base.n and base.value == 1 else 0.0) if base.share else base.value
    now, low, high = ratios
    return Gain(action, title, wrong * (1 - now), wrong * (1 - high), wrong * (1 - low), seconds, basis, change or {})


def _standing(
    workspace: Workspace, run: Run | None, spec: FeatureSpec, objective: Objective, progress: Progress
) -> tuple[Score, Callable[[list[str]], Losses | None]]:
    """The score of the model at hand, and what it loses on all photos that it was measured on but some."""
    if objective.text == USUAL:
        right = _right(workspace, run, spec, progress)
        found = metrics.rate(right, groups_at(workspace.photos(), right.index))
        score = Score(found.value, found.low, found.high, found.n, objective.label, objective.SHARE)
        return score, lambda asked: _or_none(of_mistakes(right.drop(asked, errors="ignore")))
    known = run and (run.score(objective) and run.answers(objective))
    if run and known is None:
        raise InputError(f"by {objective.label}, what would help can't be estimated for run {run.id}: {NOT_KEPT}")
    answers = [known] if known else None
    if answers is None and (svm := baseline_answers(workspace, objective)) is not None:
        answers = [svm]
    if answers is None:
        answers = svm_answers(workspace, workspace.photos(), spec, objective, progress)
    return measure(objective, answers[0]), lambda asked: _or_none(of_answers(objective, without(answers, asked)))


def _or_none(losses: Losses) -> Losses | None:
    return losses if len(losses) else None


def _right(workspace: Workspace, run: Run | None, spec: FeatureSpec, progress: Progress) -> pd.Series:
    """Which photos the model at hand got right."""
    said = run.predictions() if run else baseline_predictions(workspace)
    if said is not None and len(said):
        return right_of(said)
    return right_by_photo(workspace, workspace.photos(), spec, progress) > 0.5


def _baseline_config(workspace: Workspace) -> Config:
    known = last_baseline(workspace, earlier=True)
    if known:
        spec, imbalance = FeatureSpec.from_dict(known), str(known.get("imbalance", NONE))  # unknown to earlier versions
        return recommended(**spec.to_dict(), imbalance=imbalance)
    return recommended(**start_with(workspace).to_dict(), imbalance=chosen_remedy(workspace))


def _cleaner_labels(
    workspace: Workspace,
    photos: pd.DataFrame,
    spec: FeatureSpec,
    objective: Objective,
    standing: Callable[[list[str]], Losses | None],
    progress: Progress,
) -> Gain | str:
    """The gain of deciding what the audit lists as mislabelled; or why it can't be estimated."""
    found = load_audit(workspace)
    if found is None:
        return "cleaner labels: the audit (notebook 01) was not run yet"
    listed = found.issues[found.issues["issue"] == "mislabelled"]
    suspects = set(listed["path"]) - set(workspace.standing())
    title = f"Cleaner labels: {len(suspects)} photo{'s' * (len(suspects) > 1)} to decide"
    if not suspects:
        return "cleaner labels: no photo is listed as mislabelled and undecided"
    opinions = found.scores.set_index("path")["suggested_label"]
    asked = list(suspects)
    own = on_svm(workspace, photos, spec, objective, progress)
    then = on_svm(workspace, photos, spec, objective, progress, taught=opinions[opinions.index.isin(asked)])
    # Estimated on all photos, by the labels they have: a photo with a wrong one counts as wrong before and after, so
    # that only the others can show the gain. What is not listed shows how many errors the model at hand makes for one
    # of the SVM's; alone it could not estimate the gain, for photos that wrong labels led astray are often listed, too.
    shown = 1 - own.paths.isin(asked).mean()
    errors = resampled(own, then)
    gain, (low, high) = then.merit - own.merit, np.quantile(errors[:, 0] - errors[:, 1], [0.025, 0.975])
    mine, svm = standing(asked), _or_none(_svm_without(workspace, photos, spec, objective, asked))
    factor = mine.smoothed / svm.smoothed if mine and svm else 1.0
    basis = "the SVM, taught what the audit suggests for these photos, cross-validated"
    gain, low, high = (float(value) / shown * factor for value in (gain, low, high))
    return Gain("labels", title, gain, low, high, None, basis)


def _svm_without(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, objective: Objective, asked: list[str]
) -> Losses:
    """What the SVM loses on the photos that are not asked about."""
    if objective.text == USUAL:
        return of_mistakes(right_by_photo(workspace, photos, spec).drop(asked, errors="ignore"))
    return of_answers(objective, without(svm_answers(workspace, photos, spec, objective), asked))


def _steps(photos: pd.DataFrame, config: Config) -> list[dict[str, Any]]:
    """What goes to the next image size and to the next deeper network of the family that can be had.

    Parameters to set, the one that the step is about first.
    """
    larger = larger_photos(config, photos)
    found = [larger] if larger else []
    names = [entry.name for entry in backbones.family_of(config.backbone).networks]
    deeper = names[names.index(config.backbone) + 1 :] if config.backbone in names and not config.weights else []
    reached = next(filter(backbones.on_disk, deeper), None)
    return [*found, {**changes(config, reached), "schedule": ""}] if reached else found


def _more_epochs(workspace: Workspace, run: Run, objective: Objective) -> Gain | str | None:
    """Twice the epochs: half of what the second half of the epochs brought, since what training brings shrinks.

    A rule of thumb of ours; its interval is that of the two values, taken for independent (too wide, not too narrow).
    None where there are too few epochs, or many; a sentence where its epochs tell nothing of what counts.
    """
    trained, n = run.history[run.history["epoch"] > 0], metrics.effective(run.validation)
    if len(trained) < 4 or run.config.epochs > 100:
        return None
    if objective.text == USUAL:
        half, best = trained["validation_accuracy"].iloc[: len(trained) // 2].max(), run.validation.value
        noise = metrics.Z95 * math.sqrt((half * (1 - half) + best * (1 - best)) / n) / 2
    elif run.config.objective != objective.text:
        return f"twice the epochs: those of {run.id} were judged by {run.objective.label}"
    else:
        score = run.score(objective)
        assert score is not None, "a run that can't be judged is refused before"
        half = trained["objective"].iloc[: len(trained) // 2].map(objective.merit).max()
        best, noise = objective.merit(score.value), (score.high - score.low) / 2 * math.sqrt(2) / 2
    gain = max(0.0, best - half) / 2
    change = {"epochs": 2 * run.config.epochs, "schedule": ""}
    seconds = predict_cost(workspace, replace(run.config, **change)).seconds
    basis = f"the second half of its epochs brought {objective.gain_in_words(best - half)}"
    return Gain("epochs", "Twice the epochs", gain, gain - noise, gain + noise, seconds, basis, change)
