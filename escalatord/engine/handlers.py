"""What the engine does for each command but `Ingest` (see `intake`), inside one transaction.

Each function takes the unit of work and the command and returns the command's result; it may raise, and is then taken
back alone.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from escalatord.core.codes import CODES_MAX, free_codes
from escalatord.core.events import AlertFired, Delivery, PersonGone, TimersDue
from escalatord.core.incident import Attempt, Cause, Incident, NoticeKind, Reason, State, Track, TrackState, Via
from escalatord.core.roster import reachable
from escalatord.core.tokens import mint, token_hash
from escalatord.core.values import replace
from escalatord.engine.commands import (
    Answer,
    Answered,
    Claim,
    Claimed,
    PeopleGone,
    Quarantine,
    RaiseIncident,
    Receipt,
    Stranger,
    Unreachable,
)
from escalatord.engine.intake import look_after_closing
from escalatord.engine.trouble import Trouble, tell
from escalatord.engine.unit import PAGE_KINDS, Unit
from escalatord.store.outbox import returned, settled
from escalatord.store.rows import CodeRow, DeadLetter, LinkRow, OutboxRow

CLIMBING = (TrackState.RUNNING, TrackState.LAST_RESORT)
ANSWERABLE_KINDS = frozenset({NoticeKind.PAGE, NoticeKind.LAST_RESORT})
"""Messages whose deliveries an incident learns of: a failed one starts the next way to reach the person."""
CLAIM_LOOKS_MAX = 100
"""Past it: what waits behind so many rooms full of withdrawn rows is claimed the next time."""
TRIES_MAX = 4
RETRY_SECONDS = (1.0, 3.0, 9.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The engine's own command: look at what is due. Answered with the number of incidents and alerts looked at."""

    limit: int
    skip: Collection[int] = ()


def answer(unit: Unit, command: Answer) -> Answered:
    """Let a human's word happen to an incident."""
    before = unit.incident(command.incident)
    outcome = unit.happen(before, command.event)
    if outcome.reason is Reason.RESOLVED and outcome.incident is not None:
        look_after_closing(unit, outcome.incident)
    return Answered(incident=outcome.incident, before=before, reason=outcome.reason, at=unit.now)


def raise_incident(unit: Unit, command: RaiseIncident) -> Answered:
    """Open an incident because a human says so."""
    ruleset = unit.world.ruleset
    service = ruleset.services.get(command.service)
    name = command.policy or (service.policy if service else "") or ruleset.unmatched.policy
    names = dict.fromkeys((name, *ruleset.policies_of_regimes(command.service)))
    policies = tuple(ruleset.policies[each] for each in names)
    number = unit.next_number()
    event = AlertFired(
        number=number,
        key=f"raised|{number}",
        source="human",
        fingerprint=f"raised-{number}",
        title=command.title,
        summary="",
        links={"runbook": service.runbook} if service and service.runbook else {},
        service=command.service,
        severity=command.severity,
        cause=Cause.RAISED,
        rule="",
        policies=policies,
        actor=command.person,
        via=command.via,
        why={"raised_by": command.person},
    )
    outcome = unit.happen(None, event, {policy.hash: policy for policy in policies})
    return Answered(incident=outcome.incident, before=None, reason=outcome.reason, at=unit.now)


def receipt(unit: Unit, command: Receipt) -> Answered:
    """Take in what a provider said of an attempt; a temporary failure is tried again, a few times."""
    now = unit.now
    row = unit.attempt(command.reference)
    stale = Answered(incident=None, before=None, reason=Reason.DELIVERY_STALE, at=now)
    if row is None:
        return stale
    status = command.status
    if status is Attempt.FAILED_TEMPORARY:
        of = unit.incident(row.incident)
        if of is not None and not still_wanted(of, row):
            status = Attempt.WITHDRAWN
        elif row.claims >= TRIES_MAX:
            status = Attempt.FAILED_PERMANENT
        else:
            _put_back(unit, row, command.reason)
    if status is not Attempt.FAILED_TEMPORARY:
        after = settled(row, status, (command.provider_id, command.reason), now)
        if after is None:
            return replace(stale, reason=Reason.DELIVERY_UNCHANGED)
        unit.change_attempt(row, after)
    if row.kind not in ANSWERABLE_KINDS:
        return replace(stale, reason=Reason.DELIVERY_ADVANCED)
    before = unit.incident(row.incident)
    event = Delivery(reference=row.reference, status=status, reason=command.reason, channel=row.channel)
    outcome = unit.happen(before, event)
    return Answered(incident=outcome.incident, before=before, reason=outcome.reason, at=now)


def claim(unit: Unit, command: Claim) -> tuple[Claimed, ...]:
    """Hand due attempts to the sender: `sending` is committed before any provider hears of them.

    What is no longer wanted (acked, closed, taken over meanwhile) is withdrawn here instead: the last look before the
    call is in the same transaction that marks the row.
    """
    tx, room = unit.tx, Counter(command.room)
    lease_until = unit.now + timedelta(seconds=command.lease_seconds)
    claimed: list[OutboxRow] = []
    for _ in range(CLAIM_LOOKS_MAX):
        unit.write_attempts()
        rows = tx.outbox_pending(unit.now, room)
        wanted = _wanted(unit, rows)
        mine = tx.outbox_claim(wanted, lease_until) if wanted else []
        unit.attempts.update((row.reference, row) for row in mine)
        claimed += mine
        room.subtract(row.lane for row in mine)
        # what was withdrawn took the place of others, which may be behind it
        if len(wanted) == len(rows):
            break
    return _ready(unit, claimed) if claimed else ()


def _wanted(unit: Unit, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Return the rows that still make sense; the others are withdrawn."""
    unit.attempts.update((row.reference, row) for row in rows)
    unit.know(unit.tx.load({row.incident for row in rows} - unit.incidents.keys()))
    wanted: list[OutboxRow] = []
    for row in rows:
        incident = unit.incidents.get(row.incident)
        if incident is not None and still_wanted(incident, row):
            wanted.append(row)
        elif (after := settled(row, Attempt.WITHDRAWN, ("", "no longer needed"), unit.now)) is not None:
            unit.change_attempt(row, after)
    return wanted


def still_wanted(incident: Incident, row: OutboxRow) -> bool:
    """Tell whether an attempt still makes sense: a page needs a climbing track, a question its owner.

    What an earlier entry of the track left unsent is not sent beside the page that it made of the same person since, by
    the same channel: after a gap nobody is paged twice.
    """
    if row.kind not in PAGE_KINDS:
        return True
    track = incident.track(row.track)
    if track is None or incident.state is State.RESOLVED:
        return False
    if row.kind is NoticeKind.ACK_QUESTION:
        return track.state is TrackState.ACKNOWLEDGED and track.owner == row.person
    return track.state in CLIMBING and not (row.epoch < track.epoch and _is_paged_anew(track, row))


def quarantine(unit: Unit, command: Quarantine) -> None:
    """Keep a body nobody can use; tell the people of the `unmatched` policy once per source per hour."""
    letter = DeadLetter(
        id=0,
        at=unit.now,
        source=command.source,
        code=command.code,
        at_pointer=command.at_pointer,
        say=command.say,
        body=command.body,
    )
    unit.tx.dead_letter(letter)
    body = {"source": command.source, "code": command.code, "at": command.at_pointer, "say": command.say}
    unit.record("dead_letter", body, actor=command.source, via=Via.SOURCE)
    trouble = Trouble(
        key=f"dead-letter|{command.source}",
        title=f"Unusable webhook from {command.source}: {command.say}",
        summary="The body is kept in the dead letters. An alert inside it may have been missed: look at the source.",
        why=body,
        source=command.source,
    )
    tell(unit, trouble)


def unreachable(unit: Unit, command: Unreachable) -> None:
    """Mark an address dead or alive; attempts under way by it count as failed at once."""
    tx = unit.tx
    kind = "reachable" if command.reachable else "unreachable"
    unit.record(kind, {"person": command.person, "address_key": command.address_key, "why": command.why})
    pair = (command.person, command.address_key)
    if command.reachable:
        tx.clear_unreachable(command.person, command.address_key)
        unit.world = replace(unit.world, unreachable=unit.world.unreachable - {pair})
        return
    tx.set_unreachable(command.person, command.address_key, command.why, unit.now)
    unit.world = replace(unit.world, unreachable=unit.world.unreachable | {pair})
    channels = {n for n, spec in unit.world.ruleset.channels.items() if spec.address_key == command.address_key}
    gone = not _ways_left(unit, command.person)
    for number in list(unit.incidents):
        for reference in _under_way(unit.incidents[number], command.person, channels):
            event = Delivery(reference=reference, status=Attempt.FAILED_PERMANENT, reason="opted_out")
            unit.happen(unit.incidents[number], event)
        if gone:
            unit.happen(unit.incidents[number], PersonGone(person=command.person))


def lose_people(unit: Unit, command: PeopleGone) -> None:
    """Go on without people who left the roster, in every open incident."""
    unit.record("people_gone", {"people": list(command.people)})
    for number in list(unit.incidents):
        for person in command.people:
            unit.happen(unit.incidents[number], PersonGone(person=person))


def stranger(unit: Unit, command: Stranger) -> None:
    """Write down that somebody unknown spoke."""
    unit.record("stranger", {"who": command.who, "say": command.say}, actor=command.who, via=command.via)


def due_incidents(unit: Unit, command: Due) -> list[int]:
    """Let every due deadline pass, the most severe incident first; return which incidents were looked at."""
    found = [i for i in unit.tx.due(unit.now, command.limit + len(command.skip)) if i.number not in command.skip]
    unit.know({incident.number: incident for incident in found})
    return [incident.number for incident in found]


def pass_deadlines(unit: Unit, number: int) -> Reason:
    """Let the due deadlines of one incident pass."""
    return unit.happen(unit.incident(number), TimersDue()).reason


# ------------------------------------------------------------------------------------------------------- private


def _is_paged_anew(track: Track, row: OutboxRow) -> bool:
    return any(
        page.person == row.person and any(step.channel == row.channel and step.reference for step in page.steps)
        for page in track.pages
    )


def _ways_left(unit: Unit, person: str) -> bool:
    """Tell whether any personal address of somebody still works."""
    who = unit.world.ruleset.people.get(person)
    personal = [spec for spec in unit.world.ruleset.channels.values() if spec.address_key]
    return who is not None and reachable(who, personal, unit.world.unreachable)


def _under_way(incident: Incident, person: str, channels: Collection[str]) -> list[str]:
    return [
        step.reference
        for track in incident.tracks
        for page in track.pages
        if page.person == person
        for step in page.steps
        if step.reference and step.channel in channels and step.status is not Attempt.FAILED_PERMANENT
    ]


def _put_back(unit: Unit, row: OutboxRow, why: str) -> None:
    """Let an attempt wait a while before it is tried again, longer each time."""
    due_at = unit.now + timedelta(seconds=RETRY_SECONDS[max(row.claims, 1) - 1])
    after = returned(row, due_at, why)
    if after is not None:
        unit.change_attempt(row, after)
        unit.outbox_due_at(due_at)


def _ready(unit: Unit, rows: Sequence[OutboxRow]) -> tuple[Claimed, ...]:
    """Give rows what their readers answer with: a code and a link of their own each.

    A call-off names the page by the code that its reader knows it by.
    """
    numbers = {row.incident for row in rows}
    threads = unit.tx.threads(numbers)
    codes = _codes(unit, rows, unit.tx.codes_for(numbers))
    links: list[LinkRow] = []
    ready = []
    for row in rows:
        token = _link(unit, row, links) if row.person and row.kind in PAGE_KINDS else ""
        ready.append(
            Claimed(
                row=row,
                incident=unit.incidents[row.incident],
                code=codes.get((row.person, row.incident), ""),
                link_token=token,
                thread=threads.get((row.incident, row.channel), ""),
            )
        )
    unit.tx.add_links(links)
    return tuple(ready)


def _codes(unit: Unit, rows: Sequence[OutboxRow], known: dict[tuple[str, int], str]) -> dict[tuple[str, int], str]:
    """Return the known codes and new ones for those who are paged and have none yet.

    Whoever has all codes in use (1,368 open incidents) gets no further one: links and buttons still answer.
    """
    free: dict[str, Iterator[str]] = {}
    fresh: list[CodeRow] = []
    for row in rows:
        place = (row.person, row.incident)
        if not row.person or row.kind not in PAGE_KINDS or place in known:
            continue
        if row.person not in free:
            in_use = unit.tx.codes_in_use(row.person, unit.now)
            free[row.person] = free_codes(in_use) if len(in_use) < CODES_MAX else iter(())
        known[place] = code = next(free[row.person], "")
        if code:
            fresh.append(CodeRow(person=row.person, code=code, incident=row.incident, track=row.track))
    unit.tx.assign_codes(fresh)
    return known


def _link(unit: Unit, row: OutboxRow, links: list[LinkRow]) -> str:
    """Return the token of the row's reader; what is stored of it is added to `links`."""
    spec = unit.world.ruleset.channels.get(row.channel)
    is_long = spec is not None and spec.kind.value not in ("sms", "call")
    token = mint(unit.link_key, row.incident, row.person, row.channel, row.track, long=is_long)
    links.append(
        LinkRow(
            token_hash=token_hash(token),
            incident=row.incident,
            person=row.person,
            channel=row.channel,
            track=row.track,
        )
    )
    return token
