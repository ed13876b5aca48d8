"""The journal of boxes that a person draws."""

import json

import pytest

from cvtune_nb.detection.box_journal import draw, drawn, journal, undo
from cvtune_nb.errors import InputError


def test_the_last_drawing_counts_and_undo_goes_back_step_by_step(dataset):
    space = dataset.workspace
    assert drawn(space) == {}
    draw(space, "a.jpg", "k", [("one", 0.1, 0.1, 0.2, 0.2)])
    draw(space, "a.jpg", "k", [("one", 0.1, 0.1, 0.2, 0.2), ("two", 0.5, 0.5, 0.1, 0.1)])
    draw(space, "b.jpg", "m", [])
    assert [box[0] for box in drawn(space)["k"]] == ["one", "two"]
    assert drawn(space)["m"] == []
    undo(space, "a.jpg", "k")
    assert [box[0] for box in drawn(space)["k"]] == ["one"]
    undo(space, "a.jpg", "k")
    undo(space, "a.jpg", "k")  # once more than there was
    assert "k" not in drawn(space) and "m" in drawn(space)


def test_the_journal_only_grows_and_survives_a_cut_line(dataset):
    space = dataset.workspace
    draw(space, "a.jpg", "k", [("one", 0.1, 0.1, 0.2, 0.2)])
    undo(space, "a.jpg", "k")
    assert len(journal(space).read_text().splitlines()) == 2
    with open(journal(space), "a") as file:
        file.write('{"time": "2026')  # a crash in mid-write
    draw(space, "a.jpg", "k", [("two", 0.1, 0.1, 0.2, 0.2)])
    assert [box[0] for box in drawn(space)["k"]] == ["two"]
    assert json.loads(journal(space).read_text().splitlines()[-1])["path"] == "a.jpg"


@pytest.mark.parametrize(
    "box",
    [
        ("", 0.1, 0.1, 0.2, 0.2),
        (" ", 0.1, 0.1, 0.2, 0.2),
        ("a", -0.1, 0.1, 0.2, 0.2),
        ("a", 0.9, 0.1, 0.2, 0.2),
        ("a", 0.1, 0.1, 0.0, 0.2),
        ("a", 0.1, 0.95, 0.1, 0.2),
    ],
)
def test_a_box_that_can_not_be_is_refused_and_nothing_is_written(dataset, box):
    with pytest.raises(InputError, match=r"a\.jpg"):
        draw(dataset.workspace, "a.jpg", "k", [("good", 0.1, 0.1, 0.2, 0.2), box])
    assert not journal(dataset.workspace).exists()
