"""The detectors: how they are built, and where their weights come from."""

import numpy as np
import pytest
import torch
from torch import nn

from cvtune_nb.detection import model
from cvtune_nb.detection.anchors import USUAL_RATIOS, USUAL_SIZES, Anchors
from cvtune_nb.detection.config import DetectorConfig
from cvtune_nb.detection.model import LITE, OF_TORCHVISION, build, default, why
from cvtune_nb.detection.onnx_graph import Graph
from cvtune_nb.detection.training_step import step
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import DETECTOR_PARAMETERS
from cvtune_nb.runs.fitting import train_mode
from cvtune_nb.runs.optimizer import adamw

USUAL = Anchors(USUAL_SIZES, USUAL_RATIOS, 1.0)


def test_every_detector_in_the_menu_can_be_built_and_looks_at_photos():
    for name in DETECTOR_PARAMETERS["detector"].choices:
        made = build(DetectorConfig(name, image_size=128, proposals=20), 2, USUAL, pretrained=False).eval()
        with torch.inference_mode():
            answer = made([torch.rand(3, 96, 128), torch.rand(3, 128, 64)])
        assert len(answer) == 2 and set(answer[0]) == {"boxes", "labels", "scores"}, name
        assert "coco" in why(name).lower() or "ImageNet" in why(name)


@pytest.mark.parametrize("name", ["resnet50_fpn", "resnet50_fpn_v2", "mobilenet_v3_large_fpn"])
def test_torchvisions_detectors_learn_and_are_the_same_as_a_graph(name):
    config = DetectorConfig(name, image_size=128, proposals=20, learning_rate=0.0001)
    made = build(config, 2, USUAL, pretrained=False)
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (128, 128, 3), np.uint8)
    target = {"boxes": torch.tensor([[10.0, 10, 60, 60]]), "labels": torch.tensor([2])}
    made.eval()
    seen, given = {}, model.images_of([photo], torch.device("cpu"))
    heads = made.rpn.head.cls_logits, made.rpn.head.bbox_pred, made.roi_heads.box_predictor.cls_score
    for head in heads:  # as they are made, all places score the same, and any may be told
        watch = head.register_forward_pre_hook(lambda layer, inputs: seen.update({layer: float(inputs[0].std())}))
        with torch.inference_mode():
            made(given)
        nn.init.normal_(head.weight, std=0.05 / seen[head])
        watch.remove()
    with torch.inference_mode():
        expected = made(given)[0]
        boxes, labels, scores = Graph(made, 128)(torch.from_numpy(photo), torch.tensor([128, 128]))
    n = len(expected["scores"])
    assert n and torch.allclose(scores[:n], expected["scores"], atol=1e-4) and (scores[n:] == 0).all()
    near = torch.cdist(boxes[:n] * 128, expected["boxes"]) < 0.1
    alike = labels[:n, None] + 1 == expected["labels"]
    assert (near & alike).any(dim=1).sum() >= 0.95 * n
    norms = {key: value.clone() for key, value in made.state_dict().items() if "running" in key}
    before = made.roi_heads.box_predictor.cls_score.weight.detach().clone()
    train_mode(made)
    assert np.isfinite(
        step(made, adamw(made, config.learning_rate, config.weight_decay), [photo, photo[:96]], [target, target])
    )
    assert not torch.equal(before, made.roi_heads.box_predictor.cls_score.weight)
    assert all(torch.equal(made.state_dict()[key], value) for key, value in norms.items()), "statistics stay"


def test_a_detector_of_ours_starts_from_imagenet_and_has_five_maps():
    made = build(DetectorConfig(LITE, image_size=128), 2, USUAL)
    with torch.inference_mode():
        maps = made.backbone(torch.rand(1, 3, 128, 128))
    assert [tuple(each.shape[1:]) for each in maps.values()] == [(128, n, n) for n in (32, 16, 8, 4, 2)]
    other = build(DetectorConfig(LITE, image_size=128), 2, USUAL)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), other.parameters(), strict=True)), "same seed"
    random = build(DetectorConfig(LITE, image_size=128), 2, USUAL, pretrained=False)
    assert not torch.equal(made.backbone.network.conv_stem.weight, random.backbone.network.conv_stem.weight)
    assert list(made.state_dict()) == list(random.state_dict())


def test_photos_are_taken_as_they_come():
    made = build(DetectorConfig(LITE, image_size=128), 2, USUAL)
    images, _ = made.transform([torch.rand(3, 100, 128), torch.rand(3, 50, 60)])
    assert images.image_sizes == [(100, 128), (50, 60)]
    assert tuple(images.tensors.shape) == (2, 3, 128, 128)


def test_without_weights_within_reach_the_one_that_is_installed_is_taken(no_network, torch_home):
    name, words = default()
    assert name == LITE
    assert "COCO weights of mobilenet_v3_large_fpn are not on disk and can't be fetched" in words
    with pytest.raises(InputError, match=r"COCO weights of resnet50_fpn .* or choose efficientnet_lite0_fpn"):
        build(DetectorConfig("resnet50_fpn"), 2, USUAL)


def test_weights_on_disk_are_loaded_and_only_the_last_layer_is_new(no_network, torch_home, monkeypatch):
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_fpn

    torch.manual_seed(5)
    source = fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None).state_dict()
    weights = model.coco_weights("mobilenet_v3_large_fpn")
    file = torch_home / weights.url.split("/")[-1]
    torch.save(source, file)
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *_, **__: torch.load(file, weights_only=True))
    assert default()[0] == "mobilenet_v3_large_fpn"
    made = build(DetectorConfig("mobilenet_v3_large_fpn", image_size=128), 3, USUAL).state_dict()
    same = [name for name in source if "box_predictor" not in name]
    assert all(torch.equal(made[name], source[name]) for name in same)
    assert made["roi_heads.box_predictor.cls_score.weight"].shape[0] == 4


def test_damaged_weights_are_named(no_network, torch_home):
    weights = model.coco_weights("resnet50_fpn")
    (torch_home / weights.url.split("/")[-1]).write_bytes(b"not weights")
    with pytest.raises(InputError, match="damaged"):
        build(DetectorConfig("resnet50_fpn"), 2, USUAL)


def test_the_menu_knows_them_all():
    assert set(OF_TORCHVISION) < set(DETECTOR_PARAMETERS["detector"].choices)


def test_the_last_layer_computes_in_float32_within_autocast():
    layer = model.Predictor(16, 3)
    with torch.autocast("cpu", torch.bfloat16):
        scores, boxes = layer(torch.rand(5, 16).bfloat16())
    assert scores.dtype == boxes.dtype == torch.float32


def test_proposals_keep_their_bits_within_autocast():
    made = build(DetectorConfig(LITE, image_size=128, proposals=20), 2, USUAL).eval()
    seen = []
    made.roi_heads.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[1]))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        made([torch.rand(3, 96, 128)])
    assert seen[0].dtype == torch.float32
    assert (seen[0] != seen[0].bfloat16().float()).any()
