import shutil

import pytest

from cvtune_nb.detection import DetectorConfig, fit, open_dataset, predict_cost
from tests.boxes import make_scenes


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory):
    """24 small photos with boxes. Shared: only read it."""
    return make_scenes(tmp_path_factory.mktemp("scenes") / "photos")


@pytest.fixture(scope="session")
def opened_scenes(scene_folder, detector_config, tmp_path_factory):
    """Their dataset, for which the speed of this machine is known. Shared: only read it."""
    dataset = open_dataset(scene_folder, tmp_path_factory.mktemp("opened") / "workspace")
    predict_cost(dataset, detector_config)
    return dataset


@pytest.fixture
def dataset(opened_scenes, scene_folder, tmp_path):
    """One to work in."""
    shutil.copytree(opened_scenes.workspace.folder, tmp_path / "workspace")
    return open_dataset(scene_folder, tmp_path / "workspace")


@pytest.fixture(scope="session")
def detector_config():
    return DetectorConfig("efficientnet_lite0_fpn", image_size=128, epochs=3, proposals=40, learning_rate=0.001)


@pytest.fixture(scope="session")
def trained_detector(opened_scenes, scene_folder, detector_config, tmp_path_factory):
    """(dataset, run) of a finished run. Shared: only read it."""
    folder = shutil.copytree(opened_scenes.workspace.folder, tmp_path_factory.mktemp("trained") / "workspace")
    dataset = open_dataset(scene_folder, folder)
    return dataset, fit(dataset, detector_config)
