"""What the sizes of boxes say."""

from pathlib import Path

import pandas as pd
import pytest

from cvtune_nb.detection import Annotations, sizes
from cvtune_nb.detection.annotations import PROBLEM_COLUMNS
from cvtune_nb.detection.checking import BOX_COLUMNS


def annotations(*rows, photos=3):
    table = [(path, label, 0.1, 0.1, width, height, "a.xml", "object 1") for path, label, width, height in rows]
    names = pd.DataFrame({"path": [f"{number}.jpg" for number in range(photos)], "width": 200, "height": 100})
    names["seen"] = True
    boxes, problems = pd.DataFrame(table, columns=BOX_COLUMNS), pd.DataFrame(columns=PROBLEM_COLUMNS)
    return Annotations(Path("photos"), "voc", names, boxes, problems)


def test_extents_are_of_the_larger_side_by_class_and_photo():
    found = sizes(annotations(("0.jpg", "cell", 0.1, 0.3), ("0.jpg", "cell", 0.1, 0.1), ("1.jpg", "dot", 0.05, 0.02)))
    assert found.classes.to_dict("list") == {
        "label": ["cell", "dot"],
        "boxes": [2, 1],
        "photos": [1, 1],
        "extent": [pytest.approx(0.2), 0.05],
        "small": [0.5, 1.0],
    }
    assert found.extents.tolist() == [0.3, 0.1, 0.05]
    assert found.a_photo.tolist() == [2, 1]
    assert found.negatives == 1
    assert found.words.startswith("the median of 3 boxes takes 10% of the photo, 67% of them less than 20%: small")


def test_what_follows_from_them():
    one = annotations(("0.jpg", "a", 0.5, 0.5), ("1.jpg", "b", 0.4, 0.6))
    assert sizes(one).words.endswith("large enough to classify whole photos (notebooks 02 to 05)")
    several = annotations(*[("0.jpg", "a", 0.5, 0.5)] * 4)
    assert "4.0 in a photo, which a detector tells apart" in sizes(several).words
    assert sizes(annotations()).words == "there are no boxes yet"
    assert sizes(annotations()).negatives == 3
