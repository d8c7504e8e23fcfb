"""Rows whose instants move with a clock that was set; incidents' and alerts' own are in their bodies."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from escalatord.store.codec import DAY_MICROSECONDS, SECOND_MICROSECONDS, to_micros
from escalatord.store.tables import attempt_is_pending, attempt_is_sending, incident_is_open, incidents, outbox

_by: ColumnElement[int] = bindparam("by")
_later = incidents.c.number > bindparam("after")
_numbers = select(incidents.c.number).where(incident_is_open, _later).order_by(incidents.c.number)
_last = select(func.coalesce(func.max(incidents.c.number), 0))
_opened = update(incidents).where(incident_is_open, _later).values(opened_at=incidents.c.opened_at + _by)
_of_later = outbox.c.incident > bindparam("after")
_due = (
    update(outbox)
    .where(_of_later, attempt_is_pending | attempt_is_sending)
    .values(due_at=outbox.c.due_at + _by, lease_until=outbox.c.lease_until + _by)
)
_sent = (
    update(outbox)
    .where(_of_later, outbox.c.sent_at >= bindparam("since"))
    .values(sent_at=outbox.c.sent_at + _by, settled_at=outbox.c.settled_at + _by)
)


def last_number(connection: Connection) -> int:
    """Return the highest number of an incident, 0 when there is none."""
    return int(connection.execute(_last).scalar_one())


def open_numbers(connection: Connection, after: int) -> list[int]:
    """Return the numbers above `after` of incidents that are not over."""
    return list(connection.execute(_numbers, {"after": after}).scalars())


def move(connection: Connection, by: timedelta, after: int, now: datetime) -> None:
    """Move when incidents above `after` were opened, and when their attempts are due or (of a day) were made."""
    micros = round(by.total_seconds() * SECOND_MICROSECONDS)
    given = {"by": micros, "after": after}
    connection.execute(_opened, given)
    connection.execute(_sent, {**given, "since": to_micros(now) - DAY_MICROSECONDS})
    connection.execute(_due, given)
