"""YOLO: a text file for each photo, with a line for each box: class number, middle, width and height in shares."""

from pathlib import Path

import yaml

from cvtune_nb.detection.mark import Found, Mark, number

NAMES = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
"""Where the names of the classes are looked for, in this order."""


def is_yolo(file: Path) -> bool:
    """Whether a text file is meant to be YOLO's: its first line has five words or more, and all are numbers."""
    with open(file, encoding="utf-8", errors="replace") as opened:
        words = opened.readline(4096).split()
    try:
        return len(words) >= 5 and all(number(word) is not None for word in words)
    except ValueError:
        return False


def read(root: Path, files: list[str]) -> Found:
    """A line of more than five numbers is an outline (segmentation), or a box with its certainty: for the first the box
    round it is taken. The photo has the file's name; its extension is not known here."""
    found, names = Found(), _names(root)
    if not names:
        words = f"none of {', '.join(NAMES)} names the classes: they are numbers here"
        found.wrong("", "", "", "no class names", words)
    for file in files:
        photo = Path(file).stem
        found.photos.add(photo)
        for place, line in enumerate((root / file).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if line.strip():
                _read(found, names, file, f"line {place}", photo, line.split())
    return found


def _read(found: Found, names: dict[int, str], file: str, where: str, photo: str, words: list[str]) -> None:
    try:
        which, *sides = (number(word) for word in words)
    except ValueError:
        found.wrong(file, where, photo, "no number", f"{' '.join(words)[:60]!r} is not all numbers; it is left out")
        return
    if len(sides) < 4 or (len(sides) > 5 and len(sides) % 2):
        words_ = f"it has {len(words)} numbers, not a class and four sides; it is left out"
        found.wrong(file, where, photo, "no box", words_)
        return
    if len(sides) > 5:
        box = min(sides[::2]), min(sides[1::2]), max(sides[::2]), max(sides[1::2])
    else:
        x, y, width, height = sides[:4]
        box = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if max(abs(side) for side in sides) > 2:
        found.wrong(file, where, photo, "pixels", "its sides are no shares of the photo (0 to 1); it is left out")
        return
    whole = int(which) if which == int(which) else -1
    label = names.get(whole, "") if names else str(whole) if whole >= 0 else ""
    found.marks.append(Mark(photo, file, where, label, box, None))


def _names(root: Path) -> dict[int, str]:
    """The names of the classes by number; empty where no file tells them."""
    for name in NAMES:
        for file in sorted(root.rglob(name)):
            text = file.read_text(encoding="utf-8", errors="replace")
            if file.suffix not in (".yaml", ".yml"):
                return {place: line.strip() for place, line in enumerate(text.splitlines()) if line.strip()}
            try:
                stated = yaml.safe_load(text)
            except yaml.YAMLError:
                continue
            names = stated.get("names") if isinstance(stated, dict) else None
            if isinstance(names, list):
                names = dict(enumerate(names))
            if isinstance(names, dict):
                return {int(key): str(label) for key, label in names.items() if str(key).isdigit()}
    return {}
