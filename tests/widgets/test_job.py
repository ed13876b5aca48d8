"""Work in a thread: it is started once, stopped, its errors are kept; in place they are raised."""

import threading

import pytest

from cvtune_nb.errors import Stopped
from cvtune_nb.widgets import job as job_module
from cvtune_nb.widgets.job import Job, NotReady, headless


def test_a_job_in_place_gives_its_result():
    job = Job()
    assert job.start(lambda progress: progress(0.5, "half") or 42, block=True)
    assert (job.state, job.result, job.share, job.words) == ("done", 42, 0.5, "half")


def test_an_error_in_place_is_raised_and_in_a_thread_is_kept():
    def fail(progress):
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        Job().start(fail, block=True)
    job = Job()
    job.start(fail)
    assert job.wait(10)
    assert (job.state, str(job.error)) == ("failed", "lost")


def test_stop_ends_the_work_at_its_next_report():
    job, begun, go_on = Job(), threading.Event(), threading.Event()

    def work(progress):
        begun.set()
        go_on.wait(10)
        progress(0.1, "never said")
        return "never reached"

    job.start(work)
    assert begun.wait(10)
    job.stop()
    assert job.stopping
    go_on.set()
    assert job.wait(10)
    assert (job.state, job.result, job.words) == ("stopped", None, "")


def test_work_that_keeps_what_it_has_gives_it_when_stopped():
    job, begun, go_on = Job(), threading.Event(), threading.Event()

    def work(progress):
        try:
            begun.set()
            go_on.wait(10)
            progress(0.1, "")
        except Stopped:
            return "kept"

    job.start(work)
    assert begun.wait(10)
    job.stop()
    go_on.set()
    assert job.wait(10)
    assert (job.state, job.result) == ("stopped", "kept")


def test_a_second_start_is_refused_while_the_first_runs():
    job, go_on = Job(), threading.Event()
    assert job.start(lambda progress: go_on.wait(10))
    assert not job.start(lambda progress: "second")
    go_on.set()
    assert job.wait(10)
    assert job.result is True


def test_listeners_hear_the_beginning_the_end_and_not_every_step(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(job_module.time, "monotonic", lambda: next(clock) / 50)
    job, heard = Job(), []
    job.listeners.append(lambda job: heard.append((job.state, job.words)))
    job.start(lambda progress: [progress(i / 100, str(i)) for i in range(100)], block=True)
    assert heard[0] == ("running", "")
    assert heard[-1] == ("done", "99")
    assert 5 <= len(heard) < 30


def test_not_ready_is_one_friendly_line():
    assert NotReady("Press Train above first.")._render_traceback_() == ["▸ Press Train above first."]


def test_headless_without_a_kernel_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("CVTUNE_HEADLESS")
    assert headless()
    monkeypatch.setenv("CVTUNE_HEADLESS", "0")
    assert not headless()


def test_work_that_comes_instead_ends_what_is_under_way():
    job, begun, told = Job(), threading.Event(), []
    job.listeners.append(lambda job: told.append(job.state))

    def endless(progress):
        while True:
            progress(0.5, "still at it")
            begun.set()

    job.start(endless)
    assert begun.wait(10)
    assert not job.start(lambda progress: "refused")
    assert job.start(lambda progress: "this one", instead=True)
    assert job.wait(10)
    assert (job.state, job.result, job.error) == ("done", "this one", None)
    assert set(told) == {"running", "done"}, "the first one is neither stopped nor failed to those who listen"


def test_the_time_left_is_measured_and_begins_anew_with_every_step(monkeypatch):
    now, left = [100.0], []
    monkeypatch.setattr(job_module.time, "monotonic", lambda: now[0])
    job = Job()

    def work(progress):
        for share in (0.0, 0.5, 1.0, 0.0, 0.25, 0.5):
            now[0] += 10 if job.share < 0.5 else 100
            progress(share, "at it")
            left.append(job.left)

    job.start(work, block=True)
    assert left == [None, 10.0, 0.0, None, 30.0, 20.0]
    assert job.left is None, "nothing is left when it is done"
