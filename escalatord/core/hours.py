"""Office hours: outside them pages wait for the next start of a calendar, and are never dropped.

- A policy with `hours` holds what it would page, unless the severity is reached from which it does not, or an exception
  opened the incident; compliance tracks are never held. A human who asks for the next tier by hand is not made to wait.
- The calendar is looked up late, like people: a holiday added today counts tomorrow. Without the calendar, or when it
  never starts, nothing is held.
- A tier that cannot be entered now puts its track into the state `held`; deadlines that pass outside hours are put off.
  Either way something is due at the very start of the hours.
"""

from datetime import datetime

from escalatord.core.calendar import is_working, next_start
from escalatord.core.draft import Draft
from escalatord.core.incident import Cause, Reason, Timer, TimerKind, Track, TrackState
from escalatord.core.values import replace

AT_ANY_HOUR = frozenset({TimerKind.STATUTORY, TimerKind.RECEIPT_OVERDUE, TimerKind.HOURS_START, TimerKind.FLAP_END})
"""Deadlines that office hours do not put off: the law's, those of a page that is under way already, an end."""
OWNER = "owner"
COUNTED = frozenset({Reason.NOBODY_ON_CALL, Reason.NOT_REACHED, Reason.PASSED_ON, Reason.MILESTONE})
"""Why a tier is entered at the start of the hours, where that is more than the start."""


def waits_until(draft: Draft, track: Track, reason: Reason | None = None) -> datetime | None:
    """Return until when the pages of a track wait, None when they may go out now."""
    policy, incident = draft.policy_of(track), draft.incident
    hours = policy.hours
    if hours is None or incident.cause is Cause.EXCEPTION or reason is Reason.MANUAL:
        return None
    if not policy.may_hold(draft.ladder_of(track), incident.severity):
        return None
    calendar = draft.world.ruleset.calendars.get(hours.calendar)
    if calendar is None or is_working(calendar, draft.now):
        return None
    return next_start(calendar, draft.now)


def hold(draft: Draft, track: Track, tier: int, until: datetime, reason: Reason) -> None:
    """Let a track wait for office hours before it enters `tier`, in nobody's hands."""
    draft.disarm(track.name)
    held = draft.put(
        replace(
            track,
            state=TrackState.HELD,
            pages=(),
            owner="",
            acked_at=None,
            acked_via=None,
            held_since=track.held_since or draft.now,
        )
    )
    draft.arm_at(TimerKind.HOURS_START, until, track.name, f"{tier}/{reason}")
    _record(draft, held, until, reason)


def hold_owner(draft: Draft, track: Track, until: datetime, reason: Reason) -> None:
    """Let the page of an owner wait for office hours; the track stays theirs."""
    if any(t.kind is TimerKind.HOURS_START and t.track == track.name for t in draft.incident.timers):
        return
    draft.arm_at(TimerKind.HOURS_START, until, track.name, f"{OWNER}/{reason}")
    _record(draft, track, until, reason)


def put_off(draft: Draft, track: Track, timer: Timer, until: datetime) -> Reason:
    """Let a deadline that passed outside office hours pass at their start."""
    draft.arm_at(timer.kind, until, timer.track, timer.subject)
    told = [t.at for t in draft.incident.timers if t.track == track.name and t.at == until]
    if len(told) == 1:  # the first of the track that waits for this start tells of it
        _record(draft, track, until, Reason.HELD)
    return Reason.HELD


def released(track: Track, now: datetime) -> Track:
    """Return the track as its wait ends, how long it took added up."""
    waited = (now - track.held_since).total_seconds() if track.held_since is not None else 0.0
    return replace(track, held_since=None, held_seconds=track.held_seconds + max(0.0, waited))


def what_waits(timer: Timer) -> tuple[int, Reason]:
    """Return which tier a held track enters (0 = its owner is paged), and why it was to be entered."""
    tier, _, reason = timer.subject.partition("/")
    return 0 if tier == OWNER else int(tier), Reason(reason)


def why_now(reason: Reason) -> Reason:
    """Return why a tier is entered at the start of the hours: that they began, or what had asked for it."""
    return reason if reason in COUNTED else Reason.HOURS_OPENED


def held_until(track: Track, timers: tuple[Timer, ...]) -> datetime | None:
    """Return until when a held track waits, None when it does not."""
    if track.state is not TrackState.HELD:
        return None
    return next((t.at for t in timers if t.track == track.name and t.kind is TimerKind.HOURS_START), None)


def _record(draft: Draft, track: Track, until: datetime, reason: Reason) -> None:
    hours = draft.policy_of(track).hours
    body = {
        "until": until.isoformat(),
        "calendar": hours.calendar if hours else "",
        "hours_of": draft.policy_of(track).name,
        "held": reason.value,
    }
    draft.record("held", Reason.HELD, track, body=body)
