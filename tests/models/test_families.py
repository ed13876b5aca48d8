"""Every family of backbones can do all that a network is asked for between the audit and the model card."""

import pytest
import torch

from cvtune_nb.advice import advise
from cvtune_nb.classification.model_card import weights as card
from cvtune_nb.escalation import ladder_of
from cvtune_nb.models import backbones, networks, sizes
from cvtune_nb.models.backbones import FAMILIES, KNOWN, Entry, Family, Rung
from cvtune_nb.models.weights import Package, Timm
from cvtune_nb.parameters import PARAMETERS, Config
from tests.made_runs import made_run

UNLISTED = {
    "convnext_v2": ("test_convnext2",),
    "convnext": ("test_convnext",),
    "caformer": ("poolformerv2_s12",),
    "swin": ("swin_tiny_patch4_window7_224",),
    "tiny_vit": ("tiny_vit_5m_224",),
    "dino": ("vit_small_patch14_dinov2",),
    "eva02": ("eva02_tiny_patch14_224",),
    "vit": ("test_vit3", "deit_tiny_patch16_224"),
    "timm": ("mobilenetv3_small_050",),
}
"""Networks of families whose row lists none, unless another row does."""
MADE_UP = Family(
    "made_up",
    Timm(),
    (Entry("test_resnet", 96, 0.1), Entry("test_efficientnet", 256, 0.2)),
    weights="weights that nobody has (MIT)",
    any_size=True,
    shared_by_rungs={"epochs": 3},
    ladder=(Rung("test_resnet", 64, 16, 0.001), Rung("test_efficientnet", 96, 8, 0.0005)),
)


def networks_of(family):
    listed = [entry.name for entry in family.networks]
    return listed or [name for name in UNLISTED[family.name] if name not in KNOWN]


def check(family):
    """What every family must do."""
    for name in networks_of(family):
        assert backbones.family_of(name) is family
        low = next(size for size in range(PARAMETERS["image_size"].low, 300) if sizes.takes(name, size))
        network = networks.load(f"{name}:random", image_size=low).eval()
        with torch.inference_mode():
            found = network(torch.zeros(2, low, low, 3, dtype=torch.uint8))
        assert found.shape == (2, network.width) == (2, sizes.width(name)) and found.isfinite().all()
        assert isinstance(backbones.on_disk(name), bool)
        rungs = ladder_of(name)
        assert rungs and all(backbones.family_of(rung.backbone) is family for rung in rungs)
        assert all(sizes.takes(rung.backbone, rung.image_size) for rung in rungs)
        assert set(family.shared_by_rungs) <= set(PARAMETERS) and isinstance(rungs[0], Config)
        assert card(name).startswith("Training started from ") and "(" in card(name), "its licence is stated"
    if family.networks:
        assert set(backbones.table().query("family == @family.name")["name"]) == set(networks_of(family))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_family_keeps_what_its_row_promises(family, no_network):
    check(family)


@pytest.fixture
def made_up(monkeypatch):
    """A family that is there for one test, by its row alone; its networks have random weights."""
    monkeypatch.setitem(FAMILIES, MADE_UP.name, MADE_UP)
    for entry in MADE_UP.networks:
        monkeypatch.setitem(KNOWN, entry.name, entry)
    monkeypatch.setattr(MADE_UP.source, "on_disk", lambda name: name == "test_efficientnet")


def test_a_new_family_is_one_row(made_up, no_network):
    check(MADE_UP)


def test_a_new_family_gets_from_the_recommendation_to_the_model_card(made_up, workspace, no_network, monkeypatch):
    monkeypatch.setattr(Package, "file", lambda self, name: None)  # the only weights at hand are the new family's
    run = made_run(workspace, 0.5, backbone="test_resnet")
    [found] = [finding for finding in advise(workspace, run) if finding.code == "wide-features"]
    assert found.change == {"backbone": "test_efficientnet"}
    assert ladder_of(found.change["backbone"]) == [
        Config("test_resnet", image_size=64, batch_size=16, learning_rate=0.001, epochs=3),
        Config("test_efficientnet", image_size=96, batch_size=8, learning_rate=0.0005, epochs=3),
    ]
    assert "weights that nobody has (MIT)" in card(found.change["backbone"])
