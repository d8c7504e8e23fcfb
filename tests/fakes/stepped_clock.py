"""A clock that stands still until it is told to go on."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

TURNS_TO_SETTLE = 20


class SteppedClock:
    """Tells the time it was set to; whoever sleeps is woken, in order, when `pass_time` goes past them."""

    def __init__(self, start: datetime = datetime(2026, 10, 24, 1, 11, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the present instant."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds passed."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until that much time was passed."""
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(0.0, seconds), next(self._order), waiting))
        await waiting

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(TURNS_TO_SETTLE):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        """Go on by `seconds`, stopping at every instant that somebody waits for."""
        end = self._elapsed + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, waiting = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not waiting.done():
                waiting.set_result(None)
            await self.settle()
        self._elapsed = end
        await self.settle()
