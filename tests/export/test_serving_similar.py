"""The web service of exported look-alikes, asked over real connections."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from cvtune_nb.similarity import export_similarity
from cvtune_nb.workspace import Workspace
from tests.serving import MULTIPART, Running, form


@pytest.fixture(scope="module")
def alike(classifier_export):
    """A server of look-alikes that asks for a token, and their export."""
    made = export_similarity(Workspace(classifier_export.folder.parents[1]), "test_resnet:random@64")
    running = Running(made.zip, "--token", "secret")
    yield running, made
    assert running.end()[0] == 0


GIVEN = {"authorization": "Bearer secret"}


@pytest.mark.parametrize("address", ["/predict", "/similar"])
def test_a_photo_gets_its_look_alikes(alike, exported_photos, address):
    server, made = alike
    body = form(*((path.name, path.read_bytes()) for path in exported_photos[:2]), ("bad.jpg", b"<html>"))
    status, _, value = server.ask("POST", f"{address}?top=36", body, **MULTIPART, **GIVEN)
    assert status == 200
    *good, bad = value["predictions"]
    assert bad == {"name": "bad.jpg", "error": "not a photo: a web page"}
    from cvtune_nb.export.predict import Similar

    for row, expected in zip(good, Similar(made.folder).predict(exported_photos[:2], 36), strict=True):
        assert len(row["similar"]) == len(exported_photos) == 36
        assert row["similar"][0]["path"] == f"{Path(expected['path']).parent.name}/{row['name']}"
        assert [each["distance"] for each in row["similar"]] == pytest.approx(
            [each["distance"] for each in expected["similar"]], abs=1e-5
        )
    status, _, value = server.ask("POST", address, exported_photos[0].read_bytes(), content_type="image/jpeg", **GIVEN)
    assert (status, len(value["predictions"][0]["similar"])) == (200, 10)
    status, _, value = server.ask("POST", f"{address}?top=37", b"x", content_type="image/jpeg", **GIVEN)
    assert (status, value["error"]) == (400, "top is '37': give a number from 1 to 36")


def test_look_alikes_are_described_and_shown_small(alike):
    server, _ = alike
    assert server.ask("GET", "/labels", **GIVEN)[2] == {
        "labels": ["circle", "square", "stripes"],
        "image_size": 64,
        "distance": "cosine",
        "photos": 36,
        "kind": "similarity",
    }
    connection = server.connection()
    connection.request("GET", "/thumbnails/35.jpg", headers={"Authorization": "Bearer secret"})
    answer = connection.getresponse()
    image = Image.open(io.BytesIO(answer.read()))
    connection.close()
    assert (answer.status, answer.headers["content-type"], image.format) == (200, "image/jpeg", "JPEG")
    assert max(image.size) <= 96
    assert server.ask("GET", "/thumbnails/35.jpg")[0] == 401
    for name in ("36", "x", "-1", "9" * 5000, "%00", "..%2F..%2Fetc%2Fpasswd", "35.jpg/../35"):
        status, _, value = server.ask("GET", f"/thumbnails/{name}.jpg", **GIVEN)
        assert status == 404 and value["error"]
    assert server.ask("GET", "/similar", **GIVEN)[0] == 405


def test_thumbnails_that_are_not_ours_are_not_unpacked(tmp_path):
    from cvtune_nb.export.serving.thumbnails import LARGEST, Thumbnails

    assert Thumbnails(tmp_path).jpeg("0") is None
    with zipfile.ZipFile(tmp_path / "thumbnails.zip", "w") as packed:
        packed.writestr("0.jpg", b"good")
        packed.writestr("1.jpg", bytes(50_000_000), zipfile.ZIP_DEFLATED)
        packed.writestr("2.jpg", bytes(LARGEST + 1))
    found = Thumbnails(tmp_path)
    assert [found.jpeg(number) for number in ("0", "1", "2", "3", "../0")] == [b"good", None, None, None, None]
    (tmp_path / "thumbnails.zip").write_bytes(b"hello")
    assert Thumbnails(tmp_path).jpeg("0") is None
