"""Flapping: what fires again soon after its end goes on as the same incident, and its clock was never set back.

- A first end is an end: everybody is stood down at once. How the incident stood then is kept with it.
- When it fires again within `reopen_within`, it stands as it did: tier, epoch, owner and deadlines. Whoever was being
  paged is paged again (they were told that it is over), and the tier's window ends when it would have ended. An owner
  stays the owner and is told, not paged. What is overdue happens at once.
- From then on an end is only a quiet: nothing is said, and all deadlines sleep, for what is quiet pages nobody. When it
  fires again they wake where they were. Quiet for `stay_open`, it is over.
- Exceptions, and whatever stays open until a human decides, never come here.
"""

from datetime import datetime, timedelta

from escalatord.core.climb import enter_again, last_resort
from escalatord.core.draft import QUIET_KINDS, ROOM_KINDS, Draft
from escalatord.core.incident import Cause, Incident, NoticeKind, Reason, State, Stood, TimerKind, Track, TrackState
from escalatord.core.noise import Flap
from escalatord.core.values import replace

MOVES = {TrackState.RUNNING: TimerKind.TIER_DEADLINE, TrackState.LAST_RESORT: TimerKind.LAST_RESORT}


def applies(draft: Draft) -> bool:
    """Return whether flapping is damped for this incident."""
    if draft.world.ruleset.flap is None or draft.incident.cause is Cause.EXCEPTION:
        return False
    return not any(draft.stays_until_decided(track) for track in draft.incident.tracks)


def may_reopen(incident: Incident, flap: Flap | None, now: datetime) -> bool:
    """Return whether an incident that is over goes on when it fires at `now`; never one that a human closed."""
    if flap is None or incident.stood is None or incident.resolved_at is None:
        return False
    return now - incident.resolved_at <= timedelta(seconds=flap.reopen_within_seconds)


def standing(draft: Draft) -> Stood | None:
    """Return what is to be kept of an incident that ends by itself now, None when its next fire is another one."""
    if not applies(draft):
        return None
    incident = draft.incident
    timers = tuple(timer for timer in incident.timers if timer.kind is not TimerKind.FLAP_END)
    return Stood(tracks=incident.tracks, timers=timers)


def stay_open(draft: Draft) -> bool:
    """Let an incident that is known to flap be quiet instead of over; return whether it is one."""
    flap = draft.world.ruleset.flap
    if flap is None or not draft.incident.reopened or not applies(draft):
        return False
    draft.incident = replace(draft.incident, quiet_since=draft.now)
    draft.arm(TimerKind.FLAP_END, flap.stay_open_seconds, "")
    draft.record("quiet", Reason.QUIET, body={"stay_open_seconds": flap.stay_open_seconds})
    return True


def stir(draft: Draft) -> None:
    """End the quiet: the deadlines that slept count again."""
    if draft.incident.quiet_since is not None:
        draft.incident = replace(draft.incident, quiet_since=None)
        draft.disarm("", (TimerKind.FLAP_END,))


def put_back(draft: Draft) -> None:
    """Let an incident that was over stand as it stood; nobody is told yet."""
    incident = draft.incident
    assert incident.stood is not None  # noqa: S101 - asked by `may_reopen`
    held = incident.stood.tracks[0].state is TrackState.ACKNOWLEDGED
    body = {
        "times": incident.reopened + 1,
        "after_seconds": (draft.now - (incident.resolved_at or draft.now)).total_seconds(),
    }
    draft.incident = replace(
        incident,
        state=State.ACKNOWLEDGED if held else State.OPEN,
        tracks=incident.stood.tracks,
        timers=incident.stood.timers,
        stood=None,
        reopened=incident.reopened + 1,
        recovered_at=None,
        resolved_at=None,
    )
    draft.record("reopened", Reason.REOPENED, body=body)


def say_again(draft: Draft, before: Stood) -> None:
    """Tell everybody who was told that it is over; tracks that moved since `before`, or are about to, tell by that."""
    for was in before.tracks:
        track = draft.track(was.name)
        if track.state is TrackState.ACKNOWLEDGED:
            _tell_owner(draft, track)
        move = MOVES.get(track.state)
        ends_at = draft.deadline_of(track.name, move) if move is not None else None
        if move is None or ends_at is None or track.epoch != was.epoch or ends_at <= draft.now:
            continue
        if track.state is TrackState.RUNNING:
            enter_again(draft, track, Reason.REOPENED)
        else:
            last_resort(draft, track, Reason.REOPENED)
            draft.cap_deadline(track.name, ends_at, move)


def _tell_owner(draft: Draft, track: Track) -> None:
    """Tell the owner quietly that what they have is not over; a room that knows them is brought up to date."""
    rooms = [name for name, spec in draft.world.ruleset.channels.items() if spec.kind in ROOM_KINDS]
    in_room = any((track.owner, room) in track.told for room in rooms)
    for channel in draft.ways_to(track.owner, track, QUIET_KINDS)[:1]:
        if (track.owner, channel) in track.told or not in_room:
            draft.notify(NoticeKind.UPDATE, track, track.owner, channel, Reason.REOPENED)
    draft.refresh_rooms(track, Reason.REOPENED)
