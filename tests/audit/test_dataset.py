import pandas as pd

from cvtune_nb.audit import dataset


def photos(**training: int) -> pd.DataFrame:
    rows = [(label, "train") for label, count in training.items() for _ in range(count)]
    rows += [(label, split) for label in training for split in ("validation", "test") for _ in range(200)]
    return pd.DataFrame(rows, columns=["label", "split"])


def test_a_class_with_few_training_photos_is_named_with_how_many_are_missing():
    issues = dataset.find(photos(lemon=100, lime=43))
    assert issues["issue"].to_list() == ["few-images"] and issues["path"].to_list() == [""]
    assert '"lime" has 43 training photos' in issues["detail"][0]
    assert issues["suggestion"][0] == 'add 57 photos of "lime"' and issues["score"][0] == 0.57


def test_a_class_without_training_photos_counts_too():
    assert dataset.find(photos(lemon=120, lime=0))["score"].max() == 1


def test_a_class_much_larger_than_another_is_an_imbalance():
    assert dataset.find(photos(lemon=500, lime=100)).empty
    issues = dataset.find(photos(lemon=501, lime=100))
    assert issues["issue"].to_list() == ["imbalance"]
    assert '"lemon" has 501' in issues["detail"][0] and '"lime" 100' in issues["detail"][0]
