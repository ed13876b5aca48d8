"""Which network to start with: compare."""

import argparse
import time

import numpy as np

from cvtune_nb.commands import flags
from cvtune_nb.commands.classifier import budget_seconds
from cvtune_nb.commands.command import DONE, STOPPED, Result, command
from cvtune_nb.commands.common import names_in, open_workspace_of, say_weights
from cvtune_nb.commands.flags import argument, parameters
from cvtune_nb.console import Meter, duration, table
from cvtune_nb.errors import InputError
from cvtune_nb.parameters import PARAMETERS


@command(
    *flags.PHOTOS,
    *flags.LAYOUT,
    argument("--backbones", default="", metavar="A,B", help="which networks (all that can be used here)"),
    argument("--image-sizes", default="", metavar="128,224", help="for each of them (its usual one, and 128)"),
    argument(
        "--photos",
        dest="most",
        type=int,
        default=2000,
        metavar="N",
        help="training photos to compare on, at most (2000)",
    ),
    argument(
        "--framings",
        action="store_true",
        help="then compare how photos are framed, too, if the budget has time for it: crop, whole and squash, and the "
        "crop to the photos' own aspect ratio where most are no squares, with the network that later steps start with; "
        "they go on with the one recommended, unless one was chosen by hand",
    ),
    argument("--budget", default="5m", metavar="TIME", help="such as 90s, 20m or 1.5h (5m)"),
    argument("--download", action="store_true", help="also networks whose weights have to be fetched"),
    argument(
        "--use",
        choices=("accuracy", "speed", "none"),
        default="accuracy",
        help="what later steps start with: the network recommended for accuracy, or for what counts in its place, or "
        "for speed; none: what they start with now (accuracy)",
    ),
    flags.OBJECTIVE,
    *parameters(["weights", "pooling"]),
    argument("--backbone", metavar="X", help="the network that the file of --weights is of"),
    *parameters(["seed"]),
)
def compare(arguments: argparse.Namespace, meter: Meter) -> Result:
    """compare pretrained networks on your photos, within a time budget"""
    if arguments.most < 1:
        raise InputError(f"--photos is {arguments.most}: give 1 or more")
    seconds = budget_seconds(arguments.budget)
    names = names_in(arguments.backbones)
    if bool(arguments.weights) != bool(arguments.backbone):
        raise InputError(
            "--weights and --backbone belong together: give a file, and the network that it is of; --backbones names "
            "those that are compared with their published weights"
        )

    from cvtune_nb.classification import candidates
    from cvtune_nb.classification.choice import BY_HAND, RECOMMENDED, choice, choose, choose_framing, start_with
    from cvtune_nb.classification.compare import compare as race
    from cvtune_nb.classification.compare import sample
    from cvtune_nb.classification.comparison import COUNTS
    from cvtune_nb.classification.framing import PHOTOS, compare_framings, expected_seconds

    image_sizes = candidates.image_sizes_in(arguments.image_sizes)
    workspace = open_workspace_of(arguments, meter, meter)
    pooling = PARAMETERS["pooling"].check(arguments.pooling) if arguments.pooling else ""
    own = [(arguments.backbone, arguments.weights)] if arguments.weights else []
    there = candidates.listed(workspace, names, image_sizes, arguments.download, own, pooling)
    if own:
        with_own = [one for one in there if one.spec.weights]
        if not any(one.usable for one in with_own):
            raise InputError(with_own[0].why_not)
        say_weights(next(one.spec for one in with_own if one.usable), meter)
    count, photos = sum(one.usable for one in there), sample(workspace.photos(), arguments.most)
    most = candidates.predicted_seconds(workspace, there, photos, meter)
    ends = f"; the budget ends it after {duration(seconds)}" if most > seconds else ""
    meter.say(
        f"{count} candidate{'' if count == 1 else 's'} on {len(photos)} training photos: about {duration(most)} at most"
        f"{ends}; those that can't win any more are dropped on the way"
    )
    end = time.monotonic() + seconds
    found = race(workspace, there, arguments.most, seconds, progress=meter)
    stopped, chosen = meter.stop.is_set(), choice(workspace)
    if not stopped and arguments.use in found.recommended:
        why = f"recommended for {found.use_in_words(arguments.use)}"
        chosen = choose(workspace, found.recommended[arguments.use].spec, why)
    framings = None
    if arguments.framings and not stopped:
        start, count = start_with(workspace), min(arguments.most, PHOTOS)
        takes, left = expected_seconds(workspace, start, count), max(0.0, end - time.monotonic())
        if takes > left:
            meter.say(f"framings are not compared: about {duration(takes)}, and the budget has {duration(left)} left")
        else:
            meter.say(f"comparing framings: about {duration(takes)}")
            framings = compare_framings(workspace, start, count, meter)
        if framings and arguments.use != "none" and not (chosen and chosen.framing_why == BY_HAND):
            chosen = choose_framing(workspace, framings.recommended, RECOMMENDED)
    goes_on = f"later steps start with {chosen or start_with(workspace)}"
    own_weights = ["own_weights"] if any(found.files) else []
    shown = [
        "backbone",
        *own_weights,
        "image_size",
        "pooling",
        "photos",
        "accuracy",
        "low",
        "high",
        *(() if found.counted.by_accuracy else COUNTS),
        "images_per_second",
        "seconds",
        "state",
    ]
    speeds = np.round(found.table["images_per_second"], 1)
    rows = found.table.assign(images_per_second=speeds, state=found.notes, own_weights=found.files).to_dict("records")
    counts = [] if found.counted.by_accuracy else [f"what counts, objective_value: {found.counted.axis}"]
    lines = [table(rows, shown), "", *counts, *found.sentences]
    if framings:
        lines += ["", table(framings.table.to_dict("records"), [*framings.table]), "", *framings.sentences]
    values = {
        **found.to_dict(),
        "framing": framings and framings.to_dict(),
        "start_with": chosen and {**chosen.spec.to_dict(), "why": chosen.why},
    }
    return Result(values, "\n".join([*lines, goes_on]), STOPPED if meter.stop.is_set() else DONE)
