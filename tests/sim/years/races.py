"""Acks against deadlines, sends and each other: chance chooses who is a turn of the loop earlier (R19).

    python -m tests.sim.years.races --times 100000

Each race is one incident. At one instant its deadline comes, pages are under way or about to leave, and one to three
people answer by different ways; each of them, and each job of the store's threads, is a few turns late or early.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import structlog

from escalatord.core.events import Ack, PageNext, PassOn, Resolve
from escalatord.core.incident import Attempt, Incident, NoticeKind, State, TrackState, Via
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.engine.effects import PAGE_KINDS
from escalatord.engine.written import Written
from escalatord.notify.channel import Message
from escalatord.notify.simulated import SimMessage
from escalatord.sim.bodies import Condition, body
from tests.sim.years.faults import Faults
from tests.sim.years.invariants import BrokenError, Observer
from tests.sim.years.life import Life
from tests.sim.years.rules import Books
from tests.sim.years.run import fast_folder
from tests.sim.years.senders import SOURCE, Senders
from tests.sim.years.trace import tell

RACES_IN_ONE_WORLD = 250
PAUSE_SECONDS = 90.0
WEB = (Via.WEB, Via.API, Via.CLI)


@dataclass(slots=True)
class Tally:
    """How many races were run, and in how many different orders things happened in them."""

    races: int = 0
    acked: int = 0
    withdrawn: int = 0
    orders: set[tuple[str, ...]] = field(default_factory=set)


class Racing:
    """Races in one world, one after the other."""

    def __init__(self, life: Life, seed: int, tally: Tally) -> None:
        self._life = life
        self._seed = seed
        self._tally = tally
        self._order: list[str] = []
        self._broken: BrokenError | None = None
        self._heard: list[SimMessage] = []
        senders = Senders(life, per_day=1.0)
        self._observer = Observer(life, senders, Faults(life, life.chance, per_day=1.0))
        life.on_message = self._heard.append
        life.on_commit = self._committed
        life.phones.on_send = self._sending

    async def race(self, number: int) -> None:
        """Open an incident, let it come to an instant, and let everybody act at that instant."""
        life, chance = self._life, self._life.chance
        self._order, self._broken = [], None
        self._heard.clear()
        labels = {"alertname": f"Race{number}", "service": "shop", "category": chance.choice(("security", "load"))}
        condition = Condition(labels=labels)
        started = {condition.fingerprint: life.clock.now()}
        await self._during(life.post(SOURCE, body((condition,), "firing", started, life.clock.now(), "")))
        incident = self._newest()
        for _ in range(chance.randrange(0, 4)):
            await self._pass_a_deadline(incident.number)
        incident = self._newest()
        if incident.state is not State.RESOLVED and incident.next_due_at is not None:
            await self._collide(incident)
        self._look()
        self._check(self._newest())
        self._tally.races += 1
        self._tally.orders.add(tuple(self._order))
        await self._during(life.say(Resolve(person="boss", via=Via.WEB, decision="over"), incident.number))
        await self._during(life.post(SOURCE, body((condition,), "resolved", started, life.clock.now(), "")))
        await self._until(life.clock.elapsed + PAUSE_SECONDS)

    # ------------------------------------------------------------------------------------------- private

    async def _collide(self, incident: Incident) -> None:
        life, chance = self._life, self._life.chance
        assert incident.next_due_at is not None
        due = life.clock.elapsed + max(0.0, (incident.next_due_at - life.clock.now()).total_seconds())
        at = due if chance.random() < 0.7 else life.clock.elapsed
        people = chance.sample(sorted(life.ruleset.people), chance.choice((1, 1, 2, 3)))
        answers = [asyncio.ensure_future(self._answer(incident, person, at)) for person in people]
        await life.clock.settle()
        await self._until(at + 0.0001)
        await self._until(at + chance.choice((0.0, 0.1, 30.0)))
        await asyncio.gather(*answers)
        self._look()

    async def _answer(self, incident: Incident, person: str, at: float) -> None:
        life, chance = self._life, self._life.chance
        await life.clock.sleep(at - life.clock.elapsed)
        await life.turns()
        self._order.append(f"{person} speaks")
        page = next((m for m in reversed(self._heard) if m.person == person and m.incident == incident.number), None)
        roll = chance.random()
        if page is not None and roll < 0.5:
            if page.channel == ChannelKind.CALL and page.ringing:
                await life.press_in(page, "4")
            elif page.channel == ChannelKind.SMS:
                await life.reply(person, page.code)
            elif page.link:
                await life.follow_from(page, "ack", page.number)
        elif roll < 0.8:
            await life.say(Ack(person=person, via=chance.choice(WEB)), incident.number)
        elif roll < 0.9:
            await life.say(PassOn(person=person, via=chance.choice(WEB)), incident.number)
        else:
            await life.say(chance.choice((PageNext, Resolve))(person=person, via=Via.WEB), incident.number)
        self._order.append(f"{person} is answered")

    async def _during(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload] # a coroutine
        await self._life.clock.settle()
        await task
        self._look()

    async def _pass_a_deadline(self, number: int) -> None:
        incident = self._life.store.peek(lambda tx: tx.load((number,)))[number]
        if incident.next_due_at is not None:
            seconds = (incident.next_due_at - self._life.clock.now()).total_seconds()
            await self._until(self._life.clock.elapsed + max(0.0, seconds) + 0.0001)

    async def _until(self, end: float) -> None:
        while await self._life.clock.next(end):
            self._look()

    def _newest(self) -> Incident:
        return self._life.store.peek(lambda tx: tx.list_incidents(limit=1))[0]

    def _look(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._observer.look()

    def _check(self, incident: Incident) -> None:
        """Whoever was paged and is not the owner hears that it is theirs no more."""
        rows = self._life.store.peek(lambda tx: tx.outbox_of(incident.number))
        self._tally.withdrawn += sum(row.state is Attempt.WITHDRAWN for row in rows)
        for track in incident.tracks:
            if track.state is not TrackState.ACKNOWLEDGED:
                continue
            self._tally.acked += 1
            paged = {r.person for r in rows if r.track == track.name and r.kind in PAGE_KINDS and r.sent_at is not None}
            told = {r.person for r in rows if r.kind in (NoticeKind.ACKED, NoticeKind.STAND_DOWN)}
            in_room = {who for who, channel in track.told if channel == "chat"}
            if forgotten := paged - told - in_room - {track.owner}:
                raise BrokenError("I6", f"{sorted(forgotten)} were paged and never hear that {track.owner} has it")

    def _committed(self, written: Written) -> None:
        self._order += [entry.kind for entry in written.entries]
        try:
            self._observer.committed(written)
        except BrokenError as error:
            self._broken = self._broken or error

    def _sending(self, spec: ChannelSpec, message: Message) -> None:
        self._order.append(f"send {message.kind} {spec.name}")
        try:
            self._observer.sending(spec.name, message)
        except BrokenError as error:
            self._broken = self._broken or error


async def race_on(seed: int, races: int, tally: Tally) -> None:
    """Run so many races in one world; BrokenError with its seed and race when one breaks an invariant."""
    with tempfile.TemporaryDirectory(prefix="escalatord-races-", dir=fast_folder()) as name:
        folder = Path(name)
        life = Life(folder, datetime(2026, 3, 28, 22, tzinfo=UTC), Books(folder), Random(seed))
        assert await life.rise()
        racing = Racing(life, seed, tally)
        for number in range(races):
            try:
                await racing.race(number)
            except BrokenError as error:
                lines = "\n".join(racing._order[-30:])
                raise BrokenError(error.number, f"{error}\nseed {seed}, race {number}:\n{lines}") from error
        await life.bury()
        await life.phones.close()


def races(first_seed: int, times: int) -> Tally:
    """Run so many races, in worlds of their own every `RACES_IN_ONE_WORLD`."""
    tally = Tally()
    for seed in range(first_seed, first_seed + -(-times // RACES_IN_ONE_WORLD)):
        asyncio.run(race_on(seed, min(RACES_IN_ONE_WORLD, times - tally.races), tally))
    return tally


def main() -> int:
    """Run races from the command line; exit 1 when one breaks an invariant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=2000)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    try:
        tally = races(chosen.seed, chosen.times)
    except BrokenError as error:
        tell(str(error))
        return 1
    tell(
        f"{tally.races} races in {time.monotonic() - began:.1f} s, {len(tally.orders)} different orders, "
        f"{tally.acked} tracks held, {tally.withdrawn} pages taken back, 0 sent after their ack"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
