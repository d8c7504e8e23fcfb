"""What is looked after every few seconds beside the work: gauges that no commit moves, and the figures' checkpoint."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from structlog import get_logger

from escalatord.clock import Clock
from escalatord.core.readiness import people_by_readiness, reviews_overdue, seconds_to_gaps
from escalatord.engine.commands import Remark
from escalatord.engine.engine import Engine
from escalatord.engine.seeding import Figures
from escalatord.errors import StoreUnavailableError
from escalatord.metrics import Metrics
from escalatord.store.rows import NodeRow

HOUSEKEEPING_SECONDS = 5.0
FAR_LOOK_SECONDS = 3600.0
CLOCK_JUMP_SECONDS = 2.0

logger = get_logger(component="housekeeping")


class Housekeeping:
    """Keeps house for ever. `nodes` returns the nodes that share the database, as of the last look."""

    def __init__(
        self, engine: Engine, figures: Figures, metrics: Metrics, clock: Clock, nodes: Callable[[], tuple[NodeRow, ...]]
    ) -> None:
        self._engine = engine
        self._figures = figures
        self._metrics = metrics
        self._clock = clock
        self._nodes = nodes
        self._looked_far_at = float("-inf")
        self._looked_far_for: tuple[object, ...] = ()

    async def run(self) -> None:
        """Keep house."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        while True:
            self._engine.pulse.beat("housekeeping")
            now, elapsed = self._clock.now(), self._clock.monotonic()
            jump = (now - wall).total_seconds() - (elapsed - monotonic)
            wall, monotonic = now, elapsed
            try:
                if abs(jump) > CLOCK_JUMP_SECONDS and self._engine.clock_steps is None:
                    # several nodes go by their database: no loop sleeps longer than 5 s, so every deadline is judged
                    # by the new time already; one alone moves its deadlines itself, and journals that
                    logger.warning("the clock jumped", seconds=round(jump, 3))
                    await self._engine.submit(Remark(kind="clock_jump", body={"seconds": round(jump, 3)}))
                await self.keep(now, elapsed)
            except StoreUnavailableError as error:
                logger.warning("cannot keep house", error=str(error))
            await self._clock.sleep(HOUSEKEEPING_SECONDS)

    async def keep(self, now: datetime, elapsed: float) -> None:
        """Keep house once, at `now`, `elapsed` seconds on the clock that never jumps."""
        self._metrics.show_open(await self._engine.read(lambda tx: tx.count_open()), now)
        alive = [node.lease_until >= now for node in self._nodes()] or [True]
        self._metrics.show_nodes(alive=alive.count(True), lost=alive.count(False))
        await self._figures.keep(self._engine)
        # by identity: an override, a calendar that changed and new rules each make another one of these
        known = (self._engine.ruleset, self._engine.world.overrides)
        same = all(one is other for one, other in zip(known, self._looked_far_for, strict=False))
        if elapsed - self._looked_far_at > FAR_LOOK_SECONDS or not same:
            self._looked_far_at, self._looked_far_for = elapsed, known
            await self._look_far(now)

    async def _look_far(self, now: datetime) -> None:
        """Show what lies ahead: gaps in schedules, people who cannot be reached, rules past their review."""
        ruleset = self._engine.ruleset
        overrides, unreachable = await self._engine.read(lambda tx: (tuple(tx.overrides(now)), tx.unreachable()))
        gaps = await asyncio.to_thread(seconds_to_gaps, ruleset, now, overrides)
        for schedule, seconds in gaps.items():
            self._metrics.schedule_next_gap_seconds.labels(schedule).set(seconds)
        self._metrics.show_people(people_by_readiness(ruleset, unreachable))
        self._metrics.rules_review_overdue.set(reviews_overdue(ruleset, now))
