"""The model card: what an exported model was made from, how good it is, and what it is not for."""

import math
import re
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from cvtune_nb.classification.calibration import ENOUGH
from cvtune_nb.classification.exportable import COMBINED, Candidate
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data.levels import described
from cvtune_nb.data.photo import FULL, Colour, Levels, both
from cvtune_nb.data.preprocessing import SQUARE, Preprocessing
from cvtune_nb.export.formats import FORMATS
from cvtune_nb.models import backbones
from cvtune_nb.objectives import USUAL

IMAGENET = (
    "The photos of ImageNet itself are offered for non-commercial research and education; whether that binds "
    "weights trained on them is disputed."
)

NOT_MEASURED = "not measured, because there are no photos for it"

CARD = """\
---
license: {licence_field}
license_note: the field above is yours to set; photos and pretrained weights have terms of their own, see below
library_name: onnxruntime
pipeline_tag: image-classification
tags: [cvtune]
---
# {name}

A classifier of photos into {number} classes ({labels}): {backbone} at {size} pixels, {how}.
Made with cvtune, {made}.

## Accuracy
95% intervals are in parentheses.

- Training accuracy: {train}
- Validation accuracy: {validation}
- **Test accuracy: {test}**, measured with the files in this folder
{objective}{notes}- The test set of this workspace has been opened {openings} time(s), this time included; the more
  often it is looked at before a model is chosen, the more optimistic its accuracy becomes
- PyTorch and ONNX Runtime agree to {parity:.1e} in every probability ({parity_photos} photos, among them greyscale,
  CMYK, rotated, tiny and huge ones)

{per_class}

## Smaller variants
{variants}

Milliseconds are per photo, scaled already, on the machine that exported the model. All accuracies are on the same
photos.

## Confidence
{confidence}

## None of these
{none_of_these}

## Use it
```
pip install onnxruntime numpy Pillow       # and pi-heif for HEIC photos, pydicom for DICOM images
python predict.py photo.jpg              # or a folder; --json for one JSON object
```
or from Python, in this folder: `from predict import Model; Model(".").predict(["photo.jpg"])`;
or with cvtune installed: `cvtune predict FOLDER photo.jpg` and `cvtune serve FOLDER`, where FOLDER is this one or
its zip.

Any ONNX runtime can run `model.onnx`. The input `photos` is upright uint8 RGB, shape (n, height, width, 3), of any
size; the output `probabilities` is float32, shape (n, {number}), in the order of `labels.json`{known_output}.
In the graph {framing}, and the colours are normalised. `photo.py` decodes a file (turned upright, converted to RGB)
and scales it as the graph would, only faster.{depth}

The other files of the network:

{formats}

## Data
{data}: {photos:,} photos, {split}. {skipped} file(s) that are unreadable or no photos
were left out; {decisions} decision(s) about single photos, made in the audit, are applied.
`data.csv` lists every photo with its label, split and SHA-256; the SHA-256 of manifest.csv is `{manifest_sha256}`.

{counts}

{audit}

## Training
{parameters}

{origin}

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


def listed(sentences: Iterable[str]) -> str:
    """Each sentence as a line of a Markdown list."""
    return "".join(f"- {text(sentence)}\n" for sentence in sentences)


def table(rows: pd.DataFrame) -> str:
    """`rows` as a Markdown table; floats get four digits."""

    def cell(value: Any) -> str:
        return "" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else text(value)

    lines = ["| " + " | ".join(text(column) for column in rows) + " |", "|" + " --- |" * len(rows.columns)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in rows.itertuples(index=False)]
    return "\n".join(lines)


def framing(shown: Preprocessing, padding: Colour) -> str:
    """How what the network sees is made of a photo, as a part of a sentence."""
    height, width = shown.shape
    size = f"{width} x {height}"
    if shown.framing == "crop" and shown.aspect == SQUARE:
        return f"the short side is scaled to {shown.prepared_side} pixels and the middle {size} is cut out"
    if shown.framing == "crop":
        down, across = both(shown.prepared_side)
        part = f"the middle with the shape of {across} x {down} (width x height) is scaled to these pixels"
        return f"{part} and the middle {size} of it is cut out"
    if shown.framing == "squash":
        return f"both sides are scaled to {size} pixels, whatever the shape of the photo"
    colour = ", ".join(map(str, padding))
    fits = f"the long side is scaled to {width} pixels" if height == width else f"the photo is scaled to fit {size}"
    return f"{fits} and the rest of the {size} has the colour ({colour})"


def depth(levels: Levels) -> str:
    """How photos of more than 8 bits a channel are converted to 8, for a card; "" where it is the usual way."""
    if tuple(levels) == FULL:
        return ""
    kinds = ["more than 8 bits a channel"] * (tuple(levels[:2]) != FULL) + ["more than three bands"] * (len(levels) > 2)
    return (
        f"\n\nIt was trained on photos of {' and '.join(kinds)}, with {described(levels)}. `photo.py` reads such files "
        "in this way; other programs must bring them to 0..255 and to three colours likewise."
    )


def model_card(name: str, chosen: Candidate, export: Any, facts: dict[str, Any], photos: pd.DataFrame) -> str:
    """The card as Markdown.

    Parameters
    ----------
    name
        Of the folder.
    chosen
        What was exported.
    export
        Its figures, a classification.export.Export.
    facts
        What config.json says.
    photos
        The workspace's photos: label, split.
    """
    data, test = facts["data"], export.test
    by_class = "On the test photos, by class (low and high: 95% interval of the recall):\n\n"
    height, width = chosen.shown.shape
    too = " and `known`" if export.known else ""
    return CARD.format(
        licence_field="other",
        name=text(name),
        number=len(chosen.classes),
        labels=", ".join(map(text, chosen.classes)),
        backbone=text(chosen.spec.backbone),
        size=f"{width} x {height}" if height != width else width,
        how=chosen.how,
        made=facts["made"][:10],
        train=f"{chosen.train}, as trained" if chosen.changed or _otherwise(export) else chosen.train,
        validation=_validation(chosen, export),
        test=test or NOT_MEASURED,
        objective=_objective(export),
        notes=listed(export.notes),
        openings=export.openings,
        parity=export.parity,
        parity_photos=export.parity_photos,
        per_class="" if export.per_class is None else by_class + table(export.per_class),
        variants=table(export.variants),
        confidence=confidence(export),
        none_of_these=none_of_these(export.known),
        known_output="; `known` is float32, shape (n)" if export.known else "",
        framing=framing(chosen.shown, facts["padding"]),
        depth=depth(facts["levels"]),
        formats="\n".join(
            f"- `{one.file}`: {one.use.format(height=height, width=width, known=too)}" for one in FORMATS
        ),
        data=text(data["name"]),
        photos=len(photos),
        split=text(data["split"]),
        skipped=data["skipped"],
        decisions=data["decisions"],
        manifest_sha256=data["manifest_sha256"],
        counts=table(_counts(photos)),
        audit=_audit(data["audit"]),
        parameters=table(_parameters(chosen)),
        origin=text(chosen.origin),
        history="![accuracy by epoch](curves.svg)\n\n" + table(chosen.history) if len(chosen.history) else "",
        limits="\n".join(f"- {line}" for line in limits(photos, export, chosen.shown)),
        weights=_weights(chosen),
        versions=", ".join(f"{package} {version}" for package, version in facts["versions"].items()),
    )


def _parameters(chosen: Candidate) -> pd.DataFrame:
    """parameter,value; of a combination those of each network, and of each view."""
    rows = [(name, value) for name, value in chosen.parameters.items() if name not in ("networks", "views")]
    for number, each in enumerate(chosen.parameters.get("networks", [])):
        own = ", ".join(f"{name} {value}" for name, value in each["parameters"].items() if value != "")
        rows.append((f"network {number + 1}", f"{each['made_of']} ({each['kind']}): {own}"))
    for view in chosen.parameters.get("views", []):
        height, width = view["shape"]
        mirrored = ", mirrored" if view["mirrored"] else ""
        about = (
            f"weight {view['weight']:.3g}, {width} x {height} pixels{mirrored}, temperature {view['temperature']:.3g}"
        )
        rows.append((f"view of network {view['network'] + 1}", about))
    return pd.DataFrame([(name, str(value)) for name, value in rows], columns=["parameter", "value"])


def _validation(chosen: Candidate, export: Any) -> str:
    words = f"{export.validation}" if export.validation.n else NOT_MEASURED
    if chosen.kind == COMBINED:
        return f"{words}; corrected for the choice of what is combined, not for that of its members"
    words += "; optimistic, because the model was chosen by it"
    if chosen.changed:
        words += f",\n  and so was how it is used (see how it was made), among {chosen.tried} ways that were tried"
    if told := _otherwise(export):
        words += f";\n  measured with {told}"
    return words


def _otherwise(export: Any) -> str:
    """How it answers, where not with the likeliest class; export: an Export."""
    costs = ["the answers of the lowest expected cost"] * (export.objective or "").startswith("costs:")
    return " and ".join(costs + ["the thresholds of single classes"] * (export.targets is not None))


def _objective(export: Any) -> str:
    """A line about what counted, where that is not accuracy; export: an Export."""
    if export.score is None or export.objective == USUAL:
        return ""
    on = "test" if export.test else "validation"
    words = f"- **What counted, {text(export.score.label)}: {export.score}**, on {on} photos (`{export.objective}`)"
    alone = export.targets is None
    words += "" if alone else ",\n  without the thresholds of single classes"
    if export.objective.startswith("costs:"):
        words += ";\n  every mistake that is not named costs 1"
        words += ", and the answers are those of the lowest expected cost" * alone
    return words + "\n"


def confidence(export: Any) -> str:
    """Calibration before and after, and what the threshold costs, in sentences; export: an Export."""
    before, after = export.calibration_error
    photos = int(export.reliability.loc[export.reliability["when"] == "after", "photos"].sum())
    words = (
        f"Its probabilities are calibrated: logits are divided by a temperature of {export.temperature:.3g}, chosen on "
        f"validation. The expected calibration error is {after:.1%}; before, it was {before:.1%}"
        if export.temperature != 1
        else f"Its probabilities are not calibrated, because that takes at least {ENOUGH} validation photos. The "
        f"expected calibration error is {after:.1%}"
    ) + f" ({photos} photos; a perfectly calibrated model would show 1 to 3% by chance)."
    row = export.coverage.iloc[(export.coverage["threshold"] - export.threshold).abs().argmin()]
    if export.threshold:
        words += (
            f" Below a probability of {export.threshold:g} the model is not sure (`sure` is false)"
            + (" (classes with a threshold of their own follow that)" if export.targets is not None else "")
            + f". On validation it was sure of {row['coverage']:.1%} of the photos, and right about "
            f"{row['accuracy']:.1%} of those."
        )
    return words + _targets(export.targets)


def _targets(targets: Any) -> str:
    """What thresholds of single classes change, in sentences; targets: thresholds.expected, or None."""
    if targets is None:
        return ""
    said = [
        f"{text(row.label)} is the answer from a probability of {row.threshold:.3g} on, for a {row.kind} of "
        f"{row.target:.0%}: {row.before:.1%} without, {row.expected:.1%} expected ({row.low:.1%} to {row.high:.1%})"
        for row in targets.itertuples()
        if row.label
    ]
    whole = targets.iloc[-1]
    return (
        f" Single classes have thresholds, chosen on validation and corrected for that: {'; '.join(said)}. The "
        f"accuracy over all classes is {whole['before']:.1%} without, and {whole['expected']:.1%} expected."
    )


def none_of_these(known: Any) -> str:
    """What `known` means, what it keeps and what it finds, in sentences; known: classification.known.Known, or None."""
    if known is None:
        return (
            "It does not say how much a photo is like those of training: there were no photos to tell (see the notes "
            "under Accuracy, if any)."
        )
    photos = len(known.validation)
    words = (
        f"`known` says how much a photo is like those of training, whatever its class: the share of the {photos} "
        "validation photos that are less like them (counted with the photo itself). It is 0 for a photo unlike all of "
        "them, and evenly spread over 0 to 1 for photos like those of validation. "
    )
    if known.below:
        words += (
            f"Below {known.below:.3f} the model calls a photo unlike all classes (`unlike` is true), so that at least "
            f"{known.keep:.1%} of photos like those of validation are not called so. That holds on average for photos "
            "that the model was not chosen by; these were, so that it can be a little less."
        )
    elif known.keep:
        words += (
            f"It calls no photo unlike all classes: to keep {known.keep:.1%} takes at least "
            f"{math.ceil(known.keep / (1 - known.keep) - 1e-9)} validation photos."
        )
    else:
        words += "It calls no photo unlike all classes, as was asked for."
    if known.test_kept:
        words += f" On the test photos it keeps {known.test_kept}."
    if len(known.left_out) == 0:
        return words
    return (
        f"{words}\n\nWhat can be expected: with the frozen network each class was left out of what is learned in turn. "
        f"Validation photos of that class then have a smaller `known` than those of the others with a probability "
        f"(AUROC) of {known.expected:.2f} on average; .5 is chance. Photos of quite other things are easier, classes "
        f"that look like those that were learned harder.\n\n{table(known.left_out)}"
    )


def curves(history: pd.DataFrame) -> str:
    """Training (dashed) and validation accuracy by epoch as an SVG picture.

    history: epoch, train_accuracy, validation_accuracy.
    """
    wide, high, left, below = 480, 240, 44, 30
    epochs, lowest = history["epoch"], float(history[["train_accuracy", "validation_accuracy"]].min().min())
    floor = max(0.0, np.floor(lowest * 10) / 10)
    last = max(1, int(epochs.max()) - int(epochs.min()))

    def at(epoch: float, value: float) -> str:
        x = left + (wide - left - 10) * (epoch - int(epochs.min())) / last
        return f"{x:.1f},{10 + (high - below - 10) * (1 - value) / max(0.1, 1 - floor):.1f}"

    lines = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" points="'
        + " ".join(at(epoch, value) for epoch, value in zip(epochs, history[f"{part}_accuracy"], strict=True))
        + '"/>'
        for part, colour, dash in (("train", "#D55E00", "6 4"), ("validation", "#0072B2", "none"))
    ]
    grid = []
    for value in np.arange(floor, 1.001, 0.1):
        x, y = at(int(epochs.min()), float(value)).split(",")
        grid.append(f'<line x1="{x}" y1="{y}" x2="{wide - 10}" y2="{y}" stroke="#bbb" stroke-width=".5"/>')
        grid.append(f'<text x="{left - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{value:.0%}</text>')
    words = f"accuracy by epoch ({epochs.min()} to {epochs.max()}): training dashed, validation solid"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{words}">'
        f'<rect width="{wide}" height="{high}" fill="white"/>{"".join(grid)}{"".join(lines)}'
        f'<text x="{left}" y="{high - 8}">{words}</text></svg>\n'
    )


def _audit(issues: dict[str, int] | None) -> str:
    if issues is None:
        return "The photos have not been audited."
    found = ", ".join(f"{count} {text(kind)}" for kind, count in issues.items()) or "nothing"
    return f"The last audit found, before any decisions: {found} (numbers of photos)."


def _counts(photos: pd.DataFrame) -> pd.DataFrame:
    counts = pd.crosstab(photos["label"], photos["split"]).reindex(columns=["train", "validation", "test"])
    return counts.fillna(0).astype(int).rename_axis(columns=None).reset_index()


def limits(photos: pd.DataFrame, export: Any, shown: Preprocessing) -> list[str]:
    """What the model must not be trusted with, one sentence each.

    Parameters
    ----------
    photos, export
        As in `model_card`.
    shown
        What it sees of a photo.
    """
    test = export.test
    train = photos.loc[photos["split"] == "train", "label"].value_counts()
    few = [f"{text(label)} ({count})" for label, count in train.items() if count < 100]
    known = [
        "It knows these classes only: a photo of anything else still gets one of their names"
        + (", and `known` finds only some of these." if export.known and export.known.below else "."),
        "Its accuracy holds for photos like those it was tested on; with other cameras or places it can be lower.",
        _seen(shown),
        "Its probabilities hold for photos like those of the validation set only.",
    ]
    if test is not None and test.n < 400:
        known.append(f"The test set is small ({test.n} photos): note the interval.")
    if few:
        known.append(f"Classes with fewer than 100 training photos: {', '.join(few)}.")
    return known


def _seen(shown: Preprocessing) -> str:
    if shown.framing != "crop":
        return "It sees a photo scaled down, and may miss small things."
    middle = "middle square of a photo" if shown.aspect == SQUARE else f"middle of a photo, {shown.aspect} in shape"
    return f"It sees only the {middle}, and may miss small things there."


def _weights(chosen: Candidate) -> str:
    """Which weights each of its networks started from, and on what terms."""
    others = [FeatureSpec.from_dict(each["parameters"]) for each in chosen.parameters.get("networks", [])]
    told = [weights(chosen.spec.backbone, chosen.spec.weights, chosen.weights)]
    told += [weights(spec.backbone, spec.weights) for spec in others if spec.backbone != chosen.spec.backbone]
    return " ".join(dict.fromkeys(told))


def weights(backbone: str, own: str = "", origin: str = "") -> str:
    """Which weights training started from, and on what terms, in sentences.

    Parameters
    ----------
    backbone, own
        The network, and the file of a person's own weights.
    origin
        Exactly which weights these were (networks.origin), where that is known.
    """
    details = f" ({origin})" if origin else ""
    started = f"Training started from {text(backbones.terms(backbone, own) + details)}."
    elsewhere = own or backbone.endswith((backbones.RANDOM, "webli"))  # photos of the web
    return started if elsewhere else f"{started} {IMAGENET}"
