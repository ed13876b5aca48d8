"""The web service of an exported model, asked over real connections."""

import http.client
import io
import itertools
import json
import re
import signal
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from cvtune_nb import cli
from tests.serving import BOUNDARY, MULTIPART, Running, form


@pytest.fixture(scope="module")
def server(classifier_export):
    running = Running(
        classifier_export.folder,
        "--max-megabytes",
        "1",
        "--max-photos",
        "4",
        "--max-megapixels",
        "2",
        "--max-seconds",
        "4",
    )
    yield running
    if running.process.poll() is None:
        running.end()


def test_photos_get_the_answers_of_the_command_line(server, classifier_export, exported_photos):
    chosen = exported_photos[:3]
    status, headers, value = server.ask(
        "POST", "/predict", form(*((path.name, path.read_bytes()) for path in chosen)), **MULTIPART
    )
    assert status == 200
    assert headers["content-type"] == "application/json"
    from cvtune_nb.export.predict import Model

    for row, expected in zip(value["predictions"], Model(classifier_export.folder).predict(chosen), strict=True):
        assert row["name"] == Path(expected["path"]).name
        assert (row["label"], row["sure"]) == (expected["label"], expected["sure"])
        assert row["probability"] == pytest.approx(expected["probability"], abs=1e-5)
        assert [label for label, _ in row["top"]] == [label for label, _ in expected["top"]]


def test_one_photo_may_be_the_whole_body(server, exported_photos):
    status, _, value = server.ask("POST", "/predict?top=2", exported_photos[0].read_bytes(), content_type="image/jpeg")
    assert status == 200
    assert len(value["predictions"][0]["top"]) == 2


def test_a_bad_photo_among_good_ones_gets_a_row_of_its_own(server, exported_photos):
    body = form(("good.jpg", exported_photos[0].read_bytes()), ("bad.jpg", b"<html>"))
    status, _, value = server.ask("POST", "/predict", body, **MULTIPART)
    good, bad = value["predictions"]
    assert status == 200
    assert good["label"]
    assert bad == {"name": "bad.jpg", "error": "not a photo: a web page"}


def test_labels_health_metrics_and_the_page(server, classifier_export):
    assert server.ask("GET", "/health")[::2] == (200, {"status": "ok"})
    assert server.ask("GET", "/labels")[2]["labels"] == ["circle", "square", "stripes"]
    status, headers, page = server.ask("GET", "/")
    assert status == 200
    assert "script-src 'self'" in headers["content-security-policy"]
    assert not re.search(r"https?://", page), "nothing comes from elsewhere"
    for name in re.findall(r'(?:src|href)="(page\.\w+)"', page):
        assert server.ask("GET", f"/{name}")[0] == 200
    status, headers, text = server.ask("GET", "/metrics")
    assert headers["content-type"].startswith("text/plain")
    assert float(re.search(r'cvtune_requests_total\{status="200"\} (\d+)', text)[1]) >= 5
    assert all(re.fullmatch(r"(# TYPE \w+ \w+|[\w{}=\",]+ [\d.e+-]+)", line) for line in text.splitlines()), text


def png_that_says(width, height):
    """A PNG whose header claims a size that it does not have."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 100)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb():
    """3 kB that would be 20,000 x 20,000 pixels."""
    content = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(content, "PNG")
    return content.getvalue()


TEXT = b'Content-Disposition: form-data; name="photos"'
BODIES = {
    "nothing": b"",
    "no boundary in it": b"hello",
    "cut off": form(("a.jpg", b"x" * 500))[:200],
    "no end": form(("a.jpg", b"x" * 500))[:-20],
    "a form without files": form().replace(b"--\r\n", b"\r\n") + TEXT + b"\r\n\r\nhello\r\n" + form(),
    "no name": f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nhello\r\n--{BOUNDARY}--\r\n".encode(),
    "another field": form(("a.jpg", b"x"), field="file"),
    "an empty file": form(("a.jpg", b"")),
    "too many photos": form(*(("a.jpg", b"x") for _ in range(5))),
    "no photo": form(("a.jpg", b"hello")),
    "a bomb": form(("a.png", bomb())),
    "a header that lies": form(("a.png", png_that_says(1400, 1400))),
    "a header of 4 gigapixels": form(("a.png", png_that_says(65_000, 65_000))),
    "half a photo": form(("a.jpg", Path(__file__).read_bytes()[:300])),
    "too many bytes": form(("a.jpg", b"x" * 1_100_000)),
    "binary names": form(("\udcff\x00".encode("utf-8", "surrogateescape").decode("latin-1"), b"x")),
    "headers without end": f"--{BOUNDARY}\r\n".encode() + b"A: b\r\n" * 5000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_malformed_form_is_refused_in_one_sentence(server, body):
    status, _, value = server.ask("POST", "/predict", body, **MULTIPART)
    assert 400 <= status < 500
    assert value["error"]
    assert server.ask("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("", 415),
        ("text/plain", 415),
        ("application/json", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("image/jpeg", 422),
        ("multipart/form-data; boundary=" + "x" * 300, 400),
    ],
)
def test_a_body_of_another_kind_is_refused(server, kind, status):
    found, _, value = server.ask("POST", "/predict", b"hello", content_type=kind)
    assert found == status
    assert value["error"]


@pytest.mark.parametrize("top", ["0", "-1", "x", "1e9", "9" * 50, "%00"])
def test_top_is_a_number(server, exported_photos, top):
    status, _, value = server.ask(
        "POST", f"/predict?top={top}", exported_photos[0].read_bytes(), content_type="image/jpeg"
    )
    assert status == 400
    assert value["error"].startswith("top is ")


RAW = {
    "huge header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    "huge address": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10 + b"\r\n\r\n",
    "two lengths": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length of letters": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "a bad chunk": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "a length that is a lie": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    b"Content-Length: 9999999999\r\n\r\nx",
}


@pytest.mark.parametrize("content", RAW.values(), ids=RAW.keys())
def test_bytes_that_are_no_request_are_refused(server, content):
    answer = server.raw(content)
    assert re.match(rb"HTTP/1\.1 4\d\d", answer), answer[:200]
    assert server.ask("GET", "/health")[0] == 200


def send_in_pieces(port, pieces):
    """What is answered to so many pieces of 64 kB, sent to the end before anything is heard."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plug:
        plug.sendall(head)
        for _ in pieces:
            plug.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        return plug.recv(65536)


def test_who_sends_too_much_hears_so_when_all_is_sent(server):
    assert send_in_pieces(server.port, range(200)).startswith(b"HTTP/1.1 413"), "13 MB, of which 1 is allowed"


def test_who_never_stops_sending_is_cut_off(server):
    start = time.monotonic()
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        send_in_pieces(server.port, itertools.count())
    assert time.monotonic() - start < 60, "after 5 seconds, on a quiet machine"
    assert server.ask("GET", "/health")[0] == 200


SLOW = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\nx"


def test_a_request_that_comes_too_slowly_is_given_up(server):
    start = time.monotonic()
    answer = server.raw(SLOW, wait=20)
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - start < 15


def test_unknown_addresses_and_methods(server):
    assert server.ask("GET", "/nothing")[0] == 404
    assert server.ask("GET", "/predict")[0] == 405
    assert server.ask("GET", "/../../etc/passwd")[0] == 404
    assert server.ask("GET", "/docs")[0] == 404, "its page would load programs from elsewhere"


def test_a_token_is_asked_for(classifier_export, exported_photos):
    running = Running(classifier_export.folder, "--token", "secret")
    try:
        body = exported_photos[0].read_bytes()
        for header in ({}, *({"authorization": given} for given in ("Bearer wrong", "secret", "Bearer é"))):
            status, headers, value = running.ask("POST", "/predict", body, content_type="image/jpeg", **header)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert "token" in value["error"]
        assert running.ask("GET", "/labels")[0] == running.ask("GET", "/metrics")[0] == 401
        assert running.ask("GET", "/health")[0] == running.ask("GET", "/")[0] == 200
        given = {"content_type": "image/jpeg", "authorization": "Bearer secret"}
        assert running.ask("POST", "/predict", body, **given)[0] == 200
    finally:
        status, words = running.end()
    assert (status, "secret" in words) == (0, False)


def test_the_end_loses_no_request_that_was_accepted(classifier_export, exported_photos):
    running = Running(classifier_export.folder)
    bodies = [path.read_bytes() for path in exported_photos[:8]]
    lost, answered, ended = [], Counter(), threading.Event()

    def load(number):
        connection = running.connection()
        while not ended.is_set():
            sent = False
            try:
                connection.request("POST", "/predict", bodies[number % 8], {"Content-Type": "image/jpeg"})
                sent = True
                answer = connection.getresponse()
                content = json.loads(answer.read())
                answered[answer.status] += 1
                assert answer.status == 200, content
                if answer.headers.get("connection") == "close":
                    connection.close()
                    connection = running.connection()
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException) as error:
                if sent or ended.is_set():
                    lost.append(repr(error))
                return

    with ThreadPoolExecutor(12) as pool:
        work = [pool.submit(load, number) for number in range(12)]
        time.sleep(1.5)
        before = sum(answered.values())
        running.process.send_signal(signal.SIGTERM)
        _, words = running.process.communicate(timeout=60)
        for one in work:
            one.result()
    ended.set()
    assert running.process.returncode == 0, words
    assert lost == []
    assert before > 5
    assert sum(answered.values()) >= before


def test_who_waits_too_long_or_comes_too_late_is_told(classifier_export, exported_photos):
    running = Running(classifier_export.folder, "--max-waiting", "1", "--max-seconds", "3")
    try:
        slow = socket.create_connection(("127.0.0.1", running.port))
        slow.sendall(SLOW)
        time.sleep(0.5)
        status, headers, value = running.ask(
            "POST", "/predict", exported_photos[0].read_bytes(), content_type="image/jpeg"
        )
        assert (status, headers["retry-after"]) == (503, "1")
        assert "try again" in value["error"]
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
        slow.close()
        assert running.ask("POST", "/predict", exported_photos[0].read_bytes(), content_type="image/jpeg")[0] == 200
    finally:
        assert running.end()[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "70000"], "--port is 70000"),
        (["--host", "256.1.1.1", "--port", "0"], "can't be served at"),
        (["--max-photos", "0"], "--max-photos is 0"),
        (["--variant", "int8"], "has no int8 variant"),
    ],
)
def test_what_can_not_be_served_is_said_in_one_sentence(classifier_export, capsys, options, words):
    assert cli.main(["serve", str(classifier_export.folder), *options]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", ["--max-photos", "--max-waiting"])
def test_a_number_of_photos_or_requests_is_whole(capsys, option):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["serve", "export", option, "1.5"])
    assert f"argument {option}: invalid int value: '1.5'" in capsys.readouterr().err


def test_a_port_in_use_and_a_folder_that_is_no_export(classifier_export, capsys, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert cli.main(["serve", str(classifier_export.folder), "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another --port" in capsys.readouterr().err
    assert cli.main(["serve", str(tmp_path)]) == 2
    assert "holds no model.onnx" in capsys.readouterr().err


def test_a_classifier_has_no_look_alikes(server, exported_photos):
    nothing = {"error": "there is nothing here: POST photos to /predict"}
    photo = exported_photos[0].read_bytes()
    status, _, value = server.ask("POST", "/similar", photo, content_type="image/jpeg")
    assert (status, value) == (404, nothing)
    status, _, value = server.ask("GET", "/thumbnails/0.jpg")
    assert (status, value) == (404, nothing)
