"""The outbox: one row for each attempt to tell somebody something.

A sender claims rows in one transaction and calls the provider after it; `claims` is the fence: whoever claims later
counts higher, and a claim made on an older count takes nothing. A row left `sending` by a dead process is claimable
again when its lease has ended; no rescuer is needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, literal_column, select, union_all, update

from escalatord.core.incident import Attempt, NoticeKind, Reason
from escalatord.core.retry import advance
from escalatord.core.values import replace
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.rows import OutboxRow
from escalatord.store.sql import Row, execute_many, fetch, insert_many, select_in
from escalatord.store.tables import attempt_is_pending, attempt_is_sending, outbox, word

DEMANDING_KINDS = tuple(
    kind.value for kind in (NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT, NoticeKind.ACK_QUESTION)
)
CLAIMABLE = (Attempt.PENDING, Attempt.SENDING)
RETURNABLE = (Attempt.SENDING, Attempt.FAILED_TEMPORARY)
HANDED_OVER = (Attempt.ACCEPTED, Attempt.DELIVERED)
SETTLED = (Attempt.DELIVERED, Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT, Attempt.WITHDRAWN)

COLUMNS = tuple(outbox.columns.keys())

_rows = select(outbox)
_insert = insert(outbox)
_by_references = _rows.where(outbox.c.reference.in_(bindparam("references", expanding=True)))
_of_incident = _rows.where(outbox.c.incident == bindparam("incident")).order_by(outbox.c.due_at, outbox.c.reference)
_sending = _rows.where(attempt_is_sending).order_by(outbox.c.lease_until, outbox.c.reference)
_pending_in_lane = (
    _rows.where(attempt_is_pending, outbox.c.lane == bindparam("lane"), outbox.c.due_at <= bindparam("now"))
    .order_by(outbox.c.rank.desc(), outbox.c.due_at)
    .limit(bindparam("limit"))
)
_abandoned = _rows.where(attempt_is_sending, outbox.c.lease_until <= bindparam("now")).order_by(outbox.c.lease_until)
_take_in_lane = _pending_in_lane.with_for_update(skip_locked=True)
_take_abandoned = _abandoned.with_for_update(skip_locked=True)
_waiting = (
    _rows.where(attempt_is_pending, outbox.c.due_at <= bindparam("now"))
    .order_by(outbox.c.due_at)
    .limit(bindparam("limit"))
)
_forgotten = select(func.count()).select_from(outbox).where(attempt_is_sending, outbox.c.lease_until < bindparam("now"))
_either_due = union_all(
    select(func.min(outbox.c.due_at).label("at")).where(attempt_is_pending),
    select(func.min(outbox.c.lease_until).label("at")).where(attempt_is_sending),
).subquery()
_next_due = select(func.min(_either_due.c.at))
_fences = (
    select(outbox.c.reference, outbox.c.claims, outbox.c.state)
    .where(outbox.c.reference.in_(bindparam("references", expanding=True)))
    .with_for_update()
)
_claim = (
    update(outbox)
    .where(outbox.c.reference == bindparam("wanted"))
    .values(state=word(Attempt.SENDING), claims=outbox.c.claims + literal_column("1"), lease_until=bindparam("until"))
)
_withdraw_all = (
    update(outbox)
    .where(outbox.c.incident == bindparam("of_incident"), attempt_is_pending, outbox.c.kind.in_(DEMANDING_KINDS))
    .values(state=word(Attempt.WITHDRAWN), result=bindparam("why"))
    .returning(outbox.c.reference)
)
_withdraw_track = _withdraw_all.where(outbox.c.track == bindparam("of_track"))
_withdraw_person = _withdraw_track.where(outbox.c.person == bindparam("of_person"))
_lanes = select(outbox.c.lane).where(attempt_is_pending).distinct()
_end_leases = update(outbox).where(attempt_is_sending).values(lease_until=bindparam("at"))
_save = (
    update(outbox)
    .where(
        and_(
            outbox.c.reference == bindparam("wanted"),
            outbox.c.state == bindparam("before"),
            outbox.c.claims == bindparam("at_claims"),
        )
    )
    .values(
        {
            name: bindparam("new_" + name)
            for name in (
                *("state", "channel", "lane", "due_at"),
                *("provider_id", "result", "sent_at", "settled_at", "lease_until"),
            )
        }
    )
)
_handed_over = outbox.c.state.in_([literal_column(f"'{state}'") for state in HANDED_OVER])
_threads = (
    select(outbox.c.incident, outbox.c.channel, outbox.c.provider_id)
    .where(
        outbox.c.incident.in_(bindparam("incidents", expanding=True)),
        outbox.c.provider_id != literal_column("''"),
        _handed_over,
    )
    .order_by(outbox.c.sent_at, outbox.c.reference)
)


def add(connection: Connection, attempts: Sequence[OutboxRow], rows: Sequence[Row] = ()) -> None:
    """Write new attempts (`rows` as they are); IntegrityError when a reference was used before."""
    if attempts or rows:
        insert_many(connection, _insert, [*map(row_of, attempts), *rows])


def withdraw(connection: Connection, incident: int, track: str, result: str, person: str = "") -> list[str]:
    """Withdraw what still waits and demands an answer on `track` ("" = on all); return the references.

    With `person` only what was meant for them is withdrawn; a track has to be named then.
    """
    values = {"of_incident": incident, "why": result}
    if not track:
        return list(connection.execute(_withdraw_all, values).scalars())
    if person:
        return list(connection.execute(_withdraw_person, {**values, "of_track": track, "of_person": person}).scalars())
    return list(connection.execute(_withdraw_track, {**values, "of_track": track}).scalars())


def pending(
    connection: Connection, now: datetime, limit_per_lane: Mapping[str, int], *, take: bool = False
) -> list[OutboxRow]:
    """Return what may be sent now, at most so many of each lane: higher rank first, then the longest due.

    Rows still `sending` whose lease has ended belong to a sender that died; they count like the others. `take` leaves
    out those that another node is claiming, and keeps others off these until the transaction ends.
    """
    at = to_micros(now)
    in_lane = _take_in_lane if take else _pending_in_lane
    abandoned = [row_from(row) for row in fetch(connection, _take_abandoned if take else _abandoned, now=at)]
    found: list[OutboxRow] = []
    for lane, limit in limit_per_lane.items():
        if limit <= 0:
            continue
        rows = fetch(connection, in_lane, lane=lane, now=at, limit=limit)
        waiting = [row for row in abandoned if row.lane == lane] + [row_from(row) for row in rows]
        found.extend(sorted(waiting, key=_urgency)[:limit])
    return sorted(found, key=_urgency)


def claim(connection: Connection, rows: Sequence[OutboxRow], lease_until: datetime) -> list[OutboxRow]:
    """Mark as `sending` those of `rows` that nobody claimed or settled since they were read; return them as now."""
    fences: dict[str, tuple[int, str]] = {}
    for reference, claims, state in select_in(connection, _fences, "references", [row.reference for row in rows]):
        fences[reference] = (claims, state)
    # A row whose count or state moved on is somebody else's now, or over.
    mine = [row for row in rows if fences.get(row.reference) == (row.claims, row.state) and row.state in CLAIMABLE]
    if not mine:
        return []
    until = to_micros(lease_until)
    execute_many(connection, _claim, [{"wanted": name, "until": until} for name in sorted(r.reference for r in mine)])
    return [replace(row, state=Attempt.SENDING, claims=row.claims + 1, lease_until=lease_until) for row in mine]


def get(connection: Connection, reference: str) -> OutboxRow | None:
    """Return the attempt with that reference."""
    return many(connection, (reference,)).get(reference)


def many(connection: Connection, references: Sequence[str]) -> dict[str, OutboxRow]:
    """Return the attempts that exist among `references`."""
    rows = map(row_from, select_in(connection, _by_references, "references", references))
    return {row.reference: row for row in rows}


def settled(row: OutboxRow, state: Attempt, news: tuple[str, str], at: datetime) -> OutboxRow | None:
    """Return an attempt after news of it; None when they change nothing.

    `news` are the provider's id and a word why. The state only moves forward (`retry.advance`); a provider id that
    is already known stays when the news has none.
    """
    provider_id, result = news
    after = advance(row.state, state)
    moved = after != row.state
    if not moved and (not provider_id or provider_id == row.provider_id):
        return None
    return replace(
        row,
        state=after,
        provider_id=provider_id or row.provider_id,
        result=result if moved else row.result,
        sent_at=row.sent_at or (at if moved and after in HANDED_OVER else None),
        settled_at=at if moved and after in SETTLED else row.settled_at,
        lease_until=row.lease_until if after is Attempt.SENDING else None,
    )


def returned(row: OutboxRow, due_at: datetime, result: str) -> OutboxRow | None:
    """Return an attempt that was begun or failed for now as waiting until `due_at`; None when it may not be tried."""
    if row.state not in RETURNABLE:
        return None
    return replace(row, state=Attempt.PENDING, due_at=due_at, result=result, lease_until=None, settled_at=None)


def save(connection: Connection, changes: Sequence[tuple[OutboxRow, OutboxRow]]) -> int:
    """Write attempts (as read, as now) over what was read; return how many: fewer when somebody else was faster."""
    # In one order everywhere: two nodes that hear of the same attempts never wait for each other in a circle.
    rows = [_change(before, after) for before, after in sorted(changes, key=lambda change: change[0].reference)]
    return execute_many(connection, _save, rows) if rows else 0


def lanes(connection: Connection) -> list[str]:
    """Return the lanes in which something waits."""
    return list(connection.execute(_lanes).scalars())


def end_leases(connection: Connection, at: datetime) -> None:
    """End every lease: whoever was sending is known to be dead (a process alone, or the only node alive)."""
    connection.execute(_end_leases, {"at": to_micros(at)})


def of_incident(connection: Connection, incident: int) -> list[OutboxRow]:
    """Return all attempts for an incident, by due time."""
    return [row_from(row) for row in connection.execute(_of_incident, {"incident": incident})]


def sending(connection: Connection) -> list[OutboxRow]:
    """Return the attempts that were begun and not heard of, the oldest lease first."""
    return [row_from(row) for row in connection.execute(_sending)]


def waiting(connection: Connection, at: datetime, limit: int) -> list[OutboxRow]:
    """Return at most `limit` attempts that wait and were due by `at`, the longest due first."""
    return [row_from(row) for row in fetch(connection, _waiting, now=to_micros(at), limit=limit)]


def forgotten(connection: Connection, at: datetime) -> int:
    """Return how many attempts are `sending` though their lease ended before `at`."""
    return int(fetch(connection, _forgotten, now=to_micros(at))[0][0])


def next_due(connection: Connection) -> datetime | None:
    """Return when the next attempt may be claimed: due, or its lease over. None when nothing waits."""
    return from_micros(connection.execute(_next_due).scalar())


def threads(connection: Connection, incidents: Iterable[int]) -> dict[tuple[int, str], str]:
    """Return the provider's id of the first message it took for each (incident, channel) that has one."""
    found: dict[tuple[int, str], str] = {}
    for incident, channel, provider_id in select_in(connection, _threads, "incidents", list(incidents)):
        found.setdefault((incident, channel), provider_id)
    return found


def row_from(row: Any) -> OutboxRow:
    """Return an attempt as it stands in the table: all its columns, in order."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["kind"] = NoticeKind(values["kind"])
    values["late"] = bool(values["late"])
    values["reason"] = Reason(values["reason"])
    values["state"] = Attempt(values["state"])
    for name in ("due_at", "lease_until", "sent_at", "settled_at"):
        values[name] = from_micros(values[name])
    return OutboxRow(**values)


def _urgency(row: OutboxRow) -> tuple[int, datetime, str]:
    return -row.rank, row.due_at, row.reference


def row_of(row: OutboxRow) -> Row:
    """Return an attempt as it is stored."""
    return {
        "reference": row.reference,
        "incident": row.incident,
        "track": row.track,
        "tier": row.tier,
        "epoch": row.epoch,
        "kind": row.kind.value,
        "person": row.person,
        "channel": row.channel,
        "lane": row.lane,
        "rank": row.rank,
        "late": row.late,
        "reason": row.reason.value,
        "actor": row.actor,
        "due_at": to_micros(row.due_at),
        "state": row.state.value,
        "lease_until": to_micros(row.lease_until),
        "claims": row.claims,
        "provider_id": row.provider_id,
        "result": row.result,
        "sent_at": to_micros(row.sent_at),
        "settled_at": to_micros(row.settled_at),
    }


def _change(before: OutboxRow, after: OutboxRow) -> Row:
    return {
        "wanted": before.reference,
        "before": before.state.value,
        "at_claims": before.claims,
        "new_state": after.state.value,
        "new_channel": after.channel,
        "new_lane": after.lane,
        "new_due_at": to_micros(after.due_at),
        "new_provider_id": after.provider_id,
        "new_result": after.result,
        "new_sent_at": to_micros(after.sent_at),
        "new_settled_at": to_micros(after.settled_at),
        "new_lease_until": to_micros(after.lease_until),
    }
