"""What happens when a deadline passes.

A deadline that moves its track (window over, hold over, last resort again) takes the track's other due deadlines with
it: after a gap there is one page at the present tier, marked late, and no burst.
"""

from datetime import timedelta
from typing import assert_never

from escalatord.core.answers import reopen
from escalatord.core.climb import anybody, climb, enter_again, go_on, last_resort, send_step
from escalatord.core.draft import Draft
from escalatord.core.ending import close
from escalatord.core.incident import NoticeKind, Reason, Timer, TimerKind, Track, TrackState
from escalatord.core.policy import ACK_QUESTION_SECONDS
from escalatord.core.retry import FAILED
from escalatord.core.roster import ChannelKind
from escalatord.core.values import replace

MOVES_TRACK = (TimerKind.TIER_DEADLINE, TimerKind.ACK_EXPIRY, TimerKind.SNOOZE_END, TimerKind.LAST_RESORT)
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
        if timer.kind in SAID_ONCE and (timer.track, timer.kind) in said:
            continue  # several reminders at once are one
        said.add((timer.track, timer.kind))
        reasons.append(_fire(draft, timer))
    return reasons[0]


def _fire(draft: Draft, timer: Timer) -> Reason:
    if timer.kind is TimerKind.FLAP_END:  # the only deadline that is of no track; it is alone
        close(draft, by="", decision="")
        return Reason.RECOVERED
    track = draft.track(timer.track)
    match timer.kind:
        case TimerKind.TIER_DEADLINE:
            climb(draft, track, Reason.TIMEOUT)
            return Reason.TIMEOUT
        case TimerKind.LAST_RESORT:
            last_resort(draft, track, Reason.LAST_RESORT_REPEATED)
            return Reason.LAST_RESORT_REPEATED
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
        case _:
            assert_never(timer.kind)


def _clear(draft: Draft, timer: Timer) -> None:
    timers = list(draft.incident.timers)
    timers.remove(timer)
    draft.incident = replace(draft.incident, timers=tuple(timers))


def _ask(draft: Draft, track: Track) -> Reason:
    """The hold ends: ask the owner to keep it; silence pages the tier again. A call only where nothing else reaches."""
    ways = draft.ways_to(track.owner, track, NOT_CALLS) or draft.ways_to(track.owner, track, CALLS)
    for channel in ways:
        draft.notify(NoticeKind.ACK_QUESTION, track, track.owner, channel, Reason.ACK_ASKED)
    draft.arm(TimerKind.ACK_EXPIRY, ACK_QUESTION_SECONDS, track.name)
    draft.record("ack_asked", Reason.ACK_ASKED, track, track.owner)
    return Reason.ACK_ASKED


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
