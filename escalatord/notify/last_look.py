"""The last look before a call: no page starts after its ack (or the end of its incident) was committed.

- Nor does one that its provider turned out to have, or that another node claimed since.
- An attempt is claimed, worded, perhaps asked about; all of that takes time, and people answer meanwhile. At the moment
  of the call nothing may be known, or be under way, that makes it needless.
- What a commit changed is known here before whoever asked for it hears that it is done. While nothing changed, looking
  costs nothing; else the incident is read again.
- A store that does not answer in time stops no page: twice rather than never.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from escalatord.clock import Clock, within
from escalatord.engine.commands import Changed, Claimed
from escalatord.engine.engine import Engine
from escalatord.engine.handlers import still_wanted
from escalatord.errors import StoreUnavailableError

LAST_LOOK_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class Flight:
    """An attempt between its claim and its end; `moved` = its incident may have changed since it was looked at."""

    item: Claimed
    moved: bool = False


class LastLooks:
    """Every attempt under way, and what was heard of their incidents. `hear` hears of every commit too."""

    def __init__(self, engine: Engine, clock: Clock, hear: Callable[[Changed], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._hear = hear
        self._news: asyncio.Queue[Changed] = asyncio.Queue()
        self._flights: dict[int, list[Flight]] = {}

    async def listen(self, news: "asyncio.Queue[Changed]") -> None:
        """Hear of commits, for ever."""
        self._news = news
        while True:
            self._take(await news.get())

    def begin(self, item: Claimed) -> Flight:
        """Begin an attempt that was claimed just now."""
        flight = Flight(item)
        self._flights.setdefault(item.row.incident, []).append(flight)
        return flight

    def end(self, flight: Flight) -> None:
        """End an attempt: nothing of it has to be known any more."""
        number = flight.item.row.incident
        flights = self._flights[number]
        flights.remove(flight)
        if not flights:
            del self._flights[number]

    async def wanted(self, flight: Flight) -> bool:
        """Return whether the attempt still makes sense; the answer is good until the loop turns."""
        while not self._unmoved(flight):
            try:
                if not await within(self._clock, LAST_LOOK_SECONDS, self._look_again(flight)):
                    return False
            except (TimeoutError, StoreUnavailableError):
                return True
        return True

    def _take(self, changed: Changed) -> None:
        self._hear(changed)
        if self._flights:
            for number in changed.incidents:
                for flight in self._flights.get(number, ()):
                    flight.moved = True

    def _unmoved(self, flight: Flight) -> bool:
        """Return whether nothing can have changed the incident since it was looked at last."""
        while not self._news.empty():
            self._take(self._news.get_nowait())
        return not (flight.moved or self._engine.unsettled(flight.item.row.incident))

    async def _look_again(self, flight: Flight) -> bool:
        """Read again; what its provider reported meanwhile, of a call that a dead process made, needs no other one."""
        claimed = flight.item.row
        if self._engine.unsettled(claimed.incident):
            await self._engine.settled()
        flight.moved = False
        incidents, row = await self._engine.read(
            lambda tx: (tx.load((claimed.incident,)), tx.outbox_get(claimed.reference))
        )
        incident = incidents.get(claimed.incident)
        if incident is None or row is None or (row.state, row.claims) != (claimed.state, claimed.claims):
            return False
        return still_wanted(incident, claimed)
