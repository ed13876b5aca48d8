"""What there is to know of a pretrained network by its name; families.py has the table.

Loading one is in networks.py: a table needs no torch, which takes seconds to import.
"""

import difflib
import fnmatch
import re
from typing import Any

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.files import Progress, path_and_digest, silent
from cvtune_nb.models import downloads
from cvtune_nb.models.downloads import Download
from cvtune_nb.models.families import FAMILIES, GROUPS, KNOWN, LICENCES, LIGHT, Family, Licence
from cvtune_nb.models.sources.source import INSTALLED, described, out_of_reach

RANDOM = ":random"
"""Suffix of a backbone's name that asks for random weights, for example resnet18:random (speed tests only)."""


def family_of(name: str) -> Family:
    """The family of the backbone called `name`: the row that lists it, else the one that has its architecture."""
    plain = name.removesuffix(RANDOM)
    listed = (family for family in FAMILIES.values() if plain in [entry.name for entry in family.networks])
    return next(listed, None) or _family_by_architecture(plain)


def _family_by_architecture(name: str) -> Family:
    """The first family that has timm's network of that name by the module that defines it."""
    import timm
    from timm.models import model_entrypoint

    if timm.is_model(name):
        defined = f"{model_entrypoint(name).__module__.rpartition('.')[2]}.{name}"
        for family in FAMILIES.values():
            if any(fnmatch.fnmatchcase(defined, pattern) for pattern in family.modules):
                return family
    return FAMILIES["timm"]


LARGE = re.compile(r"_(b\d*|m\d+|base|large|x+large|huge|giant\w*|gigantic|enormous|(so|intern)\d+m\d?|\d+b)(_|\.|$)")
"""What the names of networks of base size and larger contain."""


def recipe(name: str) -> dict[str, Any]:
    """The parameters recommended for fine-tuning the backbone called `name`, where they are not the defaults.

    Those of its family: a network that no row lists belongs to the one that has its architecture.
    """
    family = family_of(name)
    return {**family.recipe, **(family.recipe_large if LARGE.search(name.removesuffix(RANDOM)) else {})}


def require_known(name: str) -> None:
    """Raises InputError, with names that are like it, when neither KNOWN nor timm has a network called `name`."""
    if name in KNOWN:
        return
    import timm

    if not timm.is_model(name):
        like = difflib.get_close_matches(name, KNOWN, len(KNOWN), 0.5)
        listed = [known for known, entry in KNOWN.items() if (known in like if like else entry.group == LIGHT)]
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:4])
        raise InputError(
            f"there is no backbone called {name!r}: choose {', '.join(listed)} or another name that timm knows"
            + (f" ({close} ...)" if close else "")
        )
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        plain = name.partition(".")[0]
        tags = ", ".join(timm.list_models(f"{plain}.*", pretrained=True)[:4]) or plain
        raise InputError(f"timm has no weights called {name!r}: choose {tags}") from None


def on_disk(name: str) -> bool:
    """Whether the weights of a network can be loaded without a network connection."""
    return family_of(name).source.on_disk(name)


def within_reach(name: str) -> bool:
    """Whether the weights of a network are on disk or could be fetched now (asked for 3 seconds)."""
    return family_of(name).source.within_reach(name)


def availability(name: str) -> str:
    """Whether the weights of a network are at hand, in words for a menu (Source.availability)."""
    return family_of(name).source.availability(name.removesuffix(RANDOM), megabytes(name))


def megabytes(name: str) -> float:
    """How much there is to download for a network, about: what the catalogue says, else four bytes a parameter."""
    plain = name.removesuffix(RANDOM)
    return KNOWN[plain].download_mb if plain in KNOWN else family_of(plain).source.megabytes(plain)


def download(name: str, weights: str = "") -> Download | None:
    """What fetching the weights of a network is expected to take; None where there is nothing to fetch.

    weights: a person's own file. Raises InputError where they can't be fetched now.
    """
    if weights or name.endswith(RANDOM):
        return None
    require_known(name)
    source = family_of(name).source
    if not source.within_reach(name):
        raise out_of_reach(name, source)
    return None if source.on_disk(name) else downloads.expected(megabytes(name))


def fetch(name: str, progress: Progress = silent) -> str:
    """Have the weights of a network on disk; gives in words exactly which they are, "" for random ones.

    progress: called while they are fetched; Stopped, raised in it, keeps what has come. Raises InputError where they
    can't be had.
    """
    if name.endswith(RANDOM):
        return ""
    return described(family_of(name).source.fetched(name, progress))


def licence(name: str) -> Licence:
    """The licence of the weights of the backbone called `name`, as its family or timm states it."""
    plain = name.removesuffix(RANDOM)
    stated = family_of(plain).licence if plain in KNOWN else ""
    if not stated:
        import timm

        config = timm.get_pretrained_cfg(plain)
        stated = (config and config.license) or ""
    unknown = Licence(stated or "not stated", "not known here, look it up where they come from")
    return LICENCES.get(stated, unknown)


def terms(name: str, weights: str = "") -> str:
    """Whose weights training with the backbone called `name` starts from, and on what terms they are given.

    weights: the file of a person's own.
    """
    if weights:
        path, digest = path_and_digest(weights)
        return f"weights of {name} from {path.name} (sha256 {digest}), as given by whoever trained it"
    if name.endswith(RANDOM):
        return "random weights"
    if stated := family_of(name).weights:
        return stated
    given = licence(name)
    return f"timm's weights of {name} (licence: {given.name}; commercial use: {given.commercial})"


def table() -> pd.DataFrame:
    """The networks offered in menus, the light ones first, with what is known of them without loading one.

    name,family,group,features,image_size,parameters,gmacs,download_mb,licence,commercial,imagenet (see families.Entry),
    weights ("on disk", or else why not, in words: `availability`).
    """
    rows = [
        {
            "name": entry.name,
            "family": family.name,
            "group": entry.group,
            "features": entry.width,
            "image_size": entry.image_size,
            "parameters": entry.parameters,
            "gmacs": entry.gmacs,
            "download_mb": entry.download_mb,
            "licence": licence(entry.name).name,
            "commercial": licence(entry.name).commercial,
            "imagenet": entry.imagenet,
            "weights": availability(entry.name),
        }
        for family in FAMILIES.values()
        for entry in family.networks
    ]
    return pd.DataFrame(sorted(rows, key=lambda row: GROUPS.index(row["group"])))


def file_name(name: str) -> str:
    """The backbone's name as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", name)


def default() -> tuple[str, str]:
    """The backbone to start with and why, in words.

    Of two that are small, the one that is better on ImageNet and 2.6 times as fast: docs/measurements.md, "Ways to
    compute features".
    """
    own, other = (KNOWN[name].imagenet for name in (INSTALLED, "resnet18"))
    return INSTALLED, (
        f"{INSTALLED}: its weights are installed with cvtune, and it is faster and better than resnet18, which "
        f"the 2018 method started with ({own:.1%} against {other:.1%} on ImageNet)"
    )
