"""Answers by chat button, from a payload whose signature was checked before.

A button's value is `reference|epoch`, an option's of "More" `verb|reference|epoch`. The reference says which incident
and track, the epoch which tier it spoke of. Somebody whose account belongs to nobody in the rules is told to link it,
and nothing is acked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from escalatord.core.events import Ack, Note, PageNext, PassOn, Resolve, Snooze, Unack
from escalatord.core.incident import Incident, Reason, Track, TrackState, Via
from escalatord.engine.commands import Answered, HumanEvent, Stranger
from escalatord.respond import EnginePort, Reader, Untaken, answer
from escalatord.respond.callers import find_by_account, is_paged, masked
from escalatord.respond.recent import Recent
from escalatord.respond.reply_text import heard, outcome_text

SNOOZE_SECONDS = 3600.0
STRANGER_WINDOW_SECONDS = 3600
VALUE_PARTS_MAX = 3
ACK_VERBS = frozenset({"ack", "join", "take_over"})
EPOCH_DIGITS_MAX = 9
LINK_YOUR_ACCOUNT = (
    "Link your account first: ask an admin to put your chat user id into the people file. Nothing was acked. "
    "Until then answer by SMS, by the link, or by phone."
)
TOO_OLD = "This message is too old to act on. Look at the newest one. Nothing changed."
NOT_A_BUTTON = "This button means nothing here. Nothing changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """What the one who clicked is told; `ephemeral` = only they see it. `incident` 0 = none was touched."""

    text: str
    ephemeral: bool = True
    incident: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click understood: the verb, the message it was on, and that message's epoch."""

    verb: str
    reference: str
    epoch: int


class ChatAction:
    """Hears clicks; one for the whole process."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._strangers: Recent[str, datetime] = Recent()

    async def click(self, user: str, action_id: str, value: str, text: str = "") -> ChatAnswer:
        """Act on a click of the chat user `user` and return what to tell them; repeats of a click change nothing more.

        `text` goes with the verbs that take one (`note`, `resolve`). StoreUnavailableError: nothing was done.
        """
        people = find_by_account(self._engine.ruleset, user)
        click = parse_click(action_id, value)
        if len(people) != 1:
            self._count_refused(click)
            await self._note_stranger(user)
            return ChatAnswer(text=LINK_YOUR_ACCOUNT)
        if click is None:
            return ChatAnswer(text=NOT_A_BUTTON)
        found = await self._engine.read(lambda tx: _look(tx, click.reference))
        if found is None:
            self._count_refused(click)
            return ChatAnswer(text=TOO_OLD)
        incident, track = found
        event = self._event(click, people[0], track, text)
        if event is None:
            return ChatAnswer(text=NOT_A_BUTTON)
        if isinstance(event, PageNext | Snooze | Unack) and self._is_stale(click, people[0], track):
            now = self._engine.clock.now()
            answered = Answered(incident=incident, before=incident, reason=Reason.STALE_TIER, at=now)
        else:
            answered = await answer(self._engine, incident.number, event)
        result = heard(self._engine.ruleset, answered, people[0], track.name)
        return ChatAnswer(text=outcome_text(result), incident=incident.number)

    def _event(self, click: Click, person: str, track: Track, text: str) -> HumanEvent | None:
        """Return the event a verb means; a person who is being paged passes on, anybody else pages the next tier."""
        via, name = Via.CHAT, track.name
        match click.verb:
            case "ack":
                return Ack(person=person, via=via, track=name, epoch=click.epoch, detail=click.reference)
            case "join":
                return Ack(person=person, via=via, track=name, epoch=click.epoch, join=True)
            case "take_over":
                return Ack(person=person, via=via, track=name, epoch=click.epoch, take_over=True)
            case "next" | "pass_on":
                if is_paged(track, person) and track.state is not TrackState.ACKNOWLEDGED:
                    return PassOn(person=person, via=via, track=name, epoch=click.epoch)
                return PageNext(person=person, via=via, track=name)
            case "undo":
                return Unack(person=person, via=via, track=name)
            case "snooze":
                return Snooze(person=person, via=via, seconds=SNOOZE_SECONDS, track=name)
            case "resolve":
                return Resolve(person=person, via=via, decision=text)
            case "note":
                return Note(person=person, via=via, text=text) if text else None
            case _:
                return None

    def _count_refused(self, click: Click | None) -> None:
        if click is not None and click.verb in ACK_VERBS:
            self._engine.on_untaken(Via.CHAT, Untaken.REFUSED)

    def _is_stale(self, click: Click, person: str, track: Track) -> bool:
        """Return whether what the button offered is no longer true: another tier, somebody's ack that is not theirs."""
        if track.state is TrackState.ACKNOWLEDGED:
            return track.owner != person
        return click.epoch != track.epoch

    async def _note_stranger(self, user: str) -> None:
        now = self._engine.clock.now()
        seen = self._strangers.get(user)
        if seen is None or now - seen >= timedelta(seconds=STRANGER_WINDOW_SECONDS):
            say = "a chat account that belongs to nobody clicked; nothing was done"
            await self._engine.submit(Stranger(via=Via.CHAT, who=masked(user), say=say))
            self._strangers.put(user, now)


def parse_click(action_id: str, value: str) -> Click | None:
    """Return what was clicked, None when it is no button of ours."""
    parts = value.split("|", VALUE_PARTS_MAX)
    if len(parts) == VALUE_PARTS_MAX and action_id == "more":
        verb, reference, epoch = parts
    elif len(parts) == VALUE_PARTS_MAX - 1:
        verb, (reference, epoch) = action_id, parts
    else:
        return None
    if not (reference and epoch.isascii() and epoch.isdigit() and len(epoch) <= EPOCH_DIGITS_MAX):
        return None
    return Click(verb=verb, reference=reference, epoch=int(epoch))


def _look(tx: Reader, reference: str) -> tuple[Incident, Track] | None:
    row = tx.outbox_get(reference)
    incident = tx.load({row.incident}).get(row.incident) if row else None
    track = incident.track(row.track) if row and incident else None
    return (incident, track) if incident and track else None
