"""The engine's face and its loops: commands in, one transaction per batch, then everybody is told.

- `submit` queues a command (bounded; past it StoreUnavailableError, so that a sender gets 503 and tries again). The
  commit loop takes whatever waits, without a window, runs it in the store's writer thread in one transaction, and
  resolves the futures only after the commit.
- The due loop sleeps until the earliest deadline and submits `Due` like any other command.
- A command that raises is taken back alone; the batch goes on. A batch that cannot be written fails as a whole and
  nothing of it is kept.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from structlog import get_logger

from escalatord.clock import Clock, idle
from escalatord.core.alert import Alert
from escalatord.core.incident import Incident
from escalatord.core.policy import Policy
from escalatord.core.rules import Verdict
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace
from escalatord.engine import intake
from escalatord.engine.asking import Asker
from escalatord.engine.batch import Batch
from escalatord.engine.clock_steps import ClockSteps
from escalatord.engine.commands import (
    ANY_LANE,
    Arm,
    Changed,
    Command,
    Ingest,
    Ingested,
    LookAtRules,
    PeopleGone,
    Remark,
    Result,
)
from escalatord.engine.deadlines import DUE_AT_ONCE_MAX, Deadlines
from escalatord.engine.footing import Footing
from escalatord.engine.handlers import Due
from escalatord.engine.known import KnownBodies
from escalatord.engine.lease import Lease
from escalatord.engine.outage import Outage, Threads
from escalatord.engine.poison import Poison
from escalatord.engine.pulse import Pulse
from escalatord.engine.waiting import Waiting, WaitingRoom
from escalatord.engine.written import Written
from escalatord.errors import EscalatordError, StoreUnavailableError
from escalatord.store.store import Store
from escalatord.store.tx import Tx

T = TypeVar("T")

WATCH_QUEUE_MAX = 1_000
IDLE_SECONDS_MAX = 5.0
ANSWERED_KEPT_MAX = 20
"""Of the alerts answered last so many are looked for by every audit."""

log = get_logger(component="engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An incident beside the world it lives in and the instant it was read."""

    incident: Incident
    world: World
    at: datetime


def one_thread(name: str) -> Executor:
    """Return a thread of its own."""
    return ThreadPoolExecutor(1, thread_name_prefix=name)


class Engine:
    """The only way to change anything. Built by the daemon; `run` its loops inside a TaskGroup.

    `thread` makes the store's writer and reader thread by name; the simulator's keep step with its virtual time.
    `idle_seconds` is how long a loop waits for news before it turns anyway, to show that it is alive.
    """

    def __init__(
        self,
        store: Store,
        ruleset: Ruleset,
        clock: Clock,
        *,
        link_key: bytes,
        thread: Callable[[str], Executor] = one_thread,
        idle_seconds: float = IDLE_SECONDS_MAX,
    ) -> None:
        self.clock = clock
        self.ready = False
        self.outdated = 0
        self.clock_steps: ClockSteps | None = None
        self._store = Footing(store)
        self._idle, self._idle_seconds = partial(idle, clock), idle_seconds
        self._batch = Batch(self._store, ruleset, link_key)
        self.asker = Asker(self._enqueue)
        self.lease = Lease(clock)
        self.known = KnownBodies()
        self._threads = Threads(*map(thread, ("store-writer", "store-reader", "store-prober")))
        self._writer, self._reader = self._threads.writer, self._threads.reader
        self.outage = Outage(self._store, self._batch, clock, self.lease, self._threads)
        self.outage.on_switch = self._look_anew
        self.outage.look_seconds = max(self.outage.look_seconds, idle_seconds)
        self._work = asyncio.Event()
        self._waiting = WaitingRoom(self._work)
        self._told = asyncio.Event()
        self.pulse = Pulse(clock)
        self.deadlines = Deadlines(clock, self.pulse, self._work_on_due, self._look_for_due, idle_seconds)
        self.deadlines.shared = store.shared
        self._watchers: set[asyncio.Queue[Changed]] = set()
        self._poison = Poison(clock)
        self._answered: deque[tuple[str, str]] = deque(maxlen=ANSWERED_KEPT_MAX)
        self.on_written: Callable[[Written], None] = lambda _written: None
        self.on_untaken: Callable[[str, str], None] = lambda _via, _result: None
        """Hears of acks that changed nothing and are in no journal; see `respond.Untaken`."""

    # ------------------------------------------------------------------------------------------------------- asking

    @property
    def ruleset(self) -> Ruleset:
        """Return the rules in force."""
        return self._batch.ruleset

    @property
    def world(self) -> World:
        """Return what steps look things up in now; it holds every policy that a claimed row's incident is pinned to."""
        return self._batch.world

    @property
    def shared(self) -> bool:
        """Return whether other nodes may use the same database."""
        return self._store.shared

    async def submit(self, command: Command) -> Result:
        """Run a command and return its result once it is committed.

        Raise StoreUnavailableError when nothing could be committed (or too much waits), CommandFailedError when this
        command alone failed and was taken back.
        """
        if self._store.short_of_room and isinstance(command, Ingest):
            raise StoreUnavailableError("the disk is full; what room is left is for acks and timers")
        return await self._enqueue(command)  # type: ignore[return-value] # each command names its own result

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run a read-only transaction where pages rest now, in the reader thread, and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._store.read, work)

    async def write(self, work: Callable[[Tx], T], *, alone: bool = False) -> T:
        """Run a transaction beside the commands, again when another node was faster, and return what it returns."""
        self._store.need_kept()
        run = partial(self._store.kept.write, alone=True) if alone else self._store.settle
        return await self._in_writer(run, work)

    async def view(self, number: int) -> View | None:
        """Return an incident with the world it lives in, None when there is none."""

        def look(tx: Tx) -> tuple[Incident, dict[str, Policy]] | None:
            incident = tx.load((number,)).get(number)
            if incident is None:
                return None
            return incident, tx.policies({track.policy for track in incident.tracks})

        found = await self.read(look)
        if found is None:
            self._store.need_kept()
            return None
        incident, policies = found
        world = self._batch.world
        world = replace(world, policies={**world.policies, **policies})
        return View(incident=incident, world=world, at=self.clock.now())

    async def explain(self, source: str, alerts: Sequence[Alert]) -> tuple[Verdict, ...]:
        """Return what the rules would make of alerts now; commits nothing and pages nobody."""
        known = await self.read(lambda tx: tx.alerts(source, [alert.fingerprint for alert in alerts]))
        now, around = self.clock.now(), self._batch.around
        # in the writer thread: what rules look at beside an alert lives there
        return await self._in_writer(lambda: intake.explain(self.ruleset, around, known, alerts, now))

    async def held_by(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return how many alerts that fire each of these mutes holds back, alone or with others."""
        return await self._in_writer(self._batch.around.held_by, keys)

    @contextmanager
    def watch(self) -> Iterator["asyncio.Queue[Changed]"]:
        """Give a queue that hears of every commit; one that is not emptied loses the oldest news, never blocks."""
        queue: asyncio.Queue[Changed] = asyncio.Queue(WATCH_QUEUE_MAX)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def unsettled(self, number: int) -> bool:
        """Return whether a commit that changes this incident is under way, or done and not told yet."""
        return number in self._batch.moving

    async def settled(self) -> None:
        """Wait until the commit under way has been told, or has failed."""
        await self._told.wait()

    def answered(self) -> Mapping[str, tuple[str, ...]]:
        """Return alerts whose senders were answered lately that they are kept: fingerprints by source."""
        found: dict[str, tuple[str, ...]] = {}
        for source, fingerprint in self._answered:
            found[source] = (*found.get(source, ()), fingerprint)
        return found

    def healthy(self) -> bool:
        """Return whether the loops turn, on the clock that never jumps."""
        return not self.pulse.silent()

    @property
    def quarantined(self) -> int:
        """Return how many incidents are put aside because their steps raised."""
        return len(self._poison.put_aside(self.clock.now()))

    # ---------------------------------------------------------------------------------------------------- life cycle

    async def start(self, *, beside_others: bool = False) -> None:
        """Read what changes at run time, free what a dead process was sending, and find the earliest deadline."""
        now = self.clock.now()
        if not self.shared:
            await self.write(lambda tx: tx.outbox_end_leases(now))
        if self.clock_steps is not None:
            await self.write(self.clock_steps.begin)
        await self._in_writer(self._batch.refresh, now)
        await self._in_writer(self._batch.survey, now)
        waits = any(policy.hours for policy in self.ruleset.policies.values())
        arm = Arm(beside_others=beside_others)
        first: tuple[Command, ...] = (arm, LookAtRules()) if waits else (arm,)
        await self._in_writer(self._batch.commit, first, now)
        self.deadlines.next_due, self.outage.told = await self.read(lambda tx: (tx.next_due(), tx.last_seq()))

    async def keep_figures(self, seq: int, figures: Mapping[str, object]) -> None:
        """Store the figures as they are after journal row `seq`, so that a start need not fold all of the journal."""
        await self.write(lambda tx: tx.set_checkpoint(seq, figures))

    def take_place(self, chain: int, asked_at: float) -> None:
        """Be one of several nodes: journal what concerns this one in `chain`, and send only while the lease lasts."""
        self._store.chain = chain
        self.lease.prolong(asked_at)

    def hear(self, news: Changed) -> None:
        """Tell whoever watches what another node changed."""
        for queue in self._watchers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(news)

    def settle_news(self, revision: int) -> None:
        """Take note that what other nodes told of alerts is complete up to `revision`."""
        self._batch.hearing.settled = max(revision, self._batch.hearing.settled)

    async def catch_up(self) -> None:
        """Look at deadlines that other nodes set, and at alerts that they changed."""
        hearing, needed, now = self._batch.hearing, self._batch.around.needed, self.clock.now()
        next_due, behind = await self.read(lambda tx: (tx.next_due(), needed and hearing.is_behind(tx, now)))
        self.deadlines.hear(next_due)
        if behind and not self._waiting:
            await self._enqueue(Due(limit=0))  # every transaction takes in what others told, this one nothing else

    async def reload(self, ruleset: Ruleset) -> None:
        """Swap the rules between two batches; running incidents stay pinned to their policies.

        Who left the roster is gone on without at once: their tier falls to the next one who can be reached.
        """
        self._store.need_kept()
        now = self.clock.now()
        gone = tuple(sorted(self.ruleset.people.keys() - ruleset.people.keys()))
        await self._in_writer(self._batch.swap, ruleset, now)
        await self._in_writer(self._batch.survey, now)
        self.known.clear()
        await self._enqueue(Arm())
        if gone:
            await self._enqueue(PeopleGone(people=gone))
        self.outdated = int(str(await self._enqueue(LookAtRules())))

    async def tell_loaded(self, before: str) -> None:
        """Say in the journal and the log that other rules are in force, and how many incidents follow the old ones."""
        body = {"hash": self.ruleset.hash, "before": before, "outdated": self.outdated}
        await self.submit(Remark(kind="config_loaded", body=body))
        log.info("rules loaded", rules=self.ruleset.hash, incidents_on_old_policies=self.outdated)

    async def run_commits(self) -> None:
        """Commit what waits, for ever."""
        while True:
            while not self._waiting:
                self.pulse.beat("commits")
                self._work.clear()
                await self._idle(self._work, self._idle_seconds)
                async with self.outage.turn:
                    await self._follow_clock()
            async with self.outage.turn:
                await self._follow_clock()
                await self._commit(self.outage.admitted(self._waiting.next_batch()))
            self.pulse.beat("commits")
            self._batch.moving = frozenset()
            self._told.set()

    async def finish(self) -> None:
        """Refuse new commands, and wait until who asked before has an answer; `run_commits` must still run."""
        last = self._waiting.put(Due(limit=0))
        self._waiting.closed = True
        with suppress(StoreUnavailableError):
            await last

    async def close(self) -> None:
        """Refuse new commands, let the running batch end, and let go of the threads."""
        self._waiting.turn_out()
        await self._threads.close()

    # ------------------------------------------------------------------------------------------------------ private

    async def _enqueue(self, command: Command | Due) -> object:
        # a waiter that is cancelled takes only its own future with it; the command runs all the same
        return await self._waiting.admit(command)

    async def _in_writer(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *given)

    async def _work_on_due(self, now: datetime) -> object:
        return await self._enqueue(Due(limit=DUE_AT_ONCE_MAX, skip=self._poison.put_aside(now)))

    async def _look_for_due(self) -> datetime | None:
        return await self.read(lambda tx: tx.next_due())

    async def _follow_clock(self) -> None:
        """Move what waits when the machine's clock was set; between two batches, so that each sees one clock."""
        if self.clock_steps is None or (moved := await self.clock_steps.follow(self)) is None:
            return
        await self._in_writer(self._batch.refresh, self.clock.now())
        await self._in_writer(self._batch.survey, self.clock.now())
        self.known.clear()
        self.deadlines.set(moved.next_due)
        self.hear(moved.news)
        self._remark(moved.remark)

    def _remark(self, remark: Command) -> None:
        if not self._waiting.closed:
            told = self._waiting.put(remark)
            told.add_done_callback(lambda done: done.exception())  # nobody waits; what went wrong is in the journal

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        if not batch:
            return
        now, began_at = self.clock.now(), self.clock.monotonic()
        commands = [waiting.command for waiting in batch]
        self._told.clear()
        try:
            written = await self._in_writer(self._batch.commit, commands, now)
        except StoreUnavailableError as error:
            self.outage.failed(began_at, error)
            for waiting in batch:
                waiting.fail(error)
        else:
            self._tell(batch, self.outage.did(batch, written))

    async def _look_anew(self, carried: Written | None) -> None:
        """The ground has changed: look at its deadlines and at what waits to be sent."""
        if carried is not None:
            self.on_written(carried)
        self.deadlines.set(await self._look_for_due())
        self.hear(Changed(outbox=frozenset({ANY_LANE})))

    def _tell(self, batch: Sequence[Waiting], written: Written) -> None:
        if not self.shared:  # else other nodes may change an alert behind our back
            commands = [waiting.command for waiting in batch]
            self.known.take_in(commands, written.results, written.touched, self.clock.monotonic())
        for waiting, result in zip(batch, written.results, strict=True):
            if isinstance(result, EscalatordError):
                waiting.fail(result)
            elif not waiting.future.done():
                waiting.future.set_result(result)
            if isinstance(result, Ingested) and isinstance(waiting.command, Ingest):
                fresh = [item.fingerprint for item in result.accepted if item.new][-1:]
                self._answered.extend((waiting.command.source, fingerprint) for fingerprint in fresh)
        if (failure := self._poison.hear(written)) is not None:
            self._remark(failure)
        self.deadlines.hear(written.next_due)
        self.asker.ask(written.asks)
        self.on_written(written)
        if written.changed or written.outbox or written.retries:
            news = Changed(incidents=written.changed, seq=written.seq, outbox=written.outbox, retries=written.retries)
            self.hear(news)
