"""Decisions about findings: listed kind by kind, written down once, taken back, put into words."""

import pandas as pd
import pytest

from cvtune_nb.audit import COLUMNS, Audit
from cvtune_nb.audit.review import MINE, Review
from cvtune_nb.data import open_workspace
from tests.photos import make_photos


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("review") / "photos", ("a", "b"), per_class=6, size=48)


@pytest.fixture
def review(photos, tmp_path):
    """Three findings about photos of class a, one about the whole set."""
    workspace = open_workspace(photos, tmp_path / "workspace")
    first, second, third, _ = sorted(path for path in workspace.photos()["path"] if path.startswith("a/"))[:4]
    rows = [
        (first, "duplicate", 0.7, "looks the same", "exclude it: it is the smaller one", second, "", ""),
        (first, "mislabelled", 0.4, "looks like b", "relabel it", second, "", ""),
        (third, "mislabelled", 0.9, "looks like b", "relabel it", second, "", ""),
        ("", "imbalance", 0.5, "a has more", "add photos of b", "", "", ""),
    ]
    scores = workspace.photos()[["path", "label"]].assign(suggested_label="b")
    return Review(workspace, Audit(pd.DataFrame(rows, columns=COLUMNS), scores, {}, 0.0))


def finding(review, kind, place=0):
    return review.listed(kind).to_dict("records")[place]


def test_kinds_come_by_importance_and_findings_worst_first(review):
    assert list(review.kinds().items()) == [("mislabelled", 2), ("duplicate", 1)]
    assert review.listed("mislabelled")["score"].tolist() == [0.9, 0.4]
    assert review.listed("mislabelled")["label"].tolist() == ["a", "a"]
    assert review.by_kind().set_index("issue")["found"].to_dict() == {"duplicate": 1, "mislabelled": 2, "imbalance": 1}


def test_a_decision_is_written_once_and_taken_back(review):
    one = finding(review, "mislabelled")
    assert review.decide(one, "relabel", "b") == f"{one['path']}: relabelled to b."
    review.decide(one, "relabel", "b")
    assert len(review.workspace.decisions()) == 1
    assert review.state(one).words == "relabelled to b" and review.words == "1 relabelled"
    assert len(review.listed("mislabelled", undecided_only=True)) == 1
    assert review.kinds()[MINE] == 1 and finding(review, MINE)["detail"] == "the label was a"
    assert review.decide(one, "undo") == f"{one['path']}: decision taken back."
    review.decide(one, "undo")
    assert len(review.workspace.decisions()) == 2
    assert review.state(one).words == "" and MINE not in review.kinds()


def test_a_pair_is_no_copy_and_a_copy_after_all(review):
    one = finding(review, "duplicate")
    assert len(review.pair(one)) == 2 and not review.pair(finding(review, "mislabelled"))
    assert not review.pair({**one, "other": one["path"]}), "one file is always its own copy"
    assert "not a copy of" in review.decide(one, "distinct")
    assert review.state(one).words == "not a copy" and review.words == "1 pair(s) not copies"
    assert finding(review, MINE)["other"] in (one["path"], one["other"])
    assert "after all" in review.decide(one, "distinct")
    assert review.count == 0


def test_suggestions_are_accepted_for_many(review):
    both = [finding(review, "duplicate"), finding(review, "mislabelled")]
    assert [review.suggested(one) for one in both] == ["exclude", "relabel"]
    assert review.decide_all(both, "") == "2 decided as suggested."
    assert sorted(act["action"] for act in review.workspace.standing().values()) == ["exclude", "relabel"]
    assert review.decide_all(both, "").startswith("0 decided as suggested. 2 left as they were")
    assert review.decide_all(both, "undo") == "2 taken back."


def test_decisions_of_another_program_are_seen(review):
    one = finding(review, "mislabelled")
    review.workspace.decide(one["path"], "exclude")
    assert review.decide(one, "undo") == f"{one['path']}: decision taken back."
    assert review.workspace.standing() == {}
    review.workspace.decide(one["path"], "exclude")
    assert review.decide_all([one], "undo").startswith("1 taken back.")
    assert review.workspace.standing() == {}
