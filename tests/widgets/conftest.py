"""Widgets that behave as with a person."""

import pytest

from cvtune_nb.widgets import debounce


@pytest.fixture(autouse=True)
def somebody_watches(monkeypatch):
    """Callbacks show their errors, as in JupyterLab; without it they would raise them."""
    monkeypatch.setenv("CVTUNE_HEADLESS", "0")
    monkeypatch.setattr(debounce, "PAUSE", 3600)
    yield
    debounce.let_all_end()


@pytest.fixture
def at_rest(monkeypatch):
    """Controls come to rest at once, so that what waits for it is done."""
    monkeypatch.setattr(debounce, "PAUSE", 0.1)
