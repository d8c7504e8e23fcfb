"""Answers by text message: from a verified number and a few words to one command and a truthful reply.

- The number says who, the code says which page. Without a code only exactly one waiting page can be meant; else we ask.
- Strangers get no reply: an entry in the journal, once an hour for each number. STOP gets none either: the phone is
  unreachable from that moment, which starts the next contact method.
- The same provider id again (a retried callback) gives the same reply and no second effect.
- At most five replies in a row that changed nothing, for each sender and hour; then silence, so that two robots stop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalatord.core.events import Ack, Mitigated, Note, PassOn, Unack
from escalatord.core.incident import Reason, TrackState, Via
from escalatord.core.roster import ChannelKind
from escalatord.engine.commands import Answered, Stranger, Unreachable
from escalatord.errors import EscalatordError, StoreUnavailableError
from escalatord.respond import EnginePort, Reader, Untaken, answer
from escalatord.respond.callers import CodedPage, epoch_for, find_by_number, masked, pages_of, plain_number
from escalatord.respond.digests import CodedDigest, acked, digests_of, passed_on, with_digests
from escalatord.respond.grammar import Meaning, Reply, parse_reply
from escalatord.respond.recent import Recent
from escalatord.respond.reply_text import (
    Heard,
    digest_help_text,
    digest_list_text,
    digest_text,
    heard,
    help_text,
    list_text,
    nothing_waits_text,
    outcome_text,
    several_text,
    standing_text,
    unclear_text,
    unknown_code_text,
    which_text,
)

__all__ = ["SmsReplies", "parse_reply"]

PASSIVE_REPLIES_MAX = 5
PASSIVE_WINDOW_SECONDS = 3600
STRANGER_WINDOW_SECONDS = 3600
ACKS_AT_ONCE_MAX = 50
ALERTS_LISTED_MAX = 4
ALERTS_COUNTED_MAX = 1000

MEANT_ACKS = frozenset({Meaning.ACK, Meaning.BARE_ACK, Meaning.ACK_ALL, Meaning.JOIN, Meaning.UNCLEAR})
"""What counts as an ack that was not taken. An unclear text may be one: nobody can tell."""

ACTED = frozenset(
    {
        Reason.ACKNOWLEDGED,
        Reason.ACKNOWLEDGED_LATE,
        Reason.ACK_COUNTED,
        Reason.ACK_EXTENDED,
        Reason.JOINED_RESPONSE,
        Reason.PASSED_ON,
        Reason.UNACKNOWLEDGED,
        Reason.NOTED,
        Reason.MITIGATED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What was said, by whom (several people when they share a number), and how."""

    reply: Reply
    people: tuple[str, ...]
    via: Via
    detail: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """What is replied, and whether anything was done."""

    text: str
    acted: bool = False


class SmsReplies:
    """Hears text messages and chat lines; one for the whole process."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._told: Recent[str, asyncio.Future[str | None]] = Recent()
        self._passive: Recent[str, tuple[int, datetime]] = Recent()
        self._strangers: Recent[str, datetime] = Recent()

    async def receive(self, number: str, text: str, *, via: Via = Via.SMS, provider_id: str = "") -> str | None:
        """Act on a message from a phone number (E.164) and return the reply, None when none must be sent.

        `provider_id` makes repeats harmless. StoreUnavailableError: nothing was done, the sender may try again.
        """
        return await self._once(provider_id, lambda: self._receive(number, text, via))

    async def hear(self, person: str, text: str, *, via: Via, provider_id: str = "") -> str | None:
        """Act on a message of a person who is known otherwise (a simulated chat); the grammar is the same."""
        return await self._once(provider_id, lambda: self._hear(person, text, via))

    # ------------------------------------------------------------------------------------------------- who

    async def _receive(self, number: str, text: str, via: Via) -> str | None:
        found = find_by_number(self._engine.ruleset, number, (ChannelKind.SMS,))
        reply = parse_reply(text)
        if not found:
            self._count_untaken(reply, via, Untaken.REFUSED)
            await self._note_stranger(number, via)
            return None
        if via is Via.SMS and await self._carrier(reply.meaning, found):
            return None
        people = tuple(dict.fromkeys(person for person, _key in found))
        return await self._decide(plain_number(number), self._message(reply, people, via, f"number {masked(number)}"))

    async def _hear(self, person: str, text: str, via: Via) -> str | None:
        reply = parse_reply(text)
        if person not in self._engine.ruleset.people:
            self._count_untaken(reply, via, Untaken.REFUSED)
            await self._note_stranger(person, via)
            return None
        return await self._decide(f"{via} {person}", self._message(reply, (person,), via, ""))

    def _message(self, reply: Reply, people: tuple[str, ...], via: Via, detail: str) -> Message:
        return Message(reply=reply, people=people, via=via, detail=detail, now=self._engine.clock.now())

    async def _carrier(self, meaning: Meaning, found: Sequence[tuple[str, str]]) -> bool:
        """Do what a word of the carrier's means for us; return whether the carrier answers it, so that we do not."""
        if meaning is Meaning.STOP:
            why = "STOP was sent from this phone"
            for person, key in found:
                await self._engine.submit(Unreachable(person=person, address_key=key, why=why))
            return True
        if meaning is Meaning.START:
            return await self._revive(found)
        return meaning is Meaning.CARRIER_INFO

    async def _revive(self, found: Sequence[tuple[str, str]]) -> bool:
        """Take a START as what it is: the carrier lets us through again. Return whether the phone had been stopped."""
        dead = await self._engine.read(lambda tx: tx.unreachable())
        stopped = [pair for pair in found if pair in dead]
        for person, key in stopped:
            why = "START was sent from this phone"
            await self._engine.submit(Unreachable(person=person, address_key=key, why=why, reachable=True))
        return bool(stopped)

    async def _note_stranger(self, who: str, via: Via) -> None:
        now = self._engine.clock.now()
        seen = self._strangers.get(who)
        if seen is None or now - seen >= timedelta(seconds=STRANGER_WINDOW_SECONDS):
            await self._engine.submit(
                Stranger(via=via, who=masked(who), say="a message from somebody unknown, not answered")
            )
            self._strangers.put(who, now)

    # ---------------------------------------------------------------------------------------------- what

    async def _decide(self, sender: str, message: Message) -> str | None:
        pages, digests = await self._engine.read(
            lambda tx: (
                pages_of(tx, message.people, message.now),
                digests_of(tx, message.people, message.now),
            )
        )
        waiting = [page for page in with_digests(pages, digests) if page.waits]
        reply = message.reply
        meant = [each for each in digests if reply.codes and each.code == reply.codes[0]]
        if len(meant) == 1 and all(page.code != meant[0].code for page in pages):
            spoke = await self._several(message, meant[0])
        elif reply.codes:
            spoke = await self._coded(message, pages, waiting)
        elif reply.meaning is Meaning.ACK_ALL:
            spoke = await self._ack_several(message, waiting)
        elif reply.meaning is Meaning.BARE_ACK:
            spoke = await self._bare(message, pages, waiting)
        elif reply.meaning is Meaning.HELP:
            spoke = Spoke(text=help_text(waiting))
        else:
            self._count_untaken(reply, message.via, Untaken.AMBIGUOUS)
            spoke = Spoke(text=unclear_text(reply.text, waiting))
        return self._measured(sender, message.now, spoke)

    async def _bare(self, message: Message, pages: Sequence[CodedPage], waiting: Sequence[CodedPage]) -> Spoke:
        """An ack word without a code: only one waiting page can be meant."""
        if len(waiting) == 1:
            return await self._ack(message, waiting[0])
        self._count_untaken(message.reply, message.via, Untaken.AMBIGUOUS if waiting else Untaken.REFUSED)
        if waiting:
            return Spoke(text=which_text(waiting))
        live = [page for page in pages if page.live]
        if len(live) == 1:
            return Spoke(text=standing_text(self._seen(live[0], message.now)))
        return Spoke(text=nothing_waits_text())

    async def _coded(self, message: Message, pages: Sequence[CodedPage], waiting: Sequence[CodedPage]) -> Spoke:
        reply = message.reply
        named = [page for page in pages if page.code == reply.codes[0]]
        if not named:
            self._count_untaken(reply, message.via, Untaken.REFUSED)
            return Spoke(text=unknown_code_text(reply.codes[0], waiting))
        if len(named) > 1:  # two people share this number and both have this code: nobody can tell who speaks
            self._count_untaken(reply, message.via, Untaken.AMBIGUOUS)
            return Spoke(text=unclear_text(reply.text, ()))
        page = named[0]
        match reply.meaning:
            case Meaning.ACK:
                more = [other for code in reply.more for other in pages if other.code == code]
                if more and len(more) == len(reply.more):
                    return await self._ack_several(message, list({p.code: p for p in (page, *more)}.values()))
                return await self._ack(message, page, note=reply.rest if reply.more else reply.note)
            case Meaning.PASS_ON:
                return await self._pass_on(message, page)
            case Meaning.UNDO:
                return await self._undo(message, page)
            case Meaning.JOIN:
                return await self._ack(message, page, join=True, note=reply.note)
            case Meaning.LIST:
                return await self._list(page)
            case Meaning.MITIGATED:
                event = Mitigated(person=page.person, via=message.via, text=reply.note)
                return self._spoke(page, await answer(self._engine, page.incident.number, event))
            case Meaning.HELP:
                return Spoke(text=standing_text(self._seen(page, message.now)))
            case _:
                self._count_untaken(reply, message.via, Untaken.AMBIGUOUS)
                return Spoke(text=unclear_text(reply.text, [page] if page.waits else waiting))

    async def _several(self, message: Message, digest: CodedDigest) -> Spoke:
        """A code that stands for all that one message told of."""
        reply, pages = message.reply, digest.pages
        match reply.meaning:
            case Meaning.ACK if not reply.more:
                results = await acked(self._engine, pages, message.via, message.detail)
                if not results:
                    self._count_untaken(reply, message.via, Untaken.REFUSED)
            case Meaning.PASS_ON:
                results = await passed_on(self._engine, [page for page in pages if page.waits], message.via)
            case Meaning.LIST | Meaning.HELP:
                return Spoke(text=digest_list_text(digest.code, pages))
            case _:
                self._count_untaken(reply, message.via, Untaken.AMBIGUOUS)
                return Spoke(text=digest_help_text(digest.code, len(pages)))
        acted = any(result.answered.reason in ACTED for result in results)
        return Spoke(text=digest_text(digest.code, results), acted=acted)

    # ------------------------------------------------------------------------------------------------- acts

    async def _ack(self, message: Message, page: CodedPage, *, join: bool = False, note: str = "") -> Spoke:
        event = Ack(
            person=page.person,
            via=message.via,
            track=page.track.name,
            epoch=epoch_for(page.track, page.person),
            join=join,
            detail=message.detail,
        )
        answered = await answer(self._engine, page.incident.number, event)
        noted = await self._add_note(message, page, note)
        # an owner who writes gives an update: that it is theirs they know
        said = noted if noted is not None and answered.reason is Reason.ALREADY_YOURS else answered
        return self._spoke(page, said)

    async def _ack_several(self, message: Message, pages: Sequence[CodedPage]) -> Spoke:
        if not pages:
            self._count_untaken(message.reply, message.via, Untaken.REFUSED)
            return Spoke(text=nothing_waits_text())
        if len(pages) == 1:
            return await self._ack(message, pages[0], note=message.reply.note)
        results = []
        for page in pages[:ACKS_AT_ONCE_MAX]:
            event = Ack(
                person=page.person,
                via=message.via,
                track=page.track.name,
                epoch=epoch_for(page.track, page.person),
                detail=message.detail,
            )
            answered = await answer(self._engine, page.incident.number, event)
            await self._add_note(message, page, message.reply.note)
            results.append(heard(self._engine.ruleset, answered, page.person, page.track.name, page.code))
        acted = any(result.answered.reason in ACTED for result in results)
        return Spoke(text=several_text(results, max(0, len(pages) - ACKS_AT_ONCE_MAX)), acted=acted)

    async def _pass_on(self, message: Message, page: CodedPage) -> Spoke:
        event = PassOn(
            person=page.person, via=message.via, track=page.track.name, epoch=epoch_for(page.track, page.person)
        )
        answered = await answer(self._engine, page.incident.number, event)
        await self._add_note(message, page, message.reply.note)
        return self._spoke(page, answered)

    async def _undo(self, message: Message, page: CodedPage) -> Spoke:
        """Take back an ack; by text message only one's own."""
        if page.track.state is TrackState.ACKNOWLEDGED and page.track.owner != page.person:
            return Spoke(text=standing_text(self._seen(page, message.now)))
        event = Unack(person=page.person, via=message.via, track=page.track.name)
        return self._spoke(page, await answer(self._engine, page.incident.number, event))

    async def _list(self, page: CodedPage) -> Spoke:
        def titles(tx: Reader) -> tuple[list[str], int]:
            records = [record for record in tx.alerts_of(page.incident.number, ALERTS_COUNTED_MAX) if record.firing]
            return [record.alert.title for record in records[:ALERTS_LISTED_MAX]], len(records)

        shown, firing = await self._engine.read(titles)
        return Spoke(text=list_text(page, shown, firing))

    async def _add_note(self, message: Message, page: CodedPage, text: str) -> Answered | None:
        """Keep what was said besides. The answer itself is committed by now: a note that fails must not unsay it."""
        if not text:
            return None
        try:
            return await answer(
                self._engine, page.incident.number, Note(person=page.person, via=message.via, text=text)
            )
        except StoreUnavailableError:
            return None

    # ------------------------------------------------------------------------------------------------- pieces

    def _count_untaken(self, reply: Reply, via: Via, result: Untaken) -> None:
        if reply.meaning in MEANT_ACKS:
            self._engine.on_untaken(via, result)

    def _spoke(self, page: CodedPage, answered: Answered) -> Spoke:
        result = heard(self._engine.ruleset, answered, page.person, page.track.name, page.code)
        return Spoke(text=outcome_text(result), acted=answered.reason in ACTED)

    def _seen(self, page: CodedPage, now: datetime) -> Heard:
        """Return how a page stands, for somebody who changed nothing."""
        answered = Answered(incident=page.incident, before=page.incident, reason=Reason.STALE_ANSWER, at=now)
        return heard(self._engine.ruleset, answered, page.person, page.track.name, page.code)

    def _measured(self, sender: str, now: datetime, spoke: Spoke) -> str | None:
        """Return the reply unless this sender had too many that changed nothing."""
        if spoke.acted:
            self._passive.drop(sender)
            return spoke.text
        count, since = self._passive.get(sender) or (0, now)
        if now - since >= timedelta(seconds=PASSIVE_WINDOW_SECONDS):
            count, since = 0, now
        self._passive.put(sender, (count + 1, since))
        return spoke.text if count < PASSIVE_REPLIES_MAX else None

    async def _once(self, provider_id: str, act: Callable[[], Awaitable[str | None]]) -> str | None:
        """Run `act` once for each provider id; repeats get the first one's reply, also while it is still on its way."""
        if not provider_id:
            return await act()
        told = self._told.get(provider_id)
        if told is not None:
            return await asyncio.shield(told)
        told = asyncio.get_running_loop().create_future()
        self._told.put(provider_id, told)
        try:
            text = await act()
        except BaseException as error:
            # Nothing was promised yet: the provider's next try must run again, and those who wait are told to.
            self._told.drop(provider_id)
            told.set_exception(error if isinstance(error, EscalatordError) else StoreUnavailableError("interrupted"))
            told.exception()
            raise
        told.set_result(text)
        return text
