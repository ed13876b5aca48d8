"""Annotation files of other tools are recognised and named."""

import json

import pytest

from cvtune_nb.detection import open_dataset, read_annotations, require_boxes
from cvtune_nb.errors import InputError
from tests.annotation_files import boxed, coco, photo, said, text

FILES = {
    "Label Studio": (
        "labels.json",
        json.dumps(
            [
                {
                    "data": {"image": "a.jpg"},
                    "annotations": [
                        {
                            "result": [
                                {
                                    "type": "rectanglelabels",
                                    "from_name": "label",
                                    "value": {"x": 1, "rectanglelabels": ["cell"]},
                                }
                            ]
                        }
                    ],
                }
            ]
        ),
    ),
    "labelme": ("a.json", json.dumps({"version": "5.0", "shapes": [], "imagePath": "a.jpg", "imageData": None})),
    "VIA": ("via.json", json.dumps({"a.jpg1": {"filename": "a.jpg", "regions": [{"shape_attributes": {"x": 1}}]}})),
    "Supervisely": ("a.jpg.json", json.dumps({"objects": [{"classTitle": "cell", "points": {"exterior": [[1, 2]]}}]})),
    "CreateML": ("boxes.json", json.dumps([{"image": "a.jpg", "annotations": [{"coordinates": {"x": 1}}]}])),
    "COCO results": ("found.json", json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}])),
    "COCO without annotations": ("info.json", json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}]})),
    "Labelbox": ("export.json", json.dumps([{"data_row": {"id": 1}, "projects": {}}])),
    "CVAT": ("annotations.xml", "<?xml version='1.0'?>\n<annotations><version>1.1</version></annotations>"),
    "a CSV table of boxes": ("train.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,1,1,cell,1,2,3,4\n"),
    "a CSV table of boxes ": ("boxes.csv", "a.jpg,1,2,3,4,cell\n"),
    "VIA ": ("via.csv", "filename,file_size,region_count,region_shape_attributes\n"),
    "DOTA": ("a.txt", "1 2 3 4 5 6 7 8 plane 0\n"),
    "KITTI": ("a.txt", "Car 0.00 0 -1.57 614.24 181.78 727.31 284.77 1.57 1.73 4.15 1.0 1.7 13.2 -1.6\n"),
    "VisDrone": ("a.txt", "684,8,273,116,0,0,0,0\n"),
    "a TFRecord": ("train.tfrecord", "\0\0"),
    "a MATLAB file": ("boxes.mat", "MATLAB 5.0"),
}


@pytest.mark.parametrize("tool", FILES)
def test_they_are_named_beside_others_and_alone(tmp_path, tool):
    name, content = FILES[tool]
    photo(tmp_path / "a.jpg")
    text(tmp_path / name, content)
    with pytest.raises(InputError) as refused:
        read_annotations(tmp_path)
    assert f"{name} is {tool.strip()}" in str(refused.value) and "export it as COCO, VOC or YOLO" in str(refused.value)
    coco(tmp_path / "coco.json", "a.jpg")
    read = read_annotations(tmp_path)
    assert boxed(read) == {"a.jpg": 1}
    row = read.problems.iloc[0]
    assert (row["file"], row["kind"]) == (name, "other format") and tool.strip() in row["words"]
    assert read.left_out["path"].tolist() == [name] and tool.strip() in read.left_out["reason"].iloc[0]


def test_many_files_of_a_tool_are_one_problem_and_open_for_drawing(tmp_path):
    for name in ("a", "b"):
        photo(tmp_path / "photos" / f"{name}.jpg")
        text(tmp_path / "photos" / f"{name}.json", FILES["labelme"][1])
    dataset = open_dataset(tmp_path / "photos", tmp_path / "workspace")
    assert dataset.annotations.kind == "" and len(dataset.annotations.problems) == 1
    assert "it and 1 more are labelme's" in said(dataset.annotations)
    with pytest.raises(InputError, match=r"a\.json is labelme's: export it as COCO, VOC or YOLO, or draw boxes"):
        require_boxes(dataset.annotations)


def test_ordinary_files_are_nobodys(tmp_path):
    photo(tmp_path / "a.jpg")
    coco(tmp_path / "coco.json", "a.jpg")
    for name, content in (
        ("package.json", '{"name": "x", "version": "1"}'),
        ("pom.xml", "<project/>"),
        ("labels.csv", "path,label\na.jpg,cell\n"),
        ("notes.txt", "684 photos\n"),
    ):
        text(tmp_path / name, content)
    read = read_annotations(tmp_path)
    assert read.problems.empty
    assert read.left_out["reason"].tolist() == [
        "not a photo (.csv file)",
        "not a photo (.txt file)",
        "not a photo (.json file)",
        "not a photo (.xml file)",
    ]
