"""Label Studio: a JSON or JSON-MIN export of a project in which photos were given choices."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import Format, Stated, begins, files_of, json_of
from cvtune_nb.data.layout import in_words
from cvtune_nb.errors import InputError

TASK = re.compile(
    r'\s*\[\s*\{(?=.*"(image|img|photo|picture|data)")(?=.*"(annotation_id|was_cancelled|from_name|completed_by)")',
    re.DOTALL,
)
"""How an export begins: a list of tasks."""
OF_A_TASK = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
"""What JSON-MIN says of a task besides its data and its answers."""
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
PHOTO = re.compile(r"\.(jpe?g|png|gif|webp|bmp|tiff?|heic|avif)$", re.IGNORECASE)


class LabelStudio(Format):
    """A list of tasks, each with the address of its photo and what annotators have chosen."""

    name, title = "label-studio", "Label Studio"

    def find(self, tree: Folder) -> list[Path]:
        """JSON files that begin as exports do."""
        return [path for path in files_of(tree, ".json") if TASK.match(begins(path))]

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The choice of each task; where annotators disagree the photo is left out."""
        for file in files:
            tasks = json_of(file)
            question = _question(file, tasks)
            for number, task in enumerate(tasks, 1):
                place = f"task {task.get('id', number) if isinstance(task, dict) else number}"
                if not isinstance(task, dict):
                    raise InputError(f"{file} {place}: it is no JSON object: export the project again")
                names = _names(task)
                if not names:
                    raise InputError(f"{file} {place}: it names no photo: export the project again, with its data")
                given = [labels for labels in _choices(task).get(question, []) if labels]
                if len(set(given)) > 1:
                    said = in_words(dict.fromkeys(" and ".join(labels) for labels in given))
                    yield Stated(file, place, names, (), without=f"its annotators disagree: {said}")
                else:
                    yield Stated(file, place, names, given[0] if given else (), without="skipped, or not labelled yet")


def _question(file: Path, tasks: Any) -> str:
    """The one question that annotators were asked; "" where they chose nothing. Raises InputError."""
    asked = list(dict.fromkeys(name for task in tasks if isinstance(task, dict) for name in _choices(task)))
    if len(asked) > 1:
        raise InputError(
            f"{file} answers several questions, {in_words(asked)}: export a project that asks for the class alone, or "
            "give a CSV file with the columns path,label"
        )
    return asked[0] if asked else ""


def _choices(task: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """By question, what each annotator has chosen."""
    given: dict[str, list[tuple[str, ...]]] = {}
    annotations = task.get("annotations", task.get("completions"))
    if isinstance(annotations, list):
        for annotation in annotations:
            if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
                continue
            for result in annotation.get("result") or []:
                if isinstance(result, dict) and result.get("type") == "choices":
                    labels = result.get("value", {}).get("choices", [])
                    given.setdefault(str(result.get("from_name")), []).append(tuple(sorted(map(str, labels))))
        return given
    for key, value in task.items():
        if isinstance(value, dict) and isinstance(value.get("choices"), list):
            given[key] = [tuple(sorted(map(str, value["choices"])))]
        elif isinstance(value, str) and key not in OF_A_TASK and not PHOTO.search(_path(value)):
            given[key] = [(value,)]
    return given


def _names(task: dict[str, Any]) -> tuple[str, ...]:
    """What the photo of a task may be called: its address from the right, then as it was before it was uploaded."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    address = next((value for value in data.values() if isinstance(value, str) and PHOTO.search(_path(value))), "")
    path = _path(address)
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    names = ["/".join(parts[begin:]) for begin in range(len(parts))]
    return (*names, *(UPLOADED.sub("", name) for name in names[-1:] if UPLOADED.match(name)))


def _path(address: str) -> str:
    """The path in an address: of a file, on a server, or in Label Studio's local storage (?d=...)."""
    parts = urlsplit(address.replace("\\", "/"))
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)
