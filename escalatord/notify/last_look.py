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
from escalatord.core.incident import NoticeKind
from escalatord.engine.claiming import still_wanted
from escalatord.engine.commands import Changed, Claimed
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError

LAST_LOOK_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class Flight:
    """An attempt between its claim and its end.

    `term` is that of the lease it was claimed under; `moved` = an incident of it may have changed since that look.
    """

    item: Claimed
    term: int = 0
    moved: bool = False

    @property
    def incidents(self) -> tuple[int, ...]:
        """Return the numbers of the incidents that it tells of: of a digest, all in it."""
        return tuple(dict.fromkeys((self.item.row.incident, *(told.row.incident for told in self.item.also))))


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

    def begin(self, item: Claimed, term: int = 0) -> Flight:
        """Begin an attempt that was claimed just now, under that term of the lease."""
        flight = Flight(item, term)
        for number in flight.incidents:
            self._flights.setdefault(number, []).append(flight)
        return flight

    def end(self, flight: Flight) -> None:
        """End an attempt: nothing of it has to be known any more."""
        for number in flight.incidents:
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
        return not (flight.moved or any(map(self._engine.unsettled, flight.incidents)))

    async def _look_again(self, flight: Flight) -> bool:
        """Read again; what its provider reported meanwhile, of a call that a dead process made, needs no other one."""
        claimed = flight.item.row
        if any(map(self._engine.unsettled, flight.incidents)):
            await self._engine.settled()
        flight.moved = False
        incidents, row = await self._engine.read(
            lambda tx: (tx.load(flight.incidents), tx.outbox_get(claimed.reference))
        )
        if row is None or (row.state, row.claims) != (claimed.state, claimed.claims):
            return False
        told = [each.row for each in flight.item.also] if claimed.kind is NoticeKind.DIGEST else [claimed]
        return any(each.incident in incidents and still_wanted(incidents[each.incident], each) for each in told)
