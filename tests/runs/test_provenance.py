"""Which photos a model has seen, and how they differ from those there are now."""

import pandas as pd
import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.runs import provenance
from cvtune_nb.runs.provenance import BEFORE, EARLIER, Provenance, frozen, of_photos, require_present


def photos(*rows):
    """(name, label, split[, group]) a photo; a photo is a group of its own unless it is told."""
    full = [(row[0], row[3] if len(row) > 3 else row[0], row[1], row[2]) for row in rows]
    return pd.DataFrame(full, columns=["sha256", "group", "label", "split"])


THEN = photos(
    ("c1", "cat", "train"),
    ("c2", "cat", "train"),
    ("c3", "cat", "validation"),
    ("c4", "cat", "test"),
    ("d1", "dog", "train"),
    ("d2", "dog", "train"),
    ("d3", "dog", "validation"),
    ("d4", "dog", "test"),
)


def own(table=THEN):
    return of_photos(table)


def changed(**to):
    """THEN with other labels or splits, by name of the photo."""
    table = THEN.copy()
    for name, (column, value) in to.items():
        table.loc[table["sha256"] == name, column] = value
    return table


@pytest.mark.parametrize(
    ("now", "comparable", "words"),
    [
        (THEN, True, ""),
        (THEN.iloc[::-1], True, ""),
        (changed(c1=("label", "dog")), True, ""),
        (THEN[THEN["sha256"] != "c1"], True, ""),
        (changed(c4=("split", "train")), True, ""),
        (changed(c3=("label", "dog")), False, "1 validation photo changed: added, removed or relabelled"),
        (
            changed(c3=("split", "train"), c4=("split", "validation")),
            False,
            "2 validation photos changed: added, removed or relabelled",
        ),
        (pd.concat([THEN, photos(("o1", "owl", "train"))]), False, "classes added: owl"),
        (THEN[THEN["label"] != "dog"], False, "classes removed: dog"),
        (THEN.replace({"label": {"dog": "puppy"}}), False, "classes renamed: dog to puppy"),
        (
            pd.concat([THEN.replace({"label": {"dog": "puppy"}}), photos(("o1", "owl", "train"))]),
            False,
            "classes added: owl; classes renamed: dog to puppy",
        ),
        (
            pd.concat([THEN[THEN["label"] != "dog"], photos(("w1", "wolf", "train"))]),
            False,
            "classes added: wolf; classes removed: dog",
        ),
    ],
)
def test_accuracies_are_comparable_among_the_same_classes_on_the_same_validation_photos(now, comparable, words):
    now = of_photos(now)
    assert own().comparable(now) is comparable
    assert now.comparable(own()) is comparable
    assert own().standing(now) == ("" if comparable else EARLIER)
    assert own().change(now) == words


def test_many_classes_are_not_all_named():
    more = pd.concat([THEN, *(photos((f"x{n}", f"class {n}", "train")) for n in range(8))])
    assert own().change(of_photos(more)).endswith("class 4 and 3 more")


def test_without_a_list_of_its_photos_a_run_is_comparable_only_where_nothing_changed(tmp_path):
    before = Provenance(["cat", "dog"], own().id, "", tmp_path / "photos.csv")
    assert before.photos is None
    assert before.comparable(own())
    now = of_photos(changed(c1=("label", "dog")))
    assert not before.comparable(now)
    assert before.change(now) == provenance.UNLISTED
    assert before.change(of_photos(THEN.replace({"label": {"dog": "puppy"}}))) == (
        "classes added: puppy; classes removed: dog"
    )


def test_the_list_in_a_runs_folder_is_what_was_written(tmp_path):
    provenance.save_photos(tmp_path, THEN.assign(path="x"))
    again = Provenance(own().classes, own().id, own().measured_on, tmp_path / provenance.PHOTOS)
    pd.testing.assert_frame_equal(again.photos, THEN, check_dtype=False)
    assert again.comparable(own())


def left(now, then=None, groups=None):
    """The test photos that a model of `then` may be measured on, and how many may not."""
    then = of_photos(THEN) if then is None else then
    groups = dict(zip(now["sha256"], now["group"], strict=True)) if groups is None else groups
    unseen = then.unseen(now[now["split"] == "test"], of_photos(now), groups)
    assert bool(unseen.words) == bool(unseen.left_out)
    return list(unseen.photos["sha256"]), unseen.left_out


def test_what_a_model_has_seen_is_never_its_test():
    assert left(THEN) == (["c4", "d4"], 0)
    assert left(changed(c1=("split", "test"), c4=("split", "train"))) == (["d4"], 1)
    assert left(changed(c3=("split", "test"))) == (["c4", "d4"], 1), "it was chosen by it"


def test_a_copy_of_what_it_has_seen_is_not_its_test_either():
    now = pd.concat([THEN, photos(("copy", "cat", "test", "c1"))])
    assert left(now) == (["c4", "d4"], 1)
    by_then = of_photos(changed(c1=("group", "twins"), c4=("group", "twins")))
    assert left(THEN, by_then) == (["d4"], 1), "the groups of then count, too"
    gone = pd.concat([THEN[THEN["sha256"] != "c1"], photos(("copy", "cat", "test", "c1"))])
    known = {**dict(zip(gone["sha256"], gone["group"], strict=True)), "c1": "c1"}
    assert left(gone, groups=known) == (["c4", "d4"], 1), "the photo itself was excluded since"
    assert left(gone) == (["c4", "d4"], 1), "or is gone from the data: its group of then names it"


def test_copies_across_the_parts_that_the_data_came_with_are_not_counted():
    same = changed(c4=("group", "c1"), c1=("group", "c1"))
    assert left(same, of_photos(same)) == (["d4"], 1)


def test_where_it_is_not_known_what_a_model_has_seen_nothing_is_its_test(tmp_path):
    before = Provenance(["cat", "dog"], own().id, "", tmp_path / "photos.csv")
    assert left(THEN, before) == (["c4", "d4"], 0), "nothing has changed, so it is known"
    assert left(changed(c1=("label", "dog")), before) == ([], 2)


def test_what_it_was_only_chosen_by_may_still_be_calibrated_on():
    now = changed(c1=("split", "validation"), c4=("split", "validation"))
    rows = now[now["split"] == "validation"]
    assert list(own().unlearned(rows, of_photos(now), {})["sha256"]) == ["c3", "c4", "d3"]


def test_what_a_run_has_seen_through_the_one_it_began_with_counts_as_seen():
    then = of_photos(pd.concat([THEN, photos(("d4", "dog", BEFORE))]))
    assert left(THEN, Provenance(then.classes, "other", "", then.source)) == (["c4"], 1)


def test_a_card_says_frozen_only_of_a_split_that_has_stayed(tmp_path):
    assert frozen(own(), own(), 7) == "split once and then frozen (seed 7)"
    more = of_photos(pd.concat([THEN, photos(("c5", "cat", "train"))]))
    assert frozen(own(), more, 7) == "split once and then frozen (seed 7)"
    moved = of_photos(changed(c1=("split", "test")))
    assert "frozen" not in frozen(own(), moved, 7) and "1 of them moved" in frozen(own(), moved, 7)
    unknown = Provenance(["cat", "dog"], own().id, "", tmp_path / "photos.csv")
    assert "frozen" not in frozen(unknown, moved, 7) and "not known" in frozen(unknown, moved, 7)


def test_a_model_of_other_classes_is_refused_unless_asked_for():
    now = of_photos(THEN.replace({"label": {"dog": "puppy"}}))
    with pytest.raises(
        InputError, match=r"run 001 is of earlier data \(classes renamed: dog to puppy\): .*--earlier-data"
    ):
        require_present("001", own(), now, earlier_data=False)
    require_present("001", own(), now, earlier_data=True)
    require_present("001", own(), of_photos(changed(c3=("label", "dog"))), earlier_data=False)
