"""Answers by phone key: 4 has it, 8 passes it on, 9 hears it again, any other key hears the menu.

Not 1: mailbox menus and call screening ask for it. Only a key counts as having reached somebody; a call that was
answered by a mailbox, dropped or never picked up is *not reached*, and the next contact method starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from escalatord.core.events import Ack, PassOn
from escalatord.core.incident import Attempt, Incident, NoticeKind, Reason, State, Track, TrackState, Via
from escalatord.core.quorum import needed
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import Handles, headline, join_names, paged_now, short_name, subject, tell
from escalatord.core.wording_speech import MENU, sentences_of, speakable, spelled, spoken_duration
from escalatord.engine.commands import Receipt, Stranger
from escalatord.errors import DeliveryReason
from escalatord.respond import EnginePort, Reader, Untaken, answer
from escalatord.respond.callers import CodedPage, epoch_for, find_by_number, masked, pages_of, plain_number, world_of
from escalatord.respond.digests import acked, passed_on, spoken, told_by
from escalatord.respond.recent import Recent
from escalatord.respond.reply_text import NOT_ON_RECORD, Heard, heard
from escalatord.store.rows import OutboxRow

KEY_ACK = "4"
KEY_PASS_ON = "8"  # noqa: S105 - a key of a phone
KEY_AGAIN = "9"
ANSWERED_SECONDS_MIN = 5.0
PAGES_SPOKEN_MAX = 5
GOODBYE = "Goodbye."
NOTHING_WAITS = "Nothing waits for you any more. Goodbye."
NOT_REACHED: Mapping[str, DeliveryReason] = MappingProxyType(
    {
        "busy": DeliveryReason.BUSY,
        "no-answer": DeliveryReason.NO_ANSWER,
        "failed": DeliveryReason.UNREACHABLE,
        "canceled": DeliveryReason.UNDELIVERED,
        "completed": DeliveryReason.NO_KEY,
        "voicemail": DeliveryReason.NO_KEY,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What the call says now, and whether it ends then (else it waits for a key)."""

    sentences: tuple[str, ...]
    hang_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The pages that a caller was told of: (incident, track, epoch); a key answers these and no others."""

    pages: tuple[tuple[int, str, int], ...] = field(default=())


class Keypad:
    """Hears keys; one for the whole process."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._said: Recent[str, Said] = Recent()

    # ------------------------------------------------------------------------------------------ a call of ours

    async def greeting(self, row: OutboxRow) -> Spoken:
        """Return what a call for `row` says when it is answered now; it may be that nobody is needed any more."""
        engine, now = self._engine, self._engine.clock.now()

        def look(tx: Reader) -> tuple[str, ...]:
            if row.kind is NoticeKind.DIGEST:
                return spoken(tx, row)
            incident = tx.load({row.incident}).get(row.incident)
            if incident is None:
                return (GOODBYE,)
            known = tx.code_for(row.person, row.incident)
            handles = Handles(code=known.code if known else "")
            return sentences_of(tell(row, incident, world_of(tx, incident, engine.ruleset, now), now, handles))

        sentences = await engine.read(look)
        return Spoken(sentences=sentences, hang_up=len(sentences) == 1)

    async def key(self, row: OutboxRow, digit: str) -> Spoken:
        """Act on a key pressed in the call for `row` and return what is said to it; "" is no key at all."""
        if row.kind is NoticeKind.DIGEST and digit in (KEY_ACK, KEY_PASS_ON):
            return await self._answer_digest(row, digit)
        if digit == KEY_ACK:
            ack = Ack(
                person=row.person, via=Via.CALL, track=row.track, epoch=row.epoch, detail=f"key 4, {row.reference}"
            )
            answered = await answer(self._engine, row.incident, ack)
        elif digit == KEY_PASS_ON:
            event = PassOn(person=row.person, via=Via.CALL, track=row.track, epoch=row.epoch)
            answered = await answer(self._engine, row.incident, event)
        elif digit == KEY_AGAIN:
            return await self.greeting(row)
        elif digit:
            return Spoken(sentences=(MENU,), hang_up=False)
        else:
            return Spoken(sentences=(GOODBYE,), hang_up=True)
        result = heard(self._engine.ruleset, answered, row.person, row.track)
        return Spoken(sentences=outcome_sentences(result), hang_up=True)

    async def hung_up(self, row: OutboxRow, duration_seconds: float, status: str, *, key_pressed: bool) -> None:
        """Tell the engine what a call came to: `status` is the provider's last word (completed, busy, no-answer, …)."""
        if key_pressed:
            receipt = Receipt(reference=row.reference, status=Attempt.DELIVERED)
        else:
            reason = NOT_REACHED.get(status, DeliveryReason.OTHER)
            if reason is DeliveryReason.NO_KEY and duration_seconds < ANSWERED_SECONDS_MIN:
                reason = DeliveryReason.NO_ANSWER  # dropped or screened before anything could be heard
            receipt = Receipt(reference=row.reference, status=Attempt.FAILED_PERMANENT, reason=reason.value)
        await self._engine.submit(receipt)

    # ---------------------------------------------------------------------------------------- calling us back

    async def called_back(self, number: str, digit: str = "") -> Spoken | None:
        """Say the open pages to somebody who calls our number, and take 4 and 8 for those that were said.

        None for a stranger: the call is to be rejected.
        """
        found = find_by_number(self._engine.ruleset, number, (ChannelKind.CALL, ChannelKind.SMS))
        people = tuple(dict.fromkeys(person for person, _key in found))
        if not people:
            say = "a call from somebody unknown, not answered"
            await self._engine.submit(Stranger(via=Via.CALL, who=masked(number), say=say))
            return None
        now = self._engine.clock.now()
        waiting = [page for page in await self._engine.read(lambda tx: pages_of(tx, people, now)) if page.waits]
        caller = plain_number(number)
        said = self._said.get(caller)
        if digit in (KEY_ACK, KEY_PASS_ON) and said is not None:
            self._said.drop(caller)
            return await self._answer_all([page for page in waiting if _key_of(page) in said.pages], digit)
        self._count_untaken(digit, Untaken.AMBIGUOUS)  # which pages were meant was forgotten: they are said again
        shown = waiting[:PAGES_SPOKEN_MAX]
        self._said.put(caller, Said(pages=tuple(map(_key_of, shown))))
        return _open_pages(shown, len(waiting) - len(shown))

    async def _answer_digest(self, row: OutboxRow, digit: str) -> Spoken:
        pages = await self._engine.read(lambda tx: told_by(tx, row))
        waiting = [page for page in pages if page.waits]
        if digit == KEY_ACK:
            results = await acked(self._engine, waiting, Via.CALL, f"key 4, {row.reference}")
        else:
            results = await passed_on(self._engine, waiting, Via.CALL)
        if not results:
            self._count_untaken(digit, Untaken.REFUSED)
        sentences = [sentence for result in results[:PAGES_SPOKEN_MAX] for sentence in outcome_sentences(result)[:1]]
        more = len(results) - PAGES_SPOKEN_MAX
        sentences += [f"And {more} more."] if more > 0 else []
        return Spoken(sentences=(*sentences, GOODBYE) if results else (NOTHING_WAITS,), hang_up=True)

    async def _answer_all(self, pages: Sequence[CodedPage], digit: str) -> Spoken:
        sentences: list[str] = []
        if not pages:
            self._count_untaken(digit, Untaken.REFUSED)
        for page in pages:
            epoch = epoch_for(page.track, page.person)
            event: Ack | PassOn = PassOn(person=page.person, via=Via.CALL, track=page.track.name, epoch=epoch)
            if digit == KEY_ACK:
                event = Ack(person=page.person, via=Via.CALL, track=page.track.name, epoch=epoch, detail="called back")
            answered = await answer(self._engine, page.incident.number, event)
            result = heard(self._engine.ruleset, answered, page.person, page.track.name, page.code)
            sentences += outcome_sentences(result)
        return Spoken(sentences=tuple(sentences) or (NOTHING_WAITS,), hang_up=True)

    def _count_untaken(self, digit: str, result: Untaken) -> None:
        if digit == KEY_ACK:
            self._engine.on_untaken(Via.CALL, result)


def outcome_sentences(result: Heard) -> tuple[str, ...]:
    """Return what a key came to, in words: who has it now."""
    said = _outcome(result)
    return said if result.answered.on_record else (*said[:-1], NOT_ON_RECORD.strip(), said[-1])


def _outcome(result: Heard) -> tuple[str, ...]:
    incident = result.answered.incident
    if incident is None:
        return ("This page is no longer known. Goodbye.",)
    track = incident.track(result.track) or incident.main
    what = _spoken_name(incident, result.code)
    match result.answered.reason:
        case Reason.ACKNOWLEDGED | Reason.ACKNOWLEDGED_LATE if track.owner != result.person:
            owner = speakable(short_name(result.names, track.owner))
            return (f"Thank you. {what}: enough have it now, and {owner} owns it.", GOODBYE)
        case Reason.ACKNOWLEDGED:
            return (f"Thank you. {what} is yours.", GOODBYE)
        case Reason.ACKNOWLEDGED_LATE:
            return (f"It had moved on meanwhile. {what} is yours now, and the others are told.", GOODBYE)
        case Reason.ACK_COUNTED:
            counted = f"{len(track.acks)} of {needed(track)} have it"
            return (f"Thank you. {what}: {counted}. {_spoken_standing(result, track)}", GOODBYE)
        case Reason.ACK_EXTENDED:
            return (f"Thank you. {what} stays yours.", GOODBYE)
        case Reason.PASSED_ON:
            return (f"{what} is passed on. {_spoken_standing(result, track)}", GOODBYE)
        case Reason.STALE_TIER:
            return (f"Too late, nothing changed. {_spoken_standing(result, track)}", GOODBYE)
        case _:
            return (_spoken_standing(result, track, incident), GOODBYE)


def _spoken_standing(result: Heard, track: Track, incident: Incident | None = None) -> str:
    if (incident is not None and incident.state is State.RESOLVED) or track.state is TrackState.ENDED:
        return "This is over. No action needed."
    if track.state is TrackState.ACKNOWLEDGED and track.acked_at:
        if track.owner == result.person:
            return "It is already yours."
        ago = spoken_duration((result.answered.at - track.acked_at).total_seconds())
        return f"{speakable(short_name(result.names, track.owner))} acknowledged this {ago} ago. Go back to sleep."
    people = speakable(join_names(result.names, paged_now(track)))
    return f"{people or 'Nobody'} {'are' if len(paged_now(track)) > 1 else 'is'} being paged."


def _spoken_name(incident: Incident, code: str) -> str:
    if incident.confidential:
        return f"The confidential case {spelled(code)}".strip()
    return speakable(subject(incident)).capitalize()


def _open_pages(shown: Sequence[CodedPage], left: int) -> Spoken:
    if not shown:
        return Spoken(sentences=("No page waits for you. Goodbye.",), hang_up=True)
    sentences = [f"You have {len(shown) + left} open page{'' if len(shown) + left == 1 else 's'}."]
    for page in shown:
        title = "" if page.incident.confidential else f" {speakable(headline(page.incident)).capitalize()}."
        sentences.append(f"{spelled(page.code)}. {_spoken_name(page.incident, '')}.{title}")
    if len(shown) == 1:
        return Spoken(sentences=(*sentences, MENU), hang_up=False)
    more = f" {left} more wait after these." if left else ""
    return Spoken(
        sentences=(*sentences, f"Press 4 if you have all of these. Press 8 to pass all of these on.{more}"),
        hang_up=False,
    )


def _key_of(page: CodedPage) -> tuple[int, str, int]:
    return page.incident.number, page.track.name, page.track.epoch
