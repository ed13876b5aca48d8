import pandas as pd
import pytest

from cvtune_nb import plots
from tests.photos import make_photos


@pytest.fixture
def table():
    rows = [("the darkest photos", 40, 0.5, 0.35, 0.65, True), ("photos of the $1 camera", 60, 0.9, 0.8, 0.95, False)]
    return pd.DataFrame(rows, columns=["slice", "photos", "accuracy", "low", "high", "worse"])


def test_the_title_says_which_slice_is_worse(table):
    figure = plots.slices(table, 0.85)
    axes = figure.axes[0]
    assert figure.get_suptitle() == "the darkest photos: only 50% are right"
    assert [label.get_text() for label in axes.get_yticklabels()][1] == "photos of the $1 camera (60)"
    assert plots.png(figure)
    none = plots.slices(table.assign(worse=False), 0.85)
    assert none.get_suptitle() == "No slice is reliably worse than the other photos"
    assert plots.png(plots.slices(table.head(0), 0.85))


def test_photos_of_each_slice_are_shown_and_one_that_is_gone_is_said(tmp_path):
    folder = make_photos(tmp_path / "photos", ("a",), per_class=3, size=32)
    names = [str(file.relative_to(folder)) for file in sorted(folder.rglob("*.jpg"))]
    figure = plots.rows_of_photos({"dark $": names, "blurred": ["gone.jpg"]}, lambda name: folder / name)
    assert len(figure.subfigs) == 2 and figure.subfigs[0].axes[0].images and not figure.subfigs[0].axes[3].images
    assert figure.subfigs[1].axes[0].texts[0].get_text().startswith("can't be read")
    assert plots.png(figure)
