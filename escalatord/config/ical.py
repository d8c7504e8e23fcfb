"""Another calendar's shifts: iCalendar text (RFC 5545) to shifts of people we know.

The only file that knows `icalendar` and `recurring_ical_events` (the extra `ical`); both are imported only when a
schedule has a calendar.

- A calendar's size, its events, and the work of expanding what repeats are bounded. Past a bound all of it is refused;
  what was read before stays in force. A rule that never matches any day can still keep the expansion busy for
  seconds, so text from elsewhere is read in a process of its own (see `ical_apart`).
- An event names people by its attendees' mail addresses (or names), else by its title: a whole name or id, or such a
  name in the middle of other words. One that names nobody we know covers nobody, and is counted.
- Days without a time, and times without a zone, are those of the calendar's zone (`X-WR-TIMEZONE`), else of the
  schedule's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from math import prod
from typing import Any

from escalatord.core.roster import Person
from escalatord.core.schedule import Shift
from escalatord.core.wallclock import instant, zone_exists

BACK = timedelta(days=100)
AHEAD = timedelta(days=400)
ICS_BYTES_MAX = 1024 * 1024
EVENTS_MAX = 5_000
STEPS_MAX = 200_000
"""Repetitions that are walked through, those before the present included: a few seconds of work."""
SHIFTS_MAX = 20_000
UNKNOWN_SHOWN_MAX = 5
TITLE_CHARACTERS_MAX = 200
DAYS_PER_STEP = {"HOURLY": 1 / 24, "DAILY": 1, "WEEKLY": 7, "MONTHLY": 28, "YEARLY": 365}
TIMES_OF_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")
DAY = timedelta(days=1)
DAYS_CHOSEN = ("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH")
CALENDAR = "calendar"

# what these libraries raise on text that is not what it claims to be
NONSENSE = (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, RecursionError)


class UnusableCalendarError(ValueError):
    """The text is no calendar that can be used; the message is a sentence without anything from the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What a calendar plans: shifts by start, how many events they came from, and titles that name nobody we know."""

    shifts: tuple[Shift, ...]
    events: int
    unknown: tuple[str, ...] = ()


def book(raw: bytes, zone: str, people: Mapping[str, Person], now: datetime) -> Booked:
    """Return the shifts that a calendar plans around the instant `now`.

    Raise UnusableCalendarError with a sentence, ModuleNotFoundError without the extra.
    """
    if len(raw) > ICS_BYTES_MAX:
        raise UnusableCalendarError(f"the calendar is larger than {ICS_BYTES_MAX // 1024} KiB")
    parser, expander = import_module("icalendar"), import_module("recurring_ical_events")
    try:
        calendar = parser.Calendar.from_ical(raw.removeprefix(b"\xef\xbb\xbf"))
        local = str(calendar.get("X-WR-TIMEZONE", ""))
        if not zone_exists(local):
            calendar.pop("X-WR-TIMEZONE", None)
            local = zone
        _bounded(calendar, now + AHEAD)
        found = expander.of(calendar).between(now - BACK, now + AHEAD)
        return _booked(found, local, Directory(people))
    except UnusableCalendarError:
        raise
    except NONSENSE as error:
        raise UnusableCalendarError(f"the calendar cannot be read ({type(error).__name__})") from None


class Directory:
    """Finds people by mail addresses and by names in titles."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._by_mail = {
            person.addresses["email"].casefold(): person.id for person in people.values() if "email" in person.addresses
        }
        known = {_plain(name): person.id for person in people.values() for name in (person.name, person.id)}
        # the longest first: "Ana Ruiz Gil" is not the person called Ana
        self._by_name = dict(sorted(known.items(), key=lambda item: -len(item[0])))
        self._titles: dict[str, tuple[str, ...]] = {}

    def by_mail(self, address: str) -> str | None:
        """Return whose mail address it is (a `mailto:` before it is passed over)."""
        return self._by_mail.get(address.strip().casefold().removeprefix("mailto:"))

    def by_name(self, name: str) -> str | None:
        """Return who is called exactly so."""
        return self._by_name.get(_plain(name))

    def in_title(self, title: str) -> tuple[str, ...]:
        """Return whom a title names, in order of their places in it."""
        if title not in self._titles:
            self._titles[title] = tuple(self._search(_plain(title)))
        return self._titles[title]

    def _search(self, title: str) -> Iterator[str]:
        if title in self._by_name:
            yield self._by_name[title]
            return
        places: dict[int, str] = {}
        for name, person in ({**self._by_mail, **self._by_name}).items():
            if name not in title:
                continue
            for match in re.finditer(rf"(?<![\w@.]){re.escape(name)}(?![\w@])", title):
                places[match.start()] = person
                title = f"{title[: match.start()]}{'@' * len(name)}{title[match.end() :]}"
        yield from dict.fromkeys(places[place] for place in sorted(places))


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _bounded(calendar: Any, until: datetime) -> None:
    """Raise UnusableCalendarError when there is too much to expand."""
    events = calendar.walk("VEVENT")
    if len(events) > EVENTS_MAX:
        raise UnusableCalendarError(f"the calendar has more than {EVENTS_MAX} events")
    steps = 0.0
    for event in events:
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            steps += _steps(rule, event["DTSTART"].dt, until)
            if steps > STEPS_MAX:
                raise UnusableCalendarError("the calendar's repeating events are too many to expand")


def _steps(rule: Any, starts: date, until: datetime) -> float:
    """Return about how many repetitions of a rule come before `until`."""
    often = DAYS_PER_STEP.get(str(_first(rule, "FREQ", "")).upper())
    if often is None:
        raise UnusableCalendarError("an event of the calendar repeats more often than hourly")
    last = _first(rule, "UNTIL", None)
    days = (min(_day(last), until.date()) if last is not None else until.date()) - _day(starts)
    times = prod(len(rule.get(key, "1")) for key in TIMES_OF_DAY)
    # several days of a week or month each are a repetition, but a day is one at most
    chosen = sum(len(rule.get(key, "")) for key in DAYS_CHOSEN)
    per_day = min(max(1, chosen) / often, 1) if often >= 1 else 1 / often
    return per_day * times * (max(0, days.days) + 1)


def _first(rule: Any, key: str, default: object) -> Any:
    given = rule.get(key, default)
    return given[0] if isinstance(given, list) and given else given


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _booked(events: Iterable[Any], zone: str, directory: Directory) -> Booked:
    shifts: dict[tuple[str, datetime, datetime], Shift] = {}
    unknown: dict[str, None] = {}
    count = 0
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        count += 1
        start, end = _span(event, zone)
        people = _people(event, directory)
        if not people:
            unknown[str(event.get("SUMMARY", ""))[:TITLE_CHARACTERS_MAX]] = None
        for person in people if start < end else ():
            shifts[person, start, end] = Shift(person=person, start=start, end=end, because=CALENDAR)
        if len(shifts) > SHIFTS_MAX:
            raise UnusableCalendarError(f"the calendar plans more than {SHIFTS_MAX} shifts")
    ordered = sorted(shifts.values(), key=lambda shift: (shift.start, shift.end, shift.person))
    return Booked(shifts=tuple(ordered), events=count, unknown=tuple(unknown))


def _span(event: Any, zone: str) -> tuple[datetime, datetime]:
    """Return from when to when an event lasts; a day without an end is one day."""
    start = event["DTSTART"].dt
    end = event["DTEND"].dt if "DTEND" in event else start
    if not isinstance(start, datetime) and end <= start:
        end = start + DAY
    return _instant(start, zone, later=False), _instant(end, zone, later=True)


def _instant(moment: date, zone: str, *, later: bool) -> datetime:
    if not isinstance(moment, datetime):
        return instant(datetime.combine(moment, time()), zone, later=later)
    return moment.astimezone(UTC) if moment.tzinfo is not None else instant(moment, zone, later=later)


def _people(event: Any, directory: Directory) -> tuple[str, ...]:
    """Return whom an event puts on call: its attendees who did not decline, else those its title names."""
    given = event.get("ATTENDEE", [])
    attending = []
    for attendee in given if isinstance(given, list) else [given]:
        parameters = getattr(attendee, "params", {})
        if str(parameters.get("PARTSTAT", "")).upper() != "DECLINED":
            attending.append(directory.by_mail(str(attendee)) or directory.by_name(str(parameters.get("CN", ""))))
    known = tuple(dict.fromkeys(person for person in attending if person is not None))
    return known or directory.in_title(str(event.get("SUMMARY", "")))
