"""Small grey photos, and annotation files about them as other tools write them."""

import json
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 200, 100
SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
SIDES = ("left", "top", "width", "height")
BOX = (20, 20, 100, 70)
"""left, top, right, bottom in pixels."""
SHARES = (0.1, 0.2, 0.4, 0.5)
"""left, top, width, height of BOX in shares of the photo."""
LINE = "0 0.3 0.45 0.4 0.5\n"
"""BOX as YOLO writes it."""


def photo(file, size=(WIDTH, HEIGHT), **options):
    """A grey photo, a PNG where its name does not say otherwise."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "grey").save(file, "JPEG" if file.suffix.lower() == ".jpg" else "PNG", **options)


def text(file, content, encoding="utf-8"):
    """A text file."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding=encoding)


def thing(*sides, label="cell"):
    """An object of VOC."""
    names = ("xmin", "ymin", "xmax", "ymax")
    named = "".join(f"<{name}>{side}</{name}>" for name, side in zip(names, sides, strict=True))
    return f"<object><name>{label}</name><bndbox>{named}</bndbox></object>"


def voc(file, name, *things, size=SIZE, folder=""):
    """A VOC file about the photo called `name`, with BOX where no things are given."""
    inside = "".join(things or [thing(*BOX)])
    text(file, f"<annotation><folder>{folder}</folder><filename>{name}</filename>{size}{inside}</annotation>")


def coco(file, *names, rows=None, classes=("cell",), **more):
    """A COCO file that lists photos, with BOX on each where no rows are given."""
    left, top, right, bottom = BOX
    box = [left, top, right - left, bottom - top]
    images = [{"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT} for number, name in enumerate(names)]
    if rows is None:
        rows = [{"image_id": number, "category_id": 1, "bbox": box} for number in range(len(names))]
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
    text(file, json.dumps({"images": images, "annotations": rows, "categories": categories, **more}))


def boxes(read):
    """path, label and sides of each box that was read."""
    return [(row.path, row.label, *(round(getattr(row, side), 4) for side in SIDES)) for row in read.boxes.itertuples()]


def boxed(read):
    """path -> number of boxes."""
    return read.boxes.groupby("path").size().to_dict()


def negatives(read):
    """The photos in which there is nothing, as far as is known."""
    seen = read.photos.loc[read.photos["seen"], "path"]
    return sorted(set(seen) - set(read.boxes["path"]))


def kinds(read):
    """The kinds of problems."""
    return read.problems["kind"].tolist()


def said(read):
    """All that was said about files and boxes."""
    return read.problems["words"].str.cat(sep="\n")
