"""Order, places and bounds of the queue, with workers that never answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from serving_examples import fresh, see

from gclip.serving import QueueFull, Service, home
from gclip.training import History, RecurrentConfig, RunConfig, Summary


class Silent:
    """A process that takes jobs and trains nothing."""

    def __init__(self, _: object) -> None:
        self.jobs, self.alone, self.ready, self.sent = set[int](), False, True, list[dict[str, Any]]()

    def send(self, header: dict[str, Any]) -> None:
        self.sent.append(header)

    def kill(self) -> None: ...

    def join(self, timeout: float) -> None: ...


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service(2, None)
    service._scheduler.pool.start = Silent  # type: ignore[assignment]
    yield service
    service.close()


@pytest.fixture
def busy(service: Service) -> Service:
    """A service all of whose places are taken."""
    for i in range(6):
        service.submit(fresh(), f"busy {i}")
    assert len(service._scheduler.jobs) == 6
    return service


def places(service: Service, configs: list[RunConfig]) -> list[int | None]:
    return [see(service, config.key).place for config in configs]


def test_jobs_go_to_the_worker_with_the_fewest(busy):
    assert [len(process.jobs) for process in busy._scheduler.pool.processes] == [3, 3]


def test_owners_take_turns(busy):
    ann = [config for units in range(1, 5) for config in fresh(2, hidden_units=units)]
    busy.submit(ann, "ann")
    bob = [config for units in range(5, 7) for config in fresh(hidden_units=units)]
    busy.submit(bob, "bob")
    assert places(busy, ann) == [1, 2, 4, 5, 7, 8, 9, 10]
    assert places(busy, bob) == [3, 6]
    busy.stop("busy 0")
    assert places(busy, bob) == [1, 4]
    assert places(busy, ann) == [None, None, 2, 3, 5, 6, 7, 8]


def test_a_comparison_is_not_torn_apart(busy, jobs):
    comparisons = [fresh(70) for _ in range(4)]
    for i, configs in enumerate(comparisons):
        busy.submit(configs, f"owner {i}")
    busy.stop("busy 0")
    busy.stop("busy 1")
    assert [len(job) for job in jobs] == [210, 70]


def test_a_batch_has_at_most_256_lanes(busy, jobs):
    busy.submit(fresh(300), "ann")
    for i in range(3):
        busy.stop(f"busy {i}")
    assert [len(job) for job in jobs] == [256, 44]


def test_a_batch_of_large_networks_is_smaller(busy, jobs):
    busy.submit(fresh(300, hidden_units=512, hidden_layers=8, epochs=1), "ann")
    busy.stop("busy 0")
    (job,) = jobs
    assert 1 < len(job) < 20


def test_idle_workers_share_what_waits(service, jobs):
    service.submit(fresh(192), "ann")
    assert [len(job) for job in jobs] == [96, 96]


def test_a_few_runs_are_not_shared_out(service, jobs):
    service.submit(fresh(33), "ann")
    assert [len(job) for job in jobs] == [32, 1]


@pytest.mark.parametrize(("record", "lanes"), [(Summary, [5, 5]), (History, [10])])
def test_recurrent_runs_are_shared_out_unless_their_charts_grow_in_step(service, jobs, record, lanes):
    service.submit([RecurrentConfig(steps=20, init_seed=seed) for seed in range(10)], "ann", record)
    assert [len(job) for job in jobs] == lanes


def test_summaries_and_histories_are_not_trained_together(service, jobs):
    configs = fresh(2)
    full, brief = service.submit(configs, "ann"), service.submit(configs, "bob", Summary)
    assert {Summary.PREFIX + key for key in full} == set(brief)
    assert [set(job) for job in jobs] == [set(full), set(brief)]


def test_a_shared_run_waits_while_anybody_wants_it(busy):
    (config,) = fresh()
    busy.submit([config], "ann")
    busy.submit([config], "bob")
    busy.submit([], "ann")
    assert see(busy, config.key).state == "waiting"
    busy.submit([], "bob")
    assert busy.snapshot(config.key) is None
    assert not len(busy._scheduler.waiting)


def test_stopped_while_waiting(busy):
    (config,) = fresh()
    busy.submit([config], "ann")
    busy.stop("ann")
    assert see(busy, config.key).state == "stopped"
    busy.submit([config], "ann")
    assert see(busy, config.key).state == "waiting"


def test_one_owner_may_have_600_runs_waiting(busy):
    kept = fresh(600)
    busy.submit(kept, "ann")
    with pytest.raises(QueueFull, match="601 runs would wait; at most 600"):
        busy.submit(fresh(601), "ann")
    assert places(busy, kept)[-1] == 600
    busy.submit([*kept[:300], *fresh(300)], "ann")
    assert len(busy._scheduler.waiting) == 600


def test_12000_runs_may_wait(busy):
    for i in range(20):
        busy.submit(fresh(600), f"owner {i}", Summary)
    with pytest.raises(QueueFull, match="12000 runs wait already"):
        busy.submit(fresh(), "late")
    assert "late" not in busy._watches
    busy.submit(fresh(600), "owner 0", Summary)
    assert len(busy._scheduler.waiting) == 12_000


def test_only_the_last_watcher_cancels_a_batch(service):
    ann, bob = fresh(2)
    service.submit([ann, bob], "ann")
    service.submit([bob], "bob")
    (process, *_) = service._scheduler.pool.processes
    service.submit([], "ann")
    assert [header["type"] for header in process.sent] == ["start"]
    service.submit([], "bob")
    assert [header["type"] for header in process.sent] == ["start", "cancel"]
    assert not process.jobs


def test_words_of_a_cancelled_job_are_not_heard(service):
    (config,) = fresh()
    service.submit([config], "ann")
    (process, *_) = service._scheduler.pool.processes
    service.stop("ann")
    service._scheduler.heard(process, {"type": "failed", "job": 1, "error": "late"}, {})
    assert see(service, config.key).state == "stopped"


def test_ended_runs_are_forgotten_oldest_first_unless_watched(service):
    watched, others = fresh(2), fresh(4)
    for owner, configs in (("ann", watched), ("bob", others)):
        service.submit(configs, owner)
        service.stop(owner)
    service._table.limit = 4 * service._table._sizes[watched[0].key]
    service.submit([], "bob")
    known = [service._table._runs.get(config.key) is not None for config in [*watched, *others]]
    assert known == [True, True, False, False, True, True]
    assert service._table._bytes <= service._table.limit


@pytest.mark.parametrize("text", ["0", "two", "-1", "1.5"])
def test_a_wrong_number_of_workers_is_explained(monkeypatch, text):
    monkeypatch.setenv("GCLIP_WORKERS", text)
    with pytest.raises(ValueError, match=r"GCLIP_WORKERS is .*whole number"):
        Service(store=None)


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (3, 2), (4, 3), (64, 63)])
def test_the_pages_get_a_core_of_their_own_where_there_are_three(monkeypatch, cores, workers):
    monkeypatch.delenv("GCLIP_WORKERS", raising=False)
    monkeypatch.setattr(home, "cores", lambda: cores)
    assert home.workers() == workers


def test_the_environment_says_how_many_workers_and_where(monkeypatch, tmp_path):
    monkeypatch.setenv("GCLIP_WORKERS", "3")
    monkeypatch.setenv("GCLIP_HOME", str(tmp_path / "deep" / "home"))
    service = Service()
    assert service._scheduler.pool.size == 3
    assert service._store.path == tmp_path / "deep" / "home" / "runs.sqlite"
    service.close()
    with pytest.raises(RuntimeError, match="closed"):
        service.submit(fresh(), "ann")
