"""Every family of backbones can do all that a network is asked for between the audit and the model card."""

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from cvtune_nb.advice import advise
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.model_card import weights as card
from cvtune_nb.escalation import ladder_of
from cvtune_nb.models import backbones, networks, sizes
from cvtune_nb.models.families import FAMILIES, KNOWN, LAPTOP, LICENCES, LIGHT, OF_2018, STRONGEST, Entry, Family, Rung
from cvtune_nb.models.sources.package import Package
from cvtune_nb.models.sources.timm import Timm
from cvtune_nb.models.sources.torchvision import Torchvision
from cvtune_nb.parameters import PARAMETERS, Config
from tests.made_runs import made_run

SMALL = {
    "mobilenetv4": ("mobilenetv4_conv_small_035",),
    "fastvit": ("fastvit_t8",),
    "tiny_vit": ("tiny_vit_5m_224",),
    "efficientnet": ("test_efficientnet",),
    "dinov2": ("vit_small_patch14_dinov2",),
    "dinov3": ("vit_small_patch16_dinov3",),
    "convnext_v2": ("test_convnext2",),
    "convnext": ("test_convnext",),
    "caformer": ("poolformerv2_s12",),
    "swin": ("swin_tiny_patch4_window7_224",),
    "eva02": ("eva02_tiny_patch14_224",),
    "vit": ("test_vit3",),
    "timm": ("test_byobnet", "test_nfnet"),
}
"""Small networks of timm that belong to a family without being listed."""
MADE_UP = Family(
    "made_up",
    Timm(),
    (
        Entry("test_resnet", LIGHT, 96, 160, 0.5, 0.1, 0.1, "nobody"),
        Entry("test_efficientnet", LIGHT, 256, 160, 0.4, 0.1, 0.2, "nobody"),
    ),
    licence="mit",
    weights="weights that nobody has (MIT)",
    any_size=True,
    recipe={"learning_rate": 0.001},
    shared_by_rungs={"epochs": 3},
    ladder=(Rung("test_resnet", 64, 16, 0.001), Rung("test_efficientnet", 96, 8, 0.0005)),
)


def networks_of(family):
    """Small networks of the family; those of a new one are listed."""
    return SMALL.get(family.name) or [entry.name for entry in family.networks]


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
        rungs = ladder_of(FeatureSpec(name))
        assert rungs and all(backbones.family_of(rung.backbone) is family for rung in rungs)
        assert all(sizes.takes(rung.backbone, rung.image_size) for rung in rungs)
        assert set(family.shared_by_rungs) <= set(PARAMETERS) and isinstance(rungs[0], Config)
        assert Config(name, **backbones.recipe(name)) == Config(f"{name}", **backbones.recipe(f"{name}:random"))
        assert card(name).startswith("Training started from ") and "(" in card(name), "its licence is stated"
        assert ("ImageNet itself" in card(name)) == (not name.endswith("webli"))
    listed = {entry.name for entry in family.networks}
    assert set(backbones.table().query("family == @family.name")["name"]) == listed
    for entry in family.networks:
        assert backbones.family_of(entry.name) is family
        assert entry.group in (LIGHT, LAPTOP, STRONGEST, OF_2018) and family.licence in LICENCES
        assert bool(entry.measured) == (entry.imagenet is not None)
        if isinstance(family.source, Timm):  # the catalogue says where weights are, so that menus need not ask timm
            known = timm.get_pretrained_cfg(entry.name)
            assert known and f"{family.source.repository(entry.name)[0]}" == known.hf_hub_id
            assert not known.hf_hub_filename or "." not in entry.name


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_family_keeps_what_its_row_promises(family, no_network):
    check(family)


@pytest.mark.parametrize("entry", KNOWN.values(), ids=KNOWN)
def test_what_is_listed_of_a_network_is_so(entry, no_network):
    source = FAMILIES[backbones.family_of(entry.name).name].source
    name = f"tf_{entry.name}.in1k" if isinstance(source, Package) else entry.name
    stated = timm.get_pretrained_cfg(name)
    if not isinstance(source, Torchvision):  # their licence and size are torchvision's
        assert (stated.input_size[-1], stated.license) == (entry.image_size, backbones.family_of(entry.name).licence)
        assert isinstance(source, Package) or stated.tag, "with the tag of its weights"
    size = sizes.default(entry.name)
    assert size == 224, "the size that operations are counted at"
    with torch.device("meta"):
        whole = timm.create_model(name)
        given = {} if FAMILIES[backbones.family_of(entry.name).name].any_size else sizes.arguments(name, size)
        network = timm.create_model(name, num_classes=0, **given).eval().requires_grad_(False)
        with FlopCounterMode(display=False) as counter:
            features = network(torch.empty(1, 3, size, size))
    assert features.flatten(1).shape[1] == entry.width
    assert sum(values.numel() for values in whole.parameters()) / 1e6 == pytest.approx(entry.parameters, abs=0.006)
    assert counter.get_total_flops() / 2e9 == pytest.approx(entry.gmacs, abs=0.006)


def test_the_menu_is_of_three_groups_and_2018s():
    table = backbones.table()
    counts = table["group"].value_counts()
    assert counts.drop(OF_2018).sum() >= 18 and counts[[LIGHT, LAPTOP, STRONGEST, OF_2018]].min() >= 5
    known = table[table["imagenet"].notna()]
    means = known.groupby("group")["imagenet"].mean()
    assert means[LIGHT] < means[LAPTOP] < means[STRONGEST]
    parameters = known.groupby("group")["parameters"].max()
    assert parameters[LIGHT] < 15 < parameters[LAPTOP] < 30 < parameters[STRONGEST]


@pytest.mark.parametrize(
    ("name", "family", "expected"),
    [
        ("resnet18", "resnet", {}),
        ("efficientnet_lite0", "efficientnet_lite", {}),
        ("regnetx_002", "timm", {}),
        ("no_such_network", "timm", {}),
        ("convnext_nano", "convnext", {"layer_decay": 0.9, "drop_path": 0.1, "learning_rate": 5e-5, "epochs": 12}),
        ("convnext_base.fb_in22k", "convnext", {"layer_decay": 0.9, "drop_path": 0.2}),
        ("convnextv2_tiny", "convnext_v2", {"learning_rate": 1e-4, "layer_decay": 0.95}),
        ("convnext_tiny.dinov3_lvd1689m", "dinov3", {"learning_rate": 3e-5}),
        ("vit_small_patch16_dinov3", "dinov3", {"learning_rate": 3e-5}),
        ("vit_tiny_patch16_224", "vit", {"learning_rate": 5e-5, "layer_decay": 0.8}),
        ("vit_base_patch16_clip_224.openai", "vit", {"learning_rate": 3e-5, "layer_decay": 0.8}),
        ("eva02_small_patch14_224", "eva02", {"learning_rate": 5e-5, "layer_decay": 0.8}),
        ("eva02_base_patch14_224:random", "eva02", {"learning_rate": 3e-5, "layer_decay": 0.7}),
        ("swin_small_patch4_window7_224", "swin", {"learning_rate": 3e-5, "drop_path": 0.2}),
    ],
)
def test_a_network_has_the_recipe_of_its_architecture(name, family, expected):
    assert backbones.family_of(name).name == family
    recipe = backbones.recipe(name)
    assert expected.items() <= recipe.items() and bool(expected) == bool(recipe)


def test_the_terms_say_whether_commercial_use_is_allowed():
    assert "commercial use: yes, but not for weapons" in backbones.terms("vit_base_patch16_dinov3.lvd1689m")
    assert "CC-BY-NC-4.0; commercial use: no" in backbones.terms("convnextv2_atto.fcmae")
    assert "seer-license; commercial use: not known here" in backbones.terms("regnety_320.seer")
    assert "licence: not stated; commercial use: not known here" in backbones.terms("no_such_network")


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
    assert ladder_of(FeatureSpec(found.change["backbone"])) == [
        Config("test_resnet", image_size=64, batch_size=16, learning_rate=0.001, epochs=3),
        Config("test_efficientnet", image_size=96, batch_size=8, learning_rate=0.0005, epochs=3),
    ]
    assert "weights that nobody has (MIT)" in card(found.change["backbone"])
