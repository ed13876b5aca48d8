"""Small made photos of several small things, and where these are."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

COLOURS = {"dot": (240, 80, 40), "tile": (40, 110, 240)}


def make_scenes(directory: Path, count: int = 24, width: int = 160, height: int = 120, seed: int = 0) -> Path:
    """Write `count` photos of one to four dots and tiles to `directory`, every eighth empty, and their boxes to
    boxes.json, as COCO has them. Returns `directory`."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        rng = np.random.default_rng([seed, number])
        blotches = Image.fromarray(rng.integers(60, 150, (5, 7, 3), dtype=np.uint8))
        picture = np.asarray(blotches.resize((width, height), Image.Resampling.BICUBIC), float).copy()
        y, x = np.mgrid[0:height, 0:width]
        images.append({"id": number, "file_name": f"{number:03d}.jpg", "width": width, "height": height})
        spots = []
        for _ in range(0 if number % 8 == 0 else rng.integers(1, 5)):
            radius = int(rng.integers(8, 14))
            cx, cy = int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))
            if any(np.hypot(cx - a, cy - b) < radius + c + 4 for a, b, c in spots):
                continue
            spots.append((cx, cy, radius))
            label = str(rng.choice(list(COLOURS)))
            away = np.hypot(x - cx, y - cy) if label == "dot" else np.maximum(abs(x - cx), abs(y - cy))
            picture[away < radius] = np.array(COLOURS[label]) + rng.normal(0, 8, 3)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": list(COLOURS).index(label) + 1,
                    "bbox": [cx - radius, cy - radius, 2 * radius, 2 * radius],
                    "area": 4 * radius**2,
                    "iscrowd": 0,
                }
            )
        picture += rng.normal(0, 5, picture.shape)
        made = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
        made.save(directory / f"{number:03d}.jpg", quality=92)
    categories = [{"id": number, "name": name} for number, name in enumerate(COLOURS, 1)]
    content = {"images": images, "categories": categories, "annotations": annotations}
    (directory / "boxes.json").write_text(json.dumps(content))
    return directory
