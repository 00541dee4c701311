"""Workers that die, jobs that raise, parents that are killed."""

import os
import signal
import subprocess
import sys

import pytest
from serving_examples import fresh, long, rows, same, see, settled, until

import gclip
from gclip.serving.process import Pool


def test_a_worker_killed_in_mid_run_costs_nothing_but_time(served):
    configs = long(2, epochs=700)
    keys = served.submit(configs, "ann")
    until(lambda: rows(served, keys[0]))
    before = see(served, keys[0]).history
    (process,) = served._scheduler.pool.processes
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: see(served, keys[0]).message)
    assert "signal 9" in see(served, keys[0]).message
    assert rows(served, keys[0]) >= before.steps_done
    for snapshot, history in zip(settled(served, keys), gclip.run(configs), strict=True):
        assert snapshot.state == "done"
        assert "gives the same numbers" in snapshot.message
        assert same(snapshot.history, history)
    assert any("replaced" in notice for notice in served.notices())


def test_a_run_that_kills_its_worker_twice_is_given_up(spoilt):
    (key,) = spoilt.submit(fresh(batch_seed=667), "ann")
    (snapshot,) = settled(spoilt, [key])
    assert snapshot.state == "failed"
    assert "2 times" in snapshot.message
    good = spoilt.submit(fresh(), "ann")
    assert settled(spoilt, good)[0].state == "done"


def test_a_run_that_raises_fails_alone(spoilt):
    good = fresh(3)
    (bad,) = fresh(batch_seed=666)
    keys = spoilt.submit([*good[:1], bad, *good[1:]], "ann")
    states = [snapshot.state for snapshot in settled(spoilt, keys)]
    assert states == ["done", "failed", "done", "done"]
    message = see(spoilt, bad.key).message
    assert message == "This run could not be trained: ZeroDivisionError: no such number"
    assert all(same(see(spoilt, config.key).history, gclip.run([config])[0]) for config in good)


def test_a_failed_run_is_tried_again_when_asked_for(spoilt, jobs):
    (config,) = fresh(batch_seed=666)
    for times in (1, 2):
        settled(spoilt, spoilt.submit([config], "ann"))
        assert len(jobs) == times


PARENT = """
import sys
from gclip.serving import Service
from gclip.training import RunConfig
service = Service(1, None)
(key,) = service.submit([RunConfig(epochs=1250, hidden_units=256, hidden_layers=2)], "ann")
while not service.snapshot(key).history.steps_done:
    pass
print("training", flush=True)
sys.stdin.read()
"""


def test_workers_leave_when_their_parent_is_killed():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdout
    assert parent.stdout.readline().strip() == b"training"
    parent.kill()
    # The worker holds the other end of stderr: this returns when it has left, and it has a long run to train.
    _, log = parent.communicate(timeout=10)
    assert b"Traceback" not in log


def test_workers_that_never_get_ready_are_started_with_more_and_more_patience(monkeypatch):
    class Stillborn:
        ready = False

    now = 100.0
    monkeypatch.setattr("gclip.serving.process.time.monotonic", lambda: now)
    pool = Pool(1, listener=None, start=lambda listener: Stillborn())  # type: ignore[arg-type, return-value]
    pool.wanted = True
    waits = []
    for _ in range(4):
        assert pool.fill() is None
        pool.remove(pool.processes[0])
        waits.append(pool.fill())
        now += waits[-1] or 0
    assert waits == pytest.approx([1, 2, 4, 8])
