"""The end of a shift while its owner holds an incident: whoever comes on call is told, the owner stays the owner.

The end is looked up when somebody takes a track, and looked at again when it comes, so that an override made meanwhile
counts. Every shift that follows hears of it once, until the incident changes hands. Whoever was told so takes it over
by a plain ack.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from escalatord.core.draft import Draft
from escalatord.core.incident import NoticeKind, Reason, Timer, TimerKind, Track
from escalatord.core.presence import schedules_behind
from escalatord.core.roster import ChannelKind
from escalatord.core.schedule import Override, Schedule, on_call, shifts
from escalatord.core.values import replace

LOOK_AHEAD = timedelta(days=8)
"""Longer shifts are looked at again after that."""
NOBODY_THERE_SECONDS = 3600.0
QUIET_FIRST = (tuple(kind for kind in ChannelKind if kind is not ChannelKind.CALL), (ChannelKind.CALL,))
"""A call only where nothing else reaches: nobody has to hurry."""


def watch_shift(draft: Draft, track: Track) -> None:
    """Set a deadline for the end of the owner's shift; none when no schedule has them on call."""
    schedule = _schedule_of(draft, track)
    if schedule is not None:
        end = shift_end(schedule, track.owner, draft.now, draft.world.overrides)
        draft.arm_at(TimerKind.SHIFT_END, end, track.name, schedule.name)


def shift_end(schedule: Schedule, person: str, at: datetime, overrides: Sequence[Override]) -> datetime:
    """Return when somebody who is on call at `at` no longer is, at most LOOK_AHEAD later."""
    end = at
    for shift in shifts(schedule, at, at + LOOK_AHEAD, overrides):
        if shift.person == person and shift.start <= end:
            end = max(end, shift.end)
    return end


def end_shift(draft: Draft, track: Track, timer: Timer) -> Reason:
    """Tell those who are on call now that somebody else still holds the track."""
    schedule = draft.world.ruleset.schedules.get(timer.subject)
    if schedule is None:
        return Reason.SHIFT_GOES_ON
    present = tuple(one.person for one in on_call(schedule, draft.now, draft.world.overrides))
    if track.owner in present:
        end = shift_end(schedule, track.owner, draft.now, draft.world.overrides)
        draft.arm_at(TimerKind.SHIFT_END, end, track.name, schedule.name)
        return Reason.SHIFT_GOES_ON
    ends = [shift_end(schedule, person, draft.now, draft.world.overrides) for person in present]
    again = min(ends, default=draft.now + timedelta(seconds=NOBODY_THERE_SECONDS))
    draft.arm_at(TimerKind.SHIFT_END, again, track.name, schedule.name)
    told = list(track.told)
    for person in present:
        for channel in _ways(draft, track, person):
            draft.notify(NoticeKind.HANDOVER, track, person, channel, Reason.SHIFT_ENDED)
            told.append((person, channel))
    track = draft.put(replace(track, heirs=present, told=tuple(dict.fromkeys(told))))
    body = {"schedule": schedule.name, "people": list(present)}
    draft.record("shift_ended", Reason.SHIFT_ENDED, track, track.owner, body)
    return Reason.SHIFT_ENDED


def _ways(draft: Draft, track: Track, person: str) -> tuple[str, ...]:
    quiet, loud = (draft.ways_to(person, track, kinds) for kinds in QUIET_FIRST)
    return quiet or loud


def _schedule_of(draft: Draft, track: Track) -> Schedule | None:
    """Return the schedule that has the owner on call: the one they were paged by, else another of the ladder's."""
    known = draft.world.ruleset.schedules
    paged_by = [page.target.removeprefix("oncall ") for page in track.pages if page.person == track.owner]
    targets = [target for tier in draft.ladder_of(track).tiers for target in (*tier.page, *tier.backup)]
    for name in (*paged_by, *schedules_behind(targets, draft.world.ruleset)):
        schedule = known.get(name)
        present = on_call(schedule, draft.now, draft.world.overrides) if schedule is not None else ()
        if schedule is not None and any(one.person == track.owner for one in present):
            return schedule
    return None
