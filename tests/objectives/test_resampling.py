import numpy as np
import pytest

from cvtune_nb import metrics
from cvtune_nb.objectives import resampling


def test_all_draws_are_made_in_parts_that_fit(monkeypatch):
    whole = np.concatenate(list(resampling.drawn(7)))
    assert whole.shape == (resampling.DRAWS, 7)
    assert (whole.sum(1) == 7).all()
    monkeypatch.setattr(resampling, "MOST", 70)
    parts = list(resampling.drawn(7))
    assert {len(part) for part in parts} == {10}
    assert np.concatenate(parts).shape == whole.shape


def test_the_interval_of_a_mean_is_about_that_of_the_normal():
    values = np.random.default_rng(1).normal(size=400)
    low, high = resampling.interval(lambda weights: weights @ values / weights.sum(1), 400)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_few_photos_are_given_wider_intervals():
    values = np.array([0.0, 1.0, 2.0, 3.0])
    low, high = resampling.interval(lambda weights: weights @ values / weights.sum(1), 4)
    assert low < 0.1  # 2.5% of the means are at most .5
    assert high > 2.9


def test_the_mean_of_one_share_has_its_interval():
    assert resampling.mean_of([metrics.share(8, 10)]) == pytest.approx(tuple(metrics.share(8, 10).interval))
    low, high = resampling.mean_of([metrics.share(2, 2), metrics.share(200, 200)])
    assert low == pytest.approx(1 - (0.6576**2 + 0.0188**2) ** 0.5 / 2, abs=1e-3)
    assert high == 1
