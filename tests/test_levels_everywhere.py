"""Whoever shows or computes with a photo says with which levels: a forgotten one makes 12-bit photos black."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cvtune_nb"

DECODERS = {
    "read_photo": 3,
    "centre_square": 3,
    "framed": 5,
    "scaled": 3,
    "thumbnail": 3,
    "contact_sheet": 5,
    "mistakes": 4,
    "answer": 5,
    "boxed": 5,
    "unlabelled": 3,
}
"""What decodes photos, and how many arguments it has with the levels, the last one."""

MODULES = {"photo", "plots", "pixels", "data"}


def forgotten(source: str) -> list[int]:
    """Lines where something of DECODERS is called, or handed on to be called, without levels."""
    tree, lines = ast.parse(source), []
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {alias.name for node in imports for alias in node.names}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    by_function = {id(call.func): call for call in calls}
    by_function |= {id(call.args[0]): call for call in calls if ast.unparse(call.func).endswith("partial")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in MODULES:
            name = node.attr
        elif isinstance(node, ast.Name) and node.id in imported:
            name = node.id
        else:
            continue
        call = by_function.get(id(node))
        named = call and any(word.arg == "levels" for word in call.keywords)
        if name in DECODERS and not (named or (call and len(call.args) >= DECODERS[name])):
            lines.append(node.lineno)
    return sorted(lines)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_photo_is_decoded_without_levels(path):
    assert forgotten(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "thumbnail(path)",
        "thumbnail(path, 96)",
        "photo.read_photo(file, at_least=1)",
        "keep(store, scaled, progress)",
        "plots.contact_sheet(photos, path_of)",
        "functools.partial(centre_square)",
        "photo.centre_square(file, 224)",
    ],
)
def test_a_forgotten_one_is_seen(source):
    assert forgotten(f"from cvtune_nb.data import thumbnail, scaled, centre_square; {source}") == [1]


@pytest.mark.parametrize(
    "source",
    [
        "thumbnail(path, 96, space.levels)",
        "photo.read_photo(file, levels=levels)",
        "np.square(x)",
        "image.thumbnail((9, 9))",
        "functools.partial(scaled, levels=space.levels)",
        "lambda square: square.mean()",
    ],
)
def test_the_others_pass(source):
    assert forgotten(f"from cvtune_nb.data import thumbnail, scaled, centre_square; {source}") == []
