"""What happens when a deadline passes.

A deadline that moves its track (window over, hold over, last resort again) takes the track's other due deadlines with
it: after a gap there is one page at the present tier, marked late, and no burst. What passes outside the office hours
of its policy is put off to their start.
"""

from datetime import datetime, timedelta
from typing import assert_never

from escalatord.core import hours, milestones
from escalatord.core.answers import reopen
from escalatord.core.climb import (
    anybody,
    climb,
    enter,
    enter_again,
    go_on,
    last_resort,
    page_owner_again,
    send_step,
)
from escalatord.core.draft import Draft
from escalatord.core.ending import close
from escalatord.core.handover import end_shift
from escalatord.core.incident import Incident, NoticeKind, Reason, Timer, TimerKind, Track, TrackState
from escalatord.core.policy import ACK_QUESTION_SECONDS
from escalatord.core.retry import FAILED
from escalatord.core.roster import ChannelKind
from escalatord.core.values import replace

MOVES_TRACK = (
    TimerKind.HOURS_START,
    TimerKind.TIER_DEADLINE,
    TimerKind.ACK_EXPIRY,
    TimerKind.SNOOZE_END,
    TimerKind.LAST_RESORT,
)
STALE_SECONDS = 7 * 86400.0
"""An owner of what has been firing for so long is asked whether it is stale."""
SAID_ONCE = (TimerKind.REMINDER, TimerKind.STATUTORY)
CALLS = (ChannelKind.CALL,)
NOT_CALLS = tuple(kind for kind in ChannelKind if kind not in CALLS)


def pass_by(draft: Draft) -> Reason:
    """Act on every deadline that has passed; NOT_DUE when none has."""
    due = sorted(
        (t for t in draft.incident.awake if t.at <= draft.now), key=lambda t: (t.kind not in MOVES_TRACK, t.at)
    )
    if not due:
        return Reason.NOT_DUE
    reasons: list[Reason] = []
    said: set[tuple[str, TimerKind]] = set()
    for timer in due:
        if timer not in draft.incident.timers:
            continue  # a move of its track, or a step pulled forward, has taken it along
        draft.lateness_seconds = (draft.now - timer.at).total_seconds()
        _clear(draft, timer)
        until = None if timer.kind in hours.AT_ANY_HOUR else hours.waits_until(draft, draft.track(timer.track))
        if until is not None:
            reasons.append(hours.put_off(draft, draft.track(timer.track), timer, until))
            continue
        if timer.kind in SAID_ONCE and (timer.track, timer.kind) in said:
            continue  # several reminders at once are one
        said.add((timer.track, timer.kind))
        reasons.append(_fire(draft, timer))
    return reasons[0]


def look_at_hours(draft: Draft) -> Reason:
    """Let what waits for office hours wait for those of the calendar as it is now; NOT_DUE when that is the same."""
    moved = False
    for timer in [t for t in draft.incident.timers if t.kind is TimerKind.HOURS_START]:
        until = hours.waits_until(draft, draft.track(timer.track)) or draft.now
        if until != timer.at:
            moved = True
            _clear(draft, timer)
            draft.arm_at(timer.kind, until, timer.track, timer.subject)
    return Reason.HELD if moved else Reason.NOT_DUE


def _fire(draft: Draft, timer: Timer) -> Reason:
    if timer.kind is TimerKind.FLAP_END:  # the only deadline that is of no track; it is alone
        close(draft, by="", decision="")
        return Reason.RECOVERED
    track = draft.track(timer.track)
    match timer.kind:
        case TimerKind.TIER_DEADLINE | TimerKind.LAST_RESORT:
            return _go_up(draft, track, timer)
        case TimerKind.ACK_QUESTION:
            return _ask(draft, track)
        case TimerKind.ACK_EXPIRY:
            return _end_hold(draft, track, "ack_expired", Reason.ACK_EXPIRED)
        case TimerKind.SNOOZE_END:
            return _end_hold(draft, track, "snooze_ended", Reason.SNOOZE_ENDED)
        case TimerKind.REMINDER:
            return _remind(draft, track)
        case TimerKind.PLAN_STEP:
            person, _, index = timer.subject.rpartition("/")
            send_step(draft, track, person, int(index))
            return Reason.PLAN_STEP
        case TimerKind.RECEIPT_OVERDUE:
            return _miss_receipt(draft, track, timer.subject)
        case TimerKind.STATUTORY:
            return _statutory(draft, track, timer)
        case TimerKind.HOURS_START:
            return _open_doors(draft, track, timer)
        case TimerKind.MITIGATE_BY | TimerKind.UPDATE_EVERY | TimerKind.RESOLVE_BY:
            return milestones.miss(draft, track, timer)
        case TimerKind.SHIFT_END:
            return end_shift(draft, track, timer)
        case _:
            assert_never(timer.kind)


def _go_up(draft: Draft, track: Track, timer: Timer) -> Reason:
    """Nobody acked within the tier's window, or for as long as the last resort waits."""
    if timer.kind is TimerKind.TIER_DEADLINE:
        climb(draft, track, Reason.TIMEOUT)
        return Reason.TIMEOUT
    last_resort(draft, track, Reason.LAST_RESORT_REPEATED)
    return Reason.LAST_RESORT_REPEATED


def _clear(draft: Draft, timer: Timer) -> None:
    timers = list(draft.incident.timers)
    timers.remove(timer)
    draft.incident = replace(draft.incident, timers=tuple(timers))


def _open_doors(draft: Draft, track: Track, timer: Timer) -> Reason:
    """Office hours begin: what waited for them is paged, or waits on when a calendar has changed meanwhile."""
    tier, wanted = hours.what_waits(timer)
    until = hours.waits_until(draft, track)
    if until is not None:
        draft.arm_at(timer.kind, until, timer.track, timer.subject)
        return Reason.HELD
    if track.state is TrackState.HELD:
        enter(draft, track, tier, hours.why_now(wanted))
        milestones.begin(draft, track.name)
    else:
        page_owner_again(draft, track, wanted)
        reopen(draft, track.name)
    return Reason.HOURS_OPENED


def _ask(draft: Draft, track: Track) -> Reason:
    """The hold ends: ask the owner to keep it; silence pages the tier again. A call only where nothing else reaches."""
    ways = draft.ways_to(track.owner, track, NOT_CALLS) or draft.ways_to(track.owner, track, CALLS)
    for channel in ways:
        draft.notify(NoticeKind.ACK_QUESTION, track, track.owner, channel, Reason.ACK_ASKED)
    draft.arm(TimerKind.ACK_EXPIRY, ACK_QUESTION_SECONDS, track.name)
    draft.record("ack_asked", Reason.ACK_ASKED, track, track.owner, {"stale": is_stale(draft.incident, draft.now)})
    return Reason.ACK_ASKED


def is_stale(incident: Incident, now: datetime) -> bool:
    """Return whether an incident has been firing for so long that nobody may be looking at it any more."""
    return any(incident.firing) and (now - incident.opened_at).total_seconds() >= STALE_SECONDS


def _end_hold(draft: Draft, track: Track, kind: str, reason: Reason) -> Reason:
    draft.record(kind, reason, track, track.owner)
    enter_again(draft, replace(track, state=TrackState.RUNNING), reason)
    reopen(draft, track.name)
    return reason


def _remind(draft: Draft, track: Track) -> Reason:
    """Say it again to everyone who is paged, by the first channel that reached out to them and did not fail."""
    waited_for = [page for page in track.pages if page.person not in track.acks]
    for page in waited_for:
        tried = [step for step in page.steps if step.reference]
        for step in sorted(tried, key=lambda step: step.status in FAILED)[:1]:
            draft.notify(NoticeKind.REMIND, track, page.person, step.channel, Reason.REMINDED)
    draft.record("reminded", Reason.REMINDED, track, body={"people": [page.person for page in waited_for]})
    return Reason.REMINDED


def _miss_receipt(draft: Draft, track: Track, subject: str) -> Reason:
    """No receipt came in time: accepted is not delivered, so the next method starts now."""
    person, _, index = subject.rpartition("/")
    page = next(page for page in track.pages if page.person == person)
    draft.record("no_receipt", Reason.NO_RECEIPT, track, person, {"channel": page.steps[int(index)].channel})
    go_on(draft, track, page, int(index))
    return Reason.NO_RECEIPT


def _statutory(draft: Draft, track: Track, timer: Timer) -> Reason:
    """A legal clock speaks: to the owner, else to everyone of the tier; it never stops for an ack.

    Where that leads to nobody (a removed owner, an empty last resort), whoever stands behind the policy is told.
    """
    clock = draft.policy_of(track).compliance
    people = [track.owner] if track.owner else [page.person for page in track.pages]
    if not any(draft.ways_to(person, track, tuple(ChannelKind)) for person in people):
        people = [candidate.person for candidate in anybody(draft, track)]
    for person in people:
        for channel in draft.ways_to(person, track, tuple(ChannelKind)):
            draft.notify(NoticeKind.STATUTORY, track, person, channel, Reason.STATUTORY_DUE)
    due_at = draft.incident.opened_at + timedelta(seconds=clock.due_seconds) if clock else timer.at
    body = {"regime": timer.subject, "due_at": due_at.isoformat()}
    draft.record("statutory", Reason.STATUTORY_DUE, track, body=body)
    return Reason.STATUTORY_DUE
