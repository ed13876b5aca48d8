import pytest
import torchvision

from cvtune_nb.errors import InputError
from cvtune_nb.models import backbones, downloads, networks


def test_the_table_says_what_is_on_disk(torch_home, monkeypatch):
    monkeypatch.setattr(downloads, "last_answer", lambda url: True)
    table = backbones.table().set_index("name")
    assert table.at["efficientnet_lite0", "weights"] == "on disk"
    assert table.at["resnet18", "weights"] == "not on disk, 47 MB to download"
    assert table.at["vit_base_patch16_dinov3.lvd1689m", "licence"] == "DINOv3's own"
    assert table["download_mb"].between(10, 1300).all() and table.index[0] == "efficientnet_lite0"
    (torch_home / "resnet18-f37072fd.pth").touch()
    assert backbones.table().set_index("name").at["resnet18", "weights"] == "on disk"
    for name, row in table.iterrows():
        if name in ("resnet18", "resnet50"):
            network = torchvision.models.get_model(name, weights=None)
            assert network.fc.in_features == row["features"]


def test_a_tag_that_timm_does_not_know_is_refused_with_those_it_knows():
    backbones.require_known("convnext_tiny.in12k_ft_in1k")
    for check in (backbones.require_known, networks.load):
        with pytest.raises(InputError, match=r"no weights called 'convnext_tiny\.nope': choose convnext_tiny\.\w+, "):
            check("convnext_tiny.nope")


@pytest.mark.parametrize("name", ["aimv2_3b_patch14_224", "vit_so150m2_patch16_reg1_gap_256", "vit_base_patch16_224"])
def test_what_is_large_goes_by_the_name(name):
    assert backbones.LARGE.search(name)
    assert not backbones.LARGE.search("vit_small_patch16_224.augreg_in21k")


def test_the_default_says_why(torch_home, no_network):
    name, why = backbones.default()
    assert name == "efficientnet_lite0"
    assert "faster and better than resnet18, which the 2018 method started with (75.1% against 69.8%" in why
