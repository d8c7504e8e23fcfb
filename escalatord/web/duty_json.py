"""Who is on call as tools see it: plain values, the same from the daemon and (by the command line) from the files."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from escalatord.core.ics import calendar_text
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import (
    OnCall,
    Override,
    Schedule,
    Shift,
    gaps,
    on_call,
    shadow_shifts,
    shadowing,
    shifts,
)

GAPS_DAYS = 7
SHIFTS_DAYS_MAX = 62
CALENDAR_DAYS_BACK = 7
CALENDAR_DAYS_AHEAD = 90


def duties(
    ruleset: Ruleset, at: datetime, overrides: Sequence[Override] = (), days: int = 0
) -> list[dict[str, object]]:
    """Return per schedule who is on call at `at` and why, who shadows, and where it has gaps in the next 7 days.

    With `days` also the shifts of so many days from `at` on, those of shadows marked.
    """
    names = {person.id: person.name for person in ruleset.people.values()}
    found: list[dict[str, object]] = []
    for name, schedule in sorted(ruleset.schedules.items()):
        duty: dict[str, object] = {
            "name": name,
            "timezone": schedule.timezone,
            "people": [_turn(turn, names) for turn in on_call(schedule, at, overrides)],
            "shadows": [_turn(turn, names) for turn in shadowing(schedule, at)],
            "gaps": [
                {"start": start, "end": end}
                for start, end in gaps(schedule, at, at + timedelta(days=GAPS_DAYS), overrides)
            ],
        }
        if days:
            until = at + timedelta(days=min(days, SHIFTS_DAYS_MAX))
            planned = [(shift, False) for shift in shifts(schedule, at, until, overrides)]
            planned += [(shift, True) for shift in shadow_shifts(schedule, at, until)]
            planned.sort(key=lambda item: (item[0].start, item[1]))
            duty["shifts"] = [_shift(shift, names, shadow=shadow) for shift, shadow in planned]
        found.append(duty)
    return found


def _turn(turn: OnCall, names: Mapping[str, str]) -> dict[str, object]:
    return {"person": turn.person, "name": names.get(turn.person, turn.person), "because": turn.because}


def _shift(shift: Shift, names: Mapping[str, str], *, shadow: bool) -> dict[str, object]:
    return {
        "person": shift.person,
        "name": names.get(shift.person, shift.person),
        "start": shift.start,
        "end": shift.end,
        "because": shift.because,
        "shadow": shadow,
    }


def planned_overrides(
    ruleset: Ruleset, made: Sequence[Override], now: datetime, schedule: str = ""
) -> list[dict[str, object]]:
    """Return the overrides that have not ended by `now`, by start: those in the rules (`id` null) and those `made`."""
    names = {person.id: person.name for person in ruleset.people.values()}
    filed = [one for each in ruleset.schedules.values() for one in each.overrides]
    live = [one for one in (*filed, *made) if one.end > now and schedule in ("", one.schedule)]
    return [override_json(one, names) for one in sorted(live, key=lambda one: (one.start, one.id))]


def override_json(override: Override, names: Mapping[str, str]) -> dict[str, object]:
    """Return one override."""
    return {
        "id": override.id or None,
        "schedule": override.schedule,
        "person": override.person,
        "name": names.get(override.person, override.person),
        "start": override.start,
        "end": override.end,
        "why": override.why,
        "by": override.by,
    }


def schedule_calendar(schedule: Schedule, ruleset: Ruleset, now: datetime, overrides: Sequence[Override] = ()) -> str:
    """Return the iCalendar text of a schedule: from a week before `now` to 90 days after it."""
    names = {person.id: person.name for person in ruleset.people.values()}
    start, end = now - timedelta(days=CALENDAR_DAYS_BACK), now + timedelta(days=CALENDAR_DAYS_AHEAD)
    return calendar_text(
        schedule.name, shifts(schedule, start, end, overrides), shadow_shifts(schedule, start, end), names, now
    )
