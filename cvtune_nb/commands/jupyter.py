"""JupyterLab: lab."""

import argparse
from pathlib import Path

from cvtune_nb.commands.command import Result, command
from cvtune_nb.commands.flags import argument
from cvtune_nb.console import Meter


@command(
    argument(
        "folder",
        nargs="?",
        type=Path,
        help="where your copy of the notebooks is kept (a checkout's own, else cvtune/notebooks in your home folder)",
    ),
    argument("--port", type=int, help="1 to 65535 (8888, or the next free one)"),
    argument("--no-browser", action="store_true", help="only print the link"),
    has_result=False,
)
def lab(arguments: argparse.Namespace, _: Meter) -> Result:
    """open the workbook in JupyterLab, on this machine only"""
    from cvtune_nb.jupyter.launch import lab as serve

    return Result({}, "", serve(arguments.folder, port=arguments.port, open_browser=not arguments.no_browser))
