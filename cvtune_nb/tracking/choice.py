"""The trackers that a workspace has chosen, and how its runs get into them."""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cvtune_nb.errors import InputError
from cvtune_nb.files import read_json, write_json
from cvtune_nb.runs import distributed
from cvtune_nb.runs.fitting import OnEpoch
from cvtune_nb.runs.store import TRAINING, StoredRun
from cvtune_nb.tracking.trackers import NONE, TRACKERS, Tracker, trackers_of
from cvtune_nb.workspace import Workspace

NOTES = "tracked.json"
"""In the folder of a run: what its trackers have of it."""


def chosen(workspace: Workspace) -> str:
    """The workspace's trackers, such as "mlflow", or NONE."""
    try:
        return str(read_json(_file(workspace))["trackers"])
    except FileNotFoundError:
        return NONE


def choose(workspace: Workspace, text: str) -> None:
    """Have all runs of this workspace written into these trackers from now on (tracking.json).

    Raises InputError for one that there is not, and where its package is missing.
    """
    write_json(_file(workspace), {"trackers": "+".join(trackers_of(text)) or NONE})


def _file(workspace: Workspace) -> Path:
    return workspace.folder / "tracking.json"


@dataclass
class Following:
    """Writes runs into trackers. A tracker that fails never ends the training: it is warned of once.

    folder: the workspace's. names: of the trackers. failed: what went wrong, by name.
    """

    folder: Path
    names: list[str]
    failed: dict[str, str] = field(default_factory=dict)

    def then(self, on_epoch: OnEpoch[Any] | None) -> OnEpoch[Any] | None:
        """An on_epoch that writes the run down, and calls this one.

        A tracker that has failed is left alone until the run ends: waiting for it might take longer than the epochs.
        """
        if not self.names:
            return on_epoch

        def both(run: StoredRun) -> None:
            self._write_to([name for name in self.names if name not in self.failed], replace(run, state=TRAINING))
            if on_epoch:
                on_epoch(run)

        return both

    def write(self, run: StoredRun) -> None:
        """Write what the trackers lack of a run and of its exports in the workspace."""
        self._write_to(self.names, run)

    def _write_to(self, names: list[str], run: StoredRun) -> None:
        if not names or distributed.rank():
            return
        file = run.folder / NOTES
        notes = read_json(file) if file.exists() else {}
        for name in names:
            note = notes.setdefault(name, {})
            try:
                self._write(TRACKERS[name].make(self.folder), run, note)
            except Exception as error:  # noqa: BLE001 - whatever a tracker raises, training goes on
                self._warn(name, error)
        write_json(file, notes)

    def _write(self, tracker: Tracker, run: StoredRun, note: dict[str, Any]) -> None:
        new = run.history[run.history["epoch"] > note.get("epoch", -1)]
        tracker.write(run, new, note)
        note["state"] = run.state
        if len(new):
            note["epoch"] = int(new["epoch"].max())
        for config in sorted((self.folder / "exports").glob("*/config.json")):
            folder, known = config.parent, note.setdefault("exports", [])
            if folder.name not in known and read_json(config).get("run") == run.id:
                tracker.add_files(run, folder, note)
                known.append(folder.name)

    def _warn(self, name: str, error: Exception) -> None:
        if name not in self.failed:
            words = " ".join(str(error).split()) or type(error).__name__
            self.failed[name] = words[:300]
            warnings.warn(
                f"{name} could not be written to ({words[:300]}): training goes on; the end of the run, or "
                "`cvtune track`, writes what is missing",
                stacklevel=2,
            )


def following(workspace: Workspace) -> Following:
    """What writes this workspace's runs into the trackers that it has chosen.

    Raises InputError where the package of one is missing.
    """
    try:
        return Following(workspace.folder, trackers_of(chosen(workspace)))
    except InputError as error:
        raise InputError(f"{error}; or track nothing: cvtune track DIR --with {NONE}") from None
