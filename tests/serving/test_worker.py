"""The worker's turns, in this process."""

import io
import queue
from collections.abc import Iterator

import numpy as np
import pytest
from serving_examples import fresh, fresh_recurrent

from gclip.serving.wire import read_frame, unpack
from gclip.serving.worker import Job, Worker, merge
from gclip.training import Chunk, Config, History, one_thread, train


@pytest.fixture(autouse=True)
def as_in_a_worker() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def worker() -> Worker:
    return Worker(queue.SimpleQueue(), io.BytesIO())


def command(kind: str, job: int, *configs: Config) -> dict[str, object]:
    return {
        "type": kind,
        "job": job,
        "record": "History",
        "configs": [config.model_dump(mode="json") for config in configs],
    }


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
    job = Job(7, fresh(epochs=40), History)
    assert worker.advance(job)
    assert [header["type"] for header in said(worker)] == ["rows"]
    while worker.advance(job):
        pass
    assert [header["type"] for header in said(worker)][-2:] == ["rows", "done"]


def test_a_config_that_is_refused_is_told(worker):
    worker.start(1, [{"epochs": -1}], "History")
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


def test_chunks_that_lack_some_arrays_are_joined_in_order():
    # What is measured now and then is not in every chunk; the others must neither hide it nor move it.
    rows = np.arange(5.0)
    parts = [
        {"loss": rows[:2]},
        {"loss": rows[2:3], "flow": rows[:1]},
        {"loss": rows[3:4]},
        {"loss": rows[4:], "flow": rows[1:2]},
    ]
    spans = [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]
    chunks = [Chunk([4], steps, part) for steps, part in zip(spans, parts, strict=True)]
    (joined,) = merge(chunks)
    assert joined.steps == range(5)
    np.testing.assert_array_equal(joined.arrays["loss"], rows)
    np.testing.assert_array_equal(joined.arrays["flow"], rows[:2])


def test_joined_chunks_of_a_recurrent_run_are_the_run():
    # Forty lanes of 64 units make stretches so short that some chunks hold neither a mark nor an evaluation.
    configs = fresh_recurrent(40, problem="characters", hidden_units=64, sequence_length=2, batch_size=1)
    chunks = list(train(configs))
    assert any("flow" not in chunk.arrays for chunk in chunks)
    assert any("test_loss" not in chunk.arrays for chunk in chunks)
    apart, together = History(configs[7]), History(configs[7])
    for history, given in ((apart, chunks), (together, merge(chunks))):
        for chunk in given:
            history.append(chunk.of_lane(7), chunk.events.get(7, []))
    assert together.done
    assert all(np.array_equal(array, getattr(apart, name)) for name, array in together.arrays().items())


def test_a_recurrent_config_is_taken_from_the_wire(worker):
    (config,) = fresh_recurrent()
    worker.start(1, command("start", 1, config)["configs"], "History")
    while worker.advance(worker.jobs[0]):
        pass
    assert [header["type"] for header in said(worker)][-1] == "done"
