import numpy as np
import pandas as pd
import pytest

from cvtune_nb import similarity
from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError
from cvtune_nb.similarity import active_learning
from cvtune_nb.workspace import Workspace
from tests.photos import make_photos
from tests.similarity.test_index import clusters

FROZEN = "efficientnet_lite0@64"


def test_without_labels_one_typical_photo_of_each_kind():
    rows, groups = clusters(8, 30, spread=0.1)
    found = similarity.select(rows, rows[:0], [], 8)
    assert found.reason == "typical"
    assert sorted(groups[found.indices]) == list(range(8))
    assert set(found.labels) == {""}


def test_typical_photos_come_from_kinds_without_a_label():
    rows, groups = clusters(8, 30, spread=0.1)
    known = np.flatnonzero(np.isin(groups, [0, 1]))[::30]
    pool = np.setdiff1d(np.arange(len(rows)), known)
    found = similarity.select(rows[pool], rows[known], ["a", "b"], 6)
    assert set(groups[pool][found.indices]) == {2, 3, 4, 5, 6, 7}


def test_with_labels_doubtful_photos_and_no_two_alike():
    rows, groups = clusters(4, 60, spread=0.15)
    between = rows[groups == 0][:20] + rows[groups == 1][:20]
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    twins = np.repeat(between[:1], 10, axis=0)
    pool = np.concatenate([rows[groups > -1][30:], between, twins]).astype(np.float32)
    known = np.concatenate([np.flatnonzero(groups == group)[:8] for group in range(4)])
    found = similarity.select(pool, rows[known], groups[known].astype(str), 6)
    assert found.reason == "uncertain"
    first = len(pool) - 30
    assert (found.indices >= first).sum() >= 3
    assert (found.indices >= len(pool) - 10).sum() <= 2, "copies of one photo teach nothing new"
    assert len(set(found.indices)) == 6


def test_a_large_pool_is_clustered_in_part(monkeypatch):
    monkeypatch.setattr(active_learning, "CLUSTERED", 50)
    rows, _ = clusters(8, 30)
    found = similarity.select(rows, rows[:0], [], 12)
    assert len(set(found.indices)) == 12
    assert found.indices.max() >= 50


@pytest.mark.parametrize("count", [1, 5, 500])
def test_never_more_than_there_are_and_none_twice(count):
    rows, groups = clusters(3, 10)
    for known in (0, 3, 24):
        found = similarity.select(rows[known:], rows[:known], groups[:known].astype(str), count)
        assert len(found.indices) == len(set(found.indices)) == min(count, 30 - known)


def test_a_list_is_written_and_never_over_another(workspace, tmp_path):
    folder = make_photos(tmp_path / "new", ("circle", "ring"), per_class=6, seed=9)
    (folder / "broken.jpg").write_bytes(b"no photo")
    known = workspace.path_of(workspace.photos()["path"].iloc[0])
    (folder / "known.jpg").write_bytes(known.read_bytes())
    embedder = similarity.find_embedder(workspace, FROZEN)
    made = similarity.label_next(workspace, folder, embedder, 5)
    again = similarity.label_next(workspace, folder, embedder, 5)
    assert [made.file.name, again.file.name] == ["to-label-001.csv", "to-label-002.csv"]
    table = pd.read_csv(made.file, keep_default_na=False)
    assert list(table) == ["path", "label", "looks_like", "probability", "why", "like"]
    assert len(table) == 5
    assert not any("known" in path for path in table["path"]), "the workspace has it already"
    assert [path.split("/")[-1] for path, _ in made.left_out] == ["broken.jpg"]
    assert "5 photos to label" in made.words
    assert workspace.photos().shape == Workspace(workspace.folder).photos().shape


def test_a_list_that_was_filled_in_can_be_opened(workspace, tmp_path):
    folder = make_photos(tmp_path / "new", ("circle", "ring"), per_class=12, seed=9)
    made = similarity.label_next(workspace, folder, similarity.find_embedder(workspace, FROZEN), 20)
    table = pd.read_csv(made.file, keep_default_na=False)
    table["label"] = [path.split("/")[-2] for path in table["path"]]
    table.to_csv(made.file, index=False)
    assert len(open_workspace(made.file, tmp_path / "other").photos()) == 20


def test_more_like_these(workspace, tmp_path, monkeypatch):
    folder = make_photos(tmp_path / "new", ("circle", "square", "stripes"), per_class=30, seed=9)
    stripes = sorted(map(str, (folder / "stripes").glob("*.jpg")))[:2]
    monkeypatch.setattr(active_learning, "CANDIDATES", 2)
    made = similarity.label_next(workspace, folder, similarity.find_embedder(workspace, FROZEN), 6, stripes)
    assert made.table["path"].str.contains("stripes").mean() >= 0.8
    assert made.table["like"].notna().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folder": "nowhere"}, "is no folder"),
        ({"count": 0}, "1 or more"),
        ({"like": ["nothing.jpg"]}, "nothing.jpg can't be used"),
        ({"folder": "empty"}, "no photo that can be read"),
    ],
)
def test_bad_input_says_what_to_do(workspace, tmp_path, change, words):
    make_photos(tmp_path / "new", ("circle",), per_class=2, seed=9)
    (tmp_path / "empty").mkdir()
    given = {"folder": "new", "count": 5, "like": [], **change}
    with pytest.raises(InputError, match=words):
        similarity.label_next(
            workspace,
            tmp_path / given["folder"],
            similarity.find_embedder(workspace, FROZEN),
            given["count"],
            given["like"],
        )


def test_a_folder_that_is_known_already_has_nothing_to_label(workspace):
    with pytest.raises(InputError, match="other photos"):
        similarity.label_next(workspace, workspace.data, similarity.find_embedder(workspace, FROZEN), 5)
