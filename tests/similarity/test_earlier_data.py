"""Photos that a network has learned from say nothing about how well it finds others."""

import json

import pytest

from cvtune_nb import cli, similarity
from cvtune_nb.classification import fit
from cvtune_nb.data import keep_together
from cvtune_nb.errors import InputError
from cvtune_nb.similarity.evaluation import fair_queries
from cvtune_nb.similarity.export import export_similarity
from tests.made_runs import CONFIG, as_before, made_run

FROZEN = "efficientnet_lite0@64"


def split(workspace, name):
    photos = workspace.photos()
    return photos[photos["split"] == name]


@pytest.fixture
def redrawn(workspace):
    """(workspace, run): a run, after which photos that it has learned became test and validation photos."""
    run = fit(workspace, CONFIG)
    train, groups = split(workspace, "train"), {}
    for number, name in enumerate(("test", "test", "validation")):
        pair = (train.iloc[number * 20], split(workspace, name).iloc[number])
        groups |= {row.sha256: f"copies-{number}" for row in pair}
    assert keep_together(workspace, groups) > 0
    return workspace, run


def test_without_a_run_of_these_photos_the_default_network_is_frozen(workspace):
    first = made_run(workspace, 1.0)
    assert similarity.find_embedder(workspace).run == first.id
    workspace.decide(split(workspace, "validation")["path"].iloc[0], "exclude")
    assert similarity.find_embedder(workspace).run == ""
    named = similarity.find_embedder(workspace, first.id)
    assert (named.run, named.data, named.words) == (first.id, "earlier data", f"run {first.id} (earlier data)")
    second = made_run(workspace, 0.5)
    assert similarity.find_embedder(workspace).run == second.id
    names = [each.run for each in similarity.list_embedders(workspace)]
    assert (names[0], names[-1]) == (second.id, first.id)


def test_what_a_run_has_seen_is_not_looked_up(redrawn, capsys):
    workspace, run = redrawn
    embedder, photos = similarity.find_embedder(workspace, run.id), workspace.photos()
    assert embedder.data == "earlier data"
    own = run.provenance.photos
    learned = photos["group"].isin(photos.loc[photos["sha256"].isin(own.query("split == 'train'")["sha256"]), "group"])
    fair = fair_queries(workspace, embedder, "validation").photos
    assert 0 < len(fair) < len(split(workspace, "validation"))
    assert not set(fair["path"]) & set(photos.loc[learned, "path"])
    tested = fair_queries(workspace, embedder, "test")
    seen = photos["group"].isin(photos.loc[photos["sha256"].isin(own.query("split != 'test'")["sha256"]), "group"])
    assert tested.left_out == int((seen & (photos["split"] == "test")).sum()) > 0
    assert fair_queries(workspace, embedder.frozen, "test").left_out == 0

    where = ["similar", str(workspace.folder), "--embedder", run.id, "--open-test"]
    assert cli.main([*where, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["test"]["queries"] == len(tested.photos)
    assert values["test"]["left_out"] == tested.left_out and "not counted" in values["test"]["note"]
    assert values["measured"]["queries"] == values["frozen"]["queries"] == len(fair), "compared on the same photos"
    assert cli.main(where) == 0
    assert tested.words in capsys.readouterr().out

    made = export_similarity(workspace, run.id)
    assert (made.left_out, len(made.test.queries)) == (tested.left_out, len(tested.photos))
    card = (made.folder / "README.md").read_text()
    assert tested.words in card and "then frozen" not in card


def test_where_it_is_not_known_the_test_set_stays_locked(redrawn):
    workspace, run = redrawn
    as_before(run)
    embedder = similarity.find_embedder(workspace, run.id)
    with pytest.raises(InputError, match=r"0 test photos to measure on .*not known which ones this run has trained on"):
        similarity.evaluate_split(workspace, embedder, "test")
    made = export_similarity(workspace, run.id)
    assert made.test is None and workspace.test_openings() == 0
    assert "no test photo is counted" in (made.folder / "README.md").read_text()


def test_a_run_of_other_classes_is_exported_only_when_asked_for(workspace):
    run = fit(workspace, CONFIG)
    photos = workspace.photos()
    workspace.decide_all((path, "relabel", "disc", "") for path in photos.loc[photos["label"] == "circle", "path"])
    with pytest.raises(InputError, match=r"is of earlier data \(classes renamed: circle to disc\)"):
        export_similarity(workspace, run.id)
    assert workspace.test_openings() == 0 and not workspace.exports.exists()
    made = export_similarity(workspace, run.id, earlier_data=True)
    assert made.test is not None and "classes renamed" in made.notes[0]
    assert export_similarity(workspace, FROZEN).notes == ()
