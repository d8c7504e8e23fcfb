"""What humans say, and what it changes.

Which track an answer means: the one named, else a climbing one where the person is being paged, else one where they
were paged before (a late answer must not take over a track that is none of theirs), else the first that is not over.
An ack that comes after the tier moved still counts; a pass-on that comes too late changes nothing. A present owner
changes only by taking over.
"""

from datetime import timedelta

from escalatord.core import hours, milestones
from escalatord.core.climb import climb, enter_again
from escalatord.core.draft import Draft
from escalatord.core.ending import close
from escalatord.core.events import Ack, Note, PageNext, PassOn, Resolve, Snooze, Unack
from escalatord.core.handover import watch_shift
from escalatord.core.incident import Cause, NoticeKind, Reason, State, TimerKind, Track, TrackState
from escalatord.core.values import replace

CLIMBING = (TrackState.RUNNING, TrackState.LAST_RESORT)
HOLDS = (TimerKind.ACK_QUESTION, TimerKind.ACK_EXPIRY, TimerKind.SNOOZE_END)
SNOOZE_SECONDS_MIN = 60.0
SNOOZE_SECONDS_MAX = 7 * 86400.0


def acknowledge(draft: Draft, event: Ack) -> Reason:
    """Make the person the owner of the track, or say who already is."""
    draft.actor, draft.via = event.person, event.via
    track = _meant(draft, event.person, event.track)
    if track is None or track.state is TrackState.WAITING:
        return Reason.NO_SUCH_TRACK
    if track.state is TrackState.ENDED:
        return Reason.STALE_ANSWER
    if track.state is TrackState.ACKNOWLEDGED:
        return _already(draft, track, event)
    hold = draft.policy_of(track).ack_hold(draft.incident.severity)
    late = _take(draft, track, event, TimerKind.ACK_QUESTION, hold)
    return Reason.ACKNOWLEDGED_LATE if late else Reason.ACKNOWLEDGED


def _take(draft: Draft, track: Track, event: Ack | Snooze, kind: TimerKind, seconds: float) -> bool:
    """Give a climbing track to the person, tell those who were paged, and return whether it had moved on from them."""
    was_told = any(person == event.person for person, _channel in track.told)
    late = was_told and all(page.person != event.person for page in track.pages)
    first = track.name == draft.incident.main.name and draft.incident.first_acked_at is None
    owned = _hold(draft, track, event, kind, seconds)
    snoozed = isinstance(event, Snooze)
    draft.tell_those_told(NoticeKind.ACKED, owned, Reason.SNOOZED if snoozed else Reason.ACKNOWLEDGED, event.person)
    draft.record(
        "acknowledged",
        Reason.ACKNOWLEDGED_LATE if late else Reason.ACKNOWLEDGED,
        owned,
        event.person,
        {
            "via": event.via.value,
            "seconds": (draft.now - draft.incident.opened_at).total_seconds(),
            "first": first,
            "late": late,
            "volunteer": not was_told,
            "held_seconds": owned.held_seconds,
            "hold_seconds": seconds,
            "hold_until": (draft.now + timedelta(seconds=seconds)).isoformat(),
            "detail": "snooze" if isinstance(event, Snooze) else event.detail,
        },
    )
    return late


def _already(draft: Draft, track: Track, event: Ack) -> Reason:
    """The track has an owner: extend, take over, join, or just say so."""
    hold = draft.policy_of(track).ack_hold(draft.incident.severity)
    holds = {timer.kind for timer in draft.incident.timers if timer.track == track.name}
    if track.owner == event.person:
        if TimerKind.ACK_EXPIRY in holds:
            hold = hold_once_more_seconds(draft, track)
            draft.disarm(track.name, HOLDS)
            draft.arm(TimerKind.ACK_QUESTION, hold, track.name)
            draft.record("ack_extended", Reason.ACK_EXTENDED, track, event.person, {"hold_seconds": hold})
            milestones.hear_update(draft)
            return Reason.ACK_EXTENDED
        draft.record("ack_duplicate", Reason.ALREADY_YOURS, track, event.person, {"via": event.via.value})
        return Reason.ALREADY_YOURS
    if event.take_over or event.person in track.heirs:
        before = track.owner
        track = draft.put(replace(track, owner=event.person, acked_at=draft.now, acked_via=event.via, heirs=()))
        if TimerKind.SNOOZE_END not in holds:
            draft.disarm(track.name, HOLDS)
            draft.arm(TimerKind.ACK_QUESTION, hold, track.name)
        draft.disarm(track.name, (TimerKind.SHIFT_END,))
        watch_shift(draft, track)
        _own_incident(draft, track)
        draft.tell_those_told(NoticeKind.ACKED, track, Reason.TAKEN_OVER, spare=event.person)
        draft.record("taken_over", Reason.TAKEN_OVER, track, event.person, {"from": before})
        return Reason.TAKEN_OVER
    if event.join:
        draft.put(replace(track, off_hook=tuple(who for who in track.off_hook if who != event.person)))
        draft.record("ack_joined", Reason.JOINED_RESPONSE, track, event.person)
        return Reason.JOINED_RESPONSE
    body = {"via": event.via.value, "owner": track.owner}
    draft.record("ack_duplicate", Reason.ALREADY_ACKNOWLEDGED, track, event.person, body)
    return Reason.ALREADY_ACKNOWLEDGED


def unacknowledge(draft: Draft, event: Unack) -> Reason:
    """Take an ack back: the same tier is paged again."""
    draft.actor, draft.via = event.person, event.via
    track = _meant(draft, event.person, event.track, TrackState.ACKNOWLEDGED)
    if track is None or track.state is not TrackState.ACKNOWLEDGED:
        return Reason.NOT_ACKNOWLEDGED
    draft.record("unacknowledged", Reason.UNACKNOWLEDGED, track, event.person, {"owner": track.owner})
    enter_again(draft, _released(track), Reason.UNACKNOWLEDGED)
    reopen(draft, track.name)
    return Reason.UNACKNOWLEDGED


def pass_on(draft: Draft, event: PassOn) -> Reason:
    """Enter the next tier because the one who is paged (or owns it) says so."""
    draft.actor, draft.via = event.person, event.via
    track = _meant(draft, event.person, event.track)
    if track is None or (event.epoch is not None and event.epoch != track.epoch):
        return Reason.STALE_TIER
    owns = track.state is TrackState.ACKNOWLEDGED and track.owner == event.person
    paged = track.state in CLIMBING and any(page.person == event.person for page in track.pages)
    if not (owns or paged):
        return Reason.STALE_TIER
    draft.record("passed_on", Reason.PASSED_ON, track, event.person, {"via": event.via.value})
    climb(draft, _released(track), Reason.PASSED_ON)
    reopen(draft, track.name)
    return Reason.PASSED_ON


def page_next(draft: Draft, event: PageNext) -> Reason:
    """Enter the next tier by hand; open to anyone, and recorded."""
    draft.actor, draft.via = event.person, event.via
    track = _meant(draft, event.person, event.track)
    if track is None or track.state in (TrackState.WAITING, TrackState.ENDED):
        return Reason.NO_SUCH_TRACK
    climb(draft, _released(track), Reason.MANUAL)
    reopen(draft, track.name)
    return Reason.MANUAL


def snooze(draft: Draft, event: Snooze) -> Reason:
    """Ack until then, and page the same tier again when it ends; refused for exceptions and compliance."""
    draft.actor, draft.via = event.person, event.via
    track = _meant(draft, event.person, event.track)
    if track is None or track.state in (TrackState.WAITING, TrackState.ENDED):
        return Reason.NO_SUCH_TRACK
    never = draft.is_compliance(track) or "snooze" in draft.policy_of(track).never
    if never or draft.incident.cause is Cause.EXCEPTION:
        return Reason.SNOOZE_REFUSED
    if track.state is TrackState.ACKNOWLEDGED and track.owner != event.person:
        return _already(draft, track, Ack(person=event.person, via=event.via))
    seconds = min(max(SNOOZE_SECONDS_MIN, event.seconds), SNOOZE_SECONDS_MAX)  # in this order NaN is the shortest
    if track.state is TrackState.ACKNOWLEDGED:
        _hold(draft, track, event, TimerKind.SNOOZE_END, seconds)
    else:
        _take(draft, track, event, TimerKind.SNOOZE_END, seconds)
    until = draft.now + timedelta(seconds=seconds)
    body = {"via": event.via.value, "for_seconds": seconds, "until": until.isoformat()}
    draft.record("snoozed", Reason.SNOOZED, draft.track(track.name), event.person, body)
    return Reason.SNOOZED


def note(draft: Draft, event: Note) -> Reason:
    """Write down what somebody says."""
    draft.actor, draft.via = event.person, event.via
    draft.record("noted", Reason.NOTED, person=event.person, body={"text": event.text})
    milestones.hear_update(draft)
    return Reason.NOTED


def resolve(draft: Draft, event: Resolve) -> Reason:
    """Close the incident by hand; a compliance track must be decided upon."""
    draft.actor, draft.via = event.person, event.via
    undecided = any(
        draft.is_compliance(track) and track.state not in (TrackState.ENDED, TrackState.WAITING)
        for track in draft.incident.tracks
    )
    if undecided and not event.decision.strip():
        return Reason.RESOLVE_NEEDS_DECISION
    close(draft, by=event.person, decision=event.decision.strip())
    return Reason.RESOLVED


def hold_once_more_seconds(draft: Draft, track: Track) -> float:
    """Return for how long an ack holds that its owner keeps."""
    kept = (draft.now - track.acked_at).total_seconds() if track.acked_at is not None else 0.0
    return draft.policy_of(track).next_hold(draft.incident.severity, kept)


def reopen(draft: Draft, track: str) -> None:
    """Show the incident as open again when its first track is no longer held."""
    main = draft.incident.main
    if main.name == track and main.state is not TrackState.ACKNOWLEDGED:
        draft.incident = replace(
            draft.incident, state=State.OPEN, acknowledged_at=None, acknowledged_by="", acknowledged_via=None
        )


# ------------------------------------------------------------------------------------------------------- private


def _meant(draft: Draft, person: str, name: str, state: TrackState | None = None) -> Track | None:
    tracks = draft.incident.tracks
    if name:
        named = draft.incident.track(name)
        return named and milestones.spoken_of(draft.incident, named)
    if state is not None:
        held = [track for track in tracks if track.state is state]
        return next((track for track in held if track.owner == person), held[0] if held else None)
    for track in tracks:
        if track.state in CLIMBING and any(page.person == person for page in track.pages):
            return track
    told = [track for track in tracks if track.owner == person or any(one == person for one, _ in track.told)]
    going_on = [track for track in told or tracks if track.state not in (TrackState.ENDED, TrackState.WAITING)]
    return (going_on or told or tracks)[0]


def _released(track: Track) -> Track:
    """Return the track without its owner, ready to climb on from where it was."""
    if track.state is not TrackState.ACKNOWLEDGED:
        return track
    return replace(track, state=TrackState.RUNNING, owner="", acked_at=None, acked_via=None)


def _hold(draft: Draft, track: Track, event: Ack | Snooze, kind: TimerKind, seconds: float) -> Track:
    """Put the track into a human's hands: no deadlines but the end of the hold, nothing unsent goes out."""
    if track.state is TrackState.HELD:  # its first page waits for office hours: it is taken at the tier it would be at
        track = replace(hours.released(track, draft.now), tier=max(1, track.tier))
    draft.disarm(track.name)
    owned = draft.put(
        replace(
            track,
            state=TrackState.ACKNOWLEDGED,
            owner=event.person,
            acked_at=draft.now,
            acked_via=event.via,
            acked_tier=track.tier,
        )
    )
    draft.arm(kind, seconds, track.name)
    draft.withdraw(track.name)
    milestones.begin(draft, track.name)
    milestones.expect_updates(draft, track.name)
    watch_shift(draft, owned)
    owned = draft.track(track.name)
    _own_incident(draft, owned)
    return owned


def _own_incident(draft: Draft, track: Track) -> None:
    if draft.incident.main.name != track.name:
        return
    draft.incident = replace(
        draft.incident,
        state=State.ACKNOWLEDGED,
        acknowledged_at=track.acked_at,
        acknowledged_by=track.owner,
        acknowledged_via=track.acked_via,
        first_acked_at=draft.incident.first_acked_at or draft.now,
    )
