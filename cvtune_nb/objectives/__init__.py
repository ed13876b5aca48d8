"""What counts: the objective that everything is chosen by, from the SVM's C to the best run."""

from typing import TYPE_CHECKING

from cvtune_nb.lazy_imports import lazily

if TYPE_CHECKING:
    from cvtune_nb.objectives.counted import ACCURACY as ACCURACY
    from cvtune_nb.objectives.counted import Counted as Counted
    from cvtune_nb.objectives.forms import FORMS as FORMS
    from cvtune_nb.objectives.forms import USUAL as USUAL
    from cvtune_nb.objectives.forms import checked as checked
    from cvtune_nb.objectives.kinds import Costs as Costs
    from cvtune_nb.objectives.kinds import RecallAtPrecision as RecallAtPrecision
    from cvtune_nb.objectives.objective import Objective as Objective
    from cvtune_nb.objectives.objective import Score as Score
    from cvtune_nb.objectives.resampling import Statistic as Statistic
    from cvtune_nb.objectives.text import PLAIN as PLAIN
    from cvtune_nb.objectives.text import costs_in_words as costs_in_words
    from cvtune_nb.objectives.text import objective_of as objective_of
else:
    __all__, __getattr__ = lazily(__name__)
