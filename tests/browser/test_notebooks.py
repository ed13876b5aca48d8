"""Every notebook in a real browser, as a person uses it: Run All, a control by keyboard, a press, a result."""

import base64
import re
import shutil
import time

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Locator, expect

from cvtune_nb import classification
from cvtune_nb.audit import audit, objects
from cvtune_nb.classification.features import FeatureSpec
from cvtune_nb.classification.svm import baseline
from cvtune_nb.data import open_workspace
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.detection import open_dataset
from cvtune_nb.parameters import Config
from cvtune_nb.workspace import Workspace
from tests.boxes import make_scenes
from tests.photos import ODD, make_photos

NETWORK = "efficientnet_lite0"
LONG = 240_000
"""Milliseconds that a step with a network may take on a busy machine before a test gives up on it."""


@pytest.fixture(scope="session")
def done(planted, tmp_path_factory):
    """A workspace in which audit, baseline and one run are done, so that every notebook can be opened alone."""
    workspace = open_workspace(planted, tmp_path_factory.mktemp("done") / "workspace")
    audit(workspace, FeatureSpec(NETWORK))
    baseline(workspace, FeatureSpec(NETWORK, Preprocessing(64)))
    classification.fit(workspace, Config(backbone=NETWORK, image_size=64, epochs=0))
    return workspace.folder


@pytest.fixture
def workspace(done, tmp_path):
    """A copy of it, to do anything with."""
    return Workspace(shutil.copytree(done, tmp_path / "workspace"))


@pytest.fixture
def untrained(workspace):
    """The same without a run."""
    shutil.rmtree(workspace.runs)
    return workspace


def opened(open_notebook, name, workspace, **parameters):
    return open_notebook(name, DATA=workspace.source, WORKSPACE=str(workspace.folder), **parameters)


def picture(lab) -> Locator:
    """The panel's live picture."""
    return lab.output("panel").locator(".cvtune-picture img").first


def button(lab, name) -> Locator:
    return lab.output("panel").get_by_role("button", name=name, exact=True)


def whole_page(lab, name):
    """A screenshot of the whole notebook, not only of the part in the window."""
    height = lab.page.evaluate("() => document.querySelector('.jp-WindowedPanel-inner').scrollHeight")
    before = lab.page.viewport_size
    lab.page.set_viewport_size({"width": 1280, "height": min(height + 120, 4000)})
    lab.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    lab.screenshot(name)
    lab.page.set_viewport_size(before)


def change_theme(lab, theme):
    lab.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => null)", theme
    )
    expect(lab.page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()


def test_00_open_photos(open_notebook, planted, photo_folder, tmp_path):
    lab = open_notebook("00_start_here", DATA=str(planted), WORKSPACE=str(tmp_path / "one"))
    lab.run_all()
    assert lab.errors() == []
    expect(picture(lab)).to_have_attribute("alt", re.compile(re.escape(ODD)))
    first = picture(lab).get_attribute("src")
    expect(lab.output("panel")).to_contain_text("photos a second")
    expect(lab.output("counts").locator("img")).to_be_visible()
    expect(lab.output("learned")).to_contain_text("61 photos in 3 classes")

    boxes = lab.output("panel").get_by_role("textbox")
    boxes.nth(0).fill(str(photo_folder))
    boxes.nth(1).fill(str(tmp_path / "two"))
    button(lab, "Open these photos").focus()
    lab.page.keyboard.press("Enter")
    expect(lab.output("panel")).to_contain_text("72 photos in 3 classes", timeout=LONG)
    expect(picture(lab)).not_to_have_attribute("src", first)
    expect(lab.output("learned")).to_contain_text("72 photos in 3 classes", timeout=LONG)  # the cells below follow
    whole_page(lab, "00_start_here")


def test_00_a_wrong_path_is_said_on_the_page(open_notebook, planted, tmp_path):
    lab = open_notebook("00_start_here", DATA=str(planted), WORKSPACE=str(tmp_path / "one"))
    lab.run_all()
    lab.output("panel").get_by_role("textbox").nth(0).fill("/no <i>such</i> folder")
    button(lab, "Open these photos").click()
    expect(lab.output("panel").get_by_role("alert")).to_contain_text("/no <i>such</i> folder")
    expect(button(lab, "Open these photos")).to_be_enabled()


def test_01_review_by_keyboard(open_notebook, workspace):
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    assert lab.errors() == [
        "NotReady: Nothing is decided yet: decide about a few photos above, then run this cell again."
    ]
    issue = lab.output("panel").get_by_role("combobox").first
    issue.focus()
    issue.select_option(label=re.compile("mislabelled").pattern + f" ({_count(workspace, 'mislabelled')})")
    cells = lab.page.locator(".jp-Cell").count()
    relabel = lab.output("panel").get_by_role("button", name="Relabel", exact=True).first
    relabel.focus()
    for key in "abxdd":  # in JupyterLab's command mode: insert above, below, cut, delete
        lab.page.keyboard.press(key)
    lab.page.keyboard.press("Space")
    expect(lab.output("panel")).to_contain_text("✓ relabelled to circle")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
    assert [act["to"] for act in workspace.standing().values()] == ["circle"]
    whole_page(lab, "01_data_quality_audit")

    lab.run_cell(lab.index("payoff"))
    expect(lab.output("payoff").locator("img")).to_be_visible()
    lab.output("panel").get_by_role("button", name="Undo", exact=True).first.press("Enter")
    expect(lab.output("panel")).not_to_contain_text("✓")
    assert workspace.standing() == {}


@pytest.fixture
def copies(planted, tmp_path):
    """An audited workspace of photos six of which are there twice, the last mirrored: twelve findings of one kind."""
    folder = shutil.copytree(planted, tmp_path / "twice")
    for number, photo in enumerate(sorted((folder / "circle").glob("*.jpg"))[8:14]):
        shutil.copy(photo, folder / "circle" / f"again {number}.jpg")
    ImageOps.mirror(Image.open(photo)).save(folder / "circle" / "again 5.jpg")
    space = open_workspace(folder, tmp_path / "copies")
    audit(space, FeatureSpec(NETWORK))
    return space


def focused(lab) -> str:
    """The file of the photo card that has the focus."""
    return lab.page.locator(".cvtune-photo:focus-within div[title]:not([title=null])").first.get_attribute("title")


def test_01_ten_photos_by_keyboard_stay_decided(open_notebook, copies):
    """Ten decisions with keys only, three undone, another kind, a reload, a new kernel: nothing is lost."""
    workspace = copies
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    panel, keys = lab.output("panel"), lab.page.keyboard
    kinds = panel.get_by_role("combobox").first

    def choose(kind: str) -> None:
        expect(kinds).to_contain_text(f"{kind} (")
        names = [name.replace("\xa0", " ").strip() for name in kinds.locator("option").all_text_contents()]
        kinds.select_option(label=next(name for name in names if name.startswith(f"{kind} (")))

    def card(file: str) -> Locator:
        return panel.locator(".cvtune-photo").filter(has=lab.page.locator(f'[title="{file}"]'))

    choose("duplicate")
    cards = panel.locator(".cvtune-photo")
    expect(cards.nth(9)).to_be_visible()
    cells = lab.page.locator(".jp-Cell").count()
    cards.first.focus()
    files = []
    for key in "kekekekekr":
        files.append(focused(lab))
        keys.press(key)
        expect(card(files[-1])).to_contain_text("✓")
    assert len(set(files)) == 10
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
    actions = [workspace.standing()[file]["action"] for file in files]
    assert actions == ["keep", "exclude"] * 4 + ["keep", "relabel"]
    whole_page(lab, "01_keyboard")

    choose("mislabelled")
    expect(panel.get_by_text("looks like this circle").first).to_be_visible()
    choose("duplicate")
    expect(panel.get_by_text("✓")).to_have_count(10)
    cards.first.focus()
    for _ in range(3):
        keys.press("u")
        expect(card(focused(lab))).to_contain_text("not decided")
        keys.press("ArrowRight")
    assert sorted(workspace.standing()) == sorted(files[3:])

    lab.save()
    lab.page.reload()
    lab.ready()
    expect(panel.get_by_text("✓")).to_have_count(7)
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    lab.ready()
    lab.run_all()
    choose("decided by you")
    expect(panel.get_by_text("✓")).to_have_count(7)
    assert sorted(workspace.standing()) == sorted(files[3:])

    cards.first.focus()
    keys.press("a")
    expect(panel).to_contain_text("7 selected")
    keys.press("Space")
    expect(panel).to_contain_text("6 selected")
    button(lab, "Undo selected").click()
    expect(panel).to_contain_text("6 taken back")
    assert len(workspace.standing()) == 1

    choose("duplicate")
    expect(panel).to_contain_text("1 to 12 of 14")
    cards.first.focus()
    keys.press("n")  # equal files come first
    mirrored = card("circle/again 5.jpg")
    mirrored.focus()
    keys.press("d")
    expect(mirrored).to_contain_text("not a copy")
    assert len(workspace.distinct()) == 1
    mirrored.scroll_into_view_if_needed()
    whole_page(lab, "01_not_a_copy")


def test_01_boxes_by_mouse_and_keyboard(open_notebook, workspace):
    lab = opened(open_notebook, "01_data_quality_audit", workspace)
    lab.run_all()
    panel, mouse, keys = lab.output("objects"), lab.page.mouse, lab.page.keyboard
    photo = panel.locator(".cvtune-drawing")
    photo.scroll_into_view_if_needed()
    expect(photo).to_have_attribute("aria-label", re.compile("Photo .*Enter: a box"))
    cells = lab.page.locator(".jp-Cell").count()
    for number in range(5):
        expect(panel).to_contain_text(f"Photo {number + 1} of 12")
        expect(panel).to_contain_text("not boxed")
        area = photo.bounding_box()
        mouse.move(area["x"] + 0.5 * area["width"], area["y"] + 0.6 * area["height"])
        mouse.down()
        mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.5 * area["height"], steps=4)
        mouse.up()
        expect(panel).to_contain_text(f"({number + 1} boxed)")
        keys.press("n")
    expect(panel).to_contain_text("Photo 6 of 12")
    photo.focus()
    keys.press("Enter")
    for _ in range(10):
        keys.press("Shift+ArrowLeft")
        keys.press("Shift+ArrowUp")
    keys.press("ArrowRight")
    expect(panel).to_contain_text("6 boxed")
    expect(panel).to_contain_text("notebook 06")
    whole_page(lab, "01_boxes")
    last = pytest.approx((0.41, 0.4, 0.1, 0.1), abs=0.001)
    end = time.monotonic() + 60
    while (found := list(objects.boxes(workspace).values()))[5] != last and time.monotonic() < end:
        lab.page.wait_for_timeout(100)  # on a busy machine a box is saved between two keys, too
    assert len(found) == 6 and found[0] == pytest.approx((0.4, 0.5, 0.1, 0.1), abs=0.02)
    assert found[5] == last
    keys.press("Delete")
    expect(panel).to_contain_text("5 boxed")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)


def _count(workspace, kind):
    return int((workspace.audit / "issues.csv").read_text().count(f",{kind},"))


def test_02_move_c(open_notebook, workspace):
    lab = opened(open_notebook, "02_frozen_dnn_svm_baseline", workspace, BACKBONE=NETWORK, IMAGE_SIZE=64)
    lab.run_all()
    assert lab.errors() == []
    expect(picture(lab)).to_have_attribute("alt", re.compile("confusion matrix"))
    for name in ("c-curve", "mistakes", "curve"):
        expect(lab.output(name).locator("img")).to_be_visible()
    slider = lab.output("panel").get_by_role("slider").nth(1)
    slider.focus()
    lab.page.keyboard.press("Home")
    expect(lab.output("panel")).to_contain_text("C = 0.01, linear kernel")
    lab.page.keyboard.press("ArrowRight")
    expect(lab.output("panel")).to_contain_text("C = 0.03, linear kernel")
    lab.output("panel").get_by_role("button", name="rbf").press("Enter")
    expect(lab.output("panel")).to_contain_text("C = 0.03, rbf kernel")
    expect(lab.output("learned")).to_contain_text("rbf SVM (C = 0.03)")  # the last of the cells that follow
    before = lab.output("c-curve").locator("img").get_attribute("src")
    slider.press("End")
    expect(lab.output("panel")).to_contain_text("C = 100, rbf kernel")
    expect(lab.output("learned")).to_contain_text("rbf SVM (C = 100)")
    expect(lab.output("c-curve").locator("img")).not_to_have_attribute("src", before)  # it follows too
    whole_page(lab, "02_frozen_dnn_svm_baseline")


def test_03_train_watch_and_read(open_notebook, untrained):
    lab = opened(
        open_notebook, "03_dnn_fine_tuning", untrained, BACKBONE=NETWORK, IMAGE_SIZE=64, EPOCHS=2, BATCH_SIZE=16
    )
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Train above first, then run this cell again."]
    panel = lab.output("panel")
    expect(panel).to_contain_text("This will take", timeout=LONG)
    empty = picture(lab).get_attribute("src")
    rate = panel.get_by_role("slider").first
    rate.focus()
    preview = panel.get_by_role("img", name=re.compile("last layer alone"))
    expect(preview).to_be_visible(timeout=LONG)
    before = preview.get_attribute("src")
    lab.page.keyboard.press("ArrowRight")
    expect(panel).to_contain_text(re.compile(r"Learning rate 0\.0003\d"))
    expect(preview).not_to_have_attribute("src", before)
    button(lab, "Find learning rate").click()
    curve = panel.get_by_role("img", name=re.compile("loss against learning rate"))
    expect(curve).to_be_visible(timeout=LONG)
    whole_page(lab, "03_learning_rate")
    panel.get_by_role("button", name=re.compile("^Apply: learning_rate")).press("Enter")
    expect(panel).to_contain_text("Applied learning_rate, schedule")
    button(lab, "Train").click()
    expect(button(lab, "Train")).to_be_disabled()
    lab.page.evaluate(  # the kernel is free while it trains
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({code: 'answered = 1'}).done.then(() => null)"
    )
    expect(picture(lab)).not_to_have_attribute("src", empty, timeout=LONG)
    expect(panel).to_contain_text("Finished. Best epoch", timeout=LONG)
    expect(picture(lab)).to_have_attribute("alt", re.compile("001-efficientnet_lite0-64"))
    expect(lab.output("compare")).to_contain_text("001-efficientnet_lite0-64")  # brought up to date by itself
    for name in ("curves", "learned"):
        lab.run_cell(lab.index(name))
    expect(lab.output("curves").locator("img")).to_be_visible()
    expect(lab.output("learned")).to_contain_text("fine-tuned at 64 pixels")
    whole_page(lab, "03_dnn_fine_tuning")
    change_theme(lab, "JupyterLab Dark")
    whole_page(lab, "03_dnn_fine_tuning_dark")
    change_theme(lab, "JupyterLab Light")
    saved = lab.save()
    curves = next(cell for cell in saved["cells"] if cell["id"] == "curves")
    assert any("image/png" in output.get("data", {}) for output in curves["outputs"])  # stays without a kernel


def test_03_stop_and_run_the_cell_again(open_notebook, untrained):
    lab = opened(
        open_notebook, "03_dnn_fine_tuning", untrained, BACKBONE=NETWORK, IMAGE_SIZE=64, EPOCHS=200, BATCH_SIZE=16
    )
    lab.run_all()
    button(lab, "Train").click()
    expect(picture(lab)).to_have_attribute("alt", re.compile("001-efficientnet_lite0-64"), timeout=LONG)
    lab.run_cell(lab.index("panel"))
    expect(button(lab, "Stop")).to_be_enabled()  # the same panel, still at work
    lab.save()
    lab.page.reload()
    lab.ready(LONG)
    lab.run_cell(lab.index("panel"))
    expect(button(lab, "Stop")).to_be_enabled()  # so it is after a reload of the page
    button(lab, "Stop").press("Enter")
    expect(lab.output("panel")).to_contain_text("Resume goes on from its last whole epoch", timeout=LONG)
    expect(button(lab, "Resume")).to_be_enabled()
    assert classification.runs(untrained)["state"].tolist() == ["stopped"]


def test_03_presets_and_advice_move_the_controls(open_notebook, untrained):
    lab = opened(
        open_notebook,
        "03_dnn_fine_tuning",
        untrained,
        BACKBONE=NETWORK,
        IMAGE_SIZE=64,
        EPOCHS=1,
        BATCH_SIZE=16,
        LEARNING_RATE=1.0,
        HEAD="random",
    )
    lab.run_all()
    panel = lab.output("panel")
    button(lab, "Train").click()
    advice = panel.get_by_role("button", name=re.compile("^Apply: .*learning_rate"))
    expect(advice.first).to_be_visible(timeout=LONG)
    words = advice.first.inner_text()
    advice.first.press("Enter")
    expect(panel).to_contain_text("press Train")
    rate = re.search(r"learning_rate ([\d.e-]+)", words)[1]
    expect(panel).to_contain_text(f"Learning rate {rate}")
    button(lab, "2018 recipe").click()
    expect(panel).to_contain_text("Learning rate 0.05")
    button(lab, "Recommended").press("Enter")
    expect(panel).to_contain_text("Learning rate 0.0003")


def test_04_climb_apply_an_advice_and_climb_on(open_notebook, untrained):
    lab = opened(
        open_notebook,
        "04_parameter_escalation",
        untrained,
        FAMILY="efficientnet_lite",
        RUNGS="1",
        EPOCHS=1,
        IMAGE_SIZES="64,96",
    )
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Run these rungs above first, then run this cell again."]
    panel = lab.output("panel")
    expect(panel).to_contain_text("1 rung:", timeout=LONG)
    expect(panel).to_contain_text("; promises ", timeout=LONG)
    second = panel.get_by_role("checkbox").nth(1)
    second.focus()
    lab.page.keyboard.press("Space")
    expect(panel).to_contain_text("2 rungs:")
    empty = picture(lab).get_attribute("src")
    button(lab, "Run these rungs").click()
    expect(picture(lab)).not_to_have_attribute("src", empty, timeout=LONG)
    expect(panel).to_contain_text("Finished. Now run the cells below.", timeout=LONG)
    expect(picture(lab)).to_have_attribute("alt", re.compile("rung 1 .*; rung 2 "))
    expect(panel).to_contain_text("Where to stop, and why")
    for name in ("result", "learned"):
        lab.run_cell(lab.index(name))
    expect(lab.output("learned")).to_contain_text("is best on validation")

    why = panel.get_by_text("Why", exact=True).first
    why.press("Enter")
    expect(panel).to_contain_text("Source: ")
    rungs = panel.get_by_role("button", name="Take out")
    expect(rungs).to_have_count(5)
    advice = panel.get_by_role("button", name=re.compile("^Apply: "))
    advice.first.press("Enter")
    expect(rungs).to_have_count(6)
    expect(panel).to_contain_text("Applied as rung 6, the only one ticked")
    expect(panel.get_by_role("checkbox").nth(5)).to_be_checked()
    expect(panel.get_by_role("checkbox").nth(0)).not_to_be_checked()
    whole_page(lab, "04_parameter_escalation_applied")
    before = len(list(untrained.runs.iterdir()))
    button(lab, "Run these rungs").click()
    expect(panel).to_contain_text("before it: ", timeout=LONG)
    expect(panel).to_contain_text("predictions were within")
    assert len(list(untrained.runs.iterdir())) == before + 1

    gains = lab.output("helps")
    gains.get_by_role("button", name="What would help most?", exact=True).click()
    expect(gains).to_contain_text("Twice the training photos", timeout=LONG)
    expect(gains).to_contain_text("Finished.", timeout=LONG)
    lab.run_cell(lab.index("sweep"))
    expect(lab.output("sweep")).to_contain_text("the best run: learning rate a fifth")
    lab.output("sweep").get_by_role("spinbutton").first.fill("2")
    lab.output("sweep").get_by_role("button", name="Sweep", exact=True).click()
    expect(lab.output("sweep")).to_contain_text("What to believe", timeout=LONG)
    whole_page(lab, "04_parameter_escalation")


def test_05_export_and_classify(open_notebook, workspace, planted):
    photo = sorted((planted / "circle").glob("circle*.jpg"))[1]
    lab = opened(open_notebook, "05_export_and_use", workspace, NAME="mine")
    # from the start: a listener that comes right before the key press can be too late on a busy machine
    lab.page.on("filechooser", lambda chooser: chooser.set_files(photo))
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Export above first, then run this cell again."]
    panel = lab.output("panel")
    expect(panel).to_contain_text("It has not been opened yet")
    button(lab, "Export").focus()
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("Exported to", timeout=LONG)
    expect(panel).to_contain_text("test photos right")
    answer = panel.locator(".cvtune-picture img").last
    before = answer.get_attribute("src")
    panel.get_by_role("textbox").last.fill(str(sorted((planted / "stripes").glob("stripes*.jpg"))[2]))
    button(lab, "Classify it").press("Enter")
    expect(answer).to_have_attribute("alt", re.compile(r"stripes-\d+.jpg: "))
    panel.get_by_role("button", name="or choose a file").press("Enter")
    expect(answer).to_have_attribute("alt", re.compile(f"{photo.name}: "))
    expect(answer).not_to_have_attribute("src", before)
    slider = panel.get_by_role("slider").last
    slider.focus()
    certainty = panel.locator(".cvtune-picture img").first
    for _ in range(5):
        slider.press("ArrowRight")
    expect(certainty).to_have_attribute("alt", re.compile("threshold 5%$"))
    for name in ("figures", "sure", "use", "learned"):
        lab.run_cell(lab.index(name))
    expect(lab.output("use")).to_contain_text("model.threshold = 0.05")
    expect(lab.output("use")).to_contain_text("from predict import Model")
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.output("use").get_by_role("button", name="Copy").press("Enter")
    expect(lab.output("use")).to_contain_text("Copied.")
    assert "from predict import Model" in lab.page.evaluate("navigator.clipboard.readText()")
    expect(lab.output("learned")).to_contain_text("opened once")
    expect(lab.output("figures")).to_contain_text("model-int8.onnx")
    whole_page(lab, "05_export_and_use")
    assert workspace.test_openings() == 1


def test_05_without_a_run_names_the_notebook_to_open(open_notebook, untrained):
    (untrained.folder / "baseline.json").unlink()
    lab = opened(open_notebook, "05_export_and_use", untrained)
    lab.run_all()
    assert len(lab.errors()) == 1
    assert "open notebook 03_dnn_fine_tuning" in lab.errors()[0]
    expect(button(lab, "Export")).to_be_disabled()
    assert "Traceback" not in lab.cell_text("figures")


def test_06_draw_correct_train_and_see(open_notebook, tmp_path):
    """Three boxes drawn, one corrected, two short epochs, boxes on photos."""
    folder = make_scenes(tmp_path / "scenes", 16)
    lab = open_notebook(
        "06_small_objects",
        DATA=str(folder),
        WORKSPACE=str(tmp_path / "workspace"),
        DETECTOR="efficientnet_lite0_fpn",
        IMAGE_SIZE=128,
        EPOCHS=2,
        PROPOSALS=40,
    )
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Train the detector above first, then run this cell again."]
    panel, mouse, keys = lab.output("boxes"), lab.page.mouse, lab.page.keyboard
    photo = panel.locator(".cvtune-drawing")
    show = panel.get_by_role("combobox").first
    show.select_option("nothing to find")
    expect(panel).to_contain_text("Photo 1 of 2: 008.jpg, nothing to find")
    photo.scroll_into_view_if_needed()
    cells = lab.page.locator(".jp-Cell").count()

    def drag(left, top, right, bottom):
        area = photo.bounding_box()
        mouse.move(area["x"] + left * area["width"], area["y"] + top * area["height"])
        mouse.down()
        mouse.move(area["x"] + right * area["width"], area["y"] + bottom * area["height"], steps=5)
        mouse.up()

    for number, corners in enumerate([(0.1, 0.1, 0.2, 0.2), (0.4, 0.1, 0.55, 0.3), (0.7, 0.6, 0.9, 0.9)], 1):
        drag(*corners)
        expect(panel).to_contain_text(f"008.jpg, {number} boxes")
    expect(photo).to_have_attribute("aria-label", re.compile("3 boxes; selected: dot"))
    keys.press("2")  # the label of the selected box
    expect(photo.locator("div.chosen span")).to_have_text("tile")
    drag(0.8, 0.7, 0.75, 0.65)  # moves it
    keys.press("Shift+ArrowRight")
    keys.press("n")
    expect(panel).to_contain_text("Photo 2 of 2: 016.jpg")
    keys.press("p")
    expect(panel).to_contain_text("008.jpg, 3 boxes")
    dataset = open_dataset(folder, tmp_path / "workspace")
    boxes = dataset.annotations.boxes.query("path == '008.jpg'")
    assert boxes["label"].tolist() == ["dot", "dot", "tile"]
    moved = boxes.iloc[2][["left", "top", "width", "height"]].tolist()
    assert moved == pytest.approx([0.65, 0.55, 0.21, 0.3], abs=0.02)
    photo.focus()
    keys.press("Space")
    keys.press("Delete")
    expect(panel).to_contain_text("008.jpg, 2 boxes")
    keys.press("u")
    expect(panel).to_contain_text("008.jpg, 3 boxes")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)
    lab.screenshot("06_drawing", panel)

    button(lab, "Train the detector").click()
    expect(lab.output("panel")).to_contain_text("Finished.", timeout=LONG)
    expect(lab.output("panel").locator(".cvtune-picture img").last).to_be_visible()
    for name in ("curves", "examples", "learned"):
        lab.run_cell(lab.index(name))
        expect(lab.output(name)).not_to_contain_text("NotReady")
    expect(lab.output("examples").locator("img")).to_be_visible()
    expect(lab.output("learned")).to_contain_text("at 128 pixels finds")
    whole_page(lab, "06_small_objects")


def test_07_ask_by_click_by_upload_and_by_the_map(open_notebook, workspace, tmp_path):
    own = make_photos(tmp_path / "own", ("a", "b", "stripes"), per_class=1, seed=77) / "stripes"
    lab = opened(open_notebook, "07_image_similarity", workspace, EMBEDDER=f"{NETWORK}@64", IMAGE_SIZE=64, EPOCHS=1)
    lab.run_all()
    assert lab.errors() == ["NotReady: Press Export the index above first, then run this cell again."]
    panel, photos = lab.output("panel"), lab.output("panel").locator(".cvtune-grid [role=option]")
    expect(panel).to_contain_text("recall@1")
    expect(photos).to_have_count(12)
    expect(lab.output("measures").locator("img")).to_have_count(2)

    chosen = photos.nth(2).get_attribute("data-key")
    photos.nth(2).click()
    expect(panel).to_contain_text(f"Query: {chosen}")
    expect(panel.locator(f"[data-key='{chosen}']")).to_have_count(0)
    cells = lab.page.locator(".jp-Cell").count()
    photos.first.focus()
    lab.page.keyboard.press("ArrowRight")
    second = photos.nth(1).get_attribute("data-key")
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text(f"Query: {second}")
    expect(lab.page.locator(".jp-Cell")).to_have_count(cells)

    with lab.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="A photo of your own").click()
    chooser.value.set_files(next(own.iterdir()))
    expect(panel).to_contain_text("your own photo; most of the 12 nearest are stripes")
    lab.screenshot("07_query", panel)
    photos.first.click()
    expect(panel).not_to_contain_text("your own photo")
    drop = """async (grid, content) => {
        const files = new DataTransfer();
        files.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], "dropped.jpg"));
        grid.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
    }"""
    panel.locator(".cvtune-grid").evaluate(drop, base64.b64encode(next(own.iterdir()).read_bytes()).decode())
    expect(panel).to_contain_text("Query: dropped.jpg")

    plot = panel.locator(".cvtune-map-plot")
    plot.scroll_into_view_if_needed()
    area, mouse = plot.bounding_box(), lab.page.mouse
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
    places = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in corners]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=4)
    mouse.up()
    expect(panel).to_contain_text(re.compile(r"1 to 48 of 6\d"))
    expect(photos).to_have_count(48)
    photos.first.click()
    expect(photos).to_have_count(12)

    button_of(lab, "outliers", "Look for them").click()
    expect(lab.output("outliers")).to_contain_text("findings in", timeout=LONG)
    lab.output("label").get_by_role("textbox").first.fill(str(own.parent))
    button_of(lab, "label", "Choose what to label").click()
    expect(lab.output("label")).to_contain_text("3 photos to label", timeout=LONG)
    button_of(lab, "export", "Export the index").click()
    expect(lab.output("export")).to_contain_text("Exported to", timeout=LONG)
    lab.run_cell(lab.index("use"))
    expect(lab.output("use")).to_contain_text("Similar(")
    whole_page(lab, "07_image_similarity")


def button_of(lab, cell, name) -> Locator:
    """A button in the output of another cell than the panel."""
    return lab.output(cell).get_by_role("button", name=name, exact=True)
