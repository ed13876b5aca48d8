"""`cvtune lab`."""

from cvtune_nb import cli


def test_lab_is_told_where_to_listen(monkeypatch):
    told = {}
    monkeypatch.setattr("cvtune_nb.jupyter.launch.lab", lambda **named: told.update(named) or 0)
    assert cli.main(["lab", "--port", "8899", "--no-browser"]) == 0
    assert told == {"port": 8899, "open_browser": False}
