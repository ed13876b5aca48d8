"""Which networks can be compared here, and how long that would take."""

import pytest

from cvtune_nb.classification import candidates
from cvtune_nb.classification.candidates import Speeds, listed, networks, predicted_seconds
from cvtune_nb.classification.compare import sample
from cvtune_nb.classification.features import FeatureSpec, network_speed
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.models.operations import operations

SMALL = FeatureSpec("efficientnet_lite0", Preprocessing(64))


def test_what_is_not_on_disk_says_so(workspace, torch_home, no_network):
    known = networks().set_index("name")["why_not"]
    assert known["efficientnet_lite0"] == ""
    assert known["resnet18"] == "its weights are not on disk, and downloads are not allowed"
    assert networks(fetch=True).set_index("name").at["resnet18", "why_not"].endswith("can't be fetched now")
    found = {one.spec: one.why_not for one in listed(workspace, ["efficientnet_lite1", "resnet18"])}
    assert [str(spec) for spec in found] == [
        "efficientnet_lite1 at 128 pixels, several stages",
        "efficientnet_lite1 at 128 pixels",
        "efficientnet_lite1 at 224 pixels, several stages",
        "efficientnet_lite1 at 224 pixels",
        "resnet18 at 224 pixels",
    ]
    assert [bool(why) for why in found.values()] == [False] * 4 + [True]


def test_sizes_that_cannot_be_are_listed_with_the_reason(workspace):
    found = listed(workspace, ["test_vit:random", "efficientnet_lite0"], [60, 64, 600], pooling="stages")
    why = {(one.spec.backbone, one.spec.image_size): one.why_not for one in found}
    assert why["test_vit:random", 64] == why["efficientnet_lite0", 60] == ""
    assert "needs a multiple of" in why["test_vit:random", 60]
    assert "beyond the photos" in why["efficientnet_lite0", 600]
    assert len(found) == 6


def test_a_name_that_is_none_is_refused(workspace):
    with pytest.raises(InputError, match="no backbone called 'resnet19'"):
        listed(workspace, ["resnet19"])


@pytest.mark.parametrize("name", ["vit_base_patch16_siglip_224.v2_webli", "pit_ti_224"])
def test_operations_are_counted_in_networks_whose_hooks_ask_for_gradients(name):
    assert operations(name, 224) > 1e9


def test_operations_of_a_network_are_counted_without_its_weights():
    # 3 x 3 convolutions of ResNet-18, two operations a weight and place: 1.8 thousand million multiplications
    assert operations("resnet18", 224) == pytest.approx(2 * 1.81e9, rel=0.02)
    assert operations("test_vit:random", 64) < operations("test_vit:random", 128)


def test_a_speed_that_was_not_measured_is_guessed_from_one_that_was(workspace):
    larger = FeatureSpec("efficientnet_lite0", Preprocessing(128))
    speeds = Speeds(workspace, [SMALL, larger])
    assert speeds.of(SMALL) == speeds.measured(SMALL) == network_speed(workspace, SMALL)
    assert speeds.measured(larger) != speeds.measured(larger), "not measured"
    assert speeds.of(SMALL) / speeds.of(larger) == pytest.approx(4, rel=0.1)


def test_the_cost_is_that_of_what_is_not_there_yet(workspace, monkeypatch):
    photos = sample(workspace.photos())
    there, new = (listed(workspace, ["efficientnet_lite0"], [size], pooling="last") for size in (64, 128))
    monkeypatch.setattr(candidates, "network_speed", lambda *_: 2.0)
    ready = predicted_seconds(workspace, there, photos)
    assert 0 < ready < 0.5
    alone = predicted_seconds(workspace, new, photos)
    assert alone == pytest.approx(ready + len(photos) * (1 / 2 + 0.01))
    both = predicted_seconds(workspace, listed(workspace, ["efficientnet_lite0"], [128]), photos)
    assert both == pytest.approx(alone + ready), "features of several stages come along, only the SVM is another"
    assert predicted_seconds(workspace, there + new, photos) > len(photos) / 2


def test_where_nothing_was_measured_the_cheapest_is_tried_once(workspace):
    spec, said = FeatureSpec("test_efficientnet:random", Preprocessing(64)), []
    speeds = Speeds(workspace, [spec], lambda _, words: said.append(words))
    assert speeds.of(spec) > 1 and speeds.of(spec) == Speeds(workspace, [spec]).of(spec)
    assert said == ["measuring the speed of test_efficientnet:random at 64 pixels on this machine"]
