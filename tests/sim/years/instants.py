"""Time that goes from one instant to the next, and a wall clock that can be set wrong."""

import asyncio
import heapq
from datetime import datetime, timedelta
from random import Random

from escalatord.sim.clock import TURNS_AT_ONE_INSTANT_MAX, SpinningError, VirtualClock


class Instants(VirtualClock):
    """A virtual clock whose sleepers of one instant wake together, in an order that chance chooses.

    `set_wrong` moves what the wall clock says, and nothing else: sleeping goes on as before.
    """

    def __init__(self, start: datetime, chance: Random) -> None:
        super().__init__(start)
        self._chance = chance
        self._wrong = timedelta()

    def now(self) -> datetime:
        """Return what the wall clock says."""
        return super().now() + self._wrong

    @property
    def elapsed(self) -> float:
        """Return the seconds that have really passed."""
        return self.monotonic()

    def set_wrong(self, seconds: float) -> None:
        """Let the wall clock say that much more (or less) from now on."""
        self._wrong += timedelta(seconds=seconds)

    def set_right(self) -> None:
        """Let the wall clock be right again."""
        self._wrong = timedelta()

    async def next(self, until_seconds: float) -> bool:
        """Go to the next instant at which somebody wakes, and let it happen; False = nobody does until then."""
        end = timedelta(seconds=until_seconds)
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # was cancelled
        if not self._sleepers or self._sleepers[0][0] > end:
            self._elapsed = max(self._elapsed, end)
            return False
        self._elapsed = max(self._elapsed, self._sleepers[0][0])
        waking = []
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            waking.append(heapq.heappop(self._sleepers)[2])
        self._chance.shuffle(waking)
        for sleeper in waking:
            if not sleeper.done():
                sleeper.set_result(None)
        await self.settle()
        return True

    async def settle(self) -> None:
        """Let everything run that can run at this instant: no thread and no socket can bring anything more."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined] # whoever can run stands there
        for _ in range(TURNS_AT_ONE_INSTANT_MAX):
            await asyncio.sleep(0)
            if not ready:
                return
        raise SpinningError(f"something spins at {self.now().isoformat()}")
