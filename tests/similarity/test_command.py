"""`cvtune similar`, and `cvtune export --similarity`."""

import json
import shutil

import pandas as pd
import pytest
from PIL import Image

from cvtune_nb import cli
from cvtune_nb.export import open_export, verification
from cvtune_nb.similarity import find_embedder
from tests.calling import called, without_packages
from tests.similarity.conftest import FROZEN


def test_similar_by_an_export(made, space, tmp_path, capsys):
    photo, broken = space.path_of(space.photos()["path"][9]), tmp_path / "broken.jpg"
    broken.write_text("<html>")
    status, found, _ = called(capsys, "similar", made.folder, photo, broken, "--k", 3)
    assert status == 0
    first, second = found["similar"]
    assert first["similar"] == open_export(made.folder).predict([photo], 3)[0]["similar"]
    assert first["path"] == str(photo) and {"path", "label", "distance"} <= set(first["similar"][0])
    assert second == {"path": str(broken), "error": "not a photo: a web page"}
    status, again, _ = called(capsys, "similar", made.zip, "--k", 3, photo)
    assert (status, again["similar"]) == (0, [first]), "photos may stand behind options"
    assert cli.main(["similar", str(made.folder), str(photo), str(broken)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"nearest to {photo}\ndistance  label") and f"{broken}: not a photo" in out
    status, answers, _ = called(capsys, "predict", made.folder, photo)
    assert status == 0 and len(answers["predictions"][0]["similar"]) == 10
    assert cli.main(["predict", str(made.folder), str(photo)]) == 0
    assert capsys.readouterr().out.startswith("nearest to ")


def test_similar_by_an_export_needs_neither_torch_nor_pandas(made, space):
    done = without_packages("similar", made.folder, space.path_of(space.photos()["path"][9]), "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["similar"][0]["similar"]) == 10


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        (FROZEN, ()),
        (FROZEN, ("--rerank",)),
        ("test_resnet:random@64", ("--components", "none", "--distance", "manhattan")),
    ],
)
def test_similar_in_a_workspace_leaves_out_the_photo_itself(workspace, tmp_path, capsys, name, ways):
    path = workspace.photos()["path"][9]
    copy = shutil.copy(workspace.path_of(path), tmp_path / "copy.jpg")
    (tmp_path / "cut.jpg").write_bytes(copy.read_bytes()[:900])
    other = tmp_path / "other.png"
    Image.open(copy).save(other)  # the same pixels in another file
    call = ["similar", workspace.folder, copy, tmp_path / "cut.jpg", other, "--k", 5, "--embedder", name, *ways]
    status, found, err = called(capsys, *call)
    assert status == 0 and f"embedder: {find_embedder(workspace, name).words}" in err
    own, broken, saved = found["similar"]
    assert [len(row["similar"]) for row in (own, saved)] == [5, 5]
    assert path not in [each["path"] for each in own["similar"]]
    assert saved["similar"][0]["path"] == path and saved["similar"][0]["label"] == "circle"
    assert "its end is missing" in broken["error"]
    assert workspace.test_openings() == 0


def test_similar_measures_a_run_beside_the_frozen_network(space, run, capsys):
    before = space.test_openings()
    status, found, _ = called(capsys, "similar", space.folder)
    assert status == 0 and set(found) == {"measured", "frozen", "compared"}
    assert found["measured"]["embedder"] == run and found["frozen"]["embedder"] == "test_resnet:random@64"
    assert 0 <= found["measured"]["recall_1"] <= found["measured"]["recall_10"] <= 1
    assert found["compared"].startswith("recall@1: ")
    status, found, _ = called(capsys, "similar", space.folder, "--embedder", FROZEN, "--rerank", "--open-test")
    assert status == 0 and found["frozen"] is None and found["measured"]["reranked"]
    assert found["test"]["split"] == "test" and found["test_openings"] == before + 1
    assert cli.main(["similar", str(space.folder), "--embedder", "last"]) == 0
    assert "what training brought: recall@1" in capsys.readouterr().out


def test_export_from_the_command_line(space, run, again, tmp_path, capsys):
    call = [
        "export",
        "--workspace",
        space.folder,
        "--run",
        "last",
        "--similarity",
        "--components",
        "pca-whitened",
        "--distance",
        "euclidean",
        "--out",
        tmp_path / "mine",
    ]
    assert cli.main([str(word) for word in call]) == 0
    out = capsys.readouterr().out
    assert find_embedder(space, run).words in out and "72 photos in the index" in out and "validation: recall@1" in out
    assert f"test set opened {space.test_openings()} time(s)" in out
    about = json.loads((tmp_path / "mine" / "labels.json").read_text())
    assert (about["components"], about["distance"]) == ("pca-whitened", "euclidean")


def test_similar_lists_what_to_label_next(workspace, tmp_path, capsys):
    photos = workspace.photos()
    (tmp_path / "new").mkdir()
    for number, path in enumerate(photos["path"][[0, 30, 60]]):
        turned = Image.open(workspace.path_of(path)).transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / "new" / f"{number}.png")
    (tmp_path / "new" / "broken.jpg").write_text("<html>")
    like = workspace.path_of(photos["path"][1])
    call = [
        "similar",
        workspace.folder,
        "--label-next",
        tmp_path / "new",
        "--count",
        2,
        "--like",
        like,
        "--embedder",
        FROZEN,
    ]
    status, found, _ = called(capsys, *call)
    assert status == 0 and len(found["photos"]) == 2
    assert all(row["like"] is not None for row in found["photos"])
    assert len(pd.read_csv(found["file"])) == 2
    assert [row["reason"] for row in found["left_out"]] == ["not a photo: a web page"]
    assert cli.main([str(word) for word in call]) == 0
    assert "photos to label" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["EXPORT"], "no photos are given"),
        (["EXPORT", "PHOTO", "--rerank"], "--rerank has no meaning with an export"),
        (["EXPORT", "PHOTO", "--embedder", "best"], "--embedder has no meaning with an export"),
        (["EXPORT", "PHOTO", "--k", "0"], "--k is 0"),
        (["EXPORT", "none.jpg"], "the file is gone"),
        (["WORKSPACE", "--k", "5"], "--k has no meaning without photos to look up"),
        (["WORKSPACE", "PHOTO", "--open-test"], "--open-test has no meaning with photos to look up"),
        (["WORKSPACE", "PHOTO", "--count", "0"], "--count has no meaning with photos to look up"),
        (["WORKSPACE", "PHOTO", "--k", "-1"], "--k is -1"),
        (["WORKSPACE", "none.jpg"], "the file is gone"),
        (["WORKSPACE", "PHOTO", "--label-next", "."], "photos have no meaning with --label-next"),
        (["WORKSPACE", "--label-next", ".", "--count", "0"], "0 photos to label"),
        (["WORKSPACE", "--embedder", "no such"], "there is no run or backbone 'no such'"),
        (["WORKSPACE", "PHOTO", "--distance", "far"], "distance is 'far'"),
        (["PHOTO"], "no photos are given"),
        (["."], "is neither an export nor a workspace"),
    ],
)
def test_what_similar_refuses_is_one_sentence(tiny, space, capsys, monkeypatch, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)
    names = {"EXPORT": tiny.folder, "WORKSPACE": space.folder, "PHOTO": space.path_of(space.photos()["path"][0])}
    status, _, err = called(capsys, "similar", *(names.get(word, word) for word in words))
    assert status == 2
    last = err.strip().splitlines()[-1]
    assert last.startswith("cvtune similar: ") and says in last


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--components", "pca"], "--components has no meaning for a classifier, only with --similarity: leave it out"),
        (["--distance", "cosine"], "--distance has no meaning for a classifier, only with --similarity: leave it out"),
        (["--boxes", "coco"], "--boxes has no meaning for a classifier, only with --detector: leave it out"),
        (["--similarity", "--boxes", "coco"], "--boxes has no meaning with --similarity"),
        (["--similarity", "--variants", "int8"], "--variants has no meaning with --similarity, only for a classifier"),
        (["--detector", "--threshold", "0"], "--threshold has no meaning with --detector, only for a classifier"),
        (["--detector", "--layout", "flat"], "only for a classifier or with --similarity: leave it out"),
        (["--similarity", "--detector"], "not as both"),
        (["--similarity", "--distance", "far"], "distance is 'far'"),
    ],
)
def test_what_export_refuses(space, capsys, words, says):
    assert cli.main(["export", "--workspace", str(space.folder), "--run", FROZEN, *words]) == 2
    assert says in capsys.readouterr().err


def test_an_export_of_another_kind_is_no_gallery(folder, space, capsys):
    (folder / "labels.json").write_text(json.dumps({"labels": space.classes}))
    verification.write_hashes(folder)
    photo = space.path_of(space.photos()["path"][0])
    assert cli.main(["similar", str(folder), str(photo)]) == 2
    assert "its output is vectors, not probabilities" in capsys.readouterr().err
