"""SQLite as what a store stands on: one file, one process, and a little room kept for the day the disk is full."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from escalatord.errors import EscalatordError, StoreRefusedError, StoreUnavailableError
from escalatord.store import pragmas
from escalatord.store.disk import Ballast, ProcessLock, refuse_network_file_system
from escalatord.store.standing import ALONE, Standing


class SqliteFile:
    """One database file. `url` names a plain file, relative or absolute.

    `busy_seconds`, `ballast_bytes` and `durable` are those of `Store`.
    """

    shared = False

    def __init__(self, url: URL, *, busy_seconds: float, ballast_bytes: int, durable: bool) -> None:
        name = url.database or ""
        if not name or name == ":memory:" or name.startswith("file:") or url.query:
            raise StoreRefusedError("the database must be a plain file: what is in memory would not survive a restart")
        self.path: Path | None = Path(name)
        self.name = name
        self._file = Path(name)
        self._url = url
        self._busy_seconds = busy_seconds
        self._durable = durable
        self._lock = ProcessLock(self._file.with_name(self._file.name + ".lock"))
        self.ballast = Ballast(self._file.with_name(self._file.name + ".ballast"), ballast_bytes)
        self.short_of_room = False

    def take(self) -> None:
        """Check the ground and lock out other processes."""
        if not self._file.parent.is_dir():
            raise StoreRefusedError(f"the directory {self._file.parent} does not exist; create it first")
        refuse_network_file_system(self._file)
        try:
            self._lock.take()
            # It holds names and alert text: not for other users of this machine. SQLite's own files take the same mode.
            self._file.touch(mode=0o600)
        except OSError as error:
            self._lock.release()
            raise StoreRefusedError(f"{self._file} cannot be written: {error.strerror}") from error

    def writer(self) -> Engine:
        """Return the engine that writes."""
        return pragmas.writer(self._url, self._busy_seconds, durable=self._durable)

    def reader(self) -> Engine:
        """Return the engine that reads."""
        return pragmas.reader(self._url, self._busy_seconds)

    def prepare(self, connection: Connection, make: Callable[[Connection], object]) -> None:
        """Check that the settings were taken; let `make` bring the schema up to date."""
        pragmas.check(connection, durable=self._durable)
        connection.rollback()
        with connection.begin():
            make(connection)

    def opened(self) -> None:
        """Hold room back."""
        self.ballast.hold()

    def begin_writing(self, connection: Connection, *, alone: bool) -> Standing:
        """Begin; the only writer is always alone, and the clock of its machine is the one that counts."""
        del alone
        connection.begin()
        return ALONE

    def begin_reading(self, connection: Connection) -> Standing:
        """Begin."""
        connection.begin()
        return ALONE

    def is_sound(self, connection: Connection) -> bool:
        """Return whether a transaction is under way: SQLite ends one on its own in bad trouble."""
        return pragmas.in_transaction(connection)

    def is_idle(self, connection: Connection) -> bool:
        """Return whether no transaction is under way."""
        return not pragmas.in_transaction(connection)

    def committed(self) -> None:
        """Hold room back again when there is some."""
        if not self.ballast.held:
            self.ballast.hold()
            self.short_of_room = self.short_of_room and not self.ballast.held

    def trouble(self, error: DBAPIError, connection: Connection) -> EscalatordError | None:
        """Return what an error of a transaction just rolled back means, None when it is a defect."""
        found = pragmas.trouble_of(error)
        if found is None:
            return None
        code, sentence = found
        if code in pragmas.NO_ROOM:
            # a disk that fails for a moment is not full: whoever sends alerts may try again at once
            sentence += self._make_room(connection, is_full=code == sqlite3.SQLITE_FULL or not self.ballast.has_room())
        return StoreUnavailableError(f"the store is unavailable: {sentence}")

    def refusal(self, error: DBAPIError) -> EscalatordError | None:
        """Return what an error while opening means, None when it is a defect."""
        found = pragmas.trouble_of(error)
        if found is None:
            return None
        code, sentence = found
        if code in pragmas.NEVER_USABLE:
            return StoreRefusedError(f"{self._file} cannot be used: {sentence}")
        return StoreUnavailableError(f"{self._file} cannot be opened now: {sentence}")

    def release(self) -> None:
        """Let other processes in."""
        self._lock.release()

    def _make_room(self, connection: Connection, *, is_full: bool) -> str:
        self.short_of_room = self.short_of_room or is_full
        freed = self.ballast.give_up()
        pragmas.reuse_log(connection)
        return "; the room held back for this was freed" if freed else ""
