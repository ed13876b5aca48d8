"""Nothing but our own lines reaches the terminal."""

import logging
import os
import re
import subprocess
import sys
import warnings

import pytest

import cvtune_nb
from cvtune_nb.quiet import quiet
from tests.photos import make_photos

PREDICT = f"{cvtune_nb.__path__[0]}/export/predict.py"
OURS = re.compile(r" *\d+%  .+|photos: .+; workspace: .+|")


def test_warnings_and_loggers_are_silent_within_it_only(recwarn, caplog):
    with quiet("some.library"):
        warnings.warn("deprecated", stacklevel=1)
        logging.getLogger("some.library.inside").warning("advice")
        logging.getLogger("some.library").error("wrong")
    warnings.warn("heard", stacklevel=1)
    logging.getLogger("some.library").warning("heard")
    assert [str(warning.message) for warning in recwarn] == ["heard"]
    assert [record.message for record in caplog.records] == ["wrong", "heard"]


@pytest.mark.parametrize("program", ["import cvtune_nb, onnxruntime", "import runpy; runpy.run_path({predict!r})"])
def test_nothing_is_reported_to_the_maker_of_a_library(program, tmp_path):
    """A file with the number of its session would lie in the temporary folder."""
    silenced = ("ORT_DISABLE_TELEMETRY", "CI")
    environment = {name: value for name, value in os.environ.items() if name not in silenced}
    told = [sys.executable, "-c", program.format(predict=PREDICT)]
    subprocess.run(told, check=True, env=environment | {"TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_levels_come_back_after_an_error():
    with pytest.raises(ValueError, match="inside"), quiet("some.library"):
        raise ValueError("inside")
    assert logging.getLogger("some.library").level == logging.NOTSET


def test_only_our_own_lines_are_printed(tmp_path):
    """The commands that bring most libraries, each in a process of its own, as a person starts them."""
    photos = make_photos(tmp_path / "photos", per_class=6)
    where = ["--data", str(photos), "--workspace", str(tmp_path / "work")]
    for command in (
        ["run", *where, "--backbone", "test_vit3:random", "--image-size", "96", "--epochs", "1", "--budget", "5m"],
        ["export", *where, "--run", "svm"],
    ):
        done = subprocess.run([sys.executable, "-m", "cvtune_nb", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if not OURS.fullmatch(line)] == []
