from cvtune_nb.models import weights


def test_a_server_is_asked_once_a_minute(monkeypatch):
    asked, clock = [], [0.0]

    def refuses(request, timeout):
        asked.append(request.full_url)
        raise OSError

    monkeypatch.setattr(weights.urllib.request, "urlopen", refuses)
    monkeypatch.setattr(weights.time, "monotonic", lambda: clock[0])
    nobody = "http://127.0.0.1:9/asked-once-a-minute"
    assert not weights.answers(nobody)
    assert not weights.answers(nobody)
    assert asked == [nobody]
    clock[0] = 61.0
    assert not weights.answers(nobody)
    assert asked == [nobody] * 2
