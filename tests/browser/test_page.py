"""The page of `cvtune serve` in a real browser, by keyboard."""

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cvtune_nb import classification
from cvtune_nb.classification import export_run
from cvtune_nb.data import open_workspace
from cvtune_nb.detection import DetectorConfig, export_detector, fit, open_dataset
from cvtune_nb.export import open_export
from cvtune_nb.parameters import Config
from cvtune_nb.similarity import export_similarity
from tests.boxes import make_scenes
from tests.photos import ODD, make_photos

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@contextlib.contextmanager
def server(export, *options):
    """The address of a server of that export."""
    command = [sys.executable, "-m", "cvtune_nb", "serve", str(export), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stderr.readline())[0]
    finally:
        process.terminate()
        status = process.wait(30)
    assert status == 0


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Of 36 photos in three classes. Shared."""
    place = tmp_path_factory.mktemp("served")
    photos = make_photos(place / "photos", classes=("circle", ODD, "stripes"), per_class=12, size=96)
    return open_workspace(photos, place / "workspace")


@pytest.fixture(scope="module")
def served(workspace):
    """The folder of photos and the address of a server that asks for a token."""
    run = classification.fit(workspace, Config("efficientnet_lite0", image_size=64, epochs=0))
    made = export_run(workspace, run.id, variants=(), threshold=0.2)
    with server(made.zip, "--token", "secret") as address:
        yield workspace.data, address


def test_photos_are_classified_by_keyboard(served, page, tmp_path):
    photos, address = served
    good = min((photos / ODD).glob("*.jpg"))
    broken = Path(shutil.copy(__file__, tmp_path / "<b>broken.jpg"))
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    # from the start: a listener that comes right before the key press can be too late on a busy machine
    page.on("filechooser", lambda chooser: chooser.set_files([good, broken]))
    page.goto(address)
    expect(page.get_by_text("a token is needed")).to_be_visible()
    page.get_by_label("Token").press_sequentially("secret")
    page.keyboard.press("Enter")
    expect(page.locator("#about")).to_contain_text(f"This model knows 3 classes: {ODD}, circle, stripes.")
    expect(page.locator("#about")).to_contain_text("Below 20% it says that it is not sure")
    page.locator("#files").focus()
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(2)
    expect(page.get_by_role("status")).to_contain_text(f"{good.name}: {ODD}, ")
    expect(page.get_by_role("status")).to_contain_text("not a photo: a text file")
    shown = page.get_by_alt_text(good.name)
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 90
    expect(page.locator("article").last.get_by_role("row").first).to_contain_text(re.compile(r"\d+\.\d%"))
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "serve_page.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=SHOTS / "serve_page_dark.png", full_page=True)
    assert errors == []


def test_a_photo_is_dropped(served, page):
    photos, address = served
    page.goto(address)
    page.get_by_label("Token").fill("secret")
    page.get_by_role("button", name="Use it").click()
    content = sorted((photos / "stripes").glob("*.jpg"))[1].read_bytes()
    page.evaluate(
        """([bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", {type: "image/jpeg"}));
            document.getElementById("zone").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }""",
        [list(content)],
    )
    expect(page.get_by_role("status")).to_contain_text("dropped.jpg: stripes, ")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """The folder of photos and the address of a server of a detector."""
    place = tmp_path_factory.mktemp("detector")
    dataset = open_dataset(make_scenes(place / "photos", 16), place / "workspace")
    config = DetectorConfig("efficientnet_lite0_fpn", image_size=128, epochs=10, proposals=40, learning_rate=0.002)
    made = export_detector(dataset, fit(dataset, config).id)
    with server(made.folder) as address:
        yield place / "photos", made, address


def test_what_a_detector_finds_is_drawn_on_the_photo(detector, page):
    photos, made, address = detector
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    page.goto(address)
    expect(page).to_have_title("Find objects in a photo")
    expect(page.locator("#about")).to_contain_text("This model finds dot, tile")
    rows = open_export(made.folder).predict([photos / "001.jpg", photos / "002.jpg", photos / "003.jpg"])
    most = max(rows, key=lambda row: len(row["boxes"]))
    assert most["boxes"]
    page.locator("#files").set_input_files(most["path"])
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("rect.over")).to_have_count(len(most["boxes"]))
    expect(page.locator("article").get_by_role("row")).to_have_count(len(most["boxes"]))
    words = page.get_by_role("status").text_content()
    for label in {box["label"] for box in most["boxes"]}:
        count = sum(box["label"] == label for box in most["boxes"])
        assert f"{count} {label}" in words
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "serve_detector.png", full_page=True)
    assert errors == []


def test_look_alikes_are_shown_with_their_thumbnails(workspace, page):
    made = export_similarity(workspace, "test_resnet:random@64")  # small: exported in a moment
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with server(made.folder, "--token", "secret") as address:
        page.goto(address)
        page.get_by_label("Token").fill("secret")
        page.get_by_role("button", name="Use it").click()
        expect(page).to_have_title("Find look-alikes of a photo")
        expect(page.locator("#about")).to_contain_text(f"The nearest of 36 photos by cosine distance: {ODD}, circle")
        path = next(path for path in workspace.photos()["path"] if path.startswith("stripes"))
        page.locator("#files").set_input_files(workspace.path_of(path))
        expect(page.locator(".alike li")).to_have_count(10)
        first = page.get_by_alt_text(f"stripes: {path}")
        expect(first).to_have_attribute("src", re.compile("^blob:"))  # it is fetched
        assert first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 60
        expect(page.get_by_role("status")).to_contain_text("nearest is stripes, at 0.00")
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "serve_similar.png", full_page=True)
    assert errors == []
