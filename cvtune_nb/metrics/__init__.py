"""How good is it, and how sure can one be? Accuracies with intervals, confusion, paired comparisons."""

from cvtune_nb.metrics.chosen import Chosen as Chosen
from cvtune_nb.metrics.chosen import best_of as best_of
from cvtune_nb.metrics.comparison import CERTAIN as CERTAIN
from cvtune_nb.metrics.comparison import PROBABLE as PROBABLE
from cvtune_nb.metrics.comparison import Paired as Paired
from cvtune_nb.metrics.comparison import Verdict as Verdict
from cvtune_nb.metrics.comparison import paired as paired
from cvtune_nb.metrics.comparison import paired_groups as paired_groups
from cvtune_nb.metrics.confidence import BINS as BINS
from cvtune_nb.metrics.confidence import calibration_error as calibration_error
from cvtune_nb.metrics.confidence import coverage as coverage
from cvtune_nb.metrics.confidence import reliability as reliability
from cvtune_nb.metrics.intervals import Z95 as Z95
from cvtune_nb.metrics.intervals import Accuracy as Accuracy
from cvtune_nb.metrics.intervals import accuracy as accuracy
from cvtune_nb.metrics.intervals import alike as alike
from cvtune_nb.metrics.intervals import clustered as clustered
from cvtune_nb.metrics.intervals import confusion as confusion
from cvtune_nb.metrics.intervals import cross_validated as cross_validated
from cvtune_nb.metrics.intervals import effective as effective
from cvtune_nb.metrics.intervals import per_class as per_class
from cvtune_nb.metrics.intervals import rate as rate
from cvtune_nb.metrics.intervals import share as share
from cvtune_nb.metrics.overfitting import gap as gap
from cvtune_nb.metrics.overfitting import gap_in_words as gap_in_words
from cvtune_nb.metrics.overfitting import opened as opened
