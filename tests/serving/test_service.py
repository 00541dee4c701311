"""The service with a real worker."""

import threading
import time

import numpy as np
from serving_examples import endless, fresh, fresh_recurrent, long, rows, same, see, settled, until

import gclip
from gclip.clipping import ClipByNorm, ClipByValue, ClipDerivative, NoClip
from gclip.serving import Service
from gclip.training import Summary


def test_same_numbers_as_in_this_process(served):
    configs = [*fresh(2, clipper=ClipByNorm(1.0)), *fresh(epochs=30), *fresh(2, clipper=ClipByValue(5.0)), *fresh()]
    keys = served.submit(configs, "ann")
    assert keys == [config.key for config in configs]
    for snapshot, config, history in zip(settled(served, keys), configs, gclip.run(configs), strict=True):
        assert (snapshot.state, snapshot.place, snapshot.message) == ("done", None, "")
        assert snapshot.config == config
        assert same(snapshot.history, history)


def test_recurrent_runs_come_back_from_the_worker_and_from_the_store_as_they_are(make, tmp_path, jobs):
    texts = {"problem": "characters", "learning_rate": 0.5}
    configs = [
        *fresh_recurrent(2, clipper=ClipByNorm(0.1)),
        *fresh_recurrent(clipper=ClipDerivative(0.01, 0.1), bad_scale=50.0, bad_step=30),
        *fresh_recurrent(problem="sum", cell="RNN"),
        *fresh_recurrent(**texts),
        *fresh_recurrent(learning_rate=1000.0, bad_scale=1e6, bad_step=2),  # It diverges: events travel, too.
        *fresh(),
    ]
    want, path = gclip.run(configs), tmp_path / "runs.sqlite"
    first = make(1, path)
    keys = first.submit(configs, "ann")
    for snapshot, config, history in zip(settled(first, keys), configs, want, strict=True):
        assert (snapshot.state, snapshot.config) == ("done", config)
        assert same(snapshot.history, history)
    assert want[5].verdict == "diverged"
    assert len(jobs) == 4
    first.close()
    again = make(1, path)
    assert again.submit(configs, "bob") == keys
    for key, history in zip(keys, want, strict=True):
        assert see(again, key).state == "done"
        assert same(see(again, key).history, history)
    assert len(jobs) == 4


def test_summaries_come_back_from_the_worker_and_from_the_store_as_they_are(make, tmp_path, jobs):
    configs = [*fresh(3, clipper=ClipByNorm(1.0)), *fresh(clipper=NoClip()), *fresh_recurrent()]
    want, path = gclip.run(configs, Summary), tmp_path / "runs.sqlite"
    first = make(1, path)
    keys = first.submit(configs, "ann", Summary)
    assert keys == [Summary.key_of(config) for config in configs]
    for snapshot, summary in zip(settled(first, keys), want, strict=True):
        assert snapshot.state == "done"
        assert same(snapshot.record, summary)
    first.close()
    again = make(1, path)
    again.submit(configs, "bob", Summary)
    assert all(same(see(again, key).record, summary) for key, summary in zip(keys, want, strict=True))
    assert len(jobs) == 2
    # The full history of the same run is another record, trained when somebody asks for it.
    (snapshot,) = settled(again, again.submit(configs[:1], "bob"))
    assert same(Summary.of(snapshot.history), want[0])


def test_a_stopped_summary_goes_on_where_it_was(served):
    (config,) = long()
    (key,) = served.submit([config], "ann", Summary)
    until(lambda: see(served, key).record.steps_done)
    served.stop("ann")
    stopped = see(served, key)
    assert (stopped.state, stopped.record.done) == ("stopped", False)
    (done,) = settled(served, served.submit([config], "ann", Summary))
    assert same(done.record, gclip.run([config], Summary)[0])


def test_nobody_trains_the_same_run_twice(served, jobs):
    (config,) = endless()
    (key,) = served.submit([config, config], "ann")[:1]
    until(lambda: rows(served, key))
    assert served.submit([config], "bob") == [key]
    assert see(served, key).state == "training"
    served.submit([], "ann")
    assert see(served, key).state == "training"
    (short,) = fresh()
    settled(served, served.submit([short], "ann"))
    served.submit([short], "cid")
    assert see(served, short.key).state == "done"
    assert jobs == [[key], [short.key]]


def test_a_comparison_is_one_batch(served, jobs):
    keys = served.submit(fresh(5), "ann")
    settled(served, keys)
    assert jobs == [keys]


def test_waiting_runs_of_all_owners_are_merged(served, jobs):
    blocks = [key for owner in "abc" for key in served.submit(endless(), owner)]
    ann, bob = fresh(3), fresh(2)
    other = fresh(hidden_units=7)
    keys = served.submit(ann, "ann") + served.submit([*bob, ann[0]], "bob") + served.submit(other, "cid")
    assert [see(served, config.key).place for config in [*ann, *bob, *other]] == [1, 2, 3, 4, 5, 6]
    for owner in "abc":
        served.stop(owner)
    settled(served, keys)
    assert len(jobs) == 5
    assert set(jobs[3]) == {config.key for config in [*ann, *bob]}
    assert {see(served, key).state for key in blocks} == {"stopped"}


def test_a_slider_moved_away_cancels_and_moved_back_goes_on(served):
    (config,) = long(epochs=700)
    (key,) = served.submit([config], "ann")
    until(lambda: rows(served, key))
    served.submit([], "ann")
    stopped = see(served, key)
    assert stopped.state == "stopped"
    assert not served._scheduler.jobs
    served.submit([config], "ann")
    assert rows(served, key) == stopped.history.steps_done
    (done,) = settled(served, [key])
    assert same(done.history, gclip.run([config])[0])


def test_a_batch_goes_on_while_one_lane_is_wanted(served):
    first, second = endless(2)
    served.submit([first, second], "ann")
    served.submit([second], "ann")
    assert see(served, first.key).state == "training"
    until(lambda: rows(served, first.key) > 500)
    assert rows(served, first.key) == rows(served, second.key)
    served.submit([], "ann")
    assert [see(served, key).state for key in (first.key, second.key)] == ["stopped", "stopped"]


def test_stop_keeps_what_others_want(served):
    mine, ours = endless(2)
    served.submit([mine, ours], "ann")
    served.submit([ours], "bob")
    until(lambda: rows(served, ours.key))
    served.stop("ann")
    stopped = see(served, mine.key)
    assert (stopped.state, see(served, ours.key).state) == ("stopped", "training")
    assert "Stopped" in stopped.message
    assert stopped.history.steps_done > 0
    until(lambda: rows(served, ours.key) > stopped.history.steps_done + 500)
    assert rows(served, mine.key) == stopped.history.steps_done


def test_a_new_job_is_seen_soon_although_others_run(served):
    until(lambda: all(process.ready for process in served._scheduler.pool.processes))
    blocks = [key for owner in "ab" for key in served.submit(endless(), owner)]
    until(lambda: all(rows(served, key) for key in blocks))
    waits = []
    for _ in range(3):
        (key,) = served.submit(endless(), "ann")
        waits.append(until(lambda key=key: rows(served, key)))
    assert min(waits) < 2
    assert {see(served, key).state for key in blocks} == {"training"}


def test_snapshots_are_still_and_cheap(served):
    keys = served.submit(long(120, hidden_units=3), "ann")
    until(lambda: rows(served, keys[0]))
    before = see(served, keys[0])
    steps, losses = before.history.steps_done, before.history.loss.copy()
    until(lambda: rows(served, keys[0]) > steps)
    assert before.history.steps_done == steps
    np.testing.assert_array_equal(before.history.loss, losses)
    assert np.shares_memory(before.history.loss, see(served, keys[0]).history.loss)
    costs = []
    for _ in range(5):
        start = time.perf_counter()
        for key in keys:
            served.snapshot(key)
        costs.append(time.perf_counter() - start)
    assert min(costs) < 0.015


def test_many_threads_at_once(served):
    configs = fresh(12)
    owners = [threading.Thread(target=served.submit, args=(configs[i % 4 :], f"owner {i}")) for i in range(24)]
    for owner in owners:
        owner.start()
    for owner in owners:
        owner.join()
    assert {snapshot.state for snapshot in settled(served, [config.key for config in configs])} == {"done"}
    assert not served._scheduler.jobs
    assert not len(served._scheduler.waiting)


def test_unknown_keys_have_no_snapshot(served):
    assert served.snapshot("0123456789abcdef") is None


def test_a_session_that_leaves_is_dropped_after_its_grace_and_kept_if_it_returns(make):
    service: Service = make(1, None, grace=2)
    gone, stays = endless(2)
    for owner, config in (("gone", gone), ("stays", stays)):
        service.submit([config], owner)
        service.release(owner)
    service.keep("stays")
    assert see(service, gone.key).state in ("waiting", "training")
    assert until(lambda: service.snapshot(gone.key) is None or see(service, gone.key).state == "stopped") < 20
    assert "gone" not in service._watches
    assert see(service, stays.key).state in ("waiting", "training")


def test_release_never_waits(served):
    with served._lock:
        caller = threading.Thread(target=lambda: (served.release("nobody"), served.keep("nobody")))
        caller.start()
        caller.join(10)
        assert not caller.is_alive()
