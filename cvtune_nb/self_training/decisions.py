"""What a person decides about photos that were labelled by machine; used in the next round, and never forgotten."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cvtune_nb.errors import InputError
from cvtune_nb.files import JsonObject, append_json_lines, read_json_lines
from cvtune_nb.workspace import Workspace, now

WORDS = {"keep": "confirmed", "relabel": "relabelled", "exclude": "dropped"}
"""The decisions, and what they are called once they are made."""


@dataclass(frozen=True)
class Decision:
    """action: keep (the label is right), relabel or exclude (not to train on); label: what it is, "" of the last."""

    action: str
    label: str

    @property
    def words(self) -> str:
        """For example "relabelled to lime"."""
        return WORDS[self.action] + (f" to {self.label}" if self.action == "relabel" else "")


class Decisions:
    """The decisions of a workspace, by the content of the photo (self_training/decisions.jsonl, which only grows)."""

    def __init__(self, workspace: Workspace):
        self.file = Path(workspace.folder) / "self_training" / "decisions.jsonl"
        self.workspace = workspace
        self.refresh()

    def refresh(self) -> None:
        """Read them again: another program may have made some."""
        stacks: dict[str, list[JsonObject]] = {}
        for act in read_json_lines(self.file):
            stack = stacks.setdefault(act["sha256"], [])
            if act["action"] != "undo":
                stack.append(act)
            elif stack:
                stack.pop()
        self._standing = {key: Decision(acts[-1]["action"], acts[-1]["label"]) for key, acts in stacks.items() if acts}

    def __len__(self) -> int:
        return len(self._standing)

    def of(self, sha256: str) -> Decision | None:
        """The one in force about a photo, if there is any."""
        return self._standing.get(sha256)

    def decide(self, path: str, sha256: str, action: str, label: str) -> str:
        """Write one down, at once; the one in force already is not written again.

        Parameters
        ----------
        path, sha256
            The photo.
        action
            keep, relabel, exclude, or undo.
        label
            What it was labelled by machine, or with relabel, what it is.

        Returns
        -------
        str
            The decision in words.

        Raises
        ------
        InputError
            For an action that there is not, and for a class that the workspace has not.
        """
        return self.decide_all([(path, sha256, action, label)])

    def decide_all(self, acts: Iterable[tuple[str, str, str, str]]) -> str:
        """The same about many photos: path, sha256, action and label of each."""
        self.refresh()
        lines, classes, said = [], self.workspace.classes, "nothing decided"
        for path, sha256, action, label in acts:
            if action not in (*WORDS, "undo"):
                raise InputError(f"{action!r} is not a decision: choose {', '.join(WORDS)} or undo")
            if action in ("keep", "relabel") and label not in classes:
                raise InputError(f"{label!r} is no class of this workspace: choose {', '.join(classes)}")
            made = None if action == "undo" else Decision(action, "" if action == "exclude" else label)
            said = f"{path}: {made.words if made else 'decision taken back'}"
            if made != self.of(sha256):
                kept = made.label if made else ""
                lines.append({"time": now(), "sha256": sha256, "path": path, "action": action, "label": kept})
        if lines:
            append_json_lines(self.file, *lines)
            self.refresh()
        return said if len(lines) < 2 else f"{len(lines)} photos decided"
