"""What one person, one link or one run must not do to the others: take all memory, or their workers."""

from __future__ import annotations

from importlib import import_module

import pytest
from serving_examples import fresh, long, same, see, settled, until

import gclip
from gclip.serving import QueueFull, Service
from gclip.training import History, Summary

service_module = import_module("gclip.serving.service")  # The package has a function of this name.


def test_a_size_is_that_of_the_whole_record() -> None:
    (config,) = fresh()
    assert History.size_of(config) == History(config).nbytes > 50 * Summary.size_of(config)


def test_one_person_may_not_fill_the_memory(make) -> None:
    service: Service = make(1, None)
    large = fresh(80, epochs=2000, batch_size=16, n_samples=320, hidden_layers=8, hidden_units=1)
    (before,) = service.submit(fresh(), "ann")
    with pytest.raises(QueueFull, match=r"^80 runs would take 639 MB of memory; at most 256 MB may be taken"):
        service.submit(large, "ann")
    assert see(service, before).state in ("waiting", "training", "done")
    assert list(service._watches["ann"]) == [before]
    assert len(service.submit(large[:20], "ann")) == 20


def test_all_together_may_not_fill_it_and_those_who_leave_make_room(make, monkeypatch) -> None:
    service: Service = make(1, None)
    first, second, third = ([*fresh(4)] for _ in range(3))
    monkeypatch.setattr(service_module, "WATCHED", 9 * History.size_of(first[0]))
    service.submit(first, "ann")
    service.submit(second, "bob")
    with pytest.raises(QueueFull, match="looked at would take more than"):
        service.submit(third, "eve")
    assert service.submit(first, "eve")  # What others look at already takes nothing more.
    service.submit([], "bob")
    assert service.submit(third, "eve")


def test_a_refusal_leaves_no_watcher_behind(make, tmp_path, monkeypatch) -> None:
    path, stored = tmp_path / "runs.sqlite", fresh()
    first: Service = make(1, path)
    settled(first, first.submit(stored, "ann"))
    first.close()
    second: Service = make(1, path)
    monkeypatch.setattr(service_module, "MAX_PER_OWNER", 1)
    with pytest.raises(QueueFull):
        second.submit([*stored, *fresh(2)], "ann")
    assert [run.watchers for run in second._table if run.watchers] == []


def test_a_run_that_ends_workers_costs_those_beside_it_nothing_but_time(spoilt) -> None:
    innocent, beside = long(2, epochs=60), fresh(2, epochs=60, hidden_units=7)
    (killer,) = fresh(batch_seed=667, epochs=60)
    keys = spoilt.submit([*innocent, killer], "ann") + spoilt.submit(beside, "bob")
    states = {snapshot.key: snapshot.state for snapshot in settled(spoilt, keys, 120)}
    assert states == dict.fromkeys(keys, "done") | {killer.key: "failed"}
    for config in (*innocent, *beside):
        assert same(see(spoilt, config.key).history, gclip.run([config])[0])


def test_a_suspect_is_alone_on_its_worker(make) -> None:
    service: Service = make(1, None)
    (suspect,) = service.submit(long(), "ann")
    until(lambda: see(service, suspect).history.steps_done)
    service._scheduler.pool.processes[0].child.kill()
    until(lambda: see(service, suspect).message)
    (other,) = service.submit(long(), "bob")
    until(lambda: see(service, suspect).state == "training")
    assert see(service, other).state == "waiting"
    service.stop("ann")
    until(lambda: see(service, other).state == "training")
