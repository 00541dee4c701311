"""The worker's turns, in this process."""

import io
import queue
from collections.abc import Iterator

import pytest
from serving_examples import fresh

from gclip.serving.wire import read_frame, unpack
from gclip.serving.worker import Job, Worker, merge
from gclip.training import RunConfig, one_thread, train


@pytest.fixture(autouse=True)
def as_in_a_worker() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def worker() -> Worker:
    return Worker(queue.SimpleQueue(), io.BytesIO())


def command(kind: str, job: int, *configs: RunConfig) -> dict[str, object]:
    return {"type": kind, "job": job, "configs": [config.model_dump(mode="json") for config in configs]}


def said(worker: Worker) -> list[dict[str, object]]:
    worker.out.seek(0)
    return [unpack(message)[0] for message in iter(lambda: read_frame(worker.out), None)]


def test_a_new_job_goes_first_and_a_cancelled_one_leaves(worker):
    for number in (1, 2, 3):
        worker.commands.put(command("start", number, *fresh()))
    worker.commands.put(command("cancel", 2))
    worker.obey()
    assert [job.number for job in worker.jobs] == [3, 1]


def test_the_first_chunk_is_sent_at_once_and_the_end_is_told(worker):
    job = Job(7, fresh(epochs=40))
    assert worker.advance(job)
    assert [header["type"] for header in said(worker)] == ["rows"]
    while worker.advance(job):
        pass
    assert [header["type"] for header in said(worker)][-2:] == ["rows", "done"]


def test_a_config_that_is_refused_is_told(worker):
    worker.start(1, [{"epochs": -1}])
    (header,) = said(worker)
    assert header["type"] == "failed"
    assert not worker.jobs


def test_joined_chunks_are_the_same_numbers():
    chunks = list(train(fresh(2, epochs=30)))
    (joined,) = merge(chunks)
    assert joined.steps == range(480)
    for name, array in joined.arrays.items():
        assert array.tobytes() == b"".join(chunk.arrays[name].tobytes() for chunk in chunks)
    assert sum(map(len, joined.events.values())) == sum(len(found) for c in chunks for found in c.events.values())
