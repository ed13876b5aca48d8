import numpy as np
import pandas as pd
import pytest

from cvtune_nb.classification import find_learning_rate, lr_finder, runs
from cvtune_nb.classification.lr_finder import STEPS, suggested
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.parameters import Config

RATES = np.geomspace(1e-5, 1, STEPS)


def ranged(smoothed):
    return pd.DataFrame({"learning_rate": RATES[: len(smoothed)], "loss": smoothed, "smoothed": smoothed})


def test_a_loss_that_fell_asks_for_a_tenth_of_the_rate_where_it_was_least():
    smoothed = 2 + (np.log10(RATES) + 2) ** 2 / 2  # least at .01
    found = suggested(ranged(smoothed))
    assert found.suggestion == pytest.approx(0.001, rel=0.15)
    assert "least at" in found.words


def test_a_start_that_can_only_be_forgotten_asks_for_a_third_of_what_it_bears():
    smoothed = np.where(RATES < 0.0009, 0.7, 2.0)
    found = suggested(ranged(smoothed))
    assert found.suggestion == pytest.approx(RATES[RATES < 0.0009].max() / 3, rel=0.05)
    assert "forgets" in found.words


def test_without_a_finite_loss_it_says_what_to_do():
    with pytest.raises(InputError, match="start from the SVM"):
        suggested(ranged(np.empty(0)))


@pytest.mark.parametrize("head", ["svm", "random"])
def test_the_rate_is_raised_until_the_loss_is_lost_and_no_run_is_made(workspace, head):
    config = Config("efficientnet_lite0", image_size=64, batch_size=16, head=head)
    found = find_learning_rate(workspace, config)
    rates = found.table["learning_rate"].to_numpy()
    np.testing.assert_allclose(rates, RATES[: len(rates)])
    assert 5 < len(rates) <= STEPS
    assert 1e-5 <= found.suggestion < 0.1
    assert runs(workspace).empty
    assert find_learning_rate(workspace, config).table.equals(found.table), "the seed decides"


def test_a_download_of_weights_is_shown_and_can_be_stopped(workspace, monkeypatch):
    monkeypatch.setattr(lr_finder, "build", lambda *what, progress: progress(0.5, "downloading"))

    def stop(share, words):
        if words == "downloading":
            raise Stopped

    with pytest.raises(Stopped):
        find_learning_rate(workspace, Config("efficientnet_lite0", image_size=64), stop)


def test_stop_passes_through(workspace):
    def stop(share, words):
        if words.startswith("learning rate"):
            raise Stopped

    with pytest.raises(Stopped):
        find_learning_rate(workspace, Config("efficientnet_lite0", image_size=64), stop)
    assert runs(workspace).empty
