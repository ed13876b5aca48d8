"""`cvtune lab`."""

from cvtune_nb import cli


def test_lab_is_told_where_to_listen_and_where_the_copies_are(monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr("cvtune_nb.jupyter.launch.lab", lambda *folder, **named: told.append((folder, named)) or 0)
    assert cli.main(["lab", "--port", "8899", "--no-browser"]) == 0
    assert cli.main(["lab", str(tmp_path)]) == 0
    assert told == [
        ((None,), {"port": 8899, "open_browser": False}),
        ((tmp_path,), {"port": None, "open_browser": True}),
    ]
