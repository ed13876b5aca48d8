"""Runs for TensorBoard: `tensorboard --logdir WORKSPACE/tracking/tensorboard`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from cvtune_nb.runs.store import StoredRun
from cvtune_nb.tracking.trackers import best_of, has_ended, measures


class TensorBoard:
    """Event files in the workspace, a folder a run."""

    def __init__(self, workspace: Path):
        self.workspace = workspace
        self.folder = workspace / "tracking" / "tensorboard"

    def write(self, run: StoredRun, epochs: pd.DataFrame, note: dict[str, Any]) -> None:
        """As in Tracker: one more file of events."""
        with self._writer(run) as writer:
            if "state" not in note:
                rows = "\n".join(f"| {name} | {value} |" for name, value in run.config.to_dict().items())
                writer.add_text("parameters", f"| parameter | value |\n|---|---|\n{rows}")
            for _, row in epochs.iterrows():
                for name, value in measures(row).items():
                    writer.add_scalar(name, value, int(row["epoch"]))
            if has_ended(run, note):
                plain = {name: _plain(value) for name, value in run.config.to_dict().items()}
                writer.add_hparams(plain, best_of(run), run_name=".")

    def add_files(self, run: StoredRun, folder: Path, note: dict[str, Any]) -> None:  # noqa: ARG002 - Tracker's
        """The export's model card."""
        with self._writer(run) as writer:
            writer.add_text(folder.name, (folder / "README.md").read_text(encoding="utf-8"))

    def _writer(self, run: StoredRun) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / run.folder.relative_to(self.workspace)))


def _plain(value: object) -> bool | float | str:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
