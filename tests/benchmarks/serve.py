"""The web service beside a plain loop: python -m tests.benchmarks.serve --export FOLDER --photos FOLDER.

    loop       decode a photo and run the model, one after the other in one process, as a script would
    server     the same photos as requests, several at once, each on a kept connection
    malformed  requests that are damaged in seeded random ways: all must be refused with 4xx, and the server must live
    end        SIGTERM under load: no request that was accepted may go unanswered

One JSON line each. The loop runs before and after the server, and the ratio is to its faster run.
"""

import argparse
import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from tests.benchmarks.common import say

BOUNDARY = "frontier"


class Server:
    """`cvtune serve` in a process of its own."""

    def __init__(self, folder: Path):
        command = [sys.executable, "-m", "cvtune_nb", "serve", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+) ", self.process.stderr.readline())[1])

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def megabytes(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 1e6


def loop(folder: Path, photos: Path, requests: int) -> float:
    """Photos a second of decoding and running the model, one by one, in a process of its own."""
    code = (
        "import io, sys, time, json\n"
        "from cvtune_nb.export.predict import Model, photo\n"
        "model = Model(sys.argv[1]); files = [open(n, 'rb').read() for n in json.load(open(sys.argv[2]))]\n"
        "answer = lambda c: model.probabilities(photo.centre_square(io.BytesIO(c), model.short_side)[None])\n"
        "[answer(c) for c in files[:8]]; start = time.perf_counter()\n"
        f"[answer(files[i % len(files)]) for i in range({requests})]\n"
        f"print({requests} / (time.perf_counter() - start))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(photos)], capture_output=True, text=True)
    return float(done.stdout)


def ask(server: Server, bodies: list[bytes], requests: int, at_once: int) -> tuple[list[float], Counter]:
    """Seconds of each request and how often each status came, over `at_once` kept connections."""
    numbers, times, found = iter(range(requests)), [], Counter()
    lock = threading.Lock()

    def client() -> None:
        connection = server.connection()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            start = time.perf_counter()
            connection.request("POST", "/predict", bodies[number % len(bodies)], {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - start)
            found[answer.status] += 1

    with ThreadPoolExecutor(at_once) as pool:
        for work in [pool.submit(client) for _ in range(at_once)]:
            work.result()
    return times, found


def damaged(random: np.random.Generator, photo: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request that is wrong in one of many ways."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'.encode()
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    whole = head + photo + end
    noise = random.integers(0, 256, int(random.integers(1, 3000)), dtype=np.uint8).tobytes()
    form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    kinds = [
        (form, whole[: int(random.integers(1, len(head)))]),  # cut in its head
        (form, head + photo[: int(random.integers(1, 600))] + end),  # half a photo
        (form, head + noise + end),  # no photo
        (form, noise),
        (form, whole.replace(b'name="photos"', b'name="x"')),
        (form, head + end),  # an empty file
        (form, (head + b"x") * 40 + end),  # too many
        ({"Content-Type": "application/json"}, photo),
        ({"Content-Type": "multipart/form-data"}, whole),
        ({"Content-Type": "image/png"}, noise),
        ({"Content-Type": "image/jpeg", "X": "y" * 40_000}, photo),  # a huge header
        ({"Content-Type": "image/png"}, b"\x89PNG\r\n\x1a\n" + noise),
        ({"Content-Type": "image/jpeg"}, b"\xff\xd8" + noise),
        ({"Content-Type": "image/jpeg"}, b"x" * 21_000_000),  # too large
    ]
    return kinds[int(random.integers(len(kinds)))]


def malformed(server: Server, photo: bytes, count: int) -> Counter:
    """How often each status came for damaged requests; "none" where the connection broke without an answer."""
    found: Counter = Counter()
    for number in range(count):
        headers, body = damaged(np.random.default_rng(number), photo)
        connection = server.connection()
        with contextlib.suppress(OSError):  # it was refused before all was sent; the answer is there
            connection.request("POST", "/predict", body, headers)
        try:
            found[connection.getresponse().status] += 1
        except (OSError, http.client.HTTPException):
            found["none"] += 1
        connection.close()
    return found


def end(folder: Path, bodies: list[bytes], at_once: int) -> dict[str, int]:
    """How many requests were answered and how many lost when SIGTERM comes under load."""
    server, answered, lost = Server(folder), Counter(), []

    def client(number: int) -> None:
        connection = server.connection()
        while True:
            try:
                connection.request("POST", "/predict", bodies[number % len(bodies)], {"Content-Type": "image/jpeg"})
                answer = connection.getresponse()
                answer.read()
                answered[answer.status] += 1
                if answer.headers.get("connection") == "close":
                    connection.close()
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException) as error:
                lost.append(repr(error))
                return

    with ThreadPoolExecutor(at_once) as pool:
        work = [pool.submit(client, number) for number in range(at_once)]
        time.sleep(3)
        server.process.send_signal(signal.SIGTERM)
        [one.result() for one in work]
    status = server.process.wait(60)
    other = sum(answered.values()) - answered[200]
    return {"answered": answered[200], "other": other, "lost": len(lost), "exit": status}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=32)
    arguments = parser.parse_args()
    files = sorted(arguments.photos.rglob("*.jpg"))[:500]
    names = arguments.export.parent / "serve-photos.json"
    names.write_text(json.dumps([str(file) for file in files]))
    bodies = [file.read_bytes() for file in files]
    before = loop(arguments.export, names, arguments.requests)
    server = Server(arguments.export)
    ask(server, bodies, 100, arguments.at_once)
    memory = [server.megabytes()]
    best = 0.0
    for _ in range(2):
        start = time.perf_counter()
        found, statuses = ask(server, bodies, arguments.requests, arguments.at_once)
        speed = arguments.requests / (time.perf_counter() - start)
        memory.append(server.megabytes())
        best = max(best, speed)
        p50, p95, p99 = 1000 * np.quantile(found, [0.5, 0.95, 0.99])
        say(
            row="server",
            requests=arguments.requests,
            at_once=arguments.at_once,
            per_second=speed,
            errors=arguments.requests - statuses[200],
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            megabytes=memory[-1],
        )
    found = malformed(server, bodies[0], 200)
    alive = ask(server, bodies, 20, 2)[1]
    say(
        row="malformed",
        requests=200,
        **{str(status): count for status, count in sorted(found.items(), key=str)},
        refused=sum(n for status, n in found.items() if status != "none" and 400 <= status < 500),
        answers_after=alive[200],
        megabytes=server.megabytes(),
    )
    server.process.terminate()
    server.process.wait(60)
    after = loop(arguments.export, names, arguments.requests)
    say(row="loop", before=before, after=after, ratio=best / max(before, after), memory_growth=memory[-1] - memory[0])
    for _ in range(5):
        say(row="end", **end(arguments.export, bodies, arguments.at_once))


if __name__ == "__main__":
    main()
