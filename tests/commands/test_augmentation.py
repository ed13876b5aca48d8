"""`cvtune augmentations`, and lists of policies on the command line."""

from tests.calling import called, refused

LITE = ["--backbone", "efficientnet_lite0", "--image-size", "64"]


def test_it_says_what_does_no_harm_and_what_the_others_cost(workspace, capsys):
    status, found, err = called(
        capsys, "augmentations", "--workspace", workspace, *LITE, "--augmentation", "flip+colour:.9+mixup"
    )
    assert status == 0 and "about " in err
    assert [row["policy"] for row in found["policies"]] == ["flip", "colour"]
    assert found["policies"][1]["strength"] == 0.9 and found["backbone"] == "efficientnet_lite0"
    assert found["harmless"] == [row["policy"] for row in found["policies"] if row["verdict"] == "harmless"]


def test_a_bad_list_is_refused_in_one_sentence(workspace, capsys):
    for command in ("augmentations", "train"):
        said = refused(capsys, command, "--workspace", workspace, "--augmentation", "crop+zoom")
        assert "augmentation is 'crop+zoom': there is no 'zoom': choose from crop, resized-crop, flip" in said
