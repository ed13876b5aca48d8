"""Names that say which split a folder is."""

import pytest

from cvtune_nb.data.split_names import split_of, splits_of

TRAIN = [
    "train",
    "Train",
    "TRAIN",
    "training",
    "Training",
    "train_set",
    "training_set",
    "trainset",
    "TrainSet",
    "trainSet",
    "train2017",
    "train2014",
    "seg_train",
    "train-images",
    "TrainImages",
    "trainimages",
    "01_train",
    "1. train",
    "train (1)",
    "Training Data",
    "train_data",
    "training-dataset",
    "train_jpg",
    "imagesTrain",
    "train_photos",
    "train.images",
    "images train",
    "data_train_2",
    "train_subset",
    "train part",
    "img_train",
    "__train__",
    "[train]",
    "train_split",
    "split_train",
    "TRAINING SET",
    "Train_Set_01",
]
VALIDATION = [
    "val",
    "VAL",
    "valid",
    "Validation",
    "validate",
    "dev",
    "val2017",
    "validation_set",
    "valset",
    "devset",
    "ValidationImages",
    "val-images",
    "valid_data",
    "seg_val",
    "02_val",
    "dev_set",
]
TEST = [
    "test",
    "Test",
    "TEST",
    "testing",
    "test_set",
    "testset",
    "test2017",
    "seg_test",
    "test-images",
    "TestImages",
    "testing data",
    "test (2)",
    "03_test",
    "test1",
    "test_jpg",
    "Test Pictures",
]
NEITHER = [
    "",
    "cats",
    "trains",
    "Trainer",
    "trainers",
    "training_wheels",
    "contest",
    "latest",
    "tests",
    "tester",
    "attest",
    "testes",
    "testament",
    "valley",
    "valve",
    "value",
    "valid_masks",
    "invalid",
    "developer",
    "device",
    "devil",
    "train_cats",
    "cats_train",
    "alphabet_test",
    "trainval",
    "train_val",
    "train-test",
    "test_train",
    "images",
    "data",
    "photos",
    "2017",
    "___",
    "1",
    "Zug",
    "traine",
    "strain",
    "restrain",
    "rain",
    "eval",
    "X_train",
    "unlabeled",
    "extra",
    "holdout",
    "night train",
    "pregnancy test",
    "covid test positive",
    "tram",
    "train station",
    "validated",
    "retrain",
    "pretraining",
    "testosterone",
    "validation_masks",
]


@pytest.mark.parametrize(
    ("split", "name"),
    [
        (split, name)
        for split, names in {"train": TRAIN, "validation": VALIDATION, "test": TEST, "": NEITHER}.items()
        for name in names
    ],
)
def test_a_name_says_its_split_and_nothing_else(split, name):
    assert split_of(name) == split
    assert splits_of([name]) == ({name: split} if split else {})


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["alphabet_train", "alphabet_test"], "train test"),
        (["X_train", "X_val", "X_test"], "train validation test"),
        (["asl_alphabet_train", "asl_alphabet_test"], "train test"),
        (["mnist-train", "mnist-test"], "train test"),
        (["Cars Train", "Cars Test"], "train test"),
        (["flowers_training", "flowers_validation"], "train validation"),
        (["signTrain", "signTest"], "train test"),
        (["Chest_Train2", "Chest_Val2"], "train validation"),
        (["train", "val", "test"], "train validation test"),
        (["Training", "Testing"], "train test"),
        (["test", "val"], "test validation"),
    ],
)
def test_names_side_by_side_that_differ_in_the_split_alone_are_splits(names, found):
    assert splits_of(names) == dict(zip(names, found.split(), strict=True))


@pytest.mark.parametrize(
    "names",
    [
        ["express_train", "freight_train"],
        ["alphabet_train", "digits_test"],
        ["blood_test", "skin_test"],
        ["alphabet_test", "alphabet_val"],
        ["night_train", "cats"],
        ["model_train", "model_car"],
        ["a_train", "a_training"],
        ["a_train", "A_train_2"],
        ["cats", "dogs"],
        [],
        ["x_train_test", "x_train"],
    ],
)
def test_names_that_only_hold_such_a_word_are_none(names):
    assert splits_of(names) == {}


def test_splits_are_found_among_other_folders():
    assert splits_of(["train", "test", "docs", "labels"]) == {"train": "train", "test": "test"}
    assert splits_of(["a_train", "a_test", "b", "a"]) == {"a_train": "train", "a_test": "test"}
    assert splits_of(name for name in ("train1", "train2", "test")) == {
        "train1": "train",
        "train2": "train",
        "test": "test",
    }
