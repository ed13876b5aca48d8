"""Pieces of HTML: text is escaped, tables and pictures read well without eyes."""

from html import unescape

import pandas as pd

from cvtune_nb import plots
from cvtune_nb.errors import InputError
from cvtune_nb.widgets import html

ODD = '<b>x & "é"'
SAFE = "&lt;b&gt;x &amp; &quot;é&quot;"


def test_text_is_escaped_everywhere():
    table = html.table(pd.DataFrame({"label": [ODD]}), {"label": ODD}, ODD)
    for made in (
        table,
        html.card(ODD, ODD),
        html.alert(InputError(ODD)),
        html.alert(ValueError(ODD)),
        html.image(b"\xff\xd8", ODD),
        html.listed([ODD]).data,
        html.copyable([ODD]),
    ):
        assert "<b>x" not in made
        assert SAFE in made


def test_bad_input_is_one_sentence_and_anything_else_has_its_details_folded():
    assert "<details>" not in html.alert(InputError("the folder is empty: choose another"))
    try:
        raise KeyError("gone")
    except KeyError as error:
        box = html.alert(error)
    assert 'role="alert"' in box
    assert "<details>" in box
    assert "test_html.py" in box


def test_a_table_says_how_much_it_leaves_out():
    made = html.table(pd.DataFrame({"n": range(50)}), {"n": "number"}, most=10)
    assert made.count("<tr>") == 11
    assert "and 40 more" in made


def test_a_picture_has_alt_text_and_an_output_that_stays():
    picture = html.Picture()
    picture.draw(
        plots.training_curves(
            pd.DataFrame(
                {
                    "epoch": [1],
                    "train_accuracy": [1.0],
                    "validation_accuracy": [0.5],
                    "train_loss": [0.1],
                    "validation_loss": [0.2],
                }
            )
        ),
        f"curves of {ODD}",
    )
    assert f'alt="curves of {SAFE}"' in picture.value
    data, metadata = picture.output()._repr_mimebundle_()
    assert data["image/png"]
    assert metadata["image/png"]["needs_background"] == "light"


def test_shown_commands_hold_where_a_folder_has_a_space():
    made = unescape(html.uses("/my photos/export", ["use()"]).data)
    assert "<code>python '/my photos/export/predict.py' photo.jpg</code>" in made
    assert "<code>cvtune serve '/my photos/export'</code>" in made


def test_sizes_in_words():
    assert [html.size(count) for count in (812, 99_000, 250_000, 14_000_000, 1_290_000_000)] == [
        "0.8 kB",
        "99.0 kB",
        "0.2 MB",
        "14.0 MB",
        "1.3 GB",
    ]
