"""What the checks of an audit share, each part computed when a check first asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from cvtune_nb.audit import dataset, duplicates, labels, learning, quality, scenes, storage
from cvtune_nb.audit.duplicates import Copy, Duplicates
from cvtune_nb.audit.labels import Judgement
from cvtune_nb.audit.learning import Outlook
from cvtune_nb.audit.scenes import Scenes
from cvtune_nb.audit.storage import Storage
from cvtune_nb.classification.features import FeatureSpec, features, network_speed
from cvtune_nb.classification.remedies import Comparison, compared, what_counts
from cvtune_nb.data import colours, keep_together
from cvtune_nb.data.groups import dependent, joined
from cvtune_nb.data.pixels import Pixels, pixels
from cvtune_nb.data.preprocessing import SQUARE
from cvtune_nb.data.rows import Rows
from cvtune_nb.data.time_groups import taken
from cvtune_nb.files import Progress, silent
from cvtune_nb.objectives import objective_of
from cvtune_nb.workspace import Workspace

REMEDY_PHOTOS = 1_000
"""Photos that remedies for imbalance are compared on, at most: notebook 02 takes more."""


@dataclass
class Context:
    """The photos of a workspace, n of them, as the person's decisions have left them, and what is known about them."""

    workspace: Workspace
    spec: FeatureSpec
    progress: Progress = silent

    @cached_property
    def photos(self) -> pd.DataFrame:
        """The manifest's rows, photos that carry two labels among them."""
        return self.workspace.photos(contested=True)

    @cached_property
    def in_use(self) -> pd.DataFrame:
        """The photos that training uses."""
        return self.workspace.photos()

    @cached_property
    def skipped(self) -> pd.DataFrame:
        """Files that are no photos: path,label,reason."""
        return self.workspace.skipped()

    @cached_property
    def rows(self) -> Rows:
        """Features (n, width) that the frozen network itself gives, read as they are indexed."""
        return features(self.workspace, self.photos, self.spec, self._part(0.0, 0.7)).own

    @cached_property
    def pixels(self) -> Pixels:
        """Centre squares, which have no padding to be measured: pixels[indices] is uint8 (n, side, side, 3)."""
        return pixels(self.workspace, self.photos, replace(self.spec.preprocessing, framing="crop", aspect=SQUARE))

    @cached_property
    def duplicates(self) -> Duplicates:
        """Which photos are copies of each other."""
        distinct = self.workspace.distinct()
        return duplicates.find(self.photos, self.rows, self.pixels, self._part(0.7, 0.8), distinct)

    @cached_property
    def groups(self) -> np.ndarray:
        """The number of each photo's group, int (n,): of copies, and of photos that belong together by the person."""
        names = joined(map(str, self.duplicates.groups), self.photos["group"])
        return pd.factorize(pd.Series(names, dtype=object))[0]

    @property
    def together(self) -> bool:
        """Whether photos belong together by the person, and not only as copies."""
        return dependent(self.photos) is not None

    @cached_property
    def scenes(self) -> Scenes | None:
        """Photos that look like frames of one scene, and that the split divides."""
        when = taken(self.workspace, self.photos, self._part(0.9, 0.9))
        return scenes.look(self.photos, self.rows, self.groups, when, self._part(0.9, 0.9))

    @cached_property
    def copies(self) -> list[Copy]:
        """Each photo that has copies, group by group."""
        return list(duplicates.copies(self.photos, self.duplicates))

    @cached_property
    def judges(self) -> np.ndarray:
        """Photos by which others are judged, bool (n,): those in use, but for the test photos."""
        return (self.photos["path"].isin(self.in_use["path"]) & (self.photos["split"] != "test")).to_numpy()

    @cached_property
    def judgement(self) -> Judgement:
        """What a model that has not seen a photo says of its label."""
        progress = self._part(0.8, 0.9)
        return labels.judge(self.photos, self.rows, self.groups, self.judges, progress=progress)

    @cached_property
    def measures(self) -> pd.DataFrame:
        """Light and sharpness of each photo: what quality.measure gives."""
        return quality.measured(self.workspace, self.photos, self.pixels, self._part(0.9, 1.0))

    @cached_property
    def stored(self) -> pd.DataFrame:
        """What colours each photo is stored in: path,stored,profile, as data.colours has them."""
        return colours.stored_in(self.workspace, self.photos)

    @cached_property
    def outlooks(self) -> Mapping[str, Outlook]:
        """What more photos would bring to the classes that have few."""
        training = np.flatnonzero(self.photos["path"].isin(self.in_use["path"]) & (self.photos["split"] == "train"))
        small = list(dataset.small_classes(self.in_use))
        enough, together = dataset.ENOUGH_IMAGES, self.together
        return learning.outlook(self.photos, self.rows, self.groups, training, small, enough, together)

    @cached_property
    def remedies(self) -> Comparison:
        """What remedies for imbalance would bring, cross-validated on the train and validation photos."""
        used = np.flatnonzero(self.photos["path"].isin(self.in_use["path"]) & (self.photos["split"] != "test"))
        if len(used) > REMEDY_PHOTOS:
            used = np.sort(np.random.default_rng(0).permutation(used)[:REMEDY_PHOTOS])
        labels = self.photos["label"].to_numpy(dtype=object)[used]
        objective = objective_of(what_counts(self.workspace), sorted(self.in_use["label"].unique()))
        groups, part = self.groups[used], self._part(0.9, 1.0)
        own = groups if self.together else None
        return compared(np.asarray(self.rows[used]), labels, groups, objective, progress=part, together=own)

    @cached_property
    def storage(self) -> Storage | None:
        """How fast photos are read here, and how fast the network takes them."""
        speed = network_speed(self.workspace, self.spec)
        return storage.measure(self.workspace, self.photos, self.pixels, speed)

    def keep_copies_together(self) -> int:
        """Put all copies of a photo into one split, in the manifest; returns how many photos changed theirs."""
        sha256 = self.photos["sha256"]
        # a name that depends on the content of the group's photos alone
        first = sha256.groupby(self.duplicates.groups).transform("min").str[:16]
        moved = keep_together(self.workspace, dict(zip(sha256, first, strict=True)))
        self.photos = self.workspace.photos(contested=True)
        return moved

    def _part(self, low: float, high: float) -> Progress:
        """A Progress whose 0..1 is low..high of the whole."""
        return lambda fraction, words: self.progress(low + (high - low) * fraction, words)
