"""Asking Prometheus for facts: in the background, each query once at a time, and never in the way of a commit.

An alert is judged and committed first, as if the answer did not matter yet; the answer comes as a command of its own,
and whoever waits for it is judged again. When none comes in time the alert's own deadline says so (see `core.claims`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from escalatord.engine.commands import Measured
from escalatord.errors import StoreUnavailableError

ASKING_AT_ONCE_MAX = 4
ASKS_WAITING_MAX = 1_000
"""Past it queries are not asked: who needs them finds their facts missing when the time is up."""


class Measurer(Protocol):
    """Whoever can be asked what a query comes to now."""

    async def measure(self, query: str) -> float | None:
        """Return the number, None when there is none or it was not had in time. Raises nothing for that."""


class Asker:
    """The queries that wait. `measurer` is who is asked, None = nobody is; `tell` takes the answers."""

    def __init__(self, tell: Callable[[Measured], Awaitable[object]]) -> None:
        self.measurer: Measurer | None = None
        self._tell = tell
        self._known: set[str] = set()
        self._waiting: asyncio.Queue[str] = asyncio.Queue(ASKS_WAITING_MAX)

    def ask(self, queries: Iterable[str]) -> None:
        """Let queries be asked soon; one that is being asked is not asked twice."""
        for query in queries:
            if self.measurer is not None and query not in self._known and not self._waiting.full():
                self._known.add(query)
                self._waiting.put_nowait(query)

    async def run(self) -> None:
        """Ask what waits, a few at a time, for ever."""
        async with asyncio.TaskGroup() as group:
            for number in range(ASKING_AT_ONCE_MAX):
                group.create_task(self._work(), name=f"asking-{number}")

    async def _work(self) -> None:
        while True:
            query = await self._waiting.get()
            measurer = self.measurer
            value = await measurer.measure(query) if measurer is not None else None
            self._known.discard(query)
            try:
                await self._tell(Measured(query=query, value=value))
            except StoreUnavailableError:
                # the alerts that wait have deadlines of their own, and ask again
                continue
