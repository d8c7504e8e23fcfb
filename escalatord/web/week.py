"""Seven days of a schedule as bars that a page can draw; pure functions.

Who is on call together stands below each other, in rows of equal height; who shadows, on a thin row of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

from escalatord.core.ruleset import World
from escalatord.core.schedule import Schedule, Shift, gaps, on_call, shadow_shifts, shadowing, shifts
from escalatord.core.wallclock import Style, format_local, instant, to_local

DAYS = 7
WIDTH = 1000
HEIGHT = 60
SHADOW_HEIGHT = 12
COLOURS = 8
GAPS_NAMED_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ink:
    """What every day of one drawing needs: the shifts, how people are called and coloured, the zone, the present."""

    found: Sequence[Shift]
    shadows: Sequence[Shift]
    names: Mapping[str, str]
    colours: Mapping[str, int]
    zone: str
    now: datetime


def week(schedule: Schedule, world: World, now: datetime) -> dict[str, object]:
    """Return who has duty in the seven days from today, midnight to midnight in the schedule's zone."""
    names = {person.id: person.name for person in world.ruleset.people.values()}
    zone = schedule.timezone
    bounds = list(_midnights(now, zone))
    found = shifts(schedule, bounds[0], bounds[-1], world.overrides)
    shadows = shadow_shifts(schedule, bounds[0], bounds[-1])
    people = sorted({shift.person for shift in (*found, *shadows)})
    # By their place in the rules, so that somebody has the same colour in every schedule.
    colours = {person: index % COLOURS for index, person in enumerate(names)}
    colours |= {person: 0 for person in people if person not in colours}
    ink = _Ink(found=found, shadows=shadows, names=names, colours=colours, zone=zone, now=now)
    return {
        "name": schedule.name,
        "timezone": zone,
        "now": [
            {"name": names.get(turn.person, turn.person), "because": turn.because}
            for turn in on_call(schedule, now, world.overrides)
        ],
        "shadows": [names.get(turn.person, turn.person) for turn in shadowing(schedule, now)],
        # until when somebody who takes over now would keep it: to the next hand-off
        "until": next((shift.end for shift in found if shift.start <= now < shift.end < bounds[-1]), None),
        "days": [_day(start, end, ink) for start, end in pairwise(bounds)],
        "people": [{"name": names.get(person, person), "colour": colours[person]} for person in people],
        "gaps": [
            f"{format_local(start, zone, Style.DAY)} to {format_local(end, zone, Style.DAY)}"
            for start, end in gaps(schedule, max(now, bounds[0]), bounds[-1], world.overrides)[:GAPS_NAMED_MAX]
        ],
    }


def _midnights(now: datetime, zone: str) -> Iterator[datetime]:
    today = to_local(now, zone).date()
    for offset in range(DAYS + 1):
        yield instant(datetime.combine(today + timedelta(days=offset), time()), zone, later=False)


def _day(start: datetime, end: datetime, ink: _Ink) -> dict[str, object]:
    on_duty, learning = (_touching(shifts_, start, end) for shifts_ in (ink.found, ink.shadows))
    room = HEIGHT - (SHADOW_HEIGHT if learning else 0)
    bars = _bars(on_duty, (0.0, room), (start, end), ink)
    thin = _bars(learning, (room, SHADOW_HEIGHT), (start, end), ink, mark=", shadow")
    local = to_local(start, ink.zone)
    return {
        "name": f"{local:%a} {local.day}",
        "bars": [*bars, *thin],
        "say": "; ".join(str(bar["say"]) for bar in bars) or "nobody",
        "now_x": _place(ink.now, start, end) if start <= ink.now < end else None,
    }


def _touching(found: Sequence[Shift], start: datetime, end: datetime) -> list[Shift]:
    return [shift for shift in found if shift.start < end and start < shift.end]


def _bars(
    found: Sequence[Shift], rows: tuple[float, float], day: tuple[datetime, datetime], ink: _Ink, mark: str = ""
) -> list[dict[str, object]]:
    """Return one bar a shift within `rows` (top, height); each goes into the first row that is free."""
    top, height = rows
    ends: list[datetime] = []
    placed: list[tuple[int, Shift]] = []
    for shift in found:
        row = next((row for row, busy_until in enumerate(ends) if busy_until <= shift.start), len(ends))
        ends[row : row + 1] = [shift.end]
        placed.append((row, shift))
    each = height / max(1, len(ends))
    bars: list[dict[str, object]] = []
    for row, shift in placed:
        x = _place(shift.start, *day)
        from_to = f"{format_local(shift.start, ink.zone, Style.DAY)} to {format_local(shift.end, ink.zone, Style.DAY)}"
        bars.append(
            {
                "x": x,
                "width": round(_place(shift.end, *day) - x, 1),
                "y": round(top + row * each, 1),
                "height": round(each, 1),
                "colour": ink.colours[shift.person],
                "say": f"{ink.names.get(shift.person, shift.person)}, {from_to} ({shift.because}{mark})",
            }
        )
    return bars


def _place(at: datetime, start: datetime, end: datetime) -> float:
    """Return how far into a day an instant lies, in the units of the drawing."""
    return round((min(max(at, start), end) - start).total_seconds() / (end - start).total_seconds() * WIDTH, 1)
