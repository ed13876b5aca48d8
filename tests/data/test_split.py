import numpy as np
import pandas as pd
import pytest

from cvtune_nb.data.split import assign_splits, require_learnable
from cvtune_nb.errors import InputError


def manifest(**classes):
    """A manifest with one row for each group of each class; a group is written "name" or "name:given split"."""
    rows = []
    for label, groups in classes.items():
        for number, group in enumerate(groups):
            name, _, split = group.partition(":")
            rows.append((f"{label}/{number}.jpg", label, name, split))
    return pd.DataFrame(rows, columns=["path", "label", "group", "split"])


def drawn_before(table, frozen):
    return pd.Series([frozen.get(group, "") for group in table["group"]], index=table.index)


def many(prefix, count, split=""):
    return [f"{prefix}{n}{':' + split if split else ''}" for n in range(count)]


def shares(table, splits, label):
    return splits[table["label"] == label].value_counts().to_dict()


def test_seventy_fifteen_fifteen_in_every_class():
    table = manifest(a=many("a", 100), b=many("b", 40), c=many("c", 7))
    splits = assign_splits(table)
    assert shares(table, splits, "a") == {"train": 70, "validation": 15, "test": 15}
    assert shares(table, splits, "b") == {"train": 28, "validation": 6, "test": 6}
    assert shares(table, splits, "c") == {"train": 5, "validation": 1, "test": 1}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (2, {"train": 1, "validation": 1}),
        (3, {"train": 1, "validation": 1, "test": 1}),
        (4, {"train": 2, "validation": 1, "test": 1}),
    ],
)
def test_small_classes_come_first_to_training_then_to_validation(count, expected):
    table = manifest(a=many("a", count), b=many("b", 20))
    assert shares(table, assign_splits(table), "a") == expected


def test_the_seed_draws_and_order_and_names_do_not():
    table = manifest(a=many("a", 50), b=many("b", 50))
    first = assign_splits(table, 0)
    assert not first.equals(assign_splits(table, 1))
    shuffled = table.sample(frac=1, random_state=np.random.RandomState(0))
    shuffled["path"] = "renamed/" + shuffled["path"]
    assert assign_splits(shuffled, 0).sort_index().equals(first)


def test_given_splits_stay():
    table = manifest(
        a=many("x", 5, "train") + many("y", 3, "validation") + many("z", 2, "test"),
        b=many("u", 2, "train") + many("v", 2, "validation"),
    )
    assert assign_splits(table).tolist() == table["split"].tolist()


def test_train_and_test_without_validation_gets_one_from_train():
    table = manifest(a=many("x", 40, "train") + many("z", 10, "test"), b=many("u", 20, "train") + many("v", 5, "test"))
    splits = assign_splits(table)
    assert splits[table["split"] == "test"].eq("test").all()
    assert shares(table, splits, "a") == {"train": 34, "validation": 6, "test": 10}
    assert shares(table, splits, "b") == {"train": 17, "validation": 3, "test": 5}


def test_train_and_validation_without_test_gets_one_from_train():
    table = manifest(
        a=many("x", 40, "train") + many("z", 6, "validation"), b=many("u", 20, "train") + many("v", 5, "validation")
    )
    splits = assign_splits(table)
    assert splits[table["split"] == "validation"].eq("validation").all()
    assert shares(table, splits, "a") == {"train": 34, "validation": 6, "test": 6}


def test_only_train_given_is_divided_in_three():
    table = manifest(a=many("x", 20, "train"), b=many("u", 20, "train"))
    assert shares(table, assign_splits(table), "a") == {"train": 14, "validation": 3, "test": 3}


def test_exact_copies_are_in_one_split():
    groups = [f"g{n // 3}" for n in range(90)]
    table = manifest(a=groups, b=many("b", 30))
    splits = assign_splits(table)
    assert splits.groupby(table["group"]).nunique().max() == 1
    assert set(splits[table["label"] == "a"]) == {"train", "validation", "test"}


def test_copies_in_two_classes_are_in_one_split_too():
    table = manifest(a=["same", *many("a", 20)], b=["same", *many("b", 20)])
    splits = assign_splits(table)
    assert splits[table["group"] == "same"].nunique() == 1


def test_a_copy_follows_the_photo_whose_split_is_given():
    table = manifest(
        a=["same:test", "same", *many("a", 8, "train"), *many("b", 3, "validation")],
        b=many("u", 4, "train") + many("v", 2, "validation"),
    )
    assert assign_splits(table)[table["group"] == "same"].tolist() == ["test", "test"]


def test_copies_drawn_into_several_splits_meet_where_a_photo_is_worth_most():
    table = manifest(a=[*many("a", 20), "pair", "pair", "three", "three", "three"], b=many("b", 20))
    frozen = assign_splits(table.assign(group=table["path"]))
    frozen[[20, 21]] = "train", "validation"
    frozen[[22, 23, 24]] = "validation", "train", "test"
    splits = assign_splits(table, frozen=frozen)
    assert splits[[20, 21]].tolist() == ["validation"] * 2
    assert splits[[22, 23, 24]].tolist() == ["test"] * 3
    assert splits.drop(range(20, 25)).equals(frozen.drop(range(20, 25)))


def test_copies_in_given_splits_stay_and_drawn_ones_come_to_them():
    table = manifest(a=[*many("a", 9, "train"), *many("c", 9), "x:train", "x:test", "y:test", "y"], b=many("b", 9))
    splits = assign_splits(table)
    assert splits[[19, 20, 21]].tolist() == ["test"] * 3


def test_what_was_drawn_before_stays_when_photos_are_added():
    old = manifest(a=many("a", 30), b=many("b", 30))
    drawn = assign_splits(old)
    frozen = dict(zip(old["group"], drawn, strict=True))
    new = manifest(a=many("a", 45), b=many("new", 10) + many("b", 30), c=many("c", 10))
    splits = assign_splits(new, 0, drawn_before(new, frozen))
    known = new["group"].isin(frozen)
    assert splits[known].tolist() == new.loc[known, "group"].map(frozen).tolist()
    assert shares(new[~known], splits[~known], "a") == {"train": 11, "validation": 2, "test": 2}
    assert shares(new, splits, "c") == {"train": 6, "validation": 2, "test": 2}


def test_a_validation_split_drawn_from_train_stays_too():
    old = manifest(a=many("x", 20, "train") + many("z", 5, "test"), b=many("u", 20, "train") + many("v", 5, "test"))
    frozen = dict(zip(old["group"], assign_splits(old), strict=True))
    new = manifest(
        a=many("x", 33, "train") + many("z", 5, "test"),
        b=many("u", 20, "train") + many("v", 5, "test"),
        c=many("c", 9, "train"),
    )
    splits = assign_splits(new, 0, drawn_before(new, frozen))
    known = new["group"].isin(frozen)
    assert splits[known].tolist() == new.loc[known, "group"].map(frozen).tolist()
    assert {"train", "validation"} <= set(splits[new["label"] == "c"])


def test_a_photo_moved_to_another_given_split_moves():
    table = manifest(
        a=many("x", 9, "train") + many("y", 3, "validation") + many("z", 3, "test"),
        b=many("u", 9, "train") + many("v", 3, "validation"),
    )
    frozen = pd.Series("test", index=table.index)
    assert assign_splits(table, 0, frozen).tolist() == table["split"].tolist()


@pytest.mark.parametrize("groups", [["only"], ["only", "only", "only"], ["x:train"], ["x:train", "x:train"]])
def test_a_class_without_two_different_photos_is_refused(groups):
    with pytest.raises(InputError) as error:
        assign_splits(manifest(rose=groups, tulip=many("t", 10, "train") + many("v", 5, "validation")))
    words = str(error.value)
    assert words.startswith("class 'rose' has only")
    assert "rose/0.jpg" in words
    assert "add photos of it" in words


def test_all_classes_that_fail_are_named_at_once_each_with_its_reason():
    table = manifest(
        lemon=many("l", 9, "train") + many("m", 3, "validation"),
        lime=many("i", 46, "train") + many("j", 2, "test"),
        fig=many("f", 8, "train"),
        kiwi=many("k", 5, "validation"),
        plum=["p:train"],
        weed=["l0:train", "m0:validation"],
    )
    with pytest.raises(InputError) as error:
        assign_splits(table)
    words = str(error.value)
    assert "\n" not in words
    assert "class 'weed' has no photo of its own: weed/0.jpg also lies in another class: delete" in words
    assert "the split you gave has no train photos of 'kiwi' (5 in validation): add some to train" in words
    assert "has no validation photos of 'fig' (8 in train), 'lime' (46 in train, 2 in test): add some" in words
    assert "class 'plum' has only 1 different photo(s), for example plum/0.jpg" in words


@pytest.mark.parametrize("test", [0, 4])
def test_validation_photos_are_drawn_from_train_only_where_a_class_has_none(test):
    table = manifest(
        lemon=many("l", 20, "train") + many("m", 3, "validation") + many("n", test, "test"),
        lime=many("i", 40, "train") + many("j", test, "test"),
    )
    splits = assign_splits(table, draw_validation=True)
    drawn = {"train": 34, "validation": 6, "test": 4} if test else {"train": 28, "validation": 6, "test": 6}
    assert shares(table, splits, "lime") == drawn
    assert shares(table, splits, "lemon")["validation"] == 3
    given = table["split"].isin(["validation", "test"])
    assert splits[given].equals(table["split"][given])
    more = manifest(
        lemon=many("l", 20, "train") + many("m", 3, "validation") + many("n", test, "test"),
        lime=many("i", 60, "train") + many("j", test, "test"),
    )
    frozen = drawn_before(more, dict(zip(table["group"], splits, strict=True)))
    again = assign_splits(more, frozen=frozen, draw_validation=True)
    assert again[frozen != ""].equals(frozen[frozen != ""])


def test_a_class_of_nothing_but_copies_of_others_is_refused():
    with pytest.raises(InputError, match=r"class .weed. has no photo of its own: weed/0\.jpg also lies in"):
        assign_splits(manifest(rose=many("r", 20), weed=many("r", 3)))


def test_what_decisions_left_must_be_learnable():
    def photos(**classes):
        return pd.DataFrame(
            [(f"{label}/{n}.jpg", label, split) for label, splits in classes.items() for n, split in enumerate(splits)],
            columns=["path", "label", "split"],
        )

    require_learnable(photos(a=["train", "validation"], b=["train"]))
    with pytest.raises(InputError, match="fewer than two classes have training photos"):
        require_learnable(photos(a=["train", "validation"], b=["validation"]))
    with pytest.raises(InputError, match="no validation photo is left"):
        require_learnable(photos(a=["train", "test"], b=["train"]))
    with pytest.raises(InputError, match=r"class 'c' has 1 photo\(s\), for example c/0.jpg, but none for training"):
        require_learnable(photos(a=["train", "validation"], b=["train"], c=["validation"]))


# -- groups ---------------------------------------------------------------------------------------------------


def grouped(sizes, labels=("a", "b")):
    """A manifest of groups of these sizes, each of one of the classes in turn."""
    rows = [(f"{n}/{i}", labels[n % len(labels)], f"g{n}", "") for n, size in enumerate(sizes) for i in range(size)]
    return pd.DataFrame(rows, columns=["path", "label", "group", "split"])


@pytest.mark.parametrize("seed", range(5))
def test_fractions_are_of_photos_and_groups_are_whole(seed):
    random = np.random.default_rng(seed)
    table = grouped(np.ceil(random.lognormal(1.5, 0.8, 120)).astype(int))
    splits = assign_splits(table, seed)
    assert splits.groupby(table["group"]).nunique().max() == 1
    for label in ("a", "b"):
        fractions = splits[table["label"] == label].value_counts(normalize=True)
        assert fractions[["train", "validation", "test"]].tolist() == pytest.approx([0.7, 0.15, 0.15], abs=0.02)


def test_one_large_group_goes_into_training():
    table = grouped([60, 60, *[1] * 80])
    splits = assign_splits(table)
    assert set(splits[table["group"].isin(["g0", "g1"])]) == {"train"}
    assert splits.value_counts().to_dict() == {"train": 140, "validation": 30, "test": 30}


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_few_groups_fill_train_then_validation_then_test(groups):
    table = grouped([8] * 2 * groups)
    for label in ("a", "b"):
        splits = set(assign_splits(table)[table["label"] == label])
        assert splits == set(["train", "validation", "test"][:groups])


def test_a_class_that_is_only_seen_beside_others_is_measured_too():
    """Of 20 groups of class a two hold a photo of class b, which has no others."""
    table = grouped([10] * 20, ("a",))
    table.loc[[5, 15], "label"] = "b"
    table["sha256"] = table["path"]
    splits = assign_splits(table)
    assert {"train", "validation"} <= set(splits[table["label"] == "b"])
    assert splits.groupby(table["group"]).nunique().max() == 1


def test_groups_that_are_too_few_are_named():
    table = grouped([8, 8, 8, 8, 9], ("a", "a", "a", "a", "b"))
    with pytest.raises(InputError, match=r"class 'b' has only 1 group\(s\) of photos that belong together \(4/0 ...\)"):
        assign_splits(table)


def test_no_given_train_photo_goes_to_a_given_test_split_through_its_group():
    rows = [(f"{i}.jpg", "ab"[i % 2], f"g{i // 4}", "test" if i % 6 == 5 else "train") for i in range(48)]
    manifest = pd.DataFrame(rows, columns=["path", "label", "group", "split"])
    manifest["sha256"] = manifest["path"]
    split = assign_splits(manifest)
    assert (split[manifest["split"] == "test"] == "test").all()
    assert set(split[manifest["split"] == "train"]) == {"train", "validation"}
    again = assign_splits(manifest, frozen=split)
    assert again.equals(split)
