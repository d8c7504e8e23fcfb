"""Weekly hours, and calendars that leave holidays out: when is a working day, and when does the next one start.

- Hours belong to the weekday on which they open; an end that is not later than the start lies on the next day, so
  00:00-00:00 is the whole day. A holiday takes away the hours that open on it.
- Hours that touch or overlap are one window: a clock that changes between them opens no seam.
- Where the clock is set back, a window opens at the earlier and closes at the later reading of its wall time (see
  `wallclock`). Between the two readings of an edge it covers only *loosely*; `firm_start` and `firm_end` bound the
  rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from escalatord.core.wallclock import readings, to_local

# The clock is nowhere set back further since 2000 (Antarctica/Casey: 3 h), so no window reaches further over its end.
FOLD_MAX = timedelta(hours=3)
DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))
NEXT_START_DAYS_MAX = 400
NEXT_START_DAYS_AT_ONCE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Wall-clock hours that open on each of `days` (0 = Monday)."""

    days: frozenset[int] = EVERY_DAY
    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Working hours in a zone; on `holidays` (date → what is celebrated) nothing opens."""

    name: str
    timezone: str
    hours: tuple[Hours, ...]
    holidays: Mapping[date, str] = field(default_factory=dict)


class Window(NamedTuple):
    """A stretch of hours as instants in UTC; outside `firm_start` to `firm_end` it covers only loosely."""

    start: datetime
    firm_start: datetime
    firm_end: datetime
    end: datetime


def is_working(calendar: Calendar, at: datetime) -> bool:
    """Return whether the instant `at` lies in working hours; the second reading of an ambiguous edge counts."""
    found = windows(calendar.hours, calendar.timezone, at, at + datetime.resolution, calendar.holidays)
    return any(window.start <= at < window.end for window in found)


def next_start(calendar: Calendar, at: datetime) -> datetime | None:
    """Return the first instant after `at` at which working hours open, None when none do in over a year."""
    for days in range(0, NEXT_START_DAYS_MAX, NEXT_START_DAYS_AT_ONCE):
        since = at + days * DAY
        until = since + NEXT_START_DAYS_AT_ONCE * DAY
        # what opened before is cut where we began to look, so its start says nothing
        opening = (
            window.start
            for window in windows(calendar.hours, calendar.timezone, since, until, calendar.holidays)
            if window.start >= since and at < window.start < window.end
        )
        if (first := next(opening, None)) is not None:
            return first
    return None


def windows(
    hours: Iterable[Hours], zone: str, start: datetime, end: datetime, holidays: Mapping[date, str] | None = None
) -> list[Window]:
    """Return the windows of `hours` in `zone` that touch [start, end), in order, none touching another."""
    found: list[Window] = []
    for window in sorted(_daily(tuple(hours), zone, (start, end), holidays or {})):
        if found and window.start <= found[-1].firm_end:
            last = found[-1]
            found[-1] = Window(
                last.start,
                min(last.firm_start, window.firm_start),
                max(last.firm_end, window.firm_end),
                max(last.end, window.end),
            )
        else:
            found.append(window)
    return [window for window in found if window.start < end and start < window.end]


def outside(calendar: Calendar, start: datetime, end: datetime) -> list[Window]:
    """Return the windows between a calendar's working hours that touch [start, end); the outermost are cut there."""
    before, after = start - DAY, end + DAY
    inside = windows(calendar.hours, calendar.timezone, before, after, calendar.holidays)
    edges = [
        Window(before, before, before, before),
        *(window for window in inside if window.start < window.end),
        Window(after, after, after, after),
    ]
    between = [Window(one.firm_end, one.end, next_.start, next_.firm_start) for one, next_ in pairwise(edges)]
    return [window for window in between if window.start < end and start < window.end and window.start < window.end]


def _daily(
    hours: tuple[Hours, ...], zone: str, between: tuple[datetime, datetime], holidays: Mapping[date, str]
) -> Iterator[Window]:
    """Yield the windows of each day that may touch a stretch of time, and some around it."""
    start, end = between
    day = to_local(start, zone).date() - DAY
    last = (to_local(end, zone).replace(tzinfo=None) + FOLD_MAX).date()
    while day <= last:
        for each in hours if day not in holidays else ():
            if day.weekday() in each.days:
                closing_day = day if each.start < each.end else day + DAY
                opens, opens_again = readings(datetime.combine(day, each.start), zone)
                closes, closes_again = readings(datetime.combine(closing_day, each.end), zone)
                yield Window(opens, opens_again, closes, closes_again)
        day += DAY
