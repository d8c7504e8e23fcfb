"""The store: transactions on one database, whole or not at all.

The rules of this file:
- Plain synchronous calls. Threads belong to the engine: one that writes, one that reads, each with its own connection.
- A transaction ends in COMMIT or ROLLBACK before the call returns, whatever is raised inside, cancellation included.
- What returned is on the disk. What cannot be committed now is a StoreUnavailableError with a sentence; the next call
  may work again without a restart.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store import migrate, pragmas
from escalatord.store.disk import BALLAST_BYTES, Ballast, ProcessLock, refuse_network_file_system
from escalatord.store.tx import Tx

T = TypeVar("T")


class Store:
    """One database. `url` is `sqlite:///relative/path` or `sqlite:////absolute/path`.

    `busy_seconds` is how long a write waits for a lock held by another process (a backup, a curious human);
    `ballast_bytes` how much disk space is held back for the day the disk is full. Without `durable` nothing is synced
    to the disk: only for simulations, whose database is thrown away.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = pragmas.BUSY_SECONDS,
        ballast_bytes: int = BALLAST_BYTES,
        durable: bool = True,
    ) -> None:
        self._url, self.path = _local_file(url)
        self._busy_seconds = busy_seconds
        self._durable = durable
        self._lock = ProcessLock(self.path.with_name(self.path.name + ".lock"))
        self._ballast = Ballast(self.path.with_name(self.path.name + ".ballast"), ballast_bytes)
        # True from the write that found the disk full until there is plenty of room again: what little the ballast
        # gave up is for acks and timers, not for more alerts.
        self.short_of_room = False
        self._engines: list[Engine] = []
        self._writer: Connection | None = None
        self._reader: Connection | None = None

    def open(self) -> None:
        """Take the database: check the ground, lock out other processes, bring the schema up to date.

        Raise StoreRefusedError, with what to do, when it must not be used; StoreUnavailableError when it cannot now.
        """
        if not self.path.parent.is_dir():
            raise StoreRefusedError(f"the directory {self.path.parent} does not exist; create it first")
        refuse_network_file_system(self.path)
        try:
            self._lock.take()
            # It holds names and alert text: not for other users of this machine. SQLite's own files take the same mode.
            self.path.touch(mode=0o600)
        except OSError as error:
            self._lock.release()
            raise StoreRefusedError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            self._writer = self._connect(pragmas.writer(self._url, self._busy_seconds, durable=self._durable))
            pragmas.check(self._writer, durable=self._durable)
            self._writer.rollback()
            self._prepare_schema(self._writer)
            self._reader = self._connect(pragmas.reader(self._url, self._busy_seconds))
        except DBAPIError as error:
            self.close()
            self._refuse(error)
        except BaseException:
            self.close()
            raise
        self._ballast.hold()

    def close(self) -> None:
        """Let go of the database; what was committed stays. Closing twice is fine."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        for engine in self._engines:
            engine.dispose()
        self._engines.clear()
        self._reader = self._writer = None
        self._lock.release()

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction that holds the write lock from its start, and commit it.

        Whatever `work` raises rolls everything back and is raised again; trouble with the database itself becomes
        StoreUnavailableError. One thread at a time.
        """
        result = self._run(self._writer, work)
        if not self._ballast.held:
            self._ballast.hold()
            self.short_of_room = self.short_of_room and not self._ballast.held
        return result

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one snapshot; attempts to write fail. One thread at a time, beside the writing one."""
        return self._run(self._reader, work)

    def _run(self, connection: Connection | None, work: Callable[[Tx], T]) -> T:
        if connection is None:
            raise StoreUnavailableError("the store is not open")
        try:
            connection.begin()
            result = work(Tx(connection))
            _commit(connection)
        except DBAPIError as error:
            _roll_back(connection)
            trouble = pragmas.trouble_of(error)
            if trouble is None:
                raise
            code, sentence = trouble
            if code in pragmas.NO_ROOM:
                sentence += self._make_room(connection)
            raise StoreUnavailableError(f"the store is unavailable: {sentence}") from error
        except BaseException:
            _roll_back(connection)
            raise
        return result

    def _make_room(self, connection: Connection) -> str:
        self.short_of_room = True
        freed = self._ballast.give_up()
        pragmas.reuse_log(connection)
        return "; the room held back for this was freed" if freed else ""

    def _connect(self, engine: Engine) -> Connection:
        self._engines.append(engine)
        return engine.connect()

    def _prepare_schema(self, connection: Connection) -> None:
        with connection.begin():
            migrate.prepare(connection)

    def _refuse(self, error: DBAPIError) -> NoReturn:
        trouble = pragmas.trouble_of(error)
        if trouble is None:
            raise error
        code, sentence = trouble
        if code in pragmas.NEVER_USABLE:
            raise StoreRefusedError(f"{self.path} cannot be used: {sentence}") from error
        raise StoreUnavailableError(f"{self.path} cannot be opened now: {sentence}") from error


def _local_file(url: str) -> tuple[URL, Path]:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreRefusedError("the storage address is not one; write sqlite:////path/to/escalatord.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreRefusedError(f"storage in {parsed.get_backend_name()} is not supported; use sqlite:////path/to/file")
    name = parsed.database or ""
    if not name or name == ":memory:" or name.startswith("file:") or parsed.query:
        raise StoreRefusedError("the database must be a plain file: what is in memory would not survive a restart")
    return parsed, Path(name)


def _commit(connection: Connection) -> None:
    # SQLite ends a transaction on its own in bad trouble; COMMIT would then say yes to nothing.
    if not pragmas.in_transaction(connection):
        raise StoreUnavailableError("the store is unavailable: the database gave the transaction up")
    connection.commit()


def _roll_back(connection: Connection) -> None:
    """End the transaction for certain: a connection that cannot even do that is thrown away and made anew."""
    try:
        connection.rollback()
        if not pragmas.in_transaction(connection):
            return
    except DBAPIError:
        pass
    connection.invalidate()
    connection.rollback()
