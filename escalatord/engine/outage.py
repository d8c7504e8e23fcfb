"""While the database is away: pages go on from memory, and what was done is carried over when it is back.

- A commit that fails begins to look: one small write every second, until one succeeds. When that has lasted
  PATIENCE_SECONDS the stand-in is made of what is held, and the same loops go on, on it.
- In memory happens what concerns incidents that are held: deadlines, messages, receipts, acks. All else is refused as
  before, so that nothing is answered 2xx that is not in the database, and no incident is opened that it did not number.
- With several nodes each holds only what it opened itself, and goes on only when the database's own machine says that
  it is away (or nobody else is there): silence may mean that we are cut off, and that the others page.
- When a write succeeds again, everything is carried over before anything else is committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from structlog import get_logger

from escalatord.clock import Clock, idle
from escalatord.core.events import Ack, PassOn, Unack
from escalatord.core.incident import State
from escalatord.core.values import replace
from escalatord.engine import claiming
from escalatord.engine.batch import Batch
from escalatord.engine.carrying import Deed, Memory, carry_over
from escalatord.engine.commands import Answer, Claim, Receipt
from escalatord.engine.footing import AWAY, Footing
from escalatord.engine.handlers import Due
from escalatord.engine.holding import Holding
from escalatord.engine.lease import Lease
from escalatord.engine.unit import Unit
from escalatord.engine.waiting import Waiting
from escalatord.engine.written import Written
from escalatord.errors import StoreUnavailableError
from escalatord.store import standin
from escalatord.store.rows import LinkRow
from escalatord.store.standin import About, StandIn
from escalatord.store.tx import Tx

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""For so long commits may fail before pages go on from memory."""
PROBE_EVERY_SECONDS = 1.0
LOOK_EVERY_SECONDS = 15.0
LOOK_SOON_SECONDS = 3.0
"""How soon is looked at what is known by halves, or what other nodes may have changed."""
DOUBT_SECONDS = 60.0
"""For so long after a start, and with several nodes after an outage, a page may have been sent by nobody we know of."""
WAITED_SECONDS = 5.0
PROBE_SETTING = "store_probe"
PROBE_BYTES = 16 * 1024
"""A write that finds room only where a commit would."""

log = get_logger(component="outage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """That pages go on from memory: since when, and how many incidents are held."""

    since: datetime
    incidents: int


@dataclass(frozen=True, slots=True)
class Threads:
    """The engine's threads, and one of its own that waits for a database that does not answer."""

    writer: Executor
    reader: Executor
    prober: Executor

    async def write(self, work: Callable[[], T]) -> T:
        """Run `work` in the writer thread."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, work)

    async def read(self, work: Callable[[], T]) -> T:
        """Run `work` in the reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self.reader, work)

    async def probe(self, work: Callable[[], T]) -> T:
        """Run `work` in the thread that may wait."""
        return await asyncio.get_running_loop().run_in_executor(self.prober, work)

    async def close(self) -> None:
        """Let what runs end, and let go of them."""
        loop = asyncio.get_running_loop()
        for thread in (self.writer, self.reader, self.prober):
            await loop.run_in_executor(None, thread.shutdown)


class Outage:
    """Watches over the database, and over what happens without it. `run` inside a TaskGroup.

    `rejoin` prolongs the lease when the database is back, before anything is sent again.

    `on_degraded` hears when pages begin to go on from memory, and when they need to no longer.

    `turn` is held whenever something is committed: the ground does not change under a transaction. `on_switch` hears
    that it has changed, and what was written when the database was back. `others` returns whether other nodes were at
    work when they were last looked at.
    """

    def __init__(self, footing: Footing, batch: Batch, clock: Clock, lease: Lease, threads: Threads) -> None:
        self.turn = asyncio.Lock()
        self.others: Callable[[], bool] = lambda: False
        self.rejoin: Callable[[], Awaitable[None]] = _at_once
        self.on_degraded: Callable[[bool], None] = lambda _degraded: None
        self.on_switch: Callable[[Written | None], Awaitable[None]] = _nothing
        self.look_seconds = LOOK_SOON_SECONDS
        """How often is looked whether there is something to look for."""
        self.footing = footing
        self._batch = batch
        self._clock = clock
        self._lease = lease
        self._threads = threads
        self._holding = Holding(shared=footing.shared)
        self._memory: Memory | None = None
        self._failing_since: float | None = None
        self._apart = False
        self.told = 0
        """The last journal number that was told of."""
        self._woken = asyncio.Event()
        self._doubt_until = clock.monotonic() + DOUBT_SECONDS
        self._looked_at = float("-inf")
        batch.noted = self._note

    @property
    def degraded(self) -> Degraded | None:
        """Return since when pages go on from memory, None while all is well."""
        memory = self._memory
        return None if memory is None else Degraded(since=memory.began_at, incidents=len(memory.bases))

    def need_database(self) -> None:
        """Raise StoreUnavailableError while the database is away."""
        self.footing.need_kept()

    def doubts(self, *, late: bool, waited_seconds: float) -> bool:
        """Return whether a message may have been sent already, though nothing here says so: ask its provider first.

        From memory by another node, or by a process of ours that died before it could write it down.
        """
        if self.footing.shared and self.footing.is_away:
            return True
        if self._clock.monotonic() >= self._doubt_until:
            return False
        return self.footing.shared or late or waited_seconds > WAITED_SECONDS

    def failed(self, began_at: float, error: StoreUnavailableError) -> None:
        """Hear that a commit failed that began at `began_at` (monotonic)."""
        if self.footing.is_away:
            return
        if self._failing_since is None:
            self._failing_since = began_at
            # what is known of the others now is as old as the outage
            self._apart = self.footing.shared and self.others()
        seconds = round(self._clock.monotonic() - self._failing_since, 1)
        log.warning("the database does not answer", error=str(error), seconds=seconds)
        self._woken.set()

    def admitted(self, batch: list[Waiting]) -> list[Waiting]:
        """Refuse what cannot be done now, and return the rest."""
        memory = self._memory
        if memory is None:
            return batch
        able: list[Waiting] = []
        for waiting in batch:
            if _is_able(waiting, memory):
                able.append(waiting)
            else:
                waiting.fail(StoreUnavailableError(AWAY))
        return able

    def did(self, batch: Sequence[Waiting], written: Written) -> Written:
        """Remember what was done in memory; return what is to be told of it: figures count what is on record."""
        if self._memory is None:
            self.told = max(self.told, written.seq)
            return written
        commands = tuple(waiting.command for waiting in batch)
        self._memory.did(Deed(at=written.at, commands=commands, changed=frozenset(written.changed)))
        return replace(written, entries=(), seq=0)

    async def run(self) -> None:
        """Look after it, for ever."""
        while True:
            if self._failing_since is not None:
                await self._try()
                await self._clock.sleep(PROBE_EVERY_SECONDS)
                continue
            self._woken.clear()
            await self._look()
            await idle(self._clock, self._woken, self.look_seconds)

    # ------------------------------------------------------------------------------------------------ private

    def _note(self, unit: Unit, results: Iterable[object]) -> None:
        """Hear of a commit, in the writer thread."""
        if not self.footing.is_away:
            self._holding.note(unit, results)

    async def _look(self) -> None:
        """Look for what should be held and is not."""
        soon = self.footing.shared or self._holding.unknown
        if not soon and self._clock.monotonic() - self._looked_at < LOOK_EVERY_SECONDS:
            return
        began_at = self._looked_at = self._clock.monotonic()
        holding, now = self._holding, self._clock.now()
        try:
            unknown = await self._threads.write(holding.begin_look)
            found = await self._threads.read(lambda: self.footing.kept.read(lambda tx: holding.look(tx, now, unknown)))
            await self._threads.write(lambda: holding.end_look(found))
        except StoreUnavailableError as error:
            self.failed(began_at, error)

    async def _try(self) -> None:
        """See whether the database takes a write; go on without it, or with it again."""
        away = self.footing.is_away
        text = self._clock.now().isoformat().ljust(PROBE_BYTES, ".")
        probe = self._threads.probe if away else self._threads.write
        try:
            await probe(lambda: self.footing.kept.settle(lambda tx: tx.set_setting(PROBE_SETTING, text)))
        except StoreUnavailableError as error:
            failing_for = self._clock.monotonic() - (self._failing_since or 0.0)
            if not away and failing_for >= PATIENCE_SECONDS and (error.for_all or not self._apart):
                await self._leave(error)
            return
        if not away or await self._return():
            self._failing_since = None

    async def _leave(self, error: StoreUnavailableError) -> None:
        async with self.turn:
            await self._threads.write(lambda: self._stand_in(self._clock.now()))
            self._lease.suspended = True
        assert self._memory is not None  # noqa: S101 - the line above made it
        log.error("the database is away: pages go on from memory", error=str(error), incidents=len(self._memory.bases))
        self.on_degraded(True)
        await self.on_switch(None)

    async def _return(self) -> bool:
        """Carry everything over and stand on the database again; return whether that is so."""
        async with self.turn:
            try:
                written = await self._threads.write(lambda: self._carry(self._clock.now()))
            except StoreUnavailableError as error:
                log.warning("the database is away again", error=str(error))
                return False
            try:
                await self.rejoin()
            except StoreUnavailableError as error:
                log.warning("the lease is not prolonged yet", error=str(error))
            self._lease.suspended = False
            if self.footing.shared:
                self._doubt_until = self._clock.monotonic() + DOUBT_SECONDS
        self._looked_at = float("-inf")
        self.on_degraded(False)
        await self.on_switch(written)
        return True

    def _stand_in(self, now: datetime) -> None:
        """Make the stand-in of what is held, and stand on it; in the writer thread."""
        holding, world = self._holding, self._batch.world
        holding.fold()
        held = {n: a for n, a in holding.incidents.items() if a.incident.state is not State.RESOLVED or a.attempts}
        policies = {**holding.policies, **world.policies}
        pinned = {track.policy for about in held.values() for track in about.incident.tracks}
        stand_in = StandIn(gives_codes=holding.gives_codes)

        def fill(tx: Tx) -> None:
            standin.seed(tx, held, holding.besides)
            tx.pin([policies[digest] for digest in pinned & policies.keys()])
            tx.add_links(self._links(held.values()))
            for person, address_key in world.unreachable:
                tx.set_unreachable(person, address_key, "", now)

        stand_in.write(fill)
        self._memory = Memory(began_at=now, bases=held, told=self.told)
        self._batch.forget_pinned()
        self.footing.stand_in = stand_in

    def _links(self, held: Iterable[About]) -> list[LinkRow]:
        """Return the links of what was sent before: their tokens are not stored, but computed."""
        world, key = self._batch.world, self._batch.link_key
        rows = [row for about in held for row in about.attempts.values() if row.claims and row.person]
        return [claiming.link_of(world, key, row)[1] for row in rows if row.kind in claiming.LINKED_KINDS]

    def _carry(self, now: datetime) -> Written:
        """Carry over what happened, and stand on the database again; in the writer thread."""
        memory, stand_in = self._memory, self.footing.stand_in
        assert memory is not None and stand_in is not None  # noqa: S101, PT018 - who stands in memory has both
        written = carry_over(self.footing.kept, self._batch, memory, stand_in, now)
        self.footing.stand_in = self._memory = None
        stand_in.close()
        self._batch.forget_pinned()
        self._holding.clear()
        return written


def _is_able(waiting: Waiting, memory: Memory) -> bool:
    """Return whether something can be done in memory: it is about what is held, and takes nothing back."""
    match waiting.command:
        case Due() | Claim():
            return True
        case Receipt(reference=reference):
            number = reference.removeprefix("i").partition("-")[0]
            return number.isdecimal() and int(number) in memory.bases
        case Answer(incident=number, event=event):
            return number in memory.bases and isinstance(event, Ack | PassOn | Unack)
        case _:
            return False


async def _at_once() -> None:
    """Do nothing: who is alone has no lease."""


async def _nothing(_carried: Written | None) -> None:
    """Hear nothing."""
