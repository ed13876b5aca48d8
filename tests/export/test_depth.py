"""12-bit photos answer as their 8-bit originals do, in the workspace and wherever the export is used."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtune_nb import classification, cli
from cvtune_nb.classification import export_run
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.photo import read_photo
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import open_export
from cvtune_nb.export.serving.reading import Limits
from cvtune_nb.export.serving.service import Service
from cvtune_nb.parameters import Config
from cvtune_nb.similarity import Metric, build_index, embed, export_similarity, find_embedder
from cvtune_nb.similarity.active_learning import read_unlabelled
from tests.deep import png, ramp, tiff
from tests.file_types import bands_tiff
from tests.photos import make_photos

NETWORK = "test_efficientnet:random"


def deepened(photo: Path) -> np.ndarray:
    """The photo in 12 bits a channel."""
    return np.rint(np.asarray(read_photo(photo)).astype(float) * 4095 / 255).astype(np.uint16)


def six_bands(values: np.ndarray) -> bytes:
    """A TIFF of which bands 4, 3 and 2 are red, green and blue."""
    noise = np.random.default_rng(0).integers(0, 60000, values.shape, np.uint16)
    return bands_tiff(np.concatenate([noise[..., :1], values[..., ::-1], noise[..., 1:]], axis=-1), deflate=True)


WRITE = {"8": None, "png": png, "tif": tiff, "bands": six_bands}
DEEP = [name for name, write in WRITE.items() if write]


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """Workspaces of the same photos, each with a baseline: of 8 bits, and of 12 in PNGs, TIFFs and bands of TIFFs."""
    root = tmp_path_factory.mktemp("depth")
    plain = make_photos(root / "8", ("circle", "square"), per_class=14, size=80)
    for path in sorted(plain.rglob("*.jpg")):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    found = {}
    for name, write in WRITE.items():
        for path in sorted(plain.rglob("*.png")) if write else ():
            to = root / name / path.parent.name / f"{path.stem}.{name}"
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(write(deepened(path)))
        bands = "4, 3,2" if name == "bands" else ""
        found[name] = open_workspace(root / name, root / f"workspace-{name}", bands=bands)
        same = found["8"].manifest()  # so that all learn from the same photos
        manifest = found[name].manifest()
        manifest["split"], manifest["group"] = same["split"].to_numpy(), manifest["group"]
        found[name].save_manifest(manifest, found[name].skipped())
        baseline(found[name], FeatureSpec(NETWORK, Preprocessing(64)), C=3.0)
    return found


@pytest.fixture(scope="module")
def exports(spaces, tmp_path_factory):
    return {
        name: export_run(space, "svm", tmp_path_factory.mktemp("out") / name, variants=())
        for name, space in spaces.items()
    }


def paths_of(space):
    return [str(space.path_of(path)) for path in space.photos()["path"]]


def chances(rows):
    return np.array([dict(map(tuple, row["top"]))["circle"] for row in rows])


@pytest.mark.parametrize("name", DEEP)
def test_the_export_answers_as_one_of_8_bits(spaces, exports, name):
    assert spaces[name].levels[:2] == (0, 4095) and spaces["8"].levels == (0, 0)
    ours = open_export(exports[name].folder).predict(paths_of(spaces[name]))
    theirs = open_export(exports["8"].folder).predict(paths_of(spaces["8"]))
    assert not any("note" in row for row in ours)
    assert [row["label"] for row in ours] == [row["label"] for row in theirs]
    assert np.abs(chances(ours) - chances(theirs)).max() < 0.01
    assert exports[name].validation.value == exports["8"].validation.value


@pytest.mark.parametrize("name", DEEP)
def test_the_program_the_command_and_the_service_agree(spaces, exports, name, capsys):
    photos, folder = paths_of(spaces[name])[::5], exports[name].folder
    made = subprocess.run(
        [sys.executable, str(folder / "predict.py"), *photos, "--json"], capture_output=True, text=True, check=True
    )
    program = chances(json.loads(made.stdout)["predictions"])
    assert cli.main(["predict", str(folder), *photos, "--json"]) == 0
    command = chances(json.loads(capsys.readouterr().out)["predictions"])
    service = Service(open_export(folder), Limits())
    decoded = [service.model.row(service.model.infer([service.decode(Path(path).read_bytes())])[0]) for path in photos]
    service.close()
    assert np.abs(program - command).max() < 1e-5 and np.abs(chances(decoded) - command).max() < 1e-5


def test_the_export_says_its_levels(exports):
    for name, levels in {"8": [0, 0], "png": [0, 4095], "bands": [0, 4095, 4, 3, 2]}.items():
        folder = exports[name].folder
        assert json.loads((folder / "config.json").read_text())["levels"] == levels
        assert ("with 0 as black and 4095 as white" in (folder / "README.md").read_text()) == (name != "8")
        assert ("bands 4, 3 and 2" in (folder / "README.md").read_text()) == (name == "bands")
        assert open_export(folder).levels == tuple(levels)


def test_photos_that_do_not_go_with_the_levels_are_answered_with_a_note(exports, tmp_path, capsys):
    (tmp_path / "bright.png").write_bytes(png(ramp(60000)))
    (tmp_path / "dim.png").write_bytes(png(ramp(200)))
    (tmp_path / "usual.png").write_bytes(png(ramp(4000)))
    files = [str(tmp_path / name) for name in ("bright.png", "dim.png", "usual.png")]
    rows = open_export(exports["png"].folder).predict(files)
    assert [row.get("note") for row in rows] == [
        "its values, 0 to 60000, are cut off at 0 and 4095",
        "its values reach 200 where 4095 is white, so it is nearly black",
        None,
    ]
    rows = open_export(exports["8"].folder).predict(files)  # it has never seen such photos
    assert [bool(row.get("note")) for row in rows] == [False, True, True]
    assert cli.main(["predict", str(exports["8"].folder), *files]) == 0
    assert "usual.png (its values reach 4000 where 65535 is white, so it is nearly black)" in capsys.readouterr().out


def test_an_export_without_levels_reads_the_full_range(exports, tmp_path):
    model = open_export(exports["8"].folder)
    (tmp_path / "a.png").write_bytes(png(ramp(65535)))
    assert model.levels == (0, 0) and model.prepared(tmp_path / "a.png").max() > 200


def test_look_alikes_are_those_of_8_bits(spaces, tmp_path):
    of = {name: find_embedder(space, f"{NETWORK}@64") for name, space in spaces.items()}
    plain = embed(spaces["8"], spaces["8"].photos(), of["8"])
    deep = embed(spaces["png"], spaces["png"].photos(), of["png"])
    assert (plain * deep).sum(axis=1).min() > 0.999
    found = build_index(spaces["png"], of["png"], Metric("none"))
    content = Path(paths_of(spaces["png"])[3]).read_bytes()
    assert (
        found.nearest(found.query_file(io.BytesIO(content), "own.png"), 1)["path"].item()
        == spaces["png"].photos()["path"][3]
    )
    made = export_similarity(spaces["png"], f"{NETWORK}@64", tmp_path / "similar", metric=Metric("none"))
    answers = open_export(made.folder).predict(paths_of(spaces["png"])[:6])
    assert [row["similar"][0]["path"] for row in answers] == spaces["png"].photos()["path"][:6].tolist()
    assert made.parity < 1e-3


def test_photos_to_label_are_read_with_the_levels(spaces, tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(ramp(3000, dtype=np.float32)))
    found, left_out = read_unlabelled(tmp_path, levels=spaces["png"].levels)
    assert len(found) == 1 and left_out == []
    with pytest.raises(InputError, match="nothing says which is white"):
        read_unlabelled(tmp_path)


def test_a_run_of_other_levels_is_neither_gone_on_with_nor_exported(spaces, tmp_path):
    root = spaces["png"].data
    space = open_workspace(root, tmp_path / "w")
    config = Config("test_resnet:random", image_size=64, epochs=1, batch_size=8)
    run = classification.fit(space, config)
    assert run.levels == (0, 4095) and classification.load_run(space, run.id).levels == (0, 4095)
    assert classification.earlier_run(space, config).id == run.id
    other = open_workspace(root, tmp_path / "w", white=2000)
    assert classification.earlier_run(other, config) is None
    for use in (lambda: export_run(other, run.id, variants=()), lambda: find_embedder(other, run.id)):
        with pytest.raises(
            InputError,
            match="has learned from photos with 0 as black and 4095 as white, and the "
            "workspace has 0 as black and 2000 as white: train again, or open",
        ):
            use()
    back = open_workspace(root, tmp_path / "w", white="auto")
    assert classification.earlier_run(back, config).id == run.id
