"""Time that goes on only when it is told to.

- `advance` stops at every instant that somebody sleeps to, in order, and lets everything run that can run there before
  it goes on. Two runs of the same story are the same run.
- What can run is found without knowing the tasks: whoever sleeps, and every job of a thread (see `InStep`), counts as
  activity; the instant is over when the loop has turned many times without any.
- Instants are kept in whole microseconds, so that a deadline is met exactly and not a rounding error too early.
"""

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from itertools import count
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

QUIET_TURNS = 30
"""Turns of the loop without activity after which an instant is over; the longest chain of callbacks needs a third."""
TURNS_AT_ONE_INSTANT_MAX = 500_000
"""Past it something spins, and the simulation says so instead of hanging."""


class SpinningError(RuntimeError):
    """Something does work again and again at one instant, without ever waiting for a later one."""


class VirtualClock:
    """A clock that stands still at `start` (aware, UTC) until `advance` moves it."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._start = start
        self._elapsed = timedelta()
        self._order = count()
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []
        self._activity = 0

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return the virtual seconds since the start."""
        return self._elapsed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed over that many seconds; zero or less yields once to the loop."""
        self.stir()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + timedelta(seconds=seconds), next(self._order), waiting))
        await waiting

    def stir(self) -> None:
        """Note that something happened: the present instant is not over yet."""
        self._activity += 1

    async def settle(self) -> None:
        """Let everything run that can run at this instant; SpinningError when that has no end."""
        quiet = 0
        for _ in range(TURNS_AT_ONE_INSTANT_MAX):
            before = self._activity
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._activity == before else 0
            if quiet >= QUIET_TURNS:
                return
        raise SpinningError(f"something spins at {self.now().isoformat()}")

    async def advance(self, seconds: float) -> None:
        """Go on by `seconds`: wake whoever sleeps until then in order, and settle before each and at the end."""
        end = self._elapsed + timedelta(seconds=max(0.0, seconds))
        await self.settle()
        while (waiting := self._next(end)) is not None:
            waiting.set_result(None)
            await self.settle()
        self._elapsed = end
        await self.settle()

    def skip(self, seconds: float) -> None:
        """Be that much later at once, as after a suspend; whoever should have woken before wakes at the next step."""
        self._elapsed += timedelta(seconds=seconds)

    def _next(self, end: timedelta) -> "asyncio.Future[None] | None":
        """Return the sleeper to wake next, the time being theirs; None when nobody sleeps until `end` or before."""
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():  # one that was cancelled sleeps no more
                self._elapsed = max(self._elapsed, due)
                return waiting
        return None


class InStep(ThreadPoolExecutor):
    """One real thread that the loop waits for: what is handed to it is done before anything else happens."""

    def __init__(self, name: str, stir: Callable[[], None]) -> None:
        super().__init__(1, thread_name_prefix=name)
        self._stir = stir

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run `fn` in the thread, and return when it has ended."""
        self._stir()
        future = super().submit(fn, *args, **kwargs)
        wait((future,))
        return future


class InLoop(Executor):
    """No thread at all: what is handed to it runs where it is handed over, and is over when that returns.

    Nothing else can happen meanwhile, as with `InStep`; but nobody waits for another thread to wake up.
    """

    def __init__(self, name: str, stir: Callable[[], None]) -> None:
        del name
        self._stir = stir

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run `fn` here and now; its future is done. What `fn` raises is raised here, where it is awaited too."""
        self._stir()
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
