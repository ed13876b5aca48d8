"""Whether the operating system has killed a process because memory ran out."""

from pathlib import Path

COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
"""Of Linux: the machine's, and those of the container; each has a line "oom_kill N"."""


def kills() -> int:
    """How many processes Linux has killed for memory since it was started; 0 on other systems."""
    return sum(_counted(file) for file in COUNTERS)


def _counted(file: Path) -> int:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
