"""What lets a message be answered: reply codes and ack links."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from escalatord.store import digests
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.incidents import ConflictError
from escalatord.store.rows import CodeRow, LinkRow
from escalatord.store.sql import execute_many, fetch, insert_many, insert_or_ignore, insert_or_replace, select_in
from escalatord.store.tables import codes, links

# A reply to an old message still means the incident it was about, for this long after that closed.
CODE_REST_SECONDS = 24 * 3600

_in_use = (
    select(codes)
    .where(
        codes.c.person == bindparam("of_person"),
        or_(codes.c.released_at.is_(None), codes.c.released_at > bindparam("rested_since")),
    )
    .order_by(codes.c.incident)
)
_codes_in_use = select(codes.c.code).where(
    codes.c.person == bindparam("of_person"),
    or_(codes.c.released_at.is_(None), codes.c.released_at > bindparam("rested_since")),
)
_of_incidents = select(codes.c.person, codes.c.incident, codes.c.code).where(
    codes.c.incident.in_(bindparam("incidents", expanding=True))
)
_one = select(codes).where(codes.c.person == bindparam("of_person"), codes.c.incident == bindparam("of_incident"))
_forget = delete(codes).where(
    codes.c.person == bindparam("of_person"),
    codes.c.code == bindparam("of_code"),
    codes.c.incident != bindparam("of_incident"),
    codes.c.released_at.is_not(None),
)
_release = (
    update(codes)
    .where(codes.c.incident == bindparam("of_incident"), codes.c.released_at.is_(None))
    .values(released_at=bindparam("at"))
)
_hold = update(codes).where(codes.c.incident == bindparam("of_incident")).values(released_at=None)
_link = select(links).where(links.c.token_hash == bindparam("wanted"))


def codes_of(connection: Connection, person: str, now: datetime) -> list[CodeRow]:
    """Return the codes that a reply of `person` may mean now: in use, or released less than 24 h ago."""
    since = to_micros(now - timedelta(seconds=CODE_REST_SECONDS))
    return [_code_row(row) for row in connection.execute(_in_use, {"of_person": person, "rested_since": since})]


def codes_in_use(connection: Connection, person: str, now: datetime) -> set[str]:
    """Return the same as bare codes, and those of messages that tell of several incidents."""
    since = to_micros(now - timedelta(seconds=CODE_REST_SECONDS))
    own = {code for (code,) in fetch(connection, _codes_in_use, of_person=person, rested_since=since)}
    return own | {digest.code for digest in digests.of_person(connection, person, now) if digest.code}


def codes_for(connection: Connection, incidents: Iterable[int]) -> dict[tuple[str, int], str]:
    """Return the codes that stand for any of `incidents`, by (person, incident)."""
    found: dict[tuple[str, int], str] = {}
    for person, incident, code in select_in(connection, _of_incidents, "incidents", list(incidents)):
        found[person, incident] = code
    return found


def code_for(connection: Connection, person: str, incident: int) -> CodeRow | None:
    """Return the code that stands for `incident` with `person`."""
    row = connection.execute(_one, {"of_person": person, "of_incident": incident}).first()
    return None if row is None else _code_row(row)


def assign_codes(connection: Connection, rows: Sequence[CodeRow]) -> None:
    """Let codes stand for incidents, released ones anew; ConflictError when one still stands for another incident."""
    if not rows:
        return
    keys = [{"of_person": row.person, "of_code": row.code, "of_incident": row.incident} for row in rows]
    execute_many(connection, _forget, keys)
    values = [
        {
            "person": row.person,
            "incident": row.incident,
            "code": row.code,
            "track": row.track,
            "released_at": to_micros(row.released_at),
        }
        for row in rows
    ]
    try:
        insert_many(connection, insert_or_replace(connection, codes), values)
    except IntegrityError as error:
        raise ConflictError("a reply code stands for another incident of that person") from error


def release_codes(connection: Connection, incident: int, at: datetime) -> None:
    """Start the rest of an incident's codes: it closed at `at`."""
    connection.execute(_release, {"of_incident": incident, "at": to_micros(at)})


def hold_codes(connection: Connection, incident: int) -> None:
    """Let an incident's codes stand for it again: it goes on, before they had rested and could mean another."""
    connection.execute(_hold, {"of_incident": incident})


def add_links(connection: Connection, rows: Sequence[LinkRow]) -> None:
    """Remember ack links by the hash of their token; one that is known stays as it is."""
    if rows:
        values = [
            {
                "token_hash": row.token_hash,
                "incident": row.incident,
                "person": row.person,
                "channel": row.channel,
                "track": row.track,
            }
            for row in rows
        ]
        insert_many(connection, insert_or_ignore(connection, links), values)


def link(connection: Connection, token_hash: str) -> LinkRow | None:
    """Return what the link with that token hash is bound to."""
    row = connection.execute(_link, {"wanted": token_hash}).first()
    return None if row is None else LinkRow(**row._asdict())


def _code_row(row: Any) -> CodeRow:
    values = row._asdict()
    values["released_at"] = from_micros(values["released_at"])
    return CodeRow(**values)
