"""`cvtune augmentations`, and lists of policies on the command line."""

from tests.calling import called, refused

LITE = ["--backbone", "efficientnet_lite0", "--image-size", "64"]


def test_it_says_what_does_no_harm_and_what_the_others_cost(photo_folder, workspace, capsys):
    asked = ("--augmentation", "flip+colour:.9+mixup")
    where = ("--data", photo_folder, "--workspace", workspace)
    status, found, _ = called(capsys, "augmentations", *where, *LITE, *asked)
    assert status == 0
    assert [row["policy"] for row in found["policies"]] == ["flip", "colour"]
    assert found["policies"][1]["strength"] == 0.9 and found["backbone"] == "efficientnet_lite0"
    assert found["harmless"] == [row["policy"] for row in found["policies"] if row["verdict"] == "harmless"]


def test_a_bad_list_is_refused_in_one_sentence(photo_folder, workspace, capsys):
    for command in ("augmentations", "train"):
        said = refused(capsys, command, "--data", photo_folder, "--workspace", workspace, "--augmentation", "crop+zoom")
        assert "augmentation is 'crop+zoom': there is no 'zoom': choose from crop, resized-crop, flip" in said
