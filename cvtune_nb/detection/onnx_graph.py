"""A trained detector as one ONNX file: a photo in, boxes with labels and scores out."""

from typing import Any

import onnx
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import nms, roi_align

from cvtune_nb.detection.roi_align import USUAL_LEVEL, USUAL_SIDE
from cvtune_nb.export.onnx_model import exporting, finished, forget_source_code
from cvtune_nb.export.onnx_preprocessing import OPSET

SUPPRESSED = -1.0
"""The score of a box that is out of the running. torchvision drops such boxes, so that shapes depend on the photo; here
they stay where they are, with a score below that of all others, and every shape is fixed."""


class Graph(nn.Module):
    """torchvision's FasterRCNN in eval mode for one photo, as a graph with fixed shapes for torch.export.

    What differs from torchvision's forward: boxes are suppressed by their score instead of being dropped, the anchors
    are a constant, since every photo comes in a frame of one size, and features are pooled by ONNX's own operator.
    """

    mean: torch.Tensor
    std: torch.Tensor
    anchors: torch.Tensor

    def __init__(self, detector: FasterRCNN, image_size: int):
        super().__init__()
        # maps of up to 32 pixels a cell: the frame is padded to a multiple of that, as torchvision does
        self.detector, self.image_size, self.side = detector.eval(), image_size, -(-image_size // 32) * 32
        for name in ("mean", "std"):
            values = torch.tensor(getattr(detector.transform, f"image_{name}"))[:, None, None]
            self.register_buffer(name, values, persistent=False)
        with torch.no_grad():
            empty = torch.zeros(1, 3, self.side, self.side)
            maps = detector.backbone(empty)
            generator = detector.rpn.anchor_generator
            anchors = generator(ImageList(empty, [(self.side, self.side)]), list(maps.values()))[0]
        self.register_buffer("anchors", anchors.clone(), persistent=False)
        cells = [each.shape[-2] * each.shape[-1] for each in maps.values()]
        # anchors of each map, which follow one another in `anchors`
        self.counts = [n * cell for n, cell in zip(generator.num_anchors_per_location(), cells, strict=True)]
        pooled = [name for name in detector.roi_heads.box_roi_pool.featmap_names if name in maps]
        # by name of a map that features are pooled from: k, where a cell has 2**k pixels
        self.levels = {name: (self.side // maps[name].shape[-2]).bit_length() - 1 for name in pooled}

    def forward(self, photo: torch.Tensor, size: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Detect objects.

        Parameters
        ----------
        photo
            uint8 (image_size, image_size, 3), the scaled photo in its upper left corner.
        size
            int64 (2,), height and width of the photo there.

        Returns
        -------
        boxes
            float32 (n, 4): left, top, right, bottom as fractions of the photo.
        labels
            int64 (n,), from 0.
        scores
            float32 (n,), the best first; 0 for those that are no detection.
        """
        limits = size.float().flip(0).repeat(2)  # width, height, width, height: boxes are x, y, x, y
        maps = self.detector.backbone(self._normalised(photo, size))
        proposals, objectness = self._proposals(maps, limits)
        boxes, labels, scores = self._detections(maps, proposals, objectness, limits)
        return boxes / limits, labels, scores.clamp(min=0)

    def _normalised(self, photo: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
        """The input of the backbone, (1, 3, side, side): normalised, and 0 beside the photo.

        torchvision, too, pads after it has normalised, so 0 is the mean colour and not black.
        """
        image = (photo.permute(2, 0, 1).float() / 255 - self.mean) / self.std
        span = torch.arange(self.image_size)
        image = image * ((span < size[0])[:, None] & (span < size[1]))
        rest = self.side - self.image_size
        return nn.functional.pad(image, (0, rest, 0, rest))[None]

    def _proposals(self, maps: dict[str, torch.Tensor], limits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What RegionProposalNetwork.filter_proposals keeps.

        Returns proposals (n, 4) in pixels and their objectness (n,), a probability or SUPPRESSED.
        """
        rpn = self.detector.rpn
        logits, deltas = rpn.head(list(maps.values()))
        # a head gives (1, anchors a cell, height, width), deltas four times as many channels; anchors are in the order
        # of height, width, anchor
        logits = torch.cat([each.permute(0, 2, 3, 1).reshape(-1) for each in logits])
        deltas = torch.cat([each.view(-1, 4, *each.shape[-2:]).permute(2, 3, 0, 1).reshape(-1, 4) for each in deltas])
        boxes = _clipped(_decoded(self.anchors, deltas, rpn.box_coder), limits)
        best, first = [], 0
        for count in self.counts:  # the best of each map, so that none crowds out the others
            top = min(rpn.pre_nms_top_n(), count)
            best.append(first + logits[first : first + count].topk(top)[1])
            first += count
        level = torch.cat([torch.full((len(each),), float(number)) for number, each in enumerate(best)])
        best = torch.cat(best)
        boxes, objectness = boxes[best], logits[best].sigmoid()
        counts = (_sides(boxes).amin(dim=1) >= rpn.min_size) & (objectness >= rpn.score_thresh)
        objectness = torch.where(counts, objectness, SUPPRESSED)
        objectness = self._nms(boxes, objectness, level, rpn.nms_thresh)
        objectness, best = objectness.topk(min(rpn.post_nms_top_n(), len(objectness)))
        return boxes[best], objectness

    def _detections(
        self,
        maps: dict[str, torch.Tensor],
        proposals: torch.Tensor,
        objectness: torch.Tensor,
        limits: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What RoIHeads.postprocess_detections keeps: boxes (n, 4) in pixels, labels (n,) and scores (n,)."""
        heads = self.detector.roi_heads
        logits, deltas = heads.box_predictor(heads.box_head(self._pooled(maps, proposals)))
        scores = logits.softmax(-1)[:, 1:]  # class 0 is the background
        n, classes = scores.shape
        # every proposal is a candidate for every class: n * classes boxes, the classes of a proposal side by side
        scores = torch.where(objectness[:, None] >= 0, scores, SUPPRESSED).reshape(-1)
        repeated = proposals[:, None].expand(n, classes, 4).reshape(-1, 4)
        boxes = _decoded(repeated, deltas.view(n, classes + 1, 4)[:, 1:].reshape(-1, 4), heads.box_coder)
        boxes, labels = _clipped(boxes, limits), torch.arange(classes).repeat(n)
        counts = (scores > heads.score_thresh) & (_sides(boxes).amin(dim=1) >= 1e-2)  # torchvision's smallest side
        scores = self._nms(boxes, torch.where(counts, scores, SUPPRESSED), labels.float(), heads.nms_thresh)
        scores, best = scores.topk(min(heads.detections_per_img, n * classes))
        return boxes[best], labels[best], scores

    def _pooled(self, maps: dict[str, torch.Tensor], proposals: torch.Tensor) -> torch.Tensor:
        """Features (n, channels, 7, 7) of the proposals, each from the map that suits its size.

        That is what MultiScaleRoIAlign gives. Which map that is depends on the photo, so all proposals are pooled from
        every map, and the right one is selected.
        """
        side = _sides(proposals).prod(dim=1).clamp(min=1e-6).sqrt()
        known = list(self.levels.values())
        # equation 1 of Lin and others 2017, "Feature pyramid networks"
        level = (USUAL_LEVEL + torch.log2(side / USUAL_SIDE) + 1e-6).floor().clamp(known[0], known[-1]) - known[0]
        rows = torch.cat([torch.zeros_like(proposals[:, :1]), proposals], dim=1)  # the first column: of which image
        pooled = torch.zeros(())
        # compared by place, not by k: two maps of MobileNet's have the same k
        for place, (name, k) in enumerate(self.levels.items()):
            here = roi_align(maps[name], rows, 7, 1 / 2**k, 2)
            pooled = torch.where((level == place)[:, None, None, None], here, pooled)
        return pooled

    def _nms(self, boxes: torch.Tensor, scores: torch.Tensor, group: torch.Tensor, overlap: float) -> torch.Tensor:
        """Non-maximum suppression within each group.

        Returns the scores (n,), SUPPRESSED where a box of the same group with a higher score overlaps by more than
        `overlap` (IoU).
        """
        # groups are moved apart, so that boxes of two of them never overlap: one call for all groups
        apart = boxes + (2 * self.side * group)[:, None]
        kept = torch.zeros_like(scores).index_fill(0, nms(apart, scores, overlap), 1.0)
        return torch.where(kept > 0, scores, SUPPRESSED)


def _decoded(boxes: torch.Tensor, deltas: torch.Tensor, coder: Any) -> torch.Tensor:
    """Boxes (n, 4) moved and stretched by the deltas (n, 4) of a head: torchvision's BoxCoder.decode.

    The first two numbers of a delta shift the centre, in sides of the box; the others are logarithms of the factors of
    its sides.
    """
    sides = _sides(boxes)
    weights = torch.tensor(coder.weights)
    middle = boxes[:, :2] + sides / 2 + deltas[:, :2] / weights[:2] * sides
    half = (deltas[:, 2:] / weights[2:]).clamp(max=coder.bbox_xform_clip).exp() * sides / 2
    return torch.cat([middle - half, middle + half], dim=1)


def _sides(boxes: torch.Tensor) -> torch.Tensor:
    """Width and height (n, 2)."""
    return boxes[:, 2:] - boxes[:, :2]


def _clipped(boxes: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """Boxes (n, 4) cut off at the edges of the photo; limits: width, height, width, height."""
    return torch.minimum(boxes.clamp(min=0), limits)


def onnx_model(graph: Graph, labels: list[str], **notes: Any) -> onnx.ModelProto:
    """The graph in ONNX; labels, image_size and `notes` go into its metadata, as JSON where they are no text."""
    size = graph.image_size
    example = torch.zeros((size, size, 3), dtype=torch.uint8), torch.tensor([size, size])
    with exporting(), torch.no_grad():
        exported = torch.export.export(graph.eval(), example)
        program = torch.onnx.export(
            exported,
            dynamo=True,
            opset_version=OPSET,
            input_names=["photo", "size"],
            output_names=["boxes", "labels", "scores"],
            verbose=False,
        )
    assert program is not None  # as it is with dynamo
    made = program.model_proto
    forget_source_code(made)
    return finished(made, "detector", **notes, labels=labels, image_size=size)
