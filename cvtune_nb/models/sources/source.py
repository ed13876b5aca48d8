"""What all sources of pretrained weights have in common.

Nothing here imports torch, torchvision or timm before a network is built: menus only ask what is on disk, and each of
the three takes seconds.
"""

import pickle  # for its error only: weights are loaded with weights_only
import struct
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, path_and_digest, pinned
from cvtune_nb.models import downloads
from cvtune_nb.models.downloads import Remote

if TYPE_CHECKING:
    from torch import nn

INSTALLED = "efficientnet_lite0"
"""The network whose weights are installed with cvtune."""
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
