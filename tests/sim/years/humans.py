"""People who are paged: they sleep, answer late, answer twice, answer wrongly, and change their minds."""

from contextlib import suppress
from random import Random
from typing import Any

from escalatord.core.events import Ack, Note, PageNext, PassOn, Resolve, Snooze, Unack
from escalatord.core.incident import NoticeKind, State, Via
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryReason, StoreUnavailableError
from escalatord.notify.simulated import SimMessage
from escalatord.sim.phones import addresses_of
from tests.sim.years.life import Life

ASKING = frozenset({NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT, NoticeKind.ACK_QUESTION})
DELAYS_SECONDS = (0.0, 0.4, 5.0, 30.0, 100.0, 240.0, 900.0)
DEEDS = ("ack", "ack", "ack", "ack", "pass_on", "wrong", "twice", "note")
LATER = ("unack", "resolve", "resolve", "snooze", "note", "pass_on", "page_next", "take_over", "again")
ANYBODY = ("page_next", "take_over", "note", "resolve", "unack", "snooze")


class Humans:
    """Everybody with a phone. `wakefulness` is how likely a page is answered at all."""

    def __init__(self, life: Life, chance: Random, wakefulness: float) -> None:
        self._life = life
        self._chance = chance
        self._wakefulness = wakefulness
        self.spawn: Any = None
        self.answers = 0
        self.asleep = False
        life.on_message = self.hear

    def hear(self, message: SimMessage) -> None:
        """Let the one who got a message do something, or nothing."""
        if message.kind not in ASKING or message.person == "room" or self.asleep:
            return
        if self._chance.random() < self._wakefulness:
            self.spawn(self._answer(message))

    async def _answer(self, message: SimMessage) -> None:
        life, chance = self._life, self._chance
        await life.clock.sleep(self._when(message))
        await life.turns()
        self.answers += 1
        with suppress(StoreUnavailableError):
            await life.alive(self._do(message, chance.choice(DEEDS)))
        if chance.random() < 0.5:
            await life.clock.sleep(chance.choice(DELAYS_SECONDS) * chance.choice((1, 10)))
            with suppress(StoreUnavailableError):
                await life.alive(self._speak(message.incident, message.person, chance.choice(LATER)))

    def _when(self, message: SimMessage) -> float:
        """Return after how long somebody answers: now and then at the very instant of the next deadline."""
        life, chance = self._life, self._chance
        if chance.random() < 0.3 and life.up:
            incident = life.store.peek(lambda tx: tx.load((message.incident,))).get(message.incident)
            due = incident.next_due_at if incident is not None else None
            if due is not None:
                return max(0.0, (due - life.clock.now()).total_seconds())
        return chance.choice(DELAYS_SECONDS) * chance.uniform(0.2, 1.3)

    async def stir(self) -> None:
        """Let somebody say something about any open incident, unasked."""
        life, chance = self._life, self._chance
        if not life.up:
            return
        found = life.store.peek(lambda tx: tx.list_incidents((State.OPEN, State.ACKNOWLEDGED), 20))
        if found:
            person = chance.choice(sorted(life.ruleset.people))
            with suppress(StoreUnavailableError):
                await life.alive(self._speak(chance.choice(found).number, person, chance.choice(ANYBODY)))

    async def _do(self, message: SimMessage, deed: str) -> None:
        life, chance = self._life, self._chance
        life.phones.say(f"{message.person} does {deed} to {message.reference}")
        for _ in range(2 if deed == "twice" else 1):
            if message.channel == ChannelKind.CALL:
                await self._in_a_call(message, deed)
            elif message.channel == ChannelKind.MAIL or (message.link and chance.random() < 0.25):
                number = message.number if deed != "wrong" else message.number + 1
                await life.follow_from(message, "pass_on" if deed == "pass_on" else "ack", number)
            elif message.channel == ChannelKind.CHAT:
                await life.click_on(message, "pass_on" if deed == "pass_on" else "ack")
            elif deed == "wrong" and chance.random() < 0.2:
                await life.reply(message.person, "STOP")
                self.spawn(self._start_again(message.person))
            else:
                words = {"pass_on": f"{message.code}N", "wrong": "Z9", "note": f"{message.code} looking"}
                await self._text(message.person, words.get(deed, message.code))

    async def _text(self, person: str, text: str) -> None:
        if person in addresses_of(self._life.ruleset, ChannelKind.SMS):
            await self._life.reply(person, text)

    async def _in_a_call(self, message: SimMessage, deed: str) -> None:
        life = self._life
        known = life.phones.find(message.reference)
        if known is None or not known.ringing:
            return
        life.phones.pick_up(message.reference)
        if deed == "wrong":
            await life.phones.hang_up(message.reference, DeliveryReason.NO_KEY)
        else:
            await life.press_in(message, "8" if deed == "pass_on" else "4")

    async def _start_again(self, person: str) -> None:
        await self._life.clock.sleep(self._chance.choice((600.0, 7200.0)))
        with suppress(StoreUnavailableError):
            await self._life.alive(self._text(person, "START"))

    async def _speak(self, incident: int, person: str, deed: str) -> None:
        """Say something by the web, the API or the command line."""
        life, chance = self._life, self._chance
        via = chance.choice((Via.WEB, Via.API, Via.CLI))
        events: dict[str, Any] = {
            "unack": Unack(person=person, via=via),
            "resolve": Resolve(person=person, via=via, decision=chance.choice(("", "not reportable"))),
            "snooze": Snooze(person=person, via=via, seconds=chance.choice((60.0, 1800.0))),
            "note": Note(person=person, via=via, text="looking"),
            "pass_on": PassOn(person=person, via=via),
            "page_next": PageNext(person=person, via=via),
            "take_over": Ack(person=person, via=via, take_over=True),
            "again": Ack(person=person, via=via),
        }
        life.phones.say(f"{person} says {deed} about {incident}")
        await life.say(events[deed], incident)
