"""Requests -> photos, and not a byte more than is allowed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LARGEST_HEAD = 16_384
"""Bytes of the first line and the headers of a request."""
LINGER = 5.0
"""Seconds in which the rest of a refused request is read away (nginx's lingering_timeout)."""


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes
    ----------
    megabytes
        Of its body.
    photos
        In it.
    megapixels
        Of a photo, before it is decoded.
    seconds
        Until it is answered.
    waiting
        Requests that are worked on or wait at the same time.
    """

    megabytes: float = 20.0
    photos: int = 32
    megapixels: float = 50.0
    seconds: float = 30.0
    waiting: int = 128


class Refused(Exception):
    """A request that is not answered: status (4xx or 503) and one sentence.

    With `last`, nothing more is read from its connection.
    """

    def __init__(self, status: int, words: str, last: bool = False, **headers: str):
        super().__init__(words)
        self.status, self.words, self.last = status, words, last
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class SmallHeads:
    """The application, asked only by requests with a head of at most LARGEST_HEAD bytes.

    uvicorn's own limit does not see what arrives in one piece.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 431."""
        if scope["type"] == "http":
            lines = [(scope["raw_path"], scope["query_string"]), *scope["headers"]]
            if sum(len(name) + len(value) + 4 for name, value in lines) > LARGEST_HEAD:
                words = f"the headers have more than {LARGEST_HEAD} bytes: send fewer"
                await JSONResponse({"error": words}, 431)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class LastAnswer(Response):
    """An answer after which the connection is closed.

    Most clients listen only when all is sent, and hear nothing if the connection ends before: so the rest is read for
    LINGER seconds, and dropped.
    """

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer, read on, end."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b""})


def top_of(request: Request, usual: int, most: int) -> int:
    """How many labels of a photo, or photos like it, a request asks for (?top=).

    Parameters
    ----------
    request
        The request.
    usual
        How many where it does not say.
    most
        How many it may ask for.

    Raises
    ------
    Refused
        When that is no number from 1 to `most`.
    """
    given = request.query_params.get("top", str(usual))
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= max(usual, most)):
        raise Refused(400, f"top is {given[:20]!r}: give a number from 1 to {max(usual, most)}")
    return int(given)


async def photos_of(request: Request, limits: Limits) -> list[tuple[str, bytes]]:
    """The photos of a request, name and content. Raises Refused.

    A form with one or several files called `photos`, or one photo as the whole body.
    """
    kind = request.headers.get("content-type", "").lower()
    body = await _body(request, limits)
    if kind.startswith(("image/", "application/dicom", "application/octet-stream")):
        found = [("photo", body)]
    elif kind.startswith("multipart/form-data"):
        found = await _files(request, body, limits)
    else:
        raise Refused(415, "send photos as multipart/form-data, in fields called photos, or one photo as image/jpeg")
    if not found or not all(content for _, content in found):
        raise Refused(400, "there is no photo in this request: send at least one, in a field called photos")
    return found


async def _body(request: Request, limits: Limits) -> bytes:
    """The whole body, read only as far as it is allowed to go."""
    most = int(limits.megabytes * 1e6)
    words = f"a request may have {limits.megabytes:g} MB: send fewer or smaller photos"
    too_much = Refused(413, words, last=True)
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length[:18]) > most:
        raise too_much
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise too_much
    return bytes(body)


async def _files(request: Request, body: bytes, limits: Limits) -> list[tuple[str, bytes]]:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, once(), max_files=limits.photos, max_fields=8)
    parser.spool_max_size = len(body) + 1  # in memory: it is there already
    try:
        form = await parser.parse()
    except MultiPartException as error:
        many = "Too many files" in error.message
        words = f"a request may have {limits.photos} photos" if many else f"the form is damaged ({error.message})"
        raise Refused(413 if many else 400, f"{words}: send it anew") from None
    except (KeyError, ValueError, IndexError) as error:
        raise Refused(400, f"the form is damaged ({type(error).__name__}): send it anew") from None
    found = []
    for name, value in form.multi_items():
        if isinstance(value, str) or name != "photos":
            raise Refused(400, f"the field {name[:40]!r} is no photo: send files in fields called photos")
        found.append(((value.filename or "photo")[:255], value.file.read()))
    return found
