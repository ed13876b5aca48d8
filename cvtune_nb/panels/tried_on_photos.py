"""What the comparisons of notebook 02 have in common that try something with the network chosen, on some photos."""

import ipywidgets as w

from cvtune_nb.classification.choice import start_with
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.console import duration
from cvtune_nb.errors import InputError
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets import html
from cvtune_nb.widgets.debounce import Soon, Still
from cvtune_nb.widgets.layout import look, small_print
from cvtune_nb.workspace import Workspace


class TriedOnPhotosPanel(Panel):
    """How many photos, and the time that they will take. A subclass says what that is, and calls `predict_soon` once.

    Attributes
    ----------
    unattended
        Whether to compare where nobody can press the button.
    """

    def __init__(self, workspace: Workspace, photos: int, unattended: bool):
        """The panel.

        Parameters
        ----------
        photos
            To compare on, at most.
        unattended
            Whether to compare where nobody can press the button.
        """
        super().__init__(workspace)
        self.unattended = unattended
        self.photos = w.BoundedIntText(value=photos, min=8, max=100_000, description="Photos", **look())
        self.price, self.chosen = small_print(), w.HTML()
        self._soon = Soon(self.predict)
        self.photos.observe(lambda _: self.predict_soon(), "value")

    def seconds(self, spec: FeatureSpec, photos: int) -> float:
        """What a comparison takes; raises InputError where there are too few photos."""
        raise NotImplementedError

    def predict_soon(self) -> None:
        """Predict, once the controls have come to rest."""
        if self.attended:
            self.price.value = html.status("Estimating the time ...")
            self._soon()

    def predict(self, still: Still = lambda: True) -> None:
        """Write down how long it will take."""
        spec = start_with(self.workspace)
        try:
            seconds = self.seconds(spec, self.photos.value)
        except (InputError, OSError, ValueError) as error:
            words = html.text(str(error))
        else:
            network = f"{spec.backbone} at {spec.image_size} pixels"
            words = f"With {html.text(network)}: about <b>{duration(seconds)}</b> at most."
        if still():
            self.price.value = html.status(words)

    def unstarted(self) -> bool:
        """Where nobody is there, only if that is wanted, and there are photos enough."""
        if self.attended or not super().unstarted():
            return super().unstarted()
        try:
            self.seconds(start_with(self.workspace), self.photos.value)
        except InputError as error:  # the baseline below can be made all the same
            self.show_error(error)
            return False
        return self.unattended
