"""Which tracks an incident has, and how one of them starts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from escalatord.core import milestones
from escalatord.core.climb import enter, enter_all
from escalatord.core.draft import Draft
from escalatord.core.incident import Cause, Reason, TimerKind, Track
from escalatord.core.policy import Policy, TrackKind


def tracks_of(policies: Iterable[Policy], known: Sequence[Track] = ()) -> list[Track]:
    """Return the tracks that policies bring beside the `known` ones.

    A second policy's track of the same name is called `policy:name`.
    """
    tracks: list[Track] = []
    for policy in policies:
        for ladder in policy.tracks:
            taken = {track.name for track in (*known, *tracks)}
            name = f"{policy.name}:{ladder.name}" if ladder.name in taken else ladder.name
            if name not in taken:
                tracks.append(Track(name=name, policy=policy.hash))
    return tracks


def climbers_of(tracks: Sequence[Track], policies: Mapping[str, Policy]) -> list[Track]:
    """Return the tracks for missed milestones that these tracks lack; `policies` are theirs by hash."""
    known = {track.name for track in tracks}
    found: list[Track] = []
    for track in tracks:
        name = milestones.past_due_name(track.name)
        ladder = milestones.watched(policies[track.policy])
        if not milestones.is_past_due(track) and track.name.rpartition(":")[2] == ladder and name not in known:
            found.append(Track(name=name, policy=track.policy))
    return found


def is_reached(draft: Draft, track: Track) -> bool:
    """Return whether the incident is bad enough for a track; one for missed milestones waits for these."""
    when = draft.ladder_of(track).when
    reached = when is None or draft.incident.severity.rank >= when.rank
    return reached and not milestones.is_past_due(track)


def start(draft: Draft, track: Track, start_at: int, cause: Cause, reason: Reason = Reason.OPENED) -> None:
    """Start a track whose severity is reached, at tier `start_at` (0 = all at once) or where its policy says.

    When the severity reaches no track at all, the first one starts: an incident that nobody hears of must not be.
    """
    incident = draft.incident
    forced = track.name == incident.main.name and not any(is_reached(draft, other) for other in incident.tracks)
    if not (forced or is_reached(draft, track)):
        return
    ladder = draft.ladder_of(track)
    override = draft.policy_of(track).override(ladder, incident.severity)
    first = start_at
    if first == 1 and override is not None and override.skip_to is not None:
        first = override.skip_to
    if cause is Cause.EXCEPTION and first != 1:
        reason = Reason.EXCEPTION
    if first == 0:
        enter_all(draft, track, reason)
    else:
        enter(draft, track, min(first, len(ladder.tiers)), reason)
    milestones.begin(draft, track.name)
    clock = draft.policy_of(track).compliance
    if clock is not None and ladder.kind is TrackKind.COMPLIANCE:
        for seconds in sorted({*clock.remind_seconds, clock.due_seconds}):
            at = incident.opened_at + timedelta(seconds=seconds)
            draft.arm_at(TimerKind.STATUTORY, max(at, draft.now), track.name, clock.regime)
