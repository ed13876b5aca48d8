import torchvision

from cvtune_nb.models import backbones


def test_the_table_says_what_is_on_disk(torch_home):
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


def test_the_default_says_why(torch_home, no_network):
    name, why = backbones.default()
    assert name == "efficientnet_lite0"
    assert "faster and better than resnet18, which the 2018 method started with (75.1% against 69.8%" in why
