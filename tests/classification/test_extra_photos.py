"""Extra photos: which of them are used, how much they count, and what becomes of a list that can't be used."""

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification.baseline import SvmExplorer
from cvtune_nb.classification.extra_photos import COLUMNS, ExtraPhotos, in_folder, in_words, read, rows_of
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.svm import Svm
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError

SPEC = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def table(*rows) -> ExtraPhotos:
    return ExtraPhotos(pd.DataFrame(rows, columns=COLUMNS))


def test_photos_of_the_workspace_and_of_other_classes_are_not_used(workspace):
    photos = workspace.photos()
    known = photos.iloc[0]
    extra = table(
        ("/a.jpg", known["sha256"], 9, 9, "circle", 1.0),
        ("/b.jpg", "b" * 64, 9, 9, "pear", 1.0),
        ("/c.jpg", "c" * 64, 9, 9, "circle", 0.0),
        ("/d.jpg", "d" * 64, 9, 9, "circle", 0.5),
    )
    assert extra.usable(photos).table["path"].tolist() == ["/d.jpg"]
    with pytest.raises(InputError, match=r"/d\.jpg is not there any more"):
        rows_of(workspace, extra, workspace.classes)
    assert rows_of(workspace, None, workspace.classes).empty


def test_they_are_kept_and_read_again(tmp_path):
    extra = table(("/a.jpg", "a" * 64, 9, 9, "circle", 0.5), ("/b.jpg", "b" * 64, 9, 9, "007", 1.0))
    assert in_folder(tmp_path) is None
    extra.save(tmp_path)
    again = in_folder(tmp_path)
    assert again is not None and again.key == extra.key and again.labels.tolist() == ["circle", "007"]
    assert in_words(again.facts()) == "2 more training photos were labelled by machine"
    decided = ExtraPhotos(extra.table.assign(decision=["", "confirmed"]))
    assert decided.facts()["confirmed"] == 1 and decided.key != extra.key
    assert in_words(decided.facts()).endswith("by machine, of which a person confirmed 1")
    assert in_words({}) == ""
    pd.DataFrame({"path": ["a"]}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(InputError, match="has no column sha256"):
        read(tmp_path / "other.csv")


def test_the_svm_learns_from_them_as_much_as_they_count(workspace):
    explorer = SvmExplorer(workspace, SPEC)
    photos = workspace.photos()
    wrong = photos[photos["label"] == "circle"].head(12)
    rows = [
        (str(workspace.path_of(row.path)), f"{number:064d}", row.width, row.height, "square", 1.0)
        for number, row in enumerate(wrong.itertuples())
    ]
    extra = table(*rows)
    taught = SvmExplorer(workspace, SPEC, extra=extra)
    assert len(taught.extra) == 12
    before, after = (np.mean(each.svm(1.0).predict(each.part("test")[0]) == "square") for each in (explorer, taught))
    assert after >= before
    assert not np.allclose(taught.svm(1.0).weights()[0], explorer.svm(1.0).weights()[0])
    least = ExtraPhotos(extra.table.assign(weight=1e-6))
    weak = SvmExplorer(workspace, SPEC, extra=least)
    assert np.allclose(weak.svm(1.0).weights()[0], explorer.svm(1.0).weights()[0], atol=0.05)
    assert taught.fit(1.0, compare=False).to_dict()["machine_labels"]["photos"] == 12


def test_weights_reach_both_kernels():
    random = np.random.default_rng(0)
    matrix, labels = random.normal(size=(40, 5)), np.array(["a", "b"] * 20, dtype=object)
    for kernel in ("linear", "rbf"):
        once = Svm(1.0, kernel).fit(matrix, labels).scores(matrix)
        assert np.allclose(Svm(1.0, kernel).fit(matrix, labels, np.ones(40)).scores(matrix), once)
        other = Svm(1.0, kernel).fit(matrix, labels, np.where(labels == "a", 5.0, 0.2)).scores(matrix)
        assert not np.allclose(other, once)
