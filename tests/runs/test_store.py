"""Runs on disk, with the smallest kind of them."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from cvtune_nb.errors import InputError
from cvtune_nb.runs.provenance import EARLIER
from cvtune_nb.runs.store import TRAINING, locked, require_idle
from tests.toy import PHOTOS, Config, data_of, store_in


def made(store, *errors, config=None, state="done", photos=PHOTOS):
    """A run whose epochs were off by so much."""
    run = store.new(config or Config(), data_of(photos), photos)
    rows = [(epoch, 0.1, error, 1.0) for epoch, error in enumerate(errors, 1)]
    history = pd.DataFrame(rows, columns=run.HISTORY)
    if errors:
        save_file({"w": torch.zeros(1)}, run.checkpoint, {"history": json.dumps(history.to_dict("records"))})
    run = replace(run, history=history, state=state)
    run.save()
    return run


def test_several_that_begin_at_once_get_a_folder_each(tmp_path):
    store = store_in(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: store.new_folder(Config()), range(16)))
    assert sorted(folder.name for folder in folders) == [f"{number:03d}-straight-line-64" for number in range(1, 17)]
    assert store.ids() == [], "a run is there once it is written"


def test_runs_beyond_the_thousandth(tmp_path):
    store = store_in(tmp_path)
    (tmp_path / store.folder / "998-straight-line-64").mkdir(parents=True)
    made_then = [made(store, 0.2).id for _ in range(3)]
    assert [name.split("-")[0] for name in made_then] == ["999", "1000", "1001"]
    assert store.ids() == made_then and store.load("last").id == made_then[-1]
    assert list(store.table()["run"]) == made_then


def test_the_best_epoch_and_the_first_of_equals(tmp_path):
    store = store_in(tmp_path)
    assert made(store, 0.5, 0.3, 0.3, 0.4).best_epoch == 2
    run = made(store)
    assert (run.best_epoch, run.best("error"), run.seconds) == (-1, 0.0, 0.0)
    with pytest.raises(InputError, match=f"run {run.id} has no finished epoch yet"):
        run.best_weights()


def test_a_run_is_loaded_by_its_id_or_as_the_best_or_the_last(tmp_path):
    store = store_in(tmp_path)
    for name in ("best", "last"):
        with pytest.raises(InputError, match="has no line yet: fit one"):
            store.load(name)
    last = made(store, state="interrupted")
    with pytest.raises(InputError, match="has no line yet"):
        store.load("best")
    with pytest.raises(InputError, match=rf"has no run '9': choose one of those there are \({last.id}\)"):
        store.load("9")
    first, second = made(store, 0.2), made(store, 0.2)
    assert store.load("last").id == second.id and store.load("best").id == first.id
    assert store.load(first.id).history.equals(first.history)


def test_runs_of_earlier_data_are_not_the_best(tmp_path):
    run = made(store_in(tmp_path), 0.2)
    relabelled = PHOTOS.assign(label=["x", "x", "y"])
    store = store_in(tmp_path, relabelled)
    assert store.table()["data"].tolist() == [""], "the same number of photos is the same data of this kind"
    fewer = store_in(tmp_path, PHOTOS[:2])
    assert fewer.table()["data"].tolist() == [EARLIER] and fewer.best() is None
    with pytest.raises(InputError, match=rf"newest of them {run.id} \(1 validation photo changed"):
        fewer.load("best")
    assert fewer.load(run.id).id == run.id


def test_an_earlier_run_that_has_ended_comes_first(tmp_path):
    store = store_in(tmp_path)
    assert store.earlier(Config()) is None
    ended, _ = made(store, 0.3), made(store, 0.2, state="stopped")
    assert store.earlier(Config()).id == ended.id
    assert store.earlier(Config(seed=1)) is None and store.earlier(Config(epochs=2)) is None
    assert store.earlier(Config(epochs=2), at_least=True).id == ended.id
    assert store.earlier(Config(epochs=4), at_least=True) is None
    assert store_in(tmp_path, PHOTOS[:2]).earlier(Config()) is None


def test_the_table_has_the_parameters_and_what_runs_came_to(tmp_path):
    store = store_in(tmp_path)
    columns = list(store.table().columns)
    made(store, 0.3, config=Config(seed=4))
    replace(made(store, state="interrupted"), changes=["out of memory"]).save()
    table = store.table()
    assert list(table.columns) == columns
    assert columns[:4] == ["run", "state", "data", "line"] and columns[-4:] == [
        "error",
        "seconds",
        "predicted_seconds",
        "changed",
    ]
    assert table["seed"].tolist() == [4, 0] and table["error"].tolist() == [0.3, 0.0]
    assert table["best_epoch"].tolist() == [1, -1] and table["changed"].tolist() == [False, True]


def test_a_run_that_is_being_trained_says_so(tmp_path):
    store = store_in(tmp_path)
    run = made(store, 0.3, state="stopped")
    require_idle(store.load(run.id))
    with locked(run.folder):
        training = store.load(run.id)
        assert training.state == TRAINING and store.on_disk(run.id).state == "stopped"
        with pytest.raises(InputError, match=f"is training run {run.id}: wait"):
            require_idle(training)
    assert store.load(run.id).state == "stopped"


def test_runs_are_chosen_from_their_table(tmp_path):
    store = store_in(tmp_path)
    runs = [made(store, 0.2), made(store, 0.3), made(store, state="stopped"), made(store, 0.3, state="beaten")]
    first, second, begun, beaten = (run.id for run in runs)
    kind, table = store.kind, store.table()
    assert kind.finished(table)["run"].tolist() == [first, second, beaten]
    assert kind.unfinished(table)["run"].tolist() == [begun]
    assert kind.unfinished(table, ["beaten"])["run"].tolist() == [beaten]
    assert kind.best_first(kind.finished(table))["run"].tolist() == [second, beaten, first]
    table["data"] = EARLIER
    assert kind.finished(table).empty and kind.unfinished(table).empty
