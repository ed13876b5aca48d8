"""What is recommended, by rules that are checked on made answers."""

from dataclasses import replace

import numpy as np
import pytest

from cvtune_nb.classification.comparison import Entry, last_comparison, nothing_yet, recommend
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.judge import Judge, Said
from cvtune_nb.data.preprocessing import Preprocessing


def entry(name, *right, photos=1000):
    """A candidate that got the first of `photos` photos right, by numbers of them in each round."""
    rounds = (photos // 2, photos) if len(right) > 1 else (photos,)
    answers = {count: Said(np.arange(count) < hits) for count, hits in zip(rounds, right, strict=True)}
    return Entry(FeatureSpec(name, Preprocessing(64)), said=answers)


def recommended(entries, **speeds):
    accuracy, speed = recommend(entries, lambda spec: speeds[spec.backbone])
    return accuracy.spec.backbone, speed.spec.backbone, accuracy.why, speed.why


def test_the_most_accurate_and_the_fastest_that_is_near():
    entries = [entry("a", 900), entry("b", 885), entry("c", 870)]
    accuracy, speed, why, quick = recommended(entries, a=10, b=30, c=100)
    assert (accuracy, speed) == ("a", "b")
    assert why == "90.0% (88.0 to 91.7%) of 1,000 training photos right, cross-validated: the most accurate of 3"
    assert quick.startswith("3.0 times as fast as a at 64 pixels, at 1.5 points less (")


@pytest.mark.parametrize(("times", "expected"), [(1.1, "a"), (3.0, "b")])
def test_a_tie_goes_to_the_one_that_is_really_faster(times, expected):
    # b is right where a is wrong as often as not: no reliable difference
    a, b = entry("a", 900), entry("b", 900)
    hits = np.roll(b.said[1000].right, 40)
    hits[500:503] = False
    b.said[1000] = Said(hits)
    accuracy, _, why, _ = recommended([a, b], a=10, b=10 * times)
    assert accuracy == expected
    assert expected == "a" or why.endswith(
        "3.0 times as fast as a at 64 pixels, with no reliable difference from its 90.0%"
    )


def test_a_small_difference_that_is_reliable_is_no_tie():
    entries = [entry("a", 90000, photos=100_000), entry("b", 89900, photos=100_000)]
    assert recommended(entries, a=1, b=5)[:2] == ("a", "b")


def test_one_that_was_dropped_is_compared_on_the_photos_that_both_were_in():
    a, b = entry("a", 450, 930), entry("b", 445, photos=500)
    accuracy, speed, _, quick = recommended([a, b], a=1, b=5)
    assert (accuracy, speed) == ("a", "b") and "at 1.0 points less" in quick


def test_one_that_was_ahead_when_the_time_was_up_is_recommended():
    a, b = entry("a", 460, 920), entry("b", 476, photos=500)
    accuracy, _, why, _ = recommended([a, b], a=2, b=1)
    assert accuracy == "b" and "95.2%" in why and "of 500 training photos" in why


def test_alone_it_is_recommended_for_both():
    accuracy, speed, why, quick = recommended([entry("a", 900)], a=1)
    assert (accuracy, speed) == ("a", "a") and "most accurate" not in why and quick.startswith("too: ")


def test_before_anything_was_compared(workspace):
    assert last_comparison(workspace) is None
    assert nothing_yet().points.empty and nothing_yet().sentences == []


def test_candidates_on_frames_are_compared_by_scenes():
    groups = np.arange(1000) // 100  # ten scenes
    entries = [entry("a", 900), entry("b", 700)]
    alone = entries[1].minus(entries[0])
    entries = [replace(one, judge=Judge(groups=groups)) for one in entries]
    whole = entries[1].minus(entries[0])
    assert whole.difference == alone.difference and alone.high < 0 < whole.high
    assert entries[0].accuracy.groups == 10 and entries[0].on(500).n == 0
