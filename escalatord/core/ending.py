"""How an incident ends: called off, handed to compliance, closed."""

from escalatord.core.draft import Draft
from escalatord.core.incident import NoticeKind, Reason, State, TimerKind, Track, TrackState
from escalatord.core.values import replace


def close(draft: Draft, *, by: str, decision: str) -> None:
    """End every track, withdraw what is unsent, stand everyone down, and write the outcome."""
    incident = draft.incident
    reason = Reason.RESOLVED if by else Reason.RECOVERED
    for track in incident.tracks:
        stand_down(draft, track, reason, spare=by)
        decided = decision if draft.is_compliance(track) else ""
        draft.put(replace(draft.track(track.name), state=TrackState.ENDED, pages=(), decision=decided))
    draft.incident = replace(
        draft.incident,
        state=State.RESOLVED,
        timers=(),
        firing=(0, 0, 0, 0),
        recovered_at=incident.recovered_at or (None if by else draft.now),
        resolved_at=draft.now,
        resolved_by=by,
    )
    draft.withdraw("")
    draft.record(
        "resolved",
        reason,
        person=by,
        body={
            "outcome": "acked" if incident.first_acked_at else "resolved_unacked",
            "by": by,
            "seconds": (draft.now - incident.opened_at).total_seconds(),
            "decision": decision,
        },
    )


def recover(draft: Draft) -> None:
    """End what may end without a decision; compliance tracks go on until a human decides."""
    incident = draft.incident
    for track in incident.tracks:
        if draft.stays_until_decided(track):
            continue
        stand_down(draft, track, Reason.RECOVERED, spare="")
        draft.withdraw(track.name)
        draft.disarm(track.name, tuple(TimerKind))
        draft.put(replace(draft.track(track.name), state=TrackState.ENDED, pages=()))
    draft.incident = replace(draft.incident, recovered_at=draft.now)
    draft.record("recovered", Reason.RECOVERED_COMPLIANCE_OPEN)


def stand_down(draft: Draft, track: Track, reason: Reason, spare: str) -> None:
    """Tell everyone who was paged in a track that no action is needed, unless its policy wants it quiet."""
    if track.told and track.state is not TrackState.ENDED:
        if draft.policy_of(track).stand_down:
            draft.tell_those_told(NoticeKind.STAND_DOWN, track, reason, spare)
        else:
            draft.refresh_rooms(track, reason)
