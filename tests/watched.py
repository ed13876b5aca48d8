"""Fixtures for widgets and panels that behave as with a person; their conftest.py import them."""

import pytest

from cvtune_nb.widgets import debounce


@pytest.fixture(autouse=True)
def somebody_watches(monkeypatch):
    """Callbacks show their errors in the panel, as in JupyterLab; without it they would raise them. Predictions wait
    for the test to ask for them: beside it, and beside the next ones, they would take most of the time."""
    monkeypatch.setenv("CVTUNE_HEADLESS", "0")
    monkeypatch.setattr(debounce, "PAUSE", 3600)
    yield
    debounce.let_all_end()


@pytest.fixture
def at_rest(monkeypatch):
    """Controls come to rest at once, so that what waits for it is done."""
    monkeypatch.setattr(debounce, "PAUSE", 0.1)
