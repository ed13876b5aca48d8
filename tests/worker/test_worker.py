"""A process that does the heavy work of a notebook."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time

import psutil
import pytest

from cvtune_nb.errors import InputError, Stopped, WorkerDied
from cvtune_nb.files import silent
from cvtune_nb.worker import Worker, attach, client, under_way
from tests.worker import work


@pytest.fixture(scope="module")
def worker():
    return Worker()


def until(happened, seconds=30.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def stop_at(share):
    def progress(done, words):
        if done >= share:
            raise Stopped

    return progress


def test_it_works_in_another_process_that_is_kept(worker):
    told = []
    total, process = worker.run(work.add, 2, b=3, progress=lambda share, words: told.append((share, words)))
    assert total == 5 and process == worker.pid
    assert (0.5, "adding") in told or told == [(0.0, "")]  # it may be done before it is asked
    assert worker.run(work.pid, progress=silent) == process


def test_what_it_shows_is_shown_here(worker):
    shown = []
    assert worker.run(work.show_each, 5, progress=silent, live={"on_step": shown.append}) == "shown"
    assert shown == [0, 1, 2, 3, 4]


def test_progress_comes_through_and_a_stop_goes_back(worker, tmp_path):
    with pytest.raises(Stopped):
        worker.run(work.wait_for, tmp_path / "never", progress=stop_at(0.25))
    assert worker.run(work.wait_for, tmp_path / "never", keep=True, progress=stop_at(0.25)) == "kept"


def test_what_it_raises_is_raised_here(worker):
    with pytest.raises(InputError, match=r"photo.jpg is no photo") as raised:
        worker.run(work.bad_input, progress=silent)
    assert raised.value.found == {"file": "photo.jpg"}
    with pytest.raises(IndexError) as raised:
        worker.run(work.crash, progress=silent)
    assert "return [][1]" in str(raised.value.__cause__)
    with pytest.raises(RuntimeError, match="can't be passed on"):
        worker.run(work.not_to_be_sent, progress=silent)
    assert worker.run(work.add, 1, 1, progress=silent)[0] == 2


def test_an_error_in_what_shows_the_work_stops_it(worker):
    def fail(step):
        raise ZeroDivisionError("no picture")

    with pytest.raises(ZeroDivisionError, match="no picture"):
        worker.run(work.show_each, 10_000_000, progress=silent, live={"on_step": fail})
    assert worker.run(work.add, 1, 1, progress=silent)[0] == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_when_it_dies_we_live_and_it_is_started_anew(worker, number):
    before = worker.run(work.pid, progress=silent)
    with pytest.raises(WorkerDied, match=rf"ended unexpectedly \(signal {number.name}\)") as raised:
        worker.run(work.killed, number=number, progress=silent)
    assert not raised.value.out_of_memory
    if number == signal.SIGSEGV:
        assert "in killed" in raised.value.details  # where it was
    assert worker.run(work.pid, progress=silent) != before


def test_one_that_was_killed_for_memory_says_so(worker, monkeypatch, tmp_path):
    counts = iter([3, 4])
    monkeypatch.setattr(client, "kills", lambda: next(counts))
    with pytest.raises(WorkerDied, match="Memory ran out") as raised:
        worker.run(work.killed, progress=silent)
    assert raised.value.out_of_memory


def test_one_that_was_killed_while_idle_is_started_anew(worker):
    process = psutil.Process(worker.run(work.pid, progress=silent))
    process.kill()
    process.wait(10)
    assert worker.run(work.pid, progress=silent) != process.pid


def test_it_is_started_and_imports_before_it_is_needed():
    worker = Worker()
    worker.warm("tests.worker.work")
    until(lambda: worker.pid)
    assert worker.run(work.imported, "tests.worker.work", progress=silent)


def test_one_that_ended_because_it_was_idle_is_started_anew():
    worker = Worker()
    first = worker.run(work.pid, progress=silent)
    assert worker.run(work.leave, progress=silent, first=first) != first


def test_one_after_the_other(worker, tmp_path):
    said, done = [], []

    def second():
        done.append(worker.run(work.pid, progress=lambda _, words: said.append(words)))

    begun = []
    first = threading.Thread(
        target=lambda: worker.run(work.wait_for, tmp_path / "go", progress=lambda *_: begun.append(True))
    )
    first.start()
    until(lambda: begun)
    other = threading.Thread(target=second)
    other.start()
    until(lambda: said)
    assert not done
    (tmp_path / "go").touch()
    first.join()
    other.join()
    assert said[0] == "waiting until the other work of this notebook has ended" and done == [worker.pid]


def test_another_kernel_can_watch_and_stop_what_a_first_began(tmp_path):
    first, record, told = Worker(), tmp_path / "work" / "Panel.json", []
    begun = threading.Thread(
        target=lambda: told.append(first.run(work.wait_for, tmp_path / "go", progress=silent, record=record))
    )
    begun.start()
    until(record.exists)
    if sys.platform != "win32":
        assert stat.S_IMODE(record.stat().st_mode) == 0o600  # it has the key
    assert under_way(record)
    words = []

    def progress(share, said):
        words.append(said)
        if "waiting for the file" in words:
            (tmp_path / "go").touch()

    assert attach(record, progress) == "found"
    begun.join()
    assert told == ["found"] and not record.exists() and not under_way(record)


KERNEL = """
import sys
from pathlib import Path
from cvtune_nb.files import silent
from cvtune_nb.worker import Worker
from tests.worker import work

worker = Worker()
print(worker.run(work.pid, progress=silent), flush=True)
worker.run(work.wait_for, sys.argv[1], progress=silent, record=Path(sys.argv[2]))
"""


def test_work_goes_on_when_the_kernel_has_gone_and_then_the_process_ends(tmp_path):
    record, environment = tmp_path / "Panel.json", {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KERNEL, str(tmp_path / "go"), str(record)]
    kernel = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    process = psutil.Process(int(kernel.stdout.readline()))
    until(record.exists)
    kernel.kill()
    kernel.wait()
    assert under_way(record) and process.is_running()
    (tmp_path / "go").touch()
    psutil.wait_procs([process], timeout=20)
    assert not process.is_running() and not record.exists()


def test_a_record_left_by_a_killed_worker_is_deleted(tmp_path):
    first, record = Worker(), tmp_path / "Panel.json"
    with pytest.raises(WorkerDied):
        first.run(work.killed, progress=silent, record=record)
    assert not record.exists()
    record.write_text('{"port": 1, "key": "00"}')
    assert not under_way(record) and not record.exists()
    with pytest.raises(Stopped):
        attach(record, silent)


def test_without_the_key_nobody_is_heard(worker):
    import multiprocessing.connection as connections

    worker.run(work.pid, progress=silent)
    port = next(
        each.laddr.port for each in psutil.Process(worker.pid).net_connections() if each.status == psutil.CONN_LISTEN
    )
    with pytest.raises(connections.AuthenticationError):
        connections.Client(("127.0.0.1", port), authkey=b"another")
    assert worker.run(work.add, 1, 1, progress=silent)[0] == 2
