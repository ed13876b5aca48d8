"""One process at a time trains a run."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from cvtune_nb import cli
from cvtune_nb.classification import earlier_run, fit, load_run, runs
from cvtune_nb.errors import InputError, Stopped
from cvtune_nb.runs import cost, lock
from cvtune_nb.runs.store import LOCK, TRAINING, locked
from tests.made_runs import CONFIG, made_run

DOING = {"doing": "training run 001", "way_out": "wait for it"}
HOLD = """
import sys, time
from pathlib import Path
from cvtune_nb.runs import cost, lock
with lock.holding(Path(sys.argv[1]), "training run 001", "wait for it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process():
    """Starts a process that holds the lock in a file until its input ends."""
    started = []

    def hold(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_is_told_who_has_the_lock_since_when(tmp_path, other_process):
    file = tmp_path / LOCK
    process = other_process(file)
    since = r"since 20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    told = rf"-c \(process {process.pid} on this machine, {since}\) is training run 001: wait"
    with pytest.raises(lock.Held, match=told), lock.holding(file, **DOING):
        pytest.fail("two processes have it")
    assert issubclass(lock.Held, InputError)
    assert lock.holder(file).pid == process.pid
    process.communicate()
    assert lock.holder(file) is None
    with lock.holding(file, **DOING):
        assert lock.holder(file).pid == os.getpid()


def test_the_lock_of_a_killed_process_is_free(tmp_path, other_process):
    file = tmp_path / LOCK
    process = other_process(file)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [path.name for path in tmp_path.glob("*.json")] == ["run.lock.json"], "what it has left"
    assert lock.holder(file) is None
    assert not list(tmp_path.glob("*.json")), "is cleared away"
    with lock.holding(file, **DOING):
        pass


def test_two_threads_of_one_process_do_not_share_it(tmp_path):
    with lock.holding(tmp_path / LOCK, **DOING):
        refused = []

        def second():
            try:
                with lock.holding(tmp_path / LOCK, **DOING):
                    pass
            except lock.Held as error:
                refused.append(str(error))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"process {os.getpid()}" in refused[0]
    with lock.holding(tmp_path / LOCK, **DOING):
        pass


def test_who_only_looks_stands_in_nobodys_way(tmp_path):
    """Many look at what a killed process has left, while others take the lock."""
    file, stop, failed = tmp_path / LOCK, threading.Event(), []
    beside = file.with_name(f"{file.name}.json")
    with lock.holding(file, **DOING):
        note = beside.read_text()

    def look():
        while not stop.is_set():
            beside.write_text(note)
            lock.holder(file)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with lock.holding(file, **DOING):
                pass
    except InputError as error:
        failed.append(error)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_wait_ends_with_the_lock_or_the_person(tmp_path, other_process, monkeypatch):
    monkeypatch.setattr(lock, "POLL", 0.05)
    process, told = other_process(tmp_path / LOCK), []

    def progress(share, words):
        told.append(words)
        if len(told) == 3:
            process.stdin.close()

    lock.wait(tmp_path / LOCK, progress, "waiting for run 001")
    assert len(told) >= 3 and told[0].startswith("waiting for run 001: -c (process")
    other_process(tmp_path / LOCK)

    def stop(share, words):
        raise Stopped

    with pytest.raises(Stopped):
        lock.wait(tmp_path / LOCK, stop)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["/usr/bin/cvtune", "train", "--epochs", "3"], "cvtune train"),
        (["/x/cvtune_nb/__main__.py", "escalate"], "cvtune escalate"),
        (["/x/ray/default_worker.py"], "a Ray worker"),
        (["my_program.py"], "my_program.py"),
        ([""], "a Python program"),
    ],
)
def test_a_holder_is_called_by_its_command(monkeypatch, argv, words):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "argv", argv)
    assert lock.command() == words


def test_a_notebook_is_called_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    assert lock.command() == "a notebook"


# -- runs -----------------------------------------------------------------------------------------------------


def test_a_run_that_is_being_trained_is_called_so_and_left_alone(workspace, other_process):
    run, ended = made_run(workspace, 0.5, state="stopped"), made_run(workspace, 0.5, epochs=9)
    other_process(run.folder / LOCK)
    other_process(ended.folder / LOCK)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != LOCK}
    assert load_run(workspace, run.id).state == TRAINING
    assert runs(workspace)["state"].tolist() == [TRAINING, "done"], "what has ended stays ended"
    assert earlier_run(workspace, run.config).id == run.id
    with pytest.raises(lock.Held, match=rf"is training run {run.id}: wait for it .*--wait.*--seed"):
        fit(workspace, run=run.id)
    load_run(workspace, run.id).save()  # as whoever reads it may do
    after = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != LOCK}
    before.pop("config.json"), after.pop("config.json")  # its time
    assert after == before


def test_one_that_has_ended_comes_before_one_that_is_being_trained(workspace, other_process):
    done, live = made_run(workspace, 0.5), made_run(workspace, 0.6, state="stopped")
    other_process(live.folder / LOCK)
    assert earlier_run(workspace, done.config).id == done.id


def test_what_is_being_trained_teaches_nothing_about_time(workspace, other_process):
    run = made_run(workspace, 0.5)
    assert len(cost.past_errors(runs(workspace))) == 1
    (run.folder / "result.json").unlink()
    other_process(run.folder / LOCK)
    assert cost.past_errors(runs(workspace)) == []


def test_a_run_holds_its_lock_from_the_first_moment_to_the_last(workspace):
    seen = []

    def progress(share, words):
        found = runs(workspace)
        seen.append(tuple(found["state"]))

    run = fit(workspace, replace(CONFIG, epochs=1, head="random"), progress=progress)
    assert set(seen) <= {(), (TRAINING,)} and (TRAINING,) in seen
    assert load_run(workspace, run.id).state == "done"
    assert not list(run.folder.glob("*.lock.json"))


def test_a_run_whose_training_fails_is_free_again(workspace):
    def fail(share, words):
        if "epoch" in words:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fit(workspace, CONFIG, progress=fail)
    assert load_run(workspace, "last").state == "interrupted"


def test_two_runs_are_made_side_by_side(workspace):
    first = made_run(workspace, 0.5, state="stopped")
    with locked(first.folder):
        other = fit(workspace, replace(CONFIG, epochs=1, head="random", seed=5))
        assert other.state == "done"
        assert load_run(workspace, first.id).state == TRAINING


# -- the command ----------------------------------------------------------------------------------------------


def command(workspace, *others):
    shown = ["--backbone", CONFIG.backbone, "--image-size", "64", "--epochs", "2"]
    return cli.main(["train", "--workspace", str(workspace.folder), *shown, *others])


def test_the_same_command_says_who_is_training_and_how_to_wait(workspace, other_process, capsys):
    run = made_run(workspace, 0.5, state="stopped")
    process = other_process(run.folder / LOCK)
    assert command(workspace) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"(process {process.pid} on this machine, since" in told and f"is training run {run.id}: wait" in told
    assert "--wait" in told and "--seed" in told and "going on with it" not in told
    assert command(workspace, "--resume", run.id) == 2


def test_it_waits_and_then_shows_the_run_that_was_finished_meanwhile(workspace, other_process, monkeypatch, capsys):
    monkeypatch.setattr(lock, "POLL", 0.05)
    run = made_run(workspace, 0.5, state="stopped")
    process = other_process(run.folder / LOCK)
    whole = lock.wait

    def meanwhile(*arguments):
        replace(run, state="done").save()
        process.stdin.close()
        whole(*arguments)

    monkeypatch.setattr(lock, "wait", meanwhile)
    assert command(workspace, "--wait") == 0
    told = capsys.readouterr()
    assert f"run {run.id} is being trained by -c (process {process.pid} on this machine" in told.err
    assert f"run {run.id} has these parameters and is done: showing it" in told.err
    assert f"run {run.id}: done" in told.out
    assert len(runs(workspace)) == 1


def test_it_waits_and_then_goes_on_with_the_run_that_was_killed(workspace, other_process, monkeypatch, capsys):
    monkeypatch.setattr(lock, "POLL", 0.05)
    shown = ["--head", "random", "--epochs", "1"]
    assert (
        cli.main(
            ["train", "--workspace", str(workspace.folder), "--backbone", CONFIG.backbone, "--image-size", "64", *shown]
        )
        == 0
    )
    run = load_run(workspace, "last")
    for name in ("result.json", "checkpoint.safetensors", "history.csv", "predictions.csv"):
        (run.folder / name).unlink()  # as if it had been killed in its first epoch
    process = other_process(run.folder / LOCK)
    threading.Timer(1.0, process.kill).start()
    capsys.readouterr()
    assert (
        cli.main(
            [
                "train",
                "--workspace",
                str(workspace.folder),
                "--backbone",
                CONFIG.backbone,
                "--image-size",
                "64",
                *shown,
                "--wait",
            ]
        )
        == 0
    )
    again = load_run(workspace, run.id)
    assert (again.state, len(again.history), len(runs(workspace))) == ("done", 1, 1)
    assert f"run {run.id} has these parameters: going on with it" in capsys.readouterr().err


def test_a_run_without_a_finished_epoch_has_no_best_one(workspace, monkeypatch, capsys):
    from cvtune_nb import classification

    run = made_run(workspace, 0.5, state="stopped")
    monkeypatch.setattr(classification, "fit", lambda *_, **__: replace(run, history=run.history[:0]))
    assert command(workspace) == 3
    told = capsys.readouterr().out
    assert "no epoch was finished" in told
    assert "best epoch" not in told and "-1" not in told and "0.0%" not in told
