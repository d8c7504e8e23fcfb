"""One night, and the death of its process at every point of it: before and after whatever lasts or leaves the house.

    python -m tests.sim.years.crashes               # before every statement, too; some minutes
    python -m tests.sim.years.crashes --unasked     # the providers cannot be asked what they have

The night is lived through once to count its points, then once for each of them: there the process dies, is started
again after half a second, and the night goes on. At its end everybody must have heard what they had to hear, once.
"""

import argparse
import asyncio
import logging
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import structlog

from escalatord.core.events import Resolve
from escalatord.core.incident import NoticeKind, State, Via
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.engine.commands import AddOverride
from escalatord.engine.written import Written
from escalatord.errors import StoreUnavailableError
from escalatord.notify.channel import Message
from escalatord.notify.simulated import SimMessage
from escalatord.sim.bodies import Condition
from tests.sim.years.disk import KilledError
from tests.sim.years.faults import Faults
from tests.sim.years.invariants import BrokenError, Observer
from tests.sim.years.life import Life
from tests.sim.years.phones import Whim, once
from tests.sim.years.rules import Books
from tests.sim.years.run import fast_folder
from tests.sim.years.senders import SOURCE, Senders
from tests.sim.years.trace import tell

NIGHT = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)
DOWN_SECONDS = 0.5
AGAIN_SECONDS = 1.0
END_SECONDS = 45 * 60.0
ASKED_SECONDS_MAX = 5.0
"""A page that was under way when its process died leaves within so long after the start, whatever the provider says."""
CHANNELS = ("chat", "sms", "sms_backup", "call", "mail")
TAKER = "bo"
DURABLE = ("begin", "commit", "committed", "send", "sent", "lookup", "looked")


STANDS_IN = AddOverride(
    schedule="first",
    person="dee",
    start=NIGHT + timedelta(hours=5),
    end=NIGHT + timedelta(hours=6),
    why="a wedding",
    by="ana",
    via=Via.CLI,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of the night: when it begins and ends, and what becomes of its first page."""

    name: str
    at: float
    whim: Whim | None = None
    labels: tuple[tuple[str, str], ...] = (("service", "shop"),)


ALERTS = (
    Alert(name="BrokenCart", at=0.0),
    Alert(name="BrokenTill", at=30.0, whim=Whim.HANG_AFTER),
    Alert(name="BrokenDoor", at=60.0, whim=Whim.REFUSE),
    Alert(name="BrokenLamp", at=90.0, whim=Whim.FAIL),
    Alert(name="Leak", at=120.0, labels=(("service", "shop"), ("category", "security"))),
)


NO_ALERT = Alert(name="", at=0.0)


@dataclass(slots=True, kw_only=True)
class Told:
    """What a night came to.

    `points` were passed in this order; `heard` says who heard of which alert; `twice` are messages made more than once;
    `in_flight` those that were being sent when the process died, `unanswered` those whose provider broke off.
    """

    points: list[str] = field(default_factory=list)
    heard: set[tuple[str, str]] = field(default_factory=set)
    twice: list[str] = field(default_factory=list)
    in_flight: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    pages: int = 0


class Night:
    """The night; `die_at` is the number of the point (from 1) at which the process dies, 0 = it does not."""

    def __init__(self, life: Life, die_at: int, *, can_ask: bool) -> None:
        self.told = Told()
        self._life = life
        self._die_at = die_at
        self._died_at = self._rose_at = 0.0
        self._broken: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._names: dict[int, str] = {}
        self._heard: set[tuple[int, str]] = set()
        self._faults = Faults(life, life.chance, per_day=1.0)
        self._senders = Senders(life, per_day=1.0)
        self._observer = Observer(life, self._senders, self._faults)
        life.disk.die_at = self._dies
        life.disk.by_statement = True
        life.bring = once
        life.on_commit = self._committed
        life.on_message = self._hear
        phones = life.phones
        phones.weather.update(dict.fromkeys(CHANNELS, "steady"))
        if not can_ask:
            phones.lookups.update(dict.fromkeys(CHANNELS, "hangs"))
        phones.on_send = self._sending

    async def live(self) -> Told:
        """Live through the night; BrokenError when an invariant breaks on the way."""
        life = self._life
        await self._rise()
        for alert in ALERTS:
            self._do(self._alert(alert))
        self._do(self._insist(200.0, lambda: life.post(SOURCE, b"{")))
        self._do(self._insist(210.0, lambda: life.submit(STANDS_IN)))
        await life.clock.settle()
        while life.clock.elapsed < END_SECONDS:
            if life.disk.dead or not life.up:
                await self._lie_dead()
            elif await life.clock.next(END_SECONDS):
                self._look()
        self._observer.reckon()
        await self._reckon()
        return self.told

    # ------------------------------------------------------------------------------------------- private

    async def _alert(self, alert: Alert) -> None:
        """Fire, and be over half an hour later; Leak needs a human's word for that."""
        life = self._life
        condition = Condition(labels={"alertname": alert.name, **dict(alert.labels)})
        await life.clock.sleep(alert.at)
        starts_at = life.clock.now()
        await self._senders.tell(condition, firing=True, starts_at=starts_at)
        await life.clock.sleep(1800.0)
        await self._senders.tell(condition, firing=False, starts_at=starts_at)
        if dict(alert.labels).get("category"):
            number = next(number for number, name in self._names.items() if name == alert.name)
            resolve = Resolve(person="otto", via=Via.WEB, decision="not reportable")
            await self._insist(0.0, lambda: life.say(resolve, number))

    def _hear(self, message: SimMessage) -> None:
        """Bo takes the first alert by SMS, forty seconds after he hears of it."""
        name = self._names.get(message.incident, "")
        if message.kind in (NoticeKind.PAGE, NoticeKind.LAST_RESORT):
            self._heard.add((message.incident, message.person))
        if (name, message.person, message.channel) == (ALERTS[0].name, TAKER, ChannelKind.SMS):
            self._do(self._insist(40.0, lambda: self._life.reply(TAKER, message.code)))

    async def _insist(self, after: float, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        await self._life.clock.sleep(after)
        while True:
            try:
                await self._life.alive(work())
            except StoreUnavailableError:
                await self._life.clock.sleep(AGAIN_SECONDS)
            else:
                return

    async def _rise(self) -> None:
        self._faults.begin()
        rose = await self._life.rise()
        self._rose_at = self._life.clock.elapsed
        if rose:
            for incident in self._life.store.peek(lambda tx: tx.list_incidents()):
                self._name(incident.number, incident.title)
        self._faults.end()
        self._look()

    async def _lie_dead(self) -> None:
        life = self._life
        with suppress(sqlite3.Error):  # it died before there was anything to look at
            self.told.in_flight.update(life.store.being_sent())
        await life.bury()
        while await life.clock.next(self._died_at + DOWN_SECONDS):
            pass
        await self._rise()

    def _dies(self, point: str) -> bool:
        if point == "read":
            return False
        self.told.points.append(point)
        if len(self.told.points) != self._die_at:
            return False
        self._died_at = self._life.clock.elapsed
        return True

    async def _reckon(self) -> None:
        phones = self._life.phones
        # an incident of a dead process is known by its number alone until the next one has looked
        self.told.heard = {(self._names.get(number, ""), person) for number, person in self._heard}
        self.told.pages = sum(len(times) for times in phones.made_at.values())
        self.told.unanswered = {n for n in phones.made_at if self._alert_of(n).whim is Whim.HANG_AFTER}
        self.told.twice = [name for name, times in phones.made_at.items() if len(times) > 1]
        for name in self.told.in_flight:
            if self._alert_of(name).whim is not None:
                continue  # its provider takes its time, too
            late = [at - self._rose_at for at in phones.made_at.get(name, ()) if at > self._died_at]
            if late and max(late) > ASKED_SECONDS_MAX:
                raise BrokenError("I7", f"{name} was in flight, and left {max(late):.1f} s after the start")
        still_open = self._life.store.peek(lambda tx: tx.list_incidents((State.OPEN, State.ACKNOWLEDGED)))
        left = [incident.title for incident in still_open if incident.title in {alert.name for alert in ALERTS}]
        if left:
            raise BrokenError("I3", f"at the end of the night {left} are still open")
        await self._life.bury()

    def _alert_of(self, reference: str) -> Alert:
        name = self._names.get(int(reference[1:].partition("-")[0]), "")
        return next((alert for alert in ALERTS if alert.name == name), NO_ALERT)

    def _name(self, number: int, title: object) -> None:
        self._names[number] = str(title)
        alert = next((alert for alert in ALERTS if alert.name == title), None)
        if alert is not None and alert.whim is not None and number not in self._life.phones.first_created:
            self._life.phones.whims.setdefault(number, alert.whim)

    def _sending(self, spec: ChannelSpec, message: Message) -> None:
        try:
            self._observer.sending(spec.name, message)
        except BrokenError as error:
            self._broken = self._broken or error

    def _committed(self, written: Written) -> None:
        for entry in written.entries:
            if entry.kind == "opened":
                self._name(entry.incident, entry.body["title"])
        try:
            self._observer.committed(written)
        except BrokenError as error:
            self._broken = self._broken or error

    def _look(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._observer.look()

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, KilledError):
            self._broken = self._broken or error


def night(die_at: int = 0, *, can_ask: bool = True) -> Told:
    """Live through the night with its process dying at that point (from 1; 0 = nowhere)."""

    async def live(folder: Path) -> Told:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # tasks of the dead
        life = Life(folder, NIGHT, Books(folder), Random(1))
        try:
            return await Night(life, die_at, can_ask=can_ask).live()
        finally:
            await life.phones.close()

    with tempfile.TemporaryDirectory(prefix="escalatord-crash-", dir=fast_folder()) as name:
        return asyncio.run(live(Path(name)))


@dataclass(slots=True)
class Tally:
    """What many nights came to."""

    nights: int = 0
    pages: int = 0
    in_flight: int = 0
    twice: int = 0


def die_everywhere(points: Iterable[int], whole: Told, *, can_ask: bool) -> Tally:
    """Live through the night once for each point; BrokenError with the point when too little or too much was heard."""
    tally = Tally()
    for number in points:
        where = f"dying at point {number} ({whole.points[number - 1]})"
        try:
            told = night(number, can_ask=can_ask)
        except BrokenError as error:
            raise BrokenError(error.number, f"{error}, {where}") from error
        if missing := whole.heard - told.heard:
            raise BrokenError("I2", f"{sorted(missing)} is lost, {where}")
        if can_ask and told.twice:
            raise BrokenError("I7", f"{told.twice} was made twice, {where}")
        if extra := set(told.twice) - told.in_flight - told.unanswered:
            raise BrokenError("I7", f"{extra} was made twice and was not in flight, {where}")
        tally.nights += 1
        tally.pages += told.pages
        tally.in_flight += len(told.in_flight)
        tally.twice += len(told.twice)
    return tally


def lasting(points: Sequence[str]) -> list[int]:
    """Return the numbers of the points around commits and calls."""
    return [number for number, point in enumerate(points, start=1) if point in DURABLE]


def main() -> int:
    """Die everywhere; exit 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unasked", action="store_true", help="the providers cannot be asked what they have")
    parser.add_argument("--every", type=int, default=1, help="every n-th point only")
    parser.add_argument("--lasting", action="store_true", help="only around commits and calls, not before statements")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    whole = night(can_ask=not chosen.unasked)
    numbers = lasting(whole.points) if chosen.lasting else list(range(1, len(whole.points) + 1))
    try:
        tally = die_everywhere(numbers[:: chosen.every], whole, can_ask=not chosen.unasked)
    except BrokenError as error:
        tell(str(error))
        return 1
    kinds = Counter(whole.points)
    tell(", ".join(f"{name} x{count}" for name, count in sorted(kinds.items())))
    tell(
        f"{tally.nights} deaths at {len(whole.points)} points in {time.monotonic() - began:.0f} s:"
        f" {tally.pages} messages, {tally.in_flight} in flight at a death, 0 lost, {tally.twice} made twice"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
