"""Transactions: whole or not at all, on the disk when they return, and usable again after every trouble."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy.exc import OperationalError

from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store import store as store_module
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


def test_a_lock_held_by_another_is_waited_for_then_told(open_store):
    """Somebody with a shell holds the lock: senders are told to come again, and nothing ends for good."""
    store = open_store(busy_seconds=0.05)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="another process holds the database"):
        remember(store)
    assert setting(store) is None
    other.execute("ROLLBACK")
    other.close()
    remember(store)
    assert setting(store) == "yes"


def test_a_full_disk_is_told_and_got_over(store):
    """Nothing is saved, the ballast is freed, and when there is room the store goes on without a restart."""
    assert not store.short_of_room
    pages = store._writer.exec_driver_sql("PRAGMA page_count").scalar()
    store._writer.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    store._writer.rollback()
    with pytest.raises(StoreUnavailableError, match="the disk is full; the room held back for this was freed"):
        store.write(lambda tx: tx.set_setting("answered", "x" * 1_000_000))
    assert store.short_of_room
    assert not store._ballast._path.exists()
    with pytest.raises(StoreUnavailableError, match=r"the disk is full$"):
        store.write(lambda tx: tx.set_setting("answered", "x" * 1_000_000))
    assert setting(store) is None
    store._writer.exec_driver_sql("PRAGMA max_page_count=1000000")
    store._writer.rollback()
    remember(store)
    assert (setting(store), store.short_of_room) == ("yes", False)


def test_a_transaction_given_up_in_silence_is_not_answered(store):
    """SQLite ends a transaction on its own in bad trouble; work that did not notice must not be told yes."""

    def work(tx):
        tx.set_setting("answered", "yes")
        tx._connection.exec_driver_sql("ROLLBACK")

    with pytest.raises(StoreUnavailableError, match="gave the transaction up"):
        store.write(work)
    assert setting(store) is None
    remember(store)
    assert setting(store) == "yes"


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
    with pytest.raises(OperationalError) as caught:
        store.write(lambda tx: tx._connection.exec_driver_sql("SELECT * FROM nowhere WHERE name = ?", ("hunter2",)))
    assert "hunter2" not in str(caught.value)
    remember(store)


def test_a_closed_store_is_unavailable(store):
    """Before opening and after closing nothing can be committed; closing twice is fine."""
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError, match="not open"):
        remember(store)
    with pytest.raises(StoreUnavailableError, match="not open"):
        setting(Store(f"sqlite:///{store.path}"))


def test_a_second_process_is_refused(store, url):
    """SQLite serves exactly one; the second is told who the first is."""
    with pytest.raises(StoreRefusedError, match=f"process {os.getpid()}"):
        Store(url).open()
    remember(store)


def test_the_lock_is_free_after_closing(store, open_store):
    """A store that was closed, or could not be opened, keeps nobody out."""
    store.close()
    open_store()


@pytest.mark.parametrize(
    "address",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///x.db?mode=memory",
        "postgresql://localhost/x",
        "mysql://localhost/x",
        "nonsense",
    ],
)
def test_what_would_not_survive_is_refused(address):
    """Memory forgets, and other databases are not supported yet."""
    with pytest.raises(StoreRefusedError):
        Store(address)


def test_an_address_is_never_shown_when_refused():
    """It may hold a password."""
    with pytest.raises(StoreRefusedError) as caught:
        Store("postgresql://ana:hunter2@localhost/x")
    assert "hunter2" not in str(caught.value)


def test_a_missing_directory_is_refused(tmp_path):
    """The sentence says what to do."""
    with pytest.raises(StoreRefusedError, match="create it first"):
        Store(f"sqlite:///{tmp_path}/nowhere/x.db").open()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """Somebody else's file is not touched, and the lock is free again."""
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database at all, whatever its name says" * 100)
    for _ in range(2):
        with pytest.raises(StoreRefusedError, match="not a database"):
            Store(f"sqlite:///{path}").open()
    assert path.read_bytes().startswith(b"not a database at all")


def test_a_directory_in_place_of_the_file_is_refused(tmp_path):
    """A path that cannot be a database is told at once."""
    (tmp_path / "x.db").mkdir()
    with pytest.raises(StoreRefusedError, match="cannot be"):
        Store(f"sqlite:///{tmp_path}/x.db").open()


def test_a_path_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    """The sentence names the path and the reason."""

    def deny(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store_module.ProcessLock, "take", deny)
    with pytest.raises(StoreRefusedError, match="Permission denied"):
        Store(f"sqlite:///{tmp_path}/x.db").open()


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    """SQLite loses data there."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("escalatord.store.disk.MOUNTS", mounts)
    with pytest.raises(StoreRefusedError, match="nfs4"):
        Store(f"sqlite:///{tmp_path}/x.db").open()


def test_a_locked_database_cannot_be_opened_now(store, open_store):
    """At start, too, a lock is trouble that passes and not a refusal."""
    store.close()
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="cannot be opened now"):
        open_store(busy_seconds=0.05)
    other.execute("ROLLBACK")
    other.close()
    remember(open_store())


def test_files_are_for_their_owner_only(store):
    """Names and alert text are not for other users of the machine."""
    remember(store)
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    assert {"escalatord.db", "escalatord.db-wal", "escalatord.db-shm"} <= set(modes)
    assert {0o600} == set(modes.values())


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
