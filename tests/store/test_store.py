"""Transactions: whole or not at all, on the disk when they return, and usable again after every trouble."""

import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store.store import Store
from tests.store.samples import alert, attempt, entry, incident, verdict

WRITE_AND_DIE = """
import os, signal, sys
from escalatord.store.store import Store
store = Store(sys.argv[1])
store.open()
store.write(lambda tx: tx.set_setting("answered", "yes"))
def die(tx):
    tx.set_setting("answered", "no")
    os.kill(os.getpid(), signal.SIGKILL)
store.write(die)
"""


def setting(store: Store) -> str | None:
    """Return what the store remembers under the one name used here."""
    return store.read(lambda tx: tx.setting("answered"))


def remember(store: Store, value: str = "yes") -> None:
    """Write the one thing used here."""
    store.write(lambda tx: tx.set_setting("answered", value))


def test_what_was_committed_is_there_after_a_restart(store, open_store):
    """Close, open, and everything is as it was."""
    store.write(lambda tx: tx.save([incident(1)]))
    store.write(lambda tx: tx.save_alerts([(alert(), verdict())]))
    store.write(lambda tx: (tx.append([entry(1)]), tx.outbox_add([attempt("a")])))
    store.close()
    again = open_store()
    assert {1: incident(1, version=1)} == again.read(lambda tx: tx.load([1]))
    assert {"f1": alert()} == again.read(lambda tx: tx.alerts("am", ["f1"]))
    assert (True, attempt("a")) == again.read(lambda tx: (tx.verify(1), tx.outbox_get("a")))


def test_a_killed_process_loses_nothing_it_answered(url, open_store):
    """SIGKILL inside a transaction: the one before it stays, this one never was, and the lock is free."""
    done = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, url], cwd=Path.cwd(), check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert setting(open_store()) == "yes"


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit], ids=lambda kind: kind.__name__)
def test_whatever_is_raised_rolls_back(store, raised):
    """A transaction that did not end well never was."""

    def work(tx):
        tx.set_setting("answered", "yes")
        raise raised

    with pytest.raises(raised):
        store.write(work)
    assert setting(store) is None
    remember(store)
    assert setting(store) == "yes"


def test_write_returns_what_the_work_returns(store):
    """The answer of a unit of work is handed on."""
    assert store.write(lambda tx: 42) == 42


def test_read_sees_one_snapshot_and_changes_nothing(store):
    """While somebody reads, writes go on beside it, and reading cannot write."""
    remember(store, "before")

    def work(tx):
        first = tx.setting("answered")
        writer = Thread(target=remember, args=(store, "after"))
        writer.start()
        writer.join()
        return first, tx.setting("answered")

    assert store.read(work) == ("before", "before")
    assert setting(store) == "after"
    with pytest.raises((StoreUnavailableError, OperationalError)):
        store.read(lambda tx: tx.set_setting("answered", "no"))
    assert setting(store) == "after"


def test_a_connection_that_cannot_roll_back_is_replaced(store):
    """Even a broken connection costs one transaction, not the store."""

    def work(tx):
        tx.set_setting("answered", "no")
        store._writer.connection.dbapi_connection.close()
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        store.write(work)
    remember(store)
    assert setting(store) == "yes"


def test_a_defect_in_sql_is_not_called_trouble(store):
    """Wrong SQL is a defect: it is raised as it is, without its parameters, and rolls back."""
    with pytest.raises((OperationalError, ProgrammingError)) as caught:
        store.write(lambda tx: tx._connection.execute(text("SELECT * FROM nowhere WHERE name = :n"), {"n": "hunter2"}))
    assert "hunter2" not in str(caught.value)
    remember(store)


def test_a_closed_store_is_unavailable(store, url):
    """Before opening and after closing nothing can be committed; closing twice is fine."""
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError, match="not open"):
        remember(store)
    with pytest.raises(StoreUnavailableError, match="not open"):
        setting(Store(url))


@pytest.mark.parametrize(
    "address",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///x.db?mode=memory",
        "mysql://localhost/x",
        "nonsense",
    ],
)
def test_what_would_not_survive_is_refused(address):
    """Memory forgets, and other databases are not supported."""
    with pytest.raises(StoreRefusedError):
        Store(address)


def test_an_address_is_never_shown_when_refused():
    """It may hold a password."""
    with pytest.raises(StoreRefusedError) as caught:
        Store("mysql://ana:hunter2@localhost/x")
    assert "hunter2" not in str(caught.value)


def test_serving_imports_neither_alembic_nor_aiohttp(tmp_path):
    """Neither making a new database nor opening an old one waits for a migration tool."""
    program = (
        "import sys\n"
        "from escalatord.store.store import Store\n"
        "for _ in range(2):\n"
        "    store = Store(sys.argv[1])\n"
        "    store.open()\n"
        "    store.close()\n"
        "assert not {'alembic', 'aiohttp', 'sqlalchemy.orm', 'twilio'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, f"sqlite:///{tmp_path}/x.db"], check=True, timeout=60)
