"""Silences in the store: what humans mute at run time. What is over stays, for whoever looks back."""

from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from escalatord.core.matchers import parse_matchers
from escalatord.core.mutes import MuteKind, Silence
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.runtime import turn_world
from escalatord.store.tables import silences

_live = select(silences).where(silences.c.end_at > bindparam("now"))
_add = insert(silences).returning(silences.c.id)
_one = select(silences).where(silences.c.id == bindparam("wanted"), silences.c.end_at > bindparam("now"))
# One that has not begun ends where it would begin: it never mutes anything, and its number stays taken.
_end = (
    update(silences)
    .where(silences.c.id == bindparam("wanted"))
    .values(end_at=bindparam("at"), start_at=bindparam("begun"))
)


def load(connection: Connection, now: datetime) -> list[Silence]:
    """Return the silences that have not ended by `now`, in the order in which they were made."""
    # Sorted here: asked to sort, SQLite reads every silence ever made in that order.
    rows = sorted(connection.execute(_live, {"now": to_micros(now)}), key=attrgetter("id"))
    found = []
    for row in rows:
        # one that a hand spoiled must not keep the daemon from starting: it mutes nothing
        with suppress(ValueError):
            found.append(_silence(row))
    return found


def add(connection: Connection, silence: Silence) -> int:
    """Keep a silence and return its number; `silence.id` is ignored."""
    values = {
        "kind": silence.kind.value,
        "matchers": silence.match.text,
        "start_at": to_micros(silence.start),
        "end_at": to_micros(silence.end),
        "why": silence.why,
        "made_by": silence.by,
        "apply_to_open": silence.apply_to_open,
    }
    number: int = connection.execute(_add, values).scalar_one()
    turn_world(connection)
    return number


def end(connection: Connection, number: int, at: datetime) -> Silence | None:
    """Let a silence end at `at`; return it as it was, None when there is none of that number, or it is over."""
    now = to_micros(at)
    row = connection.execute(_one, {"wanted": number, "now": now}).first()
    if row is None:
        return None
    turn_world(connection)
    connection.execute(_end, {"wanted": number, "at": now, "begun": min(row.start_at, now)})
    return _silence(row)


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        kind=MuteKind(row.kind),
        match=parse_matchers(row.matchers),
        start=from_micros(row.start_at),
        end=from_micros(row.end_at),
        why=row.why,
        by=row.made_by,
        apply_to_open=row.apply_to_open,
    )
