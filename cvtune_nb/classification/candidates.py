"""The frozen networks that can be compared here, and how long each would take."""

import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec, missing, network_speed
from cvtune_nb.data.pixels import serving
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, read_json, silent, write_json
from cvtune_nb.models import backbones, downloads, sizes
from cvtune_nb.models.families import LAPTOP, LIGHT, OF_2018, STRONGEST
from cvtune_nb.models.operations import operations
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.parameters import PARAMETERS
from cvtune_nb.workspace import Workspace

SMALL = 128
"""The image size that is compared beside a network's usual one: about a third of its time."""
GROUPS = [LIGHT, LAPTOP, STRONGEST, OF_2018]
"""Of networks, in the order in which they are listed."""
FIT_SECONDS = 0.0002
"""To cross-validate an SVM, a photo and class: docs/measurements.md, "Times that costs begin with"."""


@dataclass(frozen=True)
class Candidate:
    """A network at an image size. why_not: why it can't be used here, or ""."""

    spec: FeatureSpec
    why_not: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can be compared."""
        return not self.why_not


def networks(fetch: bool = False) -> pd.DataFrame:
    """The networks that menus offer (backbones.table), by group, and why_not: why one can't be used here, or "".

    fetch: whether weights that are not on disk may be downloaded.
    """
    known = backbones.table()
    known = known.sort_values("group", key=lambda group: group.map(GROUPS.index), kind="stable", ignore_index=True)
    return known.assign(why_not=[_out_of_reach(name, fetch) for name in known["name"]])


def listed(
    workspace: Workspace,
    names: Sequence[str] = (),
    image_sizes: Sequence[int] = (),
    fetch: bool = False,
    own: Sequence[tuple[str, str]] = (),
    pooling: str = "",
    framing: str = "",
    aspect: str = "",
) -> list[Candidate]:
    """The candidates, and why some can't be used.

    Parameters
    ----------
    workspace
        Whose photos the image sizes have to suit.
    names
        Networks; none: all that menus offer.
    image_sizes
        For each of them; none: its usual size and SMALL.
    fetch
        Whether weights that are not on disk may be downloaded.
    own
        Networks with weights of the person's own, besides: the name of each, and the file.
    pooling
        Which of their features (PARAMETERS); "": those of several stages, and their own.
    framing, aspect
        How photos are framed (PARAMETERS); "": as later steps have them.

    Raises
    ------
    InputError
        There is no network of that name, or no such file.
    """
    for name in (*names, *(name for name, _ in own)):
        backbones.require_known(name.removesuffix(backbones.RANDOM))
    photos, found, poolings = workspace.photos(), [], [pooling] if pooling else [STAGES, LAST]
    usual = start_with(workspace).preprocessing
    usual = Preprocessing(usual.image_size, framing or usual.framing, aspect or usual.aspect)
    for name, weights in (*((name, "") for name in dict.fromkeys(names or backbones.KNOWN)), *own):
        if why_not := "" if weights else _out_of_reach(name, fetch):
            size = image_sizes[0] if image_sizes else Preprocessing().image_size
            found.append(Candidate(FeatureSpec(name, replace(usual, image_size=size)), why_not))
            continue
        for size in dict.fromkeys(image_sizes or sorted({sizes.default(name), SMALL})):
            shown = replace(usual, image_size=size)
            specs = [FeatureSpec(name, shown, weights, one) for one in poolings]
            found += [Candidate(spec, _unusable(spec, photos)) for spec in specs]
    return found


def image_sizes_in(text: str) -> list[int]:
    """The image sizes in a text such as "128,224". Raises InputError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise InputError(f"the image sizes are {text!r}: give whole numbers, such as 128,224")
    return [PARAMETERS["image_size"].check(int(word)) for word in words]


def _unusable(spec: FeatureSpec, photos: pd.DataFrame) -> str:
    """Why the network can't be used at this size, or with these weights of the person's own; "" where it can."""
    try:
        spec.require_usable(photos)
        if spec.weights:
            from cvtune_nb.models import networks  # brings torch

            networks.origin(spec.backbone, spec.size, spec.weights)
    except InputError as error:
        return str(error)
    return ""


def _out_of_reach(name: str, fetch: bool) -> str:
    if name.endswith(backbones.RANDOM) or backbones.on_disk(name):
        return ""
    if not fetch:
        return "its weights are not on disk, and downloads are not allowed"
    return "" if backbones.within_reach(name) else "its weights are not on disk and can't be fetched now"


def comes_along(spec: FeatureSpec, others: Collection[FeatureSpec]) -> bool:
    """Whether its features are computed with those of another: of all stages of the same network."""
    return spec.pooling == LAST and replace(spec, pooling=STAGES) in others


class Speeds:
    """How fast networks are on this machine: as measured when features were last computed, else guessed.

    The guess goes by the operations of a network, and by the speed of those that were measured; where none was, the
    cheapest is tried for a moment.
    """

    def __init__(self, workspace: Workspace, specs: Iterable[FeatureSpec], progress: Progress = silent):
        self.workspace, self.specs, self._progress = workspace, list(specs), progress
        self._fit_seconds = FIT_SECONDS

    def measured(self, spec: FeatureSpec) -> float:
        """Photos a second, without decoding; nan where that was not measured yet."""
        return network_speed(self.workspace, spec) or math.nan

    def of(self, spec: FeatureSpec) -> float:
        """Photos a second, guessed where that was not measured yet."""
        if (found := network_speed(self.workspace, spec)) is not None:
            return found
        known = {each: network_speed(self.workspace, each) for each in self.specs}
        rates = {each: speed * _operations(each) for each, speed in known.items() if speed}
        own = [rate for each, rate in rates.items() if each.backbone == spec.backbone]
        rate = statistics.median(own or rates.values()) if rates else self._tried()
        return rate / _operations(spec)

    def features_seconds(self, spec: FeatureSpec, keys: Sequence[str]) -> float:
        """What computing those features takes that are not there yet. keys: SHA-256 of the photos."""
        todo = missing(self.workspace, spec, keys)
        return len(todo) / self.of(spec) if todo else 0.0

    def download_seconds(self, spec: FeatureSpec) -> float:
        """What fetching its weights takes; 0 where they are on disk."""
        return 0.0 if spec.weights else _download_seconds(spec.backbone)

    def fit_seconds(self, photos: int, classes: int) -> float:
        """What cross-validating an SVM takes on so many photos, of so many classes."""
        return self._fit_seconds * photos * classes

    def fitted(self, seconds: float, photos: int, classes: int) -> None:
        """Take in how long an SVM took.

        Parameters
        ----------
        seconds
            To cross-validate it.
        photos, classes
            On so many.
        """
        self._fit_seconds = seconds / (photos * classes)

    def _tried(self) -> float:
        """Operations a second of the cheapest network on disk, tried once and kept."""
        from cvtune_nb.models import benchmark

        file = self.workspace.cache / "operations-a-second.json"
        if not file.exists():
            here = [spec for spec in self.specs if not _out_of_reach(spec.backbone, fetch=False)]
            cheapest = min(here or [FeatureSpec.default()], key=_operations)
            self._progress(0.0, f"measuring the speed of {cheapest} on this machine")
            found = benchmark.measure(cheapest.backbone, cheapest.image_size, seconds=0.5, batch=16)
            write_json(file, {"operations": found.images_per_second * _operations(cheapest)})
        return float(read_json(file)["operations"])


def _download_seconds(name: str) -> float:
    """What fetching a network's weights takes."""
    if not _out_of_reach(name, fetch=False):
        return 0.0
    return downloads.expected(backbones.family_of(name).source.megabytes(name)).seconds


def _operations(spec: FeatureSpec) -> float:
    return operations(spec.backbone, spec.size)


def predicted_seconds(
    workspace: Workspace, candidates: Sequence[Candidate], photos: pd.DataFrame, progress: Progress = silent
) -> float:
    """What a comparison would take if no candidate were dropped on the way.

    Parameters
    ----------
    workspace
        Whose photos they are.
    candidates
        The networks; those that can't be used here take no time.
    photos
        What they are compared on.
    progress
        Called when the speed of this machine is measured.

    Raises
    ------
    InputError
        The weights of the network that is measured can't be had.
    """
    from cvtune_nb.runs.cost import DECODE_SECONDS  # brings torch

    specs = [one.spec for one in candidates if one.usable]
    if not specs:
        return 0.0
    keys, classes, speeds = list(photos["sha256"]), photos["label"].nunique(), Speeds(workspace, specs, progress)
    largest = max((spec.preprocessing for spec in specs), key=lambda one: one.shape)
    decoding = len(serving(workspace, keys, largest).missing(keys)) * DECODE_SECONDS
    fitting = speeds.fit_seconds(2 * len(keys), classes)  # those before the last round have as many photos together
    fetching = sum(map(_download_seconds, {spec.backbone for spec in specs if not spec.weights}))
    computing = sum(speeds.features_seconds(spec, keys) for spec in specs if not comes_along(spec, specs))
    return fetching + decoding + computing + fitting * len(specs)
