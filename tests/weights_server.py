"""A server of files on this machine that can break off, lie and ignore ranges, as the servers of weights may."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Site:
    """What is served, and how.

    Attributes
    ----------
    files
        Content by path.
    cut_after
        Bytes after which each of the next answers breaks off, one number an answer.
    ranges, lengths
        Whether ranges are served, and lengths told.
    moved
        Where paths are redirected to.
    asked, tokens
        Method, path and range of every request, and its authorization.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    lengths: bool = True
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    url: str = ""

    def gets(self, path: str = "") -> list[str]:
        """The ranges of all downloads, "" where it was all."""
        return [span for method, asked, span in self.asked if method == "GET" and asked.endswith(path)]


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *rest):
        self.site = site
        super().__init__(*rest)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        site, span = self.site, self.headers.get("Range", "")
        site.asked.append((self.command, self.path, span))
        site.tokens.append(self.headers.get("Authorization"))
        if self.path in site.moved:
            self.send_response(302)
            self.send_header("Location", site.moved[self.path])
            self.end_headers()
            return
        content = site.files.get(self.path)
        if content is None:
            if self.path != "/":
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = b"here"
        begin = int(re.fullmatch(r"bytes=(\d+)-", span)[1]) if span and site.ranges else 0
        if begin and begin >= len(content):
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if site.lengths:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if with_body:
            cut = site.cut_after.pop(0) if site.cut_after else len(content)
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content[begin : begin + cut])

    def log_message(self, *_: object) -> None:
        """Nothing: the tests read `asked`."""


@contextlib.contextmanager
def serving(**files: bytes) -> Iterator[Site]:
    """Serve files, each as /NAME; more can be added to the Site, whose `url` is where it is."""
    site = Site({f"/{name}": content for name, content in files.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, site))
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
