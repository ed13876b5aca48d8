"""What is exported is of the photos there are now, and is measured on nothing that it has seen."""

import json
import shutil
from dataclasses import replace

import pytest

from cvtune_nb import cli
from cvtune_nb.classification import export_run, fit
from cvtune_nb.data import keep_together, open_workspace
from cvtune_nb.errors import InputError
from cvtune_nb.workspace import Workspace
from tests.made_runs import CONFIG, as_before
from tests.photos import make_photos

ONCE = replace(CONFIG, epochs=1, head="random")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(photos, workspace, run): one that is really trained, on photos of its own. Shared: only read it."""
    place = tmp_path_factory.mktemp("earlier")
    photos = make_photos(place / "photos", ("cat", "dog", "owl"), per_class=20)
    shutil.move(photos / "owl", place / "owl")
    workspace = open_workspace(photos, place / "workspace")
    return place, workspace, fit(workspace, ONCE)


@pytest.fixture
def here(made, tmp_path):
    """A copy of them to work in: (photos, workspace, run)."""
    place, _, run = made
    shutil.copytree(place, tmp_path / "place")
    photos, folder = tmp_path / "place" / "photos", tmp_path / "place" / "workspace"
    known = json.loads((folder / "workspace.json").read_text())
    (folder / "workspace.json").write_text(json.dumps({**known, "data": str(photos), "source": str(photos)}))
    return photos, Workspace(folder), run


def command(workspace, *others):
    variants = [] if "--similarity" in others else ["--variants", "none"]
    return cli.main(["export", "--workspace", str(workspace.folder), *variants, *others])


def refused(workspace, capsys, *others):
    """The sentence with which an export is refused; nothing was made, and the test set not opened."""
    before = workspace.test_openings()
    assert command(workspace, *others) == 2
    assert workspace.test_openings() == before
    assert not list(workspace.exports.glob("*"))
    return capsys.readouterr().err.splitlines()[-1]


def test_after_a_class_was_added_the_old_model_is_not_the_best(here, capsys):
    photos, workspace, run = here
    shutil.move(photos.parent / "owl", photos)
    open_workspace(photos, workspace.folder)
    told = refused(workspace, capsys, "--run", "best")
    assert f"only runs of earlier data, the newest of them {run.id} (classes added: owl): train again" in told
    assert "--earlier-data" in told
    for name in (run.id, "last"):
        assert f"run {run.id} is of earlier data (classes added: owl)" in refused(workspace, capsys, "--run", name)
    assert "classes added: owl" in refused(workspace, capsys, "--similarity", "--run", run.id)

    new = fit(workspace, ONCE)
    assert command(workspace, "--run", "best", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["run"] == new.id
    assert json.loads((workspace.exports / new.id / "labels.json").read_text())["labels"] == ["cat", "dog", "owl"]
    assert (values["test_left_out"], values["notes"]) == (0, [])


def test_asked_for_it_is_measured_on_photos_of_its_own_classes(here, capsys):
    photos, workspace, run = here
    shutil.move(photos.parent / "owl", photos)
    open_workspace(photos, workspace.folder)
    now = workspace.photos()
    theirs = now[(now["split"] == "test") & now["label"].isin(["cat", "dog"])]
    owls = int(((now["split"] == "test") & (now["label"] == "owl")).sum())
    assert len(theirs) and owls
    assert command(workspace, "--run", run.id, "--earlier-data", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["test_photos"], values["test_left_out"], values["test_openings"]) == (len(theirs), owls, 1)
    card = (workspace.exports / run.id / "README.md").read_text()
    assert f"{owls} test photos of classes that it does not know: not counted" in card
    assert "This run is of earlier data, and its validation figures are of then: classes added: owl" in card
    assert "split once and then frozen" in card


def test_after_all_classes_were_renamed_nothing_is_left_to_measure(here, capsys):
    photos, workspace, run = here
    for before, after in (("cat", "kitten"), ("dog", "puppy")):
        (photos / before).rename(photos / after)
    open_workspace(photos, workspace.folder)
    assert "classes renamed: cat to kitten, dog to puppy" in refused(workspace, capsys, "--run", run.id)
    assert command(workspace, "--run", run.id, "--earlier-data", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["test_accuracy"] is None and values["test_openings"] == 0
    assert values["parity_photos"] > 0
    assert "not measured" in (workspace.exports / run.id / "README.md").read_text()


def test_other_validation_photos_are_said_on_the_card(here):
    _, workspace, run = here
    rows = workspace.photos()
    workspace.decide(rows.loc[rows["split"] == "validation", "path"].iloc[0], "exclude")
    with pytest.raises(InputError, match="1 validation photo changed: added, removed or relabelled"):
        export_run(workspace, "best")
    made = export_run(workspace, run.id, variants=())
    changed = "1 validation photo changed: added, removed or relabelled"
    assert made.notes == (f"This run is of earlier data, and its validation figures are of then: {changed}",)


@pytest.fixture
def redrawn(here):
    """(workspace, run, moved): copies were found after the run, and photos that it has learned are test photos now."""
    _, workspace, run = here
    photos = workspace.photos()
    train, test = (photos[photos["split"] == name] for name in ("train", "test"))
    pairs = [(train.iloc[0], test.iloc[0]), (train.iloc[-1], test.iloc[-1])]
    assert keep_together(workspace, {row.sha256: f"copies-{n}" for n, pair in enumerate(pairs) for row in pair}) > 0
    now = workspace.photos().set_index("sha256")["split"]
    moved = [first.sha256 for first, _ in pairs if now[first.sha256] == "test"]
    assert moved, "nothing that it has learned is a test photo now"
    return workspace, run, moved


def test_after_the_split_was_drawn_again_a_run_is_not_tested_on_what_it_has_learned(redrawn, capsys):
    workspace, run, moved = redrawn
    now = workspace.photos()
    seen = now["group"].isin(now.loc[now["sha256"].isin(moved), "group"])
    fair = now[(now["split"] == "test") & ~seen]
    left_out = int(((now["split"] == "test") & seen).sum())
    assert left_out > len(moved), "its copies, too"
    assert command(workspace, "--run", run.id, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["test_photos"], values["test_left_out"]) == (len(fair), left_out)
    folder = workspace.exports / run.id
    assert {line.split(",")[0] for line in (folder / "test_predictions.csv").read_text().splitlines()[1:]} == (
        set(fair["path"])
    )
    card = (folder / "README.md").read_text()
    assert f"{left_out} test photos are not counted: this run has trained on them or on copies of them" in card
    assert "frozen" not in card.split("## Data")[1].split("##")[0]
    assert "again when copies were found after this run was made" in card
    assert json.loads((folder / "config.json").read_text())["test_left_out"] == left_out


def test_of_a_run_of_an_earlier_version_it_is_not_known_and_nothing_is_opened(redrawn):
    workspace, run, _ = redrawn
    as_before(run := replace(run, folder=workspace.runs / run.id))
    made = export_run(workspace, run.id, variants=())
    assert made.test is None and made.openings == 0
    assert any("it is not known which ones this run has trained on" in note for note in made.notes)
    card = (made.folder / "README.md").read_text()
    assert "whose split when this run was made is not known" in card and "then frozen" not in card


def test_a_run_made_after_it_is_tested_on_all(redrawn):
    workspace, _, _ = redrawn
    made = export_run(workspace, fit(workspace, ONCE).id, variants=())
    assert made.test.n == int((workspace.photos()["split"] == "test").sum())
    assert (made.left_out, made.notes) == (0, ())
