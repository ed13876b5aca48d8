import numpy as np
import pandas as pd

from cvtune_nb.audit.learning import Outlook
from cvtune_nb.classification.remedies import Comparison, concluded
from cvtune_nb.imbalance import Balance
from cvtune_nb.objectives import objective_of
from tests.audit.contexts import issues, known


def photos(**training: int) -> pd.DataFrame:
    rows = [(label, "train") for label, count in training.items() for _ in range(count)]
    rows += [(label, split) for label in training for split in ("validation", "test") for _ in range(200)]
    return pd.DataFrame(rows, columns=["label", "split"])


def remedies(text: str = "balanced-accuracy") -> Comparison:
    """Without a remedy every photo is taken for the first class."""
    truth = np.repeat([0, 1], [90, 30])
    answers = {"none": np.eye(2)[np.zeros(120, int)], "balanced": np.eye(2)[truth]}
    objective = objective_of(text, ["lemon", "lime"])
    return concluded(answers, truth, objective, Balance({"lemon": 90, "lime": 30}))


def listed(photos: pd.DataFrame, found: Comparison | None = None, **outlooks: Outlook) -> pd.DataFrame:
    context = known(in_use=photos, photos=photos, outlooks=outlooks, remedies=found or remedies())
    return issues(context, "few-images", "imbalance")


def test_a_class_with_few_training_photos_is_named_with_how_many_are_missing():
    found = listed(photos(lemon=100, lime=43))
    assert found["issue"].to_list() == ["few-images"] and found["path"].to_list() == [""]
    assert '"lime" has 43 training photos' in found["detail"][0]
    assert found["suggestion"][0] == 'add 57 photos of "lime"' and found["score"][0] == 0.57


def test_what_the_photos_to_add_would_bring_is_said():
    small = photos(lemon=100, lime=43)
    assert (
        "about 70% of them would then be recognised, instead of 50%"
        in (listed(small, lime=Outlook(0.5, 0.7, 0.6, 0.8))["suggestion"][0])
    )
    assert "hardly anything (50% are" in listed(small, lime=Outlook(0.5, 0.505, 0.4, 0.6))["suggestion"][0]


def test_a_class_without_training_photos_counts_too():
    assert listed(photos(lemon=120, lime=0))["score"].max() == 1


def test_a_class_much_larger_than_another_is_an_imbalance():
    assert listed(photos(lemon=300, lime=100)).empty
    found = listed(photos(lemon=501, lime=100), remedies())
    assert found["issue"].to_list() == ["imbalance"]
    assert "Choose balanced in notebook 02 or with --imbalance" in found["suggestion"][0]
    assert "balanced accuracy 50.0% without a remedy; balanced +" in found["suggestion"][0]
    assert "and judge models by balanced accuracy; expected" in found["suggestion"][0]
    other = listed(photos(lemon=501, lime=100), remedies("macro-f1"))["suggestion"][0]
    assert 'add photos of "lime", or use a remedy: macro-F1 counts; expected' in other
    assert '"lemon" has 501' in found["detail"][0] and '"lime" 100' in found["detail"][0]
