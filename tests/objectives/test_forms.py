import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.objectives import PLAIN, checked
from cvtune_nb.objectives.forms import NAMES


def test_each_name_is_an_objective():
    assert tuple(PLAIN) == NAMES


@pytest.mark.parametrize("text", [*PLAIN, "recall:lemon@.9", "recall:recall@.5@1", "costs:lemon>lime=5,lime>lemon=.5"])
def test_a_form_is_checked_whatever_the_classes_are(text):
    assert checked(f" {text} ") == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "choose accuracy"),
        ("f1", "choose accuracy"),
        ("recall:lemon", "choose accuracy"),
        ("recall:lemon@0", "above 0 and at most 1"),
        ("recall:lemon@1.2", "above 0 and at most 1"),
        ("recall:lemon@1.2.3", "above 0 and at most 1"),
        ("costs:", "not of the form"),
        ("costs:lemon=5", "not of the form"),
        ("costs:lemon>lime=-5", "not of the form"),
        ("costs:lemon>lime=1.2.3", "is no number"),
        ("costs:lemon>lemon=5", "costs nothing"),
    ],
)
def test_what_is_no_objective(text, words):
    with pytest.raises(InputError, match=words):
        checked(text)
