"""This node among the others that share its database: a sign of life, a lease, and an ear.

- There is no leader, and nodes do not speak to each other: all they know of one another is in the database.
- Every HEARTBEAT_SECONDS a node prolongs its lease and those of what it is sending. One that cannot (stopped, cut off,
  dead) loses both after `lease.LEASE_SECONDS`: the others may then claim what it was sending, and it sends no more.
- Every LOOK_SECONDS it reads on in the journal: open pages, and messages under way, hear of what changed elsewhere. The
  figures are folded from there too, once it is complete, so that every node comes to the same.
- The database's clock is everybody's clock. On a database of its own a process needs none of this.
"""

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from structlog import get_logger

from escalatord.clock import FollowingClock
from escalatord.core.values import replace
from escalatord.engine.commands import ANY_LANE, Changed
from escalatord.engine.engine import Engine
from escalatord.engine.hearing import UNSETTLED_SECONDS_MAX
from escalatord.engine.lease import LEASE_SECONDS
from escalatord.engine.ledger import COUNTED_KINDS
from escalatord.engine.place import here, is_over
from escalatord.engine.seeding import ROWS_AT_ONCE, Figures
from escalatord.engine.written import Written
from escalatord.errors import StoreUnavailableError
from escalatord.store.nodes import Horizon
from escalatord.store.rows import NodeRow
from escalatord.store.tx import Tx

HEARTBEAT_SECONDS = 3.0
LOOK_SECONDS = 1.0
TIDY_EVERY_SECONDS = 600.0
CHANGES_AT_ONCE_MAX = 100_000
"""Of so many entries of the journal the incidents are told in one look."""
NEWS_FORGOTTEN_AT_ONCE_MAX = 5_000
"""A transaction of some ten milliseconds. One a second keeps up with any number of alerts that nodes can tell of."""

log = get_logger(component="peers")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one look at the database found."""

    horizon: Horizon
    changes: Sequence[tuple[int, int]]
    nodes: list[NodeRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unsettled:
    """Numbers that were given out by `asked_at` (monotonic); complete when transaction `before` has begun and ended."""

    seq: int
    revision: int
    asked_at: float
    before: int | None = None


class Peers:
    """A node among others. `join` before the engine starts, `run` inside a TaskGroup, `leave` at the end.

    On a database that nobody else may use all of them do nothing, and `known` is empty.
    """

    def __init__(self, engine: Engine, figures: Figures, clock: FollowingClock, version: str) -> None:
        self.known: tuple[NodeRow, ...] = ()
        """The nodes as of the last look, this one included."""
        self.others = False
        """Whether other nodes were alive at the last look."""
        self.lateness_seconds = 0.0
        """How late deadlines were worked since the last heartbeat; whoever works them says so."""
        self._engine = engine
        self._figures = figures
        self._clock = clock
        self._version = version
        self._node: NodeRow | None = None
        self._told_upto = 0
        """Everything up to this number of the journal was told here; above it, by incident, the last that was."""
        self._told: dict[int, int] = {}
        self._waiting: _Unsettled | None = None
        self._complete = 0
        self._tidy_at = clock.monotonic()
        engine.outage.others = lambda: self.others
        if engine.shared:
            engine.outage.rejoin = self.beat

    @property
    def own(self) -> str:
        """Return this node's id, "" = it is alone with its database."""
        return self._node.id if self._node is not None else ""

    def others_alive(self) -> bool:
        """Return whether anybody else may be working now, as of the last look."""
        return any(node.id != self.own and node.lease_until >= self._clock.now() for node in self.known)

    async def join(self) -> None:
        """Become one of the nodes; StoreUnavailableError when the database does not answer."""
        if not self._engine.shared:
            return
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        asked_at = self._clock.monotonic()

        def enter(tx: Tx) -> tuple[NodeRow, tuple[NodeRow, ...], int]:
            now = tx.standing.now
            assert now is not None  # noqa: S101 - a shared database has a clock
            node = NodeRow(
                id=name,
                place=here(),
                version=self._version,
                started_at=now,
                heartbeat_at=now,
                lease_until=now + timedelta(seconds=LEASE_SECONDS),
            )
            over = [other.id for other in tx.nodes.all() if is_over(other.place)]
            node = tx.nodes.join(node, over)
            return node, tuple(tx.nodes.all()), tx.last_seq()

        node, self.known, self._told_upto = await self._engine.write(enter, alone=True)
        self._node = node
        self._clock.follow(node.heartbeat_at, asked_at)
        self.others = self.others_alive()
        self._engine.take_place(node.chain, asked_at)
        log.info("joined", node=name, nodes=len(self.known))

    async def leave(self) -> None:
        """Say that this node ended: nobody need wait for its lease."""
        if self._node is not None:
            try:
                await self._engine.write(lambda tx: tx.nodes.leave(self.own))
            except StoreUnavailableError as error:
                log.warning("cannot leave", error=str(error))

    async def run(self) -> None:
        """Give signs of life and hear of the others, for ever."""
        if self._node is None:
            return
        beat_at = self._clock.monotonic()
        while True:
            try:
                if self._clock.monotonic() - beat_at >= HEARTBEAT_SECONDS:
                    beat_at = self._clock.monotonic()
                    await self.beat()
                await self.look()
                await self.tidy()
            except StoreUnavailableError as error:
                log.warning("the other nodes cannot be heard", error=str(error))
            await self._clock.sleep(LOOK_SECONDS)

    async def beat(self) -> None:
        """Prolong this node's lease and those of what it is sending."""
        node = self._node
        assert node is not None  # noqa: S101 - only a node that joined runs
        asked_at = self._clock.monotonic()
        holding, lateness = dict(self._engine.lease.holding), self.lateness_seconds
        self.lateness_seconds = 0.0

        def prolong(tx: Tx) -> NodeRow | None:
            now = tx.standing.now
            assert now is not None  # noqa: S101 - a shared database has a clock
            until = now + timedelta(seconds=LEASE_SECONDS)
            beaten = replace(node, heartbeat_at=now, lease_until=until, lateness_seconds=lateness)
            return beaten if tx.nodes.beat(beaten, holding) else None

        beaten = await self._engine.write(prolong)
        if beaten is None:
            # somebody tidied up behind a node that was away for a day
            await self.join()
            return
        self._node = beaten
        self._clock.follow(beaten.heartbeat_at, asked_at)
        self._engine.lease.prolong(asked_at)

    async def look(self) -> None:
        """Read on in the journal, and see who is there and what is due."""
        self._engine.outage.need_database()
        told = await self._engine.read(
            lambda tx: _Look(
                horizon=tx.nodes.horizon(),
                changes=tx.nodes.changes(self._told_upto, CHANGES_AT_ONCE_MAX),
                nodes=tx.nodes.all(),
            )
        )
        before = {node.id for node in self.known if node.lease_until >= self._clock.now()}
        self.known = tuple(told.nodes)
        alive = {node.id for node in self.known if node.lease_until >= self._clock.now()}
        self.others = bool(alive - {self.own})
        lost = before - alive - {self.own}
        for name in lost:
            log.warning("a node gives no sign of life", node=name)
        incidents = self._news(told.changes)
        # a dead node's messages need somebody; those of the living are sent by whoever made them
        if incidents or lost:
            last = max((seq for _incident, seq in told.changes), default=self._told_upto)
            self._engine.hear(Changed(incidents=incidents, seq=last, outbox=frozenset({ANY_LANE} if lost else ())))
        await self._engine.catch_up()
        self._settle(told.horizon)
        await self._fold()

    def written(self, written: Written) -> None:
        """Hear what this node committed: nobody here has to be told of it again."""
        self.lateness_seconds = max(self.lateness_seconds, *(seconds for _kind, seconds in written.lateness), 0.0)
        if self._node is not None:
            self._told.update(dict.fromkeys(written.changed, written.seq))

    def _news(self, changes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """Return the incidents that changed since they were told of.

        Who commits later may have a lower number, so what was seen is remembered one by one until that has settled. Of
        one incident numbers do come in order: two nodes never change it at once.
        """
        news = tuple(incident for incident, seq in changes if self._told.get(incident, 0) < seq)
        self._told.update(changes)
        last = max((seq for _incident, seq in changes), default=self._complete)
        floor = min(max(self._told_upto, self._complete), last)
        if last - floor > CHANGES_AT_ONCE_MAX / 2:
            floor = last  # a storm beside a transaction that hangs: better one that is not told than all of them late
        if floor > self._told_upto:
            self._told_upto = floor
            self._told = {incident: seq for incident, seq in self._told.items() if seq > floor}
        return news

    async def tidy(self) -> None:
        """Drop some of the news that everybody has heard; the next look goes on with it while any are left.

        A transaction of its own, and a short one: a sign of life never waits for a great deal of it.
        """
        if self._clock.monotonic() < self._tidy_at:
            return

        def forget(tx: Tx) -> int:
            now = tx.standing.now
            assert now is not None  # noqa: S101 - a shared database has a clock
            return tx.nodes.forget_news(now, NEWS_FORGOTTEN_AT_ONCE_MAX)

        if not await self._engine.write(forget):
            self._tidy_at = self._clock.monotonic() + TIDY_EVERY_SECONDS

    def _settle(self, horizon: Horizon) -> None:
        """Find out up to which number everything is complete."""
        waiting = self._waiting
        if waiting is not None:
            if waiting.before is None:
                waiting = replace(waiting, before=horizon.next)
            old = self._clock.monotonic() - waiting.asked_at > UNSETTLED_SECONDS_MAX
            if old or horizon.oldest >= (waiting.before or 0):
                self._complete = waiting.seq
                self._engine.settle_news(waiting.revision)
                waiting = None
        self._waiting = waiting or _Unsettled(
            seq=horizon.seq, revision=horizon.revision, asked_at=self._clock.monotonic()
        )

    async def _fold(self) -> None:
        """Add to the figures what is complete."""
        figures, end = self._figures, self._complete
        while figures.seq < end:
            facts = await self._engine.read(lambda tx: tx.nodes.facts(COUNTED_KINDS, figures.seq, end, ROWS_AT_ONCE))
            figures.fold((entry for _seq, entry in facts), end if len(facts) < ROWS_AT_ONCE else facts[-1][0])
        figures.caught_up = figures.caught_up or end > 0
