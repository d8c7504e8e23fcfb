"""What only a database file knows: its lock, its disk, its neighbours."""

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store import sqlite_file
from escalatord.store.store import Store
from tests.store.test_store import remember, setting


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'escalatord.db'}"


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
    assert not store.database.ballast._path.exists()
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


def test_a_second_process_is_refused(store, url):
    """SQLite serves exactly one; the second is told who the first is."""
    with pytest.raises(StoreRefusedError, match=f"process {os.getpid()}"):
        Store(url).open()
    remember(store)


def test_the_lock_is_free_after_closing(store, open_store):
    """A store that was closed, or could not be opened, keeps nobody out."""
    store.close()
    open_store()


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

    monkeypatch.setattr(sqlite_file.ProcessLock, "take", deny)
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


def test_a_disk_that_fails_for_a_moment_is_not_full(store, monkeypatch):
    """There is room, but a write was answered EIO: alerts may be tried again at once."""
    broken = sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    error = DBAPIError("INSERT", None, broken)
    assert "the disk does not answer" in str(store.database.trouble(error, store._writer))
    assert not store.short_of_room
    monkeypatch.setattr(store.database.ballast, "has_room", lambda: False)
    store.database.trouble(error, store._writer)
    assert store.short_of_room
