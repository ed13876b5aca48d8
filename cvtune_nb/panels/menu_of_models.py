"""A menu of the classifiers that there are, for panels that measure one of them."""

import ipywidgets as w

from cvtune_nb.classification.combining.combination import is_combination
from cvtune_nb.classification.exportable import choices
from cvtune_nb.workspace import Workspace


def offer(menu: w.Dropdown, workspace: Workspace, wanted: str = "", combinations: bool = True) -> bool:
    """Offer the classifiers of today's photos, the best on validation first; returns whether there is any.

    Parameters
    ----------
    menu
        The menu; what is chosen in it stays while it is there.
    workspace
        Whose classifiers they are.
    wanted
        The one to choose; "": as it is, else the first.
    combinations
        Whether combinations are offered, too.
    """
    known = choices(workspace)
    known = known[combinations | ~known["run"].map(is_combination)]
    names, chosen = known.loc[known["data"] == "", "run"].tolist(), wanted or menu.value
    if list(menu.options) != names:
        menu.options = names
    menu.value = chosen if chosen in names else next(iter(names), None)
    return bool(names)
