"""`cvtune augmentations`, and lists of policies on the command line."""

from tests.calling import called, refused
from tests.classification.test_variations import arrows  # noqa: F401 - a fixture

LITE = ["--backbone", "efficientnet_lite0", "--image-size", "64"]


def test_it_says_what_does_no_harm_and_what_the_others_cost(arrows, capsys):  # noqa: F811
    asked = ("--augmentation", "flip+vertical-flip+mixup")
    status, found, _ = called(capsys, "augmentations", "--workspace", arrows.folder, *LITE, *asked)
    assert status == 0 and found["backbone"] == "efficientnet_lite0"
    verdicts = {row["policy"]: row["verdict"] for row in found["policies"]}
    assert verdicts == {"flip": "harmful", "vertical-flip": "harmless"}
    assert found["harmless"] == ["vertical-flip"]


def test_a_bad_list_is_refused_in_one_sentence(photo_folder, workspace, capsys):
    for command in ("augmentations", "train"):
        said = refused(capsys, command, "--data", photo_folder, "--workspace", workspace, "--augmentation", "crop+zoom")
        assert "augmentation is 'crop+zoom': there is no 'zoom': choose from crop, resized-crop, flip" in said
