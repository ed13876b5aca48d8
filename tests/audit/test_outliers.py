import numpy as np
import pandas as pd

from cvtune_nb.audit import outliers
from cvtune_nb.audit.outliers import far, find


def made(count=200, seed=0):
    """Features of two classes."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(2, 32)) * 3
    labels = np.arange(count) % 2
    features = np.abs(centres[labels] + random.normal(size=(count, 32)))
    return pd.DataFrame({"path": [f"{n}.jpg" for n in range(count)], "label": labels.astype(str)}), features


def test_a_photo_unlike_all_others_is_found():
    photos, features = made()
    features[7] = np.random.default_rng(5).uniform(0, 20, 32)
    issues = find(photos, features, np.arange(len(photos)))
    assert issues["path"].tolist() == ["7.jpg"]
    assert issues["issue"].tolist() == ["outlier"]
    assert issues["other"][0] in photos["path"].tolist()
    assert 'does not show "1"' in issues["suggestion"][0]


def test_its_own_copies_are_no_company():
    photos, features = made()
    features[:8] = np.random.default_rng(5).uniform(0, 20, 32)
    groups = np.arange(len(photos))
    assert find(photos, features, groups).empty, "eight alike are a kind of their own"
    groups[:8] = 0
    assert set(find(photos, features, groups)["path"]) == {f"{n}.jpg" for n in range(8)}


def test_an_ordinary_set_has_none_and_a_handful_is_not_judged():
    photos, features = made()
    assert find(photos, features, np.arange(len(photos))).empty
    assert find(photos[:10], features[:10], np.arange(10)).empty
    assert find(photos[:0], features[:0], np.arange(0)).empty


def test_blocks_give_what_one_piece_gives(monkeypatch):
    photos, features = made()
    whole = far(features, np.arange(len(photos)))
    monkeypatch.setattr(outliers, "BLOCK", 64)
    for one, other in zip(whole, far(features, np.arange(len(photos))), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
