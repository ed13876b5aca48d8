"""Notebook 03 in a real browser: labels that the machine gave are confirmed, corrected and dropped by keyboard."""

import re

from playwright.sync_api import expect

from cvtune_nb import self_training
from cvtune_nb.parameters import Config
from cvtune_nb.self_training.decisions import Decisions
from tests.browser.steps import NETWORK, opened
from tests.photos import make_photos

IN_HAND = ".cvtune-gallery-list [aria-current=true]"
"""The photo that keys decide about."""


def test_03_review_what_the_machine_labelled(open_notebook, workspace, tmp_path):
    folder = make_photos(tmp_path / "unlabelled", ("circle", "stripes"), per_class=6, seed=5)
    config = Config(NETWORK, image_size=64)
    self_training.self_train(workspace, folder, config, 1, names=["test_efficientnet:random"], least=0.0)
    lab = opened(open_notebook, "03_dnn_fine_tuning", workspace, IMAGE_SIZE=64, UNLABELLED=str(folder))
    lab.run_all()
    panel, keys = lab.output("unlabelled"), lab.page.keyboard
    expect(panel).to_contain_text("labelled by machine, the least sure first")
    photo = panel.locator(IN_HAND)
    photo.focus()
    expect(photo).to_have_attribute("aria-label", re.compile("labelled by machine in round 1.*not decided"))
    keys.press("Enter")
    expect(panel).to_contain_text("1 decided")
    keys.press("3")
    expect(panel).to_contain_text("2 decided")
    keys.press("e")
    expect(panel).to_contain_text("3 decided")
    expect(panel).to_contain_text("✓ confirmed")
    found = self_training.last(workspace)
    decisions = Decisions(workspace)
    made = [decisions.of(key) for key in found.labels.sort_values("probability", kind="stable")["sha256"][:3]]
    assert [one.action for one in made] == ["keep", "relabel", "exclude"]
    assert made[1].label == workspace.classes[2]
    lab.screenshot("03_unlabelled", panel)
