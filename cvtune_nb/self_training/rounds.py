"""Rounds of self-training: label what classifiers agree about, train on it, keep it where validation is not worse."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from cvtune_nb.classification import objective as judged
from cvtune_nb.classification.baseline import SvmExplorer, baseline_answers
from cvtune_nb.classification.calibration import temperature
from cvtune_nb.classification.candidates import Speeds, listed
from cvtune_nb.classification.cost import predict_cost
from cvtune_nb.classification.extra_photos import ExtraPhotos
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.model import load_best
from cvtune_nb.classification.objective import Answers, kept_chances
from cvtune_nb.classification.run import PROBABILITIES, Run, best_run, earlier_run, load_run, run_with
from cvtune_nb.classification.train import fit
from cvtune_nb.data import walk
from cvtune_nb.data.pixels import pixels
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.files import Progress, silent
from cvtune_nb.models import networks as torch_networks
from cvtune_nb.parameters import SELF_TRAINING_PARAMETERS as PARAMETERS
from cvtune_nb.parameters import Config
from cvtune_nb.runs.cost import DECODE_SECONDS
from cvtune_nb.self_training.agreement import Agreement, most_of_a_class
from cvtune_nb.self_training.decisions import Decisions
from cvtune_nb.self_training.pool import Pool, fair, read_pool
from cvtune_nb.self_training.result import LABELS, Round, SelfTraining, folder_of, last
from cvtune_nb.workspace import Workspace

NETWORKS = 3
"""Frozen networks that have to agree, where so many can be used without a download."""
COMPARE_SECONDS = 0.005
"""To look for copies of a photo (docs/measurements.md, "Photos labelled by machine")."""
BATCH = 32


def frozen_networks(workspace: Workspace, spec: FeatureSpec, names: Sequence[str] = ()) -> list[FeatureSpec]:
    """The frozen networks that have to agree: that of `spec`, and others at its size that need no download.

    Parameters
    ----------
    workspace
        Whose photos they have to suit.
    spec
        The network that is tuned.
    names
        The others; none: the first two that can be used here.

    Raises
    ------
    InputError
        One that is named can't be used here.
    """
    shown = spec.preprocessing
    there = listed(workspace, names, [spec.image_size], pooling="last", framing=shown.framing, aspect=shown.aspect)
    for one in there if names else []:
        if not one.usable:
            raise InputError(f"{one.spec.backbone} can't be used: {one.why_not}")
    others = [one.spec for one in there if one.usable and one.spec.backbone != spec.backbone]
    return [spec, *(others if names else others[: NETWORKS - 1])]


def expected_seconds(
    workspace: Workspace,
    folder: str | Path,
    config: Config,
    rounds: int = PARAMETERS["rounds"].default,
    train: bool = False,
    names: Sequence[str] = (),
    most: float = PARAMETERS["most"].default,
) -> float:
    """What `self_train` will take: reading, features, looking for copies, and training where that is asked for.

    Parameters
    ----------
    workspace, folder, config, rounds, train, names, most
        As in `self_train`.
    """
    paths, _ = walk.photos_in([Path(folder).expanduser().resolve()])
    photos = workspace.photos()
    specs = frozen_networks(workspace, FeatureSpec.of(config), names)
    speeds, known = Speeds(workspace, specs), photos["sha256"].tolist()
    seconds = len(paths) * (DECODE_SECONDS * 2 + sum(1 / speeds.of(spec) for spec in specs))
    seconds += sum(speeds.features_seconds(spec, known) for spec in specs)
    seconds += (len(paths) + len(photos)) * COMPARE_SECONDS
    classes, training = photos["label"].nunique(), photos.loc[photos["split"] == "train", "label"]
    seconds += speeds.fit_seconds(len(training), classes) * len(specs) * (rounds + 1)
    if train:
        extra = min(len(paths), most_of_a_class(training, most) * classes)
        seconds += predict_cost(workspace, config, extra=extra).seconds * rounds
        if earlier_run(workspace, config) is None:
            seconds += predict_cost(workspace, config).seconds
    return seconds


def self_train(
    workspace: Workspace,
    folder: str | Path,
    config: Config,
    rounds: int = PARAMETERS["rounds"].default,
    train: bool = False,
    names: Sequence[str] = (),
    least: float = PARAMETERS["least"].default,
    most: float = PARAMETERS["most"].default,
    weight: float = PARAMETERS["weight"].default,
    progress: Progress = silent,
) -> SelfTraining:
    """Label photos of a folder by machine where classifiers agree, and train on them with the labelled ones.

    In each round the SVMs of several frozen networks, and the best fine-tuned one where there is any, are asked. What
    they agree about is trained on, and that is kept only if validation is not worse, by what counts in the workspace
    and on the same photos: a network is compared with the same run without them. A person's decisions about earlier
    labels hold. The SVM that is kept becomes the workspace's baseline, unless the one there is better. Stopped, raised
    in `progress`, ends it; before the first round it passes through. The same call goes on from there.

    Parameters
    ----------
    workspace, folder
        The labelled photos, and the folder without labels, which is only read.
    config
        The run to train, of which the SVM has the network and what it is shown.
    rounds
        So many at most.
    train
        Train a network in each round, and not only the SVM.
    names
        Frozen networks that have to agree besides (`frozen_networks`).
    least, most
        The mean probability from which a photo is labelled, and how many of a class, as a multiple of what classes
        have in the median.
    weight
        How much one counts beside a labelled photo, 0 to 1; one that a person has confirmed counts 1.
    progress
        Called with the fraction done and what is under way.

    Raises
    ------
    InputError
        The folder has no photo that is new, a network can't be used, or a value lies outside of its range
        (SELF_TRAINING_PARAMETERS).
    """
    given = {"rounds": rounds, "least": least, "most": most, "weight": weight}
    rounds, least, most, weight = (PARAMETERS[name].check(value) for name, value in given.items())
    return _Rounds(workspace, folder, config, train, names, least, most, weight, progress).run(rounds)


class _Rounds:
    """The state of self-training as it goes on: `extra` is what was kept."""

    def __init__(
        self,
        workspace: Workspace,
        folder: str | Path,
        config: Config,
        train: bool,
        names: Sequence[str],
        least: float,
        most: float,
        weight: float,
        progress: Progress,
    ):
        self.begun = time.monotonic()
        self.workspace, self.folder, self.config, self.training = workspace, str(folder), config, train
        self.least, self.most, self.weight, self.progress = least, most, weight, progress
        self.specs = frozen_networks(workspace, FeatureSpec.of(config), names)
        found = read_pool(workspace, folder, progress)  # before anything that takes long: it may be refused
        self.plain = self.explorer(self.specs[0])
        self.pool: Pool = fair(workspace, found, self.plain, progress)
        self.C = {spec: self.explorer(spec).best_C(progress=progress) for spec in self.specs}
        self.extra: ExtraPhotos | None = None
        self.labels = pd.DataFrame(columns=LABELS)
        best = best_run(workspace)
        self.best: Run | None = best if best and best.state == "done" else None

    def explorer(self, spec: FeatureSpec, extra: ExtraPhotos | None = None) -> SvmExplorer:
        """The SVM on these features, and with these photos."""
        return SvmExplorer(self.workspace, spec, self.progress, imbalance=self.config.imbalance, extra=extra)

    def run(self, rounds: int) -> SelfTraining:
        """All rounds; what was kept is saved."""
        done, state, objective = list[Round](), "done", self.plain.objective
        standing = self.plain.answers(self.C[self.specs[0]])
        before = after = judged.measure(objective, standing)
        try:
            if self.training:  # what the photos gain is told beside the same run without them
                self.best = self.fitted(None)
            labels, keys = self.labels, set[str]()
            for number in range(1, rounds + 1):
                labels = self.labelled(number, labels)
                extra = ExtraPhotos(labels).usable(self.workspace.photos())
                if not len(extra) or extra.key in keys:
                    break
                keys.add(extra.key)
                one, answers = self.round(number, extra, standing)
                done.append(one)
                if one.kept or number == 1:
                    self.labels = labels
                if not one.kept:
                    break
                self.extra = extra
                if "svm" in one.kept:
                    standing, after = answers, judged.measure(objective, answers)
                    self.keep_baseline(extra, answers)
        except Stopped:
            state = "stopped"
            if not done and (earlier := last(self.workspace)):
                self.labels = earlier.labels
        found = SelfTraining(
            self.folder,
            self.labels.reset_index(drop=True),
            done,
            len(self.pool.photos),
            self.pool.reasons,
            before,
            after,
            self.best.id if self.best else "",
            state,
            time.monotonic() - self.begun,
        )
        found.save(self.workspace)
        return found

    def round(self, number: int, extra: ExtraPhotos, standing: Answers) -> tuple[Round, Answers]:
        """Train on these photos, and compare with what was kept so far; and what the SVM answers now."""
        spec, objective = self.specs[0], self.plain.objective
        self.progress(0.5, f"round {number}: the SVM with {len(extra)} more photos")
        answers = self.explorer(spec, extra).answers(self.C[spec])
        svm = judged.compare(objective, standing, answers)
        kept = ["svm"] if svm.difference >= 0 else []
        words, run, run_id = f"the SVM {objective.gain_in_words(svm.difference)}", None, ""
        if self.training and self.best:
            trained = self.fitted(extra)
            run_id, mine, theirs = trained.id, trained.answers(objective), self.best.answers(objective)
            if mine and theirs:
                run = judged.compare(objective, theirs, mine)
                words += f", fine-tuned {objective.gain_in_words(run.difference)}"
                if run.difference >= 0:
                    kept.append("run")
                    self.best = trained
        words = f"round {number}: {len(extra)} photos labelled; on validation {words}; "
        words += f"kept: {' and '.join(kept)}" if kept else "not kept"
        return Round(number, len(extra), svm, run, run_id, tuple(kept), words), answers

    def labelled(self, number: int, before: pd.DataFrame) -> pd.DataFrame:
        """The photos that are labelled in this round (LABELS), with the person's decisions."""
        photos, decisions = self.pool.photos, Decisions(self.workspace)
        said = self.agreement(number)
        known = self.workspace.photos()
        most = most_of_a_class(known.loc[known["split"] == "train", "label"], self.most)
        decided = photos["sha256"].map(decisions.of)
        rows = [row for row in said.chosen(self.least, most) if decided[row] is None]
        rows += [row for row in np.flatnonzero(decided.notna()) if decided[row].action != "exclude"]
        table = photos.iloc[rows][["path", "sha256", "width", "height"]].reset_index(drop=True)
        of_person = [decided[row] for row in rows]
        first = before.set_index("sha256")["round"].to_dict()
        return table.assign(
            label=[one.label if one else said.labels[row] for row, one in zip(rows, of_person, strict=True)],
            weight=[1.0 if one else self.weight for one in of_person],
            probability=said.probability[rows].round(4),
            round=[first.get(key, number) for key in table["sha256"]],
            agreed=[said.in_words()[row] for row in rows] if len(rows) else [],
            decision=[one.words if one else "" for one in of_person],
        )[LABELS]

    def agreement(self, number: int) -> Agreement:
        """What the classifiers with what was kept so far say of the pool."""
        photos, chances = self.pool.photos, dict[str, np.ndarray]()
        for place, spec in enumerate(self.specs):
            self.progress(0.3 + 0.05 * place, f"round {number}: asking {spec.backbone}")
            matrix = features(self.workspace, photos, spec, self.progress).matrix
            chances[spec.backbone] = self.explorer(spec, self.extra).chances_of(matrix, self.C[spec])
        if self.best:
            chances[self.best.id] = self.chances_of_run(self.best)
        return Agreement.of(self.plain.classes, chances)

    def chances_of_run(self, run: Run) -> np.ndarray:
        """Calibrated probabilities (n, classes) of the pool by a fine-tuned network."""
        spec, network = FeatureSpec.of(run.config), load_best(run).to(torch_networks.device())
        squares, logits = pixels(self.workspace, self.pool.photos, spec.preprocessing, self.progress), []
        for first in range(0, len(squares), BATCH):
            self.progress(0.4, f"asking run {run.id}: {first} of {len(squares)} photos")
            logits.append(
                torch_networks.forward(network, squares.centre(range(first, min(first + BATCH, len(squares)))))
            )
        chances, known = kept_chances(run.folder / PROBABILITIES), run.predictions()
        warmth = 1.0
        if chances is not None and len(chances) == len(known):
            truth = pd.Index(run.classes).get_indexer(known["label"])
            warmth = temperature(np.log(np.maximum(chances, 1e-12)), truth)
        return softmax(np.concatenate(logits) / warmth, axis=1)

    def fitted(self, extra: ExtraPhotos | None) -> Run:
        """The run with these photos, trained now or before. Raises Stopped where it was stopped."""
        known = run_with(self.workspace, self.config, extra) if extra else earlier_run(self.workspace, self.config)
        run = fit(self.workspace, self.config, run=known and known.id, progress=self.progress, extra=extra)
        if run.state == "stopped":
            raise Stopped
        return load_run(self.workspace, run.id)

    def keep_baseline(self, extra: ExtraPhotos, answers: Answers) -> None:
        """Make the SVM with these photos the workspace's baseline, unless the one there is is better."""
        there = baseline_answers(self.workspace, self.plain.objective)
        if there and judged.compare(self.plain.objective, there, answers).difference < 0:
            return
        extra.save(folder_of(self.workspace) / extra.key)
        self.explorer(self.specs[0], extra).fit(self.C[self.specs[0]], compare=False).save(self.workspace)
