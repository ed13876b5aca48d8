import json
import shutil

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.files import write_csv
from cvtune_nb.workspace import Workspace, home, photos_id, workspace_name


def journal(space):
    return (space.folder / "curation.jsonl").read_bytes()


def label_of(space, path):
    photos = space.photos().set_index("path")
    return photos.at[path, "label"] if path in photos.index else None


def rename(space, old, new):
    """As if the person had renamed a photo and opened the data again."""
    manifest = space.manifest()
    manifest["path"] = manifest["path"].replace(old, new)
    write_csv(space.folder / "manifest.csv", manifest)


def test_relabel_exclude_and_keep(workspace):
    one, two, three, *_ = workspace.manifest()["path"]
    workspace.decide(one, "relabel", to="square", reason="looks square")
    workspace.decide(two, "exclude")
    workspace.decide(three, "keep")
    assert [label_of(workspace, path) for path in (one, two, three)] == ["square", None, "circle"]
    assert len(workspace.photos()) == len(workspace.manifest()) - 1
    assert workspace.manifest()["label"].iloc[0] == "circle"
    assert {path: decision["action"] for path, decision in workspace.standing().items()} == {
        one: "relabel",
        two: "exclude",
        three: "keep",
    }
    first = workspace.decisions()[0]
    assert list(first) == ["time", "sha256", "path", "action", "from", "to", "reason"]
    assert (first["from"], first["to"], first["reason"]) == ("circle", "square", "looks square")


def test_undo_takes_back_one_decision_after_another(workspace):
    path = workspace.manifest()["path"].iloc[0]
    workspace.decide(path, "relabel", to="square")
    workspace.decide(path, "relabel", to="stripes")
    workspace.decide(path, "exclude")
    assert label_of(workspace, path) is None
    workspace.decide(path, "undo")
    assert label_of(workspace, path) == "stripes"
    workspace.decide(path, "undo")
    assert label_of(workspace, path) == "square"
    workspace.decide(path, "undo")
    assert label_of(workspace, path) == "circle"
    workspace.decide(path, "undo")
    assert label_of(workspace, path) == "circle"
    workspace.decide(path, "exclude")
    assert label_of(workspace, path) is None
    assert len(workspace.decisions()) == 8


def test_the_journal_only_grows_and_another_notebook_reads_it(workspace):
    path = workspace.manifest()["path"].iloc[0]
    before = b""
    for action, to in (("relabel", "square"), ("undo", ""), ("exclude", ""), ("undo", "")):
        workspace.decide(path, action, to=to)
        assert journal(workspace).startswith(before)
        assert len(journal(workspace)) > len(before)
        before = journal(workspace)
    assert len(Workspace(workspace.folder).decisions()) == 4


def test_a_decision_goes_with_the_content_not_the_name(workspace):
    one, two, *_ = workspace.manifest()["path"]
    workspace.decide(one, "relabel", to="square")
    rename(workspace, one, "circle/renamed.jpg")
    rename(workspace, two, one)  # another photo has the old name now
    assert label_of(workspace, "circle/renamed.jpg") == "square"
    assert label_of(workspace, one) == "circle"
    workspace.decide("circle/renamed.jpg", "undo")
    assert label_of(workspace, "circle/renamed.jpg") == "circle"


def test_a_decision_about_a_photo_that_is_gone_waits_for_it(workspace):
    path = workspace.manifest()["path"].iloc[0]
    whole = workspace.manifest()
    workspace.decide(path, "exclude")
    write_csv(workspace.folder / "manifest.csv", whole.iloc[1:])
    assert workspace.standing() == {}
    write_csv(workspace.folder / "manifest.csv", whole)
    assert label_of(workspace, path) is None


def test_each_of_two_copies_has_its_own_decision(workspace):
    manifest = workspace.manifest()
    manifest.loc[1, "sha256"] = manifest.loc[0, "sha256"]
    write_csv(workspace.folder / "manifest.csv", manifest)
    one, two = manifest["path"].iloc[:2]
    workspace.decide(two, "exclude")
    assert (label_of(workspace, one), label_of(workspace, two)) == ("circle", None)


def test_two_photos_that_are_no_copies_and_that_taken_back(workspace):
    first, second, third = workspace.manifest().drop_duplicates("sha256")["path"][:3]
    workspace.decide(first, "exclude")
    workspace.decide(first, "distinct", to=second)
    workspace.decide(third, "distinct", to=first)
    workspace.decide(second, "same", to=first)
    shas = workspace.manifest().set_index("path")["sha256"]
    assert set(workspace.distinct()) == {frozenset([shas[first], shas[third]])}
    assert workspace.standing()[first]["action"] == "exclude", "what was decided about one photo stays"
    workspace.decide(first, "undo")
    assert workspace.standing() == {} and len(workspace.distinct()) == 1


def test_a_line_cut_off_by_a_crash_costs_no_other_decision(workspace):
    one, two, *_ = workspace.manifest()["path"]
    workspace.decide(one, "relabel", to="Grüne <b>Bohne</b>")
    line = journal(workspace)
    with open(workspace.folder / "curation.jsonl", "ab") as file:
        file.write(line[: line.index(b"\xc3") + 1])
    assert label_of(workspace, one) == "Grüne <b>Bohne</b>"
    workspace.decide(two, "exclude")
    assert label_of(workspace, one) == "Grüne <b>Bohne</b>"
    assert label_of(workspace, two) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("circle/nobody.jpg", "exclude"), "circle/nobody.jpg is not a photo of this workspace"),
        (("circle/circle-000.jpg", "delete"), "'delete' is not a decision: choose relabel, exclude, keep, undo"),
        (("circle/circle-000.jpg", "relabel", "  "), "relabel of circle/circle-000.jpg needs the new label"),
    ],
)
def test_a_decision_that_is_none_is_refused_and_not_written(workspace, arguments, words):
    with pytest.raises(InputError) as error:
        workspace.decide(*arguments)
    assert words in str(error.value)
    assert workspace.decisions() == []


def test_deciding_never_touches_a_photo_or_the_manifest(workspace):
    path = workspace.manifest()["path"].iloc[0]
    before = workspace.path_of(path).read_bytes(), (workspace.folder / "manifest.csv").read_bytes()
    workspace.decide(path, "exclude")
    assert (workspace.path_of(path).read_bytes(), (workspace.folder / "manifest.csv").read_bytes()) == before


def test_openings_of_the_test_set_are_counted(workspace):
    before = workspace.test_openings()
    assert workspace.open_test("a baseline") == before + 1
    assert workspace.open_test("an export") == before + 2
    assert Workspace(workspace.folder).test_openings() == before + 2
    lines = (workspace.folder / "test_openings.jsonl").read_text().splitlines()
    assert [json.loads(line)["by"] for line in lines[-2:]] == ["a baseline", "an export"]


def test_labels_that_look_like_missing_values_stay_labels(workspace):
    manifest = workspace.manifest()
    manifest["label"] = ["NA", "nan", "None", "1.0", "007", "true"] * 12
    write_csv(workspace.folder / "manifest.csv", manifest)
    assert workspace.classes == ["007", "1.0", "NA", "None", "nan", "true"]


def test_a_workspace_can_be_moved(workspace, tmp_path):
    moved = shutil.move(workspace.folder, tmp_path / "moved")
    assert len(Workspace(moved).photos()) == 72


def test_the_name_of_a_set_of_photos_changes_with_labels_and_splits_not_with_names(workspace):
    photos = workspace.photos()
    same = photos.assign(path="x").sample(frac=1, random_state=0)
    assert photos_id(same) == photos_id(photos)
    for column, value in (("label", "other"), ("split", "test"), ("sha256", "0" * 64)):
        changed = photos.copy()
        changed.loc[photos["split"] == "train", column] = value
        assert photos_id(changed) != photos_id(photos)
    assert photos_id(photos.iloc[1:]) != photos_id(photos)


def test_where_home_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CVTUNE_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"
    monkeypatch.delenv("CVTUNE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path / "cvtune"
    (tmp_path / "checkout" / "cvtune_nb").mkdir(parents=True)
    (tmp_path / "checkout" / "notebooks").mkdir()
    (tmp_path / "checkout" / "cvtune_nb" / "workspace.py").touch()
    for folder in ("checkout", "checkout/notebooks"):
        monkeypatch.chdir(tmp_path / folder)
        assert home() == tmp_path / "checkout" / "data"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("My Photos", "My-Photos"),
        ("set.zip", "set"),
        ("/", "photos"),
        ("..hidden..", "hidden"),
        ("größe <b>", "größe-b"),
    ],
)
def test_a_workspace_is_named_after_its_photos(tmp_path, data, name):
    from pathlib import Path

    assert workspace_name(Path("/") if data == "/" else tmp_path / data) == name
