"""What durability and speed rest on: settings that were taken, and indexes that are used."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event, make_url

from escalatord.core.incident import State
from escalatord.errors import StoreRefusedError
from escalatord.store import pragmas
from tests.store.samples import NOW


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'escalatord.db'}"


def of_writer(store, name: str):
    """Return a pragma of the connection that writes."""
    return store.write(lambda tx: pragmas.pragma(tx._connection, name))


@pytest.mark.parametrize(
    ("name", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000), ("query_only", 0)],
)
def test_writer_keeps_what_durability_rests_on(store, name, value):
    """The settings are read back from the connection itself."""
    assert value == of_writer(store, name)


def test_settings_are_taken_again_by_a_new_connection(store):
    """A connection made anew after trouble is as safe as the first."""
    store._writer.invalidate()
    assert of_writer(store, "synchronous") == 2


def test_reader_cannot_write(store):
    """Reading is all that the reading connection can do."""
    assert store.read(lambda tx: pragmas.pragma(tx._connection, "query_only")) == 1


@pytest.mark.parametrize("setting", ["synchronous=NORMAL", "journal_mode=DELETE", "foreign_keys=OFF"])
def test_a_setting_not_taken_is_refused(url, setting):
    """A file system or a build that gives something else is told before the first page is lost."""
    engine = pragmas.writer(make_url(url), 1.0)
    event.listen(engine, "connect", lambda driver, _: driver.execute(f"PRAGMA {setting}").close())
    with engine.connect() as connection, pytest.raises(StoreRefusedError, match=setting.partition("=")[0]):
        pragmas.check(connection)
    engine.dispose()


def test_an_old_sqlite_is_refused(store, monkeypatch):
    """RETURNING came with 3.35."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreRefusedError, match="too old"):
        store.write(lambda tx: pragmas.check(tx._connection))


QUERIES = {
    "take_due": lambda tx: tx.due(NOW, 10, take=True),
    "take_due_alerts": lambda tx: tx.due_alerts(NOW, 10, take=True),
    "take_pending": lambda tx: tx.outbox_pending(NOW, {"sms/sim": 3}, take=True),
    "next_due": lambda tx: tx.next_due(),
    "due": lambda tx: tx.due(NOW, 10),
    "load_open": lambda tx: tx.load_open(["a", "b"]),
    "load": lambda tx: tx.load([1, 2]),
    "list_incidents": lambda tx: tx.list_incidents([State.OPEN]),
    "count_open": lambda tx: tx.count_open(),
    "alerts": lambda tx: tx.alerts("am", ["a", "b"]),
    "alerts_of": lambda tx: tx.alerts_of(1),
    "due_alerts": lambda tx: tx.due_alerts(NOW, 10),
    "recent_alerts": lambda tx: tx.recent_alerts(10),
    "alerts_of_source": lambda tx: tx.alerts_of_source("escalatord", 10),
    "touch_alerts": lambda tx: tx.touch_alerts("am", ["a"], NOW),
    "journal_of": lambda tx: tx.journal_of(1),
    "journal_after": lambda tx: tx.journal_after(1, 10),
    "last_seq": lambda tx: tx.last_seq(),
    "outbox_pending": lambda tx: tx.outbox_pending(NOW, {"sms/sim": 3}),
    "outbox_next_due": lambda tx: tx.outbox_next_due(),
    "outbox_sending": lambda tx: tx.outbox_sending(),
    "outbox_withdraw": lambda tx: tx.outbox_withdraw(1, "technical", ""),
    "outbox_of": lambda tx: tx.outbox_of(1),
    "threads": lambda tx: tx.threads([1, 2]),
    "outbox_many": lambda tx: tx.outbox_many(["a", "b"]),
    "codes_of": lambda tx: tx.codes_of("ana", NOW),
    "codes_in_use": lambda tx: tx.codes_in_use("ana", NOW),
    "codes_for": lambda tx: tx.codes_for([1, 2]),
    "release_codes": lambda tx: tx.release_codes(1, NOW),
    "overrides": lambda tx: tx.overrides(NOW),
}
# The whole of a partial index that holds only what is wanted, or its one end.
FINE_SCANS = (
    "USING COVERING INDEX incidents_open_figures",
    "USING INDEX alerts_opened",
    "USING INDEX outbox_sending",
    "SCAN (",
    "SCAN anon",
)


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_a_whole_table(store, name):
    """Every query on the hot path finds its rows by an index: what sleeps costs nothing."""
    asked = []

    def work(tx):
        driver = tx._connection.connection.dbapi_connection
        driver.set_trace_callback(asked.append)
        QUERIES[name](tx)
        driver.set_trace_callback(None)
        asked[:] = [statement for statement in asked if statement.startswith(("SELECT", "UPDATE"))]
        for statement in asked:
            for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
                step = row[3]
                assert not step.startswith("SCAN") or any(fine in step for fine in FINE_SCANS), step

    store.write(work)
    assert asked
