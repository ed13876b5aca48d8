"""One small export of a classifier, shared by the tests that only use it."""

import pytest

from cvtune_nb import classification
from cvtune_nb.classification import export_run
from cvtune_nb.data import open_workspace
from cvtune_nb.parameters import Config
from tests.photos import make_photos


@pytest.fixture(scope="session")
def classifier_export(tmp_path_factory):
    place = tmp_path_factory.mktemp("serving")
    workspace = open_workspace(make_photos(place / "photos", per_class=12, size=80), place / "workspace")
    run = classification.fit(workspace, Config("test_resnet:random", image_size=64, epochs=1, batch_size=16))
    return export_run(workspace, run.id, variants=())


@pytest.fixture(scope="session")
def exported_photos(classifier_export):
    return sorted((classifier_export.folder.parents[2] / "photos").rglob("*.jpg"))
