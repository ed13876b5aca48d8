"""A person's own weights for a network: a file of tensors whose names are matched with the network's.

It stays where it is and is named with the SHA-256 of its content (files.pinned). A copy in each workspace would cost
its size again and again: what has been computed with it needs it no more (features are cached under its digest, runs
and exports hold their own weights), and what has not says that it is gone or has changed.
"""

import pickle  # for its error only: weights are loaded with weights_only
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from cvtune_nb.errors import InputError
from cvtune_nb.files import path_and_digest, pinned

Tensors = dict[str, torch.Tensor]
Rename = Callable[[Tensors, nn.Module], Tensors]
HOLDERS = (
    "state_dict_ema",
    "model_ema",
    "teacher",
    "state_dict",
    "model_state_dict",
    "model",
    "network",
    "student",
    "module",
)
"""Names under which training programs keep the network in a file, the better weights first: averages over the training
(the teacher of a self-distillation is one) before the network itself."""
PREFIXES = (
    "_orig_mod.",
    "module.",
    "model.",
    "network.",
    "backbone.",
    "teacher.",
    "encoder.",
    "base_encoder.",
    "encoder_q.",
    "online_encoder.",
    "student.",
    "trunk.",
)
"""What wrappers put before the names of a network's tensors: compiled and parallel ones, and networks in others. Of two
that fit equally well the first is taken."""
COUNTERS = ("num_batches_tracked",)
"""What batch norms count in training and nothing else needs."""
ENOUGH = 0.9
"""Share of a network's tensors that a file must hold more of: less is another network, of which the rest would stay
random (half of a ResNet-34 is a ResNet-18)."""
LAYER = re.compile(r"(?<![^.])\d+(?=\.)")
"""The number of a layer in the name of a tensor."""
NAMED = 3
"""Names that a message lists of each kind."""


def _as_it_is(tensors: Tensors, network: nn.Module) -> Tensors:  # noqa: ARG001 - a Rename
    return tensors


@dataclass(frozen=True)
class Matching:
    """How a file's tensors fit those of a network.

    Attributes
    ----------
    tensors
        Those that fit, by the network's names.
    total
        How many the network has.
    missing, unexpected, other_shapes
        Names of the network's that the file lacks, of the file's that the network lacks, and of those that both have
        in different shapes.
    """

    tensors: Tensors
    total: int
    missing: list[str]
    unexpected: list[str]
    other_shapes: list[str]

    @property
    def share(self) -> float:
        """Which part of the network's they are."""
        return len(self.tensors) / max(1, self.total)

    @property
    def most(self) -> bool:
        """Whether they are more than ENOUGH of the network's."""
        return self.share > ENOUGH

    @property
    def deeper(self) -> list[str]:
        """Names of the file's that go on with a row of layers where the network ends: the file is of a deeper one."""
        rows = {LAYER.sub("", name) for name in self.tensors}
        return [name for name in self.unexpected if LAYER.search(name) and LAYER.sub("", name) in rows]

    @property
    def words(self) -> str:
        """For example "150 of 152 tensors matched; 2 missing in the file (norm.weight, norm.bias)"."""
        parts = {"missing in the file": self.missing, "unknown to the network": self.unexpected}
        parts["of another shape"] = self.other_shapes
        listed = [f"{len(names)} {what} ({examples(names)})" for what, names in parts.items() if names]
        return "; ".join([f"{len(self.tensors)} of {self.total} tensors matched", *listed])


def examples(names: Iterable[str]) -> str:
    """The first few names."""
    names = list(names)
    return ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")


def read(weights: str) -> Tensors:
    """The tensors in a file of weights, without the wrappers round them.

    weights: as PARAMETERS checks it. Raises InputError when the file is gone, has changed or holds no tensors.
    """
    path, digest = path_and_digest(weights)
    if not path.is_file():
        raise InputError(
            f"the weights are not in {path} any more: put the file back, or give it again where it is now (--weights; "
            "what was computed with the same content is found again)"
        )
    if path_and_digest(pinned(str(path)))[1] != digest:
        raise InputError(
            f"{path} has changed since it was chosen: give it again to start from what it holds now (--weights), or "
            f"put the old file back (sha256 {digest[:16]}...)"
        )
    try:
        safe = path.suffix.lower() == ".safetensors"
        kept = load_file(path) if safe else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - damaged pickles raise almost anything
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL " in str(error):  # it names a class or a function
            raise InputError(
                f"{path} holds more than tensors, and is not opened because that could run any program: save the "
                "network's state_dict() alone, best with safetensors"
            ) from None
        raise InputError(
            f"{path} is not a file of weights, or is damaged: give a .safetensors, .pth, .pt or .bin"
        ) from None
    tensors = unwrapped(kept)
    if not tensors:
        raise InputError(f"{path} holds no tensors: save the network's state_dict() in it")
    return tensors


def unwrapped(kept: Any) -> Tensors:
    """The tensors of a network in what a training program has saved: in the first of HOLDERS that has any."""
    if not isinstance(kept, Mapping):
        return {}
    inside = (unwrapped(kept.get(name)) for name in HOLDERS)
    own = {str(name): value for name, value in kept.items() if isinstance(value, torch.Tensor)}
    return next(filter(None, inside), own)


def without_prefixes(tensors: Tensors) -> Iterator[Tensors]:
    """The tensors as they are, and those under each of PREFIXES without it."""
    yield tensors
    for prefix in PREFIXES:
        inside = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        if inside:
            yield from without_prefixes(inside)


def best(network: nn.Module, given: Tensors, last_layer: Collection[str] = (), rename: Rename = _as_it_is) -> Matching:
    """How the tensors that are given fit a network best, whatever was put before their names.

    Parameters
    ----------
    network
        Without its last layer; it stays as it is.
    given
        What `read` gives.
    last_layer
        Names of the modules that are left out on purpose.
    rename
        Gives tensors the names and shapes that the network has for them.
    """
    tried = (
        _compared(network, each, last_layer, names) for each in without_prefixes(given) for names in (rename, _as_it_is)
    )
    return max(tried, key=lambda found: found.share)


def _compared(network: nn.Module, given: Tensors, last_layer: Collection[str], rename: Rename) -> Matching:
    own = {name: value for name, value in network.state_dict().items() if not name.endswith(COUNTERS)}
    try:
        tensors = rename(dict(given), network)  # some take names out of what they are given
    except Exception:  # noqa: BLE001 - what an architecture does with names that it does not know is its own affair
        tensors = given
    heads = tuple(f"{head}." for head in last_layer)
    kept = {key: value for key, value in tensors.items() if not key.startswith(heads) and not key.endswith(COUNTERS)}
    known = {key: value for key, value in kept.items() if key in own}
    fitting = {key: value for key, value in known.items() if value.shape == own[key].shape}
    return Matching(
        fitting,
        len(own),
        [key for key in own if key not in kept],
        [key for key in kept if key not in own],
        [key for key in known if key not in fitting],
    )


def refused(name: str, weights: str, given: Tensors, found: Matching) -> InputError:
    """What is said when too little fits, or the file has more of the same layers.

    Parameters
    ----------
    name, weights
        Of the network, and its file.
    given, found
        What the file holds, and how it fits.
    """
    file = path_and_digest(weights)[0]
    if found.most:
        return InputError(
            f"the weights in {file} are of a deeper network than {name}: {len(found.deeper)} tensors are of layers "
            f"that it does not have ({examples(found.deeper)}): choose the backbone that they were trained with"
        )
    shapes = f", {len(found.other_shapes)} more in other shapes" if found.other_shapes else ""
    return InputError(
        f"the weights in {file} are not of {name}: {len(found.tensors)} of its {found.total} "
        f"tensors are in the file{shapes}; the file has {examples(given)}, the network "
        f"{examples([*found.missing, *found.other_shapes])}: choose the backbone that they were trained with"
    )
