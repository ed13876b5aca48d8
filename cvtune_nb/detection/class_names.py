"""What YOLO's class numbers mean: classes.txt, obj.names, data.yaml and their like."""

import re
from collections import Counter
from dataclasses import dataclass

import yaml

from cvtune_nb.detection.pairing import joined, listed, parents, split_path
from cvtune_nb.detection.raw_annotation import Folder, Found, encoding_of, text_of

LISTS = {"classes.txt", "_classes.txt", "class_names.txt", "names.txt", "labels.txt", "predefined_classes.txt"}
"""Text files with a class a line; files that end in .names are others."""
USUAL = {"data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt", "obj.names"}
"""What counts first, where others name the classes otherwise."""


@dataclass(frozen=True)
class ClassFile:
    """What a class file says.

    Attributes
    ----------
    names
        By class number.
    points
        How many key points a line has, and numbers each, as kpt_shape says, or None.
    """

    path: str
    names: dict[int, str]
    points: tuple[int, int] | None = None


def is_list(name: str) -> bool:
    """Whether a file of this name holds a class a line."""
    return name.lower() in LISTS or name.lower().endswith(".names")


class ClassNames:
    """The class files of a folder.

    Those in the folder of a label file or above it count, or all of them where there are none. Where they contradict
    each other, a class has no name.
    """

    def __init__(self, folder: Folder, found: Found):
        """Reads them; what is wrong with them is noted in `found`."""
        self._folder, self._found = folder, found
        self.files: list[ClassFile] = []
        self._seen: dict[str, list[ClassFile]] = {}
        self._doubts: dict[int, str] = {}
        self._legacy: set[str] = set()
        for path in folder.files:
            if is_list(split_path(path)[1]):
                self._add(path, dict(enumerate(_lines(self._text(path)))))
            elif path.lower().endswith((".yaml", ".yml")):
                self._of_yaml(path)
            elif path.lower().endswith(".data") and (stated := _darknet(self._text(path))):
                names = self._named(path, stated)
                self._add(path, names or {})
                if names is None:
                    self._wrong(path, f"it says that {stated} names the classes, which is not there")

    def of(self, label_file: str, number: int) -> str | None:
        """The name of a class in a label file: "" where none or several are stated, None where no file names any."""
        near = self._near(label_file)
        if not near:
            return None
        names = {file.names[number] for file in near if file.names.get(number)}
        if len(names) > 1:
            files = listed([file.path for file in near if number in file.names])
            self._doubts[number] = f"class {number} is {' or '.join(sorted(names))} ({files}): take the wrong file away"
        return names.pop() if len(names) == 1 else ""

    def points(self, label_file: str) -> tuple[int, int] | None:
        """How many key points a line of a label file has, and numbers each."""
        return next((file.points for file in self._near(label_file, points=True)), None)

    def doubts(self) -> list[str]:
        """What was found contradictory so far."""
        return [self._doubts[number] for number in sorted(self._doubts)]

    def _near(self, label_file: str, points: bool = False) -> list[ClassFile]:
        folder = split_path(label_file)[0]
        if (key := f"{points}{folder}") not in self._seen:
            known = [file for file in self.files if (file.points if points else file.names)]
            above = [file for file in known if split_path(file.path)[0] in parents(folder)] or known
            usual = [file for file in above if split_path(file.path)[1].lower() in USUAL]
            self._seen[key] = usual or above
        return self._seen[key]

    def _add(self, path: str, names: dict[int, str], points: tuple[int, int] | None = None) -> None:
        names = {number: name for number, name in names.items() if name}
        for name, count in Counter(names.values()).items():
            if count > 1:
                words = f"{count} classes are called {name!r}; they are one here"
                self._found.wrong(path, "", "", "class twice", words)
        self.files.append(ClassFile(path, names, points))

    def _of_yaml(self, path: str) -> None:
        content = self._yaml(path)
        if not isinstance(content, dict) or not {"names", "kpt_shape"} & set(content):
            return None
        points = _points(content.get("kpt_shape"))
        if content.get("kpt_shape") and points is None:
            self._wrong(path, f"its kpt_shape is {str(content['kpt_shape'])[:60]}, not two numbers")
        stated = content.get("names")
        if not isinstance(stated, str):
            return self._add(path, _numbered(stated), points)
        names = self._named(path, stated)
        if names is None and content.get("nc") == "1" and not re.search(r"[/\\]|\.\w+$", stated):
            names = {0: stated}  # a single class
        if names is None and stated:
            self._wrong(path, f"it says that {stated[:60]} names the classes, which is not there")
        return self._add(path, names or {}, points)

    def _named(self, path: str, stated: str) -> dict[int, str] | None:
        """The names in the file that another one states by its path; None where it is not there."""
        stated = stated.replace("\\", "/").strip()
        ends = ["/".join(stated.split("/")[start:]) for start in range(stated.count("/") + 1)]
        places = [joined(folder, end) for end in ends if end for folder in parents(split_path(path)[0])]
        there = next((place for place in places if place in self._folder.files), None)
        if there is None:
            return None
        if there.lower().endswith((".yaml", ".yml")):
            content = self._yaml(there)
            return _numbered(content.get("names", content) if isinstance(content, dict) else content)
        return {number: name for number, name in enumerate(_lines(self._text(there))) if name}

    def _yaml(self, path: str) -> object:
        """The content of a YAML file, with all words as they are written: no, 010 and null are names of classes."""
        try:
            return yaml.load(self._text(path), Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            if "names" in self._text(path):
                self._wrong(path, f"it can't be read as YAML ({' '.join(str(error).split())[:120]})")
            return None

    def _text(self, path: str) -> str:
        content = (self._folder.root / path).read_bytes()
        if encoding_of(content) == "cp1252" and path not in self._legacy:
            self._legacy.add(path)
            self._wrong(path, "it is no UTF-8 and was read as Windows-1252: save it as UTF-8 if a name looks wrong")
        return text_of(content)

    def _wrong(self, path: str, words: str) -> None:
        self._found.wrong(path, "", "", "no class names", words)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in re.split(r"\r\n|\n|\r", text)]


def _numbered(stated: object) -> dict[int, str]:
    """Names by number from a list, from numbers with names, or from names with numbers."""
    if isinstance(stated, list):
        return {number: name.strip() for number, name in enumerate(stated) if isinstance(name, str)}
    if not isinstance(stated, dict):
        return {}
    pairs = [(str(key).strip(), value.strip()) for key, value in stated.items() if isinstance(value, str)]
    if not all(key.isdecimal() for key, _ in pairs) and all(value.isdecimal() for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    return {int(key): value for key, value in pairs if key.isdecimal()}


def _points(stated: object) -> tuple[int, int] | None:
    if not isinstance(stated, list | tuple) or len(stated) != 2:
        return None
    count, each = (str(word).strip() for word in stated)
    return (int(count), int(each)) if count.isdecimal() and each in ("2", "3") else None


def _darknet(text: str) -> str:
    """What a darknet .data file states as the file of the names."""
    stated = re.search(r"(?m)^\s*names\s*=\s*(.+?)\s*$", text)
    return stated[1] if stated else ""
