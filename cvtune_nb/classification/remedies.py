"""Which remedy for classes of different size helps with these photos: compared on a frozen network and an SVM.

Each is cross-validated on the train and validation photos, the test photos are not looked at, and judged by the
objective beside doing nothing, on the same photos. It foretells that remedies help a fine-tuned network, not which of
them most: docs/measurements.md, "Remedies for imbalance".
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold

from cvtune_nb import metrics
from cvtune_nb.classification.candidates import Candidate, predicted_seconds
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.objective import objective_in
from cvtune_nb.classification.svm import SVM_SCALE, Svm
from cvtune_nb.data.groups import dependent, grouped_id
from cvtune_nb.data.split import require_learnable
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_csv, read_json, silent, write_csv, write_json
from cvtune_nb.imbalance import BALANCED, LOGITS, NONE, REMEDIES, SAMPLING, SQUARE_ROOT, Balance, counted, remedy_of
from cvtune_nb.objectives import USUAL, Objective, objective_of
from cvtune_nb.objectives.objective import change, in_unit
from cvtune_nb.workspace import Workspace, now

TRIED = (NONE, SQUARE_ROOT, BALANCED, f"{LOGITS}:0.5", LOGITS, f"{LOGITS}:1.5")
"""What is compared; for an SVM balanced sampling is the same as balanced weights."""
CS = (0.1, 1.0, 10.0)
"""C is chosen among these for each remedy, so that none gains by a C that suits it alone."""
PHOTOS = 2_000
"""Photos to compare on, at most: enough to tell balanced accuracies 3 points apart."""
FOLDS, DRAWS = 4, 2_000
"""Parts of the cross-validation, and bootstrap samples of the photos behind every interval."""
SVM_SECONDS = 0.0006
"""To fit one of the SVMs, a photo and class, more than baseline.SVM_SECONDS of all: C is large here."""
NUMBERS = (
    "value",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "accuracy",
    "accuracy_difference",
    "accuracy_low",
    "accuracy_high",
)
BY_HAND, RECOMMENDED = "chosen by hand", "recommended"
"""Why a remedy was chosen."""


@dataclass(frozen=True)
class Comparison:
    """How well each remedy does.

    Attributes
    ----------
    table
        remedy; value, low, high: of the objective, with its 95% interval; difference, difference_low, difference_high,
        p: against none, on the same photos; accuracy, and accuracy_difference, accuracy_low, accuracy_high: what it
        costs or brings in accuracy.
    objective, label, higher_is_better
        What it was judged by: its text, what its value is called, and which way is up.
    photos
        On how many it was measured.
    recommended, why
        A remedy, and the reason in a sentence.
    balance
        How far the training photos are from balance, in words.
    network, measured_on
        With which network, in words; stands for the photos, labels and groups there were.
    share
        Whether the value is a share of 1, shown in percent.
    """

    table: pd.DataFrame
    objective: str
    label: str
    higher_is_better: bool
    photos: int
    recommended: str
    why: str
    balance: str
    network: str = ""
    measured_on: str = ""
    share: bool = True

    @property
    def sentences(self) -> list[str]:
        """What was found, for people."""
        on = f"{self.network}, {self.photos:,} train and validation photos, cross-validated"
        return [f"{self.balance}.", f"{on}: {self.brings}.", f"Recommended: {self.recommended}. {self.why}"]

    @property
    def brings(self) -> str:
        """What each remedy is expected to bring, in words."""
        rows = self.table.set_index("remedy")
        words = [f"{self.label} {in_unit(rows['value'][NONE], self.share)} without a remedy"]
        return "; ".join(words + [f"{name} {self.gain(str(name))}" for name in rows.index if name != NONE])

    def gain(self, remedy: str) -> str:
        """What one remedy is expected to bring, with its interval, for example "+3.1 points (1.0 to 5.2)"."""
        row = self.table.set_index("remedy").loc[remedy]
        low, high = (change(row[f"difference_{end}"], self.share, "") for end in ("low", "high"))
        return f"{change(row['difference'], self.share)} ({low} to {high})"

    def costs(self, remedy: str) -> str:
        """The same of accuracy."""
        row = self.table.set_index("remedy").loc[remedy]
        low, high = row["accuracy_low"] * 100, row["accuracy_high"] * 100
        return f"{row['accuracy_difference'] * 100:+.1f} points ({low:+.1f} to {high:+.1f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        about = {name: value for name, value in vars(self).items() if name != "table"}
        return {**about, "remedies": self.table.astype(object).to_dict("records")}

    def save(self, workspace: Workspace) -> None:
        """Keep it: remedies.csv has the table, remedies.json the rest."""
        write_csv(workspace.folder / "remedies.csv", self.table)
        write_json(
            workspace.folder / "remedies.json", {name: value for name, value in vars(self).items() if name != "table"}
        )


def what_counts(workspace: Workspace) -> str:
    """The objective that remedies are judged by: the workspace's, but balanced accuracy in place of accuracy.

    Accuracy itself seldom asks for a remedy.
    """
    text = objective_in(workspace).text
    return "balanced-accuracy" if text == USUAL else text


def holds(workspace: Workspace, found: Comparison) -> bool:
    """Whether a comparison is about today's photos, labels and groups, and what counts today."""
    return found.objective == what_counts(workspace) and found.measured_on == grouped_id(workspace.photos())


def balance_of(photos: pd.DataFrame) -> Balance:
    """How far the training photos (columns label, split) are from balance."""
    train = photos.loc[photos["split"] == "train", "label"]
    return Balance(counted(train, sorted(photos["label"].unique())))


def last_remedies(workspace: Workspace) -> Comparison | None:
    """What was compared last in this workspace; None before that."""
    try:
        known = read_json(workspace.folder / "remedies.json")
        table = read_csv(workspace.folder / "remedies.csv", remedy=str, **dict.fromkeys(NUMBERS, float))
    except FileNotFoundError:
        return None
    known.setdefault("share", known["label"] not in ("log loss", "mean cost"))  # earlier versions kept the label only
    return Comparison(table, **{one.name: known[one.name] for one in fields(Comparison) if one.name != "table"})


def expected_seconds(workspace: Workspace, spec: FeatureSpec, photos: int = PHOTOS) -> float:
    """What `compare_remedies` will take. Arguments as there; raises InputError where there are too few photos."""
    drawn = _drawn(workspace.photos(), photos)
    fits = len(CS) * FOLDS * sum(not name.startswith(LOGITS) for name in TRIED)
    before = predicted_seconds(workspace, [Candidate(spec)], drawn)
    return before + fits * len(drawn) * drawn["label"].nunique() * SVM_SECONDS / 9


def compare_remedies(
    workspace: Workspace,
    spec: FeatureSpec,
    objective: str = "",
    photos: int = PHOTOS,
    own: Sequence[str] = (),
    progress: Progress = silent,
) -> Comparison:
    """Compare remedies on a workspace's train and validation photos; the result is kept.

    Parameters
    ----------
    workspace, spec
        The photos, and the features that SVMs are fitted on.
    objective
        What counts (objectives); "": what counts in this workspace.
    photos
        How many, at most.
    own
        Further remedies beside TRIED, such as weights of one's own.
    progress
        Called with the progress; may raise Stopped: features are kept.

    Raises
    ------
    InputError
        There are too few photos, or the network can't be used with them.
    """
    drawn = _drawn(workspace.photos(), photos)
    judged_by = objective_of(objective or what_counts(workspace), sorted(drawn["label"].unique()))
    matrix = features(workspace, drawn, spec, lambda share, words: progress(share / 2, words)).matrix
    labels, groups = (drawn[name].to_numpy(dtype=object) for name in ("label", "group"))
    tried = [*dict.fromkeys([*TRIED, *own])]
    found = compared(
        matrix,
        labels,
        groups,
        judged_by,
        tried,
        lambda share, words: progress(0.5 + share / 2, words),
        dependent(drawn),
    )
    balance = f"{balance_of(workspace.photos())}"
    network = f"{spec.backbone} at {spec.image_size} pixels"
    made = replace(found, balance=balance, network=network, measured_on=grouped_id(workspace.photos()))
    made.save(workspace)
    return made


def compared(
    matrix: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    objective: Objective,
    tried: Sequence[str] = TRIED,
    progress: Progress = silent,
    together: ArrayLike | None = None,
) -> Comparison:
    """Compare remedies, none among them, on features.

    Parameters
    ----------
    matrix
        Features (n, width).
    labels, groups
        Of each photo; photos of a group are on the same side.
    objective
        What counts, among the classes of the labels.
    tried
        The remedies.
    progress
        Called before each fit.
    together
        The groups again where they are more than copies: intervals allow for them.
    """
    classes = list(objective.classes)
    for name in tried:
        remedy_of(name).require(classes)
    truth = np.array([classes.index(label) for label in labels])
    answers: dict[str, np.ndarray] = {}
    for number, name in enumerate(tried):
        progress(number / len(tried), f"cross-validating {name}")
        by_C = [_cross_validated(matrix, labels, groups, classes, name, C) for C in CS]
        values = [objective.value(truth, chances) for chances in by_C]
        best = max(range(len(CS)), key=lambda at: values[at] if objective.HIGHER_IS_BETTER else -values[at])
        answers[name] = by_C[best]
    return concluded(answers, truth, objective, Balance(counted(labels, classes)), together)


def concluded(
    answers: Mapping[str, np.ndarray],
    truth: np.ndarray,
    objective: Objective,
    balance: Balance,
    groups: ArrayLike | None = None,
) -> Comparison:
    """What follows from the answers with each remedy, none among them.

    A remedy is recommended where it is reliably better than none among so many that were tried (Bonferroni); of several
    the best. Intervals are of the bootstrap over photos, the same samples for all.

    Parameters
    ----------
    answers
        For each remedy probabilities (n, classes), the photos in the same order.
    truth
        Class ids (n,).
    objective
        What counts.
    balance
        How far the classes are from balance.
    groups
        The group of each photo where some belong together: the bootstrap draws whole groups.
    """
    n, random = len(truth), np.random.default_rng(0)
    of_photo = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    units = int(of_photo.max()) + 1
    weights = random.multinomial(units, np.full(units, 1 / units), DRAWS).astype(float)[:, of_photo]
    drawn = {name: objective.statistic(truth, chances)(weights) for name, chances in answers.items()}
    right = {name: objective.decide(chances) == truth for name, chances in answers.items()}
    rows, sign = [], 1 if objective.HIGHER_IS_BETTER else -1
    for name, chances in answers.items():
        value = objective.value(truth, chances)
        difference, apart = value - objective.value(truth, answers[NONE]), drawn[name] - drawn[NONE]
        # two-sided: how often the difference of a sample lies on the other side of 0
        p = min(1.0, 2 * (1 + min((apart <= 0).sum(), (apart >= 0).sum())) / (DRAWS + 1)) if name != NONE else 1.0
        plain = metrics.paired(right[NONE], right[name], groups)
        numbers = (
            value,
            *np.quantile(drawn[name], (0.025, 0.975)),
            difference,
            *np.quantile(apart, (0.025, 0.975)),
            p,
            right[name].mean(),
            plain.difference,
            plain.low,
            plain.high,
        )
        rows.append({"remedy": name, **dict(zip(NUMBERS, map(float, numbers), strict=True))})
    table = pd.DataFrame(rows)
    better = table[(table["p"] < metrics.CERTAIN / max(1, len(table) - 1)) & (sign * table["difference"] > 0)]
    best = NONE if better.empty else str(better.loc[(sign * better["difference"]).idxmax(), "remedy"])
    made = Comparison(
        table,
        objective.text,
        objective.label,
        objective.HIGHER_IS_BETTER,
        n,
        best,
        "",
        str(balance),
        share=objective.SHARE,
    )
    return replace(made, why=_why(made))


def _why(found: Comparison) -> str:
    if found.recommended == NONE:
        return f"No remedy is reliably better by {found.label}."
    words = f"It brings {found.gain(found.recommended)} of {found.label}, and accuracy changes by "
    words += f"{found.costs(found.recommended)}"
    same = f"; {SAMPLING} does on average what {BALANCED} does" if found.recommended == BALANCED else ""
    return f"{words}{same}: {REMEDIES[remedy_of(found.recommended).name]}."


def _cross_validated(
    matrix: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: list[str], remedy: str, C: float
) -> np.ndarray:
    """Probabilities (n, classes) of photos by an SVM that was fitted on others."""
    chances = np.full((len(labels), len(classes)), 1 / len(classes))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # its photos are guessed
        folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(matrix, labels, groups))
    for fit, asked in folds:
        if len(asked) and len(np.unique(labels[fit])) > 1:
            svm = Svm(C, remedy=remedy_of(remedy)).fit(matrix[fit], labels[fit])
            columns = [classes.index(label) for label in svm.classes]
            chances[asked] = 0.0
            chances[np.ix_(asked, columns)] = softmax(SVM_SCALE * svm.scores(matrix[asked]), axis=1)
    return chances


def _drawn(photos: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many train and validation photos, drawn from each class in proportion.

    Raises InputError where they are too few to be cross-validated.
    """
    require_learnable(photos)
    own = photos[photos["split"] != "test"].sort_values(["sha256", "path"])
    if len(own) > most:
        own = own.groupby("label").sample(frac=most / len(own), random_state=0)
    if (own.groupby("label")["group"].nunique() >= FOLDS).sum() < 2:
        raise InputError(
            f"fewer than two classes have {FOLDS} different photos for training and validation: too few to compare "
            "remedies for imbalance on"
        )
    return own.reset_index(drop=True)


# -- the person's choice --------------------------------------------------------------------------------------


def choose_remedy(workspace: Workspace, remedy: str, why: str) -> None:
    """Have all later steps train with this remedy, unless they are told otherwise.

    Parameters
    ----------
    workspace
        In which it is written down (imbalance.json).
    remedy
        As PARAMETERS["imbalance"] takes it.
    why
        In a few words.
    """
    text = remedy_of(remedy).text
    write_json(workspace.folder / "imbalance.json", {"imbalance": text, "why": why, "time": now()})


def chosen_remedy(workspace: Workspace | None) -> str:
    """What later steps train with: the person's choice, else none."""
    try:
        return remedy_of(str(read_json(workspace.folder / "imbalance.json")["imbalance"])).text if workspace else NONE
    except FileNotFoundError:
        return NONE
