"""A private JupyterLab and one notebook in it, driven as a person would.

Everything waits on the state of the application (window.jupyterapp), never for a number of seconds; what may
still change on the page is checked with Playwright's retrying `expect`.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page

CHECKOUT = Path(__file__).parents[2]
SCREENSHOTS = CHECKOUT / "build" / "screenshots"
CHROMIUM_FLAGS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FOR_TESTS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # every cell is on the page
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
"""JupyterLab's settings for tests, on top of those that `cvtune lab` gives everyone."""


def chromium() -> str | None:
    """The browser's program: $CHROMIUM, Debian's, or another one by its usual name; None if there is none."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def private_places(private: Path) -> dict[str, str]:
    """Environment variables that keep Jupyter out of the person's home folder, and the package the checkout's."""
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {"PYTHONPATH": str(CHECKOUT), **{name: str(private / place) for name, place in places.items()}}


@contextlib.contextmanager
def jupyterlab(root: Path, private: Path, **environment: str) -> Iterator[tuple[str, str]]:
    """Serve `root`, which has a folder notebooks, with `cvtune lab`; gives the address and the token.

    `private` holds all that Jupyter would otherwise read from or write to the person's own home folder.
    """
    port, token = free_port(), secrets.token_hex(16)
    (private / "config" / "labconfig").mkdir(parents=True)
    (private / "config" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(FOR_TESTS))
    application = {"LabApp": {"expose_app_in_browser": True}}  # window.jupyterapp
    (private / "config" / "jupyter_lab_config.json").write_text(json.dumps(application))
    environment = {**os.environ, **private_places(private), "JUPYTER_TOKEN": token, **environment}
    command = [sys.executable, "-m", "cvtune_nb", "lab", "--no-browser", "--port", str(port)]
    log = private / "server.log"
    with log.open("w") as opened:
        server = subprocess.Popen(command, env=environment, cwd=root, stdout=opened, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(f"{address}/api/status?token={token}", server, log)
        yield address, token
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_it_answers(link: str, server: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    """Return once `link` can be fetched; raises RuntimeError with the end of the log if that never happens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(link, timeout=5).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab does not answer:\n{log.read_text()[-3000:]}")


class Lab:
    """One open notebook. `page` is Playwright's, for all that a person does: click, press keys, look."""

    def __init__(self, page: Page, address: str, token: str, root: Path, path: Path):
        self.page, self.address, self.token, self.root, self.path = page, address, token, root, path
        self.page_errors: list[str] = []
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))

    def open(self) -> "Lab":
        """Open the notebook alone in the window, and wait until its kernel is ready."""
        # /doc is the single-document mode: no side bars, no launcher, no tabs from earlier
        self.page.goto(f"{self.address}/doc/tree/{self.path.relative_to(self.root)}?reset&token={self.token}")
        return self.ready()

    def ready(self, timeout: float = 60_000) -> "Lab":
        """Wait until notebook and kernel are there; also after a reload of the page."""
        self.page.wait_for_function(
            """() => {
                const notebook = window.jupyterapp?.shell.currentWidget;
                if (!notebook?.context?.isReady) return false;
                const kernel = notebook.sessionContext.session?.kernel;
                return notebook.sessionContext.isReady && kernel?.connectionStatus === 'connected'
                    && kernel.status === 'idle';
            }""",
            timeout=timeout,
        )
        return self

    def command(self, name: str) -> None:
        """Run one of JupyterLab's commands, as its menus do."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name).then(() => null)", name)

    def run_all(self, timeout: float = 180_000) -> None:
        """Run all cells as from the menu, and wait for the last one."""
        self.command("notebook:run-all-cells")
        self.idle(timeout)

    def run_cell(self, index: int, timeout: float = 120_000) -> None:
        """Run the cell at `index` (markdown counts too), and wait until it is done."""
        self.page.evaluate("index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index)
        self.command("notebook:run-cell")
        self.idle(timeout)

    def idle(self, timeout: float = 180_000) -> None:
        """Wait until no cell runs or waits to run."""
        self.page.wait_for_function(
            """() => {
                const notebook = window.jupyterapp.shell.currentWidget;
                return notebook.sessionContext.session.kernel.status === 'idle' && notebook.content.widgets.every(
                    cell => cell.model.type !== 'code' || cell.model.executionState !== 'running');
            }""",
            timeout=timeout,
        )

    def errors(self) -> list[str]:
        """The exceptions shown in outputs, as "Name: message"."""
        return self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                .filter(cell => cell.type === 'code')
                .flatMap(cell => cell.toJSON().outputs)
                .filter(output => output.output_type === 'error')
                .map(output => `${output.ename}: ${output.evalue}`)"""
        )

    def index(self, cell_id: str) -> int:
        """Where the cell with this id stands."""
        return self.page.evaluate(
            """id => [...window.jupyterapp.shell.currentWidget.content.model.cells].findIndex(c => c.id === id)""",
            cell_id,
        )

    def output(self, cell_id: str) -> Locator:
        """What the code cell with this id shows: a Locator, so that `expect(...)` can wait for it."""
        return self.page.locator(".jp-Cell").nth(self.index(cell_id)).locator(".jp-Cell-outputArea")

    def cell_text(self, cell_id: str) -> str:
        """The text that the code cell with this id shows now."""
        return self.output(cell_id).inner_text()

    def save(self) -> dict:
        """Save the notebook; gives what is in the file."""
        self.command("docmanager:save")
        self.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
        return json.loads(self.path.read_text(encoding="utf-8"))

    def screenshot(self, name: str, element: Locator | None = None) -> Path:
        """A picture of the window, or of one element, in build/screenshots/<name>.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        (element or self.page).screenshot(path=path)
        return path

    def close(self) -> None:
        """End the notebook's kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget?.sessionContext.shutdown()")
