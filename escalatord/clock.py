"""The only reader of clocks.

`now` is read once per unit of work and passed down as a value; nothing below the caller asks again.
Instants are aware datetimes in UTC; elapsed time for sleeping and timeouts is monotonic.
"""

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

STEP_SECONDS = 0.5
"""A wall clock that is off by no more is followed; what goes beyond is a step, and what waits must move with it."""
LOOKS_MAX = 5
LOOK_SECONDS_MAX = 0.1
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
        """Return seconds on a clock that never jumps, and that goes on while the machine is suspended."""
        return time.clock_gettime(_ELAPSED)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of monotonic time; zero or less yields once to the loop."""
        await asyncio.sleep(max(0.0, seconds))


class SteadyClock:
    """The machine's clock, but evenly: when somebody sets the wall clock, this one goes on as it did.

    A suspended machine is no such step, because the clock below counts that time. `step` says how far the wall clock
    was set, `take_over` follows it, once whoever waits for an instant knows.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._anchor = (clock.now(), clock.monotonic())

    def now(self) -> datetime:
        """Return the present instant by the clock as it was set before its last step."""
        steady, wall, elapsed = self._look()
        if abs((wall - steady).total_seconds()) > STEP_SECONDS:
            return steady
        self._anchor = (wall, elapsed)  # it is slewed, or drifts: follow it
        return wall

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of monotonic time."""
        await self._clock.sleep(seconds)

    def step(self) -> timedelta:
        """Return by how much the wall clock was set and not taken over; 0 when it goes evenly."""
        steady, wall, _ = self._look()
        by = wall - steady
        return by if abs(by.total_seconds()) > STEP_SECONDS else timedelta(0)

    def take_over(self, by: timedelta) -> None:
        """Go on `by` later."""
        at, elapsed = self._anchor
        self._anchor = (at + by, elapsed)

    def _look(self) -> tuple[datetime, datetime, float]:
        """Return the even instant, that of the wall clock, and the seconds that never jump."""
        for _ in range(LOOKS_MAX):
            elapsed, wall = self._clock.monotonic(), self._clock.now()
            if self._clock.monotonic() - elapsed < LOOK_SECONDS_MAX:
                break  # else the process was stopped between the two, and they do not belong together
        at, since = self._anchor
        return at + timedelta(seconds=elapsed - since), wall, elapsed


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


async def idle(clock: Clock, event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, or until `seconds` have passed on `clock`; return whether it was the event."""
    woken = asyncio.ensure_future(event.wait())
    slept = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
        return woken.done()
    finally:
        woken.cancel()
        slept.cancel()


def awake_seconds() -> float:
    """Return seconds on the clock that stops with a suspended machine: the one that service managers compare with."""
    return time.monotonic()


def boot_id() -> str:
    """Return what tells this boot of the machine from others, "" where that is not known."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


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


# Linux has a clock that also counts the time for which the machine was suspended.
_ELAPSED: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
