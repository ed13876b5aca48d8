import shutil

import numpy as np
import pandas as pd

from cvtune_nb import similarity
from cvtune_nb.data import open_workspace
from tests.photos import make_photos
from tests.similarity.test_index import clusters


def test_a_photo_far_from_its_class_is_told_with_what_is_near_it():
    rows, labels = clusters(2, 40, spread=0.1)
    names = np.array(["cat", "dog"])[labels]
    names[3] = "dog"
    photos = pd.DataFrame({"path": [f"{n}.jpg" for n in range(80)], "label": names})
    rows[70] = -rows[70]
    found = similarity.find_outliers(photos, rows).set_index("path")
    assert "70.jpg" in found.index
    assert set(found["issue"]) == {"outlier"}
    assert found["score"].between(0, 1).all()
    assert len(found) <= 6
    assert "farther from its neighbours" in found.loc["70.jpg", "detail"]


def test_a_wrong_label_among_outliers_is_called_one():
    rows, labels = clusters(2, 40, spread=0.1)
    names = np.array(["cat", "dog"], dtype=object)[labels]
    rows[5] = rows[5] + 0.6 * np.random.default_rng(1).standard_normal(32).astype(np.float32)
    rows[5] /= np.linalg.norm(rows[5])
    names[5] = "dog"
    photos = pd.DataFrame({"path": [f"{n}.jpg" for n in range(80)], "label": names})
    found = similarity.find_outliers(photos, rows).set_index("path").loc["5.jpg"]
    assert "relabel" in found["suggestion"] or "look at it" in found["suggestion"]
    assert found["other"]


def test_few_photos_have_no_outliers():
    photos = pd.DataFrame({"path": ["a"], "label": ["x"]})
    assert similarity.find_outliers(photos, np.ones((1, 3), np.float32)).empty


def test_copies_are_found_in_the_form_of_an_audit(tmp_path):
    folder = make_photos(tmp_path / "photos", per_class=12)
    first = min((folder / "circle").glob("*.jpg"))
    shutil.copy(first, folder / "circle" / "again.jpg")
    workspace = open_workspace(folder, tmp_path / "workspace")
    found = similarity.find_copies(workspace, similarity.find_embedder(workspace, "efficientnet_lite0@64"))
    assert {"circle/again.jpg", f"circle/{first.name}"} & set(found["path"])
    assert set(found["issue"]) <= {"duplicate", "leak", "two-classes"}
    audit = similarity.find_outliers_and_copies(workspace, similarity.find_embedder(workspace, "efficientnet_lite0@64"))
    assert audit.issues.query("issue != 'outlier'").to_dict("records") == found.to_dict("records")
    assert list(audit.scores) == ["path", "label", "split", "suggested_label"]
    assert audit.summary["notes"] == ["Judged by frozen efficientnet_lite0 at 64 pixels."]
    assert not workspace.audit.exists(), "nothing is written"
