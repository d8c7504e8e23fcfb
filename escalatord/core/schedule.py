"""Rotations, shifts and overrides: who is on call at an instant.

- Later layers win over earlier ones; overrides win over layers, the latest made first; `when_empty` stands in where
  nothing else covers. Shifts that another calendar plans (`booked`) lie below all layers.
- People of a shadow layer watch and learn: `shadowing` and `shadow_shifts` name them, nothing else here does, so that
  nobody pages them by accident.
- Hand-offs and windows are wall-clock times in the layer's zone. The instant of a hand-off belongs to the new person.
- A layer covers nobody before the hand-off time of the day it `starts`. Where that is no hand-off day of a weekly
  rotation, the first turn is shorter than the others.
- Where the clock is set back, a shift starts at the earlier and ends at the later reading of its wall time (see
  `wallclock`): for the time between, two people are on call. A window that starts or ends there covers *loosely*: it
  does not hide what is below it. So coverage overlaps, never gaps, and always includes whoever the wall clock names.
- The turn at an instant is computed, not walked to: asking costs the same for tomorrow and for ten years from now.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from escalatord.core.calendar import DAY, FOLD_MAX, Calendar, Hours, Window, outside, windows
from escalatord.core.values import replace
from escalatord.core.wallclock import instant, readings, to_local

RESOLUTION = datetime.resolution
MONTHS_PER_YEAR = 12


class RotationUnit(StrEnum):
    """The unit in which a rotation moves on."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


PERIODS = {
    RotationUnit.HOURLY: timedelta(hours=1),
    RotationUnit.DAILY: timedelta(days=1),
    RotationUnit.WEEKLY: timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How often the person changes: every `every` (≥ 1) units, at the wall-clock time `at`.

    `weekday` (0 = Monday) is used by weekly rotations; `starts` is the day from which the first person counts. Monthly
    rotations move on at that day of the month, or at the last day of a shorter month.
    """

    unit: RotationUnit
    every: int = 1
    at: time = time(9, 0)
    weekday: int = 0
    starts: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """People taking turns, one index per turn; without a rotation all of them together.

    It covers the hours `active` in its own zone (none = always), or the working hours of `calendar` (`off_hours`: all
    but these) in the calendar's.
    """

    name: str
    timezone: str
    rotation: Rotation | None
    people: tuple[str, ...]
    active: tuple[Hours, ...] = ()
    calendar: Calendar | None = None
    off_hours: bool = False
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody stands in from `start` (included) to `end` (excluded), both instants in UTC.

    `id` is the store's number of one made at run time, 0 for one that stands in the rules.
    """

    schedule: str
    person: str
    start: datetime
    end: datetime
    why: str = ""
    by: str = ""
    id: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """Who is on call, and why: `layer <name>`, `calendar`, `override: <why>` (or only `override`) or `when_empty`."""

    person: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Somebody is on call from `start` (included) to `end` (excluded), instants in UTC, because of `because`."""

    person: str
    start: datetime
    end: datetime
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Another calendar that plans shifts: `given` as the rules name it, `address` an https address or a file's path.

    `digest` is the SHA-256 (hex) of what was last read there, "" while nothing was. An address may be a secret, so
    neither it nor what names it is ever shown.
    """

    given: str = field(repr=False)
    address: str = field(repr=False, compare=False)
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A named on-call duty. `when_empty` are people who stand in where nothing covers.

    `booked` are the shifts that `feed` plans, by start, for as far as it was read.
    """

    name: str
    timezone: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    when_empty: tuple[str, ...] = ()
    feed: Feed | None = None
    booked: tuple[Shift, ...] = field(default=(), repr=False, compare=False)


def on_call(schedule: Schedule, at: datetime, overrides: Sequence[Override] = ()) -> tuple[OnCall, ...]:
    """Return who is on call at the instant `at`; normally one, () in a gap.

    Two where a hand-off or window falls into an hour that happens twice, the one who came last first; everybody of a
    layer without turns; all of `when_empty` where nothing covers. `overrides` are those made at run time, of any
    schedule, oldest first.
    """
    lanes = _lanes(schedule, at, at + RESOLUTION, overrides)
    return _present(schedule, [[piece for piece in lane if piece.start <= at < piece.end] for lane in lanes], at)


def shifts(schedule: Schedule, start: datetime, end: datetime, overrides: Sequence[Override] = ()) -> tuple[Shift, ...]:
    """Return the shifts between two instants in UTC, cut at both, as long as person and reason stay the same.

    Ordered by start. Shifts of different people overlap where the clock is set back.
    """
    done: list[Shift] = []
    running: dict[OnCall, datetime] = {}
    for since, _, present in _sweep(schedule, start, end, overrides):
        gone = [one for one in running if one not in present]
        done += [Shift(person=one.person, start=running.pop(one), end=since, because=one.because) for one in gone]
        for one in present:
            running.setdefault(one, since)
    done += [Shift(person=one.person, start=since, end=end, because=one.because) for one, since in running.items()]
    return tuple(sorted(done, key=lambda shift: (shift.start, shift.end)))


def shadowing(schedule: Schedule, at: datetime) -> tuple[OnCall, ...]:
    """Return who shadows at the instant `at`: everybody whom a shadow layer names, whatever lies above it."""
    return tuple(one for each in _shadows(schedule) for one in on_call(each, at))


def shadow_shifts(schedule: Schedule, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """Return the shifts of the shadow layers as `shifts` does."""
    found = [shift for each in _shadows(schedule) for shift in shifts(each, start, end)]
    return tuple(sorted(found, key=lambda shift: (shift.start, shift.end)))


def gaps(
    schedule: Schedule, start: datetime, end: datetime, overrides: Sequence[Override] = ()
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the stretches (start, end) between two instants in UTC in which nobody is on call."""
    found: list[tuple[datetime, datetime]] = []
    for since, until, present in _sweep(schedule, start, end, overrides):
        if present:
            continue
        if found and found[-1][1] == since:
            found[-1] = (found[-1][0], until)
        else:
            found.append((since, until))
    return tuple(found)


class _Piece(NamedTuple):
    """One stretch of one layer or override; outside `firm_start` to `firm_end` it covers only loosely.

    A tuple because a quarter of hourly turns makes thousands of them, and `check` asks for hundreds of schedules.
    """

    one: OnCall
    start: datetime
    end: datetime
    firm_start: datetime
    firm_end: datetime


def _sweep(
    schedule: Schedule, start: datetime, end: datetime, overrides: Sequence[Override]
) -> Iterator[tuple[datetime, datetime, tuple[OnCall, ...]]]:
    """Yield (since, until, who is on call) without a break from `start` to `end`; neighbours may say the same."""
    if start >= end:
        return
    lanes = _lanes(schedule, start, end, overrides)
    edges = {start, end}
    for lane in lanes:
        for piece in lane:
            edges.update((piece.start, piece.end, piece.firm_start, piece.firm_end))
    upcoming = [0] * len(lanes)
    live: list[list[_Piece]] = [[] for _ in lanes]
    for since, until in pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        for number, lane in enumerate(lanes):
            while upcoming[number] < len(lane) and lane[upcoming[number]].start <= since:
                live[number].append(lane[upcoming[number]])
                upcoming[number] += 1
            if live[number]:
                live[number] = [piece for piece in live[number] if piece.end > since]
        yield since, until, _present(schedule, live, since)


def _present(schedule: Schedule, lanes: Sequence[Sequence[_Piece]], at: datetime) -> tuple[OnCall, ...]:
    """Return who is on call at `at`, given the pieces that cover it, lanes in the order in which they win."""
    found: dict[str, OnCall] = {}
    for lane in lanes:
        for piece in reversed(lane):
            found.setdefault(piece.one.person, piece.one)
        if any(piece.firm_start <= at < piece.firm_end for piece in lane):
            break
    if not found:
        return tuple(OnCall(person=person, because="when_empty") for person in dict.fromkeys(schedule.when_empty))
    return tuple(found.values())


def _lanes(schedule: Schedule, start: datetime, end: datetime, overrides: Sequence[Override]) -> list[list[_Piece]]:
    """Return what touches [start, end): the latest override first, the first layer last; pieces by start."""
    made = [*schedule.overrides, *(one for one in overrides if one.schedule == schedule.name)]
    lanes = []
    for override in reversed(made):
        since, until = override.start, override.end
        if since < until and since < end and start < until:
            because = f"override: {override.why}" if override.why else "override"
            lanes.append([_Piece(OnCall(person=override.person, because=because), since, until, since, until)])
    lanes += [_pieces(layer, start, end) for layer in reversed(schedule.layers) if not layer.shadow]
    return [*lanes, _booked(schedule.booked, start, end)] if schedule.booked else lanes


def _booked(booked: Sequence[Shift], start: datetime, end: datetime) -> list[_Piece]:
    """Return the planned shifts that touch [start, end); whoever is planned for the same time has duty together."""
    return [
        _Piece(OnCall(person=shift.person, because=shift.because), shift.start, shift.end, shift.start, shift.end)
        for shift in booked[: bisect_left(booked, end, key=lambda shift: shift.start)]
        if start < shift.end
    ]


def _shadows(schedule: Schedule) -> Iterator[Schedule]:
    """Yield each shadow layer as a schedule of its own, in which it counts."""
    for layer in schedule.layers:
        if layer.shadow:
            yield Schedule(name=schedule.name, timezone=schedule.timezone, layers=(replace(layer, shadow=False),))


def _pieces(layer: Layer, start: datetime, end: datetime) -> list[_Piece]:
    """Return the stretches of a layer that touch [start, end): its turns, cut to its hours."""
    turns = _together(layer, start, end) if layer.rotation is None else _turns(layer, layer.rotation, start, end)
    if not layer.active and layer.calendar is None:
        return [_Piece(one, since, until, since, until) for since, until, one in turns]
    ends = [until for _, until, _ in turns]
    found = []
    for opens, opens_again, closes, closes_again in _windows(layer, start, end):
        for since, until, one in turns[bisect_right(ends, opens) :]:
            if since >= closes_again:
                break
            found.append(
                _Piece(
                    one=one,
                    start=max(opens, since),
                    end=min(closes_again, until),
                    firm_start=max(opens_again, since),
                    firm_end=min(closes, until),
                )
            )
    return sorted(found, key=lambda piece: piece.start)


def _windows(layer: Layer, start: datetime, end: datetime) -> list[Window]:
    """Return the hours of a layer that touch [start, end)."""
    calendar = layer.calendar
    if calendar is None:
        return windows(layer.active, layer.timezone, start, end)
    if layer.off_hours:
        return outside(calendar, start, end)
    return windows(calendar.hours, calendar.timezone, start, end, calendar.holidays)


def _together(layer: Layer, start: datetime, end: datetime) -> list[tuple[datetime, datetime, OnCall]]:
    """Return one turn for each of a layer's people; backwards, because of simultaneous pieces the last comes first."""
    return [(start, end, OnCall(person=person, because=f"layer {layer.name}")) for person in reversed(layer.people)]


def _turns(layer: Layer, rotation: Rotation, start: datetime, end: datetime) -> list[tuple[datetime, datetime, OnCall]]:
    """Return the turns of a rotation that touch [start, end) as (since, until, who), in order."""
    zone = layer.timezone
    begins = instant(datetime.combine(rotation.starts, rotation.at), zone, later=False)
    if not layer.people or end <= begins:
        return []
    first = _turn_at(rotation, to_local(start, zone).replace(tzinfo=None) - FOLD_MAX)
    last = _turn_at(rotation, to_local(end, zone).replace(tzinfo=None) + FOLD_MAX)
    edges = [readings(_turn_start(rotation, turn), zone) for turn in range(max(0, first), last + 2)]
    people = [OnCall(person=person, because=f"layer {layer.name}") for person in layer.people]
    found = []
    for turn, ((earlier, _), (_, until)) in enumerate(pairwise(edges), start=max(0, first)):
        since = max(earlier, begins)
        if since < end and start < until:
            found.append((since, until, people[turn % len(people)]))
    return found


def _turn_at(rotation: Rotation, wall: datetime) -> int:
    """Return the number of the turn that a wall time falls into; 0 is the first person's, negative is before it."""
    origin = _turn_start(rotation, 0)
    if rotation.unit is not RotationUnit.MONTHLY:
        return (wall - origin) // (rotation.every * PERIODS[rotation.unit])
    months = (wall.year - origin.year) * MONTHS_PER_YEAR + wall.month - origin.month
    turn = months // rotation.every
    return turn if _turn_start(rotation, turn) <= wall else turn - 1


def _turn_start(rotation: Rotation, turn: int) -> datetime:
    """Return the wall time at which a turn starts; the first one's may lie before the rotation does."""
    starts = rotation.starts
    if rotation.unit is RotationUnit.MONTHLY:
        year, month = divmod(starts.year * MONTHS_PER_YEAR + starts.month - 1 + turn * rotation.every, MONTHS_PER_YEAR)
        day = min(starts.day, monthrange(year, month + 1)[1])
        return datetime.combine(date(year, month + 1, day), rotation.at)
    if rotation.unit is RotationUnit.WEEKLY:
        starts -= (starts.weekday() - rotation.weekday) % 7 * DAY
    return datetime.combine(starts, rotation.at) + turn * rotation.every * PERIODS[rotation.unit]
