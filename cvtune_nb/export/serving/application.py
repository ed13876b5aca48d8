"""The addresses of the service and what each answers."""

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from cvtune_nb.export.predict import Model
from cvtune_nb.export.serving.reading import LastAnswer, Limits, Refused, SmallHeads, photos_of, top_of
from cvtune_nb.export.serving.service import Service
from cvtune_nb.export.serving.thumbnails import Thumbnails

PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def application(model: Model, limits: Limits | None = None, token: str = "") -> FastAPI:
    """The web service of an exported model.

    Parameters
    ----------
    model
        What is served.
    limits
        What a request may cost.
    token
        All but the page and /health ask for it ("Authorization: Bearer TOKEN"); "": nothing does.
    """
    addresses = Addresses(Service(model, limits or Limits()), token)
    app = FastAPI(title="cvtune", docs_url=None, redoc_url=None, openapi_url=None, lifespan=addresses.lifespan)
    app.state.service = addresses.service
    app.add_api_route("/predict", addresses.predict, methods=["POST"])
    if model.SEARCHES:
        app.add_api_route("/similar", addresses.predict, methods=["POST"])
        app.add_api_route("/thumbnails/{number}.jpg", addresses.thumbnail)
    for path in ("/health", "/labels", "/metrics"):
        app.add_api_route(path, getattr(addresses, path[1:]))
    for path in PAGE:
        app.add_api_route(path, addresses.page)
    app.add_middleware(SmallHeads)
    app.add_exception_handler(Refused, addresses.refused)  # pyright: ignore[reportArgumentType] - of all exceptions
    app.add_exception_handler(HTTPException, addresses.unknown)  # pyright: ignore[reportArgumentType]
    return app


class Addresses:
    """What each address answers."""

    def __init__(self, service: Service, token: str):
        self.service, self.token = service, token
        self.thumbnails = Thumbnails(service.model.folder)
        self.pages = {path: Path(__file__).with_name(name).read_bytes() for path, (name, _) in PAGE.items()}

    @contextlib.asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """From start to end: the batches are worked on."""
        work = asyncio.create_task(self.service.work())
        yield
        work.cancel()
        self.service.close()

    async def predict(self, request: Request) -> Response:
        """POST /predict (of look-alikes also /similar): photos in, a row for each out."""
        self._require_token(request)
        service, start, model = self.service, time.perf_counter(), self.service.model
        top = top_of(request, model.TOP, model.most)
        if service.working >= service.limits.waiting:
            words = f"{service.working} requests are waiting already: try again in a moment"
            raise Refused(503, words, last=True, retry_after="1")
        service.working += 1
        photos = None
        try:
            async with asyncio.timeout(service.limits.seconds):
                photos = await photos_of(request, service.limits)
                rows = await service.predict(photos, top)
        except TimeoutError:
            late = f"not done within {service.limits.seconds:g} seconds"
            if photos is None:
                raise Refused(408, f"the request was {late}: send it faster", last=True) from None
            raise Refused(503, f"the answer was {late}: try again later", retry_after="5") from None
        finally:
            service.working -= 1
        service.seconds, service.answered = service.seconds + time.perf_counter() - start, service.answered + 1
        if all("error" in row for row in rows):
            return self._answer({"error": f"no photo could be used ({rows[0]['error']})", "predictions": rows}, 422)
        return self._answer({"predictions": rows})

    async def health(self) -> Response:
        """GET /health: 200 while requests are taken, 503 while it closes."""
        closing = self.service.closing
        return self._answer({"status": "closing" if closing else "ok"}, 503 if closing else 200)

    async def labels(self, request: Request) -> Response:
        """GET /labels: the model's labels."""
        self._require_token(request)
        return self._answer(self.service.model.about())

    async def thumbnail(self, request: Request) -> Response:
        """GET /thumbnails/N.jpg: the photo with number N of the gallery, small."""
        self._require_token(request)
        found = self.thumbnails.jpeg(request.path_params["number"])
        if found is None:
            raise Refused(404, "there is no thumbnail of this photo: an export has those of up to 5,000")
        return self._answer(found, kind="image/jpeg")

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: counters for Prometheus."""
        self._require_token(request)
        return self._answer(self.service.metrics().encode(), kind="text/plain; version=0.0.4")

    async def page(self, request: Request) -> Response:
        """GET /: a page to drop a photo on, and its two files."""
        path = request.url.path
        return self._answer(self.pages[path], kind=PAGE[path][1])

    async def refused(self, _: Request, error: Refused) -> Response:
        """The answer to a request that can't be served."""
        answer = self._answer({"error": error.words}, error.status, **error.headers)
        if not error.last:
            return answer
        return LastAnswer(answer.body, error.status, {**answer.headers, "connection": "close"})

    async def unknown(self, _: Request, error: HTTPException) -> Response:
        """The answer where there is nothing."""
        words = {404: "there is nothing here: POST photos to /predict", 405: "this address takes another method"}
        return self._answer({"error": words.get(error.status_code, str(error.detail))}, error.status_code)

    def _answer(self, value: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Response:
        self.service.counts[str(status)] += 1
        content = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
        closing = {"connection": "close"} if self.service.closing else {}
        return Response(content, status, {**HEADERS, **closing, **headers}, kind)

    def _require_token(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if self.token and not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            raise Refused(401, "a token is needed: send it as Authorization: Bearer TOKEN", www_authenticate="Bearer")
