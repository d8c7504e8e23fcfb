"""The model of the ack page: what a link shows, and what its buttons do. No HTML here.

- Looking changes nothing. Acting needs the nonce of the page that was looked at; a nonce acts once, its replay says so.
- The nonce carries the epoch that the page showed, so a page left open cannot pass on somebody else's tier.
- Links that went through mail or chat need the number that the message showed, once for each page; a wrong number burns
  the link (in this process: an undo and the end of every ack bound what a restart could forgive).
- At most five tries a minute for each link. It acts until its incident closed, shows that for 24 h, then is old.
- A confidential case shows its code and nothing else.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import assert_never

from itsdangerous import BadSignature, URLSafeSerializer

from escalatord.core.events import Ack, Note, PassOn, Snooze, Unack
from escalatord.core.incident import Incident, NoticeKind, Reason, State, Track, TrackState, Via
from escalatord.core.milestones import spoken_of
from escalatord.core.ruleset import World
from escalatord.core.telling import Telling, at_clock, headline, roughly, subject, tell, what_became, what_next
from escalatord.core.throttle import over
from escalatord.core.tokens import is_long, numbers, right_number, token_hash
from escalatord.core.units import parse_duration_seconds
from escalatord.core.wallclock import Style
from escalatord.engine.commands import Answered, HumanEvent
from escalatord.respond import EnginePort, Reader, Untaken, answer
from escalatord.respond.callers import CLIMBING, is_paged, world_of
from escalatord.respond.recent import Recent
from escalatord.respond.reply_text import heard, outcome_text
from escalatord.store.rows import LinkRow

OLD_AFTER_SECONDS = 24 * 3600
TRIES = ((5, 60.0),)
TRIES_KEPT_MAX = 10
NONCE_SECONDS_MAX = 24 * 3600
NONCE_CHARACTERS_MAX = 512
UNDO_SECONDS = 30.0
SNOOZE_SECONDS_DEFAULT = 3600.0
NOTE_CHARACTERS_MAX = 500
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LinkState(StrEnum):
    """What a link has to show. `unknown` and `old` are 404 and 410."""

    UNKNOWN = "unknown"
    OLD = "old"
    NOT_ACKED = "not_acked"
    COUNTED = "counted"
    YOURS = "yours"
    SOMEONE_ELSE = "someone_else"
    MOVED_ON = "moved_on"
    OVER = "over"
    CONFIDENTIAL = "confidential"
    BURNED = "burned"


class LinkAction(StrEnum):
    """What a button does."""

    ACK = "ack"
    PASS_ON = "pass_on"  # noqa: S105 - a verb
    SNOOZE = "snooze"
    UNDO = "undo"
    JOIN = "join"
    TAKE_OVER = "take_over"
    NOTE = "note"


ACKS = frozenset({LinkAction.ACK, LinkAction.JOIN, LinkAction.TAKE_OVER})
ACTIONS: dict[LinkState, tuple[LinkAction, ...]] = {
    LinkState.NOT_ACKED: (LinkAction.ACK, LinkAction.PASS_ON, LinkAction.SNOOZE),
    LinkState.COUNTED: (LinkAction.UNDO, LinkAction.NOTE, LinkAction.PASS_ON),
    LinkState.MOVED_ON: (LinkAction.ACK,),
    LinkState.YOURS: (LinkAction.UNDO, LinkAction.NOTE, LinkAction.PASS_ON, LinkAction.SNOOZE),
    LinkState.SOMEONE_ELSE: (LinkAction.JOIN, LinkAction.TAKE_OVER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """What the page shows; sentences are ready to print, times stand in the reader's zone.

    `said` is what the last button came to. `numbers` are the three to choose from (() = no matching needed). `limited`
    says that there were too many tries. `undo_until` is set for 30 s after an ack.
    """

    state: LinkState
    said: str = ""
    label: str = ""
    code: str = ""
    reader: str = ""
    severity: str = ""
    service: str = ""
    title: str = ""
    since: str = ""
    open_for: str = ""
    who: str = ""
    owner: str = ""
    next: str = ""
    tier: int = 0
    nonce: str = ""
    numbers: tuple[int, ...] = ()
    actions: tuple[LinkAction, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    undo_until: datetime | None = None
    limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """What a page carries back: which link, which epoch it showed, when, and whether its number was matched."""

    link: str
    epoch: int
    at: datetime
    proven: bool
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything read for a link in one transaction."""

    row: LinkRow
    incident: Incident
    world: World
    code: str
    now: datetime

    @property
    def track(self) -> Track:
        """Return the track that the link is about."""
        named = self.incident.track(self.row.track) or self.incident.main
        return spoken_of(self.incident, named)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNotice:
    """The notice a page stands for, so that it says what a message would."""

    kind: NoticeKind
    track: str
    tier: int
    person: str
    reason: Reason = Reason.OPENED
    actor: str = ""
    late: bool = False


class Links:
    """Shows and hears ack pages; one for the whole process. `key` (32 bytes or more) signs the nonces."""

    def __init__(self, engine: EnginePort, key: bytes, mark: Callable[[], str] = secrets.token_urlsafe) -> None:
        self._engine = engine
        self._mark = mark
        self._signer = URLSafeSerializer(
            key, salt="ack-page", signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"}
        )
        self._used: Recent[str, bool] = Recent()
        self._burned: Recent[str, bool] = Recent()
        self._tries: Recent[str, tuple[datetime, ...]] = Recent()

    async def look(self, token: str) -> LinkView:
        """Return what the link shows now; nothing changes."""
        sight = await self._sight(token)
        return self._view(token, sight) if sight else LinkView(state=LinkState.UNKNOWN)

    async def act(self, token: str, action: str, nonce: str, number: int = 0, detail: str = "") -> LinkView:
        """Do what a button says and return what the link shows then, `said` being what it came to.

        `number` is the one chosen where numbers are matched; `detail` a note's text or how long to snooze (`1h`).
        StoreUnavailableError: nothing was done, the same nonce may be sent again.
        """
        sight = await self._sight(token)
        if sight is None:
            return self._refuse(action, LinkView(state=LinkState.UNKNOWN))
        if self._is_over_limit(token, sight.now):
            view = replace(self._view(token, sight), said="Too many tries. Wait a minute.", limited=True)
            return self._refuse(action, view)
        state = self._state(token, sight)
        if state not in ACTIONS:
            return self._refuse(action, self._view(token, sight))
        used = self._read_nonce(nonce, token, sight.now)
        if used is None:
            said = "This page was out of date. Nothing changed, choose again."
            return self._refuse(action, replace(self._view(token, sight), said=said))
        if used.mark in self._used:
            return replace(self._view(token, sight, proven=used.proven), said="Already done.")
        if is_long(token) and not used.proven:
            refusal = self._match(token, number)
            if refusal:
                why = Untaken.REFUSED if number else Untaken.AMBIGUOUS
                return self._refuse(action, replace(self._view(token, sight), said=refusal), why)
        event = _event(sight, used.epoch, action, detail)
        if event is None or LinkAction(action) not in ACTIONS[state]:
            return self._refuse(action, replace(self._view(token, sight, proven=True), said=self._not_now(sight)))
        return await self._happen(token, sight, used, event)

    # ------------------------------------------------------------------------------------------------- acting

    async def _happen(self, token: str, sight: Sight, used: Nonce, event: HumanEvent) -> LinkView:
        # Marked before the await: a double tap must find it used. Taken back when nothing was committed.
        self._used.put(used.mark, value=True)
        try:
            answered = await answer(self._engine, sight.row.incident, event)
        except BaseException:
            self._used.drop(used.mark)
            raise
        said = outcome_text(heard(self._engine.ruleset, answered, sight.row.person, sight.track.name))
        after = await self._sight(token)
        return replace(self._view(token, after, proven=True), said=said) if after else LinkView(state=LinkState.UNKNOWN)

    def _refuse(self, action: str, view: LinkView, why: Untaken = Untaken.REFUSED) -> LinkView:
        """Count a button that did nothing, if it was to acknowledge; return the view as it is."""
        if action in ACKS:
            self._engine.on_untaken(Via.LINK, why)
        return view

    def _match(self, token: str, number: int) -> str:
        """Return "" when the right number was chosen, else what to say; a wrong one burns the link."""
        if not number:
            return "Choose the number that your message shows. Nothing changed."
        if number == right_number(token):
            return ""
        self._burned.put(token_hash(token), value=True)
        return "That was not the number in your message. Nothing changed."

    def _not_now(self, sight: Sight) -> str:
        answered = Answered(incident=sight.incident, before=sight.incident, reason=Reason.STALE_ANSWER, at=sight.now)
        return outcome_text(heard(self._engine.ruleset, answered, sight.row.person, sight.track.name))

    def _is_over_limit(self, token: str, now: datetime) -> bool:
        """Count a try, and return whether there were too many in the last minute."""
        key = token_hash(token)
        tries = self._tries.get(key) or ()
        if over(TRIES, tries, now) is not None:
            return True
        self._tries.put(key, (*tries, now)[-TRIES_KEPT_MAX:])
        return False

    # ------------------------------------------------------------------------------------------------- looking

    async def _sight(self, token: str) -> Sight | None:
        engine, now, hashed = self._engine, self._engine.clock.now(), token_hash(token)

        def look(tx: Reader) -> Sight | None:
            row = tx.link(hashed)
            incident = tx.load({row.incident}).get(row.incident) if row else None
            if row is None or incident is None:
                return None
            known = tx.code_for(row.person, row.incident)
            world = world_of(tx, incident, engine.ruleset, now)
            return Sight(row=row, incident=incident, world=world, code=known.code if known else "", now=now)

        return await engine.read(look)

    def _state(self, token: str, sight: Sight) -> LinkState:
        incident, track, person = sight.incident, sight.track, sight.row.person
        is_over = incident.state is State.RESOLVED or track.state is TrackState.ENDED
        ended = incident.resolved_at
        if ended is not None and sight.now - ended >= timedelta(seconds=OLD_AFTER_SECONDS):
            return LinkState.OLD
        if incident.confidential:
            return LinkState.CONFIDENTIAL
        if is_over:
            return LinkState.OVER
        if token_hash(token) in self._burned:
            return LinkState.BURNED
        if track.state is TrackState.ACKNOWLEDGED:
            return LinkState.YOURS if person in (track.owner, *track.acks) else LinkState.SOMEONE_ELSE
        if track.state in CLIMBING and person in track.acks:
            return LinkState.COUNTED
        return LinkState.NOT_ACKED if track.state in CLIMBING and is_paged(track, person) else LinkState.MOVED_ON

    def _view(self, token: str, sight: Sight, *, proven: bool = False) -> LinkView:
        state = self._state(token, sight)
        if state is LinkState.OLD:
            return LinkView(state=state)
        code = sight.code or sight.incident.label
        if state is LinkState.CONFIDENTIAL:
            return LinkView(state=state, code=code)
        incident, track = sight.incident, sight.track
        reader = sight.world.ruleset.people.get(sight.row.person)
        told = _telling(sight)
        matched = is_long(token) and not proven and state in ACTIONS
        return LinkView(
            state=state,
            label=incident.label,
            code=code,
            reader=reader.name if reader else "",
            severity=incident.severity.value,
            service=subject(incident),
            title=headline(incident),
            since=at_clock(incident.opened_at, told.zone, Style.SECONDS_ZONE),
            open_for=roughly(((incident.resolved_at or sight.now) - incident.opened_at).total_seconds()),
            who=what_became(told),
            owner=told.names.get(track.owner, track.owner),
            next=what_next(told),
            tier=track.tier,
            nonce=self._nonce(token, sight, proven=proven) if state in ACTIONS else "",
            numbers=numbers(token) if matched else (),
            actions=ACTIONS.get(state, ()),
            links=dict(incident.links),
            undo_until=_undo_until(state, track, sight),
        )

    # -------------------------------------------------------------------------------------------------- nonces

    def _nonce(self, token: str, sight: Sight, *, proven: bool) -> str:
        at = (sight.now - EPOCH) // MICROSECOND
        return str(self._signer.dumps([token_hash(token), sight.track.epoch, at, proven, self._mark()]))

    def _read_nonce(self, nonce: str, token: str, now: datetime) -> Nonce | None:
        """Return what a nonce of ours says, None when it is none, of another link, or a day old."""
        if len(nonce) > NONCE_CHARACTERS_MAX:
            return None
        try:
            link, epoch, at, proven, mark = self._signer.loads(nonce)
        except (BadSignature, ValueError, TypeError):
            return None
        seen = EPOCH + at * MICROSECOND
        if link != token_hash(token) or now - seen > timedelta(seconds=NONCE_SECONDS_MAX):
            return None
        return Nonce(link=link, epoch=epoch, at=seen, proven=proven, mark=mark)


def _undo_until(state: LinkState, track: Track, sight: Sight) -> datetime | None:
    """Return until when an ack can be taken back here: for 30 s, and while it is one of several that are needed."""
    undo = (track.acked_at or sight.incident.opened_at) + timedelta(seconds=UNDO_SECONDS)
    if state is LinkState.COUNTED:
        return sight.now + timedelta(seconds=UNDO_SECONDS)
    return undo if state is LinkState.YOURS and sight.now < undo else None


def _telling(sight: Sight) -> Telling:
    track = sight.track
    notice = PageNotice(kind=NoticeKind.PAGE, track=track.name, tier=track.tier, person=sight.row.person)
    return tell(notice, sight.incident, sight.world, sight.now)


def _event(sight: Sight, epoch: int, action: str, detail: str) -> HumanEvent | None:
    """Return what a button means, None for one that does not exist or lacks its words."""
    person, track, via = sight.row.person, sight.track.name, Via.LINK
    try:
        wanted = LinkAction(action)
    except ValueError:
        return None
    match wanted:
        case LinkAction.ACK:
            return Ack(person=person, via=via, track=track, epoch=epoch, detail=f"link by {sight.row.channel}")
        case LinkAction.JOIN:
            return Ack(person=person, via=via, track=track, epoch=epoch, join=True)
        case LinkAction.TAKE_OVER:
            return Ack(person=person, via=via, track=track, epoch=epoch, take_over=True)
        case LinkAction.PASS_ON:
            return PassOn(person=person, via=via, track=track, epoch=epoch)
        case LinkAction.UNDO:
            return Unack(person=person, via=via, track=track)
        case LinkAction.SNOOZE:
            return Snooze(person=person, via=via, seconds=_snooze_seconds(detail), track=track)
        case LinkAction.NOTE:
            text = detail.strip()[:NOTE_CHARACTERS_MAX]
            return Note(person=person, via=via, text=text) if text else None
        case _:
            assert_never(wanted)


def _snooze_seconds(detail: str) -> float:
    try:
        return parse_duration_seconds(detail)
    except ValueError:
        return SNOOZE_SECONDS_DEFAULT
