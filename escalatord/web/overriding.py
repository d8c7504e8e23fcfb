"""From what somebody asked about overrides to the command it means, and from what came of it to a sentence."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from escalatord.core.ruleset import Ruleset
from escalatord.core.units import parse_duration_seconds
from escalatord.core.wallclock import Style, format_local, parse_when
from escalatord.engine.wishes import AddOverride, Overridden, OverrideReason, SwapShifts
from escalatord.errors import BadInputError
from escalatord.web.asking import text_of
from escalatord.web.human import Content, Speaker

WHEN_CHARACTERS_MAX = 64
DONE = frozenset({OverrideReason.ADDED, OverrideReason.CANCELLED, OverrideReason.SWAPPED})
STATUS: Mapping[OverrideReason, int] = {
    OverrideReason.UNKNOWN_SCHEDULE: 404,
    OverrideReason.UNKNOWN_PERSON: 404,
    OverrideReason.UNKNOWN_OVERRIDE: 404,
    OverrideReason.ENDS_FIRST: 400,
    OverrideReason.PAST: 400,
    OverrideReason.TOO_LONG: 400,
    OverrideReason.TOO_MANY: 409,
    OverrideReason.SAME_PERSON: 409,
    OverrideReason.NO_SHIFT: 409,
    OverrideReason.OVERLAP: 409,
}
WHY_NOT: Mapping[OverrideReason, tuple[str, str]] = {
    OverrideReason.UNKNOWN_SCHEDULE: ("There is no such schedule.", "GET /api/v1/oncall lists them."),
    OverrideReason.UNKNOWN_PERSON: ("There is no such person in the rules.", "Use an id under `people`."),
    OverrideReason.UNKNOWN_OVERRIDE: (
        "There is no such override, or it is over; one in the rules is changed there.",
        "GET /api/v1/overrides lists them.",
    ),
    OverrideReason.ENDS_FIRST: ("It would end before it starts.", "Give a later end."),
    OverrideReason.PAST: ("It would be over already; what was, stays as it was.", "Give an end in the future."),
    OverrideReason.TOO_LONG: ("An override lasts a year at most.", "For longer, change the rules."),
    OverrideReason.TOO_MANY: ("The schedule has too many overrides.", "Cancel some, or change the rules."),
    OverrideReason.SAME_PERSON: ("Nobody can swap with themselves.", "Name two people."),
    OverrideReason.NO_SHIFT: (
        "One of them has no shift that starts and ends in the next 400 days.",
        "Add an override with its times instead.",
    ),
    OverrideReason.OVERLAP: ("Both are on call at the same time then.", "Add overrides with their times instead."),
}


def adding(ruleset: Ruleset, content: Content, who: Speaker, now: datetime) -> AddOverride:
    """Return the command that lets `person` stand in in `schedule` between `from` (default: now) and `to` or `for`.

    Times without a zone are the schedule's. Raise BadInputError for what is no time.
    """
    schedule = text_of(content, "schedule", needed=True)
    zone = _zone(ruleset, schedule)
    start = when(content, "from", zone) or now
    if text_of(content, "for"):
        end = start + lasting(content, "for")
    else:
        found = when(content, "to", zone, later=True)
        if found is None:
            raise BadInputError("E102", "/to", 'give "to", or "for" (how long)')
        end = found
    return AddOverride(
        schedule=schedule,
        person=text_of(content, "person", needed=True),
        start=start,
        end=end,
        why=line_of(content, "why"),
        by=who.person,
        via=who.via,
    )


def swapping(ruleset: Ruleset, content: Content, who: Speaker) -> SwapShifts:
    """Return the command that lets `person` and `with` exchange their next shifts in `schedule`."""
    schedule = text_of(content, "schedule", needed=True)
    return SwapShifts(
        schedule=schedule,
        people=(text_of(content, "person", needed=True), text_of(content, "with", needed=True)),
        after=when(content, "after", _zone(ruleset, schedule)),
        why=line_of(content, "why"),
        by=who.person,
        via=who.via,
    )


def when(content: Content, key: str, zone: str, *, later: bool = False) -> datetime | None:
    """Return the instant a field names, None when it is absent; raise BadInputError when it is none."""
    text = text_of(content, key)
    if not text:
        return None
    try:
        return parse_when(text[:WHEN_CHARACTERS_MAX], zone, later=later)
    except ValueError as error:
        raise BadInputError("E101", f"/{key}", str(error)) from None


def lasting(content: Content, key: str) -> timedelta:
    """Return the duration a field names; raise BadInputError when it is none."""
    try:
        return timedelta(seconds=parse_duration_seconds(text_of(content, key)))
    except (ValueError, OverflowError) as error:
        raise BadInputError("E101", f"/{key}", str(error)) from None


def line_of(content: Content, key: str) -> str:
    """Return a field as one line."""
    return " ".join(text_of(content, key).split())


def said(done: Overridden, ruleset: Ruleset) -> str:
    """Return in one line what came of it: who has duty when, or why nothing changed."""
    if done.reason not in DONE:
        return " ".join(WHY_NOT[done.reason])
    lines = []
    for one in done.overrides:
        zone = _zone(ruleset, one.schedule)
        person = ruleset.people.get(one.person)
        start, end = (format_local(at, zone, Style.FULL) for at in (one.start, one.end))
        lines.append(f"{person.name if person else one.person} in {one.schedule} from {start} to {end}")
    verb = "Cancelled" if done.reason is OverrideReason.CANCELLED else "On call"
    return f"{verb}: {'; '.join(lines)}."


def _zone(ruleset: Ruleset, schedule: str) -> str:
    found = ruleset.schedules.get(schedule)
    return found.timezone if found else "UTC"
