"""What the engine does about overrides and calendars: who stands in for whom, in force with the commit.

An override never reaches into the past: who was on call then stays true.
"""

from datetime import timedelta

from escalatord.core.exchange import NoSwap, swap
from escalatord.core.incident import Via
from escalatord.core.schedule import Override, Shift
from escalatord.core.values import replace
from escalatord.engine.unit import Unit
from escalatord.engine.wishes import AddOverride, CancelOverride, Overridden, OverrideReason, RememberFeed, SwapShifts

OVERRIDE_DAYS_MAX = 366
OVERRIDES_PER_SCHEDULE_MAX = 500
FEED_SETTING = "calendar/"
"""Settings that start so hold what the calendar of a schedule plans."""

WHY_NOT = {
    NoSwap.SAME_PERSON: OverrideReason.SAME_PERSON,
    NoSwap.NO_SHIFT: OverrideReason.NO_SHIFT,
    NoSwap.OVERLAP: OverrideReason.OVERLAP,
}


def add_override(unit: Unit, command: AddOverride) -> Overridden:
    """Let somebody stand in."""
    wanted = Override(
        schedule=command.schedule,
        person=command.person,
        start=max(command.start, unit.now),
        end=command.end,
        why=command.why,
        by=command.by,
    )
    refused = _unknown(unit, command.schedule, (command.person,))
    if refused is None and command.end <= command.start:
        refused = OverrideReason.ENDS_FIRST
    if refused is None and command.end <= unit.now:
        refused = OverrideReason.PAST
    if refused is None and wanted.end - wanted.start > timedelta(days=OVERRIDE_DAYS_MAX):
        refused = OverrideReason.TOO_LONG
    if refused is None and _room(unit, command.schedule) < 1:
        refused = OverrideReason.TOO_MANY
    if refused is not None:
        return Overridden(reason=refused, at=unit.now)
    return Overridden(reason=OverrideReason.ADDED, overrides=(_keep(unit, wanted, command.via),), at=unit.now)


def cancel_override(unit: Unit, command: CancelOverride) -> Overridden:
    """Take an override back."""
    found = unit.tx.end_override(command.id, unit.now)
    if found is None:
        return Overridden(reason=OverrideReason.UNKNOWN_OVERRIDE, at=unit.now)
    unit.record("override_cancelled", _body(found), actor=command.by, via=command.via)
    left = tuple(one for one in unit.world.overrides if one.id != found.id)
    unit.world = replace(unit.world, overrides=left)
    return Overridden(reason=OverrideReason.CANCELLED, overrides=(found,), at=unit.now)


def swap_shifts(unit: Unit, command: SwapShifts) -> Overridden:
    """Let two people exchange their next shifts."""
    refused = _unknown(unit, command.schedule, command.people)
    if refused is None and _room(unit, command.schedule) < len(command.people):
        refused = OverrideReason.TOO_MANY
    if refused is not None:
        return Overridden(reason=refused, at=unit.now)
    schedule = unit.world.ruleset.schedules[command.schedule]
    after = max(command.after or unit.now, unit.now)
    found = swap(schedule, command.people, after, unit.world.overrides)
    if isinstance(found, NoSwap):
        return Overridden(reason=WHY_NOT[found], at=unit.now)
    first, second = command.people
    made = tuple(
        _keep(unit, _stand_in(command, shift, person), command.via)
        for shift, person in ((found.first, second), (found.second, first))
    )
    return Overridden(reason=OverrideReason.SWAPPED, overrides=made, at=unit.now)


def remember_feed(unit: Unit, command: RememberFeed) -> None:
    """Keep what a calendar plans."""
    unit.tx.set_setting(FEED_SETTING + command.schedule, command.content)
    unit.record("calendar_read", {"schedule": command.schedule, **command.body})


def _stand_in(command: SwapShifts, shift: Shift, person: str) -> Override:
    why = f"swap with {shift.person}" + (f": {command.why}" if command.why else "")
    return Override(schedule=command.schedule, person=person, start=shift.start, end=shift.end, why=why, by=command.by)


def _unknown(unit: Unit, schedule: str, people: tuple[str, ...]) -> OverrideReason | None:
    ruleset = unit.world.ruleset
    if schedule not in ruleset.schedules:
        return OverrideReason.UNKNOWN_SCHEDULE
    return None if all(person in ruleset.people for person in people) else OverrideReason.UNKNOWN_PERSON


def _room(unit: Unit, schedule: str) -> int:
    live = sum(1 for one in unit.world.overrides if one.schedule == schedule and one.end > unit.now)
    return OVERRIDES_PER_SCHEDULE_MAX - live


def _keep(unit: Unit, wanted: Override, via: Via) -> Override:
    """Write an override, journal it and put it in force for the rest of the batch."""
    made = replace(wanted, id=unit.tx.add_override(wanted))
    unit.record("override_added", _body(made), actor=made.by, via=via)
    live = (one for one in unit.world.overrides if one.end > unit.now)
    unit.world = replace(unit.world, overrides=(*live, made))
    return made


def _body(override: Override) -> dict[str, object]:
    return {
        "id": override.id,
        "schedule": override.schedule,
        "person": override.person,
        "start": override.start.isoformat(),
        "end": override.end.isoformat(),
        "why": override.why,
        "by": override.by,
    }
