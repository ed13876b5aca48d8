"""A trained detector as one ONNX file: a photo in, boxes with labels and scores out."""

import json
from typing import Any

import onnx
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import nms, roi_align

from cvtune_nb.detection.roi_align import USUAL_LEVEL, USUAL_SIDE
from cvtune_nb.export.onnx_model import exporting, forget_source_code
from cvtune_nb.export.onnx_preprocessing import OPSET

OUT = -1.0
"""The score of what is out of the running: every number that a detector works with has its place in the graph."""


class Graph(nn.Module):
    """torchvision's FasterRCNN in eval mode for one photo, with no shape that depends on what the photo shows, as a
    graph wants it.

    photo: uint8 (image_size, image_size, 3), the scaled photo in its upper left corner; size: int64 (2,), its height
    and width there. Gives boxes (most, 4: left, top, right, bottom in shares of the photo), labels (most,) from 0, and
    scores (most,), best first and 0 where nothing is left.
    """

    def __init__(self, detector: FasterRCNN, image_size: int):
        super().__init__()
        self.detector, self.image_size, self.side = detector.eval(), image_size, -(-image_size // 32) * 32
        for name in ("mean", "std"):
            values = torch.tensor(getattr(detector.transform, f"image_{name}"))[:, None, None]
            self.register_buffer(name, values, persistent=False)
        with torch.no_grad():
            empty = torch.zeros(1, 3, self.side, self.side)
            maps = detector.backbone(empty)
            makes = detector.rpn.anchor_generator
            anchors = makes(ImageList(empty, [(self.side, self.side)]), list(maps.values()))[0]
        self.register_buffer("anchors", anchors.clone(), persistent=False)
        cells = [each.shape[-2] * each.shape[-1] for each in maps.values()]
        self.counts = [n * cell for n, cell in zip(makes.num_anchors_per_location(), cells, strict=True)]
        names = [name for name in detector.roi_heads.box_roi_pool.featmap_names if name in maps]
        self.levels = {name: (self.side // maps[name].shape[-2]).bit_length() - 1 for name in names}

    def forward(self, photo: torch.Tensor, size: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """boxes, labels, scores."""
        limits = size.float().flip(0).repeat(2)  # width, height, width, height
        maps = self.detector.backbone(self._prepared(photo, size))
        places, chances = self._proposals(maps, limits)
        boxes, labels, scores = self._told(maps, places, chances, limits)
        return boxes / limits, labels, scores.clamp(min=0)

    def _prepared(self, photo: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
        """Normalised; what lies beside the photo is 0, as where torchvision puts photos of several sizes together."""
        image = (photo.permute(2, 0, 1).float() / 255 - self.mean) / self.std
        span = torch.arange(self.image_size)
        image = image * ((span < size[0])[:, None] & (span < size[1]))
        rest = self.side - self.image_size
        return nn.functional.pad(image, (0, rest, 0, rest))[None]

    def _proposals(self, maps: dict[str, torch.Tensor], limits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Places (n, 4) that are worth a look, in pixels, and their chances (n,); OUT for none."""
        rpn = self.detector.rpn
        answers, moves = rpn.head(list(maps.values()))
        answers = torch.cat([each.permute(0, 2, 3, 1).reshape(-1) for each in answers])
        moves = torch.cat([each.view(-1, 4, *each.shape[-2:]).permute(2, 3, 0, 1).reshape(-1, 4) for each in moves])
        boxes = _within(_moved(self.anchors, moves, rpn.box_coder), limits)
        best, first = [], 0
        for count in self.counts:  # the best of every map, so that none takes all places
            top = min(rpn.pre_nms_top_n(), count)
            best.append(first + answers[first : first + count].topk(top)[1])
            first += count
        level = torch.cat([torch.full((len(each),), float(number)) for number, each in enumerate(best)])
        best = torch.cat(best)
        boxes, chances = boxes[best], answers[best].sigmoid()
        counts = (_sides(boxes).amin(dim=1) >= rpn.min_size) & (chances >= rpn.score_thresh)
        chances = torch.where(counts, chances, OUT)
        chances = self._without_covered(boxes, chances, level, rpn.nms_thresh)
        chances, best = chances.topk(min(rpn.post_nms_top_n(), len(chances)))
        return boxes[best], chances

    def _told(
        self, maps: dict[str, torch.Tensor], places: torch.Tensor, chances: torch.Tensor, limits: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Boxes, labels and scores of what is at the places."""
        heads = self.detector.roi_heads
        logits, moves = heads.box_predictor(heads.box_head(self._features(maps, places)))
        scores = logits.softmax(-1)[:, 1:]  # the first is the background
        n, classes = scores.shape
        scores = torch.where(chances[:, None] >= 0, scores, OUT).reshape(-1)
        each = places[:, None].expand(n, classes, 4).reshape(-1, 4)
        boxes = _moved(each, moves.view(n, classes + 1, 4)[:, 1:].reshape(-1, 4), heads.box_coder)
        boxes, labels = _within(boxes, limits), torch.arange(classes).repeat(n)
        counts = (scores > heads.score_thresh) & (_sides(boxes).amin(dim=1) >= 1e-2)
        scores = self._without_covered(boxes, torch.where(counts, scores, OUT), labels.float(), heads.nms_thresh)
        scores, best = scores.topk(min(heads.detections_per_img, n * classes))
        return boxes[best], labels[best], scores

    def _features(self, maps: dict[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """As detection.roi_align, by the operator that ONNX has for it."""
        side = _sides(places).prod(dim=1).clamp(min=1e-6).sqrt()
        numbers = list(self.levels.values())
        level = (USUAL_LEVEL + torch.log2(side / USUAL_SIDE) + 1e-6).floor().clamp(numbers[0], numbers[-1]) - numbers[0]
        rows = torch.cat([torch.zeros_like(places[:, :1]), places], dim=1)
        found = torch.zeros(())
        for place, (name, number) in enumerate(self.levels.items()):  # by place: MobileNet's maps have the same number
            here = roi_align(maps[name], rows, 7, 1 / 2**number, 2)
            found = torch.where((level == place)[:, None, None, None], here, found)
        return found

    def _without_covered(
        self, boxes: torch.Tensor, scores: torch.Tensor, group: torch.Tensor, overlap: float
    ) -> torch.Tensor:
        """The scores, OUT for boxes that a better one of their group covers by more than `overlap`."""
        apart = boxes + (2 * self.side * group)[:, None]  # groups can't cover each other
        kept = torch.zeros_like(scores).index_fill(0, nms(apart, scores, overlap), 1.0)
        return torch.where(kept > 0, scores, OUT)


def _moved(boxes: torch.Tensor, moves: torch.Tensor, coder: Any) -> torch.Tensor:
    """Boxes (n, 4: left, top, right, bottom) moved and stretched as a head says (torchvision's BoxCoder.decode)."""
    sides = _sides(boxes)
    weights = torch.tensor(coder.weights)
    middle = boxes[:, :2] + sides / 2 + moves[:, :2] / weights[:2] * sides
    half = (moves[:, 2:] / weights[2:]).clamp(max=coder.bbox_xform_clip).exp() * sides / 2
    return torch.cat([middle - half, middle + half], dim=1)


def _sides(boxes: torch.Tensor) -> torch.Tensor:
    return boxes[:, 2:] - boxes[:, :2]


def _within(boxes: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    return torch.minimum(boxes.clamp(min=0), limits)


def onnx_model(graph: Graph, labels: list[str], **notes: Any) -> onnx.ModelProto:
    """The graph in ONNX, with its labels, image_size and `notes` written into it."""
    size = graph.image_size
    example = torch.zeros((size, size, 3), dtype=torch.uint8), torch.tensor([size, size])
    with exporting(), torch.no_grad():
        exported = torch.export.export(graph.eval(), example)
        made = torch.onnx.export(
            exported,
            dynamo=True,
            opset_version=OPSET,
            input_names=["photo", "size"],
            output_names=["boxes", "labels", "scores"],
            verbose=False,
        ).model_proto
    forget_source_code(made)
    notes |= {"labels": labels, "image_size": size}
    texts = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for key, value in notes.items()
    }
    onnx.helper.set_model_props(made, texts)
    made.producer_name, made.graph.name = "cvtune", "detector"
    onnx.checker.check_model(made)
    return made
