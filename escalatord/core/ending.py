"""How an incident ends: called off, handed to compliance, closed."""

from escalatord.core import flap
from escalatord.core.draft import Draft
from escalatord.core.incident import NoticeKind, Reason, State, TimerKind, Track, TrackState
from escalatord.core.values import replace


def close(draft: Draft, *, by: str, decision: str) -> Reason:
    """End every track, withdraw what is unsent, stand everyone down, and write the outcome; return why it ended."""
    incident = draft.incident
    muted = not by and bool(incident.muted_by)
    reason = Reason.RESOLVED if by else Reason.SUPPRESSED if muted else Reason.RECOVERED
    stood = None if by or muted else flap.standing(draft)
    for track in incident.tracks:
        stand_down(draft, track, reason, spare=by)
        decided = decision if draft.is_compliance(track) else ""
        draft.put(replace(draft.track(track.name), state=TrackState.ENDED, pages=(), decision=decided))
    draft.incident = replace(
        draft.incident,
        state=State.RESOLVED,
        timers=(),
        firing=(0, 0, 0, 0),
        recovered_at=incident.recovered_at or (None if by or muted else draft.now),
        resolved_at=draft.now,
        resolved_by=by,
        quiet_since=None,
        stood=stood,
    )
    draft.withdraw("")
    ended = "acked" if incident.first_acked_at else "resolved_unacked"
    draft.record(
        "resolved",
        reason,
        person=by,
        body={
            "outcome": "suppressed" if muted else ended,
            "by": by,
            "seconds": (draft.now - incident.opened_at).total_seconds(),
            "decision": decision,
            **({"muted_by": incident.muted_by} if muted else {}),
            **({"again": True} if incident.reopened else {}),
        },
    )
    return reason


def recover(draft: Draft) -> None:
    """End what may end without a decision; compliance tracks go on until a human decides."""
    incident = draft.incident
    reason = Reason.SUPPRESSED if incident.muted_by else Reason.RECOVERED
    for track in incident.tracks:
        if draft.stays_until_decided(track):
            continue
        stand_down(draft, track, reason, spare="")
        draft.withdraw(track.name)
        draft.disarm(track.name, tuple(TimerKind))
        draft.put(replace(draft.track(track.name), state=TrackState.ENDED, pages=()))
    draft.incident = replace(draft.incident, recovered_at=draft.now)
    body = {"muted_by": incident.muted_by} if incident.muted_by else {}
    draft.record("recovered", Reason.RECOVERED_COMPLIANCE_OPEN, body=body)


def stand_down(draft: Draft, track: Track, reason: Reason, spare: str) -> None:
    """Tell everyone who was paged in a track that no action is needed, unless its policy wants it quiet."""
    if track.told and track.state is not TrackState.ENDED:
        if draft.policy_of(track).stand_down:
            draft.tell_those_told(NoticeKind.STAND_DOWN, track, reason, spare)
        else:
            draft.refresh_rooms(track, reason)
