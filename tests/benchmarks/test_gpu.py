"""The measurement on GPUs, tried out with a small network on the processor."""

import json

import torch

from tests.benchmarks import gpu


def test_every_side_is_measured_and_written_down(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = tmp_path / "here" / "gpu.md"
    small = ["--image-size", "64", "--batch", "4", "--steps", "2", "--photos", "12"]
    gpu.main(["--out", str(out), "--device", "cpu", "--networks", "test_efficientnet", *small])
    *lines, last = capsys.readouterr().out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["what"] for row in rows] == 2 * ["features"] + 4 * ["training"]
    assert all(row["photos_per_second"] > 0 for row in rows)
    assert [row["of_the_limit"] for row in rows if row["side"].startswith("limit")] == [1, 1]
    assert last.endswith(str(out))
    table = out.read_text()
    assert table.count("| test_efficientnet |") == 6 and "minibatches of 4, 64 pixels" in table


def test_without_a_gpu_it_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu.networks, "device", lambda: torch.device("cpu"))
    gpu.main(["--out", str(tmp_path / "gpu.md")])
    assert capsys.readouterr().out.startswith("There is no GPU here") and not list(tmp_path.iterdir())
