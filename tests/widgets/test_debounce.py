"""Work that waits until the controls have come to rest."""

import sys
import threading
import time
from types import SimpleNamespace

import pytest

from cvtune_nb.widgets import debounce
from cvtune_nb.widgets.debounce import Soon


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(debounce, "PAUSE", 0.05)


def test_many_calls_are_one():
    done = []
    later = Soon(lambda still: done.append(still()))
    for _ in range(20):
        later()
    later.join(10)
    assert done == [True]


def test_a_newer_call_ends_the_work_before_it_and_never_runs_beside_it():
    begun, running, most, seen = threading.Semaphore(0), [], [], []

    def work(still):
        running.append(1)
        most.append(len(running))
        begun.release()
        while len(seen) == 0 and still():
            time.sleep(0.005)
        seen.append(still())
        time.sleep(0.3)  # it takes a while to end
        running.pop()

    later = Soon(work)
    later()
    assert begun.acquire(timeout=10)
    later()  # while the first is at work
    later.join(10)
    assert seen == [False, True]
    assert most == [1, 1]


def test_some_work_begins_at_once(monkeypatch):
    monkeypatch.setattr(debounce, "PAUSE", 60)
    done = []
    later = Soon(lambda still: done.append(still()), pause=0.0)
    later()
    later.join(10)
    assert done == [True]


def test_what_is_cancelled_does_not_begin():
    done = []
    later = Soon(lambda still: done.append(still()))
    later()
    later.cancel()
    later.join(10)
    assert done == []


def test_at_the_end_all_work_is_waited_for_and_what_it_drew_is_sent(monkeypatch):
    begun, done = threading.Event(), []

    def work(still):
        begun.set()
        while still():
            time.sleep(0.005)
        done.append("ended")

    later = Soon(work)
    later()
    assert begun.wait(10)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(flush=lambda: done.append("sent")))
    debounce.let_all_end()
    assert done == ["ended", "sent"]
