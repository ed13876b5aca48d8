import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest

from cvtune_nb import cli
from cvtune_nb.errors import InputError
from cvtune_nb.jupyter import launch as launcher
from tests.browser.jlab import CHECKOUT, free_port, private_places, wait_until_it_answers


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`cvtune lab` as a person starts it, for one whose own JupyterLab settings show line numbers."""
    private = tmp_path_factory.mktemp("jupyter")
    (private / "config" / "labconfig").mkdir(parents=True)
    own = {"@jupyterlab/notebook-extension:tracker": {"codeCellConfig": {"lineNumbers": True}}}
    (private / "config" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(own))
    environment = {**os.environ, **private_places(private)}
    for name in ("OMP_WAIT_POLICY", "JUPYTER_TOKEN", "JUPYTER_CONFIG_PATH"):
        environment.pop(name, None)
    port = free_port()
    command = [sys.executable, "-m", "cvtune_nb", "lab", "--no-browser", "--port", str(port)]
    log = private / "server.log"
    with log.open("w") as opened:
        process = subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdout=opened, stderr=subprocess.STDOUT)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/login", process, log)
        link = re.search(rf"http://127\.0\.0\.1:{port}/\S+\?token=\w+", log.read_text()).group()
        yield process, port, link
    finally:
        process.terminate()
        process.wait(20)


def fetch(server, path, token=True, data=None, method=None):
    _, port, link = server
    headers = {"Authorization": "token " + link.split("token=")[1]} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def test_the_printed_link_opens_notebook_00(server):
    link = server[2]
    assert "/lab/tree/notebooks/00_start_here.ipynb?token=" in link
    assert len(link.split("token=")[1]) >= 32
    with urllib.request.urlopen(link, timeout=30) as page:
        assert page.status == 200 and "JupyterLab" in page.read().decode()


def test_notebook_00_is_served_to_who_has_the_token_only(server):
    path = "/api/contents/notebooks/00_start_here.ipynb"
    assert json.loads(fetch(server, path))["content"]["cells"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(server, path, token=False)


def test_it_listens_on_this_machine_only(server):
    process, port, _ = server
    listening = [c.laddr for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert port in {address.port for address in listening}
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}


def test_settings_of_the_workbook_stand_beside_the_persons_own(server):
    def default(plugin, name):
        schema = json.loads(fetch(server, f"/lab/api/settings/@jupyterlab/{plugin}"))["schema"]
        return schema["properties"][name]["default"]

    assert default("apputils-extension:kernels-settings", "commsOverSubshells") == "disabled"
    assert default("apputils-extension:notification", "fetchNews") == "false"
    assert default("apputils-extension:notification", "checkForUpdates") is False
    assert default("notebook-extension:tracker", "codeCellConfig")["lineNumbers"] is True


def test_the_kernel_is_this_environments_python_with_sleeping_threads(server):
    started = json.loads(fetch(server, "/api/kernels", data=b'{"name": "python3"}'))
    kernels = []
    for child in psutil.Process(server[0].pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # one that has just ended
            if any("ipykernel_launcher" in word for word in child.cmdline()):
                kernels.append(child)
    assert [kernel.cmdline()[0] for kernel in kernels] == [sys.executable]
    assert kernels[0].environ()["OMP_WAIT_POLICY"] == "PASSIVE"
    fetch(server, f"/api/kernels/{started['id']}", method="DELETE")


def test_an_unknown_notebook_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"no notebook '99.ipynb' .*choose one of 00_start_here.ipynb, "):
        launcher.lab(notebook="99.ipynb")


@pytest.mark.parametrize("port", [0, 70000])
def test_a_port_that_is_none_exits_with_2(port, capsys):
    assert cli.main(["lab", "--port", str(port)]) == 2
    assert f"port {port} is not between 1 and 65535" in capsys.readouterr().err


def test_a_port_in_use_exits_with_2(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["lab", "--port", str(port)]) == 2
    assert f"port {port} of this machine can't be used" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="a display is a Linux matter")
def test_no_text_browser_takes_over_a_terminal(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert not launcher.has_browser()
    monkeypatch.setenv("DISPLAY", ":0")
    assert launcher.has_browser()
