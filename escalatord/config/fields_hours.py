"""Field types for hours, days and holidays: how `mon-fri`, `20:00-08:00` or `outside calendar work` is read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import PlainValidator, WithJsonSchema

from escalatord.config.fields import NAME_PATTERN, WEEKDAYS, refuse, text_or_refuse, wall_time
from escalatord.core.calendar import EVERY_DAY, Hours

WINDOWS_MAX = 20
HOLIDAYS_MAX = 400
DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)"
DAYS_PATTERN = rf"{DAY}(?:-{DAY})?(?:\s*,\s*{DAY}(?:-{DAY})?)*"
DAYS = re.compile(DAYS_PATTERN, re.ASCII | re.IGNORECASE)
CALENDAR = re.compile(rf"(outside\s+)?calendar\s+({NAME_PATTERN})", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,6})?", re.ASCII)
WORKING_DAYS = frozenset(range(5))
FIX_DAYS = "write them like mon-fri, or sat, sun"
FIX_HOURS = "write them like 08:00-20:00"


class CalendarNamed(NamedTuple):
    """The working hours of a calendar, or with `off_hours` all but these."""

    calendar: str
    off_hours: bool


class Country(NamedTuple):
    """The public holidays of a country, or of one of its regions (`region` "" = of all of it)."""

    country: str
    region: str

    def __str__(self) -> str:
        return f"{self.country}-{self.region}" if self.region else self.country


WeekHours: TypeAlias = tuple[Hours, ...]


def days_of(text: str) -> frozenset[int]:
    """Return the weekdays that `mon-fri` or `sat, sun` names, 0 = Monday; `sat-mon` goes over Sunday."""
    if DAYS.fullmatch(text.strip()) is None:
        raise refuse("E024", f'"{text[:40]}" are not weekdays', FIX_DAYS)
    days: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.update((start + offset) % 7 for offset in range((end - start) % 7 + 1))
    return frozenset(days)


def hours_of(text: str, days: frozenset[int] = EVERY_DAY) -> Hours:
    """Return the hours that `20:00-08:00` or `00:00-24:00` names."""
    start, _, end = (part.strip() for part in text.partition("-"))
    try:
        opens, closes = wall_time(start), time(0) if end == "24:00" else wall_time(end)
    except ValueError:
        raise refuse("E024", f'"{text[:40]}" are not hours', FIX_HOURS) from None
    if opens == closes and (start, end) != ("00:00", "24:00"):
        raise refuse("E024", "these hours are empty", "write 00:00-24:00 for the whole day")
    return Hours(days=days, start=opens, end=closes)


def _weekly(value: object, days: frozenset[int] = EVERY_DAY) -> WeekHours:
    """Return weekly hours: one text for all `days`, or a mapping of days to one text or a list of them."""
    if not isinstance(value, Mapping):
        return (hours_of(text_or_refuse(value, "hours like 08:00-20:00"), days),)
    windows = [hours_of(text, days_of(named)) for named, texts in value.items() for text in _texts(texts)]
    if not windows:
        raise refuse("E012", "there are no hours", FIX_HOURS)
    if len(windows) > WINDOWS_MAX:
        raise refuse("E013", f"more than {WINDOWS_MAX} windows", "put some of them together")
    return tuple(windows)


def _texts(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        yield text_or_refuse(each, "hours like 08:00-20:00")


def _active(value: object) -> WeekHours | CalendarNamed:
    if isinstance(value, str) and (match := CALENDAR.fullmatch(value.strip())):
        return CalendarNamed(calendar=match.group(2), off_hours=match.group(1) is not None)
    hours = _weekly(value)
    if isinstance(value, str) and hours[0].start == hours[0].end:
        raise refuse("E024", "these hours are empty", "leave `active` out for the whole day")
    return hours


def _working(value: object) -> WeekHours:
    return _weekly(value, WORKING_DAYS)


def _days(value: object) -> frozenset[int]:
    return days_of(text_or_refuse(value, "weekdays like mon-fri"))


def _holidays(value: object) -> tuple[date | Country, ...]:
    """Return holidays in the order given: dates, and countries whose public ones are meant."""
    given = value if isinstance(value, list) else [value]
    if len(given) > HOLIDAYS_MAX:
        raise refuse("E013", f"more than {HOLIDAYS_MAX} holidays", "name a country, or drop those that are past")
    return tuple(_named_holidays(given))


def _named_holidays(given: Iterable[object]) -> Iterator[date | Country]:
    for each in given:
        text = text_or_refuse(each, "a country like ES-MD or a date like 2026-12-24")
        if COUNTRY.fullmatch(text):
            country, _, region = text.partition("-")
            yield Country(country=country, region=region)
            continue
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if day is None or day.isoformat() != text:
            fix = "write ES, ES-MD (a region of it) or 2026-12-24"
            raise refuse("E024", f'"{text[:40]}" is neither a country nor a date', fix)
        yield day


HOURS_SHAPE = {"type": "string", "examples": ["08:00-20:00", "20:00-08:00"]}
WEEK_SHAPE = {
    "type": "object",
    "patternProperties": {
        f"^{DAYS_PATTERN}$": {"anyOf": [HOURS_SHAPE, {"type": "array", "items": HOURS_SHAPE, "minItems": 1}]}
    },
    "additionalProperties": False,
    "examples": [{"mon-fri": "20:00-08:00", "sat-sun": "00:00-24:00"}],
}
NAMED_SHAPE = {"type": "string", "examples": ["calendar work", "outside calendar work"]}
HOLIDAY_SHAPE = {"type": "string", "examples": ["ES", "ES-MD", "2026-12-24"]}

Active = Annotated[
    WeekHours | CalendarNamed,
    PlainValidator(_active),
    WithJsonSchema({"anyOf": [HOURS_SHAPE, NAMED_SHAPE, WEEK_SHAPE]}),
]
WorkingHours = Annotated[WeekHours, PlainValidator(_working), WithJsonSchema({"anyOf": [HOURS_SHAPE, WEEK_SHAPE]})]
Days = Annotated[
    frozenset[int], PlainValidator(_days), WithJsonSchema({"type": "string", "examples": ["mon-fri", "sat, sun"]})
]
Holidays = Annotated[
    tuple[date | Country, ...],
    PlainValidator(_holidays),
    WithJsonSchema({"anyOf": [HOLIDAY_SHAPE, {"type": "array", "items": HOLIDAY_SHAPE}]}),
]
