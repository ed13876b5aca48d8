"""The whole workbook in one call and within a time budget: audit, baseline, training, the ladder, export."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.pipeline.offer import Offer as Offer
    from cvtune_nb.pipeline.offer import offers as offers
    from cvtune_nb.pipeline.presets import PRESETS as PRESETS
    from cvtune_nb.pipeline.presets import USUAL as USUAL
    from cvtune_nb.pipeline.presets import Preset as Preset
    from cvtune_nb.pipeline.workbook import Workbook as Workbook
    from cvtune_nb.pipeline.workbook import escalation_values as escalation_values
    from cvtune_nb.pipeline.workbook import run_preset as run_preset
    from cvtune_nb.pipeline.workbook import run_values as run_values
    from cvtune_nb.pipeline.workbook import shortened as shortened
else:
    __all__, __getattr__ = lazily(__name__)
