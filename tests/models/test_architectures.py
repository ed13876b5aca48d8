"""What `python -m tests.architectures` does, with networks that are tiny."""

import sys

import pytest

from tests import architectures
from tests.architectures import TOLERANCE, through, workspace_at


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return workspace_at(tmp_path_factory.mktemp("architectures"), size=120)


@pytest.mark.parametrize(("name", "size"), [("test_vit3", 96), ("test_nfnet", 64), ("test_convnext", 96)])
def test_a_network_goes_from_features_to_onnx(photos, name, size):
    row = through(photos, name, size)
    assert not row.failed and row.outcome == "works" and row.difference <= TOLERANCE, row


def test_a_size_is_refused_in_one_sentence(photos):
    row = through(photos, "test_vit", 100)
    assert not row.failed and row.outcome.startswith("refused: test_vit:random can't be used at image_size 100"), row


def test_a_failure_is_a_row_and_the_rest_goes_on(monkeypatch, capsys):
    def breaks(workspace, photos, spec):
        raise RuntimeError("of two\nlines")

    monkeypatch.setattr(architectures, "features", breaks)
    monkeypatch.setattr(architectures, "ARCHITECTURES", ["test_vit", "test_nfnet"])
    monkeypatch.setattr(sys, "argv", ["architectures", "test_v*", "test_nf*"])
    assert architectures.main() == 1
    shown = capsys.readouterr().out
    assert "| test_nfnet | 96 | FAILED: RuntimeError: of two |" in shown
    assert "6 rows of 2 networks, 6 failed" in shown
