"""Wall time: the only place that knows time zones.

- An instant is an aware datetime in UTC; a wall time is a naive datetime read in a zone given by its IANA name.
- A wall time that happens twice (a fold: the clock is set back) has two readings. Starts take the earlier, ends the
  later, so that coverage overlaps and never gaps.
- A wall time that never happens (a gap: the clock is set forward) is the instant of the change, in both readings: what
  was due at a skipped 02:30 is due when the clock jumps from 02:00 to 03:00.
- Elapsed time is added to instants, never to wall times. Naive datetimes raise where an instant is wanted.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONES_MAX = 1024
ZONE_NAME_CHARACTERS_MAX = 64
WHEN_YEAR_MIN = 1970
WHEN_YEAR_MAX = 9000

ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*", re.ASCII)
# Not places: the machine's own zone, the zone of an unset clock, and copies that count leap seconds.
ZONES_REFUSED = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*")
WHEN = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?:\s*(Z|[+-]\d{2}:\d{2})|\s+(\S+))?",
    re.ASCII | re.IGNORECASE,
)
SECOND = timedelta(seconds=1)

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Style(StrEnum):
    """How an instant is written for a reader; the value is its pattern."""

    CLOCK = "{at:%H:%M}"
    SECONDS = "{at:%H:%M:%S}"
    CLOCK_ZONE = "{at:%H:%M} {zone}"
    SECONDS_ZONE = "{at:%H:%M:%S} {zone}"
    DAY = "{weekday} {at:%H:%M} {zone}"
    DATE = "{weekday} {at.day} {month} {at:%H:%M}"
    FULL = "{at:%Y-%m-%d %H:%M:%S} {zone}"


def zone_exists(name: str) -> bool:
    """Return whether `name` is an IANA time zone that this machine knows, such as `Europe/Madrid` or `UTC`."""
    try:
        _zone(name)
    except ValueError:
        return False
    return True


def to_local(at: datetime, zone: str) -> datetime:
    """Return the instant `at` as an aware datetime in `zone`.

    Raise ValueError when `at` is naive or the zone unknown.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone, so it is not an instant")
    return at.astimezone(_zone(zone))


def instant(local: datetime, zone: str, *, later: bool) -> datetime:
    """Return the instant in UTC at which clocks in `zone` show `local` (naive).

    Of a wall time that happens twice, `later` says which; ends of shifts are later, starts earlier. A wall time that
    never happens is the instant at which the clock jumps over it. Raise ValueError when `local` is aware.
    """
    return readings(local, zone)[1 if later else 0]


def readings(local: datetime, zone: str) -> tuple[datetime, datetime]:
    """Return the earlier and the later instant at which clocks in `zone` show `local`; mostly they are the same."""
    if local.tzinfo is not None:
        raise ValueError(f"{local} is an instant already, not a wall time")
    place = _zone(zone)
    first = local.replace(tzinfo=place, fold=0)
    second = local.replace(tzinfo=place, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before == after:
        at = first.astimezone(UTC)
        return at, at
    one, other = first.astimezone(UTC), second.astimezone(UTC)
    if one < other:
        return one, other
    jump = _change(other.replace(microsecond=0), one.replace(microsecond=0), place)
    return jump, jump


def parse_when(text: str, default_zone: str, *, later: bool = False) -> datetime:
    """Return the instant in UTC that a human or a file wrote.

    Shapes: `2026-10-24 03:11 Europe/Madrid`, `2026-10-24 03:11` (in `default_zone`), and RFC 3339 such as
    `2026-10-24T03:11:00+02:00`. `later` chooses between the two readings of an ambiguous wall time. Raise ValueError
    with a sentence when it is none of them.
    """
    match = WHEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a time; write it like 2026-10-24 03:11 Europe/Madrid')
    day, clock, offset, zone = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
    except ValueError as error:
        raise ValueError(f'"{text}" is not a time: {error}') from None
    if not WHEN_YEAR_MIN <= local.year <= WHEN_YEAR_MAX:
        raise ValueError(f'"{text}" is out of range; years go from {WHEN_YEAR_MIN} to {WHEN_YEAR_MAX}')
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    return instant(local, zone or default_zone, later=later)


def next_clock(at: datetime, zone: str, hour: int, minute: int = 0) -> datetime:
    """Return the first instant after `at` at which clocks in `zone` show a time of day; the later of two readings."""
    day = to_local(at, zone).replace(tzinfo=None, hour=hour, minute=minute, second=0, microsecond=0)
    while (found := instant(day, zone, later=True)) <= at:
        day += timedelta(days=1)
    return found


def format_local(at: datetime, zone: str, style: Style) -> str:
    """Return the instant `at` as a reader in `zone` knows it, in English and independent of the locale.

    `CLOCK` 03:12 · `SECONDS` 03:12:41 · `CLOCK_ZONE` 03:12 CEST · `SECONDS_ZONE` 03:12:41 CEST · `DAY` Fri 14:20 CEST ·
    `DATE` Thu 31 Dec 18:00 · `FULL` 2026-10-25 01:50:00 CEST.
    """
    local = to_local(at, zone)
    return style.format(at=local, zone=local.tzname(), weekday=WEEKDAYS[local.weekday()], month=MONTHS[local.month - 1])


@lru_cache(maxsize=ZONES_MAX)
def _zone(name: str) -> ZoneInfo:
    """Return the zone called `name`; the library itself keeps eight and reads the rest from disk again."""
    known = len(name) <= ZONE_NAME_CHARACTERS_MAX and ZONE_NAME.fullmatch(name) and not ZONES_REFUSED.fullmatch(name)
    try:
        if known:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, not a zone file, a folder such as "Europe"
        pass
    raise ValueError(f'"{name}" is not a time zone; write an IANA name such as Europe/Madrid')


def _change(low: datetime, high: datetime, place: ZoneInfo) -> datetime:
    """Return the first instant in (low, high] with the offset of `high`: where the clock jumps."""
    target = high.astimezone(place).utcoffset()
    while high - low > SECOND:
        middle = low + (high - low) // (2 * SECOND) * SECOND
        if middle.astimezone(place).utcoffset() == target:
            high = middle
        else:
            low = middle
    return high
