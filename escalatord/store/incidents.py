"""Incidents: snapshots with compare-and-set, their deadlines, their numbers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TypeAlias

from sqlalchemy import Connection, Select, bindparam, func, insert, literal_column, select, union_all, update
from sqlalchemy.exc import IntegrityError

from escalatord.core.alert import Severity
from escalatord.core.incident import Incident, State
from escalatord.errors import EscalatordError
from escalatord.store.codec import from_micros, incident_codec, to_micros
from escalatord.store.sql import Row, execute_many, fetch, insert_many, insert_or_replace, select_in
from escalatord.store.tables import (
    alert_is_due,
    alerts,
    counters,
    incident_has_service,
    incident_is_due,
    incident_is_open,
    incident_is_over,
    incident_numbers,
    incidents,
)

OpenCount: TypeAlias = tuple[str, Severity, State, int, datetime | None]

COUNTER_INCIDENT = "incident"
SEVERITY_RANKS = range(len(Severity))


class ConflictError(EscalatordError):
    """Somebody else was faster: an incident changed since it was read, or its key is open already. Decide again."""


_snapshot = select(incidents.c.number, incidents.c.version, incidents.c.body)
_by_number = _snapshot.where(incidents.c.number.in_(bindparam("numbers", expanding=True)))
_open_by_key = _snapshot.add_columns(incidents.c.key).where(
    incidents.c.key.in_(bindparam("keys", expanding=True)), incident_is_open
)
_over_by_key = (
    select(incidents.c.key, func.max(incidents.c.number))
    .where(incidents.c.key.in_(bindparam("keys", expanding=True)), incident_is_over)
    .group_by(incidents.c.key)
)
_open_by_service = (
    select(incidents.c.service, func.min(incidents.c.number))
    .where(incidents.c.service.in_(bindparam("services", expanding=True)), incident_has_service)
    .group_by(incidents.c.service)
)
_due = (
    _snapshot.where(
        incidents.c.severity == bindparam("severity"), incidents.c.next_due_at <= bindparam("now"), incident_is_due
    )
    .order_by(incidents.c.next_due_at)
    .limit(bindparam("limit"))
)
_take_due = _due.with_for_update(skip_locked=True)
_insert = insert(incidents)
_update = (
    update(incidents)
    .where(incidents.c.number == bindparam("at_number"), incidents.c.version == bindparam("at_version"))
    .values(
        {name: bindparam(name) for name in ("version", "state", "severity", "policy", "service", "next_due_at", "body")}
    )
)
_counts = (
    select(
        incidents.c.policy,
        incidents.c.opened_severity,
        incidents.c.state,
        func.count().label("incidents"),
        func.min(incidents.c.opened_at).label("oldest"),
    )
    .where(incident_is_open)
    .group_by(incidents.c.policy, incidents.c.opened_severity, incidents.c.state)
)
_with_deadline = select(func.count()).select_from(incidents).where(incident_is_due)
_numbers_of_state = (
    select(incidents.c.number)
    .where(incidents.c.state == bindparam("state"), incidents.c.number < bindparam("before"))
    .order_by(incidents.c.number.desc())
    .limit(bindparam("limit"))
)
_from_sequence = select(func.nextval(literal_column(f"'{incident_numbers.name}'"))).select_from(
    func.generate_series(literal_column("1"), bindparam("count"))
)
NUMBER_MAX = 2**62


def _earliest() -> Select[int | None]:
    parts = [
        select(func.min(incidents.c.next_due_at).label("at")).where(incidents.c.severity == rank, incident_is_due)
        for rank in SEVERITY_RANKS
    ]
    parts.append(select(func.min(alerts.c.due_at).label("at")).where(alert_is_due))
    every = union_all(*parts).subquery()
    return select(func.min(every.c.at))


_next_due = _earliest()


def load(connection: Connection, numbers: Iterable[int]) -> dict[int, Incident]:
    """Return the incidents that exist among `numbers`, in that order."""
    wanted = list(dict.fromkeys(numbers))
    found: dict[int, Incident] = {}
    for number, version, body in select_in(connection, _by_number, "numbers", wanted):
        found[number] = _incident(version, body)
    return {number: found[number] for number in wanted if number in found}


def load_open(connection: Connection, keys: Iterable[str]) -> dict[str, Incident]:
    """Return the open (not resolved) incidents by key."""
    found: dict[str, Incident] = {}
    for _, version, body, key in select_in(connection, _open_by_key, "keys", list(dict.fromkeys(keys))):
        found[key] = _incident(version, body)
    return found


def load_over(connection: Connection, keys: Iterable[str]) -> dict[str, Incident]:
    """Return by key the incident that was opened last of those that are over."""
    rows = list(select_in(connection, _over_by_key, "keys", list(dict.fromkeys(keys))))
    found = load(connection, [number for _, number in rows])
    return {key: found[number] for key, number in rows}


def open_of_services(connection: Connection, services: Iterable[str]) -> dict[str, int]:
    """Return the oldest open incident of each of these services that has one."""
    return dict(select_in(connection, _open_by_service, "services", list(dict.fromkeys(services))))


def due(connection: Connection, now: datetime, limit: int, *, take: bool = False) -> list[Incident]:
    """Return at most `limit` open incidents whose deadline has come: the most severe, then the longest overdue.

    `take` leaves out those that another node is working on, and keeps others off these until the transaction ends.
    """
    found: list[Incident] = []
    for rank in reversed(SEVERITY_RANKS):
        room = limit - len(found)
        if room <= 0:
            break
        rows = fetch(connection, _take_due if take else _due, severity=rank, now=to_micros(now), limit=room)
        found.extend(_incident(version, body) for _, version, body in rows)
    return found


def next_due(connection: Connection) -> datetime | None:
    """Return the earliest deadline of any open incident or alert, None when nothing waits."""
    at: int | None = fetch(connection, _next_due)[0][0]
    return from_micros(at)


def save(connection: Connection, items: Sequence[Incident], opened: Sequence[Row] = ()) -> None:
    """Write snapshots: new ones when their version is 0, else only over the version that was read.

    What is stored has the next version. `opened` are rows of new ones. Raise ConflictError when one of them was changed
    meanwhile; nothing of the transaction may be kept then.
    """
    fresh = [*(row_of(incident) for incident in items if incident.version == 0), *opened]
    # In one order everywhere: two nodes that change the same incidents never wait for each other in a circle.
    known = [_change(i) for i in sorted(items, key=attrgetter("number")) if i.version > 0]
    try:
        # Known ones first: an incident that closes makes room for a new one with its key.
        changed = execute_many(connection, _update, known) if known else 0
        if fresh:
            insert_many(connection, _insert, fresh)
    except IntegrityError as error:
        raise ConflictError("an incident with that number or key is open already") from error
    # Fewer rows changed than asked: another writer was faster with at least one of them.
    if changed != len(known):
        raise ConflictError("an incident was changed since it was read")


def next_numbers(connection: Connection, count: int) -> list[int]:
    """Return `count` incident numbers never given before; a rollback may give them back, or lose them."""
    if count <= 0:
        return []
    if connection.dialect.name == "postgresql":
        # a row that every new incident counts up would make each node wait for the commit of the others
        return [number for (number,) in fetch(connection, _from_sequence, count=count)]
    counter = insert_or_replace(connection, counters, add=("value",))
    ((last,),) = fetch(connection, counter, name=COUNTER_INCIDENT, value=count)
    return list(range(last - count + 1, last + 1))


def list_incidents(
    connection: Connection, states: Iterable[State] | None, limit: int, before: int | None
) -> list[Incident]:
    """Return the newest incidents in any of `states` (None = all) with a number below `before`."""
    numbers: list[int] = []
    for state in State if states is None else dict.fromkeys(states):
        values = {"state": state.value, "before": NUMBER_MAX if before is None else before, "limit": limit}
        numbers.extend(connection.execute(_numbers_of_state, values).scalars())
    return list(load(connection, sorted(numbers, reverse=True)[:limit]).values())


def count_open(connection: Connection) -> list[OpenCount]:
    """Return what is open by policy, opened severity and state: how many, and since when the oldest un-acked."""
    return [
        (policy, Severity(severity), State(state), count, from_micros(oldest) if state == State.OPEN else None)
        for policy, severity, state, count, oldest in connection.execute(_counts)
    ]


def count_with_deadline(connection: Connection) -> int:
    """Return how many open incidents have a deadline; answered by the index of deadlines alone."""
    return int(fetch(connection, _with_deadline)[0][0])


def _incident(version: int, body: str) -> Incident:
    return incident_codec.decode(body, f'"version":{version},')


def row_of(incident: Incident) -> Row:
    """Return the row of a new incident."""
    return {
        "number": incident.number,
        "version": 1,
        "key": incident.key,
        "state": incident.state.value,
        "severity": incident.severity.rank,
        "opened_severity": incident.opened_severity.value,
        "policy": incident.policy,
        "service": incident.service,
        "opened_at": to_micros(incident.opened_at),
        "next_due_at": to_micros(incident.next_due_at),
        "body": incident_codec.encode(incident),
    }


def _change(incident: Incident) -> Row:
    # `key` and what it opened with never change; leaving them out spares their indexes.
    return {
        "at_number": incident.number,
        "at_version": incident.version,
        "version": incident.version + 1,
        "state": incident.state.value,
        "severity": incident.severity.rank,
        "policy": incident.policy,
        "service": incident.service,
        "next_due_at": to_micros(incident.next_due_at),
        "body": incident_codec.encode(incident),
    }
