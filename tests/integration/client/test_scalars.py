"""No step of scalars is lost in silence: what was logged is in the store, or stands in an account."""

import contextlib
import os
import signal
import sqlite3
import threading

import pytest

import foreshock
from foreshock.outbox import SCALARS_MAX
from harness import until


def stored(daemon, run, metric="loss"):
    """How many points of a scalar the database has."""
    uri = f"file:{daemon.state_dir}/foreshock.db?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        (count,) = database.execute(
            "SELECT count(*) FROM point JOIN series ON series.id = point.series_id JOIN run ON run.id = series.run_id"
            " WHERE run.key = ? AND series.metric = ?",
            (run, metric),
        ).fetchone()
    return count


def in_background(work):
    """Runs `work` in a thread; `join` gives what it raised."""
    raised = []

    def guarded():
        try:
            work()
        except Exception as error:  # the test looks at it
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()

    def join():
        thread.join(120)
        assert not thread.is_alive()
        return raised

    return join


class Locked:
    """Another process's lock on the database: the daemon cannot write."""

    def __init__(self, daemon):
        self.database = sqlite3.connect(f"{daemon.state_dir}/foreshock.db", isolation_level=None)
        self.database.execute("BEGIN IMMEDIATE")

    def release(self):
        self.database.rollback()
        self.database.close()


def test_a_lossless_run_loses_nothing_though_its_queue_is_full_all_the_time(daemon):
    d = daemon()
    count = 120_000
    with foreshock.Run("r", endpoint=d.endpoint, wait=60) as run:
        fullest = 0
        for step in range(count):
            run.log(step, loss=1.0)
            if step % 1000 == 0:
                fullest = max(fullest, run.outbox._scalars)
        assert run.flush(60)
        assert run.dropped == foreshock.outbox.Counts() and run.outbox._scalars == 0
        assert SCALARS_MAX // 2 < fullest <= SCALARS_MAX
    assert stored(d, "r") == count


def test_a_lossless_run_waits_for_room_then_raises(path):
    with foreshock.Run("r", endpoint=f"ipc://{path}", wait=0.2) as run:
        for step in range(SCALARS_MAX):
            run.log(step, loss=1.0)
        with pytest.raises(foreshock.Timeout, match=f"{SCALARS_MAX} steps of {SCALARS_MAX}"):
            run.log(SCALARS_MAX, loss=1.0)
        assert run.dropped.scalars == 0
    assert run.dropped.scalars == SCALARS_MAX


def test_a_lossy_flood_is_stored_or_counted_to_the_last_step(daemon):
    d = daemon()
    count = 60_000
    run = foreshock.Run("r", endpoint=d.endpoint)
    for step in range(count):
        run.log(step, loss=1.0)
    assert run.flush(60)
    assert run.outbox._scalars == 0
    assert stored(d, "r") + run.dropped.scalars + run.dropped.daemon == count
    for step in range(count, 2 * count):
        run.log(step, loss=1.0)
    run.close()  # in the middle of it
    lost = run.dropped.scalars + run.dropped.daemon
    until(lambda: stored(d, "r") + lost >= 2 * count, "what was sent to be stored")
    # What was not acknowledged yet, a queue at most, counts as dropped though the daemon may have it: outbox.Counts.
    assert stored(d, "r") + lost <= 2 * count + SCALARS_MAX


def test_without_a_daemon_every_step_is_counted(path):
    run = foreshock.Run("r", endpoint=f"ipc://{path}")
    for step in range(25_000):
        run.log(step, loss=1.0)
    assert run.dropped.scalars == 15_000
    run.close()
    assert run.dropped.scalars == 25_000
    run.log(25_000, loss=1.0)
    assert run.dropped.scalars == 25_000  # a closed run is nothing


@pytest.mark.parametrize("wait", [None, 60])
def test_a_daemon_that_is_stopped_for_a_while(daemon, wait):
    d = daemon()
    count = 40_000
    with foreshock.Run("r", endpoint=d.endpoint, wait=wait) as run:
        run.log(0, loss=1.0)
        assert run.flush(20)
        os.kill(d.pid, signal.SIGSTOP)
        join = in_background(lambda: [run.log(step, loss=1.0) for step in range(1, count)])
        until(lambda: run.outbox._scalars == SCALARS_MAX, "the queue to be full")
        os.kill(d.pid, signal.SIGCONT)
        assert join() == [] and run.flush(60)
        lost = run.dropped.scalars + run.dropped.daemon
        assert lost == 0 if wait else lost > 0
        assert stored(d, "r") + lost == count


@pytest.mark.parametrize("wait", [None, 60])
def test_a_daemon_that_is_killed_and_started_again(daemon, wait):
    d = daemon()
    count = 40_000
    with foreshock.Run("r", endpoint=d.endpoint, wait=wait) as run:
        join = in_background(lambda: [run.log(step, loss=1.0) for step in range(count)])
        until(lambda: run.outbox._scalars and stored(d, "r") > 1000, "some to be stored")
        d.kill()
        d.start()
        assert join() == [] and run.flush(60)
        lost = run.dropped.scalars + run.dropped.daemon
        assert lost == 0 or not wait
        assert stored(d, "r") + lost == count


def test_a_store_that_is_behind_loses_nothing_of_a_lossless_run(daemon):
    """While the daemon's queue for the store is full a lossless run waits; what others lose is
    counted."""
    d = daemon()
    count = 30_000
    with contextlib.ExitStack() as stack:
        others = [
            stack.enter_context(foreshock.Run(f"other{n}", endpoint=d.endpoint)) for n in range(3)
        ]
        run = stack.enter_context(foreshock.Run("r", endpoint=d.endpoint, wait=60))
        for each in (*others, run):
            each.log(0, loss=1.0)
            assert each.flush(20)
        lock = Locked(d)
        for step in range(1, SCALARS_MAX):
            for other in others:
                other.log(step, loss=1.0)
        until(lambda: d.metric("foreshock_dropped_scalars_total") > 0, "the queue to be full")
        join = in_background(lambda: [run.log(step, loss=1.0) for step in range(1, count)])
        until(lambda: run.outbox._scalars == SCALARS_MAX, "the lossless run to wait")
        assert not run.flush(0.5)
        lock.release()
        assert join() == [] and run.flush(60)
        assert run.dropped == foreshock.outbox.Counts() and stored(d, "r") == count
        for other in others:
            assert other.flush(60)
            lost = other.dropped.scalars + other.dropped.daemon
            assert stored(d, other.identity.run) + lost == SCALARS_MAX
        assert sum(other.dropped.daemon for other in others) > 0
