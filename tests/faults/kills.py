"""SIGKILL at random moments under load, again and again, on one database.

A provider that can be asked finds what a dead process had sent: nothing is sent twice. One that cannot be asked (its
list answers 500) may get what was in flight at a kill a second time, and nothing else.
"""

import asyncio
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from tests.fakes.processes import Daemon
from tests.faults.doomed import POINTS
from tests.faults.provider import Trouble
from tests.faults.site import ANA, BO, Row, Wiring, moments, site

ALERTS_PER_SECOND = 4.0
KILL_AFTER_SECONDS = (0.2, 1.5)


ASKING = ("lookup", "looked")
POINT_SECONDS = 30.0
DOWN_SECONDS_WITHIN = "3s"
ALERTS_BEFORE_DEATH = 10


async def kill_again_and_again(folder: Path, kills: int, seed: int, *, can_ask: bool = True) -> Row:
    """Kill the daemon so many times under load, wait until it is quiet, and return what was lost or doubled."""
    async with site(folder) as here:
        if not can_ask:
            here.provider.trouble = Trouble.FORGET
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        for seconds in moments(seed, kills, *KILL_AFTER_SECONDS):
            await here.wait(seconds)
            await here.kill()
            await here.start()
        await here.quiet(load)
        await posting
        code = await here.stop()
        assert code == 0, here.said()
        assert load.refused == {}, "a sender was told not to try again"
        return here.reckon(load, kills, f"seed {seed}")


class Doomed(Daemon):
    """The daemon that dies at the n-th visit of a named point, for as long as `doom` says so."""

    doom: tuple[str, int] | None = None

    def start(self, seconds: float = 30.0) -> Daemon:
        """Start it; a doomed one may be dead before it is ready."""
        plain = self._command
        if self.doom is not None:
            point, visits = self.doom
            self._command = [sys.executable, "-m", "tests.faults.doomed", point, str(visits), *plain[3:]]
        try:
            return super().start(seconds)
        except AssertionError:
            if self.doom is None or not self.is_dead:
                raise
            return self
        finally:
            self._command = plain

    @property
    def is_dead(self) -> bool:
        """Return whether its process has ended."""
        return self.running is not None and self.running.process.poll() is not None


async def die_at_points(folder: Path, visits: Sequence[int], points: Sequence[str] = POINTS) -> Row:
    """Let the daemon die at each named point, at each of these visits, one after the other under load."""
    async with site(folder, make=Doomed) as here:
        daemon = here.daemon
        assert isinstance(daemon, Doomed)
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.until("something is paged", lambda: bool(here.paged(ANA)))
        for point, visit in product(points, visits):
            await here.kill()
            if point in ASKING:  # a question is asked only about what was in flight at a death
                daemon.doom = ("sent", 1)
                await here.start()
                await here.until(f"it is dead before {point}", lambda: daemon.is_dead, POINT_SECONDS)
            daemon.doom = (point, visit)
            await here.start()
            await here.until(f"it dies at {point}, visit {visit}", lambda: daemon.is_dead, POINT_SECONDS)
            daemon.doom = None
            await here.start()
        await here.quiet(load)
        await posting
        await here.stop()
        return here.reckon(load, len(points) * len(visits), "each of seven points")


async def stay_dead(folder: Path, seconds: float) -> Row:
    """Kill the daemon once and start it so many seconds later: what came due meanwhile is paged at once, and once."""
    async with site(folder, Wiring(within=DOWN_SECONDS_WITHIN)) as here:
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.until("ten alerts have paged", lambda: len(here.paged(ANA)) >= ALERTS_BEFORE_DEATH)
        load.stop()
        await posting
        await here.until("Ana knows all", lambda: not here.unpaged(load, (ANA,)))
        waiting = here.unpaged(load, (BO,))
        assert waiting, "some have not climbed yet"
        await here.kill()
        await here.wait(seconds)
        await here.start()
        ready_at = here.clock.monotonic()
        await here.until("Bo knows all", lambda: not here.unpaged(load, (BO,)))
        slowest = max(at for number, at in here.paged(BO).items() if number in waiting) - ready_at
        await here.quiet(load)
        assert all(len(texts) == 1 for texts in here.heard(BO).values()), here.heard(BO)
        await here.stop()
        return here.reckon(load, 1, f"down for {seconds:g} s; overdue pages left {slowest:.2f} s after the start")
