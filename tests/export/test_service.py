"""Photos that wait at the same time go through the network together."""

import asyncio
import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from cvtune_nb.export.serving.reading import Limits
from cvtune_nb.export.serving.service import BATCH, Service


def test_batches_answer_each_photo_with_its_own_row():
    class Fake:
        SEARCHES, levels = False, (0, 0)

        def __init__(self):
            self.sizes = []

        def prepared(self, content):
            return np.asarray(Image.open(content))

        def infer(self, photos):
            self.sizes.append(len(photos))
            time.sleep(0.01)
            return [pixels[0, 0].astype(float) for pixels in photos]

        def row(self, chances, top):
            return {"first": float(chances[0]), "top": top}

    def file(value):
        content = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(content, "PNG")
        return content.getvalue()

    async def ask():
        service = Service(Fake(), Limits())
        work = asyncio.create_task(service.work())
        rows = await asyncio.gather(*(service.predict([(str(n), file(n))], 3) for n in range(60)))
        work.cancel()
        return [row[0] for row in rows], service

    with ThreadPoolExecutor(1) as thread:  # where a browser test has run before, this one has an event loop already
        rows, service = thread.submit(asyncio.run, ask()).result()
    assert [row["first"] for row in rows] == list(range(60))
    assert service.batched == 60
    assert 60 / BATCH <= service.batches < 60
    assert max(service.model.sizes) <= BATCH
