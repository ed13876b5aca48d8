"""Open the workbook in JupyterLab, on this machine only."""

import os
import socket
import sys
from pathlib import Path

from cvtune_nb.errors import InputError
from cvtune_nb.jupyter import notebooks
from cvtune_nb.workspace import home

SETTINGS = Path(__file__).parent
"""JupyterLab's settings for the workbook, as defaults that a person's own settings still override: messages of
widgets stay on the kernel's main thread (with ipykernel 7.1-7.3 a callback would run on another one), no news
and no update prompts."""


def lab(
    folder: Path | None = None, notebook: str = notebooks.FIRST, port: int | None = None, open_browser: bool = True
) -> int:
    """Serve JupyterLab until it is stopped (Ctrl-C), with a notebook open.

    In a checkout these are its own notebooks. Elsewhere, or with a folder, the person gets copies, which are brought up
    to date at each start (`notebooks.copy_to`). It listens on 127.0.0.1 only and asks for the token that Jupyter makes
    up at each start; the whole link is printed, and opened in the browser if there is one.

    Parameters
    ----------
    folder
        Where the copies are; None: `notebooks/` in the checkout, else in the home of workspaces.
    notebook
        One of the folder's.
    port
        1 to 65535; None: 8888, or the next free one.
    open_browser
        False: only print the link.

    Returns
    -------
    The exit status, 0.

    Raises
    ------
    InputError
        For a notebook that is missing, a folder that can't be written to, and a port that can't be used.
    """
    if port is not None:
        _check_free(port)
    root, place = _opened(folder)
    if not (root / place / notebook).is_file():
        there = ", ".join(notebooks.names(root / place))
        raise InputError(f"no notebook {notebook!r} in {root / place}: choose one of {there}")
    arguments = [
        f"--ServerApp.root_dir={root}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.open_browser={open_browser and has_browser()}",
        f"--LabApp.default_url=/lab/tree/{(place / notebook).as_posix()}",
        "--LabApp.extension_manager=readonly",  # no list of extensions is fetched from the network
    ]
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "getuid") and os.getuid() == 0:
        arguments.append("--allow-root")  # Jupyter refuses root unless told; in a container one often is root

    ours_first = [str(SETTINGS), *os.environ.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep)]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, ours_first))
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # or freed memory is not retained in a notebook's threads
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the same name elsewhere

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)
    return 0


def _opened(folder: Path | None) -> tuple[Path, Path]:
    """The folder to serve, and that of the notebooks in it."""
    checkout = notebooks.checkout()
    if folder is None and checkout:
        return checkout, Path("notebooks")
    folder = (folder or home() / "notebooks").expanduser().absolute()
    for line in notebooks.copy_to(folder):
        print(line, file=sys.stderr)
    return folder, Path()


def has_browser() -> bool:
    """False on a Linux machine without a display, where Python would start a text browser in the terminal."""
    return sys.platform != "linux" or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _check_free(port: int) -> None:
    if not 1 <= port <= 65535:
        raise InputError(f"port {port} is not between 1 and 65535: choose another, or leave it out")
    with socket.socket() as probe:
        if sys.platform != "win32":  # on Windows this option would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} of this machine can't be used ({error.strerror}): choose another, or leave it out"
            ) from None
