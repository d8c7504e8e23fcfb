"""The store: transactions on one database, whole or not at all.

The rules of this file:
- Plain synchronous calls. Threads belong to the engine: one that writes, one that reads, each with its own connection.
- A transaction ends in COMMIT or ROLLBACK before the call returns, whatever is raised inside, cancellation included.
- What returned is on the disk. What cannot be committed now is a StoreUnavailableError with a sentence; the next call
  may work again without a restart. On a database that several nodes share, a ConflictError says to decide again.
- What only one kind of database knows stands in its own file: `sqlite_file`, `postgres`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError

from escalatord.core.values import replace
from escalatord.errors import EscalatordError, StoreRefusedError, StoreUnavailableError
from escalatord.store import migrate, pragmas
from escalatord.store.disk import BALLAST_BYTES
from escalatord.store.incidents import ConflictError
from escalatord.store.sqlite_file import SqliteFile
from escalatord.store.standing import Standing
from escalatord.store.tx import Tx

T = TypeVar("T")

POSTGRES = frozenset({"postgresql", "postgres"})
SEVERAL_HOSTS = re.compile(r"(postgres(?:ql)?(?:\+\w+)?://(?:[^@/?]*@)?)([^@/?,]+(?:,[^@/?,]+)+)(/[^?]*)?(?:\?(.*))?")
CONFLICT_TRIES_MAX = 5
ALONE_FROM_TRY = 2
"""The first tries share the database with other nodes; a later one has it for itself, and cannot lose."""


class Database(Protocol):
    """What a store stands on. `path` is its file where it has one; `name` is shown to humans, without a password."""

    @property
    def shared(self) -> bool: ...  # noqa: D102 - whether several nodes may use it
    @property
    def path(self) -> Path | None: ...  # noqa: D102 - the class says it
    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def short_of_room(self) -> bool: ...  # noqa: D102 - `Store.short_of_room` says it

    def take(self) -> None:
        """Make it ours, or raise StoreRefusedError."""
        ...

    def writer(self) -> Engine:
        """Return a new engine that writes."""
        ...

    def reader(self) -> Engine:
        """Return a new engine that reads and can change nothing."""
        ...

    def prepare(self, connection: Connection, make: Callable[[Connection], object]) -> None:
        """Check that it keeps its promises, and let `make` see to the schema in a transaction of its own."""
        ...

    def opened(self) -> None:
        """Hear that everything is open."""
        ...

    def begin_writing(self, connection: Connection, *, alone: bool) -> Standing:
        """Begin a transaction that may write; `alone` keeps every other writer out until it ends."""
        ...

    def begin_reading(self, connection: Connection) -> Standing:
        """Begin a transaction on one snapshot."""
        ...

    def is_sound(self, connection: Connection) -> bool:
        """Return whether a COMMIT now would commit."""
        ...

    def is_idle(self, connection: Connection) -> bool:
        """Return whether no transaction is under way on a connection that works."""
        ...

    def committed(self) -> None:
        """Hear that something was committed."""
        ...

    def trouble(self, error: DBAPIError, connection: Connection) -> EscalatordError | None:
        """Return what an error of a transaction just rolled back means, None when it is a defect."""
        ...

    def refusal(self, error: DBAPIError) -> EscalatordError | None:
        """Return what an error while opening means, None when it is a defect."""
        ...

    def release(self) -> None:
        """Let go of it."""
        ...


class Store:
    """One database. `url` is `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://host/name`.

    `busy_seconds` is how long a write waits for a lock held by another process (a backup, a curious human);
    `ballast_bytes` how much disk space is held back for the day the disk is full. Without `durable` nothing is synced
    to the disk: only for simulations, whose database is thrown away.
    """

    transaction: type[Tx] = Tx

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = pragmas.BUSY_SECONDS,
        ballast_bytes: int = BALLAST_BYTES,
        durable: bool = True,
    ) -> None:
        parsed = _parsed(url)
        if parsed.get_backend_name() in POSTGRES:
            from escalatord.store.postgres import Postgres  # noqa: PLC0415 most have no use for it

            self.database: Database = Postgres(parsed, durable=durable)
        else:
            self.database = SqliteFile(parsed, busy_seconds=busy_seconds, ballast_bytes=ballast_bytes, durable=durable)
        self.chain = 0
        """Where the journal of this process itself goes; a node is given one when it joins (see `nodes`)."""
        self._engines: list[Engine] = []
        self._writer: Connection | None = None
        self._reader: Connection | None = None

    @property
    def shared(self) -> bool:
        """Return whether other nodes may use the same database."""
        return self.database.shared

    @property
    def path(self) -> Path:
        """Return the database's file; LookupError when it is none."""
        if self.database.path is None:
            raise LookupError("this database is not a file")
        return self.database.path

    @property
    def short_of_room(self) -> bool:
        """Return True from the write that found the disk full until there is plenty of room again.

        What little the ballast gave up is for acks and timers, not for more alerts.
        """
        return self.database.short_of_room

    def open(self, make: Callable[[Connection], object] = migrate.prepare) -> None:
        """Take the database: check the ground, lock out whom it cannot bear, let `make` bring the schema up to date.

        Raise StoreRefusedError, with what to do, when it must not be used; StoreUnavailableError when it cannot now.
        """
        self.database.take()
        try:
            self._writer = self._connect(self.database.writer())
            self.database.prepare(self._writer, make)
            self._reader = self._connect(self.database.reader())
        except DBAPIError as error:
            self.close()
            refusal = self.database.refusal(error)
            if refusal is None:
                raise
            raise refusal from error
        except BaseException:
            self.close()
            raise
        self.database.opened()

    def close(self) -> None:
        """Let go of the database; what was committed stays. Closing twice is fine."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        for engine in self._engines:
            engine.dispose()
        self._engines.clear()
        self._reader = self._writer = None
        self.database.release()

    def write(self, work: Callable[[Tx], T], *, alone: bool = False) -> T:
        """Run `work` in a transaction that may change everything, and commit it.

        Whatever `work` raises rolls everything back and is raised again; trouble with the database itself becomes
        StoreUnavailableError, and losing to another node a ConflictError, which cannot happen `alone`. One thread at
        a time.
        """
        result = self._run(self._writer, work, lambda connection: self.database.begin_writing(connection, alone=alone))
        self.database.committed()
        return result

    def settle(self, work: Callable[[Tx], T]) -> T:
        """Do the same for work that may simply be done again when another node was faster."""
        for tried in range(CONFLICT_TRIES_MAX - 1):
            try:
                return self.write(work, alone=tried >= ALONE_FROM_TRY)
            except ConflictError:
                continue
        return self.write(work, alone=True)

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one snapshot; attempts to write fail. One thread at a time, beside the writing one."""
        return self._run(self._reader, work, self.database.begin_reading)

    def _run(
        self, connection: Connection | None, work: Callable[[Tx], T], begin: Callable[[Connection], Standing]
    ) -> T:
        if connection is None:
            raise StoreUnavailableError("the store is not open")
        try:
            standing = self._begin(connection, begin)
            result = work(self.transaction(connection, replace(standing, chain=self.chain)))
            self._commit(connection)
        except DBAPIError as error:
            self._roll_back(connection)
            _make_discreet(error)
            trouble = self.database.trouble(error, connection)
            if trouble is None:
                raise
            raise trouble from error
        except BaseException:
            self._roll_back(connection)
            raise
        return result

    def _begin(self, connection: Connection, begin: Callable[[Connection], Standing]) -> Standing:
        """Begin; a connection that died while nobody used it is replaced at once, and nobody hears of it."""
        if not self.shared:
            return begin(connection)
        try:
            return begin(connection)
        except DBAPIError:
            self._roll_back(connection)
            return begin(connection)

    def _commit(self, connection: Connection) -> None:
        # The database may have ended the transaction on its own; COMMIT would then say yes to nothing.
        if not self.database.is_sound(connection):
            raise StoreUnavailableError("the store is unavailable: the database gave the transaction up")
        connection.commit()

    def _roll_back(self, connection: Connection) -> None:
        """End the transaction for certain: a connection that cannot even do that is thrown away and made anew."""
        try:
            connection.rollback()
            if not connection.invalidated and self.database.is_idle(connection):
                return
        except (DBAPIError, InvalidRequestError):
            pass
        connection.invalidate()
        connection.rollback()

    def _connect(self, engine: Engine) -> Connection:
        self._engines.append(engine)
        return engine.connect()


def _make_discreet(error: DBAPIError) -> None:
    """Keep only what an error says first: PostgreSQL goes on with the row that it is about, alert text and phones."""
    for each in (error, error.orig):
        if each is not None and each.args:
            each.args = (str(each.args[0]).partition("\n")[0],)


def _hosts_apart(url: str) -> str:
    """Return an address whose several hosts, written as libpq has them (`h1:5432,h2`), stand where SQLAlchemy looks.

    Of several the primary is meant: the others are standbys until one of them is promoted.
    """
    found = SEVERAL_HOSTS.fullmatch(url)
    if found is None:
        return url
    begin, hosts, path, query = found.groups()
    words = [f"host={host}" for host in hosts.split(",")] + [query] * bool(query)
    if "target_session_attrs=" not in (query or ""):
        words.append("target_session_attrs=primary")
    return f"{begin}{path or '/'}?{'&'.join(words)}"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(_hosts_apart(url))
    except (ArgumentError, ValueError) as error:
        say = "the storage address is not one; write sqlite:////path/to/escalatord.db or postgresql://host/name"
        raise StoreRefusedError(say) from error
    if parsed.get_backend_name() not in {"sqlite", *POSTGRES}:
        raise StoreRefusedError(
            f"storage in {parsed.get_backend_name()} is not supported; use sqlite:////path/to/file or postgresql://…"
        )
    return parsed
