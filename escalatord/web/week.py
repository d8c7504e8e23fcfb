"""Seven days of a schedule as bars that a page can draw; pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

from escalatord.core.ruleset import World
from escalatord.core.schedule import Schedule, Shift, gaps, on_call, shifts
from escalatord.core.wallclock import Style, format_local, instant, to_local

DAYS = 7
WIDTH = 1000
COLOURS = 8
GAPS_NAMED_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ink:
    """What every day of one drawing needs: the shifts, how people are called and coloured, the zone, the present."""

    found: Sequence[Shift]
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
    people = sorted({shift.person for shift in found})
    # By their place in the rules, so that somebody has the same colour in every schedule.
    colours = {person: index % COLOURS for index, person in enumerate(names)}
    colours |= {person: 0 for person in people if person not in colours}
    ink = _Ink(found=found, names=names, colours=colours, zone=zone, now=now)
    return {
        "name": schedule.name,
        "timezone": zone,
        "now": [
            {"name": names.get(turn.person, turn.person), "because": turn.because}
            for turn in on_call(schedule, now, world.overrides)
        ],
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
    length = (end - start).total_seconds()

    def place(at: datetime) -> float:
        return round((min(max(at, start), end) - start).total_seconds() / length * WIDTH, 1)

    bars = []
    for shift in ink.found:
        if shift.start >= end or shift.end <= start:
            continue
        x = place(shift.start)
        from_to = f"{format_local(shift.start, ink.zone, Style.DAY)} to {format_local(shift.end, ink.zone, Style.DAY)}"
        say = f"{ink.names.get(shift.person, shift.person)}, {from_to} ({shift.because})"
        width = round(place(shift.end) - x, 1)
        bars.append({"x": x, "width": width, "colour": ink.colours[shift.person], "say": say})
    local = to_local(start, ink.zone)
    return {
        "name": f"{local:%a} {local.day}",
        "bars": bars,
        "say": "; ".join(str(bar["say"]) for bar in bars) or "nobody",
        "now_x": place(ink.now) if start <= ink.now < end else None,
    }
