"""What a command shows in a terminal."""

import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cvtune_nb.console import Meter, duration, plain, table


def test_plain_values_are_json_without_nan():
    values = {
        "nan": float("nan"),
        "numpy": np.float32(0.5),
        "infinite": np.inf,
        "array": np.arange(2),
        "path": Path("a"),
        "frame": pd.DataFrame({"x": [1.0, float("nan")], "y": ["a", None]}),
        "missing": pd.NaT,
        3: (True, None),
    }
    assert json.loads(json.dumps(plain(values), allow_nan=False)) == {
        "nan": None,
        "numpy": 0.5,
        "infinite": None,
        "array": [0, 1],
        "path": "a",
        "frame": [{"x": 1.0, "y": "a"}, {"x": None, "y": None}],
        "missing": None,
        "3": [True, None],
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.1 s"),
        (0.44, "0.4 s"),
        (45.4, "45 s"),
        (90, "1.5 min"),
        (1440, "24 min"),
        (3600, "60 min"),
        (5400, "1.5 h"),
        (90_000, "25 h"),
    ],
)
def test_time_in_words(seconds, words):
    assert duration(seconds) == words


def test_a_table_never_steers_the_terminal():
    shown = table([{"name": "a\x1b[31m\nb", "share": 0.5}, {"name": "c", "share": float("nan")}], ["name", "share"])
    assert shown.splitlines() == ["name      share", "a [31m b    0.5", "c"]


def test_progress_is_one_line_on_a_terminal_and_rare_elsewhere(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, lines in ((Terminal(), 0), (io.StringIO(), 3)):
        monkeypatch.setattr(sys, "stderr", stream)
        clock = iter(range(0, 1000, 12))
        monkeypatch.setattr(time, "monotonic", lambda clock=clock: next(clock))
        meter = Meter()
        for share in (0.1, 0.2, 0.3):
            meter(share, "reading")
        assert stream.getvalue().count("\n") == lines
        assert " 30%  reading" in stream.getvalue()
        before = stream.getvalue()
        meter(float("nan"), "")
        assert stream.getvalue() == before
