from cvtune_nb.models import downloads


def test_a_server_is_asked_once_a_minute(monkeypatch):
    asked, clock = [], [0.0]

    def refuses(request, timeout):
        asked.append(request.full_url)
        raise OSError

    monkeypatch.setattr(downloads.urllib.request, "urlopen", refuses)
    monkeypatch.setattr(downloads.time, "monotonic", lambda: clock[0])
    nobody = "http://127.0.0.1:9/asked-once-a-minute"
    assert not downloads.answers(nobody)
    assert not downloads.answers(nobody)
    assert asked == [nobody]
    clock[0] = 61.0
    assert not downloads.answers(nobody)
    assert asked == [nobody] * 2
