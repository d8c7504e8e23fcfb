"""The lives of one daemon: it is started, dies at any point, lies dead for a while, and is started again."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from escalatord.core.incident import Attempt, State
from escalatord.engine.commands import Command, Receipt, Result
from escalatord.engine.written import Written
from escalatord.errors import StoreUnavailableError
from escalatord.sim.world import BALLAST_BYTES, World
from escalatord.store.store import Store
from escalatord.store.tx import Tx
from tests.sim.years.disk import Disk, DiskStore, KilledError, Wavering
from tests.sim.years.instants import Instants
from tests.sim.years.phones import MoodyPhones, twice_and_out_of_order
from tests.sim.years.rules import Books

T = TypeVar("T")
LOOKS_SECONDS = 5.0


class Life(World):
    """A world whose process can die, and whose every part obeys one source of chance."""

    clock: Instants
    phones: MoodyPhones
    store: DiskStore

    def __init__(self, folder: Path, began: Any, books: Books, chance: Random) -> None:
        super().__init__(books.paths[0], folder, began, ruleset=books.sets[0], brisk=True)
        self.books = books
        self.chance = chance
        self.disk = Disk()
        self.clock = Instants(self.began, chance)
        self.phones = MoodyPhones(self.clock, self.disk, chance, self._receipt)
        self.phones.hear = self._take_note
        self.on_commit: Callable[[Written], None] = lambda _written: None
        self.bring = twice_and_out_of_order
        self.lives = 0
        self.up_since = 0.0
        self.defects: list[str] = []
        self._death: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # ------------------------------------------------------------------------------------------------ life

    async def rise(self) -> bool:
        """Start the daemon; False when it died (or could not start) on the way."""
        self.disk.dead = False
        self._death = asyncio.get_running_loop().create_future()
        self.lives += 1
        try:
            await self.start()
        except (KilledError, StoreUnavailableError):
            await self._clear_away()
            return False
        await self.clock.settle()
        self.up_since = self.clock.elapsed
        return True

    async def bury(self) -> None:
        """Let go of what a dead process left in memory; the disk has only what was committed."""
        self.disk.dead = True
        if not self._death.done():
            self._death.set_result(None)
        await self._clear_away()

    async def _clear_away(self) -> None:
        tasks, self._tasks = self._tasks, []
        self.up = False
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, KilledError, Exception):
                await task
        if hasattr(self, "sender"):
            await self.sender.close()
        if hasattr(self, "engine"):  # it may have died before there was one
            await self.engine.close()
        self.store.close()
        await self.clock.settle()

    async def settle(self) -> None:
        """Do nothing: the one who makes time go on settles every instant."""

    def ended_loops(self) -> list[str]:
        """Return the loops that ended though the process is alive, with why."""
        ended = []
        for task in self._tasks if self.up and not self.disk.dead else ():
            if task.done():
                error = None if task.cancelled() else task.exception()
                ended.append(f"the loop {task.get_name()} ended: {error!r}")
        return ended

    async def reload(self, which: Any) -> None:
        """Put one of the rule sets in force, as SIGHUP does."""
        self.ruleset = which
        await self.alive(self.engine.reload(which))
        self.metrics.prepare(which)
        self.sender.use(which, self._channels())

    def look_around_often(self, *, often: bool) -> None:
        """Let the loops look around every few seconds as in earnest; a calm world does without, for speed."""
        if self.up:
            seconds = LOOKS_SECONDS if often else 86400.0
            self.engine._idle_seconds = self.sender._idle_seconds = self.engine.outage.look_seconds = seconds
            self.engine.deadlines._idle_seconds = seconds
            self.engine.outage._woken.set()
            self.engine.deadlines._wake.set()
            self.engine._work.set()
            self.sender._wake.set()

    # ---------------------------------------------------------------------------------------------- asking

    async def alive(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` comes to; StoreUnavailableError when the process dies (or is dead) meanwhile."""
        if not self.up or self.disk.dead:
            work.close()
            raise StoreUnavailableError("nobody answers")
        task = asyncio.ensure_future(work)
        await asyncio.wait((task, self._death), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, KilledError, StoreUnavailableError):
                await task
            raise StoreUnavailableError("it died before it answered")
        try:
            return task.result()
        except KilledError:
            raise StoreUnavailableError("it died") from None

    async def submit(self, command: Command) -> Result:
        """Give the engine a command."""
        return await self.alive(self.engine.submit(command))

    def climbing(self) -> bool:
        """Tell whether something is open that nobody has acked."""
        return any(state is State.OPEN for _policy, _severity, state, *_ in self.store.peek(lambda tx: tx.count_open()))

    def look_at_ground(self, work: Callable[[Tx], T]) -> T:
        """Read what pages rest on now: the database, or while it is away what stands in for it."""
        stand_in = self.engine.outage.footing.stand_in
        return self.store.peek(work) if stand_in is None else stand_in.read(work)

    async def turns(self) -> None:
        """Be a few turns of the loop late, so that what happens at one instant happens in any order."""
        for _ in range(self.chance.choice((0, 0, 1, 2, 3, 5, 8, 13))):
            self.clock.stir()
            await asyncio.sleep(0)

    # --------------------------------------------------------------------------------------------- private

    def _make_store(self) -> Store:
        return DiskStore(f"sqlite:///{self._folder / 'world.db'}", self.disk, BALLAST_BYTES)

    def _make_thread(self, name: str) -> Executor:
        del name
        return Wavering(self.clock.stir, self.chance)

    async def _receipt(self, reference: str, status: Attempt, reason: str, provider_id: str) -> None:
        async def take(*told: Any) -> None:
            names = ("reference", "status", "reason", "provider_id")
            self.clock.stir()
            await self.submit(Receipt(**dict(zip(names, told, strict=True))))

        await self.bring(take, self.chance, (reference, status, reason, provider_id))

    def _written(self, written: Written) -> None:
        super()._written(written)
        self.on_commit(written)
