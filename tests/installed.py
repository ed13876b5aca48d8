"""The wheel in an empty environment, used as the README says: python -m tests.installed --work FOLDER.

The wheel and the sdist are built, the wheel is installed, sample photos are made and the whole workbook is run on them,
and `cvtune lab` is started until notebook 00 answers. One JSON line: seconds of each step, and megabytes.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import venv
from pathlib import Path

from tests.browser.jlab import free_port

CHECKOUT = Path(__file__).parent.parent


def main() -> None:
    """Do each step and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder that is not there yet")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True)
    seconds, scripts = {}, work / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    environment = {**os.environ, "CVTUNE_HOME": str(work / "home")}
    environment.pop("PYTHONPATH", None)

    def do(step: str, *command: object, folder: Path = work) -> str:
        begun = time.monotonic()
        done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, text=True, stdout=subprocess.PIPE)
        if done.returncode:
            raise SystemExit(f"{step} ended with {done.returncode}\n{done.stdout}")
        seconds[step] = round(time.monotonic() - begun, 1)
        return done.stdout

    do("build", sys.executable, "-m", "hatchling", "build", "--directory", work / "dist", folder=CHECKOUT)
    [wheel], [sdist] = (list((work / "dist").glob(kind)) for kind in ("*.whl", "*.tar.gz"))
    venv.create(work / "env", with_pip=True)
    pip = (scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    do("install", *pip, "-c", CHECKOUT / "constraints.txt", wheel)
    do("sample", scripts / "cvtune", "sample", "photos", "--images-per-class", 12)
    place = ("--data", "photos", "--preset", "quick", "--image-size", 64, "--json")
    exported = json.loads(do("run", scripts / "cvtune", "run", *place))["export"]["folder"]
    photo = next(path for path in sorted((work / "photos").rglob("*.*")) if path.suffix in (".jpg", ".png"))
    assert json.loads(do("predict", scripts / "cvtune", "predict", exported, photo, "--json"))
    begun = time.monotonic()
    opened(scripts / "cvtune", work, environment)
    seconds["lab"] = round(time.monotonic() - begun, 1)
    size = sum(path.stat().st_size for path in (work / "env").rglob("*") if path.is_file()) / 1e6
    print(
        json.dumps(
            {"seconds": seconds, "environment_mb": round(size), "wheel_mb": round(mb(wheel), 2)}
            | {"sdist_mb": round(mb(sdist), 2)}
        )
    )


def mb(file: Path) -> float:
    """Its size."""
    return file.stat().st_size / 1e6


def opened(cvtune: Path, work: Path, environment: dict[str, str]) -> None:
    """Start `cvtune lab`, wait until notebook 00 is served at the link that it prints, and end it."""
    log = work / "lab.log"
    command = [str(cvtune), "lab", "--no-browser", "--port", str(free_port())]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=work, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            link = re.search(r"(http://127\.0\.0\.1:\d+)/lab/tree/(\S+)\?(token=\w+)", log.read_text())
            if link:
                host, notebook, token = link.groups()
                with urllib.request.urlopen(f"{host}/api/contents/{notebook}?{token}", timeout=30) as page:
                    assert json.load(page)["name"] == "00_start_here.ipynb"
                return
            time.sleep(0.2)
        raise SystemExit(f"cvtune lab printed no link\n{log.read_text()}")
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
