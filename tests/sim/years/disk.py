"""The disk under the store: what is committed stays, all else goes with the process; it can be full or broken.

Named points stand before and after everything that lasts (a commit) or leaves the house (a call to a provider). At each
the process may die: from then on nothing of it reaches the disk or a provider any more.
"""

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from random import Random
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from escalatord.errors import StoreUnavailableError
from escalatord.store.standing import Standing
from escalatord.store.store import Store
from escalatord.store.tx import Tx

T = TypeVar("T")

TURNS = (0, 0, 0, 0, 1, 2, 5)
"""How many turns of the loop a thread may be late; mostly none."""


class KilledError(BaseException):
    """The process is dead; nothing of it may catch this and go on."""


class Disk:
    """What all lives of a daemon have in common: whether it is alive, where it dies next, what its disk does."""

    def __init__(self) -> None:
        self.dead = False
        self.visits: Counter[str] = Counter()
        self.die_at: Callable[[str], bool] = lambda _point: False
        self.by_statement = False
        """Whether every SQL statement of the writer is a point, too."""
        self.trouble = 0
        """The SQLite result code that every write ends in; 0 = all is well."""
        self.unreadable = False
        """Whether nothing can be read either."""
        self.in_doubt = False
        """Whether the answer to the next commit is lost, though it is carried out."""
        self.on_point: Callable[[str], None] = lambda _point: None

    def point(self, name: str) -> None:
        """Be at a point where the process may die; KilledError when it does, or is dead already."""
        if self.dead:
            raise KilledError(name)
        self.visits[name] += 1
        self.on_point(name)
        if self.die_at(name):
            self.dead = True
            raise KilledError(name)

    def write(self) -> None:
        """Be at a write; what SQLite says when the disk does not take it."""
        if self.trouble:
            error = sqlite3.OperationalError("the disk does not take it")
            error.sqlite_errorcode = self.trouble
            raise OperationalError("(simulated)", None, error)


class Waiting(NamedTuple):
    """An attempt that waits."""

    reference: str
    incident: int
    kind: str
    track: str


class DiskStore(Store):
    """The real store on a simulated disk. `peek` reads for the observer, whatever the disk does."""

    def __init__(self, url: str, disk: Disk, ballast_bytes: int) -> None:
        super().__init__(url, ballast_bytes=ballast_bytes, durable=False)
        self._disk = disk
        self._outside = sqlite3.connect(self.path, isolation_level=None)

    def pending(self) -> list[Waiting]:
        """Return the attempts that wait, as SQL shows them."""
        sql = "SELECT reference, incident, kind, track FROM outbox WHERE state = 'pending' ORDER BY reference"
        return [Waiting(*row) for row in self._outside.execute(sql)]

    def being_sent(self) -> list[str]:
        """Return the attempts under way, as SQL shows them; sqlite3.Error when there is no table yet."""
        return [row[0] for row in self._outside.execute("SELECT reference FROM outbox WHERE state = 'sending'")]

    def close(self) -> None:
        """Let go of the database, from outside too."""
        super().close()
        self._outside.close()

    def peek(self, work: Callable[[Tx], T]) -> T:
        """Read as somebody who looks at the database from outside."""
        return super()._run(self._reader, work, self.database.begin_reading)

    def _connect(self, engine: Engine) -> Connection:
        if not self._engines:  # the writer's
            event.listen(engine, "before_cursor_execute", self._before_statement)
        return super()._connect(engine)

    def _before_statement(self, _connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if self._disk.by_statement:
            self._disk.point(named(statement))

    def _run(
        self, connection: Connection | None, work: Callable[[Tx], T], begin: Callable[[Connection], Standing]
    ) -> T:
        disk = self._disk
        if connection is not self._writer:
            disk.point("read")
            if disk.unreadable:
                raise StoreUnavailableError("the database does not answer (simulated)")
            return super()._run(connection, work, begin)
        disk.point("begin")

        def worked(tx: Tx) -> T:
            if not disk.in_doubt:
                disk.write()
            result = work(tx)
            disk.point("commit")
            if not disk.in_doubt:
                disk.write()
            return result

        result = super()._run(connection, worked, begin)
        disk.point("committed")
        if disk.in_doubt:
            disk.in_doubt = False
            raise StoreUnavailableError("the answer to a COMMIT was lost (simulated)")
        return result


def named(statement: str) -> str:
    """Return what a statement does, and to which table."""
    words = statement.replace("(", " ").replace('"', "").split()
    if words[0] in ("INSERT", "DELETE"):
        return f"{words[0]} {words[2]}"
    if words[0] == "SELECT":
        return "SELECT"
    return " ".join(words[: 3 if words[0] in ("CREATE", "DROP") else 2])


class Wavering(Executor):
    """A thread of one job at a time that lives in the loop: a job begins, and is known to have ended, turns later."""

    def __init__(self, stir: Callable[[], None], chance: Random) -> None:
        self._stir = stir
        self._chance = chance
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Take a job."""
        future: Future[T] = Future()
        self._jobs.append((future, lambda: fn(*args, **kwargs)))
        if not self._busy:
            self._busy = True
            self._begin(self._chance.choice(TURNS))
        return future

    def _begin(self, turns: int) -> None:
        self._stir()
        asyncio.get_running_loop().call_soon(self._turn, turns)

    def _turn(self, turns: int) -> None:
        if turns:
            self._begin(turns - 1)
            return
        future, work = self._jobs.popleft()
        if future.set_running_or_notify_cancel():
            try:
                give = partial(future.set_result, work())
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                give = partial(future.set_exception, error)
            self._end(self._chance.choice(TURNS), give)
            return
        self._end(0, lambda: None)

    def _end(self, turns: int, give: Callable[[], None]) -> None:
        self._stir()
        if turns:
            asyncio.get_running_loop().call_soon(self._end, turns - 1, give)
            return
        give()
        self._busy = bool(self._jobs)
        if self._busy:
            self._begin(self._chance.choice(TURNS))
