"""What must hold of every incident at every seam; asserted before it is stored, in production too.

A violation is a defect of ours, never of a user: the engine journals it, counts it, and goes on with everybody else.
"""

from typing import assert_never

from escalatord.core.incident import LASTING, Incident, State, TimerKind, Track, TrackState
from escalatord.core.quorum import is_met

HOLDS = (TimerKind.ACK_QUESTION, TimerKind.ACK_EXPIRY, TimerKind.SNOOZE_END)
BESIDE_A_HOLD = LASTING | {TimerKind.UPDATE_EVERY, TimerKind.SHIFT_END, TimerKind.HOURS_START}
MOVES = (TimerKind.TIER_DEADLINE, TimerKind.LAST_RESORT, TimerKind.HOURS_START, *HOLDS)


def violations(incident: Incident) -> tuple[str, ...]:
    """Return the names of the invariants that `incident` breaks, with where; empty when it is sound."""
    found: list[str] = []
    if incident.state is State.RESOLVED:
        if incident.timers:
            found.append("closed_has_timers")
        if any(track.state is not TrackState.ENDED for track in incident.tracks):
            found.append("closed_has_running_track")
        if incident.resolved_at is None:
            found.append("closed_without_instant")
        return tuple(found)
    if not incident.timers:
        found.append("open_without_deadline")
    for track in incident.tracks:
        kinds = [timer.kind for timer in incident.timers if timer.track == track.name]
        match track.state:
            case TrackState.HELD:
                sound = not track.pages and not track.owner and _moves(kinds) == [TimerKind.HOURS_START]
            case TrackState.RUNNING:
                sound = bool(track.pages) and not track.owner and _moves(kinds) == [TimerKind.TIER_DEADLINE]
            case TrackState.LAST_RESORT:
                sound = not track.owner and _moves(kinds) == [TimerKind.LAST_RESORT]
            case TrackState.ACKNOWLEDGED:
                stirring = [kind for kind in kinds if kind not in BESIDE_A_HOLD]
                sound = bool(track.owner) and len(stirring) == 1 and stirring[0] in HOLDS
            case TrackState.WAITING | TrackState.ENDED:
                sound = all(kind is TimerKind.STATUTORY for kind in kinds)
            case _:
                assert_never(track.state)
        found += _of_acks(track)
        if not sound:
            found.append(f"track_{track.state}_without_its_deadline:{track.name}")
    acked = incident.main.state is TrackState.ACKNOWLEDGED
    if acked and incident.state is not State.ACKNOWLEDGED:
        found.append("held_but_shown_open")
    if incident.state is State.ACKNOWLEDGED and incident.main.state not in (TrackState.ACKNOWLEDGED, TrackState.ENDED):
        found.append("open_but_shown_held")
    return tuple(found)


def _of_acks(track: Track) -> list[str]:
    """Return what is wrong with the acks of a track: one counted twice, or enough of them and nobody holds it."""
    found = []
    if len(set(track.acks)) < len(track.acks):
        found.append(f"ack_counted_twice:{track.name}")
    if track.state in (TrackState.RUNNING, TrackState.LAST_RESORT) and is_met(track):
        found.append(f"enough_acks_and_still_climbing:{track.name}")
    return found


def _moves(kinds: list[TimerKind]) -> list[TimerKind]:
    """Return which of a track's deadlines move it."""
    return [kind for kind in kinds if kind in MOVES]
