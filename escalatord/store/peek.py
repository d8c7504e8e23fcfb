"""A look into a database that somebody else may be using: read only, nothing locked, nothing migrated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from escalatord.core.rules import AlertRecord
from escalatord.errors import StoreRefusedError
from escalatord.store import pragmas
from escalatord.store.rows import JournalRow, OutboxRow
from escalatord.store.tx import Tx

T = TypeVar("T")

BUSY_SECONDS = 5.0
POSTGRES = frozenset({"postgresql", "postgres"})
ALERTS_MAX = 20_000
ROWS_MAX = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What a daemon wrote down between two instants: the alerts it knows, the journal, and the attempts of both."""

    since: datetime
    until: datetime
    alerts: tuple[AlertRecord, ...]
    journal: tuple[JournalRow, ...]
    attempts: tuple[OutboxRow, ...]


def recorded_alerts(url: str, limit: int) -> Sequence[AlertRecord]:
    """Return the alerts whose episodes reached a daemon last, newest first, from its database.

    Raise StoreRefusedError with a sentence when there is no such database, or it is not of this version.
    """
    return peek(url, lambda tx: tx.recent_alerts(limit))


def recorded_night(url: str, since: datetime, until: datetime) -> Night:
    """Return what a daemon wrote down in [since, until), from its database; StoreRefusedError as above.

    Also past ROWS_MAX journal entries or ALERTS_MAX alerts: half a night must not be compared with a whole one.
    """

    def read(tx: Tx) -> Night:
        alerts = tx.recent_alerts(ALERTS_MAX + 1)
        rows = tx.journal_between(since, until, ROWS_MAX + 1)
        if len(alerts) > ALERTS_MAX or len(rows) > ROWS_MAX:
            raise StoreRefusedError("too much was recorded then; ask for a shorter time")
        numbers = sorted({row.entry.incident for row in rows if row.entry.incident})
        attempts = tuple(row for number in numbers for row in tx.outbox_of(number))
        return Night(since=since, until=until, alerts=tuple(alerts), journal=tuple(rows), attempts=attempts)

    return peek(url, read)


def peek(url: str, work: Callable[[Tx], T]) -> T:
    """Return what `work` reads on one snapshot of a database; StoreRefusedError as above."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreRefusedError("the storage address is not one; write sqlite:////path/to/escalatord.db") from error
    if parsed.get_backend_name() in POSTGRES:
        return _peek_shared(parsed, work)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise StoreRefusedError("no such database can be looked into; write sqlite:////path/to/escalatord.db")
    engine = _read_only(parsed)
    try:
        with engine.connect() as connection, connection.begin():
            return work(Tx(connection))
    except DBAPIError as error:
        trouble = pragmas.trouble_of(error)
        say = trouble[1] if trouble else "it is not of this version of escalatord"
        raise StoreRefusedError(f"{parsed.database} cannot be read: {say}") from error
    finally:
        engine.dispose()


def _read_only(url: URL) -> Engine:
    # mode=ro: opening a path that is not there would make an empty database
    query = {"mode": "ro", "uri": "true"}
    return pragmas.reader(url.set(database=f"file:{url.database}", query=query), BUSY_SECONDS)


def _peek_shared(url: URL, work: Callable[[Tx], T]) -> T:
    from escalatord.store.postgres import Postgres  # noqa: PLC0415 most have no use for it

    database = Postgres(url, durable=True)
    engine = database.reader()
    try:
        with engine.connect() as connection:
            standing = database.begin_reading(connection)
            found = work(Tx(connection, standing))
            connection.rollback()
            return found
    except DBAPIError as error:
        refusal = database.refusal(error)
        say = str(refusal) if refusal else f"{database.name} cannot be read: it is not of this version of escalatord"
        raise StoreRefusedError(say) from error
    finally:
        engine.dispose()
