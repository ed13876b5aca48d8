"""Fold batch norms into the convolutions before them.

Their statistics stay those of ImageNet, so each is a factor and an offset that the convolution can take over: the same
features to within rounding, in less time and memory, most of all when training.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from cvtune_nb.models.sizes import Size, both

AGREEMENT = 1e-3
"""Largest difference, as a fraction of the largest value, that counts as rounding."""

Features = Callable[[nn.Module, torch.Tensor], torch.Tensor]


def folded(network: nn.Module, image_size: Size = 64, features: Features = nn.Module.__call__) -> nn.Module:
    """`network` in eval mode, each batch norm that directly follows a convolution folded into it.

    Unchanged where that would alter the features. docs/measurements.md, "Batch norms folded into convolutions".

    Parameters
    ----------
    network
        From images, float32 (n, 3, height, width), to features; changed in place.
    image_size
        Of the images that it is traced with.
    features
        What of it counts: from the network and images to features (n, width).
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network.eval()
    random = torch.Generator().manual_seed(0)
    images = torch.rand((2, 3, *both(image_size)), generator=random)
    pairs = _pairs(network.eval(), images)
    # Tried on a copy with statistics by chance, so that the answer depends on how the network is built alone, and is
    # the same before and after its weights are loaded.
    trial = deepcopy(network)
    for module in trial.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                if values is not None:
                    values.data.copy_(0.5 + torch.rand(values.shape, generator=random))
    with torch.no_grad():
        before = features(trial, images)
        _fold(trial, pairs)
        after = features(trial, images)
    if (before - after).abs().max() <= AGREEMENT * before.abs().max():
        _fold(network, pairs)
    return network


@dataclass(frozen=True)
class Call:
    """A call of a module: the shape of its input, and the convolution whose very output that was (None: another)."""

    module: nn.Module
    shape: tuple[int, ...]
    source: nn.Module | None


def calls(network: nn.Module, images: torch.Tensor) -> list[Call]:
    """Every call of a module while `network` looks at `images`, in their order."""
    found: list[Call] = []
    outputs: dict[int, tuple[nn.Module, torch.Tensor, int]] = {}  # the tensors are kept, so that no id is used twice
    hooks = []

    def begun(module: nn.Module, inputs: tuple) -> None:
        if inputs and isinstance(inputs[0], torch.Tensor):
            source, output, version = outputs.get(id(inputs[0]), (None, None, 0))
            unchanged = output is not None and output._version == version  # nothing was added in place
            found.append(Call(module, tuple(inputs[0].shape), source if unchanged else None))

    def convolved(module: nn.Module, _: tuple, output: torch.Tensor) -> None:
        outputs[id(output)] = module, output, output._version

    for module in network.modules():
        hooks.append(module.register_forward_pre_hook(begun))
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(convolved))
    try:
        with torch.inference_mode(False), torch.no_grad():  # tensors of inference mode have no version
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _pairs(network: nn.Module, images: torch.Tensor) -> list[tuple[str, str]]:
    """Names of each convolution and the batch norm that its output goes into."""
    names = {module: name for name, module in network.named_modules()}
    followed = [call for call in calls(network, images) if call.source and _is_norm(call.module)]
    return [(names[call.source], names[call.module]) for call in followed]


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d) and module.affine and module.track_running_stats


def _fold(network: nn.Module, pairs: list[tuple[str, str]]) -> None:
    for conv, norm in ((network.get_submodule(first), network.get_submodule(second)) for first, second in pairs):
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        offset = norm.bias - norm.running_mean * factor
        with torch.no_grad():
            conv.weight.mul_(factor[:, None, None, None])
            conv.bias = nn.Parameter(offset if conv.bias is None else offset + conv.bias * factor)
    for _, name in pairs:
        parent, _, leaf = name.rpartition(".")
        # timm's batch norms carry their activation
        rest = nn.Sequential(
            getattr(network.get_submodule(name), "drop", nn.Identity()),
            getattr(network.get_submodule(name), "act", nn.Identity()),
        )
        setattr(network.get_submodule(parent), leaf, rest)
