"""Every parameter a person can tune, declared once: sliders, command-line flags and checks are made from here."""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cvtune_nb.augmentation.policies import OF_CLASSIFIERS, OF_DETECTORS, POLICIES, in_words, policies_in
from cvtune_nb.errors import InputError
from cvtune_nb.imbalance import FORMS as REMEDIES
from cvtune_nb.imbalance import remedy_of
from cvtune_nb.objectives import FORMS, USUAL, checked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Parameter:
    """One parameter: what it is called, what it means, and which values it may have.

    Attributes
    ----------
    name, label, meaning
        In code and on the command line, beside its slider, and in the help.
    default
        Its value unless it is chosen.
    scale
        "log" and "linear": a number from low to high; "pixels": a whole number, of which a backbone may take some only
        (models.sizes); "power2": a power of two; "whole": a whole number; "menu": one of the choices; "name": of a
        backbone; "run": of a run of the workspace (classification.parent); "file": of a file, pinned to what it holds
        now (files.pinned); "policies": a list of some of the choices, each with a strength (augmentation.policies);
        "remedy": what is done about classes of different size (imbalance); "text": free text, checked where it is used;
        "objective": text that says what counts (objectives.text).
    low, high, choices
        The values it may have.
    unit
        What it counts.
    step
        How far a slider of the scale "linear" moves at a time.
    name_2018
        What the Azure ML Package for Computer Vision called it; shown in the help of its flag.
    by_network
        Whether another value is recommended for some networks (models.recipes).
    """

    name: str
    label: str
    meaning: str
    default: Any
    scale: str
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    step: float = 0.05
    choices: tuple[str, ...] = ()
    name_2018: str = ""
    by_network: bool = False

    @property
    def label_in_words(self) -> str:
        """The label inside a sentence."""
        return self.label if self.label[1].isdigit() else self.label[0].lower() + self.label[1:]

    @property
    def range_in_words(self) -> str:
        """What may be chosen, for example "1e-06 to 1" or "svm or random"."""
        if self.scale == "policies":
            return f"none, or any of {', '.join(self.choices)}, joined like {self.default}+colour:.3"
        if self.scale == "remedy":
            return REMEDIES
        if self.choices:
            return " or ".join(self.choices)
        if self.scale == "objective":
            return FORMS
        if self.scale in ("text", "name", "file", "run"):
            return {"file": "a file", "run": "a run"}.get(self.scale, "text")
        return f"{self.low:g} to {self.high:g}{', powers of 2' if self.scale == 'power2' else ''}"

    def check(self, value: Any) -> Any:
        """`value` as this parameter's type. Raises InputError when it is not a value this parameter may have."""
        if self.scale in ("text", "name", "run"):
            return str(value)
        if self.scale == "objective":
            return checked(str(value))
        if self.scale == "file":
            from cvtune_nb.files import pinned  # brings pandas, which `cvtune predict` does without

            return pinned(str(value))
        if self.scale == "remedy":
            return remedy_of(str(value)).text
        if self.scale == "policies":
            try:
                return in_words(policies_in(str(value), self.choices))
            except InputError as error:
                raise InputError(f"{self.name} is {str(value)!r}: {error}") from None
        if self.scale == "menu":
            if value not in self.choices:
                raise InputError(f"{self.name} is {value!r}: choose {self.range_in_words}")
            return value
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise InputError(f"{self.name} is {value!r}: give a number, {self.range_in_words}") from None
        whole = self.scale in ("pixels", "power2", "whole")
        fits = math.isfinite(number) and self.low <= number <= self.high and not (whole and number % 1)
        if not fits or (self.scale == "power2" and math.log2(number) % 1):
            kind = "whole number" if whole else "value"
            raise InputError(f"{self.name} is {value}: choose a {kind} from {self.range_in_words}")
        return int(number) if whole else number


_DECLARED = [
    # for AdamW from the SVM's weights; 2018's 0.05 suits SGD from a random last layer: docs/measurements.md, "SGD and
    # AdamW from the SVM"
    Parameter(
        "learning_rate",
        "Learning rate",
        "how far each step moves the weights: too high forgets, too low crawls",
        0.0003,
        "log",
        1e-6,  # the ladder halves a transformer's 3e-5 at every rung
        1.0,
        name_2018="lr_per_mb",
        by_network=True,
    ),
    Parameter(
        "image_size",
        "Image size",
        "pixels of the shorter side of what the network sees: larger shows finer detail, and costs time with its "
        "square; transformers need a multiple of their patch",
        224,
        "pixels",
        28,
        1000,
        "pixels",
        name_2018="image_dims",
    ),
    # docs/measurements.md, "What a rung gains"
    Parameter(
        "progressive",
        "Progressive resizing",
        "how many of the epochs, the first ones, train on photos of about 0.7 of the image size, which takes half the "
        "time; what is measured, kept and exported sees the whole size. 0: none",
        0.0,
        "linear",
        0.0,
        0.9,
        "of the epochs",
    ),
    Parameter(
        "framing",
        "Framing",
        "how a photo fits what the network sees. crop: its middle, the ends of long photos are cut off; "
        "whole: all of it, with the mean colour around; squash: all of it, distorted",
        "crop",
        "menu",
        choices=("crop", "whole", "squash"),
    ),
    Parameter(
        "aspect",
        "Aspect ratio",
        "width:height of what the network sees: another one than a square shows more of photos that have it. The image "
        "size is the shorter side; the longer one costs time as it grows, and is rounded to what the network takes",
        "1:1",
        "menu",
        choices=("1:1", "5:4", "4:3", "3:2", "16:9", "4:5", "3:4", "2:3", "9:16"),
    ),
    Parameter(
        "backbone",
        "Backbone",
        "the pretrained network: deeper ones see more and run longer",
        "",
        "name",
        name_2018="base_model_name",
    ),
    Parameter(
        "weights",
        "Own weights",
        "a file (.safetensors, .pth, .pt or .bin) with weights of this backbone, to start from instead of the "
        "published ones: your own pretraining on photos like yours",
        "",
        "file",
    ),
    Parameter(
        "pooling",
        "Features",
        "what of the backbone the last layer sees: last, its last map; stages, those of its last four stages, too: "
        "more detail, at next to no cost",
        "last",
        "menu",
        choices=("last", "stages"),
    ),
    Parameter(
        "epochs",
        "Epochs",
        "how many times training sees every photo",
        8,
        "whole",
        0,
        200,
        "passes",
        name_2018="max_epochs",
        by_network=True,
    ),
    Parameter(
        "batch_size",
        "Minibatch",
        "photos a step: halve it, and the learning rate with it, when memory runs out",
        32,
        "power2",
        1,
        1024,
        "photos",
        name_2018="mb_size",
    ),
    # 2018's 0.5 suits a last layer that starts at random; one that starts from the SVM forgets
    # (docs/measurements.md, "Dropout from the SVM's weights")
    Parameter(
        "dropout",
        "Dropout",
        "fraction of features hidden from the last layer in training: against overfitting",
        0.0,
        "linear",
        0.0,
        0.9,
        name_2018="dropout_rate",
    ),
    Parameter(
        "drop_path",
        "Drop path",
        "how often training skips the deepest block of a network, earlier ones less often (stochastic depth): against "
        "overfitting",
        0.0,
        "linear",
        0.0,
        0.5,
        by_network=True,
    ),
    Parameter(
        "weight_decay",
        "L2 weight decay",
        "pull of the weights towards zero, with AdamW not of biases, norms and embeddings: against overfitting",
        0.01,
        "log",
        1e-6,
        1e-1,
        name_2018="l2_reg_weight",
        by_network=True,
    ),
    Parameter(
        "layer_decay",
        "Layer decay",
        "learning rate of each layer as a fraction of that of the layer above it: below 1, early layers keep more of "
        "their pretraining",
        1.0,
        "linear",
        0.5,
        1.0,
        by_network=True,
    ),
    Parameter(
        "optimizer",
        "Optimizer",
        "adamw: steps of a size of its own for every weight, the rate falling along a "
        "cosine; sgd: 2018's, with momentum, the rate cut by 10 after 7/15 and 14/15 of the epochs",
        "adamw",
        "menu",
        choices=("adamw", "sgd"),
    ),
    Parameter(
        "schedule",
        "Schedule",
        "one rate an epoch, typed like [0.05]*7 + [0.005]*7 + [0.0005]; empty: as the optimizer has it",
        "",
        "text",
        name_2018="lr_per_mb",
    ),
    Parameter(
        "warm_up",
        "Warm-up",
        "steps over which the learning rate rises from zero, so that the start is not lost",
        20,
        "whole",
        0,
        10_000,
        "steps",
    ),
    Parameter(
        "clip_norm",
        "Gradient clipping",
        "norm of all gradients together above which they are scaled down to it: against steps that run away; 0: never",
        0.0,
        "linear",
        0.0,
        10.0,
        step=0.5,
    ),
    # docs/measurements.md, "The first epoch from the SVM"
    Parameter(
        "ema",
        "Weight averaging",
        "decay of an exponential moving average (EMA) of the weights, which is measured and exported instead of the "
        "weights themselves; 0: none",
        0.95,
        "linear",
        0.0,
        0.9999,
        step=0.0001,
        by_network=True,
    ),
    Parameter(
        "head",
        "Last layer starts from",
        "svm: the baseline's weights, so training starts at its accuracy; random: from nothing, as in 2018",
        "svm",
        "menu",
        choices=("svm", "random"),
    ),
    Parameter(
        "parent",
        "Goes on from",
        "a run of the same backbone whose weights training starts from, its last layer included, instead of the "
        "published ones: best, or its id. On a ladder, below: the nearest rung below with this backbone",
        "",
        "run",
    ),
    Parameter(
        "augmentation",
        "Augmentation",
        "policies that vary the training photos, against overfitting; notebook 03 and `cvtune augmentations` measure "
        "which of them do no harm to your photos",
        "crop-flip",
        "policies",
        choices=OF_CLASSIFIERS,
    ),
    Parameter(
        "loss",
        "Loss",
        "cross-entropy tells classes apart; the others also draw the photos of a class together, for image similarity",
        "cross-entropy",
        "menu",
        choices=("cross-entropy", "supervised-contrastive", "multi-similarity", "triplet", "contrastive"),
    ),
    Parameter(
        "loss_weight",
        "Weight of that loss",
        "how much a loss beside the cross-entropy counts; 0: not at all. The cross-entropy counts 1",
        1.0,
        "linear",
        0.0,
        5.0,
    ),
    # a loss on the features themselves is what similarity wants; for accuracy Khosla and others 2020 put a head between
    Parameter(
        "projection",
        "Projection head",
        "features of a small network between the backbone and a loss beside the cross-entropy, which is trained along "
        "and neither kept nor exported; 0: none, as image similarity wants it",
        0,
        "whole",
        0,
        1024,
        "features",
    ),
    Parameter(
        "objective",
        "Objective",
        "what counts: everything is chosen by it on validation, from the best epoch to the best run",
        USUAL,
        "objective",
    ),
    Parameter(
        "imbalance",
        "Imbalance",
        "what training does about classes of different size, for the sake of the small ones; notebook 02 and `cvtune "
        "remedies` measure what helps with your photos",
        "none",
        "remedy",
    ),
    Parameter(
        "precision",
        "Precision",
        "the numbers that training computes with. auto: bfloat16 where processor or GPU are fast at it, else float16 "
        "on an NVIDIA GPU that is, else float32, which takes up to twice the memory and several times as long",
        "auto",
        "menu",
        choices=("auto", "bfloat16", "float16", "float32"),
    ),
    Parameter("seed", "Seed", "the same seed gives the same run on the same machine", 0, "whole", 0, 2**31 - 1),
]

PARAMETERS: dict[str, Parameter] = {parameter.name: parameter for parameter in _DECLARED}


def _like(name: str, **changes: Any) -> Parameter:
    return replace(PARAMETERS[name], name_2018="", by_network=False, **changes)


_OF_DETECTORS = [
    _like(
        "image_size",
        meaning="photos are scaled so that their longer side has so many pixels: larger shows smaller "
        "objects, and costs time with its square",
        default=480,
        low=128,
    ),
    Parameter(
        "detector",
        "Detector",
        "the network under the Faster R-CNN: ResNet-50 finds most and runs longest",
        "",
        "menu",
        choices=(
            "resnet50_fpn",
            "resnet50_fpn_v2",
            "mobilenet_v3_large_fpn",
            "efficientnet_lite0_fpn",
            "efficientnet_lite2_fpn",
        ),
    ),
    # docs/measurements.md, "Learning rate of a detector"
    _like("learning_rate", default=0.001),
    _like("epochs", default=12, low=1),
    _like("batch_size", default=4, high=64),
    _like("weight_decay"),
    Parameter(
        "proposals",
        "Proposals",
        "regions of a photo that are looked at closely: fewer is faster, crowded photos need more",
        250,
        "whole",
        20,
        1000,
        "regions",
    ),
    Parameter(
        "augmentation",
        "Augmentation",
        "policies that vary the training photos and move their boxes along; not mirrored for text, digits or left and "
        "right",
        "scale-flip",
        "policies",
        choices=OF_DETECTORS,
    ),
    _like("precision"),
    _like("seed"),
]

DETECTOR_PARAMETERS: dict[str, Parameter] = {parameter.name: parameter for parameter in _OF_DETECTORS}
"""Those of a detector: what a classifier has, too, with values that suit it."""


LADDER_PARAMETERS: dict[str, Parameter] = {
    "least_gain": Parameter(
        "least_gain",
        "Least gain",
        "the ladder ends when no rung left is expected to gain so many points of accuracy for an hour of its time, or "
        "as much as the validation photos can show at all; 0: it ends with its last rung, or the budget",
        0.0,
        "linear",
        0.0,
        1000.0,
        "points an hour",
        step=1.0,
    ),
}
"""Those of climbing a ladder."""


_OF_SELF_TRAINING = [
    # what these rest on: docs/measurements.md, "Photos labelled by machine"
    Parameter("rounds", "Rounds", "so many at most; one that is worse on validation ends it", 3, "whole", 1, 3),
    Parameter(
        "least",
        "Probability",
        "mean over the networks from which a photo is labelled, where all agree: surer ones alone are the easy ones",
        0.5,
        "linear",
        0.0,
        1.0,
    ),
    Parameter(
        "most",
        "At most",
        "photos that are labelled in a class, as a multiple of what classes have: without a limit easy classes take "
        "over",
        3.0,
        "linear",
        0.5,
        10.0,
        "times the labelled ones",
        step=0.5,
    ),
    Parameter(
        "weight",
        "Weight",
        "how much a photo labelled by machine counts beside a labelled one",
        1.0,
        "linear",
        0.0,
        1.0,
    ),
]

SELF_TRAINING_PARAMETERS: dict[str, Parameter] = {parameter.name: parameter for parameter in _OF_SELF_TRAINING}
"""Those of self-training."""


def differing(
    rows: pd.DataFrame, parameters: Mapping[str, Parameter] = PARAMETERS, always: Collection[str] = ()
) -> dict[str, str]:
    """The parameters that tell runs apart.

    Parameters
    ----------
    rows : pandas.DataFrame
        A row for each run, a column for each parameter.
    parameters : Mapping
        Those of the task, by name.
    always : Collection
        Names that are shown even where all runs have the same value.

    Returns
    -------
    dict
        Name -> label, in the order of `parameters`.
    """
    return {
        name: parameter.label
        for name, parameter in parameters.items()
        if name in rows and (name in always or rows[name].nunique() > 1)
    }


RECIPE_2018 = {
    "learning_rate": 0.05,
    "schedule": "",
    "ema": 0.0,
    "head": "random",
    "epochs": 15,
    "batch_size": 32,
    "dropout": 0.5,
    "drop_path": 0.0,
    "weight_decay": 0.0005,
    "layer_decay": 1.0,
    "optimizer": "sgd",
    "warm_up": 20,
    "clip_norm": 0.0,
}
"""The 2018 package's defaults: SGD from a random last layer, 15 epochs, rate .05 cut by 10 after 7 and 14."""


def parse_schedule(text: str) -> list[float]:
    """The learning rates in a schedule typed the 2018 way, one an epoch: lists of numbers, `*` and `+`.

    Parsed, never evaluated. Raises InputError for anything else, for rates outside 1e-8..10 and for more than
    200 epochs.
    """
    example = "type it like [0.05]*7 + [0.005]*7 + [0.0005]"

    def rates(node: ast.expr) -> list[float]:
        match node:
            case ast.List(elts=items):
                values = [item.value for item in items if isinstance(item, ast.Constant)]
                numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
                if len(numbers) == len(items):
                    return numbers
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return rates(left) + rates(right)
            case ast.BinOp(op=ast.Mult(), left=ast.List() as values, right=ast.Constant(value=int() as times)):
                return rates(values) * min(times, 201)
        raise InputError(f"schedule {text!r} can't be read: {example}")

    try:
        parsed = rates(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"schedule {text!r} can't be read: {example}") from None
    if not 1 <= len(parsed) <= 200 or not all(1e-8 <= rate <= 10 for rate in parsed):
        raise InputError(f"schedule {text!r} needs 1 to 200 rates between 1e-8 and 10: {example}")
    return parsed


class TrainingConfig:
    """What the parameters of any training run have in common.

    A subclass is a frozen dataclass, and DECLARED says what each of its fields means.
    """

    DECLARED: ClassVar[dict[str, Parameter]]
    BEFORE: ClassVar[Mapping[str, Any]] = {}
    """What parameters were in the runs of earlier versions, whose files do not name them."""
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    image_size: int
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    ema: float = 0.0
    """Decay of the average of the weights (PARAMETERS); 0, none, where a task does not declare it."""

    @property
    def network(self) -> str:
        """The name of what is trained: its first field."""
        return getattr(self, fields(self)[0].name)

    @property
    def descent(self) -> str:
        """What the name of a run says of the run that it goes on from; "": of none."""
        return ""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, self.DECLARED[field.name].check(getattr(self, field.name)))

    @classmethod
    def from_values(cls, **values: Any) -> Self:
        """A config from loose values (a form, a file). Raises InputError for a name that is no parameter."""
        for name in values:
            if name not in cls.DECLARED:
                raise InputError(f"{name} is not a parameter: choose from {', '.join(cls.DECLARED)}")
        return cls(**values)

    @classmethod
    def from_file(cls, values: Mapping[str, Any]) -> Self:
        """The config of a run on disk, of an earlier version, too. Raises InputError as from_values."""
        return cls.from_values(**{**cls.BEFORE, **values})

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return asdict(self)

    def halved(self) -> Self:
        """The same run in less memory: minibatch and learning rate halved together.

        Raises InputError when the minibatch is one photo already.
        """
        if self.batch_size == 1:
            first = fields(self)[0].name
            raise InputError(f"out of memory with a minibatch of one photo: choose a smaller image_size or {first}")
        lower = max(self.DECLARED["learning_rate"].low, self.learning_rate / 2)
        return replace(self, batch_size=self.batch_size // 2, learning_rate=lower)

    def rate(self, done: float) -> float:
        """The learning rate after `done` epochs (a whole number and a part)."""
        raise NotImplementedError

    @property
    def rates(self) -> list[float]:
        """The learning rate of each epoch, in its middle."""
        return [float(f"{self.rate(epoch + 0.5):.6g}") for epoch in range(self.epochs)]


@dataclass(frozen=True)
class Config(TrainingConfig):
    """The parameters of one training run of a classifier; the meaning of each is in PARAMETERS."""

    backbone: str
    weights: str = PARAMETERS["weights"].default
    pooling: str = PARAMETERS["pooling"].default
    learning_rate: float = PARAMETERS["learning_rate"].default
    image_size: int = PARAMETERS["image_size"].default
    progressive: float = PARAMETERS["progressive"].default
    framing: str = PARAMETERS["framing"].default
    aspect: str = PARAMETERS["aspect"].default
    epochs: int = PARAMETERS["epochs"].default
    batch_size: int = PARAMETERS["batch_size"].default
    dropout: float = PARAMETERS["dropout"].default
    drop_path: float = PARAMETERS["drop_path"].default
    weight_decay: float = PARAMETERS["weight_decay"].default
    layer_decay: float = PARAMETERS["layer_decay"].default
    optimizer: str = PARAMETERS["optimizer"].default
    schedule: str = PARAMETERS["schedule"].default
    warm_up: int = PARAMETERS["warm_up"].default
    clip_norm: float = PARAMETERS["clip_norm"].default
    ema: float = PARAMETERS["ema"].default
    head: str = PARAMETERS["head"].default
    parent: str = PARAMETERS["parent"].default
    augmentation: str = PARAMETERS["augmentation"].default
    loss: str = PARAMETERS["loss"].default
    loss_weight: float = PARAMETERS["loss_weight"].default
    projection: int = PARAMETERS["projection"].default
    objective: str = PARAMETERS["objective"].default
    imbalance: str = PARAMETERS["imbalance"].default
    precision: str = PARAMETERS["precision"].default
    seed: int = PARAMETERS["seed"].default

    DECLARED = PARAMETERS
    BEFORE = MappingProxyType({"ema": 0.0, "pooling": "last", "imbalance": "none"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule:
            rates = parse_schedule(self.schedule)
            object.__setattr__(self, "epochs", len(rates))
            object.__setattr__(self, "learning_rate", PARAMETERS["learning_rate"].check(max(rates)))
        mixing = [name for name in self.policies if POLICIES[name].mixes]
        if mixing and self.counted_loss != PARAMETERS["loss"].default:
            raise InputError(
                f"loss {self.loss} compares photos of one class, and {mixing[0]} mixes classes: leave it out of the "
                f"augmentation, or choose {PARAMETERS['loss'].default}"
            )

    @property
    def counted_loss(self) -> str:
        """Its loss, which is the cross-entropy where the weight of another one is 0."""
        return self.loss if self.loss_weight else PARAMETERS["loss"].default

    @property
    def descent(self) -> str:
        """What the name of a run says of the one that it goes on from, for example "-from-003"."""
        return f"-from-{self.parent.partition('-')[0]}" if self.parent else ""

    @property
    def small_epochs(self) -> int:
        """How many epochs, the first ones, train on smaller photos; the last one never does."""
        return max(0, min(self.epochs - 1, round(self.progressive * self.epochs)))

    @property
    def policies(self) -> Mapping[str, float]:
        """The augmentation: strengths by name."""
        return policies_in(self.augmentation)

    def halved(self) -> Config:
        """The same run in less memory: minibatch and learning rate halved together, the rule of 2018's ladder.

        Raises InputError when the minibatch is one photo already.
        """
        return replace(super().halved(), schedule=str([rate / 2 for rate in self.rates]) if self.schedule else "")

    def rate(self, done: float) -> float:
        """The learning rate after `done` epochs (a whole number and a part)."""
        if self.schedule:
            return parse_schedule(self.schedule)[int(done)]
        if self.optimizer == "adamw":
            return self.learning_rate * (1 + math.cos(math.pi * done / self.epochs)) / 2
        cuts = [max(1, round(self.epochs * share)) for share in (7 / 15, 14 / 15)]
        return float(f"{self.learning_rate / 10 ** sum(done >= cut for cut in cuts):.6g}")


# -- how the folders of photos are to be read ---------------------------------------------------------------

LAYOUTS = {
    "classes": "each folder is a class, whatever it is called",
    "splits": "the folders are train, validation and test parts, with the class folders in them",
    "csv": "the CSV file in the folder says the labels",
    "names": "the beginning of each file's name is its class: cat.0.jpg, dog_12.jpg",
    "imagefolder": "Hugging Face's metadata.jsonl or metadata.csv says the labels",
    "label-studio": "a JSON or JSON-MIN export of Label Studio does: its choices",
    "cvat": "an XML file of CVAT does: its tags",
    "labelme": "labelme's JSON file beside each photo does: its flags",
    "roboflow": "Roboflow's _classes.csv does",
    "voc": "the lists of classes in Pascal VOC's ImageSets/Main do",
    "open-images": "Open Images' tables of verified labels do",
    "webdataset": "the .cls or .json file of each sample of a WebDataset does, in shards (.tar) or unpacked",
    "parquet": "photos and labels are rows of Parquet files, as Hugging Face keeps them",
    "frames": "photos are frames of videos, one a second; frames:5 takes five, frames:0.2 one every five seconds",
    "urls": "a list of addresses and labels, from which photos are downloaded",
}
"""What a person can choose where a layout has several readings."""

RECOGNISE = "recognise"
"""Given instead of one of LAYOUTS: recognise it, whatever was chosen before."""

# -- which photos belong together ----------------------------------------------------------------------------

NO_GROUPS, EXIF = "none", "exif"
GROUP_RULES = {
    NO_GROUPS: "each photo is alone, but for its copies",
    "column:NAME": "a column of the CSV file, which is column:group where it has one",
    EXIF: "the same camera, at most 60 seconds after its photo before (EXIF)",
    "time:N": "the same, N seconds",
    "REGEX": "what a regular expression finds of the path: in its named brackets together, else in its first, else "
    "in all, for example '(.*)_\\d+'",
}
"""What a person can say photos are grouped by."""
