"""When a ladder ends before its last rung."""

import pytest

from cvtune_nb import metrics
from cvtune_nb.escalation import ExpectedAccuracy
from cvtune_nb.escalation.stopping import Prospect, in_words, why_not

SURE, HOPEFUL = ExpectedAccuracy(0.9, 0.89, 0.91), ExpectedAccuracy(0.9, 0.8, 1.0)


def test_a_rung_is_worth_it_by_its_gain_for_an_hour():
    assert Prospect(SURE, 1800).points_an_hour(0.8) == pytest.approx(20, abs=0.1)
    assert Prospect(SURE, 3600).points_an_hour(0.8) == pytest.approx(10, abs=0.1)


def test_without_a_least_gain_the_ladder_goes_on():
    assert why_not({1: Prospect(SURE, 1e9)}, 0.99, 0.0, 0.5, 100) == {}


def test_it_ends_when_no_rung_left_is_expected_to_gain_what_is_asked_for():
    left = {2: Prospect(SURE, 3600), 3: Prospect(SURE, 36_000)}
    assert why_not(left, 0.8, 5.0, 0.01, 100) == {}, "rung 2 gains 10 points in an hour"
    reasons = why_not(left, 0.8, 20.0, 0.01, 100)
    assert reasons[2] == "expected to gain 10.0 points an hour, less than the 20 asked for"
    assert "as much an hour as was asked for" in in_words(reasons)
    assert in_words({2: reasons[2]}) == f"the ladder ends here: rung 2 is {reasons[2]}"


def test_it_ends_when_the_validation_photos_can_show_no_such_gain():
    left = {2: Prospect(SURE, 1.0), 3: Prospect(SURE, 2.0)}
    assert why_not(left, 0.88, 1.0, 0.02, 100) == {}
    reasons = why_not(left, 0.88, 1.0, 0.05, 100)
    assert reasons[3] == "expected to gain 3.0 points at most, and 100 validation photos show no difference below 5.0"
    assert in_words(reasons).endswith("expected to gain as much as the validation photos can show")
    assert why_not({**left, 4: Prospect(HOPEFUL, 1.0)}, 0.88, 1.0, 0.05, 100) == {}, "rung 4 has a chance"


def test_both_reasons_are_told():
    reasons = why_not({2: Prospect(SURE, 1e9), 3: Prospect(SURE, 1.0)}, 0.88, 1.0, 0.05, 100)
    assert "some are expected to gain less an hour" in in_words(reasons)


@pytest.mark.parametrize(("photos", "discordant"), [(100, 0.2), (1000, 0.1), (70, 0.2)])
def test_what_is_shown_is_where_mcnemars_test_begins_to_find_it(photos, discordant):
    """With the normal distribution that the formula has, on either side of the smallest difference."""
    least = metrics.smallest_difference(discordant, photos)
    both = discordant * photos
    for difference, found in ((least * 1.01, True), (least * 0.99, False)):
        assert ((difference * photos) ** 2 / both > metrics.Z95**2) == found


def test_a_few_photos_on_which_they_differ_show_nothing():
    assert metrics.smallest_difference(0.0, 100) == pytest.approx(6 / 100)
