"""Which augmentation is suggested to a run that overfits, and which it should do without."""

from dataclasses import replace

import pandas as pd
import pytest

from cvtune_nb.advice import rules
from tests.advice.test_rules import CONFIG, OVERFIT, case, variations


@pytest.mark.parametrize(
    ("measured", "used", "suggested", "words"),
    [
        (None, "crop-flip", None, "measure first which does no harm"),
        (
            {"d4": "harmless", "rotation": "harmless"},
            "crop-flip",
            "crop+flip+d4",
            "d4 did no harm to a frozen network; whether it helps training is not measured yet",
        ),
        ({"d4": "harmful", "flip": "harmful", "rotation": "harmless"}, "crop", "crop+rotation", "rotation did no harm"),
        (
            {"d4": "harmful", "flip": "harmful", "rotation": "harmless"},
            "crop-flip",
            "crop+rotation",
            "flip cost a frozen network accuracy: train without; rotation did no harm",
        ),
        ({"flip": "harmful"}, "flip", "none", "flip cost a frozen network accuracy: train without; no other"),
        (
            {"d4": "too few photos to tell", "rotation": "harmful", "colour": "harmless"},
            "crop-flip",
            None,
            "too few photos to tell: d4; not measured: vertical-flip, resized-crop, erasing, trivialaugment; harmful:",
        ),
        (
            {"d4": "harmless"},
            "d4+resized-crop+erasing+rotation+trivialaugment",
            None,
            "every variation that might be suggested is in use",
        ),
        ({"d4": "harmless", "flip": "harmless", "rotation": "harmless"}, "crop+d4", "crop+d4+rotation", "rotation did"),
    ],
)
def test_only_augmentation_that_does_no_harm_is_suggested_against_overfitting(measured, used, suggested, words):
    known = pd.DataFrame() if measured is None else variations(**measured)
    finding = rules.Overfit().speak(case(OVERFIT, replace(CONFIG, augmentation=used), variations=known))
    assert finding.change.get("augmentation") == suggested
    assert words in finding.evidence and {"dropout", "weight_decay"} < {*finding.change, "."}
