"""What a daemon wrote down of a night, as a story that can be told again under other rules, and what came of it.

What is known of alerts: when each episode reached us (the last 64 of a fingerprint), its labels and values as they were
last, and when its incident was told that it is over. An earlier episode of which no end was written down ends as the
next one begins. Repeats and changes of values in between were not kept.

What is known of people: every word, how long after their first page it came, and what it was about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.events import Ack, Mitigated, Note, PageNext, PassOn, Resolve, Snooze, Unack, Word
from escalatord.core.incident import Attempt, Cause, NoticeKind, Via
from escalatord.core.rules import OWN_SOURCE, AlertRecord
from escalatord.core.values import replace
from escalatord.engine.commands import RaiseIncident
from escalatord.store.peek import Night
from escalatord.store.rows import JournalEntry, JournalRow, OutboxRow

PAGING = frozenset({NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT})
NEVER_LEFT = frozenset({Attempt.PENDING, Attempt.WITHDRAWN})
DEAD_LETTER = "dead-letter-"
INSTANT = timedelta(microseconds=1)


class Place(NamedTuple):
    """An alert's identity."""

    source: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A human's word about the incident of `about`; `after_seconds` their first page, None = nobody had paged them."""

    at: datetime
    about: Place
    word: Word
    after_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What happened outside in [since, until): messages of alerts, the cord that was pulled, and who said what."""

    since: datetime
    until: datetime
    messages: tuple[tuple[datetime, Alert], ...]
    raised: tuple[tuple[datetime, RaiseIncident], ...]
    spoken: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What became of an incident: who was paged when (each first), who acked first; seconds since it opened."""

    number: int
    opened_at: datetime
    title: str
    severity: Severity
    policy: str
    alerts: frozenset[Place] = frozenset()
    paged: tuple[tuple[str, float], ...] = ()
    acked: tuple[str, float] | None = None
    last_resort: bool = False
    held_seconds: float = 0.0


def recording_of(night: Night) -> Recording:
    """Return a night as a story."""
    ends = _ends(night.journal)
    messages: list[tuple[datetime, Alert]] = []
    for record in night.alerts:
        if record.alert.source != OWN_SOURCE:
            messages += _messages(record, night, ends.get(_place(record), ()))
    first_pages = _first_pages(night.attempts)
    opener = _openers(night.journal)
    raised = []
    spoken = []
    for row in night.journal:
        entry = row.entry
        if entry.kind == "opened" and entry.body.get("cause") == Cause.RAISED:
            raised.append((entry.at, _raising(entry)))
        word = _word(entry)
        if word is not None and entry.incident in opener:
            page = first_pages.get((entry.incident, word.person))
            after = None if page is None or page > entry.at else (entry.at - page).total_seconds()
            spoken.append(Spoken(at=entry.at, about=opener[entry.incident], word=word, after_seconds=after))
    messages.sort(key=lambda told: (told[0], told[1].status is AlertStatus.FIRING))
    return Recording(
        since=night.since,
        until=night.until,
        messages=tuple(messages),
        raised=tuple(raised),
        spoken=tuple(spoken),
    )


def courses_of(journal: Iterable[JournalRow], attempts: Sequence[OutboxRow]) -> tuple[Course, ...]:
    """Return what became of every incident that opened in a journal, in order of opening.

    Those that escalatord opened by itself (silence, storms, bodies that nobody could read) are left out: what they came
    from was not written down.
    """
    found: dict[int, Course] = {}
    for row in journal:
        entry, body = row.entry, row.entry.body
        known = found.get(entry.incident)
        if entry.kind == "opened" and _came_from_outside(entry):
            found[entry.incident] = Course(
                number=entry.incident,
                opened_at=entry.at,
                title=str(body["title"]),
                severity=Severity(str(body["severity"])),
                policy=str(body["policy"]),
                alerts=frozenset({_opener(entry)}),
            )
        elif known is not None:
            found[entry.incident] = _after(known, entry)
    pages: dict[int, list[tuple[str, float]]] = {}
    for (number, person), at in sorted(_first_pages(attempts).items(), key=lambda item: item[1]):
        if number in found:
            pages.setdefault(number, []).append((person, (at - found[number].opened_at).total_seconds()))
    return tuple(replace(course, paged=tuple(pages.get(number, ()))) for number, course in found.items())


def paging(attempts: Iterable[OutboxRow]) -> list[tuple[datetime, OutboxRow]]:
    """Return the attempts that left for a person and demanded an ack, with when."""
    return [
        (row.sent_at, row)
        for row in attempts
        if row.kind in PAGING and row.person and row.sent_at is not None and row.state not in NEVER_LEFT
    ]


# ------------------------------------------------------------------------------------------------------- alerts


@dataclass(slots=True)
class _Fire:
    """An incident's alerts that fire, while the journal is read."""

    source: str
    firing: set[str] = field(default_factory=set)


def _ends(journal: Iterable[JournalRow]) -> dict[Place, tuple[datetime, ...]]:
    """Return when incidents were told that an alert is over, by alert."""
    fires: dict[int, _Fire] = {}
    ends: dict[Place, list[datetime]] = {}
    for row in journal:
        entry = row.entry
        name = str(entry.body.get("fingerprint") or "")
        if entry.kind == "opened":
            fires[entry.incident] = _Fire(str(entry.body.get("source") or ""), {name})
        fire = fires.get(entry.incident)
        if fire is None:
            continue
        if entry.kind == "joined":
            fire.firing.add(name)
        elif entry.kind == "settled":
            _end(ends, fire, {name}, entry.at)
        elif entry.kind == "recovered" or (entry.kind == "resolved" and not entry.body.get("by")):
            _end(ends, fire, set(fire.firing), entry.at)
    return {place: tuple(found) for place, found in ends.items()}


def _end(ends: dict[Place, list[datetime]], fire: _Fire, over: set[str], at: datetime) -> None:
    for name in over:
        fire.firing.discard(name)
        ends.setdefault(Place(fire.source, name), []).append(at)


def _messages(record: AlertRecord, night: Night, ends: Sequence[datetime]) -> list[tuple[datetime, Alert]]:
    """Return the messages that an alert's episodes of the night amount to."""
    told: list[tuple[datetime, Alert]] = []
    for number, start in enumerate(record.starts):
        if not night.since <= start < night.until:
            continue
        is_last = number == len(record.starts) - 1
        after = night.until if is_last else record.starts[number + 1]
        began = min(record.alert.starts_at, start) if is_last else start
        fires = replace(record.alert, status=AlertStatus.FIRING, starts_at=began, ends_at=None)
        told.append((start, fires))
        end = next((at for at in ends if start < at <= after), None)
        if end is None and is_last and not record.firing:
            end = record.last_seen_at
        if end is None and not is_last:
            end = after - INSTANT
        if end is not None and end < night.until:
            told.append((end, replace(fires, status=AlertStatus.RESOLVED, ends_at=end)))
    return told


def _place(record: AlertRecord) -> Place:
    return Place(record.alert.source, record.alert.fingerprint)


# ------------------------------------------------------------------------------------------------------- people


def _openers(journal: Iterable[JournalRow]) -> dict[int, Place]:
    return {row.entry.incident: _opener(row.entry) for row in journal if row.entry.kind == "opened"}


def _opener(entry: JournalEntry) -> Place:
    """Return the alert that opened an incident; what a human raised is known by its title."""
    body = entry.body
    raised = body.get("cause") == Cause.RAISED
    return Place(str(body.get("source") or ""), str(body.get("title" if raised else "fingerprint") or ""))


def _came_from_outside(entry: JournalEntry) -> bool:
    place = _opener(entry)
    return place.source != OWN_SOURCE and not place.fingerprint.startswith(DEAD_LETTER)


def _raising(entry: JournalEntry) -> RaiseIncident:
    body = entry.body
    return RaiseIncident(
        title=str(body["title"]),
        person=entry.actor,
        via=entry.via,
        severity=Severity(str(body["severity"])),
        service=str(body.get("service") or ""),
        policy=str(body["policy"]),
    )


def _word(entry: JournalEntry) -> Word | None:
    """Return what a human said by an entry, None when it was something else."""
    body, who, via = entry.body, str(entry.body.get("person") or entry.actor), entry.via
    track = str(body.get("track") or "")
    match entry.kind:
        case "acknowledged" if body.get("detail") != "snooze":
            return Ack(person=who, via=_via(body, via), track=track)
        case "ack_extended":
            return Ack(person=who, via=via, track=track)
        case "taken_over":
            return Ack(person=who, via=via, track=track, take_over=True)
        case "ack_joined":
            return Ack(person=who, via=via, track=track, join=True)
        case "unacknowledged":
            return Unack(person=who, via=via, track=track)
        case "passed_on":
            return PassOn(person=who, via=via, track=track)
        case "snoozed":
            return Snooze(person=who, via=via, track=track, seconds=float(str(body["for_seconds"])))
        case "noted":
            return Note(person=who, via=via, text=str(body.get("text") or ""))
        case "mitigated":
            return Mitigated(person=who, via=via, text=str(body.get("text") or ""))
        case "tier_entered" if body.get("reason") == "manual":
            return PageNext(person=entry.actor, via=via, track=track)
        case "resolved" if body.get("by"):
            return Resolve(person=str(body["by"]), via=via, decision=str(body.get("decision") or ""))
        case _:
            return None


def _via(body: Mapping[str, object], otherwise: Via) -> Via:
    told = str(body.get("via") or "")
    return Via(told) if told in set(Via) else otherwise


# ------------------------------------------------------------------------------------------------------ courses


def _first_pages(attempts: Sequence[OutboxRow]) -> dict[tuple[int, str], datetime]:
    first: dict[tuple[int, str], datetime] = {}
    for at, row in paging(attempts):
        place = (row.incident, row.person)
        first[place] = min(at, first.get(place, at))
    return first


def _after(course: Course, entry: JournalEntry) -> Course:
    body = entry.body
    match entry.kind:
        case "joined":
            source = next(iter(course.alerts)).source
            return replace(course, alerts=course.alerts | {Place(source, str(body.get("fingerprint") or ""))})
        case "severity_raised":
            return replace(course, severity=Severity(str(body["to"])))
        case "acknowledged" if course.acked is None and body.get("main", True):
            return replace(course, acked=(str(body.get("person") or ""), float(str(body["seconds"]))))
        case "last_resort" if body.get("main", True):
            return replace(course, last_resort=True)
        case "tier_entered" if body.get("held_seconds"):
            return replace(course, held_seconds=max(course.held_seconds, float(str(body["held_seconds"]))))
        case _:
            return course
