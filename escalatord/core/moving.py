"""What is remembered, told by another clock: used when the machine's clock was set while something waited.

An incident's instants move together by as much as the clock was set, so that every deadline comes after as many
seconds as before and every age stays what it is. What a calendar says (the end of a shift, the start of office hours)
is an instant of the world and stays.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from escalatord.core.incident import Incident, Timer, TimerKind
from escalatord.core.rules import AlertRecord
from escalatord.core.values import replace

T = TypeVar("T")

OF_A_CALENDAR = frozenset({TimerKind.SHIFT_END, TimerKind.HOURS_START})


def moved_incident(incident: Incident, by: timedelta) -> Incident:
    """Return an incident, all of whose instants but those of calendars lie `by` later."""
    return _moved(incident, by)


def moved_alert(record: AlertRecord, by: timedelta) -> AlertRecord:
    """Return what is known of an alert, told by the other clock; what its sender and mutes say of time stays.

    Its rules look again at the earlier of the old and the new instant: it may be one of a calendar, or of a duration.
    """
    held = {name: at + by for name, at in record.held.items()}
    return replace(
        record,
        opened_at=record.opened_at + by,
        last_seen_at=record.last_seen_at + by,
        starts=tuple(at + by for at in record.starts),
        held=held,
        due_at=None if record.due_at is None else min(record.due_at, record.due_at + by),
        left_at=None if record.left_at is None else record.left_at + by,
    )


def _moved(value: T, by: timedelta) -> T:
    moved: Any = value
    if isinstance(value, datetime):
        moved = value + by
    elif isinstance(value, Timer) and value.kind in OF_A_CALENDAR:
        pass
    elif isinstance(value, tuple):
        moved = tuple(_moved(each, by) for each in value)
    elif isinstance(value, Mapping):
        moved = {name: _moved(each, by) for name, each in value.items()}
    elif is_dataclass(value):
        moved = _moved_fields(value, by)
    return moved  # type: ignore[no-any-return] # of the same type in every branch


def _moved_fields(value: Any, by: timedelta) -> Any:
    changes = {}
    for each in fields(value):
        before = getattr(value, each.name)
        after = _moved(before, by)
        if after != before:
            changes[each.name] = after
    return replace(value, **changes) if changes else value
