"""What the browser is sent: pieces that add up to the whole, bands over seeds, and strict JSON."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import hypothesis.strategies as some
import numpy as np
import pytest
from dashboard_examples import PROBLEMS, altered, recurrent, snapshot, until_step
from hypothesis import given, settings

import gclip
from gclip.dashboard.feed import BANDS, EPOCHS, MARKS, STEPS, feed
from gclip.serving import Snapshot
from gclip.serving.wire import unpack
from gclip.training import History, RunConfig

START = [0, 0, 0]
SHORT = gclip.run([RunConfig(epochs=4), RunConfig(epochs=4, clipper="ClipByNorm(1.0)")])
"""Sixty-four steps: one run that diverges and one that does not."""


THROUGH_TIME = gclip.run([recurrent(p, clipper=r) for p in PROBLEMS for r in ("NoClip()", "AutoClip(10.0)")])
"""Sixty steps of each recurrent problem, unclipped and clipped."""


def one(group: Sequence[Snapshot], since: Sequence[int] = START) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a feed of one run."""
    header, arrays = unpack(feed([group], ["a"], [since]))
    return header["runs"][0], {name.removeprefix("0."): array for name, array in arrays.items()}


def counts(history: History) -> list[int]:
    return [len(history.loss), len(history.test_loss), len(history.mark_step)]


@settings(max_examples=40)
@given(some.sampled_from(SHORT), some.lists(some.integers(0, 64), max_size=8).map(sorted))
def test_pieces_put_together_are_the_whole(history: History, stops: list[int]) -> None:
    stages = [until_step(history, stop) for stop in [0, *stops, 64]]
    pieces = [one([snapshot(new, "training")], counts(old))[1] for old, new in pairwise(stages)]
    check_whole(pieces, history)


def check_whole(pieces: list[dict[str, np.ndarray]], history: History) -> None:
    """Check that pieces add up to all that is sent of a history, and hold nothing else."""
    names = {name for name in (*STEPS, *EPOCHS, *MARKS) if name in history.names}
    assert all(set(piece) == names for piece in pieces)
    for name in names:
        whole = getattr(history, name).astype(np.float32)
        assert np.concatenate([piece[name] for piece in pieces]).tobytes() == whole.tobytes()


@settings(max_examples=40)
@given(some.sampled_from(THROUGH_TIME), some.lists(some.integers(0, 60), max_size=8).map(sorted))
def test_pieces_of_a_recurrent_run_are_the_whole_with_flow_and_samples(history: History, stops: list[int]) -> None:
    stages = [until_step(history, stop) for stop in [0, *stops, 60]]
    check_whole([one([snapshot(new, "training")], counts(old))[1] for old, new in pairwise(stages)], history)


def test_flow_and_samples_are_sent_where_the_run_records_them() -> None:
    widths = {"sine": 12, "characters": 60, "sum": 40}
    for history, arrays in [(h, one([snapshot(h)])[1]) for h in THROUGH_TIME]:
        assert arrays["flow"].shape == (len(history.mark_step), 13)
        assert arrays["sample"].shape == (3, widths[history.config.model_dump()["problem"]])
    assert not {"flow", "sample"} & set(one([snapshot(SHORT[0])])[1])


def test_of_a_band_the_first_seeds_flow_and_sample_are_sent() -> None:
    group = gclip.run([recurrent("sine", init_seed=seed, batch_seed=seed) for seed in range(5)])
    _, arrays = one([snapshot(history) for history in group])
    for name in ("flow", "sample"):
        np.testing.assert_array_equal(arrays[name], getattr(group[0], name))
        assert f"{name}.low" not in arrays
    assert (arrays["loss.low"] <= arrays["loss"]).all()


def test_a_band_of_recurrent_runs_goes_as_far_as_its_slowest_seed() -> None:
    group = [snapshot(THROUGH_TIME[0]), snapshot(until_step(THROUGH_TIME[0], 30), "training")]
    _, arrays = one(group)
    assert (len(arrays["loss"]), len(arrays["sample"]), len(arrays["flow"])) == (30, 1, 20)


def test_characters_arrive_as_whole_numbers_of_the_alphabet() -> None:
    written = one([snapshot(THROUGH_TIME[2])])[1]["sample"]
    assert ((written >= 0) & (written < 45) & (written == written.round())).all()


def test_the_notes_of_recurrent_runs_come_with_the_numbers() -> None:
    for problem, pair in zip(PROBLEMS, zip(THROUGH_TIME[::2], THROUGH_TIME[1::2], strict=True), strict=True):
        groups = [[snapshot(history)] for history in pair]
        notes = [unpack(feed(groups, ["first", "second"], [START] * 2, i))[0]["notes"] for i in (0, 1)]
        assert [note["flow"].split(":")[0] for note in notes] == ["first", "second"]
        assert {"sine": "sample", "characters": "text", "sum": "scatter"}[problem] in notes[0]


def test_an_update_of_a_recurrent_run_costs_what_is_new() -> None:
    [history] = gclip.run([recurrent("sine", steps=400, sequence_length=50, hidden_units=4)])
    before = until_step(history, 380)
    assert len(feed([[snapshot(history)]], ["a"], [counts(before)])) < 6_000


def test_nothing_is_sent_twice() -> None:
    history = SHORT[1]
    assert all(not len(array) for array in one([snapshot(history)], counts(history))[1].values())


def test_counts_beyond_the_end_send_nothing() -> None:
    assert all(not len(array) for array in one([snapshot(SHORT[1])], [10**12] * 3)[1].values())


def test_an_update_costs_what_is_new() -> None:
    whole = len(feed([[snapshot(SHORT[1])]], ["a"], [START]))
    update = len(feed([[snapshot(SHORT[1])]], ["a"], [[63, 4, counts(SHORT[1])[2]]]))
    assert update < 4_000 < whole


def test_a_whole_default_run_stays_small(real: dict[str, History]) -> None:
    message = feed([[snapshot(history)] for history in real.values()], list(real), [START] * len(real))
    assert len(message) / len(real) < 200_000


def test_arrays_are_float32_as_the_browser_reads_them() -> None:
    for array in one([snapshot(SHORT[0])])[1].values():
        assert array.dtype == np.dtype("<f4")
        assert array.flags["C_CONTIGUOUS"]


def test_nan_and_inf_arrive(real: dict[str, History]) -> None:
    arrays = one([snapshot(real["unclipped"])])[1]
    assert np.isnan(arrays["loss"]).any()
    assert np.isinf(arrays["total_norm"]).any()


def no_constants(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("steps", [0, 1, 2, 9, 20, 1600])
def test_the_header_is_strict_json(real: dict[str, History], steps: int) -> None:
    groups = [[snapshot(until_step(history, steps), "training")] for history in real.values()]
    message = feed(groups, [f"{name} \u2028 «\ud83d\ude00»" for name in "abcdefg"[: len(real)]], [START] * len(real))
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length].decode("ascii"), parse_constant=no_constants)
    assert set(header) == {"runs", "notes", "arrays"}
    assert (4 + length) % 8 == 0
    assert all(entry["offset"] % 8 == 0 for entry in header["arrays"])


def test_the_header_says_how_far_each_run_is() -> None:
    groups = [
        [snapshot(until_step(SHORT[0], 20), "training")],
        [snapshot(SHORT[1])],
        [snapshot(History.empty(RunConfig(epochs=4)), "waiting", place=3)],
        [snapshot(until_step(SHORT[1], 5), "stopped")],
        [snapshot(until_step(SHORT[1], 5), "failed", message="It ended early.")],
    ]
    header, _ = unpack(feed(groups, list("abcde"), [START] * 5))
    runs = header["runs"]
    assert [run["state"] for run in runs] == ["training", "done", "waiting", "stopped", "failed"]
    assert [run["final"] for run in runs] == [False, True, False, True, True]
    assert [run["done"] for run in runs] == [20, 64, 0, 5, 5]
    assert [run["diverged"] for run in runs] == [[SHORT[0].diverged_at], [], [], [], []]
    assert "3" in runs[2]["text"]
    assert "It ended early." in runs[4]["text"]
    assert runs[0]["tone"] == "diverged"
    assert str(SHORT[0].diverged_at) in runs[0]["title"]
    assert runs[2]["tone"] == "training"


def test_a_run_whose_loss_is_infinite_is_marked_where_its_card_says(overflown: list[History]) -> None:
    header, _ = one([snapshot(overflown[0])])
    assert header["diverged"] == [overflown[0].lost_at]
    assert header["title"] == f"Diverged at step {overflown[0].lost_at}"
    group, _ = one([snapshot(history) for history in overflown])
    assert group["diverged"] == sorted(int(history.lost_at or 0) for history in overflown)


def test_notes_speak_of_the_chosen_run() -> None:
    groups = [[snapshot(history)] for history in SHORT]
    for chosen in (0, 1):
        notes = unpack(feed(groups, ["first", "second"], [START] * 2, chosen))[0]["notes"]
        assert notes["layers"].startswith(["first", "second"][chosen])


def test_a_band_gives_median_lowest_and_highest(over_seeds: dict[str, list[History]]) -> None:
    histories = over_seeds["clipped"]
    _, arrays = one([snapshot(history) for history in histories])
    for name in BANDS:
        rows = np.stack([getattr(history, name) for history in histories]).astype(float)
        np.testing.assert_allclose(arrays[name], np.median(rows, 0), rtol=1e-6)
        np.testing.assert_array_equal(arrays[f"{name}.low"], rows.min(0))
        np.testing.assert_array_equal(arrays[f"{name}.high"], rows.max(0))


def test_a_diverged_seed_counts_as_the_highest(over_seeds: dict[str, list[History]]) -> None:
    histories = over_seeds["unclipped"]
    diverged = [history.diverged_at for history in histories if history.diverged_at is not None]
    assert 0 < len(diverged) < 5
    header, arrays = one([snapshot(history) for history in histories])
    assert header["diverged"] == sorted(diverged)
    for name in ("loss", "test_loss"):
        rows = np.stack([getattr(history, name) for history in histories])
        alive = np.where(np.isfinite(rows), rows, np.inf)
        np.testing.assert_array_equal(arrays[f"{name}.low"], alive.min(0))
        np.testing.assert_array_equal(arrays[f"{name}.high"], alive.max(0))
        np.testing.assert_array_equal(arrays[name], np.sort(alive, 0)[2])
    assert np.isinf(arrays["loss.high"][-1])
    assert np.isfinite(arrays["loss.low"][-1])
    assert not np.isnan(arrays["loss"]).any()


@pytest.mark.parametrize(("broken", "median"), [(0, 3.0), (1, 3.0), (2, 3.0), (3, np.inf), (5, np.inf)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_median_is_finite_while_most_seeds_are(broken: int, median: float, bad: float) -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0][: 5 - broken] + [bad] * broken
    base = SHORT[1]
    group = [snapshot(altered(base, loss=np.full_like(base.loss, value))) for value in values]
    _, arrays = one(group)
    assert (arrays["loss"] == median).all()
    assert (arrays["loss.high"] == (np.inf if broken else 5.0)).all()
    assert (arrays["loss.low"] == (1.0 if broken < 5 else np.inf)).all()


def test_the_median_of_huge_losses_is_finite() -> None:
    huge = altered(SHORT[1], loss=np.full_like(SHORT[1].loss, 2e38))
    assert (one([snapshot(huge)] * 5)[1]["loss"] == np.float32(2e38)).all()


def test_the_clip_rate_of_a_band_is_the_mean() -> None:
    never = altered(SHORT[1], clipped=np.zeros_like(SHORT[1].clipped))
    arrays = one([snapshot(SHORT[1]), *[snapshot(never)] * 4])[1]
    np.testing.assert_allclose(arrays["clipped"], SHORT[1].clipped / 5)


def test_a_band_goes_as_far_as_its_slowest_seed() -> None:
    header, arrays = one([snapshot(SHORT[1]), snapshot(until_step(SHORT[1], 20), "training")])
    assert header["done"] == len(arrays["loss"]) == 20
    assert len(arrays["test_loss"]) == 1
    assert not header["final"]


@pytest.mark.parametrize("state", ["training", "waiting", "done", "stopped", "failed"])
@pytest.mark.parametrize("steps", [0, 5, 12, 20, 64])
def test_seeds_at_different_stages_have_a_card(state: Any, steps: int) -> None:
    rest = snapshot(until_step(SHORT[1], steps), state if steps < 64 else "done")
    if state == "done" and steps < 64:
        return
    header, _ = one([snapshot(SHORT[0]), *[rest] * 4])
    assert header["title"]
    assert header["tone"] in ("training", "learned", "still learning", "stuck", "diverged")
