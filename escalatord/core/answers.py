"""What humans say, and what it changes.

An ack counts at once; it holds the track when it is enough (see `quorum`), and then the first who acked owns it.

Which track an answer means: the one named, else a climbing one where the person is being paged, else one where they
were paged before (a late answer must not take over a track that is none of theirs), else the first that is not over.
An ack that comes after the tier moved still counts; a pass-on that comes too late changes nothing. A present owner
changes only by taking over.
"""

from datetime import timedelta

from escalatord.core import hours, milestones
from escalatord.core.climb import climb, climb_if_unreached, enter_again
from escalatord.core.draft import Draft
from escalatord.core.ending import close
from escalatord.core.events import Ack, Note, PageNext, PassOn, Resolve, Snooze, Unack
from escalatord.core.handover import watch_shift
from escalatord.core.incident import Cause, NoticeKind, Reason, State, TimerKind, Track, TrackState
from escalatord.core.paging import page_more, plan_channels
from escalatord.core.policy import NEED_FIRST, Target, TargetKind
from escalatord.core.quorum import is_met, needed
from escalatord.core.roster import resolve as look_up
from escalatord.core.tasks import finish
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
    return _take(draft, track, event, TimerKind.ACK_QUESTION, hold)


def _take(draft: Draft, track: Track, event: Ack | Snooze, kind: TimerKind, seconds: float) -> Reason:
    """Count the person's ack of a climbing track; when it is enough, it is held and those who were paged are told."""
    if event.person in track.acks:
        draft.record("ack_duplicate", Reason.ACK_COUNTED, track, event.person, {"via": event.via.value})
        return Reason.ACK_COUNTED
    was_told = any(person == event.person for person, _channel in track.told)
    late = was_told and all(page.person != event.person for page in track.pages)
    counted = replace(track, acks=(*track.acks, event.person))
    body: dict[str, object] = {
        "via": event.via.value,
        "seconds": (draft.now - draft.incident.opened_at).total_seconds(),
        "first": track.name == draft.incident.main.name and draft.incident.first_acked_at is None,
        "late": late,
        "volunteer": not was_told,
        "detail": "snooze" if isinstance(event, Snooze) else event.detail,
    }
    if track.need != NEED_FIRST:
        body |= {"acks": len(counted.acks), "needed": needed(counted)}
    if not is_met(counted):
        _count(draft, counted, event, body)
        return Reason.ACK_COUNTED
    owned = _hold(draft, counted, event, kind, seconds)
    snoozed = isinstance(event, Snooze)
    draft.tell_those_told(NoticeKind.ACKED, owned, Reason.SNOOZED if snoozed else Reason.ACKNOWLEDGED, event.person)
    until = {
        "held_seconds": owned.held_seconds,
        "hold_seconds": seconds,
        "hold_until": (draft.now + timedelta(seconds=seconds)).isoformat(),
    }
    reason = Reason.ACKNOWLEDGED_LATE if late else Reason.ACKNOWLEDGED
    draft.record("acknowledged", reason, owned, event.person, {**body, **until})
    return reason


def _count(draft: Draft, track: Track, event: Ack | Snooze, body: dict[str, object]) -> None:
    """One more has acked, and it is not enough yet: they are left in peace, the others are not."""
    if track.name == draft.incident.main.name and draft.incident.first_acked_at is None:
        draft.incident = replace(draft.incident, first_acked_at=draft.now)
    track = draft.put(track)
    draft.leave_in_peace(track, event.person)
    draft.refresh_rooms(track, Reason.ACK_COUNTED)
    draft.record("acknowledged", Reason.ACK_COUNTED, track, event.person, body)
    climb_if_unreached(draft, track)


def hold_by_those_left(draft: Draft, track: Track) -> bool:
    """Give a climbing track to the first who acked when nobody is missing any more; False when somebody is."""
    if not is_met(track):
        return False
    hold = draft.policy_of(track).ack_hold(draft.incident.severity)
    first = Ack(person=track.acks[0], via=draft.via)
    owned = _hold(draft, track, first, TimerKind.ACK_QUESTION, hold)
    draft.tell_those_told(NoticeKind.ACKED, owned, Reason.ACKNOWLEDGED, spare="")
    draft.record("quorum_met", Reason.PERSON_REMOVED, owned, owned.owner, {"people": list(track.acks)})
    return True


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
        acks = tuple(dict.fromkeys((event.person, *track.acks)))
        mine = replace(track, owner=event.person, acks=acks, acked_at=draft.now, acked_via=event.via, heirs=())
        track = draft.put(mine)
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
    """Take an ack back: the same tier is paged again; where it was one of several needed, the person is."""
    draft.actor, draft.via = event.person, event.via
    counted = _counted(draft, event)
    if counted is not None:
        return _take_back(draft, counted, event.person)
    track = _meant(draft, event.person, event.track, TrackState.ACKNOWLEDGED)
    if track is None or track.state is not TrackState.ACKNOWLEDGED:
        return Reason.NOT_ACKNOWLEDGED
    draft.record("unacknowledged", Reason.UNACKNOWLEDGED, track, event.person, {"owner": track.owner})
    enter_again(draft, _released(track), Reason.UNACKNOWLEDGED)
    reopen(draft, track.name)
    return Reason.UNACKNOWLEDGED


def _counted(draft: Draft, event: Unack) -> Track | None:
    """Return the climbing track in which the person's ack counts; None when they own the one they may mean."""
    tracks = [track for track in draft.incident.tracks if event.track in ("", track.name)]
    if any(track.state is TrackState.ACKNOWLEDGED and track.owner == event.person for track in tracks):
        return None
    return next((track for track in tracks if track.state in CLIMBING and event.person in track.acks), None)


def _take_back(draft: Draft, track: Track, person: str) -> Reason:
    draft.record("unacknowledged", Reason.UNACKNOWLEDGED, track, person, {"owner": person})
    track = draft.put(replace(track, acks=tuple(who for who in track.acks if who != person)))
    page = next((page for page in track.pages if page.person == person), None)
    if page is not None:
        channels = plan_channels(draft.plan_of(track))
        found = look_up((Target(TargetKind.PERSON, person),), draft.world, draft.now, channels).people
        page_more(draft, track, [replace(one, target=page.target) for one in found], Reason.UNACKNOWLEDGED)
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
    if track.state is not TrackState.ACKNOWLEDGED and not is_met(replace(track, acks=(event.person,))):
        # one of several has nothing to snooze yet: it counts as their ack
        return acknowledge(draft, Ack(person=event.person, via=event.via, track=track.name))
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
    done = finish(draft, event.done, event.person)
    body = {"text": event.text} | ({"done": [action.value for action in done]} if done else {})
    draft.record("noted", Reason.NOTED, person=event.person, body=body)
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
    return replace(track, state=TrackState.RUNNING, owner="", acked_at=None, acked_via=None, acks=())


def _hold(draft: Draft, track: Track, event: Ack | Snooze, kind: TimerKind, seconds: float) -> Track:
    """Put the track into a human's hands: no deadlines but the end of the hold, nothing unsent goes out."""
    if track.state is TrackState.HELD:  # its first page waits for office hours: it is taken at the tier it would be at
        track = replace(hours.released(track, draft.now), tier=max(1, track.tier))
    draft.disarm(track.name)
    acks = track.acks or (event.person,)
    owned = draft.put(
        replace(
            track,
            state=TrackState.ACKNOWLEDGED,
            owner=acks[0],
            acks=acks,
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
