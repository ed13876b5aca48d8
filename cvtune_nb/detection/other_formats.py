"""Annotation files of other tools, which are not read: recognised, so that it can be said what to do."""

import re
from pathlib import Path

from cvtune_nb.detection.raw_annotation import text_of

BEGINNING = 200_000
"""Bytes that are looked at."""

MARKS: tuple[tuple[str, str, str], ...] = (
    ("Label Studio", ".json", r'"(rectanglelabels|polygonlabels|brushlabels|keypointlabels|from_name|completed_by)"'),
    ("labelme", ".json", r'(?s)(?=.*"shapes")(?=.*"(imagePath|imageData)")'),
    ("VIA", ".json", r'"(shape_attributes|_via_img_metadata)"'),
    ("Supervisely", ".json", r'"(exterior|geometryType|classTitle)"'),
    ("CreateML", ".json", r'(?s)(?=.*"annotations?")(?=.*"coordinates")'),
    ("Labelbox", ".json", r'"(data_row|Labeled Data|DataRow ID)"'),
    ("BDD100K or Scale", ".json", r'"box2d"'),
    ("FiftyOne", ".json", r'"_cls"\s*:\s*"Detections?"'),
    ("COCO results", ".json", r'(?s)^\s*\[\s*\{(?=[^{}]*"image_id")(?=[^{}]*"score")'),
    ("COCO without annotations", ".json", r'(?s)^\s*\{(?=.*"images"\s*:\s*\[)(?=.*"file_name")'),
    ("CVAT", ".xml", r"<annotations[\s>]"),
    ("ImgLab or dlib", ".xml", r"(?s)<dataset[\s>].*<image\s[^>]*file="),
    ("a CSV table of boxes", ".csv", r"(?i)^[^\n]*\bx_?min\b[^\n]*"),
    ("a CSV table of boxes", ".csv", r"(?i)^[^\n,]+\.(jpe?g|png|bmp|tiff?|webp),\s*\d+,\s*\d+,\s*\d+,\s*\d+,"),
    ("VIA", ".csv", r"^[^\n]*region_shape_attributes"),
    ("DOTA", ".txt", r"(?m)\A(imagesource:.*\n|gsd:.*\n)*(\d+(\.\d+)?\s+){8}[^\W\d]\S*\s+\d\s*$"),
    ("KITTI", ".txt", r"\A[^\W\d]\w*(\s+-?\d+(\.\d+)?){14,15}\s*($|\n)"),
    ("VisDrone", ".txt", r"\A\d+,\d+,\d+,\d+,[01],\d+,"),
)
"""Tool, extension, and what stands in its files; the first that fits counts."""
BINARY = {".tfrecord": "a TFRecord", ".tfrecords": "a TFRecord", ".record": "a TFRecord", ".mat": "a MATLAB file"}


def tool_of(file: Path) -> str:
    """The tool whose annotation file this is, "" where none is known."""
    suffix = file.suffix.lower()
    if suffix in BINARY:
        return BINARY[suffix]
    marks = [(tool, mark) for tool, extension, mark in MARKS if extension == suffix]
    if not marks:
        return ""
    with open(file, "rb") as opened:
        text = text_of(opened.read(BEGINNING)).lstrip()
    return next((tool for tool, mark in marks if re.search(mark, text)), "")


def in_words(tool: str) -> str:
    """What is wrong with a file of that tool, and what to do."""
    whose = tool if tool.startswith("a ") else f"{tool}'s" if tool[0].isupper() or tool == "labelme" else tool
    return f"{whose}: export it as COCO, VOC or YOLO"
