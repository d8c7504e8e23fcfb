"""Field types of the language: how a text in YAML becomes a value of the core, and what is said when it does not.

Each is a validator that raises a finding's code, sentence and fix as a pydantic error; `sections` adds the place.
"""

import re
from collections.abc import Callable
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from escalatord.core.facts import parse_condition
from escalatord.core.matchers import parse_matchers
from escalatord.core.policy import NEED_ALL, NEED_FIRST, FilterKind, Target, TargetFilter, TargetKind
from escalatord.core.rules import Comparison
from escalatord.core.schedule import Rotation, RotationUnit
from escalatord.core.units import parse_duration_seconds, parse_quantity
from escalatord.core.wallclock import zone_exists

TEXT_CHARS_MAX = 2_000
TIERS_MAX = 20
ACKS_NEEDED_MAX = 50
WINDOW_SECONDS_MAX = 366 * 86400.0
NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
NAME = re.compile(NAME_PATTERN, re.ASCII)
FILTER_WORD_PATTERN = r"""(?:"[^"&]{1,64}"|[^\s"&,\[\]{}]{1,64})"""
FILTER_PATTERN = rf"\s*&\s*(?:(?:skill|language|region)\s+{FILTER_WORD_PATTERN}|available)"
TARGET_PATTERN = rf"(?:person|team|role|oncall)\s+{NAME_PATTERN}(?:{FILTER_PATTERN}){{0,8}}"
TARGET = re.compile(TARGET_PATTERN, re.ASCII)
FILTER = re.compile(rf"(skill|language|region|available)(?:\s+({FILTER_WORD_PATTERN}))?", re.ASCII)
SEVERITY_AT_LEAST = re.compile(r"severity\s*>=\s*(info|warning|error|critical)", re.ASCII)
WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
HANDOFF = re.compile(r"(?:(mon|tue|wed|thu|fri|sat|sun)\s+)?(\d\d:\d\d)", re.ASCII | re.IGNORECASE)
ROTATE = re.compile(r"([1-9][0-9]{0,2}) (hour|day|week|month)s?", re.ASCII)
PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_-]*|\['[^'\[\]]+'\]|\[\d{1,4}\]|\[\*\])*", re.ASCII)
FACT_FROM = re.compile(r"(label|annotation|value)\.([A-Za-z_][A-Za-z0-9_.:-]*)", re.ASCII)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ROTATION_WORDS = {word.value: word for word in RotationUnit}
ROTATION_NOUNS = {
    "hour": RotationUnit.HOURLY,
    "day": RotationUnit.DAILY,
    "week": RotationUnit.WEEKLY,
    "month": RotationUnit.MONTHLY,
}


def refuse(code: str, say: str, fix: str = "") -> PydanticCustomError:
    """Return the error that carries a finding through pydantic."""
    return PydanticCustomError(code, "{say}", {"say": say, "fix": fix})


def text_or_refuse(value: object, wanted: str) -> str:
    """Return `value` when it is text; `wanted` names the thing and shows how to write it."""
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX:
            raise refuse("E007", f"longer than {TEXT_CHARS_MAX} characters")
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refuse("E014", f"wanted {wanted}, found a bare number", "write the unit, or put it in quotes")
    raise refuse("E011", f"wanted {wanted}, found {found(value)}")


def found(value: object) -> str:
    """Return in a few words what stands there, never the value itself: it may be a secret or a phone number."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _duration(value: object) -> float:
    text = text_or_refuse(value, "a duration like 90s, 5m or 1h30m")
    try:
        seconds = parse_duration_seconds(text)
    except ValueError as error:
        raise refuse("E023", str(error)) from None
    if seconds > WINDOW_SECONDS_MAX:
        raise refuse("E023", f'"{text}" is longer than a year')
    return seconds


def _positive(value: object) -> float:
    seconds = _duration(value)
    if seconds <= 0:
        raise refuse("E023", "a duration of zero would pass at once", "write at least 1s")
    return seconds


def _matchers(value: object) -> object:
    text = text_or_refuse(value, 'matchers like service="checkout", env!~"dev|staging"')
    try:
        return parse_matchers(text)
    except ValueError as error:
        raise refuse("E021", str(error), 'write them like service="checkout", env!~"dev|staging"') from None


def _condition(value: object) -> Comparison:
    text = text_or_refuse(value, "a condition like transaction_failure_rate > 5%")
    try:
        return parse_condition(text)
    except ValueError as error:
        raise refuse("E022", str(error), "write it like downtime >= 15m") from None


def _target(value: object) -> Target:
    text = text_or_refuse(value, "a target like oncall payments-primary")
    if TARGET.fullmatch(text.strip()) is None:
        fix = "write person X, team X, role X or oncall SCHEDULE"
        if "&" in text:
            fix += ", then & skill X, & language X, & region X or & available"
        raise refuse("E013", f'"{text[:80]}" is not a target', fix)
    named, *filters = text.split("&")
    kind, name = named.split()
    return Target(TargetKind(kind), name, tuple(map(_filter, filters)))


def _filter(text: str) -> TargetFilter:
    """Return one filter of a target that is known to be written well."""
    match = FILTER.fullmatch(text.strip())
    assert match is not None  # noqa: S101 - TARGET has seen it
    return TargetFilter(FilterKind(match.group(1)), (match.group(2) or "").strip('"'))


def _owner(value: object) -> Target:
    target = _target(value)
    if target.kind not in (TargetKind.PERSON, TargetKind.TEAM):
        raise refuse("E013", f"{target.kind} cannot own anything", "write team X or person X")
    if target.filters:
        raise refuse("E013", "an owner has no filters: it answers at any time", "write team X or person X")
    return target


def _stand_in(value: object) -> str:
    target = _target(value)
    if target.kind is not TargetKind.PERSON or target.filters:
        raise refuse("E013", "only people stand in for an empty schedule", "write person X")
    return target.name


def _zone(value: object) -> str:
    text = text_or_refuse(value, "a time zone like Europe/Madrid")
    if not zone_exists(text):
        raise refuse("E024", f'"{text[:80]}" is not a time zone', "use a name like Europe/Madrid or UTC")
    return text


def wall_time(text: str) -> time:
    """Return the wall-clock time written as HH:MM; raise ValueError with a sentence."""
    match = WALL_TIME.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text[:40]}" is not a time of day; write it like 09:00')
    return time(int(match.group(1)), int(match.group(2)))


def _handoff(value: object) -> tuple[int | None, time]:
    text = text_or_refuse(value, "a hand-off like Mon 09:00 or 09:00")
    match = HANDOFF.fullmatch(text.strip())
    if match is None:
        raise refuse("E024", f'"{text[:40]}" is not a hand-off', "write it like Mon 09:00 or 09:00")
    day, at = match.groups()
    try:
        return (WEEKDAYS.index(day.lower()) if day else None), wall_time(at)
    except ValueError as error:
        raise refuse("E024", str(error)) from None


def _rotate(value: object) -> tuple[RotationUnit, int]:
    text = text_or_refuse(value, "a rotation like weekly or 12 hours")
    if text in ROTATION_WORDS:
        return ROTATION_WORDS[text], 1
    match = ROTATE.fullmatch(text)
    if match is None:
        fix = "write hourly, daily, weekly, monthly, or a length like 12 hours or 2 weeks"
        raise refuse("E024", f'"{text[:40]}" is not a rotation', fix)
    return ROTATION_NOUNS[match.group(2)], int(match.group(1))


def _date(value: object) -> date:
    text = text_or_refuse(value, "a date like 2026-10-05")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # other ISO spellings (20261005, 2026-W41) are dates too, but not to a reader
    if day is None or day.isoformat() != text:
        raise refuse("E024", f'"{text[:40]}" is not a date', "write it like 2026-10-05")
    return day


def _at_least(value: object) -> str:
    text = text_or_refuse(value, "a condition like severity >= error")
    match = SEVERITY_AT_LEAST.fullmatch(text.strip())
    if match is None:
        raise refuse("E022", f'"{text[:80]}" cannot start a track', "write it like severity >= error")
    return match.group(1)


def _money(value: object) -> object:
    text = text_or_refuse(value, "money like 120000 EUR")
    try:
        quantity = parse_quantity(text)
    except ValueError as error:
        raise refuse("E023", str(error)) from None
    if not re.fullmatch("[A-Z]{3}", quantity.unit) or quantity.value < 0:
        raise refuse("E025", f'"{text[:40]}" is not an amount of money', "write it like 120000 EUR")
    return quantity


def _path(value: object) -> str:
    text = text_or_refuse(value, "a path like $.labels.service")
    if not PATH.fullmatch(text):
        raise refuse("E013", f'"{text[:80]}" is not a path', "write it like $.jobs[0].name; filters are not supported")
    return text


def _one(value: object) -> str:
    text = _path(value)
    if "[*]" in text:
        raise refuse("E013", f'"{text[:80]}" gives many values where one is wanted', "only `each` may use [*]")
    return text


def _fact_from(value: object) -> tuple[str, str]:
    text = text_or_refuse(value, "a place like annotation.value")
    match = FACT_FROM.fullmatch(text)
    if match is None:
        raise refuse("E013", f'"{text[:80]}" is no place of a fact', "write label.X, annotation.X or value.X")
    return match.group(1), match.group(2)


def _unit(value: object) -> str:
    text = text_or_refuse(value, "a unit like users")
    if not re.fullmatch("[A-Za-z]{1,32}", text):
        raise refuse("E013", f'"{text[:40]}" is not a unit', "write one word: percent, seconds, users, EUR")
    return text


def _web_address(value: object) -> str:
    text = text_or_refuse(value, "an address like https://runbooks.example.com/x")
    if not re.fullmatch(r"https?://[^\s<>\"']+", text):
        raise refuse("E013", f'"{text[:80]}" is not a web address', "write it with http:// or https://")
    return text


def _start_at(value: object) -> int:
    """Return the first tier, 0 for every tier at once."""
    if value == "all":
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= TIERS_MAX:
        raise refuse("E013", "this is no tier", f"write a tier from 1 to {TIERS_MAX}, or all")
    return value


def _need(value: object) -> int:
    """Return how many acks a tier needs, NEED_ALL for everybody's."""
    if value in ("first", "all"):
        return NEED_ALL if value == "all" else NEED_FIRST
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= ACKS_NEEDED_MAX:
        raise refuse("E013", "this is no number of acks", f"write first, all, or a number from 1 to {ACKS_NEEDED_MAX}")
    return value


def _schema(*examples: str, pattern: str = "") -> WithJsonSchema:
    shape: dict[str, Any] = {"type": "string", "examples": list(examples)}
    return WithJsonSchema({**shape, "pattern": f"^{pattern}$"} if pattern else shape)


def _field(
    read: Callable[[object], object], *examples: str, pattern: str = ""
) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(read), _schema(*examples, pattern=pattern)


Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_CHARS_MAX)]
SeverityWord = Literal["info", "warning", "error", "critical"]
Duration = Annotated[float, *_field(_duration, "90s", "5m", "1h30m")]
Window = Annotated[float, *_field(_positive, "90s", "5m", "1h30m")]
MatchersText = Annotated[Any, *_field(_matchers, 'service="checkout", env!~"dev|staging"')]
ConditionText = Annotated[Comparison, *_field(_condition, "downtime >= 15m", "occurrences in 30m >= 3")]
TargetText = Annotated[Target, *_field(_target, "oncall primary", "oncall db & skill postgres", pattern=TARGET_PATTERN)]
OwnerText = Annotated[Target, *_field(_owner, "team payments", "person ana")]
StandIn = Annotated[str, *_field(_stand_in, "person ana")]
Zone = Annotated[str, *_field(_zone, "Europe/Madrid", "UTC")]
Handoff = Annotated[tuple[int | None, time], *_field(_handoff, "Mon 09:00", "09:00")]
Rotate = Annotated[tuple[RotationUnit, int], *_field(_rotate, "weekly", "12 hours")]
Day = Annotated[date, *_field(_date, "2026-10-05", pattern=r"\d{4}-\d\d-\d\d")]
SeverityFrom = Annotated[str, *_field(_at_least, "severity >= error", pattern=SEVERITY_AT_LEAST.pattern)]
Money = Annotated[Any, *_field(_money, "120000 EUR")]
OnePath = Annotated[str, *_field(_one, "$.labels.service")]
ManyPath = Annotated[str, *_field(_path, "$.jobs[*]")]
FactFrom = Annotated[tuple[str, str], *_field(_fact_from, "annotation.value", pattern=FACT_FROM.pattern)]
StartAt = Annotated[
    int,
    PlainValidator(_start_at),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": TIERS_MAX}, {"const": "all"}]}),
]
Need = Annotated[
    int,
    PlainValidator(_need),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": ACKS_NEEDED_MAX}, {"enum": ["first", "all"]}]}
    ),
]
Unit = Annotated[str, *_field(_unit, "percent", "users")]
WebAddress = Annotated[str, *_field(_web_address, "https://runbooks.example.com/checkout")]


def rotation(rotate: tuple[RotationUnit, int], handoff: tuple[int | None, time] | None, starts: date) -> Rotation:
    """Return the rotation of a layer; a weekday counts only in weekly rotations."""
    weekday, at = handoff or (None, time(9, 0))
    return Rotation(unit=rotate[0], every=rotate[1], at=at, weekday=weekday or 0, starts=starts)
