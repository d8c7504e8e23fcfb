"""The loop of deadlines: sleeps until the earliest one and has it worked on, like any other command."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from escalatord.clock import Clock, idle
from escalatord.engine.pulse import Pulse
from escalatord.errors import StoreUnavailableError

DUE_AT_ONCE_MAX = 200
RETRY_STORE_SECONDS = 1.0
TAKEN_SECONDS = 0.1
"""How long to leave deadlines alone on which another node is working."""


class Deadlines:
    """`work` does what is due at an instant and returns how much that was; `look` returns what is due next.

    With `shared`, others may be working on what is due. It turns every `idle_seconds`, to show that it is alive.
    """

    def __init__(
        self,
        clock: Clock,
        pulse: Pulse,
        work: Callable[[datetime], Awaitable[object]],
        look: Callable[[], Awaitable[datetime | None]],
        idle_seconds: float,
    ) -> None:
        self.next_due: datetime | None = None
        self.shared = False
        self._clock = clock
        self._pulse = pulse
        self._work = work
        self._look = look
        self._idle, self._idle_seconds = partial(idle, clock), idle_seconds
        self._wake = asyncio.Event()

    def set(self, at: datetime | None) -> None:
        """Take `at` for the earliest deadline, None = nothing waits."""
        self.next_due = at
        self._wake.set()

    def hear(self, at: datetime | None) -> None:
        """Take note of a deadline, which may be the earliest now."""
        if at is not None and (self.next_due is None or at < self.next_due):
            self.set(at)

    async def run(self) -> None:
        """Have worked on whatever comes due, for ever."""
        while True:
            self._pulse.beat("deadlines")
            now, due = self._clock.now(), self.next_due
            wait = self._idle_seconds if due is None else (due - now).total_seconds()
            if wait > 0:
                self._wake.clear()
                if self.next_due == due:
                    await self._idle(self._wake, min(wait, self._idle_seconds))
                continue
            try:
                worked = await self._work(now)
                self.next_due = await self._look()
            except StoreUnavailableError:
                await self._clock.sleep(RETRY_STORE_SECONDS)
                continue
            if self.shared and worked == 0:
                await self._clock.sleep(TAKEN_SECONDS)
            elif isinstance(worked, int) and worked < DUE_AT_ONCE_MAX:
                self._avoid_spinning(now)

    def _avoid_spinning(self, looked_at: datetime) -> None:
        """A deadline that is due still, though all that was due was worked on, must not keep the loop busy.

        Its incident is quarantined, or a defect of ours leaves it; the auditor tells of it.
        """
        if self.next_due is not None and self.next_due <= looked_at:
            self.next_due = self._clock.now() + timedelta(seconds=1)
