"""How much of the workbook is done in one go: each preset is a list of steps."""

from dataclasses import dataclass

TRAINING = {"train": "train", "escalate": "climb", "sweep": "search", "combine": "combine"}
"""The steps that may follow the baseline, in their order, and the method of Workbook that does each."""
TRIALS = 8
"""Of the sweep of a preset, at most."""


@dataclass(frozen=True)
class Preset:
    """What is done after the audit and the baseline, and before the export.

    Attributes
    ----------
    name
        On the command line and on its button; "" where none is chosen.
    meaning
        In a line.
    steps
        Some of TRAINING.
    budget
        The time that it may take unless another one is given, in seconds.
    notebook
        Where a person goes on from it.
    """

    name: str
    meaning: str
    steps: tuple[str, ...]
    budget: float
    notebook: str


USUAL = Preset("", "one fine-tuned network, then the ladder", ("train", "escalate"), 1200, "05_export_and_use")
"""What `cvtune run` does without a preset, as in earlier versions: more than good, and not all of best."""
PRESETS = {
    preset.name: preset
    for preset in (
        Preset("quick", "the SVM on a frozen network", (), 1200, "02_frozen_dnn_svm_baseline"),
        Preset("good", "one network, fine-tuned as is recommended for it", ("train",), 3600, "03_dnn_fine_tuning"),
        Preset(
            "best",
            "the ladder, a sweep round its best rung, and the runs combined",
            ("train", "escalate", "sweep", "combine"),
            4 * 3600,
            "04_parameter_escalation",
        ),
    )
}
