"""ResNets and their ImageNet weights from torchvision."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtune_nb.errors import InputError
from cvtune_nb.models.downloads import Remote
from cvtune_nb.models.sources import torch_hub
from cvtune_nb.models.sources.source import DAMAGED, INSTALLED, Source

if TYPE_CHECKING:
    from torch import nn

# IMAGENET1K_V1, not V2: features of networks trained with the newer recipes transfer worse when frozen (Kornblith and
# others 2021, "Why do better loss functions lead to less transferable features?")
FILES = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "resnet152": "resnet152-394f9c45.pth",
}
"""As torchvision lists them, which takes seconds to import."""


class Torchvision(Source):
    """ResNets and their ImageNet weights from torchvision; files lie where torch.hub keeps them."""

    def url(self, name: str) -> str:
        """The address of the weights."""
        return f"https://download.pytorch.org/models/{FILES[name]}"

    def file(self, name: str) -> Path | None:
        """As Source says."""
        file = torch_hub.file_of(self.url(name))
        return file if file.exists() else None

    def server(self, name: str) -> str:
        """As Source says."""
        return self.url(name)

    def remote(self, name: str) -> Remote:
        """As Source says."""
        return torch_hub.remote(self.url(name))

    def megabytes(self, name: str) -> float:
        """As Source says: what the catalogue says."""
        from cvtune_nb.models.families import KNOWN  # which knows this class

        return KNOWN[name].download_mb

    def place(self, name: str) -> str:
        """As Source says."""
        return str(torch_hub.file_of(self.url(name)))

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
