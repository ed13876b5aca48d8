"""The baseline leaves as one graph, too: frozen network and SVM."""

import numpy as np
import pytest
import torch

from cvtune_nb.classification import export_run, load_bundle
from cvtune_nb.classification.baseline import SvmExplorer, baseline, last_baseline
from cvtune_nb.classification.exportable import choices
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.photo import FULL
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export.predict import Model
from tests.made_runs import made_run
from tests.photos import draw_photo


@pytest.fixture(params=[2, 3, 4], ids="{} classes".format)
def workspace(tmp_path, request):
    """Photos of which a few show another class, so that the SVM has something to weigh."""
    for number in range(request.param):
        folder = tmp_path / "photos" / "abcd"[number]
        folder.mkdir(parents=True)
        for index in range(20):
            random = np.random.default_rng([3, number, index])
            shape = number if index % 5 else int(random.integers(0, 5))
            draw_photo(shape, 80, random).save(folder / f"{index:03d}.jpg")
    return open_workspace(tmp_path / "photos", tmp_path / "workspace")


@pytest.mark.parametrize(("kernel", "pooling"), [("linear", "last"), ("rbf", "last"), ("linear", "stages")])
def test_the_exported_baseline_decides_as_scikit_learn_does(workspace, kernel, pooling):
    spec = FeatureSpec("test_efficientnet:random", Preprocessing(64), pooling=pooling)
    baseline(workspace, spec, C=3.0, kernel=kernel)
    made = export_run(workspace, "svm", variants=())
    svm = SvmExplorer(workspace, spec).svm(3.0, kernel)
    rows = workspace.photos().query("split == 'validation'")
    answers = Model(made.folder).predict([workspace.path_of(path) for path in rows["path"]])
    images = torch.from_numpy(
        np.stack([Preprocessing(64).square(workspace.path_of(path), FULL) for path in rows["path"]])
    )
    network = load_bundle(made.folder)
    with torch.inference_mode():
        logits, features = network(images).numpy(), network.backbone(images).numpy()
    expected = svm.scores(features)  # not the cached ones, which are computed in half precision where that is fast
    assert [row["label"] for row in answers] == [svm.classes[i] for i in expected.argmax(1)]
    assert logits / 3 == pytest.approx(expected, abs=1e-3)
    assert made.run == made.folder.name == "svm"
    assert "SVM" in (made.folder / "README.md").read_text()


def test_without_a_baseline_there_is_nothing_to_export(workspace):
    with pytest.raises(InputError, match="no baseline in this workspace yet"):
        export_run(workspace, "svm")


def test_the_best_is_offered_first_and_a_baseline_of_earlier_data_has_no_accuracy(workspace):
    assert choices(workspace).empty
    first = made_run(workspace, 0.5)
    begun = made_run(workspace, 0.5, state="stopped", seed=2)
    begun.checkpoint.unlink()
    best = made_run(workspace, 1.0, seed=1)
    assert choices(workspace)["run"].tolist() == [best.id, first.id]
    baseline(workspace, FeatureSpec("test_efficientnet:random", Preprocessing(64)), C=3.0)
    known = choices(workspace).set_index("run")["validation_accuracy"]
    assert len(known) == 3 and known["svm"] == last_baseline(workspace)["validation_accuracy"]
    photos = workspace.photos()
    workspace.decide(photos.loc[photos["split"] == "validation", "path"].iloc[0], "exclude")
    offered = choices(workspace)
    assert offered["run"].iloc[-1] == "svm" and np.isnan(offered["validation_accuracy"].iloc[-1])
    assert offered["data"].tolist() == ["earlier data", "earlier data", ""]
