"""What is doubtful about milestones and office hours.

Warnings: W092 a milestone that comes out of turn · W093 critical incidents are held · W094 hours that never begin ·
W095 milestones that watch no track.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from escalatord.config.load import Loaded
from escalatord.config.sections import Entry
from escalatord.core.alert import Severity
from escalatord.core.calendar import is_working, next_start
from escalatord.core.milestones import watched
from escalatord.core.policy import Policy
from escalatord.core.units import format_duration
from escalatord.errors import Finding

IN_TURN = ("update_every", "mitigate_by", "resolve_by")


def holding(loaded: Loaded, now: datetime) -> Iterator[Finding]:
    """Yield the findings about the milestones and hours of every policy."""
    for policy in loaded.ruleset.policies.values():
        entry = loaded.sections.entries["policies"][policy.name]
        yield from _milestones(policy, entry)
        yield from _hours(policy, entry, loaded, now)


def _milestones(policy: Policy, entry: Entry) -> Iterator[Finding]:
    given = policy.milestones
    if given is None:
        return
    ladder = watched(policy)
    if not ladder:
        say = f'the milestones of "{policy.name}" watch nothing: it has compliance tracks only'
        yield entry.find("W095", say, "milestones", fix="give it a technical track, or drop them", key=True)
        return
    times = {name: getattr(given, f"{name}_seconds") for name in IN_TURN}
    known = [(name, seconds) for name, seconds in times.items() if seconds is not None]
    for (sooner, first), (later, second) in pairwise(known):
        if first >= second:
            say = (
                f"{sooner} ({format_duration(first)}) comes no sooner than {later} ({format_duration(second)}): "
                f"nobody hears of it before"
            )
            yield entry.find("W092", say, "milestones", sooner, fix=f"make {sooner} shorter than {later}")
    window = policy.track(ladder).tiers[0].within_seconds
    for name in ("mitigate_by", "resolve_by"):
        seconds = times[name]
        if seconds is not None and seconds <= window:
            say = (
                f"{name} ({format_duration(seconds)}) passes before the first tier of {ladder} is over "
                f"({format_duration(window)}): whoever acks in time is past it already"
            )
            yield entry.find("W092", say, "milestones", name, fix=f"give it more than {format_duration(window)}")


def _hours(policy: Policy, entry: Entry, loaded: Loaded, now: datetime) -> Iterator[Finding]:
    hours = policy.hours
    calendar = loaded.ruleset.calendars.get(hours.calendar) if hours else None
    if calendar is None:
        return
    if next_start(calendar, now) is None:
        ends = "never begins again" if is_working(calendar, now) else "never begins"
        say = f'calendar "{calendar.name}" {ends}, so that "{policy.name}" holds nothing'
        yield entry.find("W094", say, "hours", "calendar", fix="give the calendar hours, or drop the holidays")
    elif any(policy.may_hold(track, Severity.CRITICAL) for track in policy.tracks):
        say = f'critical incidents of "{policy.name}" wait for calendar "{calendar.name}" too'
        yield entry.find("W093", say, "hours", fix="add unless: severity >= critical", key=True)
