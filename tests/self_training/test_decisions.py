"""Decisions about photos labelled by machine: kept by content, taken back one by one, refused without sense."""

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.self_training.decisions import Decision, Decisions


def test_they_are_kept_and_taken_back(workspace):
    made = Decisions(workspace)
    assert made.decide("/a.jpg", "aa", "keep", "circle") == "/a.jpg: confirmed"
    assert made.decide("/a.jpg", "aa", "relabel", "square") == "/a.jpg: relabelled to square"
    assert made.decide("/b.jpg", "bb", "exclude", "circle") == "/b.jpg: dropped"
    again = Decisions(workspace)
    assert (again.of("aa"), again.of("bb"), len(again)) == (Decision("relabel", "square"), Decision("exclude", ""), 2)
    again.decide("/a.jpg", "aa", "undo", "")
    assert made.of("aa") == Decision("relabel", "square")
    made.refresh()
    assert made.of("aa") == Decision("keep", "circle")


def test_the_same_again_is_not_written_twice(workspace):
    made = Decisions(workspace)
    for _ in range(2):
        made.decide("/a.jpg", "aa", "keep", "circle")
    assert len(made.file.read_text().splitlines()) == 1


def test_what_makes_no_sense_is_refused(workspace):
    with pytest.raises(InputError, match="'pear' is no class of this workspace: choose circle, square, stripes"):
        Decisions(workspace).decide("/a.jpg", "aa", "relabel", "pear")
    with pytest.raises(InputError, match="'eat' is not a decision"):
        Decisions(workspace).decide("/a.jpg", "aa", "eat", "")
