"""Milestones: what the one who acked is held to. Each escalates by itself; an ack stops only the ack timer.

- They watch the first track of a policy that is not for compliance, and count from the moment it starts to page (or
  somebody takes it): office hours that hold its first page hold them too.
- `mitigate_by` and `resolve_by` run until somebody says so, whoever holds the track, through acks and snoozes.
  `update_every` runs while somebody holds it; a note counts, and so does "still mine". A snooze says until when nothing
  is to be expected.
- Missed while nobody has the track, they enter its next tier at once (`resolve_by`: the last resort).
- Missed while somebody has it: the owner is reminded and stays the owner, and a ladder of its own, `past due:TRACK`,
  pages from the owner's next tier on until somebody there acks. `update_every` does so from the second miss in a row
  on, `resolve_by` goes to the last resort. A further miss after that ack climbs on from where it is.
- When all that was missed has been made up for (a note, a mitigation), those who were paged for it are off the hook.
"""

from datetime import timedelta
from typing import assert_never

from escalatord.core.climb import climb, has_somebody, last_resort
from escalatord.core.draft import Draft
from escalatord.core.events import Mitigated
from escalatord.core.handover import QUIET_FIRST
from escalatord.core.incident import Incident, NoticeKind, Reason, Timer, TimerKind, Track, TrackState
from escalatord.core.policy import Milestones, Policy, TrackKind
from escalatord.core.values import replace

PAST_DUE = "past due"
SILENCES_BEFORE_NEXT_TIER = 2
WHY = {
    TimerKind.MITIGATE_BY: Reason.MITIGATION_DUE,
    TimerKind.UPDATE_EVERY: Reason.UPDATE_DUE,
    TimerKind.RESOLVE_BY: Reason.RESOLUTION_DUE,
}


def watched(policy: Policy) -> str:
    """Return the name of the ladder that a policy's milestones watch, "" for none."""
    ladders = policy.tracks if policy.milestones is not None else ()
    return next((ladder.name for ladder in ladders if ladder.kind is not TrackKind.COMPLIANCE), "")


def past_due_name(track: str) -> str:
    """Return the name of the track that climbs when milestones of `track` are missed.

    No name of the rules has a blank, so it is nobody else's; what follows the last colon is the ladder, as always.
    """
    return f"{PAST_DUE} {track}" if ":" in track else f"{PAST_DUE}:{track}"


def is_past_due(track: Track) -> bool:
    """Return whether a track climbs because of missed milestones."""
    return track.name.startswith(PAST_DUE)


def watched_track(incident: Incident, track: Track) -> Track:
    """Return the track whose milestones `track` climbs for; itself when it does not."""
    return next((other for other in incident.tracks if past_due_name(other.name) == track.name), track)


def spoken_of(incident: Incident, track: Track) -> Track:
    """Return what an answer to a message about `track` is about: when nothing is past due any more, what was."""
    return watched_track(incident, track) if track.state is TrackState.WAITING else track


def begin(draft: Draft, name: str) -> None:
    """Let the milestones of a track count from now on, once it pages or somebody has it."""
    track = draft.track(name)
    if track.started_at is not None or track.state in (TrackState.WAITING, TrackState.HELD, TrackState.ENDED):
        return
    draft.put(replace(track, started_at=draft.now))
    given = milestones_of(draft, track)
    mitigated = draft.incident.mitigated_at is not None  # while its first page was held, say
    for kind, seconds in (
        (TimerKind.MITIGATE_BY, None if mitigated else given.mitigate_by_seconds),
        (TimerKind.RESOLVE_BY, given.resolve_by_seconds),
    ):
        if seconds is not None:
            draft.arm(kind, seconds, name)


def expect_updates(draft: Draft, name: str) -> None:
    """Want the next update of a held track in its time, but not before a snooze is over."""
    every = milestones_of(draft, draft.track(name)).update_every_seconds
    draft.disarm(name, (TimerKind.UPDATE_EVERY,))
    if every is not None:
        snoozed = [t.at for t in draft.incident.timers if t.track == name and t.kind is TimerKind.SNOOZE_END]
        draft.arm_at(TimerKind.UPDATE_EVERY, max([draft.now + timedelta(seconds=every), *snoozed]), name)


def hear_update(draft: Draft) -> None:
    """Take somebody's word for an update of everything that is held."""
    for track in draft.incident.tracks:
        if any(t.kind is TimerKind.UPDATE_EVERY and t.track == track.name for t in draft.incident.timers):
            expect_updates(draft, track.name)
            draft.put(replace(draft.track(track.name), silences=0))
        _make_up(draft, track.name, (TimerKind.UPDATE_EVERY,), Reason.NOTED)


def mitigate(draft: Draft, event: Mitigated) -> Reason:
    """Take somebody's word that the harm is stopped: nobody has to be told that it is not."""
    draft.actor, draft.via = event.person, event.via
    if draft.incident.mitigated_at is not None:
        return Reason.ALREADY_MITIGATED
    draft.incident = replace(draft.incident, mitigated_at=draft.now, mitigated_by=event.person)
    body = {"via": event.via.value, "seconds": draft.open_seconds, "text": event.text}
    draft.record("mitigated", Reason.MITIGATED, person=event.person, body=body)
    hear_update(draft)
    for track in draft.incident.tracks:
        draft.disarm(track.name, (TimerKind.MITIGATE_BY,))
        _make_up(draft, track.name, (TimerKind.MITIGATE_BY,), Reason.MITIGATED)
    return Reason.MITIGATED


def get_worse(draft: Draft) -> None:
    """Take a mitigation back, because the severity rose after it: it is to be mitigated anew."""
    if draft.incident.mitigated_at is None:
        return
    draft.incident = replace(draft.incident, mitigated_at=None, mitigated_by="")
    for track in draft.incident.tracks:
        seconds = milestones_of(draft, track).mitigate_by_seconds
        if seconds is not None and track.started_at is not None:
            draft.arm(TimerKind.MITIGATE_BY, seconds, track.name)


def miss(draft: Draft, track: Track, timer: Timer) -> Reason:
    """A milestone has passed: somebody above hears of it."""
    reason = WHY[timer.kind]
    if timer.kind is TimerKind.UPDATE_EVERY and _is_asked(draft, track):
        expect_updates(draft, track.name)  # whether they still have it: one question at a time
        return reason
    silences = track.silences + 1 if timer.kind is TimerKind.UPDATE_EVERY else track.silences
    track = draft.put(replace(track, silences=silences))
    body = {"milestone": timer.kind.value, "seconds": draft.open_seconds, "silences": silences, "owner": track.owner}
    draft.record("milestone_missed", reason, track, track.owner, body)
    if track.state is not TrackState.ACKNOWLEDGED:
        if timer.kind is TimerKind.RESOLVE_BY:
            last_resort(draft, track, Reason.MILESTONE)
        else:
            climb(draft, track, Reason.MILESTONE)
        return reason
    _tell(draft, track, reason)
    if timer.kind is TimerKind.UPDATE_EVERY:
        expect_updates(draft, track.name)
        if silences < SILENCES_BEFORE_NEXT_TIER:
            return reason
    _climb_past(draft, track, timer.kind)
    return reason


def milestones_of(draft: Draft, track: Track) -> Milestones:
    """Return the milestones of a track; those of one that is not watched are none at all."""
    policy = draft.policy_of(track)
    if policy.milestones is None or is_past_due(track) or track.name.rpartition(":")[2] != watched(policy):
        return Milestones()
    return policy.milestones


# ------------------------------------------------------------------------------------------------------- private


def _climb_past(draft: Draft, track: Track, kind: TimerKind) -> None:
    """Page beyond the owner of a track: its next tier, and on from where that has got to already."""
    found = draft.track(past_due_name(track.name))
    known = found.overdue if kind.value in found.overdue else (*found.overdue, kind.value)
    climber = draft.put(replace(found, overdue=known, spared=track.owner))
    to_the_top = kind is TimerKind.RESOLVE_BY
    match climber.state:
        case TrackState.WAITING | TrackState.ENDED:
            _set_out(draft, climber, track, to_the_top=to_the_top)
        case TrackState.RUNNING if to_the_top:
            last_resort(draft, climber, Reason.MILESTONE)
        case TrackState.ACKNOWLEDGED if to_the_top:
            last_resort(draft, climber, Reason.MILESTONE)
        case TrackState.ACKNOWLEDGED if kind is TimerKind.MITIGATE_BY:
            climb(draft, replace(climber, state=TrackState.RUNNING), Reason.MILESTONE)
        case TrackState.ACKNOWLEDGED:
            _tell(draft, climber, WHY[kind])
        case TrackState.RUNNING | TrackState.LAST_RESORT | TrackState.HELD:
            pass  # it rings already, and climbs by its own clock
        case _:
            assert_never(climber.state)


def _is_asked(draft: Draft, track: Track) -> bool:
    """Return whether the owner of a track is being asked if it is still theirs; silence pages its tier again."""
    return any(t.kind is TimerKind.ACK_EXPIRY and t.track == track.name for t in draft.incident.timers)


def _set_out(draft: Draft, climber: Track, track: Track, *, to_the_top: bool) -> None:
    """Page the first tier above the owner's that has somebody else in it, else the last resort."""
    ladder = draft.ladder_of(track)
    climber = replace(climber, tier=track.tier, top=track.tier)
    above = range(track.tier + 1, len(ladder.tiers) + 1)
    tier = next((tier for tier in above if has_somebody(draft, climber, tier)), None)
    if tier is None or to_the_top:
        last_resort(draft, climber, Reason.MILESTONE)
    else:
        climb(draft, replace(climber, tier=tier - 1, state=TrackState.RUNNING), Reason.MILESTONE)


def _make_up(draft: Draft, name: str, kinds: tuple[TimerKind, ...], reason: Reason) -> None:
    """Forget what was missed; when nothing is left, whoever was paged for it is told that they may sleep."""
    track = draft.track(name)
    left = tuple(kind for kind in track.overdue if kind not in {made_up.value for made_up in kinds})
    if left == track.overdue or track.state is TrackState.ENDED:
        return
    if left:
        draft.put(replace(track, overdue=left))
        return
    draft.withdraw(name)
    draft.disarm(name)
    at_rest = replace(track, state=TrackState.WAITING, pages=(), owner="", acked_at=None, acked_via=None, overdue=())
    resting = draft.put(replace(at_rest, tier=0, top=0, cycle=0, held_since=None))
    draft.tell_those_told(NoticeKind.ACKED, resting, reason, spare=draft.actor)
    draft.record("made_up", reason, draft.track(name))


def _tell(draft: Draft, track: Track, reason: Reason) -> None:
    """Remind the owner of a track of what is due; by a call only where nothing else reaches them."""
    quiet, loud = (draft.ways_to(track.owner, track, kinds) for kinds in QUIET_FIRST)
    for channel in quiet or loud:
        draft.notify(NoticeKind.MILESTONE, track, track.owner, channel, reason)
