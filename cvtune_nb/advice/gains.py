"""What would help most: the expected gain of each thing that could be done next, and what it really brought.

Based on features that are in the cache, the audit and the runs so far. A prediction is a ratio of errors, measured with
a frozen network and a linear SVM, cross-validated on the train and validation photos (the test photos are not looked
at), and carried over to the model at hand: what halves the SVM's errors is taken to halve those of the fine-tuned
network.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb import metrics
from cvtune_nb.advice.cross_validation import cached, right_by_photo
from cvtune_nb.advice.next_values import larger_photos
from cvtune_nb.advice.rule import right_of
from cvtune_nb.audit import load_audit
from cvtune_nb.classification import Run, load_run, predict_cost, runs
from cvtune_nb.classification.baseline import baseline_predictions, last_baseline
from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.remedies import chosen_remedy
from cvtune_nb.data.groups import groups_at
from cvtune_nb.files import Progress, append_json_lines, read_json_lines, silent
from cvtune_nb.imbalance import NONE
from cvtune_nb.metrics import Accuracy
from cvtune_nb.models import backbones
from cvtune_nb.models.recipes import changes, recommended
from cvtune_nb.objectives.resampling import drawn
from cvtune_nb.parameters import PARAMETERS, Config
from cvtune_nb.workspace import Workspace, now, photos_id

FRACTIONS = (0.25, 0.5, 1.0)
"""Of the training photos, those that the learning curve is fitted to, each twice as large as the one before."""
TUNED = {"batch_size", "schedule", "dropout", "seed"} | {
    name for name, parameter in PARAMETERS.items() if parameter.by_network and name != "epochs"
}
"""Parameters that are set anew with every step: a run that differs in these, too, still shows what the step brought."""


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
        Expected change of accuracy (-1 to 1) with its 95% interval.
    seconds : float or None
        What a run that does it takes; None: it is not a run.
    basis : str
        What the expectation is based on.
    change : dict
        The parameters to set; empty: none.
    """

    action: str
    title: str
    gain: float
    low: float
    high: float
    seconds: float | None
    basis: str
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def words(self) -> str:
        """For example "+1.2 points (0.3 to 2.1)"; an interval that covers zero says what that means."""
        points = f"{self.gain * 100:+.1f} points ({self.low * 100:.1f} to {self.high * 100:.1f})"
        return points if self.sure else f"{points}: no reliable gain"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


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
    spec = FeatureSpec.of(model)
    base, right = _standing(workspace, run, spec, progress)
    found: list[Gain] = []
    unknown: list[str] = []
    ratio, low, high = errors_with_more_photos(workspace, photos, spec, progress)
    double = predict_cost(workspace, model).seconds * 2 if run else None
    found.append(
        _scaled(
            "photos",
            "Twice the training photos",
            base,
            (ratio, low, high),
            double,
            "learning curve of the SVM, from a quarter, half and all of the photos",
        )
    )
    labels = _cleaner_labels(workspace, photos, spec, right, progress)
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
        ratios = ratio_of_errors(
            right_by_photo(workspace, photos, spec, progress),
            right_by_photo(workspace, photos, other, progress),
            photos,
        )
        seconds = predict_cost(workspace, replace(model, **change)).seconds
        title = f"Photos of {value} pixels" if name == "image_size" else f"A deeper network, {value}"
        basis = "the SVM on frozen features of both, cross-validated on the same photos"
        found.append(_scaled(name, title, base, ratios, seconds, basis, change))
    if run is not None:
        found += _more_epochs(workspace, run)
    found.sort(key=lambda gain: -gain.gain)
    last = max(runs(workspace)["run"], default="")
    entry = {
        "time": now(),
        "run": run.id if run else "",
        "last_run": last,
        "photos": photos_id(photos),
        "train_photos": int((photos["split"] == "train").sum()),
        "accuracy": base.value,
    }
    append_json_lines(workspace.folder / "gains.jsonl", {**entry, "gains": [gain.to_dict() for gain in found]})
    return found, unknown


def real_gains(workspace: Workspace) -> pd.DataFrame:
    """What came of the predictions.

    A row for every predicted action that was taken since: action,title,predicted,low,high,real,run,words. It was taken
    by the first run begun after the prediction that differs from the run it was about as the action says. real:
    accuracy of that run minus that of the earlier one, on validation.
    """
    rows, known = [], runs(workspace)
    known = known[known["best_epoch"] >= 0]
    loaded = {name: load_run(workspace, name) for name in known["run"]}
    seen: set[tuple[str, str]] = set()
    for entry in reversed(read_json_lines(workspace.folder / "gains.jsonl")):
        base = loaded.get(entry["run"])
        if base is None:
            continue
        for gain in entry["gains"]:
            after = (run for run in loaded.values() if run.id > entry["last_run"])
            later = next((run for run in after if _took(gain, entry, base, run)), None)
            if later is None or (key := (gain["action"], later.id)) in seen:
                continue
            real = _real(base, later)
            if real is None:
                continue
            seen.add(key)
            rows.append(
                {
                    "action": gain["action"],
                    "title": gain["title"],
                    "predicted": gain["gain"],
                    "low": gain["low"],
                    "high": gain["high"],
                    "real": real,
                    "run": later.id,
                    "words": _compared_in_words(gain, base, later, real),
                }
            )
    columns = ["action", "title", "predicted", "low", "high", "real", "run", "words"]
    return pd.DataFrame(rows[::-1], columns=columns)


# -- what each prediction is based on -----------------------------------------------------------------------------


def _resampled(*right: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """Errors (DRAWS, len(right)) of the same bootstrap samples of n photos; each of `right` is (n,) in 0..1.

    Half an error is added to each, so that there is always one. groups: of each photo where some belong together: whole
    groups are drawn.
    """
    wrong = 1 - np.stack(right, axis=1)
    parts = ((times @ wrong + 0.5) / (times.sum(1, keepdims=True) + 1) for times in drawn(len(wrong), groups=groups))
    return np.concatenate(list(parts))


def ratio_of_errors(
    before: pd.Series, after: pd.Series, photos: pd.DataFrame | None = None
) -> tuple[float, float, float]:
    """Errors after over errors before, with the 95% interval.

    Parameters
    ----------
    before, after
        How often photos were right, by path.
    photos
        Of the workspace, whose groups the interval allows for.
    """
    after = after.reindex(before.index)
    groups = None if photos is None else groups_at(photos, before.index)
    errors = _resampled(before.to_numpy(), after.to_numpy(), groups=groups)
    ratios = errors[:, 1] / errors[:, 0]
    now = (1 - after.mean() + 0.5 / len(after)) / (1 - before.mean() + 0.5 / len(before))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(now), float(low), float(high)


def errors_with_more_photos(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, progress: Progress
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
    progress
        Called while it computes.

    Returns
    -------
    tuple of float
        The ratio, and the low and high end of its 95% interval.
    """
    by_photo = [right_by_photo(workspace, photos, spec, progress, part) for part in FRACTIONS]
    curve = [right.to_numpy() for right in by_photo]
    height = np.log(_resampled(*curve, groups=groups_at(photos, by_photo[0].index)))
    slope = (height[:, -1] - height[:, 0]) / (len(FRACTIONS) - 1)  # least squares on three places, equally far apart
    exact = [math.log(1 - right.mean() + 0.5 / len(right)) for right in curve]
    now = (exact[-1] - exact[0]) / (len(FRACTIONS) - 1)
    low, high = np.exp(np.quantile(slope, [0.025, 0.975]))
    return math.exp(now), float(low), float(high)


def _scaled(
    action: str,
    title: str,
    base: Accuracy,
    ratios: tuple[float, float, float],
    seconds: float | None,
    basis: str,
    change: dict[str, Any] | None = None,
) -> Gain:
    """The gain of a model with accuracy `base` whose errors are multiplied by ratios (now, low, high)."""
    wrong = (1 - base.value) + (0.5 / base.n if base.n and base.value == 1 else 0.0)
    now, low, high = ratios
    return Gain(action, title, wrong * (1 - now), wrong * (1 - high), wrong * (1 - low), seconds, basis, change or {})


def _standing(
    workspace: Workspace, run: Run | None, spec: FeatureSpec, progress: Progress
) -> tuple[Accuracy, pd.Series]:
    """Accuracy of the model at hand, and which photos it got right."""
    said = run.predictions() if run else baseline_predictions(workspace)
    if said is not None and len(said):
        right = right_of(said)
    else:
        right = right_by_photo(workspace, workspace.photos(), spec, progress) > 0.5
    return metrics.rate(right, groups_at(workspace.photos(), right.index)), right


def _baseline_config(workspace: Workspace) -> Config:
    known = last_baseline(workspace, earlier=True)
    if known:
        spec, imbalance = FeatureSpec.from_dict(known), str(known.get("imbalance", NONE))  # unknown to earlier versions
        return recommended(**spec.to_dict(), imbalance=imbalance)
    return recommended(**start_with(workspace).to_dict(), imbalance=chosen_remedy(workspace))


def _cleaner_labels(
    workspace: Workspace, photos: pd.DataFrame, spec: FeatureSpec, right: pd.Series, progress: Progress
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
    own, asked = right_by_photo(workspace, photos, spec, progress), list(suspects)
    then = right_by_photo(workspace, photos, spec, progress, taught=opinions[opinions.index.isin(asked)])
    # Estimated on all photos, by the labels they have: a photo with a wrong one counts as wrong before and after, so
    # that only the others can show the gain. What is not listed shows how many errors the model at hand makes for one
    # of the SVM's; alone it could not estimate the gain, for photos that wrong labels led astray are often listed, too.
    shown = 1 - own.index.isin(asked).mean()
    errors = _resampled(own.to_numpy(), then.to_numpy(), groups=groups_at(photos, own.index))
    gain, (low, high) = then.mean() - own.mean(), np.quantile(errors[:, 0] - errors[:, 1], [0.025, 0.975])
    mine, svm = (part.drop(asked, errors="ignore") for part in (right, own))
    factor = (1 - mine.mean() + 0.5 / len(mine)) / (1 - svm.mean() + 0.5 / len(svm)) if len(mine) and len(svm) else 1.0
    basis = "the SVM, taught what the audit suggests for these photos, cross-validated"
    gain, low, high = (float(value) / shown * factor for value in (gain, low, high))
    return Gain("labels", title, gain, low, high, None, basis)


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


def _more_epochs(workspace: Workspace, run: Run) -> list[Gain]:
    """Twice the epochs: half of what the second half of the epochs brought, since what training brings shrinks.

    A rule of thumb of ours; its interval is that of the two accuracies, taken for independent (too wide, not too
    narrow).
    """
    trained = run.history[run.history["epoch"] > 0]
    if len(trained) < 4 or run.config.epochs > 100:
        return []
    half = trained["validation_accuracy"].iloc[: len(trained) // 2].max()
    best, n = run.validation.value, metrics.effective(run.validation)
    gain = max(0.0, best - half) / 2
    noise = metrics.Z95 * math.sqrt((half * (1 - half) + best * (1 - best)) / n) / 2
    change = {"epochs": 2 * run.config.epochs, "schedule": ""}
    seconds = predict_cost(workspace, replace(run.config, **change)).seconds
    basis = f"the second half of its epochs brought {(best - half) * 100:+.1f} points"
    return [Gain("epochs", "Twice the epochs", gain, gain - noise, gain + noise, seconds, basis, change)]


# -- afterwards ---------------------------------------------------------------------------------------------------


def _took(gain: dict[str, Any], entry: dict[str, Any], base: Run, run: Run) -> bool:
    """Whether `run` is `base` with what `gain` proposes, and nothing else that matters."""
    before, after = base.config.to_dict(), run.config.to_dict()
    if gain["action"] in ("photos", "labels"):
        grew = run.train_photos >= 1.5 * entry["train_photos"]
        return after == before and run.data_id != base.data_id and grew == (gain["action"] == "photos")
    wanted = before | gain["change"]
    return run.data_id == base.data_id and all(after[name] == wanted[name] for name in wanted if name not in TUNED)


def _real(base: Run, later: Run) -> float | None:
    """Accuracy of the later run minus that of the earlier one, on what both were measured on.

    None where that is nothing.
    """
    if base.classes != later.classes:
        return None
    both = base.predictions().merge(later.predictions(), on=["path", "label"])
    if both.empty:
        return None
    return float((both["predicted_y"] == both["label"]).mean() - (both["predicted_x"] == both["label"]).mean())


def _compared_in_words(gain: dict[str, Any], base: Run, later: Run, real: float) -> str:
    inside = "inside" if gain["low"] <= real <= gain["high"] else "outside"
    return (
        f"{gain['title']}: predicted {gain['gain'] * 100:+.1f} points ({gain['low'] * 100:.1f} to "
        f"{gain['high'] * 100:.1f}), real {real * 100:+.1f}, {inside} the interval ({later.id} against "
        f"{base.id})"
    )
