"""What all panels have in common."""

import time

import pytest

from cvtune_nb.errors import InputError
from cvtune_nb.panels import (
    BaselinePanel,
)
from cvtune_nb.panels.panel import Panel
from cvtune_nb.widgets.job import NotReady
from tests.pressing import SMALL


class Slow(Panel):
    """A panel whose work goes on until it is stopped."""

    def work(self):
        def run(progress):
            while True:
                progress(0.5, "working <hard>")
                time.sleep(0.01)

        return run

    def paint(self, result):  # noqa: ARG002
        return ""


class Failing(Slow):
    def work(self):
        raise InputError("the folder <b> is empty: choose another")


def test_stop_ends_the_work_and_frees_the_button(workspace):
    panel = Slow(workspace)
    panel.go.click()
    assert panel.go.disabled
    assert not panel.end.disabled
    panel.end.click()
    assert panel.job.wait(10)
    assert not panel.go.disabled
    assert panel.end.disabled
    assert "Stopped" in panel.status.value


def test_a_cell_below_says_what_to_press(workspace):
    panel = Slow(workspace)
    with pytest.raises(NotReady, match="Press Run above first"):
        panel.result()
    panel.go.click()
    with pytest.raises(NotReady, match="still running"):
        panel.result()
    panel.end.click()
    assert panel.job.wait(10)


def test_running_the_cell_again_finds_the_running_panel(workspace):
    panel = Slow.of(workspace)
    panel.go.click()
    assert Slow.of(workspace) is panel
    panel.end.click()
    assert panel.job.wait(10)
    assert Slow.of(workspace) is panel


def test_new_values_make_a_new_panel(workspace):
    first = BaselinePanel.of(workspace, **SMALL)
    assert BaselinePanel.of(workspace, **SMALL) is first
    second = BaselinePanel.of(workspace, **SMALL, C=10)
    assert second is not first
    assert second.C.value == 10


def test_an_error_in_a_callback_reaches_the_page_escaped(workspace):
    panel = Failing(workspace)
    panel.go.click()
    assert 'role="alert"' in panel.alert.value
    assert "the folder &lt;b&gt; is empty" in panel.alert.value


def test_an_error_without_a_person_is_raised(workspace, monkeypatch):
    monkeypatch.setenv("CVTUNE_HEADLESS", "1")
    with pytest.raises(InputError):
        Failing(workspace).start(block=True)
