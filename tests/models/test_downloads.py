"""Downloads: size, progress, Stop, resume, checksum; against a server on this machine."""

import hashlib
import math
import re
import threading

import pytest

from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.models import downloads
from cvtune_nb.models.downloads import Broken, Download, Remote, expected, fetch, last_answer
from tests.weights_server import serving

CONTENT = bytes(range(251)) * 12_000
"""3 MB."""
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site(torch_home, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    with serving(weights=CONTENT) as site:
        yield site


@pytest.fixture
def remote(site, torch_home):
    return Remote(f"{site.url}/weights", torch_home / "net" / "weights.pth", SHA256[:8])


class Watch:
    """A Progress that can be stopped after so many megabytes."""

    def __init__(self, stop_at: float = math.inf):
        self.stop_at, self.told = stop_at, []

    def __call__(self, share, words):
        self.told.append((share, words))
        if (found := re.search(r": ([\d.]+) of", words)) and float(found[1]) >= self.stop_at:
            raise Stopped


def test_a_file_comes_with_its_size_and_progress(site, remote):
    watch = Watch()
    fetch(remote, "net", watch)
    assert remote.file.read_bytes() == CONTENT
    assert watch.told[-1] == (1.0, "downloading the weights of net: 3 of 3 MB")
    shares = [share for share, _ in watch.told]
    assert shares == sorted(shares) and len(shares) > 40
    assert site.gets() == [""]
    fetch(remote, "net", watch)
    assert site.gets() == [""], "what is there is not fetched again"


def test_stop_keeps_what_has_come_and_the_next_time_goes_on_from_there(site, remote):
    with pytest.raises(Stopped):
        fetch(remote, "net", Watch(stop_at=2))
    partial = remote.file.with_name("weights.pth.part")
    assert not remote.file.exists() and 1_500_000 <= partial.stat().st_size < len(CONTENT)
    begun = partial.stat().st_size
    watch = Watch()
    fetch(remote, "net", watch)
    assert site.gets()[1:] == [f"bytes={begun}-"]
    assert remote.file.read_bytes() == CONTENT and watch.told[0][0] > 0.5
    assert not partial.exists()


def test_a_connection_that_breaks_off_is_taken_up_again(site, remote):
    site.cut_after, watch = [1_000_000, 1_000_000], Watch()
    fetch(remote, "net", watch)
    broke = [share for share, words in watch.told if "the connection broke" in words]
    assert broke == pytest.approx([1e6 / len(CONTENT), 2e6 / len(CONTENT)])
    assert remote.file.read_bytes() == CONTENT
    assert site.gets() == ["", "bytes=1000000-", "bytes=2000000-"]


def test_one_that_breaks_off_again_and_again_is_given_up_and_kept(site, remote):
    site.cut_after = [1_000_000, *[0] * 20]
    with pytest.raises(Broken, match="1 MB have come and are kept for the next try"):
        fetch(remote, "net", Watch())
    site.cut_after = []
    fetch(remote, "net", Watch())
    assert remote.file.read_bytes() == CONTENT and site.gets()[-1] == "bytes=1000000-"


def test_a_server_without_ranges_sends_it_all_again(site, remote):
    site.ranges, site.cut_after = False, [1_000_000]
    fetch(remote, "net", Watch())
    assert remote.file.read_bytes() == CONTENT


def test_without_a_length_the_progress_says_how_much_has_come(site, remote):
    site.lengths = False
    watch = Watch()
    fetch(remote, "net", watch)
    assert remote.file.read_bytes() == CONTENT
    assert watch.told[-1] == (0.0, "downloading the weights of net: 3 MB")


@pytest.mark.parametrize("lengths", [True, False])
def test_what_is_not_what_was_announced_is_deleted(site, remote, lengths):
    site.lengths, site.files["/weights"] = lengths, CONTENT[:-1]
    with pytest.raises(InputError, match=r"net from 127\.0\.0\.1 arrived damaged \(its SHA-256 differs"):
        fetch(remote, "net", Watch())
    assert [file.name for file in remote.file.parent.iterdir() if not file.name.endswith(".lock")] == []
    site.files["/weights"] = CONTENT
    fetch(remote, "net", Watch())
    assert remote.file.read_bytes() == CONTENT


def test_parts_of_two_files_are_never_put_together(site, remote):
    """The beginning of another file, as long as this one or longer, ends in the right file all the same."""
    partial = remote.file.with_name("weights.pth.part")
    for other in (b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)):
        partial.parent.mkdir(exist_ok=True)
        partial.write_bytes(other)
        remote.file.unlink(missing_ok=True)
        fetch(
            Remote(remote.url, remote.file, SHA256, len(CONTENT)) if len(other) > len(CONTENT) else remote,
            "net",
            Watch(),
        )
        assert remote.file.read_bytes() == CONTENT


def test_without_a_checksum_nothing_is_resumed(site, remote):
    partial = remote.file.with_name("weights.pth.part")
    partial.parent.mkdir()
    partial.write_bytes(b"of another version")
    fetch(Remote(remote.url, remote.file), "net", Watch())
    assert remote.file.read_bytes() == CONTENT and site.gets() == [""]


def test_a_file_that_is_not_there_is_not_asked_for_again(site, remote):
    with pytest.raises(OSError, match="404"):
        fetch(Remote(f"{site.url}/other", remote.file), "net", Watch())
    assert len(site.gets()) == 1


def test_a_token_does_not_follow_to_another_server(site, remote):
    with serving() as hub:
        hub.moved["/weights"] = remote.url
        token = {"Authorization": "Bearer secret"}
        fetch(Remote(f"{hub.url}/weights", remote.file, SHA256, headers=token), "net", Watch())
        assert hub.tokens == ["Bearer secret"] and site.tokens == [None]
    assert remote.file.read_bytes() == CONTENT


def test_the_next_estimate_is_by_the_speed_of_the_last_download(site, remote):
    assert expected(110) == Download(110, 22, measured=False)
    assert expected(1100).words.startswith("1100 MB to download in about 3.7 min (")
    assert expected(110).words == "110 MB to download in about 22 s (5 MB/s, assumed until the first download)"
    fetch(remote, "net", Watch())
    assert expected(110).measured and expected(220).seconds == pytest.approx(2 * expected(110).seconds)
    assert expected(110).words.endswith("as measured last)")


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


def test_what_is_no_address_does_not_answer():
    assert not downloads.answers("hub.example") and not downloads.answers("http://127.0.0.1:none/")


def test_a_menu_does_not_wait_for_a_server_that_is_silent(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(downloads, "MOMENT", 0.01)
    monkeypatch.setattr(downloads, "answers", lambda url: answered.wait(10))
    silent = "http://127.0.0.1:9/silent"
    assert last_answer(silent) is None
    answered.set()
    for thread in threading.enumerate():
        if thread.name == "cvtune-asks":
            thread.join()
    assert last_answer(silent) is True
