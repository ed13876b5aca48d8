"""What this machine can do, measured in a few seconds."""

import os
import sys
import time
from dataclasses import dataclass

import numpy as np
import psutil

from cvtune_nb.models import memory


@dataclass(frozen=True)
class Machine:
    """A machine and its speed.

    Attributes
    ----------
    device
        What networks run on, in words.
    precision
        Of its arithmetic.
    cores, memory_gb
        Those this process may use.
    backbone, image_size
        The frozen network, and the size of its photos in pixels.
    images_per_second
        Photos that it turns into features.
    """

    device: str
    precision: str
    cores: int
    memory_gb: float
    backbone: str
    image_size: int
    images_per_second: float


@memory.retain_freed_memory()
def measure(backbone: str, image_size: int = 224, seconds: float = 1.5, batch: int = 32) -> Machine:
    """Run a frozen backbone on noise.

    Parameters
    ----------
    backbone
        Its name.
    image_size
        Pixels of a side of the images.
    seconds
        About how long.
    batch
        Images a forward pass.

    Raises
    ------
    InputError
        The weights can't be had.
    """
    import torch  # takes seconds: notebook 00 shows the photos first

    from cvtune_nb.models import networks
    from cvtune_nb.models.inference import quick
    from cvtune_nb.models.networks import forward

    device = networks.device()
    images = np.random.default_rng(0).integers(0, 256, (batch, image_size, image_size, 3), dtype=np.uint8)
    network = quick(networks.load(backbone, image_size=image_size).eval().to(device), images, sys.maxsize)
    forward(network, images)  # the first pass also prepares kernels and memory: not counted
    start, passes = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        forward(network, images)
        passes += 1
    speed = passes * batch / (time.perf_counter() - start)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _WORDS[device.type]
    precision = str(networks.number_type(device)).removeprefix("torch.")
    gigabytes = psutil.virtual_memory().total / 2**30
    return Machine(name, precision, _cores(), round(gigabytes, 1), backbone, image_size, speed)


_WORDS = {"cpu": "the processor (no GPU found)", "mps": "Apple's GPU"}


def _cores() -> int:
    """Cores this process may use; a container or a job on a cluster often has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
