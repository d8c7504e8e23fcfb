"""Until when this process may send: what it holds is its own for so long, then another node may take it over.

Judged on a clock that never jumps, from before the lease was asked for: a process that was stopped, or cut off from the
database, finds its lease over when it goes on, even if it is prolonged in the same moment. So every claim remembers the
term that it was made in.
"""

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any, TypeVar

from escalatord.clock import Clock, within
from escalatord.errors import EscalatordError

T = TypeVar("T")

LEASE_SECONDS = 10.0
"""How long a node's claims outlive its last sign of life."""
SPARE_SECONDS = 1.0
"""Nothing is begun when less of the lease is left."""


class LeaseLostError(EscalatordError):
    """What was claimed may be another node's by now: leave it alone, and say nothing of it."""


class Lease:
    """A lease that lasts for ever, until `prolong` is called for the first time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = inf
        self.term = 0
        self.holding: dict[str, int] = {}
        """What is being sent: reference → claims."""
        self.suspended = False
        """Nobody can take over now: the database is away from everybody."""

    @property
    def is_limited(self) -> bool:
        """Return whether other nodes may take over from this one."""
        return self._until < inf and not self.suspended

    def prolong(self, asked_at: float) -> None:
        """Take note that the database prolonged it, asked at `asked_at` (monotonic). One that was over begins anew."""
        limited = self._until < inf
        if limited and asked_at > self._until:
            self.term += 1
        self._until = max(asked_at + LEASE_SECONDS, self._until if limited else 0.0)

    def seconds_left(self, term: int) -> float:
        """Return for how long what was claimed in `term` may still be worked on; 0 or less = no longer."""
        if term != self.term:
            return 0.0
        return inf if self.suspended else self._until - self._clock.monotonic()

    def check(self) -> None:
        """Raise LeaseLostError when the lease is over: the last look, right before a provider hears of something."""
        if self.is_limited and self._until <= self._clock.monotonic():
            raise LeaseLostError("the lease is over")

    async def keep(self, term: int, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` comes to; when `seconds` pass or the lease ends before, cancel it.

        Raise TimeoutError, or LeaseLostError when the lease of `term` is over; then nothing is begun at all.
        """
        if not self.is_limited:
            return await within(self._clock, seconds, work)
        give_up_at = self._clock.monotonic() + seconds
        if self.seconds_left(term) < SPARE_SECONDS:
            work.close()
            raise LeaseLostError("the lease is over")
        task = asyncio.ensure_future(work)
        try:
            # the lease may be prolonged meanwhile
            while not task.done() and (left := self._left(term, give_up_at)) > 0:
                slept = asyncio.ensure_future(self._clock.sleep(left))
                try:
                    await asyncio.wait((task, slept), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    slept.cancel()
        finally:
            task.cancel()
        await asyncio.wait((task,))  # its own clean-up comes first, as with any cancellation
        if not task.cancelled():
            return task.result()
        if self.seconds_left(term) <= 0:
            raise LeaseLostError("the lease ended")
        raise TimeoutError

    def _left(self, term: int, give_up_at: float) -> float:
        return min(give_up_at - self._clock.monotonic(), self.seconds_left(term))
