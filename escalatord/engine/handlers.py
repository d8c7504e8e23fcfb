"""What the engine does for each command but `Ingest` (see `intake`), inside one transaction.

Each function takes the unit of work and the command and returns the command's result; it may raise, and is then taken
back alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from escalatord.core.events import AlertFired, Delivery, PersonGone, TimersDue
from escalatord.core.incident import Attempt, Cause, Incident, NoticeKind, Reason, Via
from escalatord.core.roster import reachable
from escalatord.core.values import replace
from escalatord.engine import digests
from escalatord.engine.claiming import still_wanted
from escalatord.engine.commands import (
    Answer,
    Answered,
    PeopleGone,
    Quarantine,
    RaiseIncident,
    Receipt,
    Stranger,
    Unreachable,
)
from escalatord.engine.intake import look_after_closing
from escalatord.engine.trouble import Trouble, tell
from escalatord.engine.unit import Unit
from escalatord.store.outbox import returned, settled
from escalatord.store.rows import DeadLetter, OutboxRow

ANSWERABLE_KINDS = frozenset({NoticeKind.PAGE, NoticeKind.LAST_RESORT})
"""Messages whose deliveries an incident learns of: a failed one starts the next way to reach the person."""
FAILED = (Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT)
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
    on_record = not unit.tx.standing.stands_in
    return Answered(incident=outcome.incident, before=before, reason=outcome.reason, at=unit.now, on_record=on_record)


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
    if row is None or row.state is Attempt.BUNDLED:  # what is in a digest is told by the digest alone
        return stale
    status = command.status
    if command.claims not in (0, row.claims) and status in FAILED:
        return stale  # whoever claimed it after that is trying it now
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
    if row.kind is NoticeKind.DIGEST:
        digests.spread(unit, row, status, command)
        return replace(stale, reason=Reason.DELIVERY_ADVANCED)
    if row.kind not in ANSWERABLE_KINDS:
        return replace(stale, reason=Reason.DELIVERY_ADVANCED)
    before = unit.incident(row.incident)
    event = Delivery(reference=row.reference, status=status, reason=command.reason, channel=row.channel)
    outcome = unit.happen(before, event)
    return Answered(incident=outcome.incident, before=before, reason=outcome.reason, at=now)


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
    for number in [incident.number for incident in unit.all_known()]:
        for reference in _under_way(unit.incidents[number], command.person, channels):
            event = Delivery(reference=reference, status=Attempt.FAILED_PERMANENT, reason="opted_out")
            unit.happen(unit.incidents[number], event)
        if gone:
            unit.happen(unit.incidents[number], PersonGone(person=command.person))


def lose_people(unit: Unit, command: PeopleGone) -> None:
    """Go on without people who left the roster, in every open incident."""
    unit.record("people_gone", {"people": list(command.people)})
    for number in [incident.number for incident in unit.all_known()]:
        for person in command.people:
            unit.happen(unit.incidents[number], PersonGone(person=person))


def stranger(unit: Unit, command: Stranger) -> None:
    """Write down that somebody unknown spoke."""
    unit.record("stranger", {"who": command.who, "say": command.say}, actor=command.who, via=command.via)


def due_incidents(unit: Unit, command: Due) -> list[int]:
    """Let every due deadline pass, the most severe incident first; return which incidents were looked at."""
    found = unit.tx.due(unit.now, command.limit + len(command.skip), take=True)
    found = [incident for incident in found if incident.number not in command.skip]
    unit.know({incident.number: incident for incident in found})
    return [incident.number for incident in found]


def pass_deadlines(unit: Unit, number: int) -> Reason:
    """Let the due deadlines of one incident pass."""
    return unit.happen(unit.incident(number), TimersDue()).reason


# ------------------------------------------------------------------------------------------------------- private


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
