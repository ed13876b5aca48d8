import numpy as np
import psutil
import pytest

from cvtune_nb.data import rows
from cvtune_nb.data.rows import RowStore
from cvtune_nb.errors import InputError


def table(first, count):
    return np.arange(first, first + count, dtype=np.float32)[:, None].repeat(3, axis=1)


def test_rows_come_back_in_any_order_from_any_shard(tmp_path):
    store = RowStore(tmp_path / "s", (3,), "float32")
    store.add(["a", "b"], table(0, 2))
    store.add(["c"], table(2, 1))
    assert np.array_equal(store.get(["c", "a", "a", "b"]), [[2] * 3, [0] * 3, [0] * 3, [1] * 3])
    assert store.get([]).shape == (0, 3)


def test_missing_keys_come_once_in_order(tmp_path):
    store = RowStore(tmp_path / "s", (3,), "float32")
    store.add(["b"], table(0, 1))
    assert store.missing(["d", "b", "a", "d"]) == ["d", "a"]


def test_a_store_can_be_opened_again_and_by_two_at_once(tmp_path):
    first, second = (RowStore(tmp_path / "s", (3,), "float32") for _ in range(2))
    first.add(["a"], table(1, 1))
    second.add(["b"], table(2, 1))
    again = RowStore(tmp_path / "s", (3,), "float32")
    assert again.missing(["a", "b"]) == []
    assert np.array_equal(again.get(["b", "a"]), [[2] * 3, [1] * 3])


def test_rows_on_disk_are_plain_arrays(tmp_path):
    RowStore(tmp_path / "s", (2, 2), "uint8").add(["a"], np.full((1, 2, 2), 7, np.uint8))
    (file,) = (tmp_path / "s").glob("*.npy")
    assert np.array_equal(np.load(file, allow_pickle=False), np.full((1, 2, 2), 7))


def test_adding_nothing_writes_nothing(tmp_path):
    RowStore(tmp_path / "s", (3,), "float32").add([], table(0, 0))
    assert not (tmp_path / "s").exists()


def test_killed_between_the_array_and_its_keys_loses_that_shard_only(tmp_path, monkeypatch):
    store = RowStore(tmp_path / "s", (3,), "float32")
    store.add(["a"], table(0, 1))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            store.add(["b"], table(1, 1))
    assert len(list((tmp_path / "s").glob("*.npy"))) == 2
    again = RowStore(tmp_path / "s", (3,), "float32")
    assert again.missing(["a", "b"]) == ["b"]
    again.add(["b"], table(5, 1))
    assert np.array_equal(RowStore(tmp_path / "s", (3,), "float32").get(["a", "b"]), [[0] * 3, [5] * 3])


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    store = RowStore(tmp_path / "s", (3,), "float32")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 11})())
    with pytest.raises(InputError) as error:
        store.add(["a"], table(0, 1))
    assert str(tmp_path / "s") in str(error.value)
    assert "free some space, or choose a folder on another disk" in str(error.value)
    assert list((tmp_path / "s").iterdir()) == []
    assert store.missing(["a"]) == ["a"]


def test_rows_of_another_shape_are_not_mistaken_for_ours(tmp_path):
    RowStore(tmp_path / "s", (3,), "float32").add(["a"], table(0, 1))
    with pytest.raises(InputError, match="holds other data than expected: delete"):
        RowStore(tmp_path / "s", (4,), "float32")


def test_a_shard_is_about_64_megabytes(tmp_path):
    store = RowStore(tmp_path / "s", (256, 256, 3), "uint8")
    assert store.row_bytes == 196_608
    assert store.shard_rows == 325
    assert RowStore(tmp_path / "t", (100_000_000,), "uint8").shard_rows == 1


def test_a_store_of_many_files_keeps_few_open(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAPPED", 2)
    RowStore(tmp_path / "s", (3,), "float32").add(["0"], table(0, 1))
    store = RowStore(tmp_path / "s", (3,), "float32")
    for number in range(1, 7):
        store.add([str(number)], table(number, 1))
    keys = ["5", "0", "6", "3", "3", "1"]
    assert store.get(keys)[:, 0].tolist() == [5, 0, 6, 3, 3, 1]
    opened = [file for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))]
    assert len(opened) == 2
