"""A menu of the classifiers that there are, for panels that measure one of them."""

import ipywidgets as w

from cvtune_nb.classification.exportable import choices
from cvtune_nb.workspace import Workspace


def offer(menu: w.Dropdown, workspace: Workspace, wanted: str = "") -> bool:
    """Offer the runs on today's photos and the baseline, the best on validation first; returns whether there is any.

    Parameters
    ----------
    menu
        The menu; what is chosen in it stays while it is there.
    workspace
        Whose classifiers they are.
    wanted
        The one to choose; "": as it is, else the first.
    """
    known = choices(workspace)
    names, chosen = known.loc[known["data"] == "", "run"].tolist(), wanted or menu.value
    if list(menu.options) != names:
        menu.options = names
    menu.value = chosen if chosen in names else next(iter(names), None)
    return bool(names)
