"""How long 50 decisions take in the gallery of notebook 01, by keyboard, with every key pressed as soon as the page
answers: `python -m tests.benchmarks.review [DATA WORKSPACE]`, a folder of photos and its audited workspace. Without
them photos with 60 wrong labels are made and audited first."""

import argparse
import json
import re
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from cvtune_nb.audit import audit
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.data import open_workspace
from cvtune_nb.workspace import Workspace
from tests.browser import jlab
from tests.photos import make_photos

IN_HAND = ".cvtune-gallery-list [aria-current=true]"


def wrong_labels(folder: Path, count: int = 60) -> Workspace:
    """Photos of three classes, `count` of which lie in the folder of another one, audited."""
    photos = make_photos(folder / "photos", ("circle", "square", "stripes"), 120, 96)
    for number, photo in enumerate(sorted((photos / "circle").glob("*.jpg"))[:count]):
        photo.rename(photos / ("square", "stripes")[number % 2] / f"wrong {number}.jpg")
    workspace = open_workspace(photos, folder / "workspace")
    audit(workspace, FeatureSpec("efficientnet_lite0"))
    return workspace


def decide(page: Page, count: int) -> tuple[int, float]:
    """Keep and exclude photos in turn; returns key presses and seconds."""
    page.locator(IN_HAND).focus()
    start = time.monotonic()
    for number in range(count):
        here = page.locator(IN_HAND).get_attribute("title")
        page.keyboard.press("ke"[number % 2])
        page.wait_for_function(  # the next photo is in hand
            "([which, title]) => { const now = document.querySelector(which); return now && now.title !== title }",
            arg=[IN_HAND, here],
        )
    return count, time.monotonic() - start


def main() -> None:
    """Open the notebook in a browser and decide."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?")
    parser.add_argument("workspace", nargs="?")
    parser.add_argument("--count", type=int, default=50)
    given = parser.parse_args()
    expect.set_options(timeout=120_000)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if given.data:
            workspace = Workspace(shutil.copytree(given.workspace, folder / "workspace"))
        else:
            workspace = wrong_labels(folder)
        shutil.copytree(jlab.CHECKOUT / "notebooks", folder / "lab" / "notebooks")
        path = folder / "lab" / "notebooks" / "01_data_quality_audit.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = next(cell for cell in notebook["cells"] if cell["id"] == "parameters")
        cell["source"] = f"DATA = {workspace.source!r}\nWORKSPACE = {str(workspace.folder)!r}"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        with jlab.jupyterlab(folder / "lab", folder / "jupyter") as (address, token), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=jlab.chromium(), args=jlab.CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            lab = jlab.Lab(page, address, token, folder / "lab", path).open()
            lab.run_all()
            expect(page.locator(IN_HAND)).to_be_visible()
            presses, seconds = decide(page, given.count)
            written = re.compile(rf"\b{given.count} decided")
            expect(lab.output("panel")).to_contain_text(written)
            print(f"{given.count} decisions: {presses} key presses, {seconds:.1f} s")
            assert len(workspace.decisions()) == given.count
            browser.close()


if __name__ == "__main__":
    main()
