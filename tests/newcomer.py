"""CONTRIBUTING.md's recipes, carried out on a copy of the package: `python -m tests.newcomer` prints what each touches.

A recipe is a `### ` section. Its ```diff blocks are applied, its ```python block is run, and then its ```bash block,
which names the contract tests.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(diff|python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\+\+\+ (.+)$", re.MULTILINE)
COPIED = ("cvtune_nb", "tests", "notebooks", "docs", "pyproject.toml", "README.md", "ARCHITECTURE.md")


@dataclass(frozen=True)
class Recipe:
    """title; changes: (file, lines of a diff) pairs; works: Python that fails unless it worked; checks: commands."""

    title: str
    changes: list[tuple[str, list[str]]]
    works: str
    checks: list[str]

    @property
    def files(self) -> list[str]:
        """The files that it touches."""
        return list(dict.fromkeys(file for file, _ in self.changes))

    @property
    def lines(self) -> int:
        """Lines that are added or changed, empty ones not counted."""
        return sum(line.startswith("+") and line != "+" for _, lines in self.changes for line in lines)


def recipes(text: str) -> list[Recipe]:
    """The recipes in the text of CONTRIBUTING.md."""
    found = []
    for section in re.split(r"^(?=#{1,3} )", text, flags=re.MULTILINE):
        blocks = BLOCK.findall(section)
        changes = [change for kind, body in blocks if kind == "diff" for change in _changes(body)]
        if changes:
            title = section.splitlines()[0].strip("# ")
            works = "\n".join(body for kind, body in blocks if kind == "python")
            checks = [line for kind, body in blocks if kind == "bash" for line in body.splitlines()]
            found.append(Recipe(title, changes, works, checks))
    return found


def _changes(diff: str) -> list[tuple[str, list[str]]]:
    """(file, lines) of a diff whose parts begin with `+++ file`; `...` lies between two places of a file."""
    _, *parts = FILE.split(diff)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [
        (file, hunk.strip("\n").split("\n"))
        for file, body in pairs
        for hunk in re.split(r"^\.\.\.$", body, flags=re.MULTILINE)
    ]


def apply(folder: Path, file: str, lines: list[str]) -> None:
    """Change `file` as a hunk says whose unchanged and removed lines stand in it exactly once; a hunk that only adds
    to a file that isn't there makes it."""
    before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    path = folder / file
    if not before:
        assert not path.exists(), f"{file} is there already: the recipe must say where its lines go"
        path.write_text(after, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file} has {text.count(before)} places like this, not 1:\n{before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def copy_to(folder: Path) -> None:
    """The package and what its tests need, to change at will."""
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def carry_out(recipe: Recipe, folder: Path) -> None:
    """Apply the recipe to the copy in `folder`, and see that it works and that the contract tests hold."""
    for file, lines in recipe.changes:
        apply(folder, file, lines)
    commands = [[sys.executable, "-c", recipe.works]]
    commands += [[sys.executable, *line.split()[1:]] for line in recipe.checks]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    for command in commands:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{recipe.title}: {' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def main() -> None:
    """Carry out every recipe and print files and lines."""
    for recipe in recipes((CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        with tempfile.TemporaryDirectory() as folder:
            copy_to(Path(folder))
            carry_out(recipe, Path(folder))
        print(
            f"{recipe.title}: {len(recipe.files)} files, {recipe.lines} lines ({', '.join(recipe.files)})", flush=True
        )


if __name__ == "__main__":
    main()
