"""What was recognised or said about a layout is kept in the workspace, and the commands print it."""

import json

import pytest

from cvtune_nb import cli
from cvtune_nb.data import keep_together, open_workspace
from cvtune_nb.data.layout import alike, in_words, spelt_twice
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import RECOGNISE
from tests.photos import make_photos

VEHICLES = ("train", "test", "tram")


@pytest.fixture
def vehicles(tmp_path):
    """Three folders that may be parts of the photos, or classes."""
    return make_photos(tmp_path / "photos", VEHICLES, per_class=6, size=48)


@pytest.fixture
def fruit(tmp_path):
    """A split in which no lime and no fig is for validation."""
    folder = tmp_path / "photos"
    make_photos(folder / "train", ("lemon", "lime", "fig"), per_class=12, size=48)
    make_photos(folder / "val", ("lemon",), per_class=4, size=48, seed=1)
    make_photos(folder / "test", ("lemon", "lime"), per_class=3, size=48, seed=2)
    return folder


def splits(space):
    manifest = space.manifest()
    return dict(zip(manifest["path"], manifest["split"], strict=True))


def test_what_was_said_is_remembered_until_something_else_is_said(vehicles, tmp_path):
    with pytest.raises(InputError, match="--layout splits or --layout classes"):
        open_workspace(vehicles, tmp_path / "w")
    space = open_workspace(vehicles, tmp_path / "w", layout="classes")
    assert space.classes == sorted(VEHICLES)
    again = open_workspace("", tmp_path / "w")
    assert (again.layout, again.classes) == ("classes", sorted(VEHICLES))
    assert again.chosen == "as you chose: layout classes"
    assert json.loads((space.folder / "workspace.json").read_text())["layout"] == "classes"
    for wrong in (RECOGNISE, "splits", "names", "typo"):
        with pytest.raises(InputError):
            open_workspace("", tmp_path / "w", layout=wrong)
    assert open_workspace("", tmp_path / "w").classes == sorted(VEHICLES), "what failed is not remembered"
    assert keep_together(again, dict.fromkeys(again.manifest()["sha256"][:2], "pair")) in (0, 1), (
        "it reads them so, too"
    )


def test_a_workspace_made_before_layouts_were_kept_opens_as_it_was(tmp_path):
    photos = make_photos(tmp_path / "photos", ("a", "b"), per_class=6, size=48)
    space = open_workspace(photos, tmp_path / "w")
    file = space.folder / "workspace.json"
    old = {name: json.loads(file.read_text())[name] for name in ("format", "data", "source", "seed", "created")}
    file.write_text(json.dumps(old))
    again = open_workspace("", tmp_path / "w")
    assert (again.layout, again.recognised, again.draw_validation) == ("", "", False)
    assert json.loads(file.read_text()) == old | {"levels": None, "converts": 2}, (
        "of layouts nothing is to be remembered"
    )


def test_classes_without_validation_photos_are_all_named_with_the_way_out(fruit, tmp_path):
    with pytest.raises(InputError) as error:
        open_workspace(fruit, tmp_path / "w")
    words = (
        "the split you gave has no validation photos of 'fig' (12 in train), 'lime' (12 in train, 3 in test): add some"
    )
    assert str(error.value).startswith(words)
    assert "--draw-validation" in str(error.value)


def test_validation_photos_drawn_from_train_are_frozen_like_others(fruit, tmp_path):
    space = open_workspace(fruit, tmp_path / "w", draw_validation=True)
    counts = space.manifest().groupby(["label", "split"]).size().to_dict()
    assert counts == {
        ("lemon", "train"): 12,
        ("lemon", "validation"): 4,
        ("lemon", "test"): 3,
        ("lime", "train"): 10,
        ("lime", "validation"): 2,
        ("lime", "test"): 3,
        ("fig", "train"): 10,
        ("fig", "validation"): 2,
    }
    given = {path: split for path, split in splits(space).items() if "lemon" in path or path.startswith("test/")}
    assert all(path.startswith(split[:3]) for path, split in given.items()), "what was given stays"
    old = splits(space)
    make_photos(fruit / "train", ("x", "lime"), per_class=14, size=48)
    (fruit / "train" / "x").rename(tmp_path / "x")
    again = open_workspace("", tmp_path / "w")
    assert again.draw_validation
    assert {path: splits(again)[path] for path in old} == old
    assert "validation photos drawn from train" in again.chosen
    with pytest.raises(InputError, match="no validation photos of 'fig'"):
        open_workspace("", tmp_path / "w", draw_validation=False)


def test_the_commands_say_what_was_recognised_and_take_what_was_said(vehicles, tmp_path, capsys):
    small = ["--backbone", "efficientnet_lite0", "--image-size", "64", "--json"]
    command = ["baseline", "--workspace", str(tmp_path / "w"), *small, "--data"]
    assert cli.main([*command, str(vehicles)]) == 2
    assert "'test' and 'train' beside 'tram'" in capsys.readouterr().err
    rows = [f"{path.relative_to(vehicles)};{path.parent.name},x" for path in sorted(vehicles.glob("*/*.jpg"))]
    (vehicles / "list.csv").write_text("\n".join(["file;category", *rows]))
    assert cli.main([*command, str(vehicles / "list.csv")]) == 2
    assert "seems to be several, 'test' and 'x'" in capsys.readouterr().err
    assert cli.main([*command, str(vehicles / "list.csv"), "--layout", "csv"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation_accuracy"] > 0
    assert "recognised: CSV list.csv: file is the path, category is the label; separator semicolon" in err
    assert "as you chose: layout csv" in err


@pytest.mark.parametrize("twin", ["Cat", "CAT", " cat ", "cat_", "_Cat"])
def test_spellings_of_one_name(twin):
    assert alike(twin) == alike("cat")
    assert spelt_twice(["cat", "dog", twin, "cats"]) == [tuple(sorted(["cat", twin]))]


def test_names_in_words():
    assert in_words(["a"]) == "'a'"
    assert in_words(["a", "b", "c"]) == "'a', 'b' and 'c'"
    assert in_words(map(str, range(20)), most=2) == "'0', '1' and 18 more"
