"""This node among the others that share its database: a sign of life, a lease, and an ear.

- There is no leader, and nodes do not speak to each other: all they know of one another is in the database.
- Every HEARTBEAT_SECONDS a node prolongs its lease and those of what it is sending. One that cannot (stopped, cut off,
  dead) loses both after `lease.LEASE_SECONDS`: the others may then claim what it was sending, and it sends no more.
- Every LOOK_SECONDS it reads on in the journal. The figures are folded from there, in the order of the journal and not
  before it is complete, so that every node comes to the same; open pages hear of what changed elsewhere.
- The database's clock is everybody's clock. On a database of its own a process needs none of this.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta

from structlog import get_logger

from escalatord.clock import FollowingClock
from escalatord.core.values import replace
from escalatord.engine.commands import Changed
from escalatord.engine.engine import Engine
from escalatord.engine.hearing import UNSETTLED_SECONDS_MAX
from escalatord.engine.lease import LEASE_SECONDS
from escalatord.engine.place import here, is_over
from escalatord.engine.seeding import ROWS_AT_ONCE, Figures
from escalatord.errors import StoreUnavailableError
from escalatord.store.nodes import Horizon
from escalatord.store.rows import JournalRow, NodeRow
from escalatord.store.tx import Tx

HEARTBEAT_SECONDS = 3.0
LOOK_SECONDS = 1.0
TIDY_EVERY_SECONDS = 600.0

log = get_logger(component="peers")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one look at the database found."""

    horizon: Horizon
    rows: list[JournalRow]
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
        self._told = 0
        self._waiting: _Unsettled | None = None
        self._complete = 0

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

        node, self.known, self._told = await self._engine.write(enter, alone=True)
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
                horizon=tx.nodes.horizon(), rows=tx.journal_after(self._told, ROWS_AT_ONCE), nodes=tx.nodes.all()
            )
        )
        before = {node.id for node in self.known if node.lease_until >= self._clock.now()}
        self.known = tuple(told.nodes)
        alive = {node.id for node in self.known if node.lease_until >= self._clock.now()}
        self.others = bool(alive - {self.own})
        lost = before - alive - {self.own}
        for name in lost:
            log.warning("a node gives no sign of life", node=name)
        incidents = tuple(dict.fromkeys(row.entry.incident for row in told.rows if row.entry.incident > 0))
        if told.rows:
            self._told = told.rows[-1].seq
        # a dead node's messages need somebody; those of the living are sent by whoever made them
        if incidents or lost:
            self._engine.hear(Changed(incidents=incidents, seq=self._told, outbox=bool(lost)))
        await self._engine.catch_up()
        self._settle(told.horizon)
        await self._fold()

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
            rows = await self._engine.read(lambda tx: tx.journal_after(figures.seq, ROWS_AT_ONCE))
            whole = len(rows) < ROWS_AT_ONCE or rows[-1].seq >= end
            figures.fold([row for row in rows if row.seq <= end], end if whole else rows[-1].seq)
        figures.caught_up = figures.caught_up or end > 0
