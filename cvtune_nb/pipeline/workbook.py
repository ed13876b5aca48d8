"""The whole workbook in one call and within a time budget: audit, baseline, training, the ladder, export."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cvtune_nb import classification
from cvtune_nb.advice import advise
from cvtune_nb.audit import audit
from cvtune_nb.classification import SVM, Export, Run, export_run
from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.candidates import Candidate
from cvtune_nb.classification.choice import BY_HAND, RECOMMENDED, choice, choose, choose_framing
from cvtune_nb.classification.combining import combine
from cvtune_nb.classification.combining import expected_seconds as combined_seconds
from cvtune_nb.classification.combining.chooser import MOST_NETWORKS
from cvtune_nb.classification.compare import compare
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.framing import compare_framings, expected_seconds
from cvtune_nb.console import duration, table
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.escalation import Escalation, escalate, sweep
from cvtune_nb.escalation.parameter_sweep import run_to_search_round
from cvtune_nb.files import Progress, silent
from cvtune_nb.objectives.counted import before_accuracy
from cvtune_nb.parameters import Config
from cvtune_nb.pipeline.offer import offers
from cvtune_nb.pipeline.planner import EXPORT_SECONDS, LEAST_EPOCHS, Planner
from cvtune_nb.pipeline.presets import TRAINING, TRIALS, USUAL, Preset
from cvtune_nb.workspace import Workspace

COMPARISON_SHARE = 0.2
"""Fraction of the time left that comparing networks gets; features of the one that wins are needed later anyway."""
FRAMING_SHARE = 0.2
"""Fraction of the time left that comparing framings gets, where the audit says that the crop cuts off much."""
AUDIT_SHARE = 0.4
"""Fraction of the time left after which an audit is broken off; the baseline uses the features it computed."""
LADDER_SHARE = 0.45
"""Fraction of the time left for training that the ladder's higher rungs get, when one of them fits into it."""
SWEEP_SHARE = 0.3
"""Fraction of the time left for training that the sweep gets of the ladder's, where a preset has both."""
USUAL_C = 1.0
"""C of the SVM where there is no time to choose it (docs/measurements.md, "A sketch of fine-tuning")."""


def run_values(run: Run, workspace: Workspace) -> dict[str, Any]:
    """A run and what to do next, as plain values: the JSON of `cvtune train`."""
    return {**run.to_dict(), "findings": [finding.to_dict() for finding in advise(workspace, run)]}


def escalation_values(result: Escalation) -> dict[str, Any]:
    """What climbing the ladder gave, as plain values: the JSON of `cvtune escalate`."""
    return {"rungs": result.rungs.to_dict("records"), "best": result.best, "why": result.why}


def shortened(config: Config, epochs: int) -> Config:
    """`config` with `epochs` epochs; a typed schedule keeps its shape."""
    if epochs >= config.epochs:
        return config
    if config.schedule and epochs:
        kept = [config.rates[i * config.epochs // epochs] for i in range(epochs)]
        return replace(config, schedule=str(kept))
    return replace(config, epochs=epochs, schedule="")


class Workbook(Planner):
    """One pass through the workbook.

    `found` collects what each step gave, as plain values; a step that can't be done with these photos, on this machine
    or in the time left is skipped there, with its reason. `config` gives what is trained first once the photos are
    open, for the network to start with may have been chosen in the workspace. `candidates` gives the networks that are
    compared before; None: none are. `framed`: the person says how photos are framed, which is not compared then.
    `started` and `deadline` are times of time.monotonic. `preset`: what is trained after the baseline.
    """

    def __init__(
        self,
        config: Callable[[Workspace], Config],
        started: float,
        budget_seconds: float,
        progress: Progress,
        candidates: Callable[[Workspace], list[Candidate]] | None = None,
        framed: bool = False,
        preset: Preset = USUAL,
    ) -> None:
        self.configured, self.candidates, self.framed, self.preset = config, candidates, framed, preset
        self.told, self.expected_seconds = progress, 0.0
        self.combination = ""
        self.started, self.deadline = started, started + budget_seconds
        self.found: dict[str, Any] = {"state": "done", "budget_seconds": budget_seconds, "notes": []}
        self.impossible: dict[Config, str] = {}

    def run(self, open_workspace: Callable[[Progress], Workspace]) -> dict[str, Any]:
        """Do every step that fits and end with an export; returns `found`. Raises InputError and OSError.

        A step that the budget or the person ended says so, and what it computed is kept in the workspace. InputError
        means that not even the baseline can be made or exported.
        """
        try:
            self.workspace = open_workspace(self.until(self.deadline))
            if self.candidates:
                self.unless_impossible("compare", self.compare)
            self.config = self.configured(self.workspace)
            if self.preset.name:
                self.announce()
            self.audit(AUDIT_SHARE * self.left())
            if self.cut_off() and not self.framed:
                self.unless_impossible("framing", self.framing)
            self.baseline()
            if self.found["audit"]["state"] == "out of time":  # its features are there now: most of its work
                self.audit(min(AUDIT_SHARE * self.left(), self.left() - EXPORT_SECONDS))
                if self.cut_off() and not self.framed:
                    self.skip("framing", "the audit came too late for it: `cvtune compare --framings` does it")
            for step in self.preset.steps:
                self.unless_impossible(step, getattr(self, TRAINING[step]))
            self.export()
        except Stopped:
            self.found["state"] = "stopped"
            self.note("stopped early; what was done is kept, and the same command goes on from there")
        self.found["seconds"] = round(time.monotonic() - self.started, 1)
        return self.found

    def summary(self) -> str:
        """`found` as a table to read."""
        return table(self.rows(), ["step", "result", "seconds", "what"])

    def rows(self) -> list[dict[str, Any]]:
        """A row for each step: step, result, seconds, and what it gave."""
        found, rows = self.found, list[dict[str, Any]]()
        compared = ("compare",) if self.candidates else ()
        framings = ("framing",) if "framing" in found else ()
        for step in (*compared, "audit", *framings, "baseline", *self.preset.steps, "export"):
            values = found.get(step, {"state": "not begun"})
            rows.append({"step": step, "result": values["state"], "seconds": values.get("seconds")})
            if "issues" in values:
                rows[-1]["what"] = ", ".join(f"{count} {name}" for name, count in values["issues"].items())
            if "validation_accuracy" in values:
                rows[-1]["what"] = f"{before_accuracy(values)}validation accuracy {values['validation_accuracy']:.1%}"
            if "why" in values:
                rows[-1]["what"] = values["why"]
            if values.get("test_accuracy") is not None:
                counts = before_accuracy(values)
                rows[-1]["what"] = f"{counts}test accuracy {values['test_accuracy']:.1%}; {values['folder']}"
        return rows

    def progress(self, share: float, words: str) -> None:
        """Pass it on, with the time that is left where it is known what all will take."""
        left = self.started + self.expected_seconds - time.monotonic()
        self.told(share, f"{words}; about {duration(left)} left" if left > 0 else words)

    def announce(self) -> None:
        """Say what the preset is expected to take and to reach."""
        offer = next(iter(offers(self.workspace, self.config, [self.preset], self.left(), self.until(self.deadline))))
        self.found["offer"], self.expected_seconds = offer.to_dict(), offer.seconds
        self.expected_seconds += time.monotonic() - self.started
        self.note(f"expected beforehand, {offer.words}")

    def reserve(self, config: Config) -> float:
        """Seconds of the export; that of a combination has several networks to write, check and try."""
        return super().reserve(config) * (MOST_NETWORKS if "combine" in self.preset.steps else 1)

    def note(self, words: str) -> None:
        """Something the person should know about how it went."""
        self.found["notes"].append(words)

    def skip(self, step: str, why: str) -> None:
        """Write down that a step was not done."""
        self.found[step] = {"state": "skipped", "why": why}

    def unless_impossible(self, step: str, do: Callable[[], None]) -> None:
        """Do a step; where it can't be done it is skipped, with the reason."""
        try:
            do()
        except InputError as error:
            self.skip(step, str(error))

    def compare(self) -> None:
        """Which network to go on with: the one recommended for what counts, unless the person chose one by hand."""
        assert self.candidates, "only called where there are some"
        if (chosen := choice(self.workspace)) and chosen.why == BY_HAND:
            self.skip("compare", f"{chosen}")
            return
        there = self.candidates(self.workspace)
        found = compare(self.workspace, there, budget_seconds=COMPARISON_SHARE * self.left(), progress=self.progress)
        self.progress(1.0, "compared")  # raises Stopped again when it was the person
        if "accuracy" in found.recommended:
            why = f"recommended for {found.use_in_words('accuracy')}"
            chosen = choose(self.workspace, found.recommended["accuracy"].spec, why)
        why = f"goes on with {chosen}" if chosen else "its share of the budget was too short for any network"
        values = {**found.to_dict(), "seconds": found.seconds, "why": why}
        self.found["compare"] = {"state": "done", **values, "start_with": chosen and chosen.spec.to_dict()}

    def audit(self, seconds: float) -> None:
        """Look at the data, unless that takes longer than `seconds`."""
        if seconds <= 0:
            return
        end = time.monotonic() + seconds
        try:
            result = audit(self.workspace, FeatureSpec.of(self.config), self.until(end))
        except Stopped:
            self.progress(1.0, "the audit was broken off")  # raises Stopped again when it was the person
            why = "the audit did not fit into the budget: `cvtune audit` with this workspace goes on with it"
            self.found["audit"] = {"state": "out of time", "why": why}
            return
        except InputError as error:
            self.skip("audit", str(error))
            return
        counts = {name: int(n) for name, n in result.issues["issue"].value_counts().items()}
        self.found["audit"] = {
            "state": "done",
            "seconds": result.seconds,
            "issues": counts,
            "summary": result.summary,
        }

    def cut_off(self) -> bool:
        """Whether the audit says that much of the photos lies outside of what the network sees."""
        return "cut-off" in self.found.get("audit", {}).get("issues", {})

    def framing(self) -> None:
        """How photos should fit what the network sees: as is recommended, unless the person chose it by hand."""
        if (chosen := choice(self.workspace)) and chosen.framing_why == BY_HAND:
            self.skip("framing", f"{chosen}")
            return
        spec, room = FeatureSpec.of(self.config), FRAMING_SHARE * self.left()
        expected, begun = expected_seconds(self.workspace, spec), time.monotonic()
        too_long = f"about {duration(expected)}, which does not fit into its share of the budget"
        if expected > room:
            self.skip("framing", f"comparing framings takes {too_long}: `cvtune compare --framings` does it")
            return
        try:
            found = compare_framings(self.workspace, spec, progress=self.until(begun + room))
        except Stopped:
            self.progress(1.0, "comparing framings was broken off")  # raises Stopped again when it was the person
            self.skip("framing", "it took longer than its share of the budget: `cvtune compare --framings` goes on")
            return
        chosen = choose_framing(self.workspace, found.recommended, RECOMMENDED)
        self.config = self.configured(self.workspace)
        why = f"much is cut off, so framings were compared: {found.recommended}. {found.why}"
        values = {**found.to_dict(), "seconds": time.monotonic() - begun, "why": why}
        self.found["framing"] = {"state": "done", **values, "start_with": chosen.spec.to_dict()}

    def baseline(self) -> None:
        """The SVM on the frozen network, which training starts from."""
        try:
            spec, imbalance = FeatureSpec.of(self.config), self.config.imbalance
            explorer = SvmExplorer(self.workspace, spec, self.until(self.deadline), imbalance=imbalance)
        except Stopped:
            self.progress(1.0, "the baseline was broken off")
            self.note("the budget ended before the features of all photos were there, so nothing was trained")
            raise
        try:
            result = explorer.fit(progress=self.until(time.monotonic() + self.left() / 2))
        except Stopped:
            self.progress(1.0, "choosing C was broken off")  # raises Stopped again when it was the person
            self.note(f"the SVM has C = {USUAL_C:g}: the budget had no time to choose it on validation")
            result = explorer.fit(USUAL_C, compare=False)
        result.save(self.workspace)
        self.found["baseline"] = {"state": "done", **result.to_dict()}

    def train(self) -> None:
        """Train the config asked for, with as many epochs as leave time for the next rung and the export."""
        if self.left() < EXPORT_SECONDS:
            self.skip("train", "the time left of the budget is kept for the export")
            return
        room = self.room(self.config)
        if "escalate" in self.preset.steps and self.worth_trying(room * LADDER_SHARE):
            higher = next(filter(self.possible, self.higher_rungs()), None)
            if higher and self.epochs_in(room * LADDER_SHARE, [higher]) >= LEAST_EPOCHS:
                room *= 1 - LADDER_SHARE
        config = shortened(self.config, self.epochs_in(room, [self.config]))
        if not config.epochs and self.config.epochs:
            self.skip("train", "not one epoch fits into the budget besides the export")
            return
        if config.epochs < self.config.epochs:
            self.note(f"training got {config.epochs} of {self.config.epochs} epochs: what fits into the budget")
        earlier = classification.earlier_run(self.workspace, config, at_least=True)
        end = self.deadline - self.reserve(config)
        run = classification.fit(self.workspace, config, run=earlier and earlier.id, progress=self.until(end))
        self.found["train"] = run_values(run, self.workspace)
        self.progress(1.0, "trained")  # raises Stopped again when it was the person who ended it

    def climb(self) -> None:
        """The ladder's higher rungs: as many as get a few epochs each."""
        higher, rungs, why = self.higher_rungs(), [], ""
        for rung in higher if self.worth_trying(self.room(self.config)) else []:
            if not self.possible(rung):
                continue
            if self.epochs_in(self.room(rung), [*rungs, rung]) < min(LEAST_EPOCHS, rung.epochs):
                why = f"the budget has no room for {FeatureSpec.of(rung)} and beyond"
                break
            rungs.append(rung)
        for rung, reason in self.impossible.items():
            self.note(f"rung skipped, {FeatureSpec.of(rung)}: {reason}")
        if not rungs:
            if not higher:
                why = f"the ladder has no rung above {FeatureSpec.of(self.config)}"
            elif not why:
                none = len(self.impossible) == len(higher)
                why = "no higher rung can be run here" if none else "no higher rung fits into the budget"
            self.found["escalate"] = {"state": "skipped", "rungs": [], "best": "", "why": why}
            return
        if why:
            self.note(why)
        seconds = self.room(rungs[-1]) * (1 - SWEEP_SHARE if "sweep" in self.preset.steps else 1)
        trained = self.found["train"].get("run")
        config = trained and classification.load_run(self.workspace, trained).config
        first = [config] if self.found["train"]["state"] == "done" else []
        result = escalate(self.workspace, first + rungs, seconds, progress=self.progress)
        self.found["escalate"] = {"state": "done", **escalation_values(result)}
        self.progress(1.0, "climbed")

    def search(self) -> None:
        """A few trials round the best run, in what is left of the time beside what combining and the export take."""
        best = run_to_search_round(self.workspace)
        if best is None:
            self.skip("sweep", "no run is there to search round")
            return
        seconds = self.room(best.config) - combined_seconds(self.workspace)
        if seconds < self.cost(best.config)[1] * LEAST_EPOCHS:
            self.skip("sweep", "the time left of the budget is kept for the export")
            return
        begun, result = time.monotonic(), sweep(self.workspace, best.config, TRIALS, seconds, progress=self.progress)
        self.progress(1.0, "searched")  # raises Stopped again when it was the person
        values = {"trials": result.trials.to_dict("records"), "best": result.best, "why": result.why}
        self.found["sweep"] = {"state": "done", "seconds": time.monotonic() - begun, **values}

    def combine(self) -> None:
        """Combine what there is; what is worth it is exported instead of the best run."""
        seconds = self.left() - self.reserve(self.config)
        if seconds <= 0:
            self.skip("combine", "the time left of the budget is kept for the export")
            return
        begun, made = time.monotonic(), combine(self.workspace, budget_seconds=seconds, progress=self.progress)
        self.combination = made.id if made.kept else ""
        self.found["combine"] = {"state": "done", "seconds": time.monotonic() - begun, **made.to_dict()}
        self.found["combine"]["why"] = " ".join(made.words)

    def export(self) -> None:
        """Export what the preset made, else the best run by what counts; evaluate it on the test photos.

        That is the combination that was kept, the run of a preset that trains one, and the SVM of one that trains none.
        Where it can't be exported it is the best run, and without one the SVM on the frozen network.
        """
        best, whys = classification.best_run(self.workspace), list[str]()
        if best is None and len(classification.runs(self.workspace)):
            whys.append("no run on today's photos has a finished epoch")
        own = self.combination or {(): SVM, ("train",): self.found.get("train", {}).get("run")}.get(self.preset.steps)
        name, made = self._first_exported(filter(None, dict.fromkeys((own, best and best.id))), whys)
        if whys and name != own:
            what = "the SVM on the frozen network" if name == SVM else f"run {name}"
            self.note(f"{what} was exported, for {'; '.join(whys)}")
        if self.preset.name and best and name == own and own not in (best.id, self.combination):
            self.note(f"run {best.id}, trained before, may be better: `cvtune export --run best` exports it")
        self.found["export"] = {"state": "done", **made.to_dict()}

    def _first_exported(self, names: Iterable[str], whys: list[str]) -> tuple[str, Export]:
        """The first of some classifiers that can be exported, else the SVM; `whys` gets why the others can't be."""
        for name in names:
            try:
                return name, export_run(self.workspace, name, progress=self.progress)
            except InputError as error:
                whys.append(f"{'' if name in (SVM, self.combination) else 'run '}{name} can't be: {error}")
        return SVM, export_run(self.workspace, SVM, progress=self.progress)


def run_preset(
    workspace: Workspace, config: Config, preset: Preset, budget_seconds: float, progress: Progress = silent
) -> dict[str, Any]:
    """Do a preset in a workspace that is open.

    Parameters
    ----------
    workspace, config
        The photos, and what is trained first.
    preset, budget_seconds
        What is done, and how long it may take.
    progress
        Called with the progress.

    Returns
    -------
    What `Workbook.run` gives, with "rows" (`Workbook.rows`) and the name of the "preset".
    """
    workbook = Workbook(lambda _: config, time.monotonic(), budget_seconds, progress, preset=preset)
    found = workbook.run(lambda _: workspace)
    return {**found, "rows": workbook.rows(), "preset": preset.name}
