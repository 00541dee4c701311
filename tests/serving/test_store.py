"""The store, and everything that can be wrong with a disk."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from serving_examples import fresh, same, see, settled, until

import gclip
from gclip.serving import database
from gclip.serving import store as store_module
from gclip.serving.rows import to_row
from gclip.serving.store import Store
from gclip.training import History

Opener = Callable[..., Store]


@pytest.fixture(scope="module")
def histories() -> list[History]:
    return gclip.run(fresh(6))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "runs.sqlite"


@pytest.fixture
def opened(path: Path) -> Iterator[Opener]:
    stores: list[Store] = []

    def build(where: Path = path, **settings: int) -> Store:
        stores.append(Store(where, **settings))
        return stores[-1]

    yield build
    for store in stores:
        store.close()


@pytest.fixture
def filled(path: Path, histories: list[History]) -> Path:
    """The file of a store with all histories, closed."""
    store = Store(path)
    for history in histories:
        store.put(history)
    assert store.flush()
    store.close()
    return path


def edit(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def works(store: Store, history: History) -> bool:
    """Say whether a run put into ``store`` comes back from it."""
    key = history.config.key
    store.put(history)
    return store.flush() and same(store.load([key])[key], history)


def test_runs_survive_a_restart(filled, opened, histories):
    keys = [history.config.key for history in histories]
    loaded = opened().load([*keys, "unknown"])
    assert loaded.keys() == set(keys)
    assert all(same(loaded[history.config.key], history) for history in histories)


def test_a_service_finds_what_an_earlier_one_trained(make, path, jobs):
    configs = fresh(3)
    first = make(1, path)
    settled(first, first.submit(configs, "ann"))
    first.close()
    second = make(1, path)
    assert see(second, configs[2].key).state == "done"
    keys = second.submit(configs, "bob")
    assert [see(second, key).state for key in keys] == ["done"] * 3
    assert all(same(see(second, key).history, see(first, key).history) for key in keys)
    assert len(jobs) == 1
    assert not second._scheduler.pool.processes


def test_loading_a_few_runs_is_quick(filled, opened, histories):
    store = opened()
    store.load(["warm"])
    costs = []
    for _ in range(5):
        start = time.perf_counter()
        store.load([history.config.key for history in histories[:4]])
        costs.append(time.perf_counter() - start)
    assert min(costs) < 0.01


OTHER = """
import sys
from pathlib import Path
import gclip
from gclip.serving.store import Store
store = Store(Path(sys.argv[1]))
for seed in range(3):
    store.put(gclip.run([gclip.RunConfig(epochs=4, init_seed=seed)])[0])
print(store.flush(), store.notices(), flush=True)
sys.stdin.read()
"""


def test_two_processes_may_share_the_file(path, opened, histories):
    store, theirs = opened(), [gclip.RunConfig(epochs=4, init_seed=seed).key for seed in range(3)]
    command = [sys.executable, "-c", OTHER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        mine = itertools.cycle(histories)
        until(lambda: works(store, next(mine)) and len(store.load(theirs)) == 3, 60)  # Both write all the while.
        assert other.stdout
        assert other.stdout.readline() == "True []\n"
        other.communicate()
    keys = [history.config.key for history in histories]
    assert store.load(keys).keys() == set(keys)
    assert store.notices() == []


def test_a_damaged_file_is_set_aside(filled, opened, histories):
    filled.write_bytes(b"This is no database. " * 500)
    store = opened()
    assert store.load([histories[0].config.key]) == {}
    (notice,) = store.notices()
    assert "damaged" in notice
    (aside,) = filled.parent.glob("runs.sqlite.damaged-*")
    assert aside.name in notice
    assert aside.read_bytes().startswith(b"This is no database.")
    assert works(store, histories[0])


def test_a_file_damaged_in_the_middle_is_set_aside_or_its_rows_are_dropped(filled, opened, histories):
    content = bytearray(filled.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 2048] = b"\xa5" * 2048
    filled.write_bytes(content)
    store = opened()
    assert store.load([history.config.key for history in histories]) == {}
    assert store.notices()
    assert works(store, histories[0])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload", b"noise"),
        ("payload", "text"),
        ("payload", b""),
        ("config", "{"),
        ("config", '{"clipper": 3}'),
        ("events", "[1]"),
    ],
)
def test_a_damaged_row_is_dropped(filled, opened, histories, column, value):
    bad, good = (history.config.key for history in histories[:2])
    edit(filled, f"UPDATE runs SET {column} = ? WHERE key = ?", value, bad)
    store = opened()
    assert store.load([bad, good]).keys() == {good}
    assert "A stored run was damaged" in store.notices()[0]
    assert store.flush()
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("SELECT count(*) FROM runs WHERE key = ?", (bad,)).fetchone() == (0,)
    assert works(store, histories[0])


def test_an_unfinished_run_is_not_taken_for_a_whole_one(filled, opened, histories):
    history = histories[0]
    part = History.restore(history.config, {name: rows[:1] for name, rows in history.arrays().items()}, [])
    edit(filled, "UPDATE runs SET payload = ? WHERE key = ?", to_row(part).payload, history.config.key)
    assert opened().load([history.config.key]) == {}


def test_runs_of_other_numerics_are_dropped_without_a_word(filled, opened, histories, monkeypatch):
    old = histories[0].config.key
    monkeypatch.setattr("gclip.training.config.NUMERICS_VERSION", 999)
    store = opened()
    assert store.load([old]) == {}
    assert store.flush()
    assert store.notices() == []


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 99", "PRAGMA user_version = 0"])
def test_a_store_of_another_version_is_set_aside(filled, opened, histories, statement):
    edit(filled, statement)
    store = opened()
    assert store.load([histories[0].config.key]) == {}
    assert "another version" in store.notices()[0]
    assert len(list(filled.parent.glob("runs.sqlite.version-*[0-9]"))) == 1
    assert works(store, histories[0])


def test_a_missing_column_counts_as_damage(filled, opened, histories):
    edit(filled, "ALTER TABLE runs RENAME COLUMN payload TO load")
    store = opened()
    assert store.load([histories[0].config.key]) == {}
    assert "damaged" in store.notices()[0]
    assert works(store, histories[0])


def test_no_writable_disk(tmp_path, opened, histories):
    (tmp_path / "file").write_text("in the way")
    store = opened(tmp_path / "file" / "runs.sqlite")
    until(store.notices)
    assert "cannot be written" in store.notices()[0]
    assert "kept in memory" in store.notices()[0]
    store.put(histories[0])
    assert store.load([histories[0].config.key])


def test_a_full_disk(opened, histories, monkeypatch):
    monkeypatch.setattr(store_module, "RETRY", 0.05)
    store = opened()
    assert works(store, histories[0])
    pages = store._writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    store._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}"))
    monkeypatch.setattr(store._writer, "close", lambda: store._writer._connection.rollback())
    for history in histories[1:]:
        store.put(history)
    until(store.notices)
    assert "disk is full" in store.notices()[0]
    keys = [history.config.key for history in histories]
    assert store.load(keys).keys() == set(keys)
    monkeypatch.undo()
    store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    assert store.flush(10)
    assert store.notices() == []


def test_a_locked_file_is_waited_for(filled, opened, histories, monkeypatch):
    monkeypatch.setattr(store_module, "RETRY", 0.05)
    store = opened()
    assert store.flush()
    store._writer.timeout = 0.05
    store._writer.close()
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.put(histories[0])
        until(store.notices)
        assert "locked" in store.notices()[0]
        start = time.perf_counter()
        assert store.load([history.config.key for history in histories])
        assert time.perf_counter() - start < 4  # A writer would wait for five seconds.
        other.execute("ROLLBACK")
    assert store.flush()
    assert store.notices() == []


def test_a_store_deleted_under_way_is_begun_anew(opened, histories, path):
    store = opened()
    assert works(store, histories[0])
    for file in path.parent.iterdir():
        file.unlink()
    assert works(store, histories[1])
    assert path.exists()


def test_the_least_recently_used_go_first(path, opened, histories):
    one = len(to_row(histories[0]).payload)
    store = opened(limit=4 * one)
    keys = [history.config.key for history in histories]
    for history in histories[:3]:
        assert works(store, history)
    assert store.load(keys[:1])
    assert store.flush()
    for history in histories[3:]:
        store.put(history)
        assert store.flush()
    left = store.load(keys).keys()
    assert keys[-1] in left
    assert keys[1] not in left
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT sum(bytes) FROM runs").fetchone()[0] <= 4 * one


def test_no_store_is_no_trouble(histories):
    store = Store(None)
    store.put(histories[0])
    assert store.load([histories[0].config.key]) == {}
    store.close()
    assert store.notices() == []


def test_nothing_in_the_store_can_run_code(filled, opened, histories):
    import pickle
    import zlib

    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    payload = zlib.compress(pickle.dumps(Bomb()))
    edit(filled, "UPDATE runs SET payload = ?", payload)
    assert opened().load([history.config.key for history in histories]) == {}


def test_a_file_set_aside_while_it_is_being_opened_is_not_written_to(filled, histories, monkeypatch):
    """Of two threads that open a damaged store at once, one is still opening it when the other sets it aside."""
    base, looked = database.Database(filled, timeout=1), database.version
    moved: list[Path] = []

    def look(connection: sqlite3.Connection) -> tuple[int, int]:
        result = looked(connection)
        if not moved:
            moved.append(database.set_aside(filled, "damaged"))
            database.Database(filled, timeout=1).run(lambda connection: None)
        return result

    monkeypatch.setattr(database, "version", look)
    base.run(lambda connection: None)
    base.run(lambda connection: database.write(connection, [to_row(histories[0])], {}, 10**9))
    base.close()
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
