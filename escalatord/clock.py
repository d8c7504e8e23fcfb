"""The only reader of clocks.

`now` is read once per unit of work and passed down as a value; nothing below the caller asks again.
Instants are aware datetimes in UTC; elapsed time for sleeping and timeouts is monotonic.
"""

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of monotonic time; zero or less yields once to the loop."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of monotonic time; zero or less yields once to the loop."""
        await asyncio.sleep(max(0.0, seconds))


class HurriedClock:
    """A clock that runs `speed` times as fast as the one below it; for demonstrations with simulated phones."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock, self._speed = clock, speed
        self._from, self._from_monotonic = clock.now(), clock.monotonic()

    def now(self) -> datetime:
        """Return the hurried instant."""
        return self._from + (self._clock.now() - self._from) * self._speed

    def monotonic(self) -> float:
        """Return hurried seconds."""
        return self._from_monotonic + (self._clock.monotonic() - self._from_monotonic) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of hurried time."""
        await self._clock.sleep(seconds / self._speed)


class FollowingClock:
    """A clock that several machines agree on: it follows what it is told, and goes on by a clock that never jumps.

    Until it is told for the first time it is the clock below it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: tuple[datetime, float] | None = None

    def follow(self, at: datetime, asked_at: float) -> None:
        """Take over an instant that was asked for at `asked_at` (monotonic) and has just been told."""
        middle = (asked_at + self._clock.monotonic()) / 2
        self._known = (at, middle)

    def now(self) -> datetime:
        """Return the instant that everybody agrees on."""
        if self._known is None:
            return self._clock.now()
        at, told_at = self._known
        return at + timedelta(seconds=self._clock.monotonic() - told_at)

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of monotonic time."""
        await self._clock.sleep(seconds)


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` comes to; when `seconds` pass on `clock` before, cancel it and raise TimeoutError.

    Unlike `asyncio.timeout` it keeps to the clock it is given, so that time-outs happen in virtual time too.
    """
    task = asyncio.ensure_future(work)
    slept = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((task, slept), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
    finally:
        slept.cancel()
        task.cancel()
    await asyncio.wait((task,))  # its own clean-up comes first, as with any cancellation
    if not task.cancelled() and task.exception() is None:
        return task.result()
    raise TimeoutError
