"""Workspace: the folder where everything about one data set is kept.

What is on disk is the state: any notebook or command can be started alone from it.
"""

import copy
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import (
    JsonObject,
    append_json_lines,
    read_csv,
    read_json,
    read_json_lines,
    sha256_of,
    size_of,
    write_csv,
    write_json,
)

ACTIONS = ("relabel", "exclude", "keep", "undo")
PAIR_ACTIONS = ("distinct", "same")
"""What can be decided about two photos: that they are no copies of each other, and that taken back."""
MANIFEST_COLUMNS = ["path", "label", "split", "group", "copies", "sha256", "width", "height", "bytes"]
TABLES = ("manifest.csv", "detection/photos.csv")
"""The photos of classifiers and those of detectors, in a workspace."""
LONG_AGO = 1e9
"""No table was written before (2001): its time says that all photos are to be looked at again."""
CONVERTS = 2
"""1: colours with an embedded profile are converted to sRGB; 2: those that a file tells without one, too."""
SAMPLE = 500
"""Photos whose content is compared to find out whether they are those of a workspace."""

_TEXT = {"path": str, "label": str, "split": str, "group": str, "copies": str, "sha256": str}


def home() -> Path:
    """Where workspaces and the sample photos are kept by default.

    $CVTUNE_HOME, or data/ in the checkout the command or notebook runs from, or cvtune/ in the person's home folder.
    """
    if os.environ.get("CVTUNE_HOME"):
        return Path(os.environ["CVTUNE_HOME"]).expanduser()
    for folder in (Path.cwd(), Path.cwd().parent):
        if (folder / "cvtune_nb" / "workspace.py").exists():
            return folder / "data"
    return Path.home() / "cvtune"


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Workspace:
    """Everything about one data set, on disk; the README lists the files under "What is kept, and where".

    data is the folder that the manifest's paths are relative to; seed drew the split. layout is what the person said
    about the folders, recognised what was read from them in a few words, draw_validation whether classes without given
    validation photos get some of their train photos. bands are those that are shown red, green and blue of TIFFs of
    many, or none. converts: nothing is kept that was computed from photos whose colours were not converted to sRGB, as
    CONVERTS has it; earlier versions did not convert them. colours_changed: such a version has shown some of these
    photos so. group_by is the rule by which photos belong together (data.groups), "" for none. moved says, where that
    was found out just now, that the photos are somewhere else than before; grouped, which photos belong together, and
    regrouped, what that has just changed.
    """

    def __init__(self, folder: Path):
        """Open an existing workspace. Raises InputError when `folder` is none."""
        self.folder = Path(folder).resolve()
        try:
            settings = read_json(self.folder / "workspace.json")
        except FileNotFoundError:
            raise InputError(
                f"{self.folder} is not a workspace yet: open your photos first (notebook 00_start_here, or --data)"
            ) from None
        self.data = Path(settings["data"])
        self.source = settings["source"]
        self.seed = int(settings["seed"])
        self.pixels_gb: float | None = settings.get("pixels_gb")
        self.layout: str = settings.get("layout", "")
        self.recognised: str = settings.get("recognised", "")
        self.draw_validation: bool = settings.get("draw_validation", False)
        self.converts: int = settings.get("converts", 0)
        self.colours_changed: bool = settings.get("colours_changed", False)
        self.group_by: str = settings.get("group_by", "")
        self.moved = self.grouped = self.regrouped = ""
        self.bands: tuple[int, ...] = tuple(settings.get("bands", ()))
        self._mean_colours: dict[str, list[int]] = settings.get("mean_colours", {})
        self._take_levels(settings)
        self.audit = self.folder / "audit"
        self.runs = self.folder / "runs"
        self._divided: dict[str, str] = {}
        self.exports = self.folder / "exports"

    @classmethod
    def create(cls, folder: Path, data: Path, source: str, seed: int) -> "Workspace":
        """Make the folder a workspace for these photos, or open it where it is one.

        A workspace goes on with photos that were moved or copied.

        Parameters
        ----------
        folder
            The workspace's.
        data
            The folder that the photos lie under.
        source
            Where they came from, as the person gave it.
        seed
            Of the split.

        Raises
        ------
        InputError
            When the folder is a workspace for other photos.
        """
        folder = Path(folder).resolve()
        file = folder / "workspace.json"
        moved = ""
        if file.exists():
            known = cls(folder)
            moved = known.require_photos(source, data)
            if moved or known.data != data:  # a new version of a zip is unpacked into another folder
                write_json(file, {**read_json(file), "data": str(data), "source": source})
        else:
            if folder.is_file():
                raise InputError(f"the workspace {folder} is a file: choose a folder")
            known = {"data": str(data), "source": source, "seed": seed, "created": now(), "converts": CONVERTS}
            write_json(file, known)
        made = cls(folder)
        made.moved = moved
        return made

    def require_photos(self, source: str, data: Path | None, content: bool = True) -> str:
        """Raises InputError unless this is the workspace of these photos.

        Returns "", or a sentence where they were somewhere else before.

        Parameters
        ----------
        source
            Where the photos came from, as the person gave it.
        data
            The folder they lie under, as manifest.csv says; None where that is not known yet.
        content
            Compare contents, and not lengths alone.
        """
        if source == self.source:
            return ""
        agreeing, known = self.agreement(data, content) if data else (0, 1)
        gone = not Path(self.source).exists()
        if agreeing < known or not (known or gone):
            about = "about " if agreeing > SAMPLE else ""
            why = f"; of its {known} photos {about}{agreeing} are there with the same content" if agreeing else ""
            raise InputError(
                f"the workspace {self.folder} belongs to {self.source}, not to {source}{why}: choose another workspace "
                "folder"
            )
        if gone:
            return f"the photos were moved from {self.source} to {source}: the workspace goes on with them there"
        return f"{source} holds the same photos as {self.source}: the workspace belongs to it from now on"

    def agreement(self, data: Path, content: bool = True) -> tuple[int, int]:
        """(how many of the photos of this workspace lie under `data` as well, how many it has).

        With the same length and, with `content`, the same SHA-256; of more than SAMPLE photos a sample is read, always
        the same one.
        """
        file = next(
            (file for file in (self.folder / table for table in TABLES) if file.exists()),
            None,
        )
        known = read_csv(file, **_TEXT) if file else pd.DataFrame(columns=["path", "bytes", "sha256"])
        there = known[[size_of(data / row.path) == row.bytes for row in known.itertuples()]]
        if there.empty or (len(there) == len(known) and not content):
            return len(there), len(known)
        read = there.sample(min(len(there), SAMPLE), random_state=0)
        same = sum(sha256_of(data / row.path) == row.sha256 for row in read.itertuples())
        return len(there) * same // len(read), len(known)

    @property
    def chosen(self) -> str:
        """What the person chose about the photos, in a few words."""
        said = [f"layout {self.layout}"] if self.layout else []
        said += ["validation photos drawn from train where a class has none"] if self.draw_validation else []
        return f"as you chose: {', '.join(said)}" if said else ""

    def keep(self, **settings: object) -> None:
        """Keep layout, recognised, draw_validation, group_by, converts and colours_changed in workspace.json."""
        file = self.folder / "workspace.json"
        changed = {name: value for name, value in settings.items() if value != getattr(self, name)}
        for name, value in changed.items():
            setattr(self, name, value)
        if changed:
            write_json(file, {**read_json(file), **changed})

    def limit_pixels(self, gigabytes: float | str) -> None:
        """From now on keep at most so many gigabytes of decoded pixels; further photos are decoded at each reading.

        gigabytes: 0 or more, or "all": what the disk has room for. What is kept already stays. Raises InputError.
        """
        try:
            limit = None if gigabytes == "all" else float(gigabytes)
        except ValueError:
            limit = -1.0
        if limit is not None and not 0 <= limit < float("inf"):
            raise InputError(f"{gigabytes!r} is not a limit for the pixels on disk: give gigabytes from 0 up, or all")
        file = self.folder / "workspace.json"
        self.pixels_gb = limit
        write_json(file, {**read_json(file), "pixels_gb": limit})

    # -- photos of more than 8 bits a channel (data.levels) ---------------------------------------------------

    @property
    def levels(self) -> tuple[float, ...]:
        """The values of photos of more than 8 bits a channel that are shown black and white, for data.photo.

        0 and 0: what their file type can hold. Then the three bands that are shown of TIFFs of many, where these were
        chosen.
        """
        return (*((self.depth["black"], self.depth["white"]) if self.depth else (0, 0)), *self.bands)

    @property
    def cache(self) -> Path:
        """Where all that can be computed again is kept: for each choice of levels in a folder of its own."""
        black, white, *_ = self.levels
        parts = [f"levels-{black:g}-{white:g}"] if (black, white) != (0, 0) else []
        parts += [f"bands-{'-'.join(map(str, self.bands))}"] if self.bands else []
        return self.folder / "cache" / "-".join(parts)

    def keep_bands(self, bands: Sequence[int]) -> None:
        """From now on show these bands of TIFFs of many red, green and blue; all photos are to be looked at again."""
        file = self.folder / "workspace.json"
        settings = {name: value for name, value in read_json(file).items() if name != "bands"}
        write_json(file, settings | ({"bands": list(bands)} if bands else {}))
        self.bands = tuple(bands)
        for table in TABLES:
            if (self.folder / table).exists():
                os.utime(self.folder / table, (0, 0))  # every photo was written to since; FAT makes 1980 of it

    @property
    def mean_colour(self) -> tuple[int, int, int] | None:
        """Red, green and blue (0 to 255) that data.mean_colour measured with these levels; None before that."""
        if self._shown not in self._mean_colours:  # it may have been measured elsewhere since this was opened
            self._mean_colours = read_json(self.folder / "workspace.json").get("mean_colours", {})
        known = self._mean_colours.get(self._shown)
        return (known[0], known[1], known[2]) if known else None

    @property
    def _shown(self) -> str:
        """Levels and bands, as a key."""
        return " ".join(f"{value:g}" for value in self.levels)

    @property
    def shown_as(self) -> str:
        """Levels and bands where these are not the usual ones, and whether an earlier version had other colours.

        "" for all photos that were always shown as they are now.
        """
        words = [self._shown] if self.levels != (0, 0) else []
        return " ".join(words + ["sRGB"] * self.colours_changed)

    def keep_mean_colour(self, colour: tuple[int, int, int]) -> None:
        """Write it down, unless another one is there: photos were decoded with that one."""
        file = self.folder / "workspace.json"
        settings = read_json(file)
        self._mean_colours = {self._shown: list(colour), **settings.get("mean_colours", {})}
        write_json(file, {**settings, "mean_colours": self._mean_colours})

    def keep_depth(self, depth: JsonObject | None) -> None:
        """Write down what data.levels found out about such photos, and the levels; None: there are no such photos."""
        self._write_levels({"levels": depth})

    def forget_depth(self) -> None:
        """The levels are to be decided anew."""
        self._write_levels({})

    def _write_levels(self, levels: JsonObject) -> None:
        file = self.folder / "workspace.json"
        settings = {name: value for name, value in read_json(file).items() if name != "levels"} | levels
        write_json(file, settings)
        self._take_levels(settings)

    def _take_levels(self, settings: JsonObject) -> None:
        """Set depth and settled from workspace.json.

        depth: what data.levels found out, None where no photo has more than 8 bits a channel; settled: whether all
        photos were looked at for that.
        """
        self.depth: JsonObject | None = settings.get("levels")
        self.settled = "levels" in settings and (self.depth is None or "lowest" in self.depth)

    # -- photos ---------------------------------------------------------------------------------------------

    @property
    def has_manifest(self) -> bool:
        """Whether its photos were opened as those of a classifier."""
        return (self.folder / "manifest.csv").exists()

    def manifest(self) -> pd.DataFrame:
        """Every readable photo as it was found: path,label,split,group,copies,sha256,width,height,bytes.

        group: photos that belong together, and so are never on both sides of the split; copies: those of them that are
        copies of one photo, which was all that earlier versions grouped.
        """
        manifest = read_csv(self.folder / "manifest.csv", **_TEXT)
        return manifest if "copies" in manifest else manifest.assign(copies=manifest["group"])[MANIFEST_COLUMNS]

    def skipped(self) -> pd.DataFrame:
        """Every file that was left out: path,label,reason ("what it is", or "what it is; what to do")."""
        return read_csv(self.folder / "skipped.csv", path=str, label=str, reason=str)

    def save_manifest(self, manifest: pd.DataFrame, skipped: pd.DataFrame) -> None:
        """Write both tables, atomically."""
        write_csv(self.folder / "skipped.csv", skipped)
        write_csv(self.folder / "manifest.csv", manifest[MANIFEST_COLUMNS])

    def photos(self, contested: bool = False) -> pd.DataFrame:
        """The manifest with the person's decisions applied.

        Relabelled photos have their new label, excluded ones are gone, and so are photos that lie in two classes until
        one of them is excluded or relabelled; with `contested` those stay, for somebody has to be shown them to decide.
        A column `levels` where they are not shown as usual (`shown_as`): shown otherwise they are other data.
        """
        photos = self.manifest()
        standing = self.standing()
        acts = photos["path"].map(lambda path: standing.get(path, {}).get("action", ""))
        relabel = acts == "relabel"
        photos.loc[relabel, "label"] = photos.loc[relabel, "path"].map(lambda path: standing[path]["to"])
        photos = photos[acts != "exclude"]
        if not contested:
            photos = photos[photos.groupby("sha256")["label"].transform("nunique") == 1]
        if self.shown_as:
            photos = photos.assign(levels=self.shown_as)
        if self._divided:
            photos = photos.assign(split=photos["path"].map(self._divided))
        return photos.reset_index(drop=True)

    def divided(self, split: Mapping[str, str], runs: Path) -> "Workspace":
        """The same workspace with its photos in other splits, and a folder of its own for runs: a fold of many.

        Parameters
        ----------
        split
            The split of every photo, by path.
        runs
            Where its runs are kept.
        """
        other = copy.copy(self)
        other._divided, other.runs = dict(split), runs
        return other

    @property
    def classes(self) -> list[str]:
        """The labels in use, sorted."""
        return sorted(self.photos()["label"].unique())

    def path_of(self, path: str) -> Path:
        """Where the photo with this manifest path is."""
        return self.data / path

    # -- decisions ------------------------------------------------------------------------------------------

    def decisions(self) -> list[JsonObject]:
        """Everything that was decided, oldest first (curation.jsonl, which only grows)."""
        return read_json_lines(self.folder / "curation.jsonl")

    def decide(self, path: str, action: str, to: str = "", reason: str = "") -> None:
        """Write down a decision about a photo; the photo itself is never touched.

        Parameters
        ----------
        path
            The photo, as the manifest names it.
        action
            relabel, exclude, keep, or undo the decision in force; or about two photos: distinct (no copies of each
            other), or same (takes that back).
        to
            The new label, or the other photo.
        reason
            In the person's words.

        Raises
        ------
        InputError
            For an unknown photo or action, for relabelling to nothing, and for two photos that are the same file.
        """
        self.decide_all([(path, action, to, reason)])

    def decide_all(self, acts: Iterable[tuple[str, str, str, str]]) -> None:
        """Write down many decisions at once, (path, action, to, reason) each, as `decide` takes them.

        All of them, or none when one is refused.
        """
        manifest = self.manifest().set_index("path")
        decisions = []
        for path, action, to, reason in acts:
            if path not in manifest.index:
                raise InputError(f"{path} is not a photo of this workspace ({self.folder}): open the data again")
            if action not in ACTIONS + PAIR_ACTIONS:
                raise InputError(f"{action!r} is not a decision: choose {', '.join(ACTIONS + PAIR_ACTIONS)}")
            if action == "relabel" and not to.strip():
                raise InputError(f"relabel of {path} needs the new label: choose one")
            decision = {
                "time": now(),
                "sha256": manifest.at[path, "sha256"],
                "path": path,
                "action": action,
                "from": manifest.at[path, "label"],
                "to": to,
                "reason": reason,
            }
            if action in PAIR_ACTIONS:
                if to not in manifest.index:
                    raise InputError(f"{to} is not a photo of this workspace ({self.folder}): open the data again")
                decision["to_sha256"] = manifest.at[to, "sha256"]
                if decision["to_sha256"] == decision["sha256"]:
                    raise InputError(f"{path} and {to} are the same file: exclude one of them, or keep both")
            decisions.append(decision)
        append_json_lines(self.folder / "curation.jsonl", *decisions)

    def standing(self) -> dict[str, JsonObject]:
        """The decision in force for each photo that has one, by path. `undo` brings back the one before it.

        Decisions are keyed by content: a photo that was renamed keeps its decision.
        """
        manifest = self.manifest()
        names: dict[str, list[str]] = manifest.groupby("sha256")["path"].agg(list).to_dict()
        stacks: dict[str, list[JsonObject]] = {}
        for decision in self.decisions():
            same = names.get(decision["sha256"], [])
            path = decision["path"] if decision["path"] in same or len(same) != 1 else same[0]
            if path not in same or decision["action"] in PAIR_ACTIONS:
                continue
            stack = stacks.setdefault(path, [])
            if decision["action"] != "undo":
                stack.append(decision)
            elif stack:
                stack.pop()
        return {path: stack[-1] for path, stack in stacks.items() if stack}

    def distinct(self) -> dict[frozenset[str], JsonObject]:
        """The pairs of photos that the person said are no copies of each other: {sha256, sha256} -> the decision."""
        pairs: dict[frozenset[str], JsonObject] = {}
        for decision in self.decisions():
            if decision["action"] in PAIR_ACTIONS:
                pair = frozenset([decision["sha256"], decision["to_sha256"]])
                pairs.pop(pair, None)
                if decision["action"] == "distinct":
                    pairs[pair] = decision
        return pairs

    # -- the locked test set --------------------------------------------------------------------------------

    def open_test(self, by: str) -> int:
        """Write down that the test set is being looked at by `by`; returns how often that has happened."""
        append_json_lines(self.folder / "test_openings.jsonl", {"time": now(), "by": by})
        return self.test_openings()

    def test_openings(self) -> int:
        """How often the test set was looked at."""
        return len(read_json_lines(self.folder / "test_openings.jsonl"))


def photos_id(photos: pd.DataFrame) -> str:
    """A short name for exactly these photos with these labels and splits.

    And with the levels that they are shown with, where these are not the usual ones.
    """
    columns = ["sha256", "label", "split", *(name for name in ("levels",) if name in photos)]
    rows = photos[columns].sort_values(["sha256", "label"]).to_csv(index=False)
    return hashlib.sha256(rows.encode()).hexdigest()[:16]


def workspace_name(data: Path) -> str:
    """A folder name for the workspace of `data`."""
    return re.sub(r"[^\w.-]+", "-", data.resolve().stem or "photos").strip("-.") or "photos"
