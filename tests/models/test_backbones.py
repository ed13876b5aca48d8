import torchvision

from cvtune_nb.models import backbones


def test_the_table_says_what_is_on_disk(torch_home):
    table = backbones.table().set_index("name")
    assert list(table.columns) == ["family", "features", "weights"]
    assert table.at["efficientnet_lite0", "weights"] == "on disk"
    assert table.at["resnet18", "weights"] == "needs network"
    (torch_home / "resnet18-f37072fd.pth").touch()
    assert backbones.table().set_index("name").at["resnet18", "weights"] == "on disk"
    for name, row in table.iterrows():
        if name in ("resnet18", "resnet50"):
            network = torchvision.models.get_model(name, weights=None)
            assert network.fc.in_features == row["features"]


def test_the_default_falls_back_in_words(torch_home, no_network):
    name, why = backbones.default()
    assert name == "efficientnet_lite0"
    assert "weights of resnet18 are not on disk and can't be fetched" in why
