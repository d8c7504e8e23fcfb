"""What one person waits for and got lately, and the messages that tell them of several things at once."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection, bindparam, exists, insert, literal_column, or_, select

from escalatord.core.incident import NoticeKind
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.outbox import HANDED_OVER, row_from
from escalatord.store.rows import DigestRow, MemberRow, OutboxRow, Sent
from escalatord.store.sql import execute_many, fetch, insert_many, insert_or_replace, select_in
from escalatord.store.tables import (
    attempt_is_pending,
    attempt_is_sending,
    attempt_was_sent,
    digest_members,
    digests,
    incident_is_open,
    incidents,
    outbox,
    word,
)

Told: TypeAlias = tuple[int, str, str, int]

DIGEST_CODE_SECONDS = 24 * 3600
"""How long a digest's code means its incidents at least; as long as one of them is open in any case."""

NEVER = 2**62

_sent = select(outbox.c.channel, outbox.c.kind, outbox.c.sent_at).where(
    outbox.c.person == bindparam("of_person"), outbox.c.sent_at > bindparam("since"), attempt_was_sent
)
_under_way = select(outbox.c.person, outbox.c.channel, outbox.c.kind).where(attempt_is_sending)
_waiting = (
    select(outbox)
    .where(
        attempt_is_pending,
        outbox.c.person == bindparam("of_person"),
        outbox.c.channel == bindparam("by_channel"),
        outbox.c.due_at <= bindparam("until"),
        outbox.c.claims == literal_column("0"),
    )
    .order_by(outbox.c.due_at)
    .limit(bindparam("limit"))
)
_told = select(outbox.c.incident, outbox.c.person, outbox.c.track, outbox.c.epoch).where(
    outbox.c.incident.in_(bindparam("incidents", expanding=True)),
    or_(*[outbox.c.state == word(state) for state in HANDED_OVER]),
)
_members = select(digest_members).where(digest_members.c.digest.in_(bindparam("wanted", expanding=True)))
_of_members = select(digest_members).where(digest_members.c.reference.in_(bindparam("wanted", expanding=True)))
_is_live = exists().where(
    digest_members.c.digest == digests.c.reference, digest_members.c.incident == incidents.c.number, incident_is_open
)
_of_person = (
    select(digests)
    .where(digests.c.person == bindparam("of_person"), or_(digests.c.made_at > bindparam("since"), _is_live))
    .order_by(digests.c.made_at)
)
_digest = select(digests).where(digests.c.reference == bindparam("wanted"))
_add = insert(digests)


def sent_to(connection: Connection, person: str, since: datetime, now: datetime) -> list[Sent]:
    """Return what was handed to providers for `person` after `since`; what is being sent counts as sent now."""
    rows = fetch(connection, _sent, of_person=person, since=to_micros(since))
    found = [Sent(channel=channel, kind=NoticeKind(kind), at=from_micros(at)) for channel, kind, at in rows]
    under_way = fetch(connection, _under_way)
    return found + [Sent(channel=c, kind=NoticeKind(kind), at=now) for who, c, kind in under_way if who == person]


def waiting_for(
    connection: Connection, person: str, channels: Collection[str], until: datetime | None, limit: int
) -> list[OutboxRow]:
    """Return what waits to go to `person` by any of `channels` for the first time, due by `until` (None = ever)."""
    at = NEVER if until is None else to_micros(until)
    found: list[OutboxRow] = []
    for channel in sorted(channels):
        rows = fetch(connection, _waiting, of_person=person, by_channel=channel, until=at, limit=limit)
        found += [row_from(row) for row in rows]
    return sorted(found, key=lambda row: (row.due_at, row.reference))[:limit]


def told(connection: Connection, numbers: Iterable[int]) -> set[Told]:
    """Return whom which epoch of these incidents has reached: (incident, person, track, epoch)."""
    rows = select_in(connection, _told, "incidents", sorted(set(numbers)))
    return {(incident, person, track, epoch) for incident, person, track, epoch in rows if person}


def add(connection: Connection, digest: DigestRow, members: Sequence[MemberRow]) -> None:
    """Write a digest and what is in it; what was in another one before is in this one now."""
    values = {"reference": digest.reference, "person": digest.person, "code": digest.code}
    execute_many(connection, _add, [{**values, "made_at": to_micros(digest.made_at)}])
    rows = [
        {
            "reference": each.reference,
            "digest": digest.reference,
            "incident": each.incident,
            "track": each.track,
            "kind": each.kind.value,
        }
        for each in members
    ]
    insert_many(connection, insert_or_replace(connection, digest_members), rows)


def members_of(connection: Connection, references: Sequence[str]) -> dict[str, list[MemberRow]]:
    """Return what is in digests, by the digest's reference."""
    found: dict[str, list[MemberRow]] = {}
    for reference, digest, incident, track, kind in select_in(connection, _members, "wanted", references):
        row = MemberRow(reference=reference, incident=incident, track=track, kind=NoticeKind(kind))
        found.setdefault(digest, []).append(row)
    return found


def digest_of(connection: Connection, references: Sequence[str]) -> dict[str, str]:
    """Return in which digest attempts went out, of those that did."""
    rows = select_in(connection, _of_members, "wanted", references)
    return {reference: digest for reference, digest, *_rest in rows}


def of_person(connection: Connection, person: str, now: datetime) -> list[DigestRow]:
    """Return the digests that a reply of `person` may mean now, the oldest first."""
    since = to_micros(now - timedelta(seconds=DIGEST_CODE_SECONDS))
    rows = fetch(connection, _of_person, of_person=person, since=since)
    return [_digest_row(*row) for row in rows]


def get(connection: Connection, reference: str) -> DigestRow | None:
    """Return a digest by its reference."""
    rows = fetch(connection, _digest, wanted=reference)
    return _digest_row(*rows[0]) if rows else None


def _digest_row(reference: str, person: str, code: str, made_at: int) -> DigestRow:
    return DigestRow(reference=reference, person=person, code=code, made_at=from_micros(made_at))
