"""All checks of the audit, the ones that matter most first.

To add one: a function that takes a Context and gives issues, and a line here.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from cvtune_nb.audit import dataset, duplicates, labels, objects, quality, scenes, shortcuts, storage
from cvtune_nb.audit.check import COLUMNS, Check, Issue

CHECKS = (
    Check("mislabelled", "the photo looks like another class than its label says", labels.mislabelled),
    Check("ambiguous", "to the model the photo looks as much like another class as like its own", labels.ambiguous),
    Check("outlier", "to the model the photo looks like none of the classes", labels.outliers),
    Check("two-classes", "the same photo carries two different labels", duplicates.two_classes, about_copies=True),
    Check(
        "leak",
        "the same photo is in two splits, so accuracy is measured on photos that were memorised",
        duplicates.leaks,
        about_copies=True,
    ),
    Check(
        "scenes",
        "frames of one scene are in several splits, so accuracy is measured on scenes that were trained on",
        scenes.scenes,
    ),
    Check("duplicate", "the same photo is there more than once", duplicates.duplicates, about_copies=True),
    Check("corrupt", "the file can't be read as a photo, and is left out", quality.corrupt),
    Check("dark", "hardly anything in the photo is bright", quality.dark, note_if_common=True),
    Check("over-exposed", "a large part of the photo is burnt out", quality.over_exposed, note_if_common=True),
    Check("low-contrast", "all of the photo has nearly the same brightness", quality.low_contrast, note_if_common=True),
    Check("blurry", "the photo has no sharp edges", quality.blurry, note_if_common=True),
    Check("small", "the photo has fewer pixels than the network looks at", quality.small, note_if_common=True),
    Check("odd-size", "the photo is far larger or smaller than the others", quality.odd_size, note_if_common=True),
    Check(
        "odd-aspect",
        "the photo is so long that most of it lies outside the square the network sees",
        quality.odd_aspect,
        note_if_common=True,
    ),
    Check(
        "odd-range",
        "the photo is far brighter, darker or flatter than the others",
        quality.odd_range,
        note_if_common=True,
    ),
    Check("odd-colour", "the photo is grey where nearly all are in colour, or the reverse", quality.odd_colour),
    Check(
        "colour-profile",
        "the photo is stored in other colours than sRGB",
        quality.colour_profile,
        note_if_common=True,
    ),
    Check("cut-off", "much of the photos lies outside of what the network sees", quality.cut_off),
    Check("shortcut", "a property of the file or the light gives a class away", shortcuts.shortcut),
    Check("split-drift", "the photos of one split differ from those of the others", shortcuts.split_drift),
    Check("few-images", "a class has too few training photos", dataset.few_images),
    Check(
        "small-objects",
        "what the photos show is too small for a classifier that looks at whole photos",
        objects.small_objects,
    ),
    Check("imbalance", "one class has far more training photos than another", dataset.imbalance),
    Check("slow-storage", "photos are read more slowly than the network takes them", storage.slow_storage),
)

KINDS = {check.name: check.meaning for check in CHECKS}
"""Every kind of issue and what it means."""

ABOUT_COPIES = tuple(check.name for check in CHECKS if check.about_copies)
"""Issues whose `other` is a copy."""


def table(found: Mapping[str, Iterable[Issue]]) -> pd.DataFrame:
    """Issues by the name of their check, as a DataFrame: in the order of CHECKS, worst first within a kind."""
    rows = [{**row, "issue": kind} for kind in KINDS for row in found.get(kind, ())]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return (
        frame.assign(order=frame["issue"].map({kind: index for index, kind in enumerate(KINDS)}))
        .sort_values(["order", "score", "path"], ascending=[True, False, True], kind="stable")
        .drop(columns="order")
        .reset_index(drop=True)
    )
