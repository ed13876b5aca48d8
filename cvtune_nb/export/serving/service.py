"""Photos -> answers: decoded in threads, and through the network together."""

import asyncio
import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from cvtune_nb.export.predict import Model, photo
from cvtune_nb.export.serving.reading import Limits

BATCH = 16
"""Most photos that go through the network together."""


class Service:
    """One model that answers requests.

    Photos are decoded in threads, and those that wait at the same time go through the network together.
    """

    def __init__(self, model: Model, limits: Limits):
        self.model, self.limits, self.working, self.closing = model, limits, 0, False
        self.counts: Counter[str] = Counter()
        self.seconds, self.answered, self.batches, self.batched = 0.0, 0, 0, 0
        self.decoders = ThreadPoolExecutor(2, "decode")
        self.network = ThreadPoolExecutor(1, "network")  # one at a time: it uses all cores by itself
        self.waiting: asyncio.Queue[tuple[np.ndarray, asyncio.Future]] = asyncio.Queue()

    async def predict(self, photos: list[tuple[str, bytes]], top: int) -> list[dict[str, Any]]:
        """A row a photo: name, and what predict.Model.row gives; or error, for one that can't be used."""
        return list(await asyncio.gather(*(self._row(name, content, top) for name, content in photos)))

    async def _row(self, name: str, content: bytes, top: int) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        try:
            pixels = await loop.run_in_executor(self.decoders, self.decode, content)
        except photo.UnreadablePhoto as error:
            return {"name": name, "error": str(error)}
        answer = loop.create_future()
        self.waiting.put_nowait((pixels, answer))
        found = await answer
        if self.model.SEARCHES:  # the whole gallery, and others are not to wait for that
            return {"name": name, **await loop.run_in_executor(self.decoders, self.model.row, found, top)}
        return {"name": name, **self.model.row(found, top)}

    def decode(self, content: bytes) -> np.ndarray:
        """A photo as the model wants it. Raises photo.UnreadablePhoto, also for one with too many pixels."""
        width, height = photo.upright_size(io.BytesIO(content), self.model.levels)
        if width * height <= self.limits.megapixels * 1e6:
            return self.model.prepared(io.BytesIO(content))
        most = f"{self.limits.megapixels:g} million pixels"
        raise photo.UnreadablePhoto(f"it has {width} x {height} pixels, and at most {most} are taken")

    async def work(self) -> None:
        """Run what waits, together, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            try:
                answers = await loop.run_in_executor(self.network, self.model.infer, [pixels for pixels, _ in batch])
            except Exception as error:  # noqa: BLE001 - the next batch may go well; these get the error
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            self.batches, self.batched = self.batches + 1, self.batched + len(batch)
            for (_, answer), row in zip(batch, answers, strict=True):
                if not answer.done():
                    answer.set_result(row)

    def metrics(self) -> str:
        """Counters in the text form that Prometheus reads."""
        lines = ["# TYPE cvtune_requests_total counter"]
        lines += [f'cvtune_requests_total{{status="{status}"}} {n}' for status, n in sorted(self.counts.items())]
        numbers = {
            "photos_total": ("counter", self.batched),
            "batches_total": ("counter", self.batches),
            "request_seconds_sum": ("counter", round(self.seconds, 6)),
            "request_seconds_count": ("counter", self.answered),
            "requests_working": ("gauge", self.working),
            "photos_waiting": ("gauge", self.waiting.qsize()),
        }
        for name, (kind, value) in numbers.items():
            lines += [f"# TYPE cvtune_{name} {kind}", f"cvtune_{name} {value}"]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Let the threads end."""
        for pool in (self.decoders, self.network):
            pool.shutdown(wait=False, cancel_futures=True)
