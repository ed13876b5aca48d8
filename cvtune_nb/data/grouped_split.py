"""The split of photos that belong together, and what becomes of a frozen one when other photos do."""

import pandas as pd

from cvtune_nb.data.groups import Grouping, joined
from cvtune_nb.data.layout import photos_in_words
from cvtune_nb.data.split import assign_splits
from cvtune_nb.errors import InputError
from cvtune_nb.workspace import Workspace


def grouped_split(
    table: pd.DataFrame, grouping: Grouping, seed: int, frozen: pd.Series, draw_validation: bool
) -> dict[str, pd.Series]:
    """copies, group and split of every photo, no group on both sides of a split that is drawn here.

    Photos that only look the same are kept together unless that would leave a class without training or validation
    photos.

    Parameters
    ----------
    table
        path, label, sha256, copies, split ("" where none is given).
    grouping
        Of these photos.
    seed, frozen, draw_validation
        As assign_splits takes them.

    Raises
    ------
    InputError
        A class can't be divided.
    """

    def attempt(copies: pd.Series) -> dict[str, pd.Series]:
        group = pd.Series(joined(copies, grouping.photos["name"]), index=table.index, dtype=str)
        split = assign_splits(table.assign(group=group), seed, frozen, draw_validation)
        return {"copies": copies, "group": group, "split": split}

    try:
        return attempt(table["copies"])
    except InputError:
        return attempt(table["sha256"].str[:16])


def require_asked(space: Workspace, table: pd.DataFrame, frozen: pd.Series, grouping: Grouping) -> None:
    """Raises InputError where a new rule divides a frozen split: drawing it anew is for the person to ask for.

    Parameters
    ----------
    space, table
        Whose photos they are: path, copies, split (as given, "" where none is).
    frozen
        The split of each that was drawn before, "" for new photos.
    grouping
        By the rule.
    """
    groups = pd.Series(joined(table["copies"], grouping.photos["name"]), index=table.index, dtype=str)
    known = frozen[(frozen != "") & (grouping.photos["name"] != "").to_numpy()]
    drawn_here = table.loc[known.index, "split"] != known
    sides = known.groupby(groups).nunique()[known[drawn_here].groupby(groups).size().index]
    names = sides[sides > 1].index
    if not len(names):
        return
    apart = known[groups[known.index] == names[0]].drop_duplicates()
    example = " and ".join(f"{table['path'][row]} ({split})" for row, split in apart.items())
    costs = "".join(f"; {cost}" for cost in redraw_costs(space))
    raise InputError(
        f"--group-by {grouping.rule} puts photos together that are in different splits of this workspace, in "
        f"{len(names):,} group{'s' * (len(names) > 1)}, for example {example}: its split is frozen; have it drawn anew "
        f"with --redraw-split (in notebook 00: Draw the split anew{costs}), or choose "
        "another folder with --workspace"
    )


def redraw_costs(space: Workspace) -> list[str]:
    """What drawing the split of a workspace anew costs, in words; empty where nothing was done with it yet."""
    opened, runs = space.test_openings(), len(list(space.runs.glob("*")))
    costs = [f"{runs:,} run{'s are' if runs > 1 else ' is'} of earlier data then"] * (runs > 0)
    return costs + [f"photos of the test set, which was opened {times(opened)}, go into training"] * (opened > 0)


def divided(grouping: Grouping, drawn: dict[str, pd.Series]) -> str:
    """That the split that the data came with divides groups, in words to follow others; "" where it does not.

    drawn: what grouped_split gives.
    """
    groups = drawn["group"][(grouping.photos["name"] != "").to_numpy()]
    sides = drawn["split"][groups.index].groupby(groups).nunique()
    names = sides[sides > 1].index
    if not len(names):
        return ""
    example = grouping.photos["path"].to_numpy()[(drawn["group"] == names[0]).to_numpy()][0]
    return (
        f"; the split that the photos came with divides {len(names):,} of these groups, for example that of {example}, "
        "and is left as it is: accuracies on it are too high"
    )


def split_changed(space: Workspace, sha256: pd.Series, before: pd.Series, after: pd.Series, redrawn: bool) -> str:
    """How many known photos have just changed their split, and what that means; "" where none has.

    Parameters
    ----------
    space
        Whose photos they are.
    sha256, before, after
        Of each photo; before is "" for a new one.
    redrawn
        Whether the person asked for it.
    """
    moved = sha256[(before != "") & (before != after)].nunique()
    if not moved:
        return "the split was drawn anew, and is as it was" if redrawn and (before != "").any() else ""
    why = "it was drawn anew" if redrawn else "groups or copies have grown together"
    words = f"{photos_in_words(moved)} changed the split, because {why}: runs made before are of earlier data"
    if redrawn and (opened := space.test_openings()):
        words += f"; the test set was opened {times(opened)} before, and photos of it may be trained on from now on"
    return words


def times(count: int) -> str:
    """once, 2 times."""
    return "once" if count == 1 else f"{count:,} times"
