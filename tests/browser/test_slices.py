"""Where it fails, in a real browser: notebook 03 names the slice that is worse, with its photos."""

import re

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from cvtune_nb.advice.slices import FEWEST
from cvtune_nb.classification.baseline import baseline
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.files import read_csv, write_csv
from tests.browser.steps import LONG, NETWORK, opened, whole_page
from tests.photos import make_photos


def spoiled(folder):
    """A workspace whose baseline has wrong answers to the darkest fifth of the validation photos, and how many."""
    workspace = open_workspace(make_photos(folder / "photos", per_class=120, size=72), folder / "workspace")
    baseline(workspace, FeatureSpec(NETWORK, Preprocessing(64)))
    file = workspace.folder / "baseline.csv"
    rows = read_csv(file, path=str, label=str, predicted=str)
    light = [np.asarray(Image.open(workspace.path_of(path)).convert("L")).mean() for path in rows["path"]]
    dark = np.argsort(light)[: round(0.2 * len(rows))]
    rows["predicted"] = rows["label"]
    for number in dark:
        rows.loc[number, "predicted"] = next(name for name in workspace.classes if name != rows["label"][number])
    write_csv(file, rows)
    return workspace, len(dark)


def test_03_the_slice_that_is_worse_is_named_with_its_photos(open_notebook, tmp_path):
    workspace, wrong = spoiled(tmp_path)
    assert wrong >= FEWEST
    lab = opened(open_notebook, "03_dnn_fine_tuning", workspace, BACKBONE=NETWORK, IMAGE_SIZE=64)
    for name in ("parameters", "panel", "slices"):
        lab.run_cell(lab.index(name))
    panel = lab.output("slices")
    expect(panel.locator("select")).to_have_value("svm")  # there is no run
    panel.get_by_role("button", name="Find where it fails").press("Enter")
    expect(panel).to_contain_text("Shown for the baseline.", timeout=LONG)
    expect(panel).to_contain_text(re.compile("reliably worse than the other photos"))
    expect(panel).to_contain_text(re.compile("add such photos, or look at their labels"))
    expect(panel.get_by_role("img", name=re.compile("accuracy by slice"))).to_be_visible()
    expect(panel.get_by_role("img", name=re.compile("photos of: "))).to_be_visible()
    lab.run_cell(lab.index("failed"))
    expect(lab.output("failed")).to_contain_text("It fails on")
    whole_page(lab, "03_slices")
