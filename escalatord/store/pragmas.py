"""SQLite as we run it, and what its errors mean. The only file of the store that knows which database it is.

Each setting is read back: a build or a file system that silently takes another would cost acknowledged pages at the
next power cut. WAL with `synchronous=FULL` syncs the log at every commit; NORMAL would not.
"""

import sqlite3
from contextlib import suppress
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from escalatord.errors import StoreRefusedError

BUSY_SECONDS = 5.0
SQLITE_VERSION_MIN = (3, 35, 0)
SYNCHRONOUS_OFF = 0
SYNCHRONOUS_FULL = 2
WAL_CHECKPOINT_PAGES = 4000
WAL_BYTES_MAX = 64 * 1024 * 1024
CACHE_KIBIBYTES = 32 * 1024
STATEMENTS_CACHED_MAX = 256

# Primary result codes after which nothing can be committed now, though nothing is wrong with what was asked.
TROUBLE = {
    sqlite3.SQLITE_BUSY: "another process holds the database",
    sqlite3.SQLITE_LOCKED: "another connection holds the table",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk does not answer",
    sqlite3.SQLITE_READONLY: "the database may not be written",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_PROTOCOL: "the database's lock does not come free",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
}
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
NEVER_USABLE = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
)


def writer(url: URL, busy_seconds: float, *, durable: bool = True) -> Engine:
    """Return an engine whose transactions take the write lock at once, so that none fails in the middle for it.

    Not `durable`, nothing is synced: a power cut may cost everything. For simulations, whose database nobody keeps.
    """
    return _engine(url, busy_seconds, begin="BEGIN IMMEDIATE", query_only=False, durable=durable)


def reader(url: URL, busy_seconds: float) -> Engine:
    """Return an engine whose transactions see one snapshot and can change nothing."""
    return _engine(url, busy_seconds, begin="BEGIN", query_only=True)


def check(connection: Connection, *, durable: bool = True) -> None:
    """Raise StoreRefusedError when SQLite did not take the settings that durability rests on."""
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        raise StoreRefusedError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed")
    wanted = {"journal_mode": "wal", "synchronous": SYNCHRONOUS_FULL if durable else SYNCHRONOUS_OFF, "foreign_keys": 1}
    for name, value in wanted.items():
        found = pragma(connection, name)
        if found != value:
            raise StoreRefusedError(f"SQLite keeps {name} at {found} instead of {value} on this file system")


def pragma(connection: Connection, name: str) -> Any:
    """Return the value of a pragma."""
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def in_transaction(connection: Connection) -> bool:
    """Return whether SQLite itself is in a transaction; it ends one on its own when the disk is full."""
    return _driver(connection).in_transaction


def reuse_log(connection: Connection) -> None:
    """Move what the log holds into the database, so that the log's room on the disk can be written again.

    Only outside of a transaction. Trouble is left alone: this is a try to get out of it.
    """
    with suppress(sqlite3.Error):
        _driver(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def trouble_of(error: DBAPIError) -> tuple[int, str] | None:
    """Return the primary result code and a sentence, None when `error` is a defect and not a trouble of the store."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in TROUBLE:
        return None
    primary = code & 0xFF
    return primary, TROUBLE[primary]


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _engine(url: URL, busy_seconds: float, *, begin: str, query_only: bool, durable: bool = True) -> Engine:
    engine = create_engine(
        url,
        poolclass=NullPool,
        # One thread at a time uses a connection, but not always the one that opened it.
        connect_args={
            "check_same_thread": False,
            "timeout": busy_seconds,
            "cached_statements": STATEMENTS_CACHED_MAX,
        },
        # Parameters are alert text, phone numbers and hashes of secrets: they stay out of error texts.
        hide_parameters=True,
    )
    settings = (
        "journal_mode=WAL",
        f"synchronous={'FULL' if durable else 'OFF'}",
        f"busy_timeout={round(busy_seconds * 1000)}",
        "foreign_keys=ON",
        f"wal_autocheckpoint={WAL_CHECKPOINT_PAGES}",
        f"journal_size_limit={WAL_BYTES_MAX}",
        f"cache_size=-{CACHE_KIBIBYTES}",
        f"query_only={'ON' if query_only else 'OFF'}",
    )

    def on_connect(driver: sqlite3.Connection, _record: object) -> None:
        driver.isolation_level = None  # we say BEGIN ourselves; the driver would say it late and deferred
        for setting in settings:
            driver.execute(f"PRAGMA {setting}").close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine
