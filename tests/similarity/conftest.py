"""Exports of look-alikes, made once for all tests of this folder."""

import shutil

import onnx
import pytest

from cvtune_nb import classification
from cvtune_nb.parameters import Config
from cvtune_nb.similarity import Metric, export, export_similarity
from cvtune_nb.workspace import Workspace

FROZEN = "efficientnet_lite0@64"
WHITENED = Metric("pca-whitened", "euclidean")


@pytest.fixture(scope="package")
def space(opened, tmp_path_factory):
    return Workspace(shutil.copytree(opened.folder, tmp_path_factory.mktemp("similarity") / "workspace"))


@pytest.fixture(scope="package")
def made(space, tmp_path_factory):
    """An export of the frozen network, by cosine distance. Shared: only read it."""
    return export_similarity(space, FROZEN, tmp_path_factory.mktemp("similar") / "mine")


@pytest.fixture(scope="package")
def run(space):
    return classification.fit(space, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16)).id


@pytest.fixture(scope="package")
def tiny(space, run):
    """One of a run, whitened, by Euclidean distance."""
    return export_similarity(space, run, metric=WHITENED)


@pytest.fixture
def again(space, run, tiny, monkeypatch):
    """A function that exports the same once more, without the seconds that its graph takes."""
    monkeypatch.setattr(export, "onnx_graph", lambda *_, **__: onnx.load(tiny.folder / "model.onnx"))
    return lambda out=None: export_similarity(space, run, out, metric=WHITENED)


@pytest.fixture
def folder(tiny, tmp_path):
    """A copy of an export to do harm to."""
    return shutil.copytree(tiny.folder, tmp_path / "export")
