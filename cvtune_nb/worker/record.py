"""Where work that is under way can be reached: a small file in the workspace, readable by its owner alone."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def kept(file: Path | None, port: int, key: bytes) -> Iterator[None]:
    """Keep `file` while the work goes on. It holds the key of the connection; None: keep none."""
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # of a worker that was killed
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump({"format": 1, "port": port, "key": key.hex()}, opened)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def read(file: Path) -> tuple[int, bytes] | None:
    """Port and key; None where no work is under way."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return int(known["port"]), bytes.fromhex(known["key"])
    except (OSError, ValueError, KeyError):
        return None
